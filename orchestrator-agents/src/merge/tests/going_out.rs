//! A release goes out: through the orchestrator, to a real bare remote that takes it, refuses it, moves, hangs or dies.

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

#[tokio::test]
async fn the_tree_that_was_checked_is_the_tree_that_lands() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.write("local.txt", "untracked\n");
    let with = json!({
        "branches": ["a"],
        "validate": ["test -f a.txt && test -f CHANGELOG.md && ! test -f local.txt", {"run": ["test", "-f", "v0.1.0.md"], "cwd": "docs/releases"}],
    });
    project.release(with.clone()).await.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&rig.git(&["rev-parse", "main"]), tags.len()), (&main, 2));
    for tag in &tags {
        assert_eq!(project.at_remote(&["rev-parse", &format!("{tag}^{{commit}}")]), main);
    }
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? local.txt");
    assert_eq!((worktrees(rig), candidate(rig, "main")), (1, None));
    // Once more: there is nothing new.
    let again = project.release(with).await;
    again.all_passed();
    assert!(again.of("push").1.starts_with("There already"), "{:?}", again.of("push"));
    assert_eq!(project.out(), (main, tags));
}

#[tokio::test]
async fn the_branch_that_breaks_is_named_and_nothing_lands() {
    let project = Project::new();
    let rig = &project.rig;
    for name in ["a", "b", "c", "d"] {
        rig.branch(name, &format!("{name}.txt"), "x\n", &format!("feat: {name}"));
    }
    let before = (seen_by_the_user(rig), project.out());
    let with = |line: &str| json!({ "branches": ["a", "b", "c", "d"], "validate": [line] });
    let said = project.release(with("echo broken by c; ! test -f c.txt")).await;
    said.failed(
        "check-merged",
        &["nothing landed", "exit code 1: broken by c", "it is branch `c` that breaks it"],
    );
    let said = project.release(with("false")).await;
    said.failed("check-merged", &["the base itself", "no branch is to blame"]);
    let said = project.release(with("! test -f CHANGELOG.md")).await;
    said.failed("check-merged", &["it is the release commit that breaks it"]);
    let said = project.release(with("echo x >> readme.md")).await;
    said.failed("check-merged", &["the commands changed `readme.md`"]);
    assert_eq!((seen_by_the_user(rig), project.out()), before);
    project.release(with("true")).await.all_passed();
}

#[tokio::test]
async fn without_commands_what_is_checked_out_must_be_what_is_released() {
    let project = Project::new();
    let rig = &project.rig;
    rig.git(&["switch", "-q", "-c", "elsewhere"]);
    rig.commit("feat: elsewhere");
    let said = project.release(Value::Null).await;
    said.failed("check-merged", &["is checked out", "name commands in `validate`"]);
    assert_eq!(project.out().1, [""; 0]);
    let meant = project.release(json!({ "validate": [] })).await;
    meant.all_passed();
    rig.git(&["switch", "-q", "main"]);
    rig.commit("feat: more");
    rig.write("readme.md", "dirty\n");
    let record = project.run(Value::Null, Effect::Publishes).await;
    let tasks = record.state.tasks().iter();
    let findings: Vec<String> = tasks
        .filter_map(|task| task.end.as_ref()?.conclusion.as_ref())
        .flat_map(|conclusion| conclusion.findings.iter().map(|finding| finding.message.clone()))
        .collect();
    assert!(findings.iter().any(|finding| finding.contains("`readme.md` differ")), "{findings:?}");
}

#[tokio::test]
async fn a_branch_that_moves_is_followed() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    project.others_push("fix: theirs", 2);
    let said =
        project.release(json!({ "branches": ["a"], "bump": true, "validate": ["test -f a.txt"] })).await;
    said.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&rig.git(&["rev-parse", "main"]), tags.len()), (&main, 2));
    let files = project.at_remote(&["ls-tree", "--name-only", "main"]);
    assert!(["a.txt", "theirs-0.txt", "theirs-1.txt"].iter().all(|file| files.contains(file)), "{files}");
    assert_eq!(project.at_remote(&["rev-parse", "v0.1.0^{commit}"]), main);
    let changelog = project.at_remote(&["show", "main:CHANGELOG.md"]);
    assert_eq!(changelog.matches("- theirs (").count(), 2, "{changelog}");
    let releases =
        project.at_remote(&["log", "--format=%s", "--fixed-strings", "--grep=chore(release)", "main"]);
    assert_eq!(releases, "chore(release): v0.1.0");
}

