//! What is never reused, and the ways to go without.

use super::*;
use crate::pipeline::Reuse;

fn plain() -> Vec<TaskSpec> {
    vec![shell("a", "cat in", &["in"], &[])]
}

#[tokio::test(flavor = "multi_thread")]
async fn off_renew_and_verify() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    let go = |mode| run_as(root, plain(), mode, Effect::Writes);
    assert_eq!(outcomes(&go(ReuseMode::Off).await), ["passed"]);
    assert!(!root.join(".orchestrate/cache").exists(), "nothing was recorded");
    assert_eq!(outcomes(&go(ReuseMode::Renew).await), ["passed"]);
    assert_eq!(outcomes(&go(ReuseMode::On).await), ["cached"]);
    assert_eq!(outcomes(&go(ReuseMode::Renew).await), ["passed"]);
    assert_eq!(outcomes(&go(ReuseMode::Verify).await), ["passed"]);
    assert_eq!(outcomes(&go(ReuseMode::On).await), ["cached"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_finds_what_is_not_declared() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    put(root, "hidden", "1");
    let tasks =
        || vec![shell("a", "cat in hidden > out", &["in"], &["out"]), shell("b", "cat hidden", &["in"], &[])];
    run(root, tasks()).await;
    put(root, "hidden", "2");
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached", "cached"], "nobody can know");
    let checked = run_as(root, tasks(), ReuseMode::Verify, Effect::Writes).await;
    assert_eq!(outcomes(&checked), ["failed", "failed"]);
    let said = |at: usize| checked.state.tasks()[at].end.as_ref().unwrap().conclusion.clone().unwrap();
    assert!(
        said(0).findings.iter().any(|finding| finding.message.contains("`out` differs")),
        "{:?}",
        said(0)
    );
    assert!(said(1).summary.contains("is not declared"), "{:?}", said(1));
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed", "passed"], "the wrong results are gone");
}

type Tasks<'a> = &'a dyn Fn() -> Vec<TaskSpec>;

#[tokio::test(flavor = "multi_thread")]
async fn some_things_are_never_reused() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    let with = |effect: &str, line: &str| {
        let mut task = shell("a", line, &["in"], &[]);
        task.with = json!({ "line": line, "effect": effect });
        vec![task]
    };
    let off = || {
        let mut task = plain().remove(0);
        task.reuse = Reuse { off: true, ..Reuse::default() };
        vec![task]
    };
    let publishes = || with("publishes", "true");
    let fails = || with("reads", "false");
    let changes_its_input = || with("writes", "date +%N >> in");
    let misses_its_output = || vec![shell("a", "true", &["in"], &["nowhere"])];
    let nothing = || vec![shell("a", "true", &[], &[])];
    let both = || vec![shell("a", "date +%N > made.txt", &["*"], &["made.txt"])];
    let cases: [(Tasks<'_>, &str); 7] = [
        (&publishes, "its last result was not stored: it publishes, and that is never reused"),
        (&fails, "nothing is recorded of it yet"),
        (
            &changes_its_input,
            "its last result was not stored: what it depends on changed while it ran: `in` changed",
        ),
        (&misses_its_output, "its last result was not stored: it did not make its declared output `nowhere`"),
        (&nothing, "it declares no `inputs`"),
        (&off, "it declares no `inputs`"),
        (
            &both,
            "it runs each time: `made.txt` is both an input and an output; leave it out of the inputs with `!made.txt`",
        ),
    ];
    for (tasks, expected) in cases {
        for _ in 0..2 {
            let record = run_as(root, tasks(), ReuseMode::On, Effect::Publishes).await;
            assert_ne!(outcomes(&record), ["cached"], "{expected}");
        }
        let said = why(root, tasks(), "a").await;
        assert!(said.starts_with(expected), "{said}");
        let _ = std::fs::remove_dir_all(root.join(".orchestrate"));
        let _ = std::fs::remove_file(root.join("made.txt"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_tools_age_and_versions_count() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    put(root, "bin/tool", "#!/bin/sh\necho tool 1.0\n");
    let _ = std::process::Command::new("chmod").arg("755").arg(root.join("bin/tool")).status().unwrap();
    let tasks = || {
        let mut task = plain().remove(0);
        task.with = json!({ "line": "cat in", "effect": "reads", "tools": ["bin/tool"] });
        vec![task]
    };
    let go = async |vars: &[(&str, &str)], ttl: Option<u64>| {
        let mut tasks = tasks();
        tasks[0].reuse.ttl = ttl.map(std::time::Duration::from_secs);
        tasks[0].reuse.env = vec!["LANG".into()];
        let vars = vars.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let path = [("PATH".into(), std::env::var_os("PATH").unwrap())];
        let local = Local::new(root).environment_of(vars.chain(path));
        let state = root.join(".orchestrate");
        let cache = Cache::open(Layout::new(&state));
        let orchestrator =
            Orchestrator::new(local, JsonlStore::open(&state).unwrap()).agent(Shell).cache(cache);
        let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
        outcomes(&orchestrator.run(&plan, Effect::Writes).await.unwrap())[0]
    };
    assert_eq!(go(&[], None).await, "passed");
    assert_eq!(go(&[], None).await, "cached");
    assert_eq!(
        go(&[("HOME", "/elsewhere"), ("TERM", "dumb")], None).await,
        "cached",
        "places and people do not count"
    );
    assert_eq!(go(&[("LANG", "de")], None).await, "passed");
    assert_eq!(go(&[("RUSTFLAGS", "-C opt-level=3")], None).await, "passed", "counts without being named");
    put(root, "bin/tool", "#!/bin/sh\necho tool 1.1\n");
    assert_eq!(go(&[], None).await, "passed", "a tool of another version");
    assert_eq!(go(&[], Some(3600)).await, "cached");
    assert_eq!(go(&[], Some(0)).await, "passed", "too old");
}
