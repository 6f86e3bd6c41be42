//! Which releases of an environment are kept, and what holds those that are over the number. Pure: `ops/prune` sees and removes.
//!
//! The newest are kept: those that had the traffic last, or were started last, by the history's own order and by no clock. Releases that
//! never counted have places of their own, so that many failed builds take nobody's way back.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Happening, What};

/// How many releases are kept where nothing is said.
pub const KEEP: u32 = 5;

/// What is known of a release, or of what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Its name.
    pub(super) name: String,
    /// The run that made it, as its name says.
    pub(super) born: RunId,
    /// Whether it ever counted.
    pub(super) counted: bool,
    /// Its last line in the history that tells of a start or of traffic.
    pub(super) last: Option<usize>,
}

impl Known {
    /// By its name and the history; none where that is no name of a release.
    pub(super) fn of(name: &str, counted: bool, history: &[Happening]) -> Option<Self> {
        let used = |line: &Happening| {
            let used =
                matches!(line.what, What::Started | What::FailedToStart | What::Promoted | What::Reinstated);
            used && line.release == name
        };
        let last = history.iter().rposition(used);
        Some(Self { name: name.to_owned(), born: born(name)?, counted, last })
    }
}

/// The run that made a release: `VERSION-RUN-TASK.1.0.0`. None where the name is not of that form, and so nothing of ours.
pub(super) fn born(name: &str) -> Option<RunId> {
    const LONG: usize = "20261120234433-00ff00ff".len();
    let dashes = name.match_indices('-').map(|(at, _)| at + 1);
    dashes.filter_map(|at| RunId::new(name.get(at..at + LONG)?).ok()).next_back()
}

/// Why a release stays although it is over the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It is the current one.
    Current,
    /// It is the one before, to which a rollback goes.
    Previous,
    /// It was started and is not over.
    Candidate,
    /// Who has the environment may need it.
    Claimed(RunId),
    /// A supervisor keeps it, or may start it again.
    Supervised,
    /// The proxy knows it.
    Traffic,
    /// A process of it runs.
    Runs,
    /// There is a container of it, or its engine cannot be asked; says which.
    Contained(String),
    /// A load through its switch is on record.
    Load,
    /// A run that is not over names it.
    Needed(RunId),
    /// Its folder is a link: what is behind it is not ours.
    Link,
    /// Its record cannot be read.
    Unreadable(String),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("it is current"),
            Self::Previous => f.write_str("it is the version before"),
            Self::Candidate => f.write_str("it is the candidate"),
            Self::Claimed(run) => write!(f, "run {run} has the environment and may need it"),
            Self::Supervised => f.write_str("its supervisor keeps it"),
            Self::Traffic => f.write_str("the proxy knows it"),
            Self::Runs => f.write_str("it runs"),
            Self::Contained(why) => f.write_str(why),
            Self::Load => f.write_str("a load runs through its switch"),
            Self::Needed(run) => write!(f, "run {run} is not over and names it"),
            Self::Link => f.write_str("its folder is a link"),
            Self::Unreadable(why) => write!(f, "its record cannot be read: {why}"),
        }
    }
}

/// What becomes of the releases of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Those that go, the oldest first.
    pub(super) goes: Vec<Known>,
    /// Those that are over the number and stay.
    pub(super) stays: Vec<(String, Because)>,
    /// How many stay in all.
    pub(super) kept: usize,
}

/// Judges. `keep` is the number of those that counted, and the same of those that never did; 0 keeps all.
pub(super) fn judge(mut all: Vec<Known>, keep: u32, held: &BTreeMap<String, Because>) -> Judged {
    all.sort_by(|one, other| (other.last, &other.born, &other.name).cmp(&(one.last, &one.born, &one.name)));
    let mut judged = Judged::default();
    let (mut counted, mut others) = (0_u32, 0_u32);
    for known in all {
        let rank = if known.counted { &mut counted } else { &mut others };
        *rank = rank.saturating_add(1);
        if keep == 0 || *rank <= keep {
            judged.kept += 1;
        } else if let Some(because) = held.get(&known.name) {
            judged.kept += 1;
            judged.stays.push((known.name, because.clone()));
        } else {
            judged.goes.push(known);
        }
    }
    judged.goes.reverse();
    judged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(number: u32, counted: bool, last: Option<usize>) -> Known {
        let name = format!("1.{number}.0-20261120234433-{number:08x}-deploy.1.0.1");
        Known { born: born(&name).unwrap(), name, counted, last }
    }

    fn numbers(judged: &Judged) -> Vec<u32> {
        let number = |known: &Known| known.name.split('.').nth(1).unwrap().parse().unwrap();
        judged.goes.iter().map(number).collect()
    }

    #[test]
    fn names_of_releases_are_told_from_others() {
        let run = "20261120234433-00ff00ff";
        for name in
            [format!("1.0.0-{run}-deploy.1.0.0"), format!("1.0.0-rc-1-{run}-a"), format!("v-{run}-{run}-x")]
        {
            assert_eq!(born(&name).unwrap().as_str(), run, "{name}");
        }
        for name in ["", "1.0.0", "backup-of-mine", "-", "1.0.0-2026112023443-00ff00ff", "ü-ü-ü"] {
            assert_eq!(born(name), None, "{name}");
        }
    }

    #[test]
    fn what_had_traffic_last_is_newest_and_failures_have_places_of_their_own() {
        let all = vec![
            // An old one that somebody brought back.
            known(1, true, Some(90)),
            known(2, true, Some(20)),
            known(3, true, Some(30)),
            known(4, false, Some(40)),
            known(5, false, Some(50)),
            known(6, false, Some(60)),
            // Without a line in the history.
            known(7, false, None),
        ];
        assert_eq!(numbers(&judge(all.clone(), 2, &BTreeMap::new())), [7, 2, 4]);
        let held = BTreeMap::from([(all[1].name.clone(), Because::Previous)]);
        let judged = judge(all.clone(), 2, &held);
        assert_eq!((numbers(&judged), judged.stays.len(), judged.kept), (vec![7, 4], 1, 5));
        assert_eq!(judge(all, 0, &BTreeMap::new()).goes, []);
    }

    proptest! {
        /// Whatever there is: what is held stays, each stays or goes, and a larger number lets nothing go that a smaller one kept.
        #[test]
        fn nobody_goes_who_is_held(
            all in prop::collection::btree_map(0..40_u32, (any::<bool>(), prop::option::of(0..100_usize), any::<bool>()), 0..40),
            keep in 0..10_u32,
        ) {
            let list: Vec<Known> = all.iter().map(|(number, (counted, last, _))| known(*number, *counted, *last)).collect();
            let is_held = list.iter().zip(all.values()).filter(|(_, (_, _, held))| *held);
            let held: BTreeMap<String, Because> = is_held.map(|(known, _)| (known.name.clone(), Because::Runs)).collect();
            let judged = judge(list.clone(), keep, &held);
            prop_assert_eq!(judged.kept + judged.goes.len(), list.len());
            prop_assert!(judged.goes.iter().all(|known| !held.contains_key(&known.name)));
            let more = judge(list, keep.saturating_add(1), &held);
            prop_assert!(keep == 0 || more.goes.iter().all(|known| judged.goes.contains(known)));
        }
    }
}
