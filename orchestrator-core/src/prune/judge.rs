//! The judgement, pure.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::facts::{End, Facts};
use super::known::{Known, Seal};
use super::{Because, Goes, Over, Pruning, Stays, Unreadable, Want};
use crate::id::RunId;
use crate::settings::Keep;

/// A run whose journal has no records is just being made, unless it is so old.
pub(super) const MADE_BY_THEN: Duration = Duration::from_hours(1);

/// What is seen of a run.
pub(super) enum Seen {
    /// A process runs it; facts so far, where they could be read.
    Running(Option<Facts>),
    /// Nothing was ever recorded; facts of its plan, where that could be read.
    Empty(Option<Facts>),
    Unreadable(String),
    Read(Facts),
}

impl Seen {
    fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Running(facts) | Self::Empty(facts) => facts.as_ref(),
            Self::Read(facts) => Some(facts),
            Self::Unreadable(_) => None,
        }
    }
}

/// The runs that are over a limit, and over which. The latest runs fill the limits first.
pub(super) fn over(keep: &Keep, runs: &BTreeMap<RunId, Known>, now: SystemTime) -> BTreeMap<RunId, Over> {
    let mut over = BTreeMap::new();
    let mut bytes: u64 = 0;
    for (rank, (run, known)) in runs.iter().rev().enumerate() {
        bytes = bytes.saturating_add(known.bytes);
        let limit = if keep.run_age > 0 && is_old(keep, known.seal, now) {
            Over::Age
        } else if keep.runs > 0 && rank >= keep.runs as usize {
            Over::Number
        } else if keep.run_size > 0 && bytes > keep.run_size {
            Over::Size
        } else {
            continue;
        };
        over.insert(run.clone(), limit);
    }
    over
}

fn is_old(keep: &Keep, seal: Seal, now: SystemTime) -> bool {
    // Without a journal there is no time of a last record.
    !seal.is_empty() && seal.age(now) > Duration::from_secs(keep.run_age)
}

/// What becomes of each run that is over a limit. `seen` has every run.
pub(super) fn judge(
    want: Want<'_>,
    runs: &BTreeMap<RunId, Known>,
    over: &BTreeMap<RunId, Over>,
    seen: &BTreeMap<RunId, Seen>,
    now: SystemTime,
) -> Pruning {
    let mut pruning = Pruning {
        runs: runs.len(),
        bytes: runs.values().map(|known| known.bytes).sum(),
        ..Pruning::default()
    };
    let mut held: BTreeMap<RunId, Because> = BTreeMap::new();
    for (run, limit) in over {
        let because = match seen.get(run) {
            _ if want.in_use.contains(run) => Some(Because::InUse),
            Some(Seen::Running(_)) => Some(Because::Running),
            Some(Seen::Empty(_)) => (runs[run].seal.age(now) < MADE_BY_THEN).then_some(Because::Running),
            Some(Seen::Unreadable(why)) => Some(Because::Unreadable(why.clone())),
            Some(Seen::Read(facts)) => holds(run, facts, *limit, seen),
            None => Some(Because::Unreadable("it was not looked at".into())),
        };
        held.extend(because.map(|because| (run.clone(), because)));
    }
    let kept =
        |held: &BTreeMap<RunId, Because>, run: &RunId| !over.contains_key(run) || held.contains_key(run);
    // What a run that stays cites stays, and so on until nothing changes.
    let mut look: Vec<RunId> = runs.keys().filter(|run| kept(&held, run)).cloned().collect();
    while let Some(run) = look.pop() {
        let Some(facts) = seen.get(&run).and_then(Seen::facts) else { continue };
        for cited in facts.cites.iter().filter(|cited| runs.contains_key(*cited)) {
            if !kept(&held, cited) {
                held.insert(cited.clone(), Because::Cited(run.clone()));
                look.push(cited.clone());
            }
        }
        // Its rollbacks say what of it is undone already.
        let of_it = |other: &Seen| other.facts().is_some_and(|facts| facts.follows.as_ref() == Some(&run));
        for rollback in seen.iter().filter(|(_, other)| of_it(other)).map(|(rollback, _)| rollback) {
            if !kept(&held, rollback) {
                held.insert(rollback.clone(), Because::Cited(run.clone()));
                look.push(rollback.clone());
            }
        }
    }
    for (run, limit) in over.iter().rev() {
        let (run, bytes, over, seal) = (run.clone(), runs[run].bytes, *limit, runs[run].seal);
        match held.remove(&run) {
            None => pruning.goes.push(Goes { run, bytes, over, seal }),
            Some(because @ Because::Unreadable(_)) if want.unreadable == Unreadable::SetAside => {
                pruning.aside.push(Stays { run, bytes, over, because });
            }
            Some(because) => pruning.stays.push(Stays { run, bytes, over, because }),
        }
    }
    pruning
}

fn holds(run: &RunId, facts: &Facts, limit: Over, seen: &BTreeMap<RunId, Seen>) -> Option<Because> {
    match facts.end {
        End::Waiting => Some(Because::Waiting),
        End::Unsure => Some(Because::Unsure),
        End::Open | End::Over if facts.published => Some(Because::Published),
        End::Open | End::Over if facts.undo && !rolled_back(run, facts, seen) => Some(Because::Undo),
        End::Open if limit != Over::Age => Some(Because::Resumable),
        End::Open | End::Over => None,
    }
}

/// Whether a later rollback of it passed whole, and was not itself rolled back.
fn rolled_back(run: &RunId, facts: &Facts, seen: &BTreeMap<RunId, Seen>) -> bool {
    seen.iter().any(|(by, other)| match other {
        Seen::Read(other) => {
            let later = facts.end == End::Over && other.first > facts.last;
            other.reverses.as_ref() == Some(run) && later && !rolled_back(by, other, seen)
        }
        Seen::Running(_) | Seen::Empty(_) | Seen::Unreadable(_) => false,
    })
}
