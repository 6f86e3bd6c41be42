//! Counts, clocks and configs that make no sense.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn any_figures() -> impl Strategy<Value = Figures> {
    let number = || prop_oneof![Just(0), Just(u64::MAX), 0..1000_u64, any::<u64>()];
    let latency = prop::collection::vec((number(), number()), 0..6);
    (number(), number(), number(), latency).prop_map(|(requests, errors, gateway, latency)| Figures {
        requests,
        errors,
        gateway,
        latency,
    })
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let clock = ("[ab]", any::<u64>()).prop_map(|(boot, ms)| Clock { boot, ms });
    let counted = ("[pq]", any::<u64>(), any_figures(), prop::option::of(any_figures()))
        .prop_map(|(boot, at_ms, new, old)| Traffic::Counted(Counted { boot, at_ms, new, old }));
    let traffic = prop_oneof![
        4 => counted,
        1 => Just(Traffic::Unseen),
        1 => Just(Traffic::Unanswered { why: "no".into() }),
    ];
    let life = (any::<bool>(), any::<bool>(), any::<u64>(), any::<u64>()).prop_map(
        |(alive, supervised, restarts, rss)| Life {
            alive,
            supervised,
            restarts,
            crash_loop: false,
            rss_kib: Some(rss),
        },
    );
    (clock, traffic, prop::option::of(life)).prop_map(|(clock, traffic, process)| Sample {
        clock,
        traffic,
        health: None,
        probe: None,
        process,
        unsent: None,
        unrecorded: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is read, every number of a decision is one, and the watcher survives its round.
    #[test]
    fn no_reading_breaks_the_fold(samples in prop::collection::vec(any_sample(), 1..30)) {
        let mut watcher = Watcher::new(&WatchConfig { warm_up: 0, ..WatchConfig::default() });
        for sample in samples {
            let decision = watcher.look(&sample);
            for (name, number) in &decision.numbers {
                prop_assert!(number.is_finite() && *number >= 0.0, "{} is {}", name, number);
            }
            let carried = serde_json::to_string(&watcher).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Watcher>(&carried).unwrap(), &watcher);
            prop_assert!(carried.len() < 6000, "{} bytes are carried", carried.len());
        }
    }

    /// More errors are never a reason to keep a version longer.
    #[test]
    fn more_errors_never_help(
        seconds in prop::collection::vec((1..30_u64, 0..6_u64, 0..6_u64), 10..150),
    ) {
        let mut fewer = Told::new(json!({ "seconds": 3600 })).before(300, WELL);
        let mut more = Told::new(json!({ "seconds": 3600 })).before(300, WELL);
        for (requests, errors, extra) in seconds {
            let a = fewer.look((requests, errors.min(requests), 20_000), (0, 0, 0));
            let b = more.look((requests, (errors + extra).min(requests), 20_000), (0, 0, 0));
            let name = "errors.evidence.over";
            prop_assert!(a.numbers[name] <= b.numbers[name]);
            prop_assert!(a.verdict != Verdict::RollBack || b.verdict == Verdict::RollBack);
            if b.verdict == Verdict::RollBack {
                break;
            }
        }
    }
}

#[test]
fn a_proxy_that_began_anew_is_no_fault_of_the_version() {
    let mut told = Told::new(json!({ "seconds": 60 })).before(300, WELL);
    (0..20).for_each(|_| drop(told.look(WELL, (0, 0, 0))));
    let silent =
        Sample { traffic: Traffic::Unanswered { why: "refused".into() }, ..told.samples[19].clone() };
    let decision = told.take(silent);
    assert_eq!(decision.verdict, Verdict::Hold);
    assert_eq!(decision.told, ["the proxy did not say what it counted: refused"]);
    // It is back and counts from nothing: what it counted is all new.
    let requests = decision.numbers["stage.requests"];
    let new = Figures { requests: 7, errors: 1, gateway: 0, latency: vec![(20_000, 7)] };
    let counted = Counted { boot: "q".into(), at_ms: 1500, new, old: Some(Figures::default()) };
    let sample = Sample { traffic: Traffic::Counted(counted), ..told.samples[19].clone() };
    let decision = told.take(sample);
    assert!((decision.numbers["stage.requests"] - requests - 7.0).abs() < 1e-9, "{decision:?}");
    assert_eq!(decision.verdict, Verdict::Hold);
}

#[test]
fn time_that_nobody_watched_does_not_count() {
    let mut told = Told::new(json!({ "seconds": 60 })).before(300, WELL);
    told.look(WELL, (0, 0, 0));
    // The run was stopped for an hour.
    told.second += 3600;
    let decision = told.look((36_000, 0, 20_000), (0, 0, 0));
    assert_eq!(decision.verdict, Verdict::Hold);
    assert!((decision.numbers["seconds"] - 10.0).abs() < 1e-9, "{decision:?}");
    // A clock that goes back, and a machine that was started again.
    let mut back = told.samples[0].clone();
    let before = told.take(back.clone()).numbers["seconds"];
    back.clock = Clock { boot: "other".into(), ms: 5 };
    assert!(told.take(back).numbers["seconds"] <= before + 10.0);
}

#[test]
fn configs_are_checked_when_they_are_read() {
    let wrong =
        |config: serde_json::Value| serde_json::from_value::<WatchConfig>(config).unwrap_err().to_string();
    assert!(wrong(json!({ "objective": 1 })).contains("so 1 % is 0.01"));
    assert!(
        wrong(json!({ "guards": { "error_rate": { "over": 0.01, "for": 0 } } })).contains("time in seconds")
    );
    assert!(wrong(json!({ "canari": [5] })).contains("unknown field"));
    let config: WatchConfig = serde_json::from_value(json!({
        "seconds": 300, "canary": [5, 25], "slower": null,
        "guards": { "error_rate": null, "p95_ms": { "over": 800, "for": 120 } },
    }))
    .unwrap();
    assert!(config.slower.is_none() && config.guards.error_rate.is_none());
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<WatchConfig>(&text).unwrap(), config);
}

#[test]
fn steps_of_a_canary_ascend() {
    let read = |canary: serde_json::Value| serde_json::from_value::<WatchConfig>(json!({ "canary": canary }));
    for good in [json!([]), json!([1, 99]), json!([5, 25, 50])] {
        read(good).unwrap();
    }
    for (bad, why) in [
        (json!([25, 5]), "`canary` goes from 25 % to 5 %: each step is more than the one before"),
        (json!([5, 5]), "`canary` goes from 5 % to 5 %: each step is more than the one before"),
        (json!([0, 5]), "`canary` has a step of 0 %: each is from 1 to 99, and 100 comes by itself"),
        (json!([5, 100]), "`canary` has a step of 100 %: each is from 1 to 99, and 100 comes by itself"),
        (json!((1..=21).collect::<Vec<u32>>()), "`canary` has 21 steps; at most 20 are taken"),
    ] {
        assert!(read(bad).unwrap_err().to_string().starts_with(why), "{why}");
    }
}