#[tokio::test]
async fn a_branch_that_always_moves_is_given_up() {
    let project = Project::new();
    project.others_push("fix: theirs", 100);
    let said = project.release(json!({ "push": { "attempts": 2 }, "validate": [] })).await;
    said.failed("push", &["moved 2 times", "nothing was published", "`attempts`"]);
    assert_eq!(project.out().1, [""; 0]);
    assert_eq!(std::fs::read_to_string(project.rig.home.join("count")).unwrap().trim(), "2");
    // A later run starts from there and gets it out, as one release.
    std::fs::remove_file(project.rig.root.join(".git/hooks/pre-push")).unwrap();
    project.release(json!({ "validate": [] })).await.all_passed();
    assert_eq!(project.out().1.len(), 2);
}

#[tokio::test]
async fn what_came_meanwhile_is_checked_too() {
    let project = Project::new();
    project.others_push("fix: theirs", 1);
    let said = project.release(json!({ "validate": ["! test -f theirs-0.txt"] })).await;
    said.failed("push", &["with what others pushed meanwhile it does not pass", "nothing was published"]);
    assert_eq!(project.out().1, [""; 0]);
}

#[tokio::test]
async fn another_version_is_not_released_unasked() {
    let project = Project::new();
    let rig = &project.rig;
    rig.git(&["tag", "-a", "-m", "x", "v0.1.0"]);
    rig.git(&["push", "-q", "origin", "v0.1.0"]);
    rig.branch("a", "a.txt", "a\n", "fix: a");
    project.others_push("feat: theirs", 1);
    let with = || json!({ "branches": ["a"], "validate": [] });
    let said = project.release(with()).await;
    said.failed("push", &["makes it version 0.2.0 instead of 0.1.1", "nothing was published"]);
    assert_eq!(project.out().1, ["v0.1.0"]);
    project.release(with()).await.all_passed();
    let (_, tags) = project.out();
    assert!(tags.len() == 3 && tags[1] == "v0.2.0", "{tags:?}");
    assert!(!rig.git(&["tag"]).contains("v0.1.1") || !project.at_remote(&["tag"]).contains("v0.1.1"));
}

#[tokio::test]
async fn a_remote_that_says_no_gets_nothing() {
    let project = Project::new();
    let before = project.out();
    project.remote_hook("pre-receive", "echo 'sign the papers first' >&2; exit 1");
    // A dry run needs no right to push.
    let dry = project.run(json!({ "validate": [] }), Effect::Reads).await;
    assert!(dry.withheld().to_string().contains("call push-release"));
    let said = project.release(json!({ "validate": [] })).await;
    said.failed(
        "push",
        &["rejected the push, nothing was published", "pre-receive hook declined", "sign the papers first"],
    );
    assert_eq!(project.out(), before);
    let local = project.rig.git(&["rev-parse", "main"]);
    assert_eq!(local, before.0, "nothing lands before it is out");
}

