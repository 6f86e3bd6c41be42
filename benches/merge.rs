//! A branch merged in a repository of 50,000 files: by the operation, by the bare git commands that make the same commit without a
//! worktree, by what a person types in the checkout (`git switch main`, `git merge --no-ff`), and by `git merge` in a worktree
//! of its own, there already or made and removed for it.
//!
//! `cargo bench -p orchestrator-agents --bench merge [ROUNDS]`. Prints medians, in turn, in one run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use orchestrator_agents::merge::ops::{CandidateInput, MergeInput, MergeIntoBranch, OpenCandidate};
use orchestrator_agents::merge::{Rules, Strategy};
use orchestrator_core::id::{OrderKey, RunId, TaskId};
use orchestrator_core::operation::{Operation, Site};
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::Stop;

const FOLDERS: usize = 500;
const FILES: usize = 100;

struct Repository {
    temp: tempfile::TempDir,
    env: Vec<(OsString, OsString)>,
}

impl Repository {
    /// `feature` changed 40 files, `main` 40 others.
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let env = vec![
            ("PATH".into(), path),
            ("HOME".into(), temp.path().into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ];
        let made = Self { temp, env };
        std::fs::create_dir(made.root()).unwrap();
        made.git(&["init", "-q", "-b", "main"]);
        made.git(&["config", "user.name", "Ada"]);
        made.git(&["config", "user.email", "ada@example.org"]);
        made.git(&["config", "gc.auto", "0"]);
        for folder in 0..FOLDERS {
            let at = made.root().join(format!("src/t{folder:03}"));
            std::fs::create_dir_all(&at).unwrap();
            for file in 0..FILES {
                std::fs::write(at.join(format!("f{file}.txt")), format!("{folder} {file}\n").repeat(20))
                    .unwrap();
            }
        }
        made.commit();
        made.git(&["switch", "-q", "-c", "feature"]);
        made.change(0);
        made.git(&["switch", "-q", "main"]);
        made.change(7);
        made.git(&["gc", "-q"]);
        made
    }

    fn root(&self) -> std::path::PathBuf {
        self.temp.path().join("project")
    }

