use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::facts::{End, Facts};
use super::judge::{Seen, judge, over};
use super::known::{Known, Seal};
use super::{Because, Over, Pruning, Unreadable, Want};
use crate::id::RunId;
use crate::settings::Keep;

const NOW: u64 = 1_000_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The `n`th run; later ones have higher numbers.
fn run(n: u64) -> RunId {
    RunId::new(format!("{:014}-00000000", 20_260_101_000_000 + n)).unwrap()
}

fn over_and_done() -> Facts {
    let time = |second: i64| Some(jiff::Timestamp::from_second(second).unwrap());
    Facts {
        end: End::Over,
        undo: false,
        published: false,
        cites: BTreeSet::new(),
        reverses: None,
        follows: None,
        first: time(10),
        last: time(20),
    }
}

/// Runs of 100 bytes each, the `n`th written to `ages[n]` seconds ago.
fn known(ages: &[u64]) -> BTreeMap<RunId, Known> {
    let seal = |age: u64| -> Seal {
        let written = serde_json::json!({ "bytes": 9, "seconds": NOW - age, "nanos": 0 });
        serde_json::from_value(written).unwrap()
    };
    (0..).zip(ages).map(|(n, age)| (run(n), Known { seal: seal(*age), bytes: 100, facts: None })).collect()
}

fn limits(runs: u32, run_age: u64, run_size: u64) -> Keep {
    Keep { runs, run_age, run_size, ..Keep::default() }
}

fn judged(keep: &Keep, ages: &[u64], seen: Vec<Seen>, in_use: &[u64], unreadable: Unreadable) -> Pruning {
    let (runs, in_use) = (known(ages), in_use.iter().map(|n| run(*n)).collect());
    let over = over(keep, &runs, now());
    let seen = (0..).map(run).zip(seen).collect();
    judge(Want { keep, in_use: &in_use, unreadable }, &runs, &over, &seen, now())
}

fn goes(pruning: &Pruning) -> Vec<RunId> {
    pruning.goes.iter().map(|goes| goes.run.clone()).collect()
}

#[test]
fn each_limit_counts_and_nought_is_none() {
    let runs = known(&[500, 400, 300, 200, 100]);
    let of = |keep: Keep| over(&keep, &runs, now()).into_iter().collect::<Vec<_>>();
    assert_eq!(of(limits(0, 0, 0)), []);
    assert_eq!(of(limits(3, 0, 0)), [(run(0), Over::Number), (run(1), Over::Number)]);
    assert_eq!(of(limits(0, 450, 0)), [(run(0), Over::Age)]);
    assert_eq!(of(limits(0, 0, 450)), [(run(0), Over::Size)]);
    assert_eq!(of(limits(5, 500, 500)), [], "what is just at a limit is not over it");
    assert_eq!(of(limits(4, 450, 50)).len(), 5, "the latest alone is too large");
}

#[test]
fn a_clock_that_went_back_makes_nothing_old() {
    let mut runs = known(&[0]);
    let written = serde_json::json!({ "bytes": 9, "seconds": NOW + 9_999_999, "nanos": 0 });
    runs.get_mut(&run(0)).unwrap().seal = serde_json::from_value(written).unwrap();
    assert!(over(&limits(0, 1, 0), &runs, now()).is_empty());
}

#[test]
fn what_holds_a_run() {
    let is = |change: fn(&mut Facts)| {
        let mut facts = over_and_done();
        change(&mut facts);
        Seen::Read(facts)
    };
    let cases: [(Seen, Option<Because>, Option<Because>); 9] = [
        (is(|_| ()), None, None),
        (Seen::Running(None), Some(Because::Running), Some(Because::Running)),
        (is(|facts| facts.end = End::Waiting), Some(Because::Waiting), Some(Because::Waiting)),
        (is(|facts| facts.end = End::Unsure), Some(Because::Unsure), Some(Because::Unsure)),
        (is(|facts| facts.end = End::Open), Some(Because::Resumable), None),
        (is(|facts| facts.undo = true), Some(Because::Undo), Some(Because::Undo)),
        (is(|facts| facts.published = true), Some(Because::Published), Some(Because::Published)),
        (
            Seen::Unreadable("why".into()),
            Some(Because::Unreadable("why".into())),
            Some(Because::Unreadable("why".into())),
        ),
        (Seen::Empty(None), None, None),
    ];
    for (seen, by_number, by_age) in cases {
        let again = || match &seen {
            Seen::Running(facts) => Seen::Running(facts.clone()),
            Seen::Empty(facts) => Seen::Empty(facts.clone()),
            Seen::Unreadable(why) => Seen::Unreadable(why.clone()),
            Seen::Read(facts) => Seen::Read(facts.clone()),
        };
        for (keep, expected) in [(limits(1, 0, 0), by_number), (limits(0, 5000, 0), by_age)] {
            let seen = vec![again(), Seen::Read(over_and_done())];
            let pruning = judged(&keep, &[10_000, 10], seen, &[], Unreadable::Stay);
            let stays: Vec<_> = pruning.stays.iter().map(|stays| stays.because.clone()).collect();
            assert_eq!(stays, expected.iter().cloned().collect::<Vec<_>>());
            assert_eq!(goes(&pruning), if expected.is_none() { vec![run(0)] } else { vec![] });
        }
    }
}