#[tokio::test]
async fn a_protected_branch_is_asked_for() {
    let project = Project::new();
    let rig = &project.rig;
    let before = project.out();
    project.remote_hook(
        "update",
        "[ \"$1\" != refs/heads/main ] || [ -n \"$MERGE\" ] || { echo 'error: GH006: Protected branch update failed for refs/heads/main.' >&2; exit 1; }",
    );
    let direct = project.release(json!({ "validate": [], "push": { "mode": "direct" } })).await;
    direct.failed("push", &["GH006", "`push: {mode: pull-request}`"]);
    for mode in ["auto", "pull-request"] {
        let said = project.release(json!({ "validate": [], "push": { "mode": mode } })).await;
        said.all_passed();
        assert!(
            said.of("push").1.contains("as branch release/v0.1.0, nothing is released yet"),
            "{:?}",
            said.of("push")
        );
        assert!(said.of("land").1.contains("stays where it is"), "{:?}", said.of("land"));
        assert_eq!((project.out(), rig.git(&["tag"])), (before.clone(), String::new()));
        assert_eq!(project.at_remote(&["rev-parse", "release/v0.1.0^1"]), before.0);
    }
    // A person merges it, by squashing: the next run makes the tags.
    let squashed = project.at_remote(&[
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@example.org",
        "commit-tree",
        "-p",
        "main",
        "-m",
        "chore(release): v0.1.0 (#1)",
        "release/v0.1.0^{tree}",
    ]);
    project.at_remote(&["update-ref", "refs/heads/main", &squashed]);
    let said = project.release(json!({ "validate": [] })).await;
    said.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&main, tags.len()), (&squashed, 2));
    assert_eq!(project.at_remote(&["rev-parse", "v0.1.0^{commit}"]), squashed);
    assert_eq!(rig.git(&["rev-parse", "main"]), squashed);
}

#[tokio::test]
async fn a_remote_that_hangs_is_given_up_in_time() {
    let project = Project::new();
    let before = project.out();
    project.rig.git(&["config", "remote.origin.receivepack", "sleep 600 #"]);
    let said = project.release(json!({ "validate": [], "push": { "limit": "1s" } })).await;
    said.failed("push", &["did not take the push to its end, nothing was published", "ended after 1 s"]);
    assert_eq!(project.out(), before);
    project.rig.git(&["config", "--unset", "remote.origin.receivepack"]);
    project.release(json!({ "validate": [] })).await.all_passed();
    assert_eq!(project.out().1.len(), 2);
}

/// Killed before it takes the push, and after.
#[tokio::test]
async fn a_remote_that_dies_took_all_or_nothing() {
    let project = Project::new();
    let before = project.out();
    project.remote_hook("pre-receive", "kill -9 $PPID");
    let said = project.release(json!({ "validate": [] })).await;
    said.failed("push", &["did not take the push to its end, nothing was published"]);
    assert_eq!(project.out(), before);
    std::fs::remove_file(project.remote.join("hooks/pre-receive")).unwrap();
    project.remote_hook("post-receive", "kill -9 $PPID");
    let said = project.release(json!({ "validate": [] })).await;
    said.all_passed();
    assert_eq!(project.out().1.len(), 2);
    assert_eq!(project.rig.git(&["rev-parse", "main"]), project.out().0);
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

/// The commands run in the checkout wherever the state folder lies.
#[tokio::test]
async fn what_is_to_land_is_checked_where_the_state_is() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "sub/a.txt", "a\n", "feat: a");
    let state = rig.home.join("state of it");
    let with = json!({
        "branches": ["a"],
        "validate": ["test -f sub/a.txt && ! test -e .orchestrate", {"run": ["test", "-f", "a.txt"], "cwd": "sub"}],
    });
    let (orchestrator, plan) = project.planned_at(&state, with, JsonlStore::open(&state).unwrap());
    let record = orchestrator.run(&plan, Effect::Publishes).await.unwrap();
    Said(outcomes(&record)).all_passed();
    assert_eq!((project.out().1.len(), worktrees(rig)), (2, 1));
    assert!(!rig.root.join(".orchestrate").exists());
}

/// What is known of a remote's address never brings its password along.
#[tokio::test]
async fn a_password_in_an_address_is_said_nowhere() {
    let project = Project::new();
    project.rig.git(&["remote", "set-url", "origin", "http://ada:s3cret@127.0.0.1:9/a/b.git"]);
    let record = project.run(json!({ "validate": [] }), Effect::Publishes).await;
    let said = outcomes(&record);
    assert!(said.iter().any(|(_, outcome, _)| *outcome == Some(Outcome::Failed)), "{said:?}");
    assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
    let runs = project.rig.root.join(".orchestrate/runs");
    let found =
        project.rig.command("grep", &["-r", "-l", "s3cret", runs.to_str().unwrap()], &project.rig.root);
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}
