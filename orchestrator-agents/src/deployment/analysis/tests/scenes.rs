//! Scenes: what befalls versions, and what comes of it.

use serde_json::json;

use super::*;

const NOTHING: Second = (0, 0, 0);

fn hour() -> serde_json::Value {
    json!({ "seconds": 3600 })
}

#[test]
fn a_good_version_is_promoted_when_its_time_is_over() {
    let mut told = Told::new(json!({ "seconds": 60 })).before(300, WELL);
    told.look(NOTHING, NOTHING);
    let (second, decision) = told.until(600, WELL);
    assert_eq!((second, decision.verdict), (60, Verdict::Promote), "{decision:?}");
    assert_eq!(decision.why, "0 of 550 requests failed, and nothing else spoke against it");
    assert!((decision.numbers["stage.requests"] - 600.0).abs() < 1e-9, "{decision:?}");
}

#[test]
fn a_canary_goes_on_step_by_step() {
    let mut told =
        Told::new(json!({ "seconds": 30, "canary": [5, 25], "step_seconds": 10 })).before(300, WELL);
    let mut steps = Vec::new();
    told.look(NOTHING, NOTHING);
    for second in 1..100 {
        let percent = u64::from(told.watcher.percent());
        let decision = told.look((percent, 0, 20_000), (100 - percent, 0, 20_000));
        if decision.verdict != Verdict::Hold {
            assert!((decision.numbers["stage.percent"] - percent as f64).abs() < 1e-9);
            steps.push((second, decision.verdict, told.watcher.percent()));
        }
        if decision.verdict == Verdict::Promote {
            break;
        }
    }
    let (step, promote) = (Verdict::Step, Verdict::Promote);
    assert_eq!(steps, [(10, step, 25), (20, step, 100), (50, promote, 100)]);
}

/// Changes the looks that follow.
type Fault = fn(&mut Sample);

#[test]
fn hard_guards_count_from_the_first_look_on() {
    let sick = |sample: &mut Sample| sample.health.as_mut().unwrap().wrong = Some("status 503".into());
    let mut told = Told::new(hour()).before(300, WELL);
    told.so(sick);
    let (second, decision) = told.until(60, WELL);
    assert_eq!((second, decision.verdict), (3, Verdict::RollBack));
    assert_eq!(decision.why, "3 health checks failed one after the other (/health: status 503)");

    // Healthy for long, then gone, crashing, or heavy.
    let faults: [(Fault, &str); 5] = [
        (|sample| sample.process.as_mut().unwrap().alive = false, "its process ended"),
        (|sample| sample.process.as_mut().unwrap().crash_loop = true, "it crashed again and again"),
        (|sample| sample.process.as_mut().unwrap().restarts = 3, "it was started again 3 times"),
        (|sample| sample.process.as_mut().unwrap().rss_kib = Some(600 << 10), "it uses 600 MiB"),
        (
            |sample| {
                let wrong = Some("status 500".into());
                sample.probe = Some(Answered { what: "list".into(), wrong, latency_ms: None });
            },
            "3 probes failed one after the other (list: status 500)",
        ),
    ];
    for (fault, why) in faults {
        let mut told = Told::new(json!({ "seconds": 3600, "guards": { "rss_mb": 512 } })).before(300, WELL);
        assert_eq!(told.until(100, WELL).1.verdict, Verdict::Hold);
        told.so(fault);
        let (second, decision) = told.until(10, WELL);
        assert!(second <= 3 && decision.verdict == Verdict::RollBack, "{decision:?}");
        assert!(decision.why.starts_with(why), "{decision:?}");
    }
}

#[test]
fn an_outage_from_the_switch_on_is_found_at_the_second_look() {
    // The first look comes a second after the switch.
    let mut told = Told::new(hour()).before(300, WELL);
    let (second, decision) = told.until(60, (10, 10, 20_000));
    assert_eq!((second, decision.verdict), (2, Verdict::RollBack), "{decision:?}");
    assert_eq!(decision.why, "all of 20 requests failed in 2 looks one after the other");
}

#[test]
fn what_was_restarted_before_the_watch_does_not_count() {
    let mut told = Told::new(hour());
    told.so(|sample| {
        *sample.process.as_mut().unwrap() =
            Life { alive: true, supervised: true, restarts: 7, ..Life::default() };
    });
    assert_eq!(told.until(20, WELL).1.verdict, Verdict::Hold);
    // Down, but somebody starts it again.
    told.so(|sample| sample.process.as_mut().unwrap().alive = false);
    assert_eq!(told.until(2, WELL).1.verdict, Verdict::Hold);
}

