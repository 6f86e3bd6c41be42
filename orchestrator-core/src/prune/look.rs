//! Sees what there is: cheap while nothing is over a limit, and each journal is folded at most once.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::judge::{self, Seen};
use super::known::Index;
use super::{Facts, Over, Pruning, Want, leftovers};
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::settings::Keep;

/// What a journal says.
pub(crate) enum Read {
    /// This.
    Facts(Facts),
    /// Nothing was ever recorded; facts of its plan, where that can be read.
    Empty(Option<Facts>),
    /// It cannot be read.
    Unreadable(String),
}

/// A look at the runs, before the journals that it needs were read.
pub(crate) struct Look<'l> {
    layout: &'l Layout,
    now: SystemTime,
    index: Index,
    changed: bool,
    over: BTreeMap<RunId, Over>,
}

impl<'l> Look<'l> {
    /// Looks at sizes and times.
    pub(crate) fn new(layout: &'l Layout, runs: &[RunId], keep: &Keep) -> Self {
        let now = SystemTime::now();
        let mut index = Index::load(layout);
        let changed = index.refresh(layout, runs);
        let over = judge::over(keep, &index.runs, now);
        Self { layout, now, index, changed, over }
    }

    /// Takes facts of a run that just ended, so that its journal need never be folded for this.
    pub(crate) fn remember(&mut self, run: &RunId, facts: Facts) {
        if let Some(known) = self.index.runs.get_mut(run).filter(|known| known.facts.is_none()) {
            known.facts = Some(facts);
            self.changed = true;
        }
    }

    /// The runs whose journals are to be read. Where one is over a limit, all count: the others may cite or have undone it.
    pub(crate) fn unknown(&self) -> Vec<RunId> {
        let unknown = self.index.runs.iter().filter(|(_, known)| known.facts.is_none());
        if self.over.is_empty() { Vec::new() } else { unknown.map(|(run, _)| run.clone()).collect() }
    }

    /// What pruning would do, now that they are read.
    pub(crate) fn judge(mut self, want: Want<'_>, mut read: BTreeMap<RunId, Read>) -> Pruning {
        let layout = self.layout;
        let mut seen = BTreeMap::new();
        let known = self.index.runs.iter_mut().filter(|_| !self.over.is_empty());
        for (run, known) in known {
            let live = Lock::is_held(&layout.run_lock(run));
            let found = match known.facts.clone().map(Read::Facts).or_else(|| read.remove(run)) {
                Some(Read::Facts(facts) | Read::Empty(Some(facts))) if live => Seen::Running(Some(facts)),
                _ if live => Seen::Running(None),
                Some(Read::Facts(facts)) => {
                    self.changed |= known.facts.is_none();
                    known.facts = Some(facts.clone());
                    Seen::Read(facts)
                }
                Some(Read::Empty(facts)) => Seen::Empty(facts),
                Some(Read::Unreadable(why)) => Seen::Unreadable(why),
                None => Seen::Unreadable("it was not read".into()),
            };
            seen.insert(run.clone(), found);
        }
        if self.changed && !self.index.runs.is_empty() {
            self.index.store(layout);
        }
        let pruning = judge::judge(want, &self.index.runs, &self.over, &seen, self.now);
        Pruning { leftovers: leftovers(layout), ..pruning }
    }
}
