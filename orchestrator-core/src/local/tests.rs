//! Real processes and real files, through the whole of it: `Local`, `JsonlStore` and `Orchestrator`.

mod commands;
mod dry;
mod faults;
mod files;
mod house;
mod links;
mod logs;
mod operations;
mod rollback;
mod survivors;
mod undone;
mod watchers;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Local;
use crate::action::{Action, CommandLine, Content, Expects, Remove, Run, Write};
use crate::effect::Effect;
use crate::id::{AgentName, GroupName, PhaseName, TaskId};
use crate::orchestrator::Orchestrator;
use crate::order::{Receipt, Status};
use crate::outcome::Outcome;
use crate::path::RelPath;
use crate::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use crate::report::RunRecord;
use crate::state::TaskState;
use crate::store::JsonlStore;
use crate::testkit::Acts;

fn path(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

fn write(to: &str, content: impl Into<Vec<u8>>) -> Write {
    Write { path: path(to), content: Content::new(content), mode: None, expects: Expects::Anything }
}

fn remove(what: &str) -> Remove {
    Remove { path: path(what), expects: Expects::Anything }
}

fn shell(line: &str) -> Run {
    Run::line(Effect::Writes, CommandLine::Shell(line.to_owned()))
}

fn look(line: &str) -> Run {
    Run::line(Effect::Reads, CommandLine::Shell(line.to_owned()))
}

fn acts(id: &str, actions: Vec<Action>) -> TaskSpec {
    let with = json!({ "rounds": [actions] });
    TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("acts").unwrap(), with)
}

/// One after the other.
fn pipeline(tasks: Vec<TaskSpec>) -> Pipeline {
    let mut group = GroupSpec::new(GroupName::new("all").unwrap()).sequential();
    group.tasks = tasks;
    Pipeline::new("test").phase(PhaseSpec::new(PhaseName::new("only").unwrap()).group(group))
}

fn outcomes(record: &RunRecord) -> String {
    let tasks = record.state.tasks().iter().zip(record.plan().tasks());
    let said = tasks.map(|(task, planned)| {
        let outcome = task.outcome().map_or("open", Outcome::as_str);
        format!("{}: {outcome}", planned.id)
    });
    said.collect::<Vec<_>>().join(", ")
}

fn task<'r>(record: &'r RunRecord, id: &str) -> &'r TaskState {
    record.state.task(record.plan().find(&TaskId::new(id).unwrap()).unwrap())
}

fn receipts(record: &RunRecord, id: &str) -> Vec<Receipt> {
    task(record, id).receipts().map(|(_, receipt)| receipt.clone()).collect()
}

/// A checkout.
struct Bench {
    folder: tempfile::TempDir,
    secrets: BTreeMap<String, String>,
}

/// Every path below the root, the state folder aside: content or target, mode, time of the last change.
type Trees = BTreeMap<String, (Vec<u8>, u32, Option<std::time::SystemTime>)>;

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), secrets: BTreeMap::new() }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn local(&self) -> Local {
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        Local::new(self.root())
            .environment(env)
            .secrets(self.secrets.clone())
            .grace(Duration::from_millis(300))
    }

    fn store(&self) -> JsonlStore {
        JsonlStore::open(self.root().join(".orchestrate")).unwrap()
    }

    fn orchestrator(&self) -> Orchestrator {
        Orchestrator::new(self.local(), self.store()).agent(Acts)
    }

    async fn run(&self, tasks: Vec<TaskSpec>, ceiling: Effect) -> RunRecord {
        let orchestrator = self.orchestrator();
        let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
        orchestrator.run(&plan, ceiling).await.unwrap()
    }

    /// One task with these actions, and what they gave.
    async fn perform(&self, actions: Vec<Action>) -> Vec<Receipt> {
        receipts(&self.run(vec![acts("t", actions)], Effect::Publishes).await, "t")
    }

    /// One action, and how it ended.
    async fn status(&self, action: impl Into<Action>) -> Status {
        self.perform(vec![action.into()]).await.remove(0).status
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let full = self.root().join(name);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root().join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.root().join(name)).unwrap().permissions().mode() & 0o7777
    }

    fn chmod(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.root().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn tree(&self) -> Trees {
        fn walk(root: &Path, folder: &Path, found: &mut Trees) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (full, meta) = (entry.path(), entry.metadata().unwrap());
                let name = full.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                if name == ".orchestrate" {
                    continue;
                }
                let content = if meta.is_dir() {
                    walk(root, &full, found);
                    Vec::new()
                } else if meta.is_symlink() {
                    std::fs::read_link(&full).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    std::fs::read(&full).unwrap()
                };
                found.insert(name, (content, meta.permissions().mode(), meta.modified().ok()));
            }
        }
        let mut found = Trees::new();
        walk(self.root(), self.root(), &mut found);
        found
    }

    /// The same without the times, and without folders.
    fn files(&self) -> BTreeMap<String, (Vec<u8>, u32)> {
        let files = self.tree().into_iter().filter(|(name, _)| !self.root().join(name).is_dir());
        files.map(|(name, (content, mode, _))| (name, (content, mode))).collect()
    }
}

/// Why it failed.
fn why(status: Status) -> String {
    match status {
        Status::Failed { failure, .. } => failure.to_string(),
        other => panic!("it did not fail: {other}"),
    }
}
