use clap::{CommandFactory, Parser};

use super::*;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_holds() {
    Args::command().debug_assert();
}

#[test]
fn run_is_the_default() {
    let args = parse("orchestrate --dry-run --phase 1,3 --phase deployment -C sub --format json").unwrap();
    assert!(args.command.is_none() && args.run.how.dry_run && args.is_json());
    assert_eq!(args.run.select.phase, ["1", "3", "deployment"]);
    assert_eq!(args.global.dir, PathBuf::from("sub"));
    assert_eq!(args.run.how.settings(), serde_json::json!({ "ceiling": "reads" }));
    let Some(Command::Run(run)) = parse("orchestrate run --jobs 2 --failed").unwrap().command else {
        panic!("`run` is a command")
    };
    assert_eq!(run.select.failed.as_deref(), Some("latest"));
    assert_eq!(run.how.settings(), serde_json::json!({ "jobs": 2 }));
    let args = parse("orchestrate --shadow").unwrap();
    assert_eq!(args.run.how.settings(), serde_json::json!({ "shadow": true }));
}

#[test]
fn what_happens_with_remedies_is_a_setting() {
    for (flags, expected) in [
        ("", serde_json::json!({})),
        (" --no-remediate", serde_json::json!({ "remedies": "off" })),
        (" --interactive", serde_json::json!({ "remedies": "ask" })),
    ] {
        assert_eq!(parse(&format!("orchestrate{flags}")).unwrap().run.how.settings(), expected);
        let Some(Command::Doctor(doctor)) = parse(&format!("orchestrate doctor{flags}")).unwrap().command
        else {
            panic!("`doctor` is a command")
        };
        assert_eq!(doctor.settings().get("remedies"), expected.get("remedies"));
        assert_eq!(doctor.settings()["ceiling"], "writes");
    }
}

#[test]
fn where_to_work_may_stand_before_and_after() {
    for line in ["orchestrate -C x status 12ab", "orchestrate status 12ab -C x"] {
        let args = parse(line).unwrap();
        assert_eq!(args.global.dir, PathBuf::from("x"));
        assert!(
            matches!(args.command, Some(Command::Status(OneArgs { run: Some(run), .. })) if run == "12ab")
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for line in [
        "orchestrate run --dry-run --ceiling publishes",
        "orchestrate run --quiet --verbose",
        "orchestrate run --no-remediate --interactive",
        "orchestrate run --failed --phase 1",
        "orchestrate run --jobs many",
        "orchestrate resume --assume done",
        "orchestrate nonsense",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn assumptions_come_in_pairs() {
    let args = parse("orchestrate resume --assume done a --assume not-done b").unwrap();
    let Some(Command::Resume(resume)) = args.command else { panic!("`resume` is a command") };
    assert_eq!((resume.run, resume.assume.len()), (None, 4));
}

#[test]
fn what_is_deployed_is_shown_and_moved() {
    let deploy = |line: &str| match parse(line).unwrap().command {
        Some(Command::Deploy(command)) => command,
        _ => panic!("{line}"),
    };
    let DeployCommand::Switch(switch) = deploy("orchestrate deploy switch 1.4.0 -e production --wait -n")
    else {
        panic!("`switch` is a command")
    };
    assert_eq!((switch.version.as_str(), switch.how.dry_run), ("1.4.0", true));
    assert_eq!(switch.how.wait.map(orchestrator_agents::deployment::Patience::seconds), Some(600));
    let DeployCommand::Rollback(rollback) =
        deploy("orchestrate deploy rollback --to 1 --wait=90s --format json")
    else {
        panic!("`rollback` is a command")
    };
    assert_eq!(rollback.how.wait.map(orchestrator_agents::deployment::Patience::seconds), Some(90));
    for line in [
        "orchestrate deploy",
        "orchestrate deploy switch",
        "orchestrate deploy status --environment ../x",
        "orchestrate deploy rollback --wait=0s",
        "orchestrate deploy stop --all --environment staging",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_proxy_serves_or_is_spoken_to() {
    let proxy = |line: &str| match parse(line).unwrap().command {
        Some(Command::Proxy(args)) => *args,
        _ => panic!("{line}"),
    };
    let args = proxy(
        "orchestrate proxy --folder f --listen 127.0.0.1:1 127.0.0.1:2 --listen [::1]:3 --tls c k --metrics 127.0.0.1:4",
    );
    assert!(args.command.is_none());
    assert_eq!((args.serve.listen.len(), args.serve.tls.len()), (3, 2));
    assert_eq!(proxy("orchestrate proxy --folder f --inherit").serve.folder, Some("f".into()));
    let args = proxy("orchestrate proxy status --folder f --format json");
    assert!(args.format() == Format::Json && matches!(args.command, Some(ProxyCommand::Status(_))));
    let args =
        proxy("orchestrate proxy apply --folder f --to v1=127.0.0.1:1@95 --to v2=127.0.0.1:2@5 --expect 3");
    let Some(ProxyCommand::Apply(apply)) = args.command else { panic!("`apply` is a command") };
    assert_eq!((apply.to.len(), apply.expect), (2, Some(3)));
    for line in [
        "orchestrate proxy",
        "orchestrate proxy --folder f",
        "orchestrate proxy --listen 127.0.0.1:1",
        "orchestrate proxy --folder f --listen 127.0.0.1:1 --tls c",
        "orchestrate proxy --folder f --listen localhost",
        "orchestrate proxy --folder f --listen 127.0.0.1:1 status --folder f",
        "orchestrate proxy status",
        "orchestrate proxy apply --folder f",
        "orchestrate proxy apply --folder f x.json --to v1=127.0.0.1:1",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn help_teaches() {
    let help = Args::command().render_long_help().to_string();
    for part in ["orchestrate run --dry-run", "Exit codes:", "130  interrupted", "Which tasks:"] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
}

#[test]
fn backups_are_kept_by_what_is_said() {
    let policy = |flags: &str| match parse(&format!("orchestrate backup prune {flags}")).unwrap().command {
        Some(Command::Backup(BackupCommand::Prune(args))) => args.keep.policy().map(|keep| keep.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(policy(""), None);
    assert_eq!(policy("--keep-daily 7").as_deref(), Some("last 0, daily 7, weekly 0"));
    assert_eq!(policy("--keep-last 3 --keep-weekly 4 -n").as_deref(), Some("last 3, daily 0, weekly 4"));
    assert!(parse("orchestrate backup list --format json").unwrap().is_json());
    for bad in [
        "backup",
        "backup restore",
        "backup restore x --to y --in-place",
        "backup restore x --force",
        "backup verify x --all",
        "backup prune --keep-last -1",
    ] {
        assert!(parse(&format!("orchestrate {bad}")).is_err(), "{bad}");
    }
}
