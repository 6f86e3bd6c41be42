//! A release goes out: through the orchestrator, to a real bare remote that takes it, refuses it, moves, hangs or dies.

mod checks;
mod remote;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator_core::effect::Effect;
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::plan::Plan;
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;
use serde_json::{Value, json};

use super::delivery::{outcomes, phase};
use super::*;

/// A project with a remote.
pub(super) struct Project {
    pub(super) rig: Rig,
    remote: PathBuf,
}

impl Project {
    pub(super) fn new() -> Self {
        let rig = Rig::new();
        let remote = rig.remote();
        Self { rig, remote }
    }

    /// An orchestrator with this store, and the plan of the phase.
    pub(super) fn planned(&self, with: Value, store: impl Store + 'static) -> (Orchestrator, Plan) {
        self.planned_at(&self.rig.root.join(".orchestrate"), with, store)
    }

    /// The same with a state folder elsewhere.
    fn planned_at(&self, state: &Path, with: Value, store: impl Store + 'static) -> (Orchestrator, Plan) {
        let executor = Local::new(&self.rig.root).state(state).environment(self.rig.env.clone());
        let orchestrator = Orchestrator::new(executor, store)
            .settings(Settings { min_free_disk: 1, ..Settings::default() })
            .agents(crate::standard());
        let pipeline = Pipeline::new("delivery").phase(phase("merge_integration", with));
        let plan = orchestrator.plan(&pipeline).unwrap();
        (orchestrator, plan)
    }

    async fn run(&self, with: Value, ceiling: Effect) -> RunRecord {
        let store = JsonlStore::open(self.rig.root.join(".orchestrate")).unwrap();
        let (orchestrator, plan) = self.planned(with, store);
        orchestrator.run(&plan, ceiling).await.unwrap()
    }

    /// A run that publishes; each task's outcome and what it says.
    async fn release(&self, with: Value) -> Said {
        Said(outcomes(&self.run(with, Effect::Publishes).await))
    }

    /// The same, with the findings of all tasks.
    async fn release_and_findings(&self, with: Value) -> (Said, Vec<String>) {
        let record = self.run(with, Effect::Publishes).await;
        let ends = record.state.tasks().iter().filter_map(|task| task.end.as_ref());
        let findings = ends
            .filter_map(|end| end.conclusion.as_ref())
            .flat_map(|conclusion| conclusion.findings.iter().map(|finding| finding.message.clone()))
            .collect();
        (Said(outcomes(&record)), findings)
    }

    pub(super) fn at_remote(&self, args: &[&str]) -> String {
        self.rig.git_at(&self.remote, args)
    }

    /// Commit of `main` there, and its tags.
    pub(super) fn out(&self) -> (String, Vec<String>) {
        let tags = self.at_remote(&["tag"]);
        (self.at_remote(&["rev-parse", "main"]), tags.lines().map(str::to_owned).collect())
    }

    fn remote_hook(&self, name: &str, script: &str) {
        hook(&self.remote.join("hooks").join(name), script);
    }

    /// Before each push of ours, somebody else pushes a commit with this message, as long as there are less than so many.
    fn others_push(&self, message: &str, times: u32) {
        let clone = self.rig.home.join("clone");
        self.rig.git(&["clone", "-q", self.remote.to_str().unwrap(), clone.to_str().unwrap()]);
        let count = self.rig.home.join("count");
        hook(
            &self.rig.root.join(".git/hooks/pre-push"),
            &format!(
                "cat > /dev/null\nn=$(cat {count} 2>/dev/null || echo 0)\n[ \"$n\" -lt {times} ] || exit 0\necho $((n + 1)) > {count}\n\
                 unset $(git rev-parse --local-env-vars)\ncd {clone} && git pull -q && echo x > theirs-$n.txt && git add . && git commit -qm '{message}' && git push -q\n",
                count = count.display(),
                clone = clone.display()
            ),
        );
    }
}

fn hook(path: &Path, script: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What came of the tasks.
#[derive(Debug)]
pub(super) struct Said(pub(super) Vec<(String, Option<Outcome>, String)>);

impl Said {
    fn of(&self, task: &str) -> (Option<Outcome>, &str) {
        let found = self.0.iter().find(|(id, ..)| id.ends_with(task));
        let (_, outcome, said) = found.unwrap_or_else(|| panic!("no {task} in {:#?}", self.0));
        (*outcome, said)
    }

    #[track_caller]
    pub(super) fn all_passed(&self) {
        assert!(self.0.iter().all(|(_, outcome, _)| *outcome == Some(Outcome::Passed)), "{:#?}", self.0);
    }

    #[track_caller]
    fn failed(&self, task: &str, words: &[&str]) {
        let (outcome, said) = self.of(task);
        assert_eq!(outcome, Some(Outcome::Failed), "{:#?}", self.0);
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    }
}

/// Stopped after the tags, before the push: another run finishes that release.
#[tokio::test]
async fn another_run_finishes_the_same_release() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    let with = || json!({ "branches": ["a"], "validate": ["true"] });
    project.run(with(), Effect::Writes).await;
    let tags = rig.git(&["tag"]);
    assert_eq!((tags.lines().count(), project.out().1.len()), (2, 0));
    let tagged = rig.git(&["rev-parse", "v0.1.0^{commit}"]);
    project.release(with()).await.all_passed();
    assert_eq!((project.at_remote(&["tag"]), project.out().0), (tags, tagged));
    // Another branch before it went out: the release that did not is no more.
    rig.branch("b", "b.txt", "b\n", "feat: b");
    rig.branch("c", "c.txt", "c\n", "feat!: c");
    project.run(json!({ "branches": ["b"], "validate": ["true"] }), Effect::Writes).await;
    project.release(json!({ "branches": ["b", "c"], "validate": ["true"] })).await.all_passed();
    assert_eq!(project.at_remote(&["tag"]).lines().count(), 4);
    let changelog = project.at_remote(&["show", "main:CHANGELOG.md"]);
    assert_eq!(changelog.matches("\n## [0.").count(), 2, "{changelog}");
}

#[tokio::test]
async fn the_local_branch_stays_where_files_are_in_the_way() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "readme.md", "two\n", "feat: a");
    rig.write("readme.md", "mine\n");
    let said = project.release(json!({ "branches": ["a"], "validate": ["true"] })).await;
    said.all_passed();
    let why = said.of("land").1;
    assert!(why.contains("the release is out") && why.contains("git pull --ff-only origin main"), "{why}");
    assert_eq!((rig.read("readme.md").as_str(), project.out().1.len()), ("mine\n", 2));
    rig.write("readme.md", "one\n");
    project.release(json!({ "branches": ["a"], "validate": ["true"] })).await.all_passed();
    assert_eq!(
        (rig.git(&["rev-parse", "main"]), rig.read("readme.md")),
        (project.out().0, "two\n".to_owned())
    );
    assert_eq!(project.out().1.len(), 2);
}
