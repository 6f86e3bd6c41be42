//! Real programs on both sides: what well-behaved and hostile plug-ins make of a question.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator_core::action::Expects;
use orchestrator_core::id::{GroupName, PhaseName, TaskId};
use orchestrator_core::order::Status;
use orchestrator_core::testkit::Kept;
use tempfile::TempDir;

use super::*;

const DESCRIBED: &str =
    r#"{"id":1,"ok":{"protocol":1,"name":"x","about":"Says x","version":"7","timeout_seconds":30}}"#;

/// A shell script that answers `describe`, and then does what `rest` says for each question.
fn answering(rest: &str) -> String {
    let describes = format!("case $line in *'\"ask\":\"describe\"'*) echo '{DESCRIBED}'; continue;; esac");
    format!("#!/bin/sh\nwhile read -r line; do\n{describes}\n{rest}\ndone\n")
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.root()).unwrap();
        std::fs::write(bench.program(), script).unwrap();
        std::fs::set_permissions(bench.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("orchestrate-agent-x")
    }

    fn open(&self) -> Result<Plugin, PluginError> {
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap()), ("LANG".into(), "C".into())];
        let launch = Launch { path: self.program(), root: self.root(), env };
        Plugin::open(AgentName::new("x").unwrap(), launch)
    }

    fn look(&self) -> Workspace {
        Workspace::new(self.root(), "2026-11-20T23:44:33Z".parse().unwrap())
    }

    /// What it answers to `plan`, or why that cannot be used, with all causes.
    async fn plan(&self, rest: &str) -> Result<Vec<Action>, String> {
        std::fs::write(self.program(), answering(rest)).unwrap();
        let plugin = self.open().map_err(|error| said(&error))?;
        plugin.plan(&task(json!({})), &self.look()).await.map_err(|error| said(&*error))
    }

    /// Whether nothing of it runs any more, soon: whom a signal ended is there until somebody has seen its end.
    fn is_left(&self) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            self.processes() == 0
        })
    }

    /// The processes that the program is, or has started: all of them stand in the project.
    fn processes(&self) -> usize {
        let root = self.root().canonicalize().unwrap();
        let here = |folder: &Path| std::fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd == root);
        std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| here(&entry.path())).count()
    }
}

fn said(error: &(dyn std::error::Error + 'static)) -> String {
    orchestrator_core::outcome::Failure::from_error(error).to_string()
}

fn task(config: Value) -> Task<Json> {
    Task {
        id: TaskId::new("t").unwrap(),
        phase: PhaseName::new("p").unwrap(),
        group: GroupName::new("g").unwrap(),
        config: config.into(),
        carried: Json::null(),
    }
}

/// An answer to the question after `describe`.
fn ok(answer: Value) -> String {
    format!("echo '{}'", json!({ "id": 2, "ok": answer }))
}

#[tokio::test]
async fn it_plans_with_the_librarys_actions() {
    let bench = Bench::new("");
    std::fs::write(bench.root().join("there"), "old").unwrap();
    let actions = json!([
        { "write": { "path": "a", "content": { "text": "x" }, "was": null } },
        { "write": { "path": "b", "content": { "text": "x" }, "was": "before" } },
        { "write": { "path": "there", "content": { "text": "x" } } },
        { "remove": { "path": "gone" } },
        { "run": { "command": ["true"], "effect": "reads" } },
    ]);
    let actions = bench.plan(&ok(json!({ "actions": actions }))).await.unwrap();
    let expects: Vec<Expects> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Write(write) => Some(write.expects),
            Action::Remove(remove) => Some(remove.expects),
            _ => None,
        })
        .collect();
    let exactly = |text: &str| Expects::exactly(Some(text.as_bytes()));
    assert_eq!(expects, [Expects::Absent, exactly("before"), exactly("old"), Expects::Absent]);
    assert_eq!((actions.len(), actions[4].to_string().as_str()), (5, "run true [reads]"));
}

