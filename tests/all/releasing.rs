//! A release by the command line, to a real bare remote: killed at random moments, then resumed or begun anew. It is always
//! exactly one release. `tests/run --long` kills two hundred times.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::kill::Random;
use crate::support::{Folder, ended, git, inside, until};

const PIPELINE: &str = "version: 1
phases:
  - name: merge_integration
    use: standard
    with: {branches: [a, b], bump: true, validate: ['test -f a.txt && test -f b.txt']}
";

/// A project with two branches to release, and its remote.
struct Project {
    folder: Folder,
    remote: Folder,
}

impl Project {
    fn new() -> Self {
        let (folder, remote) = (Folder::git(PIPELINE), Folder::new());
        let (at, there) = (folder.path(), remote.path());
        git(there, &["init", "-q", "--bare", "-b", "main"]);
        folder.write("package.json", "{\n  \"version\": \"0.1.0\"\n}\n");
        folder.write(".gitignore", ".orchestrate/\n");
        git(at, &["add", "-A"]);
        git(at, &["commit", "-q", "-m", "chore: start"]);
        git(at, &["tag", "-a", "-m", "x", "v0.1.0"]);
        for name in ["a", "b"] {
            git(at, &["switch", "-q", "-c", name, "main"]);
            folder.write(&format!("{name}.txt"), "x\n");
            git(at, &["add", "-A"]);
            git(at, &["commit", "-q", "-m", &format!("feat: {name}")]);
        }
        git(at, &["switch", "-q", "main"]);
        git(at, &["remote", "add", "origin", there.to_str().unwrap()]);
        git(at, &["push", "-q", "origin", "main", "v0.1.0"]);
        Self { folder, remote }
    }

    /// Whether there is a run that can be resumed.
    fn has_begun(&self) -> bool {
        let runs = self.folder.path().join(".orchestrate/runs");
        let journal =
            |run: std::fs::DirEntry| std::fs::read(run.path().join("journal.jsonl")).unwrap_or_default();
        std::fs::read_dir(runs).is_ok_and(|mut runs| runs.any(|run| journal(run.unwrap()).contains(&b'\n')))
    }

    #[track_caller]
    fn is_released_once(&self, how: &str) {
        let (at, there) = (self.folder.path(), self.remote.path());
        let tags = git(there, &["tag"]);
        let tags: Vec<&str> = tags.lines().collect();
        assert!(
            tags.len() == 3 && tags[1] == "v0.2.0" && tags[2].starts_with("v0.2.0-20"),
            "{how}: {tags:?}"
        );
        let main = git(there, &["rev-parse", "main"]);
        for tag in &tags[1..] {
            assert_eq!(git(there, &["rev-parse", &format!("{tag}^{{commit}}")]), main, "{how}");
        }
        let log = git(there, &["log", "--first-parent", "--format=%s", "main"]);
        let expected =
            "chore(release): v0.2.0\nMerge branch 'b'\nMerge branch 'a'\nchore: start\nfeat: first";
        assert_eq!(log, expected, "{how}");
        let heads = git(there, &["for-each-ref", "--format=%(refname)", "refs/heads"]);
        assert_eq!(heads, "refs/heads/main", "{how}");
        assert_eq!(git(at, &["rev-parse", "main"]), main, "{how}");
        assert_eq!(git(at, &["tag"]), tags.join("\n"), "{how}");
        assert_eq!(git(at, &["status", "--porcelain"]), "", "{how}");
        assert_eq!(git(at, &["worktree", "list"]).lines().count(), 1, "{how}");
        assert_eq!(git(at, &["for-each-ref", "refs/orchestrate"]), "", "{how}");
        assert!(self.folder.read("package.json").contains("0.2.0"), "{how}");
        let changelog = self.folder.read("CHANGELOG.md");
        assert_eq!(changelog.matches("\n## [0.2.0]").count(), 1, "{how}: {changelog}");
        fsck(there, how);
    }
}

#[track_caller]
fn fsck(repository: &Path, how: &str) {
    let said = git(repository, &["fsck", "--strict"]);
    assert!(!said.contains("error") && !said.contains("missing"), "{how}: {said}");
}

#[test]
fn killed_at_random_moments_it_is_released_once() {
    killed(8);
}

#[test]
#[ignore = "long: `tests/run --long`"]
fn long_killed_at_two_hundred_random_moments_it_is_released_once() {
    killed(200);
}

fn killed(times: u32) {
    let reference = Project::new();
    let begun = Instant::now();
    reference.folder.orchestrate("run --quiet --ceiling publishes").exits(0);
    let mut took = begun.elapsed();
    reference.is_released_once("not killed");
    drop(reference);
    let mut random = Random::new();
    let (mut resumed, mut anew, mut late) = (0, 0, 0);
    let mut at = 0;
    while at < times {
        let project = Project::new();
        let when = took.mul_f64((f64::from(at) + random.next()) / f64::from(times));
        let Some(ran) = killed_after(&project, when) else {
            late += 1;
            assert!(late < 10 * times, "every kill comes too late");
            // The machine is faster than it was.
            took = took.mul_f64(0.95);
            continue;
        };
        // What the dead run had started ends by itself.
        until("its commands end", || {
            inside(project.folder.path()).is_empty() && inside(project.remote.path()).is_empty()
        });
        let resume = random.next() < 0.5 && project.has_begun();
        let how = format!(
            "kill {} of {times} after {ran:?} of {took:?}, {}",
            at + 1,
            if resume { "resumed" } else { "anew" }
        );
        println!("{how}");
        let said = project.folder.orchestrate(if resume {
            "resume --quiet"
        } else {
            "run --quiet --ceiling publishes"
        });
        if resume && said.code == Some(2) && said.err.contains("no run is left to resume") {
            // It was over, and only its end was not told.
            project.folder.orchestrate("run --quiet --ceiling publishes").exits(0);
        } else {
            said.exits(0);
        }
        *(if resume { &mut resumed } else { &mut anew }) += 1;
        project.is_released_once(&how);
        at += 1;
    }
    println!("{times} kills: {resumed} resumed, {anew} anew; {late} more came too late");
}

/// Starts a release and kills it; none where it was over before.
fn killed_after(project: &Project, when: Duration) -> Option<Duration> {
    let mut child = project
        .folder
        .program("run --quiet --ceiling publishes")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    until("the moment", || begun.elapsed() >= when || child.try_wait().unwrap().is_some());
    let over = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    let ran = begun.elapsed();
    ended(child);
    (!over).then_some(ran)
}
