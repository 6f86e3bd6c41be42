use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn run(n: u32) -> RunId {
    RunId::new(format!("20261120000000-{n:08x}")).unwrap()
}

fn snapshot(name: &str, time: &str) -> Seen {
    Seen { name: name.into(), at: at(time), run: None, verified: false, damaged: false }
}

fn over(n: u32) -> RunSeen {
    RunSeen {
        run: run(n),
        stands: Stands::Over,
        delivers: true,
        parent: None,
        rolled_back: None,
        names: BTreeSet::new(),
    }
}

fn shown(judged: &[Judged]) -> Vec<String> {
    let line = |judged: &Judged| {
        let rules: Vec<String> = judged.stays.iter().map(ToString::to_string).collect();
        format!("{}: {}", judged.name, rules.join(", "))
    };
    judged.iter().map(line).collect()
}

#[test]
fn each_rule_names_what_it_keeps() {
    let seen = [
        snapshot("a", "2026-11-01T10:00:00Z"),
        snapshot("b", "2026-11-08T23:59:59Z"),
        snapshot("c", "2026-11-09T00:00:00Z"),
        snapshot("d", "2026-11-20T09:00:00Z"),
        snapshot("e", "2026-11-20T10:00:00Z"),
        Seen { damaged: true, ..snapshot("f", "2026-11-20T11:00:00Z") },
    ];
    let policy = Keep { last: 2, daily: 2, weekly: 3 };
    let held = BTreeMap::from([("a".to_owned(), Held::NewestVerified)]);
    assert_eq!(
        shown(&judge(&seen, Some(&policy), &held)),
        [
            "f: damaged: look at it, then remove it by hand",
            "e: last, daily 2026-11-20, weekly 2026-W47",
            "d: last",
            "c: daily 2026-11-09, weekly 2026-W46",
            "b: weekly 2026-W45",
            "a: the newest that was verified",
        ]
    );
    let goes = judge(&seen, Some(&policy), &BTreeMap::new());
    assert_eq!(goes.last().map(|last| (last.name.as_str(), last.stays.len())), Some(("a", 0)));
    assert!(judge(&seen, None, &BTreeMap::new()).iter().all(|judged| judged.stays == [Rule::NoPolicy]));
}

#[test]
fn backups_of_one_second_are_told_apart_by_their_number() {
    let of = |name| snapshot(name, "2026-11-20T10:00:00Z");
    let judged = judge(
        &[of("n-10"), of("n"), of("n-2")],
        Some(&Keep { last: 1, daily: 0, weekly: 0 }),
        &BTreeMap::new(),
    );
    let names: Vec<_> = judged.iter().map(|judged| judged.name.as_str()).collect();
    assert_eq!(names, ["n-10", "n-2", "n"]);
}

#[test]
fn what_a_run_may_need_is_held() {
    let made = |name: &str, time: &str, n: u32, verified| Seen {
        run: Some(run(n)),
        verified,
        ..snapshot(name, time)
    };
    let seen = [
        made("old", "2026-11-01T00:00:00Z", 1, true),
        made("live", "2026-11-02T00:00:00Z", 2, true),
        made("read", "2026-11-03T00:00:00Z", 3, false),
        made("verified", "2026-11-04T00:00:00Z", 4, true),
        made("delivery", "2026-11-05T00:00:00Z", 5, false),
        made("lost", "2026-11-06T00:00:00Z", 6, false),
        made("by hand", "2026-11-07T00:00:00Z", 7, false),
    ];
    let runs = [
        over(1),
        RunSeen { stands: Stands::Live, names: ["read".to_owned()].into(), ..over(2) },
        over(3),
        over(4),
        over(5),
        RunSeen { stands: Stands::Unreadable, delivers: false, ..over(6) },
        RunSeen { delivers: false, ..over(7) },
        RunSeen { stands: Stands::Open, parent: Some(run(1)), ..over(8) },
    ];
    let found = held(&seen, &runs);
    let live = Held::Live { run: run(2).to_string() };
    assert_eq!(
        found,
        BTreeMap::from([
            ("old".to_owned(), Held::Resumable { run: run(8).to_string() }),
            ("live".to_owned(), live.clone()),
            ("read".to_owned(), live),
            ("verified".to_owned(), Held::NewestVerified),
            ("delivery".to_owned(), Held::Delivery { run: run(5).to_string() }),
            ("lost".to_owned(), Held::Unreadable { run: run(6).to_string() }),
        ])
    );
    let undone = RunSeen { delivers: false, rolled_back: Some(run(5)), ..over(9) };
    let runs: Vec<_> = runs.into_iter().chain([undone]).collect();
    assert!(!held(&seen, &runs).contains_key("delivery"), "it is rolled back");
}

