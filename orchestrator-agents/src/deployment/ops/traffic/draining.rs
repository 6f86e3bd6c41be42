//! Who is waited for until nobody is under way there any more. Pure.

use std::collections::BTreeSet;

use super::{Drained, ReleaseTraffic, Traffic};
use crate::deployment::traffic::Shares;

/// Releases that are left out.
pub(super) struct Draining {
    wanted: BTreeSet<String>,
    left_out: BTreeSet<String>,
}

impl Draining {
    /// Those that had a share before and are not wanted.
    pub(super) fn new<'a>(wanted: impl Iterator<Item = &'a String>, before: &Shares) -> Self {
        let wanted: BTreeSet<String> = wanted.cloned().collect();
        let left_out = before.keys().filter(|release| !wanted.contains(*release)).cloned().collect();
        Self { wanted, left_out }
    }

    /// How they were drained so far, and who is not yet.
    pub(super) fn look(&mut self, traffic: &Traffic) -> (Vec<Drained>, Vec<String>) {
        // Also who was left out by a switch before this one: after a crash it is this very switch that was made already.
        let leaving = traffic.releases.iter().filter(|known| {
            let drains = known.drained.as_ref().is_some_and(|drained| drained.took_ms.is_none());
            drains && !self.wanted.contains(&known.release)
        });
        self.left_out.extend(leaving.map(|known| known.release.clone()));
        let found = self.left_out.iter().filter_map(|release| traffic.latest(release)?.drained.clone());
        // One that is not listed any more was drained some time ago.
        let open = self.left_out.iter().filter(|release| {
            let same = |known: &&ReleaseTraffic| known.release == **release;
            traffic.releases.iter().filter(same).any(ReleaseTraffic::is_open)
        });
        (found.collect(), open.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(release: &str, drained: Option<(Option<u64>, u64)>) -> ReleaseTraffic {
        let release = release.to_owned();
        let drained = drained.map(|(took_ms, cuts)| {
            let release = release.clone();
            Drained { release, took_ms, cuts, cut: Vec::new() }
        });
        ReleaseTraffic { release, in_flight: 0, first_answer_us: None, drained }
    }

    fn look(draining: &mut Draining, releases: Vec<ReleaseTraffic>) -> (Vec<(String, u64)>, Vec<String>) {
        let (found, open) = draining.look(&Traffic { releases, ..Traffic::default() });
        (found.into_iter().map(|drained| (drained.release, drained.cuts)).collect(), open)
    }

    fn left_out(before: &[&str]) -> Draining {
        let before = before.iter().map(|release| ((*release).to_owned(), 1)).collect();
        Draining::new(["new".to_owned()].iter(), &before)
    }

    #[test]
    fn one_that_leaves_again_is_waited_for_again() {
        let mut draining = left_out(&["old"]);
        let (new, first) = (known("new", None), known("old", Some((Some(30_000), 2))));
        let again = |took| vec![new.clone(), first.clone(), known("old", Some((took, 0)))];
        assert_eq!(look(&mut draining, again(None)).1, ["old"]);
        assert_eq!(look(&mut draining, again(Some(800))), (vec![("old".into(), 0)], Vec::new()));
        // Somebody gave it a share meanwhile.
        assert_eq!(look(&mut draining, vec![known("old", None), new, first]).1, ["old"]);
    }

    #[test]
    fn a_switch_that_was_made_already_is_waited_for_all_the_same() {
        let mut draining = left_out(&["new"]);
        let at = |took| {
            vec![known("new", None), known("older", Some((Some(9), 1))), known("old", Some((took, 0)))]
        };
        assert_eq!(look(&mut draining, at(None)), (vec![("old".into(), 0)], vec!["old".into()]));
        assert_eq!(look(&mut draining, at(Some(5000))), (vec![("old".into(), 0)], Vec::new()));
        // What was drained before anybody looked is of an earlier switch.
        assert_eq!(look(&mut left_out(&["new"]), at(Some(5000))), (Vec::new(), Vec::new()));
        assert_eq!(look(&mut left_out(&["new", "gone"]), Vec::new()), (Vec::new(), Vec::new()));
        // An older process of the one that is wanted holds nobody up.
        let twice = vec![known("new", None), known("new", Some((None, 0)))];
        assert_eq!(look(&mut left_out(&["new"]), twice), (Vec::new(), Vec::new()));
    }
}
