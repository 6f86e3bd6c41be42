//! For tests: a real repository in a temporary folder, and operations called on it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::id::{OrderKey, RunId, TaskId};
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::Stop;
use orchestrator_core::workspace::Workspace;
use tempfile::TempDir;

/// A checkout, its state folder beside nothing else, and an environment of its own.
pub(crate) struct Rig {
    _folder: Option<TempDir>,
    pub(crate) root: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) stop: Stop,
    pub(crate) progress: ProgressSink,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Rig {
    /// An empty folder.
    pub(crate) fn bare() -> Self {
        let folder = TempDir::new().unwrap();
        let home = folder.path().canonicalize().unwrap();
        std::fs::create_dir(home.join("project")).unwrap();
        let config = "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n";
        std::fs::write(home.join("gitconfig"), config).unwrap();
        Self { _folder: Some(folder), ..Self::at(&home) }
    }

    /// What another process made; it stays when this goes.
    pub(crate) fn at(home: &Path) -> Self {
        let home = home.to_path_buf();
        let root = home.join("project");
        let env = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), home.clone().into()),
            ("GIT_CONFIG_GLOBAL".into(), home.join("gitconfig").into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ];
        let progress = ProgressSink::none(TaskId::new("task").unwrap());
        let (stop, secrets) = (Stop::new(), BTreeMap::new());
        Self { _folder: None, root, home, stop, progress, env, secrets }
    }

    /// A repository with one commit on `main`.
    pub(crate) fn new() -> Self {
        let rig = Self::bare();
        rig.git(&["init", "-q"]);
        rig.write("readme.md", "one\n");
        rig.commit("feat: first");
        rig
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap()
    }

    /// Commits everything; says which commit.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits one file on a branch, and comes back.
    pub(crate) fn branch(&self, name: &str, file: &str, text: &str, message: &str) -> String {
        self.git(&["switch", "-q", "-c", name]);
        self.write(file, text);
        let commit = self.commit(message);
        self.git(&["switch", "-q", "-"]);
        commit
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_at(&self.root, args)
    }

    pub(crate) fn git_at(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.command("git", args, folder);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub(crate) fn command(&self, program: &str, args: &[&str], folder: &Path) -> Output {
        let env = self.env.iter().map(|(name, value)| (name, value));
        Command::new(program).args(args).current_dir(folder).env_clear().envs(env).output().unwrap()
    }

    /// A bare remote called `origin` that has `main`.
    pub(crate) fn remote(&self) -> PathBuf {
        let remote = self.home.join("origin.git");
        self.git(&["init", "-q", "--bare", remote.to_str().unwrap()]);
        self.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
        self.git(&["push", "-q", "origin", "main"]);
        remote
    }

    pub(crate) fn look(&self) -> Workspace {
        let look = Workspace::new(&self.root, "2026-11-20T23:44:33Z".parse().unwrap());
        look.run_id(order(0).run).environment(self.env.clone())
    }

    pub(crate) async fn call<O: Operation>(
        &self,
        operation: O,
        input: O::Input,
    ) -> Result<O::Output, BoxError> {
        self.call_as(operation, input, 0).await
    }

    pub(crate) async fn call_as<O: Operation>(
        &self,
        operation: O,
        input: O::Input,
        index: u32,
    ) -> Result<O::Output, BoxError> {
        let state = self.root.join(".orchestrate");
        operation.call(input, &order(index), &self.site(&state)).await
    }

    pub(crate) async fn already<O: Operation>(
        &self,
        operation: O,
        input: &O::Input,
        index: u32,
    ) -> Already<O::Output> {
        let state = self.root.join(".orchestrate");
        operation.already(input, &order(index), &self.site(&state)).await
    }

    pub(crate) async fn undo<O: Operation>(&self, operation: O, input: &O::Input) -> Vec<Action> {
        let state = self.root.join(".orchestrate");
        operation.undo(input, &self.site(&state)).await.unwrap()
    }

    fn site<'a>(&'a self, state: &'a Path) -> Site<'a> {
        let Self { root, stop, progress, env, secrets, .. } = self;
        std::fs::create_dir_all(state).unwrap();
        std::fs::write(state.join(".gitignore"), "*\n").unwrap();
        Site { root, state, progress, stop, secrets, env }
    }
}

/// The key of an order; another index is another order.
pub(crate) fn order(index: u32) -> OrderKey {
    let run = RunId::new("20261120234433-00ff00ff").unwrap();
    OrderKey { run, task: TaskId::new("task").unwrap(), attempt: 1, round: 0, index }
}
