//! Real files and real commands: what is reused, what is not, and that a reused result is never a stale one.

mod faults;
mod model;
mod modes;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::BoxError;
use crate::action::{Action, CommandLine, Run};
use crate::agent::{Agent, Dependencies, Task, Verdict};
use crate::cache::Cache;
use crate::effect::Effect;
use crate::id::{AgentName, GroupName, PhaseName, TaskId};
use crate::layout::Layout;
use crate::local::Local;
use crate::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use crate::order::{Artifacts, Receipt};
use crate::outcome::Outcome;
use crate::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use crate::report::RunRecord;
use crate::settings::Settings;
use crate::store::JsonlStore;
use crate::workspace::Workspace;

/// Runs a shell line; its output is what that printed.
#[derive(Clone, Copy)]
struct Shell;

#[derive(Serialize, Deserialize, JsonSchema)]
struct ShellConfig {
    line: String,
    #[serde(default)]
    effect: Effect,
    #[serde(default)]
    tools: Vec<String>,
}

impl Agent for Shell {
    const NAME: &'static str = "shell";
    type Config = ShellConfig;
    type Output = String;

    async fn plan(&self, task: &Task<ShellConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![Run::line(task.config.effect, CommandLine::Shell(task.config.line.clone())).into()])
    }

    fn conclude(
        &self,
        _: &Task<ShellConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<String>, BoxError> {
        if !receipts[0].ok() {
            return Ok(Verdict::failed(receipts[0].status.to_string()));
        }
        Ok(Verdict::passed("", artifacts.text(receipts[0].stdout.as_ref())?))
    }

    fn depends_on(&self, task: &Task<ShellConfig>) -> Option<Dependencies> {
        let tools = task.config.tools.clone();
        (!tools.is_empty()).then(|| Dependencies { tools, ..Dependencies::default() })
    }
}

fn shell(id: &str, line: &str, inputs: &[&str], outputs: &[&str]) -> TaskSpec {
    let with = json!({ "line": line, "effect": if outputs.is_empty() { "reads" } else { "writes" } });
    let mut task = TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("shell").unwrap(), with);
    task.inputs = inputs.iter().map(ToString::to_string).collect();
    task.outputs = outputs.iter().map(ToString::to_string).collect();
    task
}

fn pipeline(tasks: Vec<TaskSpec>) -> Pipeline {
    let mut group = GroupSpec::new(GroupName::new("all").unwrap());
    group.tasks = tasks;
    Pipeline::new("test").phase(PhaseSpec::new(PhaseName::new("only").unwrap()).group(group))
}

fn orchestrator(root: &Path) -> Orchestrator {
    let state = root.join(".orchestrate");
    let local = Local::new(root).environment_of(std::env::vars_os());
    let cache = Cache::open(Layout::new(&state));
    Orchestrator::new(local, JsonlStore::open(&state).unwrap())
        .agent(Shell)
        .cache(cache)
        .settings(Settings { jobs: 4, ..Settings::default() })
}

async fn run_as(root: &Path, tasks: Vec<TaskSpec>, mode: ReuseMode, ceiling: Effect) -> RunRecord {
    let orchestrator = orchestrator(root);
    let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
    let options = RunOptions { reuse: mode, ..RunOptions::new(ceiling) };
    orchestrator.run_with(&plan, options).await.unwrap()
}

async fn run(root: &Path, tasks: Vec<TaskSpec>) -> RunRecord {
    run_as(root, tasks, ReuseMode::On, Effect::Writes).await
}

fn outcomes(record: &RunRecord) -> Vec<&'static str> {
    record.state.tasks().iter().map(|task| task.outcome().map_or("open", Outcome::as_str)).collect()
}

/// Time enough for a change to leave a trace; what is younger is read again, which is right but tells nothing here.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(30));
}

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap()
}

