//! Counts what came of requests, in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::bound::upper_bound;
use super::failure::{FailureKind, OwnLimit, Trouble};
use super::plan::Plan;
use super::summary::{Client, Example, Overlap, ShapeSummary, Summary, Times, VersionSummary};

/// Failures that are shown.
const EXAMPLES: usize = 20;
/// Versions that are told apart; later ones count together.
const VERSIONS: usize = 64;
const OTHERS: &str = "(others)";
/// The longest time that is told apart, in microseconds: two hours.
const LONGEST: u64 = 7_200_000_000;
/// How late a client may be, for 99 of 100 requests, before its figures are called its own.
const LATE: u64 = 10_000;

/// One request that is over. Times are from the start of the load.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) shape: usize,
    pub(super) due: Duration,
    pub(super) lag: Duration,
    pub(super) sent: Duration,
    pub(super) ended: Duration,
    /// When the head of the answer was there, and the version that it names.
    pub(super) head: Option<Duration>,
    pub(super) version: Option<String>,
    pub(super) reused: bool,
    pub(super) moved: u64,
    pub(super) bytes: u64,
    pub(super) result: Result<(), Trouble>,
}

/// Counts of one load.
#[derive(Debug)]
pub(super) struct Tally {
    latency: Histogram<u64>,
    service: Histogram<u64>,
    lag: Histogram<u64>,
    shapes: Vec<ShapeTally>,
    failures: BTreeMap<FailureKind, u64>,
    limits: BTreeMap<OwnLimit, u64>,
    versions: Vec<VersionSummary>,
    examples: Vec<Example>,
    failed_reused: u64,
    moved: u64,
    bytes: u64,
    last_sent: Duration,
}

#[derive(Debug)]
struct ShapeTally {
    name: String,
    answered: u64,
    failed: u64,
    latency: Histogram<u64>,
    service: Histogram<u64>,
}

/// What only the loop knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Loop {
    pub(super) started: String,
    pub(super) took: Duration,
    pub(super) stopped: bool,
    pub(super) over: bool,
    pub(super) due: u64,
    pub(super) waited: u64,
    pub(super) abandoned: u64,
    /// Under way.
    pub(super) busy: u64,
    pub(super) connections: u64,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order and three digits are allowed")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn times(histogram: &Histogram<u64>) -> Times {
    if histogram.is_empty() {
        return Times::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    Times {
        count: histogram.len(),
        mean_us: (histogram.mean() * 10.0).round() / 10.0,
        p50_us: at(0.5),
        p95_us: at(0.95),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: histogram.max(),
    }
}

impl Tally {
    pub(super) fn new(plan: &Plan) -> Self {
        let shape =
            |name| ShapeTally { name, answered: 0, failed: 0, latency: histogram(), service: histogram() };
        Self {
            latency: histogram(),
            service: histogram(),
            lag: histogram(),
            shapes: plan.mix.names().into_iter().map(shape).collect(),
            failures: BTreeMap::new(),
            limits: BTreeMap::new(),
            versions: Vec::new(),
            examples: Vec::new(),
            failed_reused: 0,
            moved: 0,
            bytes: 0,
            last_sent: Duration::ZERO,
        }
    }

    pub(super) fn count(&mut self, done: Done) {
        self.lag.saturating_record(micros(done.lag));
        let failed = match &done.result {
            Err(Trouble::Own(limit)) => {
                *self.limits.entry(*limit).or_default() += 1;
                return;
            }
            Err(Trouble::Failed { kind, .. }) => Some(*kind),
            Ok(()) => None,
        };
        self.last_sent = self.last_sent.max(done.sent);
        self.moved += done.moved;
        self.bytes += done.bytes;
        let latency = micros(done.ended.saturating_sub(done.due));
        let service = micros(done.ended.saturating_sub(done.sent));
        let shape = &mut self.shapes[done.shape];
        // What was refused took no time that says anything.
        if done.head.is_some() || failed == Some(FailureKind::Timeout) {
            for (histogram, time) in [
                (&mut self.latency, latency),
                (&mut shape.latency, latency),
                (&mut self.service, service),
                (&mut shape.service, service),
            ] {
                histogram.saturating_record(time);
            }
        }
        match failed {
            None => shape.answered += 1,
            Some(_) => shape.failed += 1,
        }
        self.fail(&done);
        self.see(&done, failed);
    }

    /// One that was never sent: it waited that long for a free connection.
    pub(super) fn unsent(&mut self, waited: Duration) {
        self.latency.saturating_record(micros(waited));
    }

