//! What a run made itself, so that it is no reason to run again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use orchestrator_core::action::Action;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;

use super::Changes;
use super::contents::{Content, content};

/// A file that changed during so many runs in a row is taken for something that the run makes.
const HABIT: u32 = 3;

/// What runs make themselves.
pub(crate) struct Made {
    root: PathBuf,
    /// Declared outputs of the tasks.
    outputs: GlobSet,
    /// In how many runs in a row a file changed; the root stands for changes that could not be followed.
    habits: BTreeMap<PathBuf, u32>,
}

/// What of the changes during a run counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct During {
    /// A reason to run again.
    pub(crate) counts: Changes,
    /// Files that just became a habit of the run.
    pub(crate) habit: BTreeSet<PathBuf>,
}

impl Made {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), outputs: GlobSet::empty(), habits: BTreeMap::new() }
    }

    /// What of the changes counts that came while nothing ran: not what tasks declare as outputs.
    pub(crate) fn while_waiting(&mut self, mut changes: Changes) -> Changes {
        changes.files.retain(|path| !self.is_output(path));
        for path in &changes.files {
            self.habits.remove(path);
        }
        changes
    }

    /// What of the changes counts that came during a run. Not: declared outputs; what the journal says was written, as long as
    /// that is what is there; and what has changed with every run lately. All else may be the user's, and is worth a run.
    pub(crate) fn during(&mut self, run: Option<&RunRecord>, changes: Changes) -> During {
        if let Some(run) = run {
            self.outputs = outputs(run);
        }
        let Changes { mut files, lost } = changes;
        files.retain(|path| !self.is_output(path));
        if let Some(run) = run {
            let written = written(run, &self.root);
            files.retain(|path| written.get(path) != Some(&content(path)));
        }
        let mut during = During { counts: Changes { files, lost }, habit: BTreeSet::new() };
        let lost = lost.then(|| self.root.clone());
        let changed: BTreeSet<PathBuf> = during.counts.files.iter().cloned().chain(lost).collect();
        self.habits.retain(|path, _| changed.contains(path));
        for path in changed {
            let times = self.habits.entry(path.clone()).or_insert(0);
            *times = times.saturating_add(1);
            if *times >= HABIT {
                during.counts.files.remove(&path);
                during.counts.lost &= path != self.root;
                if *times == HABIT {
                    during.habit.insert(path);
                }
            }
        }
        during
    }

    fn is_output(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root).is_ok_and(|below| self.outputs.is_match(below))
    }
}

/// The declared outputs of all tasks: files, folders, patterns.
fn outputs(run: &RunRecord) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for output in run.plan().tasks().iter().flat_map(|task| &task.outputs) {
        let output = output.trim_start_matches("./").trim_end_matches('/');
        for pattern in [output.to_owned(), format!("{output}/**")] {
            // One that is no pattern matches nothing.
            if let Ok(glob) = GlobBuilder::new(&pattern).literal_separator(true).build() {
                globs.add(glob);
            }
        }
    }
    globs.build().unwrap_or_default()
}

/// What the run's own actions left in files, by its journal.
fn written(run: &RunRecord, root: &Path) -> BTreeMap<PathBuf, Content> {
    let mut written = BTreeMap::new();
    for (action, receipt) in run.state.tasks().iter().flat_map(TaskState::receipts) {
        match action {
            Action::Write(write) if receipt.ok() => {
                let path = write.path.under(root);
                let found = content(&path);
                if let (Content::File(digest, _), Some(said)) = (&found, write.content.digest())
                    && *digest == said
                {
                    written.insert(path, found);
                }
            }
            Action::Remove(remove) if receipt.ok() => {
                written.insert(remove.path.under(root), Content::Absent);
            }
            _ => {}
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(names: &[&str]) -> Changes {
        Changes { files: names.iter().map(|name| Path::new("/r").join(name)).collect(), lost: false }
    }

    #[test]
    fn what_changes_with_every_run_is_no_reason_for_another() {
        let mut made = Made::new(Path::new("/r"));
        for _ in 0..2 {
            let during = made.during(None, changed(&["stamp"]));
            assert_eq!(during.counts, changed(&["stamp"]), "it may be the user's");
        }
        let during = made.during(None, changed(&["stamp", "edited"]));
        assert_eq!((during.counts, during.habit), (changed(&["edited"]), changed(&["stamp"]).files));
        let during = made.during(None, changed(&["stamp"]));
        assert_eq!(during, During::default(), "it is said once");
        assert_eq!(made.while_waiting(changed(&["stamp"])), changed(&["stamp"]), "an edit counts");
        assert_eq!(made.during(None, changed(&["stamp"])).counts, changed(&["stamp"]));
    }

    #[test]
    fn changes_that_cannot_be_followed_do_not_go_on_for_ever() {
        let mut made = Made::new(Path::new("/r"));
        let lost = || Changes { lost: true, ..Changes::default() };
        assert!(made.during(None, lost()).counts.lost && made.during(None, lost()).counts.lost);
        assert!(!made.during(None, lost()).counts.lost);
    }
}
