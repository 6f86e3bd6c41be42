//! Commands.

use super::*;
use crate::action::EnvValue;
use crate::order::Artifact;

fn kept(bench: &Bench, record: &RunRecord, artifact: &Artifact) -> Vec<u8> {
    let layout = bench.store().layout().clone();
    std::fs::read(artifact.place.under(&layout.run_dir(&record.run))).unwrap()
}

/// What a shell line printed.
async fn printed(bench: &Bench, run: Run) -> String {
    let record = bench.run(vec![acts("t", vec![run.into()])], Effect::Publishes).await;
    let receipt = receipts(&record, "t").remove(0);
    assert!(receipt.ok(), "{}: {}", receipt.status, receipt.tail);
    let bytes = receipt.stdout.map(|artifact| kept(bench, &record, &artifact)).unwrap_or_default();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_command_that_cannot_be_started_fails_its_task() {
    let bench = Bench::new();
    bench.put("plain", "no program");
    let gone = Run { cwd: path("no/such/folder"), ..shell("true") };
    let actions: [(Run, &str); 4] = [
        (Run::new(Effect::Writes, ["no-such-program-7"]), "no-such-program-7"),
        (Run::new(Effect::Writes, ["./plain"]), "plain"),
        (gone, "no/such/folder"),
        (Run::new(Effect::Writes, Vec::<String>::new()), "the command is empty"),
    ];
    for (run, names) in actions {
        let said = why(bench.status(run).await);
        assert!(said.contains(names), "{said}");
    }
}

#[tokio::test]
async fn how_a_command_ends_is_in_its_receipt() {
    let bench = Bench::new();
    assert_eq!(bench.status(shell("exit 7")).await, Status::Exited(7));
    assert_eq!(bench.status(shell("kill -9 $$")).await, Status::Signaled(9));
    let record = bench.run(vec![acts("t", vec![shell("kill -TERM $$").into()])], Effect::Writes).await;
    assert_eq!(outcomes(&record), "t: failed");
    let end = task(&record, "t").end.clone().unwrap();
    assert_eq!(end.conclusion.unwrap().summary, "ended by signal 15");
}

#[tokio::test]
async fn output_that_is_no_text_is_kept_as_it_was() {
    let bench = Bench::new();
    let line = r"printf 'a\377\376b\000c\n'; printf 'wrong\303\n' >&2";
    let record = bench.run(vec![acts("t", vec![look(line).into()])], Effect::Writes).await;
    let receipt = receipts(&record, "t").remove(0);
    assert_eq!(kept(&bench, &record, receipt.stdout.as_ref().unwrap()), b"a\xff\xfeb\0c\n");
    assert_eq!(kept(&bench, &record, receipt.stderr.as_ref().unwrap()), b"wrong\xc3\n");
    assert!(receipt.tail.contains("a\u{fffd}\u{fffd}b") && receipt.tail.contains("wrong\u{fffd}"));
    let again = bench.orchestrator().status(&record.run).await.unwrap();
    assert_eq!(again.state, record.state, "the journal reads back");
}

#[tokio::test]
async fn a_secret_is_never_stored() {
    let mut bench = Bench::new();
    let secret = "hunter2-and-more";
    bench.secrets.insert("CI_TOKEN".into(), secret.into());
    let mut run = shell("echo \"it is $TOKEN.\"; echo \"$TOKEN\" >&2; echo \"x $TOKEN\" > report.txt");
    run.env.insert("TOKEN".into(), EnvValue::Secret { secret: "CI_TOKEN".into() });
    run.collect = vec!["report.txt".into()];
    let record = bench.run(vec![acts("t", vec![run.into()])], Effect::Writes).await;
    let receipt = receipts(&record, "t").remove(0);
    assert!(receipt.ok() && receipt.tail.starts_with("it is "), "{}", receipt.tail);
    assert!(bench.read("report.txt").contains(secret), "the command itself had it");
    let mut open = vec![bench.root().join(".orchestrate")];
    let mut seen = 0;
    while let Some(at) = open.pop() {
        if at.is_dir() {
            open.extend(std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        seen += 1;
        let text = String::from_utf8_lossy(&std::fs::read(&at).unwrap()).into_owned();
        assert!(!text.contains(secret), "{}: {text}", at.display());
    }
    assert!(seen >= 5, "journal, plan, two logs and a kept file were looked at");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named() {
    let bench = Bench::new();
    let mut run = shell("touch started");
    run.env.insert("TOKEN".into(), EnvValue::Secret { secret: "CI_TOKEN".into() });
    let said = why(bench.status(run).await);
    assert_eq!(said, "there is no secret `CI_TOKEN`; set it where secrets come from");
    assert!(bench.files().is_empty());
}

/// The tests' own environment has more than the allow-list: `cargo` sets `CARGO_PKG_NAME`.
#[tokio::test]
async fn a_command_sees_what_it_was_given_and_nothing_else() {
    let bench = Bench::new();
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some() || std::env::vars_os().count() > 3);
    let mut run = look("env");
    run.env.insert("GIVEN".into(), EnvValue::Plain("two words".into()));
    let env = printed(&bench, run).await;
    let mut names: Vec<_> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
    assert_eq!(names, ["GIVEN", "ORCHESTRATE_ORDER", "PATH"]);
    assert!(env.contains("GIVEN=two words\n"));
    let vars = [("HOME", "/h"), ("AWS_SECRET_ACCESS_KEY", "s"), ("CARGO_PKG_NAME", "x"), ("LANG", "C")];
    let vars = vars.map(|(name, value)| (name.into(), value.into()));
    let path = ("PATH".into(), std::env::var_os("PATH").unwrap());
    let local = bench.local().environment_of(vars.into_iter().chain([path]));
    let orchestrator = Orchestrator::new(local, bench.store()).agent(Acts);
    let plan = orchestrator.plan(&pipeline(vec![acts("t", vec![look("env").into()])])).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    let env = receipts(&record, "t").remove(0).tail;
    assert!(env.contains("HOME=/h\n") && env.contains("LANG=C\n"), "{env}");
    assert!(!env.contains("AWS_SECRET") && !env.contains("CARGO_PKG_NAME"), "{env}");
}

#[tokio::test]
async fn a_list_is_passed_as_it_is_and_a_line_goes_to_a_shell() {
    let bench = Bench::new();
    let argv = Run::new(Effect::Reads, ["printf", "%s|", "a b", "$HOME", "*", "it's"]);
    assert_eq!(printed(&bench, argv).await, "a b|$HOME|*|it's|");
    assert_eq!(printed(&bench, look("X='a  b'; printf '%s|' \"$X\" $X | tr a-z A-Z")).await, "A  B|A|B|");
    // Lines that look plain mean the same with and without a shell.
    assert_eq!(printed(&bench, look("printf plain")).await, "plain");
    assert_eq!(printed(&bench, look("  env  printf   spaced ")).await, "spaced");
    let below = Run { cwd: path("below"), ..look("pwd") };
    std::fs::create_dir(bench.root().join("below")).unwrap();
    assert!(printed(&bench, below).await.ends_with("/below\n"));
}

#[tokio::test]
async fn standard_input_is_what_the_action_says() {
    let bench = Bench::new();
    let given = |content: Vec<u8>| Run { stdin: Some(Content::new(content)), ..look("wc -c") };
    assert_eq!(printed(&bench, given(b"12345".to_vec())).await.trim(), "5");
    assert_eq!(printed(&bench, given(vec![255; 1_000_000])).await.trim(), "1000000");
    assert_eq!(printed(&bench, look("wc -c")).await.trim(), "0", "nothing by default, and no terminal");
    let unread = Run { stdin: Some(Content::new(vec![b'x'; 1_000_000])), ..look("true") };
    assert_eq!(printed(&bench, unread).await, "");
}

#[tokio::test]
async fn files_are_collected_by_name_and_by_glob() {
    let bench = Bench::new();
    for name in ["out/a.json", "out/b.json", "out/deep/c.json", "out/d.txt", ".git/e.json", "brace {x}.txt"] {
        bench.put(name, name);
    }
    let collect = |patterns: &[&str]| {
        let run = Run { collect: patterns.iter().map(|name| (*name).to_owned()).collect(), ..look("exit 1") };
        let bench = &bench;
        async move {
            let receipt = bench.perform(vec![run.into()]).await.remove(0);
            assert_eq!(receipt.status, Status::Exited(1), "files of a failed command are kept as well");
            receipt.artifacts.into_iter().map(|artifact| artifact.name).collect::<Vec<_>>()
        }
    };
    assert_eq!(collect(&["out/*.json"]).await, ["out/a.json", "out/b.json"]);
    assert_eq!(collect(&["**/c.json", "out/d.txt", "out/d.txt"]).await, ["out/d.txt", "out/deep/c.json"]);
    assert_eq!(collect(&["out/{a,b}.json"]).await, ["out/a.json", "out/b.json"]);
    assert_eq!(collect(&["**/e.json", "nothing", "out", "none/*"]).await, Vec::<String>::new());
}

/// A glob that is none is a mistake of the task, not of the run.
#[tokio::test]
async fn a_glob_that_is_none_fails_its_task() {
    let bench = Bench::new();
    let bad = Run { collect: vec!["out/[".into()], ..look("true") };
    bench.put("private", "x");
    bench.chmod("private", 0);
    let unreadable = std::fs::read(bench.root().join("private")).is_err();
    let closed = Run { collect: vec!["private".into()], ..look("true") };
    let tasks = vec![
        acts("bad", vec![bad.into()]),
        acts("closed", vec![closed.into()]),
        acts("fine", vec![look("true").into()]),
    ];
    let record = bench.run(tasks, Effect::Writes).await;
    let closed = if unreadable { "failed" } else { "passed" };
    assert_eq!(outcomes(&record), format!("bad: failed, closed: {closed}, fine: passed"));
    let said = why(receipts(&record, "bad").remove(0).status);
    assert!(said.contains("out/["), "{said}");
}