#[tokio::test]
async fn answers_that_cannot_be_used_say_why_and_end_the_process() {
    let bench = Bench::new("");
    let many = json!({ "actions": vec![json!({ "run": {} }); MOST] });
    for (rest, why) in [
        ("echo hello".to_owned(), "printed what is no JSON"),
        ("echo '[1]'".to_owned(), "printed what is no JSON"),
        ("echo '{\"id\": 1, \"ok\": {}}'".to_owned(), "answered the question 1, not 2"),
        ("echo '{\"ok\": {}}'".to_owned(), "answered the question null, not 2"),
        ("echo '{\"id\": 2}'".to_owned(), "neither `ok` nor `error`"),
        ("echo '{\"id\": 2, \"error\": \"no such folder\"}'".to_owned(), "said: no such folder"),
        (ok(json!({})), "missing field `actions`"),
        (ok(json!({ "actions": [{ "dance": {} }] })), "actions[0]: unknown variant `dance`"),
        (
            ok(json!({ "actions": [{ "write": { "path": "../x", "content": { "text": "" } } }] })),
            "actions[0]: ",
        ),
        (
            ok(json!({ "actions": [{ "write": { "path": "x", "content": { "hex": "0" } } }] })),
            "neither text nor whole",
        ),
        (ok(json!({ "actions": [{ "remove": { "path": "x", "was": 3 } }] })), "`was` is 3"),
        ("exit 3".to_owned(), "ended before it answered (exit status: 3)"),
        ("sleep 60 & kill -9 $$".to_owned(), "ended before it answered (signal: 9 (SIGKILL))"),
        ("kill -9 $$".to_owned(), "ended before it answered (signal: 9 (SIGKILL))"),
        ("printf '{\"id\": 2, \"ok'; exit 0".to_owned(), "ended before it answered (exit status: 0)"),
        ("sleep 60 & echo hello".to_owned(), "printed what is no JSON"),
        ("head -c 9000000 /dev/zero; sleep 60".to_owned(), "a line of more than 8 MiB"),
        ("yes | head -c 20000000 | tr -d '\\n'; sleep 60".to_owned(), "a line of more than 8 MiB"),
        (format!("cat <<'END'\n{}\nEND", json!({ "id": 2, "ok": many })), "10001 actions; at most 10000"),
    ] {
        let wrong = bench.plan(&rest).await.unwrap_err();
        assert!(wrong.starts_with("the plug-in `orchestrate-agent-x`, asked to plan, "), "{wrong}");
        assert!(wrong.contains(why), "{why} is not in: {wrong}");
        assert_eq!(bench.processes(), 0, "{rest} left a process behind");
    }
}

const MOST: usize = ops::MOST_ACTIONS + 1;

#[tokio::test]
async fn one_that_hangs_is_ended_with_all_that_it_started() {
    let script = answering("sleep 60 & sleep 60").replace("\"timeout_seconds\":30", "\"timeout_seconds\":1");
    let bench = Bench::new(&script);
    let plugin = bench.open().unwrap();
    let late = plugin.plan(&task(json!({})), &bench.look()).await.unwrap_err();
    assert!(late.to_string().ends_with("did not answer within 1 s and was ended"), "{late}");
    assert_eq!(bench.processes(), 0);
}

#[tokio::test]
async fn what_it_prints_on_standard_error_is_bounded_and_told() {
    let bench = Bench::new("");
    let wrong = bench
        .plan("yes flood | head -c 5000000 >&2; printf '\\033[2Jthe end' >&2; exit 1")
        .await
        .unwrap_err();
    assert!(wrong.ends_with("\u{fffd}[2Jthe end"), "{wrong}");
    assert!(wrong.contains("it printed on standard error: ") && wrong.len() < 5000, "{}", wrong.len());
}