#[test]
fn bad_versions_go_back_soon_whenever_they_turn_bad() {
    for healthy in [10, 1800] {
        for (name, bad, most) in [
            ("outage", (10, 10, 20_000), 3),
            ("a fifth fails", (10, 2, 20_000), 12),
            ("slow", (10, 0, 80_000), 30),
        ] {
            let mut told = Told::new(hour()).before(300, (20, 0, 20_000));
            let (_, decision) = told.until(healthy, WELL);
            assert_eq!(decision.verdict, Verdict::Hold, "{name} {decision:?}");
            let (second, decision) = told.until(100, bad);
            assert_eq!(decision.verdict, Verdict::RollBack, "{name} after {healthy}: {decision:?}");
            assert!(second <= most, "{name} after {healthy}: {second} {decision:?}");
        }
    }
}

#[test]
fn a_version_as_bad_as_the_one_before_stays() {
    // 3 % fail, as before; then 30 %.
    let bad = |told: &mut Told, seconds: u64, errors: u64| {
        (0..seconds).map(|_| told.look((100, errors, 20_000), NOTHING)).last().unwrap()
    };
    let mut told = Told::new(json!({ "seconds": 600 })).before(600, (100, 3, 20_000));
    let decision = bad(&mut told, 600, 3);
    assert_eq!(decision.verdict, Verdict::Hold, "{decision:?}");
    assert!(decision.told[0].contains("going back would not help"), "{decision:?}");
    assert_eq!(bad(&mut told, 10, 30).verdict, Verdict::RollBack);

    // Where nothing is known of a version before, the objective alone counts.
    assert_eq!(bad(&mut Told::new(json!({ "seconds": 600 })), 600, 3).verdict, Verdict::RollBack);
}

#[test]
fn a_database_that_fails_both_sends_nobody_back() {
    let config = json!({ "seconds": 3600, "canary": [50], "step_seconds": 3600 });
    let mut told = Told::new(config).before(300, (50, 0, 20_000));
    for _ in 0..100 {
        assert_eq!(told.look((50, 0, 20_000), (50, 0, 20_000)).verdict, Verdict::Hold);
    }
    for second in 0..120 {
        let decision = told.look((50, 20, 20_000), (50, 20, 20_000));
        assert_eq!(decision.verdict, Verdict::Hold, "{second}: {decision:?}");
    }
    // All of both fail: no outage of the new one.
    for _ in 0..20 {
        assert_eq!(told.look((50, 50, 20_000), (50, 50, 20_000)).verdict, Verdict::Hold);
    }
}

#[test]
fn one_burst_proves_nothing() {
    let mut told = Told::new(hour()).before(300, WELL);
    told.until(60, WELL);
    // All requests of one second, and of the next one half.
    assert_eq!(told.look((10, 10, 20_000), NOTHING).verdict, Verdict::Hold);
    let (_, decision) = told.until(1000, WELL);
    assert_eq!(decision.verdict, Verdict::Hold, "{decision:?}");
    // A large one too: a client that fails a thousand times at once.
    assert_eq!(told.look((1000, 1000, 20_000), NOTHING).verdict, Verdict::Hold);
    let (_, decision) = told.until(1000, WELL);
    assert_eq!(decision.verdict, Verdict::Hold, "{decision:?}");
}

#[test]
fn a_cold_start_may_be_slow_and_fail() {
    let config = json!({ "seconds": 60, "warm_up": 20 });
    let mut told = Told::new(config).before(300, WELL);
    told.look(NOTHING, NOTHING);
    for _ in 0..19 {
        assert_eq!(told.look((10, 3, 900_000), NOTHING).verdict, Verdict::Hold);
    }
    assert_eq!(told.until(100, WELL).1.verdict, Verdict::Promote);
}

#[test]
fn silence_promotes_nobody_and_sends_nobody_back() {
    let mut told = Told::new(json!({ "seconds": 60 })).before(300, WELL);
    told.look(NOTHING, NOTHING);
    let (second, decision) = told.until(1000, NOTHING);
    assert_eq!((second, decision.verdict), (180, Verdict::Inconclusive));
    assert_eq!(decision.why, "too little traffic to tell: 0 requests, and 100 are needed");
    // A guard still counts, and traffic still tells.
    let mut later = Told { watcher: told.watcher.clone(), ..told };
    let decisions: Vec<Verdict> = (0..10).map(|_| later.look(WELL, NOTHING).verdict).collect();
    assert_eq!(decisions[9], Verdict::Promote, "{decisions:?}");

    let mut told = Told::new(json!({ "seconds": 60, "max_hold": 90, "on_inconclusive": "fail" }));
    told.look(NOTHING, NOTHING);
    let (second, decision) = told.until(1000, (1, 0, 20_000));
    assert_eq!((second, decision.verdict), (90, Verdict::RollBack));
    assert_eq!(decision.why, "it could not be told within 90 s");
}