    fn change(&self, from: usize) {
        for folder in (from..FOLDERS).step_by(FOLDERS / 40) {
            let path = self.root().join(format!("src/t{folder:03}/f{from}.txt"));
            std::fs::write(&path, format!("changed {from}\n")).unwrap();
        }
        self.commit();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "feat: x"]);
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_at(&self.root(), args)
    }

    fn git_at(&self, folder: &Path, args: &[&str]) -> String {
        let env = self.env.iter().map(|(name, value)| (name, value));
        let output =
            Command::new("git").args(args).current_dir(folder).env_clear().envs(env).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// By the operation, on a candidate that is open, as in a run; what opening it took, what merging took, and the tree.
    async fn ours(&self, round: usize) -> (f64, f64, String) {
        let state = self.root().join(".orchestrate");
        std::fs::create_dir_all(&state).unwrap();
        let task = TaskId::new("merge").unwrap();
        let run = RunId::new(format!("20261121000000-{round:08x}")).unwrap();
        let order = OrderKey { run, task: task.clone(), attempt: 1, round: 0, index: 0 };
        let input = MergeInput {
            branch: "feature".into(),
            into: "main".into(),
            remote: None,
            strategy: Strategy::Merge,
            message: None,
            rules: Rules::default(),
        };
        let (root, secrets) = (self.root(), BTreeMap::<String, String>::new());
        let site = Site {
            root: &root,
            state: &state,
            progress: &ProgressSink::none(task),
            stop: &Stop::new(),
            secrets: &secrets,
            env: &self.env,
        };
        let start = Instant::now();
        let open = CandidateInput { branch: "main".into(), remote: None };
        OpenCandidate.call(open, &order, &site).await.unwrap();
        let opened = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let merged = MergeIntoBranch.call(input, &order, &site).await.unwrap();
        let own = start.elapsed().as_secs_f64();
        assert!(merged.conflict.is_none() && !merged.already_so);
        (opened, own, self.git(&["rev-parse", &format!("{}^{{tree}}", merged.commit)]))
    }

    /// By the commands alone.
    fn plumbing(&self) -> String {
        let tree = self.git(&["merge-tree", "--write-tree", "main", "feature"]);
        let commit = self.git(&["commit-tree", "-p", "main", "-p", "feature", "-m", "Merge", &tree]);
        self.git(&["update-ref", "refs/bench/plumbing", &commit]);
        tree
    }

    /// By what a person types in the checkout, who was on the branch; how long it took, and the tree. `main` goes back.
    fn typed(&self) -> (f64, String) {
        let before = self.git(&["rev-parse", "main"]);
        self.git(&["switch", "-q", "feature"]);
        let start = Instant::now();
        self.git(&["switch", "-q", "main"]);
        self.git(&["merge", "-q", "--no-ff", "-m", "Merge", "feature"]);
        let took = start.elapsed().as_secs_f64();
        let tree = self.git(&["rev-parse", "HEAD^{tree}"]);
        self.git(&["reset", "-q", "--hard", &before]);
        (took, tree)
    }

    /// By `git merge` in a worktree that is there; how long it took, and the tree.
    fn scratch(&self) -> (f64, String) {
        let folder = self.temp.path().join("scratch");
        if !folder.exists() {
            self.git(&["worktree", "add", "-q", "--detach", folder.to_str().unwrap(), "main"]);
        }
        self.git_at(&folder, &["reset", "-q", "--hard", "main"]);
        let start = Instant::now();
        self.git_at(&folder, &["merge", "-q", "--no-ff", "-m", "Merge", "feature"]);
        let took = start.elapsed().as_secs_f64();
        (took, self.git_at(&folder, &["rev-parse", "HEAD^{tree}"]))
    }

    /// By `git merge` in a worktree that is made and removed.
    fn worktree(&self) -> String {
        let folder = self.temp.path().join("tree");
        let at = folder.to_str().unwrap();
        self.git(&["worktree", "add", "-q", "--detach", at, "main"]);
        self.git_at(&folder, &["merge", "-q", "--no-ff", "-m", "Merge", "feature"]);
        let tree = self.git_at(&folder, &["rev-parse", "HEAD^{tree}"]);
        self.git(&["worktree", "remove", "--force", at]);
        tree
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds: usize = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(11);
    let repository = Repository::new();
    let (mut ours, mut opens, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut typed, mut scratch, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        // Each starts from nothing, as the first merge of a run does.
        repository.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
        let (opened, own, tree) = repository.ours(round).await;
        let start = Instant::now();
        assert_eq!(repository.plumbing(), tree);
        let plumbing = start.elapsed().as_secs_f64();
        // The first round warms the page cache.
        if round > 0 {
            ratios.push(own / plumbing);
            ours.push(own);
            opens.push(opened);
            bare.push(plumbing);
        }
        if round < 6 {
            for (times, (took, theirs)) in
                [(&mut typed, repository.typed()), (&mut scratch, repository.scratch())]
            {
                assert_eq!(theirs, tree);
                times.push(took);
            }
        }
        if round < 2 {
            let start = Instant::now();
            assert_eq!(repository.worktree(), tree);
            made.push(start.elapsed().as_secs_f64());
        }
    }
    let own = median(ours);
    println!(
        "{} files, medians of {rounds} rounds: merge-branch {:.1} ms (once a run before it, open-candidate {:.1} ms)",
        FOLDERS * FILES,
        own * 1e3,
        median(opens) * 1e3
    );
    // The bar is about the first one.
    let said = |what: &str, theirs: f64, ratio: f64| {
        println!("  {what:<56} {:8.1} ms, ours {ratio:.4} times as long", theirs * 1e3);
    };
    said("merge-tree, commit-tree, update-ref", median(bare), median(ratios));
    for (what, times) in [
        ("git switch main, git merge --no-ff, in the checkout", typed),
        ("git merge --no-ff in a worktree that is there", scratch),
        ("the same in a worktree that is made and removed", made),
    ] {
        let theirs = median(times);
        said(what, theirs, own / theirs);
    }
}
