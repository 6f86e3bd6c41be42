//! Loads in this process, and figures of several rounds.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread::JoinHandle;

use orchestrator_traffic::load::{Mix, Plan, Summary, run};

/// A plan for the server there: its answers name their versions.
pub(crate) fn plan(address: SocketAddr, rate: f64, mix: Mix) -> Plan {
    let version_from = "header:x-version".parse().expect("it is a header");
    Plan {
        mix,
        version_from: Some(version_from),
        connections: 512,
        ..Plan::new(format!("http://{address}/"), rate)
    }
}

/// Loads to the end.
pub(crate) fn load(plan: Plan) -> Summary {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime
        .expect("a runtime starts")
        .block_on(run(plan, std::future::pending()))
        .expect("the plan can be done")
}

/// Loads beside what the bench does meanwhile.
pub(crate) fn beside(plan: Plan) -> JoinHandle<Summary> {
    std::thread::spawn(move || load(plan))
}

/// Measures of one thing in several rounds.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Mutex<Vec<f64>>);

impl Rounds {
    pub(crate) fn add(&self, value: f64) {
        self.0.lock().expect("nobody panics with it").push(value);
    }

    /// The differences to others of the same rounds.
    pub(crate) fn less(&self, other: &Self) -> Self {
        let own = self.0.lock().expect("nobody panics with it").clone();
        // The two may be one.
        let other = other.0.lock().expect("nobody panics with it").clone();
        Self(Mutex::new(own.iter().zip(&other).map(|(own, other)| own - other).collect()))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut all = self.0.lock().expect("nobody panics with it").clone();
        all.sort_by(f64::total_cmp);
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sorted().is_empty()
    }

    pub(crate) fn median(&self) -> f64 {
        let all = self.sorted();
        if all.is_empty() { f64::NAN } else { all[all.len() / 2] }
    }

    pub(crate) fn range(&self) -> (f64, f64) {
        let all = self.sorted();
        (all.first().copied().unwrap_or(f64::NAN), all.last().copied().unwrap_or(f64::NAN))
    }
}

/// What a load came to, in one line; its failures and remarks too.
pub(crate) fn told(summary: &Summary) -> String {
    let Summary { sent, answered, failed, failure_bound, latency, client, failures, .. } = summary;
    let mut text = format!(
        "failed {failed} of {} (95 % bound {failure_bound:.2e}), sent {sent}, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.1} ms",
        answered + failed,
        latency.p50_us as f64 / 1e3,
        latency.p99_us as f64 / 1e3,
        latency.p999_us as f64 / 1e3,
        latency.max_us as f64 / 1e3
    );
    for (kind, count) in failures {
        let _ = write!(text, ", {kind:?} {count}");
    }
    for remark in &client.remarks {
        let _ = write!(text, "\n    note: {remark}");
    }
    text
}