#[test]
fn without_a_proxy_health_alone_counts_and_that_is_said() {
    let mut told = Told::new(json!({ "seconds": 60 }));
    let mut verdicts = Vec::new();
    for second in 0..=60 {
        let mut sample = told.next.clone();
        sample.clock.ms = second * 1000;
        verdicts.push(told.take(sample));
    }
    assert!(verdicts[..60].iter().all(|decision| decision.verdict == Verdict::Hold));
    assert_eq!(verdicts[60].verdict, Verdict::Promote);
    assert!(verdicts[60].why.contains("its traffic was not watched"), "{:?}", verdicts[60]);
}

#[test]
fn a_shadow_only_tells() {
    let mut told = Told::new(json!({ "seconds": 60, "shadow": true })).before(300, WELL);
    told.look(NOTHING, NOTHING);
    let (second, decision) = told.until(600, (10, 10, 20_000));
    assert_eq!((second, decision.verdict), (60, Verdict::Promote), "{decision:?}");
    assert_eq!(decision.would, Some(Verdict::RollBack));
    assert!(decision.why.starts_with("only told: roll back, since all of "), "{decision:?}");
}

#[test]
fn a_leak_is_told() {
    let mut told = Told::new(json!({ "seconds": 600 })).before(300, WELL);
    for second in 0..200 {
        told.so(|sample| sample.process.as_mut().unwrap().rss_kib = Some((100 + second) << 10));
        assert_eq!(told.look(WELL, NOTHING).verdict, Verdict::Hold);
    }
    let decision = told.look(WELL, NOTHING);
    assert_eq!(decision.told, ["its memory keeps growing"]);
    assert!((decision.numbers["leak_mib_per_hour"] - 3600.0).abs() < 1.0, "{decision:?}");
}

/// Only where a guard says so, by the bound and not by the slope, and not by what a start takes.
#[test]
fn a_leak_beyond_its_guard_goes_back() {
    let grows = |guard: u64, kib: u64| {
        let guards = json!({ "leak_mb_per_hour": guard });
        let mut told = Told::new(json!({ "seconds": 600, "warm_up": 5, "guards": guards })).before(300, WELL);
        (0..300).find_map(|second| {
            let start = if second < 5 { second * 20_000 } else { 100_000 };
            told.so(|sample| {
                sample.process.as_mut().unwrap().rss_kib = Some((100 << 10) + start + second * kib);
            });
            let decision = told.look(WELL, NOTHING);
            (decision.verdict == Verdict::RollBack).then_some((second, decision.why))
        })
    };
    let (second, why) = grows(1000, 1024).unwrap();
    assert!((60..80).contains(&second), "{second}");
    assert!(
        why.starts_with("its memory keeps growing by at least 3") && why.ends_with("1000 are allowed"),
        "{why}"
    );
    assert_eq!(grows(4000, 1024), None);
    assert_eq!(grows(1, 0), None, "what the start took is no leak");
}

/// Where few requests of the version before are known, its upper bound is far over what is allowed: that is no leave to fail.
#[test]
fn errors_over_the_objective_are_not_promoted_because_little_is_known_before() {
    for (every, bad) in [(8, 1), (12, 1)] {
        let mut told = Told::new(json!({ "seconds": 60 })).before(10, WELL);
        told.look(NOTHING, NOTHING);
        let mut last = None;
        for second in 1..=180 {
            let decision = told.look((2, if second % every == 0 { bad } else { 0 }, 20_000), NOTHING);
            assert!(
                matches!(decision.verdict, Verdict::Hold | Verdict::Inconclusive),
                "{second}: {decision:?}"
            );
            if second == 60 {
                assert_eq!(decision.why, "it looks worse than it should, which is not proven yet");
            }
            last = Some(decision);
        }
        assert_eq!(last.unwrap().verdict, Verdict::Inconclusive);
    }
    // One that is over it by chance alone, and no more than the one before was, is promoted.
    let mut told = Told::new(json!({ "seconds": 60 })).before(30, (10, 1, 20_000));
    told.look(NOTHING, NOTHING);
    let mut verdict = Verdict::Hold;
    for second in 1..=60 {
        verdict = told.look((10, u64::from(second % 2 == 0), 20_000), NOTHING).verdict;
    }
    assert_eq!(verdict, Verdict::Promote);
}

/// A proxy that does not say what it counted when the time is over holds the version; what it says then counts.
#[test]
fn nothing_is_promoted_while_nobody_sees_its_traffic() {
    let mut told = Told::new(json!({ "seconds": 60 })).before(300, WELL);
    (0..20).for_each(|_| drop(told.look(WELL, NOTHING)));
    for _ in 20..90 {
        let mut silent = told.next.clone();
        silent.clock.ms += told.second * 1000;
        silent.traffic = Traffic::Unanswered { why: "stuck".into() };
        assert_eq!(told.take(silent).verdict, Verdict::Hold);
    }
    assert_eq!(
        told.decisions.last().unwrap().why,
        "the proxy has not said for 70 s what came of its requests"
    );
    assert_eq!(told.look(WELL, NOTHING).verdict, Verdict::Promote);
}