    fn fail(&mut self, done: &Done) {
        let Err(Trouble::Failed { kind, what }) = &done.result else { return };
        *self.failures.entry(*kind).or_default() += 1;
        self.failed_reused += u64::from(done.reused);
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example {
                sent_ms: millis(done.sent),
                failed_ms: millis(done.ended),
                shape: self.shapes[done.shape].name.clone(),
                kind: *kind,
                what: what.chars().filter(|c| !c.is_control()).take(200).collect(),
            });
        }
    }

    fn see(&mut self, done: &Done, failed: Option<FailureKind>) {
        let (Some(version), Some(head)) = (&done.version, done.head) else { return };
        let known = |name: &str, list: &[VersionSummary]| list.iter().position(|seen| seen.version == name);
        let at = known(version, &self.versions).or_else(|| {
            let name = if self.versions.len() < VERSIONS { version } else { OTHERS };
            known(name, &self.versions)
        });
        let seen = if let Some(at) = at {
            &mut self.versions[at]
        } else {
            let name = if self.versions.len() < VERSIONS { version } else { OTHERS };
            let new = VersionSummary {
                version: name.to_owned(),
                answered: 0,
                failed: 0,
                wrong: 0,
                first_ms: millis(head),
                last_ms: millis(head),
                last_sent_ms: millis(done.sent),
            };
            self.versions.push(new);
            self.versions.last_mut().expect("it was just added")
        };
        match failed {
            None => seen.answered += 1,
            Some(kind) => {
                seen.failed += 1;
                // What was cut or came too late is not the version's own: a switch may have done that.
                seen.wrong += u64::from(matches!(kind, FailureKind::Status | FailureKind::Content));
            }
        }
        seen.first_ms = seen.first_ms.min(millis(head));
        seen.last_ms = seen.last_ms.max(millis(head));
        seen.last_sent_ms = seen.last_sent_ms.max(millis(done.sent));
    }

    /// The summary of all that was counted.
    pub(super) fn sum(&self, plan: Plan, end: Loop) -> Summary {
        let sums = self.shapes.iter().map(|shape| (shape.answered, shape.failed));
        let (answered, failed) = sums.fold((0, 0), |(a, f), (answered, failed)| (a + answered, f + failed));
        let ended = answered + failed;
        let sent = ended + end.abandoned + end.busy;
        let limited: u64 = self.limits.values().sum();
        let mut versions = self.versions.clone();
        versions.sort_by(|one, other| one.first_ms.total_cmp(&other.first_ms));
        let mut client = Client {
            lag: times(&self.lag),
            waited: end.waited,
            unsent: end.due.saturating_sub(sent + limited),
            abandoned: end.abandoned,
            limits: self.limits.clone(),
            moved: self.moved,
            connections: end.connections,
            kept_up: true,
            remarks: Vec::new(),
        };
        client.remarks = remarks(&client, plan.connections);
        client.kept_up = client.remarks.is_empty();
        let over = self.last_sent.as_secs_f64();
        let shape = |shape: &ShapeTally| {
            let ShapeTally { name, answered, failed, latency, service } = shape;
            let (latency, service) = (times(latency), times(service));
            (name.clone(), ShapeSummary { answered: *answered, failed: *failed, latency, service })
        };
        Summary {
            started: end.started,
            took_ms: u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
            stopped: end.stopped,
            over: end.over,
            due: end.due,
            sent,
            answered,
            failed,
            failures: self.failures.clone(),
            failed_reused: self.failed_reused,
            failure_bound: upper_bound(failed, ended),
            // The first is sent at once: so many gaps, one less than requests. When others were sent is not known here.
            rate: if ended > 1 && over > 0.0 { (ended - 1) as f64 / over } else { 0.0 },
            latency: times(&self.latency),
            service: times(&self.service),
            bytes: self.bytes,
            shapes: self.shapes.iter().map(shape).collect(),
            overlaps: overlaps(&versions),
            versions,
            client,
            examples: self.examples.clone(),
            plan,
        }
    }
}

fn remarks(client: &Client, connections: u32) -> Vec<String> {
    let mut remarks = Vec::new();
    if client.lag.p99_us > LATE {
        remarks.push(format!(
            "the client itself sent late, by {:.1} ms for 1 of 100 requests: what it measured is partly its own; want a lower rate",
            client.lag.p99_us as f64 / 1e3
        ));
    }
    if client.unsent > 0 {
        remarks.push(format!(
            "{} requests were due and not sent: all {connections} connections were busy; the server is slower than the rate, or \
             more connections are needed",
            client.unsent
        ));
    }
    for (limit, count) in &client.limits {
        remarks.push(match limit {
            OwnLimit::Files => format!("{count} requests were not sent: this process may open no more files; raise `ulimit -n`"),
            OwnLimit::Ports => format!(
                "{count} requests were not sent: all ports of this machine towards the server are taken; want fewer new connections"
            ),
            OwnLimit::Memory => format!("{count} requests were not sent: no memory for more sockets on this machine"),
        });
    }
    remarks
}

fn overlaps(versions: &[VersionSummary]) -> Vec<Overlap> {
    let pair = |pair: &[VersionSummary]| Overlap {
        from: pair[0].version.clone(),
        to: pair[1].version.clone(),
        answers_ms: ((pair[0].last_ms - pair[1].first_ms) * 1e3).round() / 1e3,
        sent_ms: ((pair[0].last_sent_ms - pair[1].first_ms) * 1e3).round() / 1e3,
    };
    versions.windows(2).map(pair).collect()
}
