//! The layout of the state folder. The one place that knows where things are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::id::RunId;
use crate::path::Digest;

/// Where things are in a state folder:
///
/// ```text
/// STATE/.gitignore              `*`: nothing of it is ever committed
/// STATE/remediation.log         a line for each remedy that was performed
/// STATE/checkout.lock           held by the run that writes
/// STATE/cache/                  results of tasks, to be reused; may be removed at any time
/// STATE/environments/NAME.lock  held by the run that deploys there
/// STATE/logs/ID.log             the log of a run, for people
/// STATE/set-aside/              what was broken and is kept for people to look at
/// STATE/runs/.known.json        sizes of runs, so that they are not measured each time; made anew where it is broken
/// STATE/runs/.new-*, .gone-*    runs that are being made, or removed
/// STATE/runs/ID/plan.json       the plan
/// STATE/runs/ID/journal.jsonl   the records, one a line
/// STATE/runs/ID/run.lock        held by the process that appends
/// STATE/runs/ID/inbox/          signals that were not recorded yet
/// STATE/runs/ID/logs/           what commands printed
/// STATE/runs/ID/artifacts/      files that were kept, by digest
/// STATE/runs/ID/reports/        reports
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    state: PathBuf,
}

impl Layout {
    /// The layout of the folder `state`, which need not exist.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into() }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A line for each remedy that was performed.
    pub fn remediation_log(&self) -> PathBuf {
        self.state.join("remediation.log")
    }

    /// The folder of all runs.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// The folder of a run.
    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// The journal of a run.
    pub fn journal(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("journal.jsonl")
    }

    /// The plan of a run.
    pub fn plan(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("plan.json")
    }

    /// The folder of what the commands of a run printed.
    pub fn logs(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("logs")
    }

    /// The folder of the logs of runs.
    pub fn run_logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The log of a run, for people.
    pub fn run_log(&self, run: &RunId) -> PathBuf {
        self.run_logs().join(format!("{run}.log"))
    }

    /// The folder of what was broken.
    pub fn set_aside(&self) -> PathBuf {
        self.state.join(crate::aside::ASIDE)
    }

    /// The folder of the files that a run kept.
    pub fn artifacts(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("artifacts")
    }

    /// The folder of signals that a run has not recorded yet.
    pub fn inbox(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("inbox")
    }

    /// The folder of the reports of a run.
    pub fn reports(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("reports")
    }

    /// The folder of results that may be reused.
    pub fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }

    /// Held by the process that appends to the journal of a run.
    pub fn run_lock(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("run.lock")
    }

    /// Held by the run that writes to the checkout.
    pub fn checkout_lock(&self) -> PathBuf {
        self.state.join("checkout.lock")
    }

    /// Held by the run that deploys to an environment. Any name gives a file inside the state folder, and no two names
    /// give the same one.
    pub fn environment_lock(&self, name: &str) -> PathBuf {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let file = if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
            format!("{name}.lock")
        } else {
            format!("other.{}.lock", Digest::of(name.as_bytes()))
        };
        self.state.join("environments").join(file)
    }

    /// Makes the state folder where there is none, for its owner's eyes only, and keeps git from seeing it. What lies where
    /// the folder of runs belongs and is no folder is set aside.
    pub fn ensure(&self) -> io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        let runs = self.runs();
        crate::aside::folder(&self.state, &runs, || folder.create(&runs))?;
        match fs::File::create_new(self.state.join(".gitignore")) {
            Ok(mut file) => io::Write::write_all(&mut file, b"*\n"),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_inside_the_state_folder() {
        let layout = Layout::new("/s");
        let run = RunId::new("20261120234433-00ff00ff").unwrap();
        assert_eq!(layout.journal(&run), Path::new("/s/runs/20261120234433-00ff00ff/journal.jsonl"));
        assert_eq!(layout.environment_lock("staging"), Path::new("/s/environments/staging.lock"));
        let hostile = ["", ".", "..", "../../x", "/etc/x", "a/b", "Staging", "a\0b", "ä", &"x".repeat(999)];
        for name in hostile {
            let lock = layout.environment_lock(name);
            assert_eq!(lock.parent(), Some(Path::new("/s/environments")), "{name}");
            assert!(lock.file_name().unwrap().to_str().unwrap().starts_with("other."), "{name}");
        }
    }

    #[test]
    fn a_new_state_folder_is_private_and_unseen_by_git() {
        let temp = tempfile::tempdir().unwrap();
        let layout = Layout::new(temp.path().join("deep/state"));
        layout.ensure().unwrap();
        layout.ensure().unwrap();
        assert_eq!(fs::read_to_string(layout.state().join(".gitignore")).unwrap(), "*\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(layout.state()).unwrap().permissions().mode() & 0o777, 0o700);
        }
        fs::write(layout.state().join(".gitignore"), "mine\n").unwrap();
        layout.ensure().unwrap();
        assert_eq!(fs::read_to_string(layout.state().join(".gitignore")).unwrap(), "mine\n");
        let blocked = Layout::new(layout.state().join(".gitignore"));
        assert!(blocked.ensure().is_err());
    }
}