async fn why(root: &Path, tasks: Vec<TaskSpec>, id: &str) -> String {
    let orchestrator = orchestrator(root);
    let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
    orchestrator.why(&plan, &TaskId::new(id).unwrap()).await.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "src/a.txt", "a");
    put(root, "src/deep/b.txt", "b");
    let tasks = || {
        vec![
            shell(
                "make",
                "mkdir -p out; cat src/*.txt src/deep/*.txt > out/all; echo printed",
                &["src"],
                &["out/all"],
            ),
            shell("count", "wc -c < out/all", &["out/all"], &[]),
            shell("each", "echo again", &[], &[]),
        ]
    };
    let first = run(root, tasks()).await;
    assert_eq!(outcomes(&first), ["passed", "passed", "passed"]);
    let second = run(root, tasks()).await;
    assert_eq!(outcomes(&second), ["cached", "cached", "passed"]);
    let make = &second.state.tasks()[0];
    assert_eq!(make.output(), first.state.tasks()[0].output());
    let end = make.end.as_ref().unwrap();
    assert_eq!(end.from_run.as_ref(), Some(&first.run));
    let captured = &end.reused.as_ref().unwrap().captured;
    let shown = captured[0].place.under(&root.join(".orchestrate/runs").join(second.run.as_str()));
    assert_eq!(std::fs::read_to_string(shown).unwrap(), "printed\n");

    put(root, "src/deep/b.txt", "c");
    assert_eq!(why(root, tasks(), "make").await, "it would run again:\n  `src/deep/b.txt` changed");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed", "passed", "passed"], "the size is the same");
    put(root, "src/deep/b.txt", "b");
    let back = run(root, tasks()).await;
    assert_eq!(outcomes(&back), ["cached", "cached", "passed"], "what was there before is known");
    assert_eq!(read(root, "out/all"), "ab");
    put(root, "src/new.txt", "n");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed", "passed", "passed"], "a new file counts");
    std::fs::remove_file(root.join("src/new.txt")).unwrap();
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached", "cached", "passed"]);
    assert_eq!(read(root, "out/all"), "ab");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    let line =
        "mkdir -p out/x; cp in out/x/plain; printf '#!/bin/sh\\necho ran\\n' > out/tool; chmod 755 out/tool";
    let tasks = || vec![shell("make", line, &["in"], &["out/**"])];
    run(root, tasks()).await;
    settle();
    for damage in
        ["rm -r out", "echo x > out/x/plain", "chmod 644 out/tool", "rm out/tool; ln -s /etc/passwd out/tool"]
    {
        let done = std::process::Command::new("sh").arg("-c").arg(damage).current_dir(root).status().unwrap();
        assert!(done.success(), "{damage}");
        let record = run(root, tasks()).await;
        assert_eq!(outcomes(&record), ["cached"], "{damage}");
        assert_eq!(record.state.tasks()[0].rounds.len(), 1, "{damage}: it was restored by an action");
        assert_eq!(read(root, "out/x/plain"), "1", "{damage}");
        let ran = std::process::Command::new(root.join("out/tool")).output().unwrap();
        assert_eq!(ran.stdout, b"ran\n", "{damage}");
    }
    let intact = run(root, tasks()).await;
    assert_eq!((outcomes(&intact), intact.state.tasks()[0].rounds.len()), (vec!["cached"], 0));
    // What was restored is a file of its own: nobody can change what is kept through it.
    put(root, "out/x/plain", "changed in place");
    std::fs::remove_file(root.join("out/x/plain")).unwrap();
    run(root, tasks()).await;
    assert_eq!(read(root, "out/x/plain"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_restores_nothing_and_says_what_it_would() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    let tasks =
        || vec![shell("make", "cp in out", &["in"], &["out"]), shell("show", "cat out", &["out"], &[])];
    run(root, tasks()).await;
    std::fs::remove_file(root.join("out")).unwrap();
    let dry = run_as(root, tasks(), ReuseMode::On, Effect::Reads).await;
    assert_eq!(outcomes(&dry)[0], "withheld");
    assert!(!root.join("out").exists());
    assert!(dry.withheld().to_string().contains("restore-outputs"), "{}", dry.withheld());
    run(root, tasks()).await;
    let dry = run_as(root, tasks(), ReuseMode::On, Effect::Reads).await;
    assert_eq!(outcomes(&dry), ["cached", "cached"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_takes_from_another_counts() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "one");
    let tasks = || {
        let mut second = shell("second", "", &["other"], &[]);
        second.with = json!({ "line": { "from": "first" }, "effect": "reads" });
        vec![shell("first", "printf 'echo '; cat in", &["in"], &[]), second]
    };
    put(root, "other", "");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed", "passed"]);
    let again = run(root, tasks()).await;
    assert_eq!(outcomes(&again), ["cached", "cached"]);
    assert_eq!(again.state.tasks()[1].output().unwrap().value(), json!("one\n"));
    put(root, "in", "two");
    let changed = run(root, tasks()).await;
    assert_eq!(outcomes(&changed), ["passed", "passed"]);
    assert_eq!(changed.state.tasks()[1].output().unwrap().value(), json!("two\n"));
}
