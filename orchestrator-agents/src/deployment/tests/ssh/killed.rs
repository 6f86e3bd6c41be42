//! Whoever deploys dies at boundaries of its journal, and goes on.

use orchestrator_core::event::RunOutcome;

use super::journaled::Checkout;
use super::*;

fn deployed(host: &Host, version: &str) -> Value {
    let mut config = to(host, version, "");
    config["target"]["program"] = json!(host.at("program").display().to_string());
    config
}

/// Whether it died; then it went on.
async fn died_at(host: &Host, checkout: &Checkout, appends: u64, told: bool, version: &str) -> bool {
    let config = deployed(host, version);
    let dead = checkout.dies_at(appends, told, &config).await;
    // A process that died has no connections.
    ops::closed(&host.config());
    let serving = host.current().unwrap();
    assert!(get(&format!("{}/hello", serving.1)).starts_with("hello from 1."));
    let died = dead.is_some();
    if let Some(dead) = dead {
        dead.goes_on(RunOutcome::Passed).await;
    }
    assert_eq!(host.alive(), [version]);
    assert!(!host.state().join("deploy/production/claim.json").exists());
    died
}

async fn dies(begin: u64, step: usize) {
    let host = tokio::task::spawn_blocking(Host::new).await.unwrap();
    let checkout = Checkout::new();
    checkout.deploy(&deployed(&host, "1.0.0")).await;
    let mut number = 0;
    for appends in (begin..).step_by(step) {
        let mut over = false;
        for told in [true, false] {
            number += 1;
            println!("after {appends} appends, told: {told}");
            over |= !died_at(&host, &checkout, appends, told, &format!("1.{number}.0")).await;
        }
        if over {
            break;
        }
    }
    assert!(number >= 8, "a deployment has more boundaries than these {number}");
    tokio::task::spawn_blocking(move || drop(host)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd; tests/run has it"]
async fn needs_sshd_a_deployment_that_dies_at_some_boundaries_goes_on() {
    dies(2, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/run --long`"]
async fn long_a_deployment_to_a_host_that_dies_at_any_boundary_goes_on() {
    dies(0, 1).await;
}
