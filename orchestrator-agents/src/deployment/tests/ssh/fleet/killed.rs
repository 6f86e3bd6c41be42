//! Whoever deploys to several hosts dies at boundaries of its journal, and goes on; what passed is undone on all of them.

use orchestrator_core::event::RunOutcome;

use super::super::journaled::Checkout;
use super::*;

fn deployed(fleet: &Fleet, version: &str) -> Value {
    let mut config = fleet.to(version, "");
    config["target"]["program"] = json!(fleet.hosts[0].at("program").display().to_string());
    config
}

/// Whether it died; then it went on, with `ends` as the outcome.
async fn died_at(
    fleet: &Fleet,
    checkout: &Checkout,
    appends: u64,
    told: bool,
    (version, ends): (&str, RunOutcome),
) -> bool {
    let config = deployed(fleet, version);
    let dead = checkout.dies_at(appends, told, &config).await;
    // A process that died has no connections.
    ops::closed(&fleet.config());
    assert!(fleet.served().iter().all(|served| served.starts_with("1.")), "{:?}", fleet.served());
    let died = dead.is_some();
    if let Some(dead) = dead {
        dead.goes_on(ends).await;
    }
    fleet.is_settled();
    died
}

/// Every so many boundaries: a deployment that passes, or one that fails on the last host and takes the first one back.
async fn dies(begin: u64, step: usize, fails: bool) {
    let fleet = tokio::task::spawn_blocking(|| Fleet::new(&["web1", "web2"])).await.unwrap();
    let checkout = Checkout::new();
    checkout.deploy(&deployed(&fleet, "1.0.0")).await;
    let mut number = 0;
    for appends in (begin..).step_by(step) {
        let mut over = false;
        for told in [true, false] {
            number += 1;
            let version = format!("1.{number}.0");
            println!("after {appends} appends, told: {told}");
            let ends = if fails { RunOutcome::Failed } else { RunOutcome::Passed };
            if fails {
                std::fs::write(fleet.hosts[1].at(&format!("home/ill-{version}")), "").unwrap();
            }
            over |= !died_at(&fleet, &checkout, appends, told, (&version, ends)).await;
            let serves = if fails { "1.0.0".to_owned() } else { version };
            assert_eq!(fleet.served(), [serves.clone(), serves]);
        }
        if over {
            break;
        }
    }
    assert!(number >= 8, "a deployment has more boundaries than these {number}");
    tokio::task::spawn_blocking(move || drop(fleet)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd; tests/run has it"]
async fn needs_sshd_a_deployment_to_hosts_that_dies_at_some_boundaries_goes_on() {
    dies(3, 9, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd; tests/run has it"]
async fn needs_sshd_a_way_back_of_hosts_that_dies_at_some_boundaries_goes_on() {
    dies(7, 9, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/run --long`"]
async fn long_a_deployment_to_hosts_that_dies_at_any_boundary_goes_on() {
    dies(0, 1, false).await;
    dies(0, 1, true).await;
}

/// The run's own rollback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd; tests/run has it"]
async fn needs_sshd_the_rollback_of_a_run_takes_all_hosts_back() {
    let fleet = tokio::task::spawn_blocking(|| Fleet::new(&["web1", "web2"])).await.unwrap();
    let checkout = Checkout::new();
    for version in ["1.0.0", "2.0.0"] {
        checkout.deploy(&deployed(&fleet, version)).await;
    }
    assert_eq!(fleet.served(), ["2.0.0", "2.0.0"]);
    checkout.roll_back(&deployed(&fleet, "2.0.0")).await;
    assert_eq!(fleet.served(), ["1.0.0", "1.0.0"]);
    fleet.is_settled();
    tokio::task::spawn_blocking(move || drop(fleet)).await.unwrap();
}