#[test]
fn a_description_is_checked() {
    let described = |text: &str| {
        let bench = Bench::new(&format!("#!/bin/sh\nread -r line\ncat <<'END'\n{text}\nEND\nread -r line\n"));
        let opened = bench.open().map(|plugin| (plugin.version().to_owned(), plugin.about().to_owned()));
        assert!(bench.is_left(), "a process is left");
        opened.map_err(|error| said(&error))
    };
    let (version, about) = described(DESCRIBED).unwrap();
    assert!(version.starts_with("7+") && about == "Says x", "{version} {about}");
    for (text, why) in [
        (r#"{"id":1,"ok":{"protocol":2,"whatever":1}}"#, "speaks protocol 2, and this is protocol 1"),
        (r#"{"id":1,"ok":{"name":"x"}}"#, "speaks protocol null"),
        (r#"{"id":1,"ok":{"protocol":1,"name":"y"}}"#, "says that it is `y`"),
        (r#"{"id":1,"ok":{"protocol":1,"name":"x","timeout_seconds":9999}}"#, "must be 1 to 600"),
        (r#"{"id":1,"ok":{"protocol":1,"name":"x","extra":1}}"#, "unknown field `extra`"),
        (
            r#"{"id":1,"ok":{"protocol":1,"name":"x","config_schema":{"type":7}}}"#,
            "config_schema that is no JSON Schema",
        ),
        (
            r#"{"id":1,"ok":{"protocol":1,"name":"x","config_schema":{"$ref":"https://example.org/s"}}}"#,
            "no JSON Schema",
        ),
    ] {
        let wrong = described(text).unwrap_err();
        assert!(wrong.contains("asked to describe, ") && wrong.contains(why), "{why} is not in: {wrong}");
    }
    let bench = Bench::new("no script\n");
    std::fs::set_permissions(bench.program(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&bench.open().err().unwrap()).contains("could not be run: "));
}

#[tokio::test]
async fn one_process_answers_all_and_another_takes_the_place_of_one_that_broke() {
    let bench = Bench::new("");
    // Each process says its own id as the path; the word `die` ends it first.
    let rest = r#"case $line in *die*) exit 9;; esac
id=$(echo "$line" | sed -E 's/.*"id":([0-9]+).*/\1/')
echo "{\"id\":$id,\"ok\":{\"actions\":[{\"remove\":{\"path\":\"p$$\"}}]}}""#;
    std::fs::write(bench.program(), answering(rest)).unwrap();
    let plugin = Arc::new(bench.open().unwrap());
    let look = bench.look();
    let path = |actions: Vec<Action>| match actions.as_slice() {
        [Action::Remove(remove)] => remove.path.to_string(),
        other => panic!("{other:?}"),
    };
    let many = (0..8).map(|_| {
        let (plugin, look) = (plugin.clone(), look.clone());
        tokio::spawn(async move { plugin.plan(&task(json!({})), &look).await.unwrap() })
    });
    let mut seen = std::collections::BTreeSet::new();
    for one in many.collect::<Vec<_>>() {
        seen.insert(path(one.await.unwrap()));
    }
    assert_eq!((seen.len(), bench.processes()), (1, 1), "{seen:?}");
    let died = plugin.plan(&task(json!({ "word": "die" })), &look).await.unwrap_err();
    assert!(died.to_string().contains("exit status: 9"), "{died}");
    seen.insert(path(plugin.plan(&task(json!({})), &look).await.unwrap()));
    assert_eq!((seen.len(), bench.processes()), (2, 1), "{seen:?}");
    drop(plugin);
    assert!(bench.is_left(), "a process is left");
}

#[tokio::test]
async fn a_task_that_is_over_ends_a_plug_in_that_hangs() {
    let bench =
        Bench::new(&answering("sleep 60").replace("\"timeout_seconds\":30", "\"timeout_seconds\":600"));
    let plugin = bench.open().unwrap();
    let (question, look) = (task(json!({})), bench.look());
    let asked = plugin.plan(&question, &look);
    assert!(tokio::time::timeout(Duration::from_millis(200), asked).await.is_err());
    while bench.processes() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_concludes_from_receipts_and_what_was_printed() {
    for (answer, expected) in [
        (json!({ "passed": { "summary": "fine", "output": { "n": 1 } } }), Ok("Passed")),
        (json!({ "failed": { "summary": "no" } }), Ok("Failed")),
        (json!({ "skipped": { "summary": "no" } }), Ok("Skipped")),
        (
            json!({ "more": { "actions": [{ "run": { "command": "true", "effect": "reads" } }], "carried": 1 } }),
            Ok("More"),
        ),
        (
            json!({ "passed": { "output": { "n": "one" } } }),
            Err("does not fit its output_schema: \"one\" is not of type"),
        ),
        (json!({ "perhaps": {} }), Err("unknown variant `perhaps`")),
    ] {
        let schema = r#""output_schema":{"properties":{"n":{"type":"integer"}}},"timeout_seconds":30"#;
        let keep = format!("echo \"$line\" > asked.json\n{}", ok(answer));
        let bench = Bench::new(&answering(&keep).replace("\"timeout_seconds\":30", schema));
        let plugin = bench.open().unwrap();
        let mut kept = Kept::default();
        let mut receipt = Receipt::new(Status::Exited(0));
        receipt.stdout = Some(kept.keep("stdout", b"it printed this".to_vec()));
        let concluded = plugin.conclude(&task(json!({ "a": 1 })), &[receipt], &Artifacts::new(&kept));
        match (concluded, expected) {
            (Ok(verdict), Ok(word)) => assert!(format!("{verdict:?}").starts_with(word), "{verdict:?}"),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
            other => panic!("{other:?}"),
        }
        let asked = std::fs::read(bench.root().join("asked.json")).unwrap();
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        assert_eq!((&asked["ask"], &asked["task"]["config"]["a"]), (&"conclude".into(), &1.into()));
        assert_eq!(asked["outputs"], json!([{ "stdout": "it printed this", "stderr": "" }]));
        assert_eq!(asked["receipts"][0]["status"]["exited"], 0);
    }
}

#[test]
fn its_config_is_checked_but_for_what_others_give() {
    let schema = r#""config_schema":{"type":"object","required":["n"],"additionalProperties":false,"properties":{"n":{"type":"integer"},"list":{"items":{"type":"string"}}}},"timeout_seconds":30"#;
    let bench = Bench::new(&answering(":").replace("\"timeout_seconds\":30", schema));
    let plugin = bench.open().unwrap();
    let check = |config: Value| plugin.check(&config.into());
    assert_eq!(check(json!({ "n": 1, "list": ["a"] })), Ok(()));
    assert_eq!(check(json!({ "n": { "from": "t/n" } })), Ok(()));
    let wrong = check(json!({ "n": 1, "list": ["a", 2] })).unwrap_err();
    assert_eq!(
        (wrong.way, wrong.message.as_str()),
        (vec!["list".into(), "1".into()], "2 is not of type \"string\"")
    );
    assert!(check(json!({})).unwrap_err().message.contains("\"n\" is a required property"));
    assert!(check(json!({ "n": 1, "m": 2 })).unwrap_err().message.contains("'m' was unexpected"));
    assert_eq!(plugin.config_schema().as_value()["type"], "object");
}

#[test]
fn it_is_found_on_the_path_by_its_exact_name() {
    let bench = Bench::new("#!/bin/sh\n");
    let folder = bench.folder.path();
    let path =
        std::env::join_paths([Path::new("relative"), Path::new(""), &folder.join("none"), folder]).unwrap();
    assert_eq!(find("orchestrate-agent-x", &path), Some(bench.program()));
    assert_eq!(find("orchestrate-agent-y", &path), None);
    assert_eq!(find("orchestrate-agent-x", OsStr::new("relative::.")), None);
    std::fs::set_permissions(bench.program(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(find("orchestrate-agent-x", &path), None, "it is no program");
}