#[test]
fn a_run_that_is_just_being_made_stays() {
    let seen = || vec![Seen::Empty(None), Seen::Empty(None)];
    let pruning = judged(&limits(1, 0, 0), &[3599, 0], seen(), &[], Unreadable::Stay);
    assert_eq!(pruning.stays[0].because, Because::Running);
    let pruning = judged(&limits(1, 0, 0), &[3600, 0], seen(), &[], Unreadable::Stay);
    assert_eq!(goes(&pruning), [run(0)]);
}

#[test]
fn a_rollback_that_passed_later_lets_go_of_the_run_and_stays_itself() {
    let did = Facts { undo: true, ..over_and_done() };
    let later = |second| jiff::Timestamp::from_second(second).unwrap();
    let rollback = |first: i64| Facts {
        undo: true,
        reverses: Some(run(0)),
        follows: Some(run(0)),
        first: Some(later(first)),
        last: Some(later(first + 10)),
        ..over_and_done()
    };
    for (first, gone) in [(30, vec![run(0)]), (15, vec![])] {
        let seen = vec![Seen::Read(did.clone()), Seen::Read(rollback(first)), Seen::Read(over_and_done())];
        let pruning = judged(&limits(1, 0, 0), &[9, 8, 7], seen, &[], Unreadable::Stay);
        assert_eq!(goes(&pruning), gone);
        assert!(pruning.stays.iter().any(|stays| stays.run == run(1) && stays.because == Because::Undo));
    }
    let published = Facts { published: true, ..did };
    let seen = vec![Seen::Read(published), Seen::Read(rollback(30)), Seen::Read(over_and_done())];
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7], seen, &[], Unreadable::Stay);
    assert_eq!(pruning.stays[1].because, Because::Published, "what has no undo is not rolled back");
}

#[test]
fn a_rollback_that_was_rolled_back_counts_no_more() {
    let later = |second| Some(jiff::Timestamp::from_second(second).unwrap());
    let did = Facts { undo: true, ..over_and_done() };
    let rollback = |n: u64, first: i64| Facts {
        reverses: Some(run(n)),
        follows: Some(run(n)),
        first: later(first),
        last: later(first + 5),
        ..did.clone()
    };
    let seen = [did.clone(), rollback(0, 30), rollback(1, 40), over_and_done()].map(Seen::Read).into();
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7, 6], seen, &[], Unreadable::Stay);
    // The rollback itself is undone by the later one; it stays all the same, since its run does.
    let because: Vec<_> =
        pruning.stays.iter().map(|stays| (stays.run.clone(), stays.because.clone())).collect();
    let expected = [(run(2), Because::Undo), (run(1), Because::Cited(run(0))), (run(0), Because::Undo)];
    assert_eq!(because, expected);
}

#[test]
fn a_run_that_stays_keeps_its_rollbacks() {
    let published = Facts { published: true, ..over_and_done() };
    let part = Facts { follows: Some(run(0)), ..over_and_done() };
    let seen = [published, part, over_and_done(), over_and_done()].map(Seen::Read).into();
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7, 6], seen, &[], Unreadable::Stay);
    assert_eq!(goes(&pruning), [run(2)]);
    assert!(pruning.stays.iter().any(|stays| stays.because == Because::Cited(run(0))));
}

#[test]
fn what_a_run_that_stays_cites_stays_too() {
    let cites = |n: u64| Facts { cites: [run(n), run(99)].into(), ..over_and_done() };
    // 3 stays and cites 2, which cites 0; nobody cites 1.
    let seen = [over_and_done(), over_and_done(), cites(0), cites(2)].map(Seen::Read).into();
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7, 6], seen, &[], Unreadable::Stay);
    assert_eq!(goes(&pruning), [run(1)]);
    let because: Vec<_> = pruning.stays.iter().map(|stays| stays.because.clone()).collect();
    assert_eq!(because, [Because::Cited(run(3)), Because::Cited(run(2))]);
}

#[test]
fn what_a_run_needs_that_is_under_way_or_just_planned_stays() {
    let needs = || Some(Facts { cites: [run(0)].into(), ..over_and_done() });
    for latest in [Seen::Running(needs()), Seen::Empty(needs())] {
        let seen = vec![Seen::Read(over_and_done()), Seen::Read(over_and_done()), latest];
        let pruning = judged(&limits(1, 0, 0), &[9, 8, 7], seen, &[], Unreadable::Stay);
        assert_eq!(goes(&pruning), [run(1)]);
        assert_eq!(pruning.stays[0].because, Because::Cited(run(2)));
    }
}

#[test]
fn what_is_in_use_stays_and_what_cannot_be_read_may_be_set_aside() {
    let seen = || ["a", "b", "c"].map(|why| Seen::Unreadable(why.into())).into();
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7], seen(), &[0], Unreadable::SetAside);
    assert_eq!((pruning.aside.len(), pruning.aside[0].run.clone()), (1, run(1)));
    assert_eq!(pruning.stays[0].because, Because::InUse);
    let pruning = judged(&limits(1, 0, 0), &[9, 8, 7], seen(), &[], Unreadable::Stay);
    assert_eq!((pruning.aside.len(), pruning.stays.len(), pruning.goes.len()), (0, 2, 0));
}