prop_compose! {
    fn some()(
        all in prop::collection::vec((0_i64..60 * 86_400, any::<bool>(), prop::bool::weighted(0.1), 0_u32..6), 0..40)
    ) -> Vec<Seen> {
        let one = |(n, (seconds, verified, damaged, by)): (usize, (i64, bool, bool, u32))| Seen {
            name: format!("s{n}"),
            at: Timestamp::from_second(1_795_000_000 + seconds).unwrap(),
            run: Some(run(by)),
            verified,
            damaged,
        };
        all.into_iter().enumerate().map(one).collect()
    }
}

fn stays(judged: &[Judged]) -> BTreeSet<String> {
    judged.iter().filter(|judged| !judged.stays.is_empty()).map(|judged| judged.name.clone()).collect()
}

/// The same by another way: for each snapshot, whether a newer one takes its place.
fn naive(seen: &[Seen], keep: Keep) -> BTreeSet<String> {
    let sound: Vec<&Seen> = seen.iter().filter(|seen| !seen.damaged).collect();
    let key = |seen: &Seen| (seen.at, seen.name.len(), seen.name.clone());
    let day = |seen: &Seen| seen.at.as_second().div_euclid(86_400);
    // The epoch was a Thursday; weeks begin on Mondays.
    let week = |seen: &Seen| (day(seen) + 3).div_euclid(7);
    let newer = |one: &Seen| sound.iter().filter(|other| key(other) > key(one)).count();
    let period = |one: &Seen, of: &dyn Fn(&Seen) -> i64, most: u32| {
        let later: BTreeSet<i64> =
            sound.iter().map(|other| of(other)).filter(|other| *other > of(one)).collect();
        let is_last = !sound.iter().any(|other| of(other) == of(one) && key(other) > key(one));
        is_last && later.len() < most as usize
    };
    let fits = |one: &Seen| {
        one.damaged
            || newer(one) < keep.last as usize
            || period(one, &day, keep.daily)
            || period(one, &week, keep.weekly)
    };
    seen.iter().filter(|one| fits(one)).map(|one| one.name.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_policy_is_what_it_says(seen in some(), last in 0_u32..5, daily in 0_u32..9, weekly in 0_u32..6) {
        let keep = Keep { last, daily, weekly };
        let judged = judge(&seen, Some(&keep), &BTreeMap::new());
        prop_assert_eq!(judged.len(), seen.len());
        prop_assert_eq!(stays(&judged), naive(&seen, keep));
    }

    #[test]
    fn what_is_held_never_goes_and_removing_changes_no_judgement(
        seen in some(), last in 0_u32..4, daily in 0_u32..5, weekly in 0_u32..4, open in 0_u32..6,
    ) {
        let keep = Keep { last, daily, weekly };
        let runs: Vec<RunSeen> = (0..6)
            .map(|n| RunSeen { stands: if n == open { Stands::Open } else { Stands::Over }, ..over(n) })
            .collect();
        let holds = held(&seen, &runs);
        let left = stays(&judge(&seen, Some(&keep), &holds));
        for one in &seen {
            let needed = one.damaged || one.run == Some(run(open));
            prop_assert!(!needed || left.contains(&one.name));
        }
        let newest = seen.iter().filter(|one| one.verified && !one.damaged).max_by_key(|one| (one.at, one.name.len(), one.name.clone()));
        prop_assert!(newest.is_none_or(|newest| left.contains(&newest.name)));
        let rest: Vec<Seen> = seen.iter().filter(|one| left.contains(&one.name)).cloned().collect();
        prop_assert_eq!(stays(&judge(&rest, Some(&keep), &held(&rest, &runs))), left);
    }

    #[test]
    fn a_wider_policy_keeps_no_less(seen in some(), last in 0_u32..4, daily in 0_u32..5, weekly in 0_u32..4, more in 0_u32..3) {
        let keep = Keep { last, daily, weekly };
        let wider = Keep { last: last + more, daily: daily + more, weekly: weekly + more };
        let none = BTreeMap::new();
        prop_assert!(stays(&judge(&seen, Some(&keep), &none)).is_subset(&stays(&judge(&seen, Some(&wider), &none))));
    }
}
