//! What is pure: plans, mixes, schedules, versions.

use std::time::Duration;

use proptest::prelude::*;

use super::super::plan::Arrivals;
use super::super::schedule::Schedule;
use super::super::{Kind, LoadError, Mix, Plan, Shape, VersionFrom, run};

fn times(plan: &Plan) -> Vec<Duration> {
    Schedule::new(plan).collect()
}

#[test]
fn even_arrivals_are_the_same_time_apart() {
    let plan = Plan { requests: Some(5), ..Plan::new("", 4.0) };
    let wanted: Vec<_> = [0, 250, 500, 750, 1000].into_iter().map(Duration::from_millis).collect();
    assert_eq!(times(&plan), wanted);
    assert_eq!(times(&Plan { duration_ms: Some(600), ..plan }).len(), 3);
    let many = Plan { requests: Some(1_000_001), ..Plan::new("", 3.0) };
    assert_eq!(Schedule::new(&many).last(), Some(Duration::from_secs_f64(1_000_000.0 / 3.0)));
}

#[test]
fn random_arrivals_are_those_of_their_seed_and_rate() {
    let plan = Plan { arrivals: Arrivals::Poisson, requests: Some(20_000), seed: 3, ..Plan::new("", 100.0) };
    let one = times(&plan);
    assert_eq!(one, times(&plan));
    assert_ne!(one, times(&Plan { seed: 4, ..plan.clone() }));
    assert!(one.is_sorted());
    // 20,000 arrivals at 100/s take 200 s, give or take 1.4 s (one standard deviation).
    let took = one.last().unwrap().as_secs_f64();
    assert!((190.0..210.0).contains(&took), "{took}");
    // Of a Poisson process' gaps, 1 in e is longer than the mean.
    let long = one.windows(2).filter(|pair| pair[1].abs_diff(pair[0]) > Duration::from_millis(10)).count();
    assert!((6_900..7_900).contains(&long), "{long}");
}

#[test]
fn mixes_are_read_and_refused() {
    assert_eq!(Mix::named("keep-alive"), Some(Mix::default()));
    assert_eq!(Mix::named("mixed"), Some(Mix::mixed()));
    let named = Mix::named("keep-alive=70, uploads=5").unwrap();
    assert_eq!(named.shapes, [Shape::of(Kind::KeepAlive, 70), Shape::of(Kind::Uploads, 5)]);
    for no in ["", "mix.json", "keep-alive=", "keep-alive=-1", "fast=1"] {
        assert_eq!(Mix::named(no), None, "{no}");
    }
    let json = r#"[{"kind": "uploads", "weight": 3, "bytes": 100, "path": "/in"}]"#;
    let mix: Mix = serde_json::from_str(json).unwrap();
    assert_eq!((mix.shapes[0].bytes(), mix.check()), (100, Ok(())));
    for (wrong, why) in [
        ("[]", "1 to 32"),
        (r#"[{"kind": "slow", "weight": 0}]"#, "all weights"),
        (r#"[{"kind": "slow", "bytes": 1}]"#, "`bytes` means nothing for `slow`"),
        (r#"[{"kind": "uploads", "bytes": 0}]"#, "out of bounds"),
        (r#"[{"kind": "websockets", "bytes": 70000}]"#, "out of bounds"),
        (r#"[{"kind": "slow", "path": "slow"}]"#, "does not begin with `/`"),
    ] {
        let mix: Mix = serde_json::from_str(wrong).unwrap();
        assert!(mix.check().unwrap_err().contains(why), "{wrong}: {:?}", mix.check());
    }
    assert!(serde_json::from_str::<Mix>(r#"[{"kind": "slow", "wait": 1}]"#).is_err());
}

proptest! {
    #[test]
    fn shares_are_those_of_the_weights(weights in proptest::collection::vec(0..20_u32, 1..6)) {
        prop_assume!(weights.iter().sum::<u32>() > 0);
        let mix = Mix { shapes: weights.iter().map(|weight| Shape::of(Kind::KeepAlive, *weight)).collect() };
        let mut counts = vec![0; weights.len()];
        for random in 0..u64::from(weights.iter().sum::<u32>()) * 3 {
            counts[mix.pick(random)] += 1;
        }
        prop_assert_eq!(counts, weights.iter().map(|weight| weight * 3).collect::<Vec<_>>());
    }
}

#[test]
fn versions_are_found_where_they_stand() {
    let from: VersionFrom = "json:/build/0".parse().unwrap();
    assert_eq!(from.of_body(br#"{"build": ["1\u001b[2J"]}"#).as_deref(), Some("1[2J"));
    assert_eq!((from.of_body(b"{"), from.of_body(br#"{"build": [{}]}"#)), (None, None));
    assert_eq!(from.to_string(), "json:/build/0");
    for no in ["x", "header:", "header:a b", "json:version", "cookie:x"] {
        assert!(no.parse::<VersionFrom>().is_err(), "{no}");
    }
}

#[tokio::test]
async fn plans_that_make_no_sense_are_refused() {
    let good = || Plan { requests: Some(1), ..Plan::new("http://127.0.0.1:9/", 1.0) };
    for (plan, why) in [
        (Plan { rate: 0.0, ..good() }, "a rate of 0"),
        (Plan { rate: f64::NAN, ..good() }, "a rate of NaN"),
        (Plan { rate: 1e9, ..good() }, "out of bounds"),
        (Plan { connections: 0, ..good() }, "0 connections"),
        (Plan { connections: 1_000_000, ..good() }, "connections are out of bounds"),
        (Plan { requests: Some(0), ..good() }, "number of requests"),
        (Plan { duration_ms: Some(0), ..good() }, "duration"),
        (Plan { timeout_ms: 0, ..good() }, "timeout"),
        (Plan { expect_status: vec![99], ..good() }, "`99` is no status"),
        (Plan { url: "ftp://127.0.0.1/".into(), ..good() }, "only `http://` and `https://`"),
        (Plan { url: "127.0.0.1:80".into(), ..good() }, "only `http://`"),
        (Plan { url: "http://user:secret@127.0.0.1/".into(), ..good() }, "password"),
        (Plan { url: "http://[::1/".into(), ..good() }, "no URL"),
        (Plan { url: "http://192.0.2.1/".into(), ..good() }, "which is not this machine"),
        (Plan { url: "http://[2001:db8::1]:80/".into(), ..good() }, "which is not this machine"),
        (Plan { url: "http://0.0.0.0/".into(), ..good() }, "which is not this machine"),
        // Longer than a label may be: nobody is asked.
        (Plan { url: format!("http://{}/", "x".repeat(70)), ..good() }, "cannot be found"),
    ] {
        let error = run(plan.clone(), std::future::pending()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{}: {error}", plan.url);
        let refused =
            matches!(error, LoadError::Plan(_) | LoadError::Remote { .. } | LoadError::Unknown { .. });
        assert!(refused, "{error:?}");
    }
}
