//! A service and its clients, simulated second by second, and the whole rule that watches it. The rule is the shipped one: the first look is
//! a real sample with a histogram of the version before, each later one is a fold over what came in a second.

use super::{
    Answered, Change, Clock, Counted, Figures, Sample, Seen, Tally, Traffic, Verdict, WatchConfig, Watcher,
};

/// How a service behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Requests a second, in the mean (Poisson).
    pub(crate) rate: f64,
    /// The share of failed requests.
    pub(crate) errors: f64,
    /// How many requests fail together.
    pub(crate) burst: u64,
    /// Milliseconds until an answer begins, in the mean (exponential).
    pub(crate) latency: f64,
}

/// What is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// The version before, and for how many seconds it was counted. While the watched one has only a share of the traffic, it has the rest.
    pub(crate) old: (Service, u64),
    /// The watched version until the fault.
    pub(crate) good: Service,
    /// From the fault on.
    pub(crate) bad: Service,
    /// Seconds of the watch until the fault.
    pub(crate) fault: f64,
    /// Seconds that are simulated at most.
    pub(crate) seconds: u64,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// What the rule came to; `Hold` where it came to nothing.
    pub(crate) verdict: Verdict,
    /// Seconds from the fault to the verdict; negative where it came before.
    pub(crate) after: f64,
    /// Whether the plain rule, a mean over 1 % in the last five minutes, sent it back.
    pub(crate) plain: bool,
}

/// Numbers that look random and are the same each time (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Over 0, at most 1.
    pub(crate) fn share(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Knuth's way, in parts where the mean is large.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let (end, mut product) = ((-left.min(30.0)).exp(), self.share());
            while product > end {
                count += 1;
                product *= self.share();
            }
            left -= 30.0;
        }
        count
    }

    /// How many of `all` are hit, by jumping from one to the next.
    fn hits(&mut self, all: u64, share: f64) -> u64 {
        if share >= 1.0 {
            return all;
        }
        if share <= 0.0 || all == 0 {
            return 0;
        }
        let (scale, mut at, mut hits) = ((1.0 - share).ln(), 0.0, 0);
        loop {
            at += (self.share().ln() / scale).floor() + 1.0;
            if at > all as f64 {
                return hits;
            }
            hits += 1;
        }
    }
}

impl Service {
    fn over(&self, us: f64) -> f64 {
        (-us / (self.latency * 1e3)).exp()
    }

    /// What comes in a part of a second.
    fn serve(&self, random: &mut Random, seconds: f64, slow_over: f64, late_over: f64) -> Tally {
        let requests = random.poisson(self.rate * seconds);
        let errors = (random.hits(requests, self.errors / self.burst as f64) * self.burst).min(requests);
        let slow = random.hits(requests, self.over(slow_over));
        // Late ones are among the slow, or the other way round.
        let late = if late_over >= slow_over {
            random.hits(slow, self.over(late_over) / self.over(slow_over))
        } else {
            random.hits(requests, self.over(late_over))
        };
        Tally { requests, errors, slow, late }
    }

    /// What it had done after some seconds, in buckets a twentieth wide.
    fn history(&self, random: &mut Random, seconds: u64) -> Figures {
        let requests = random.poisson(self.rate * seconds as f64);
        let errors = random.hits(requests, self.errors);
        let bounds: Vec<u64> =
            std::iter::successors(Some(100_u64), |bound| Some(bound + bound / 20)).take(300).collect();
        let mut buckets = std::collections::BTreeMap::new();
        for _ in 0..requests {
            let us = -random.share().ln() * self.latency * 1e3;
            let at = bounds.partition_point(|bound| (*bound as f64) < us).min(bounds.len() - 1);
            *buckets.entry(bounds[at]).or_insert(0) += 1;
        }
        Figures { requests, errors, gateway: 0, latency: buckets.into_iter().collect() }
    }
}

/// The version before as a sample: the first look of a watch.
fn first(scene: &Scene, random: &mut Random) -> Sample {
    let old = scene.old.0.history(random, scene.old.1);
    let counted = Counted { boot: "b".into(), at_ms: 0, new: Figures::default(), old: Some(old) };
    Sample {
        clock: Clock { boot: "m".into(), ms: 0 },
        traffic: Traffic::Counted(counted),
        health: Some(Answered { what: "/health".into(), wrong: None, latency_ms: Some(1.0) }),
        probe: None,
        process: None,
        unsent: None,
        unrecorded: None,
    }
}

/// One watch.
pub(crate) fn watch(config: &WatchConfig, scene: &Scene, seed: u64) -> Outcome {
    let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95));
    let mut watcher = Watcher::new(config);
    watcher.look(&first(scene, &mut random));
    let slow_over = watcher.slow_over_us().map_or(f64::INFINITY, |us| us as f64 * 1.05);
    let late_over = config.guards.p95_ms.as_ref().map_or(f64::INFINITY, |guard| f64::from(guard.over) * 1e3);
    let mut change = Change { ms: 1000, seen: Seen::Counted, healthy: Some(true), ..Change::default() };
    let mut plain = Plain::default();
    let mut outcome = Outcome { verdict: Verdict::Hold, after: f64::INFINITY, plain: false };
    for second in 0..scene.seconds {
        let good = (scene.fault - second as f64).clamp(0.0, 1.0);
        let share = f64::from(watcher.percent()) / 100.0;
        change.old = scene.old.0.serve(&mut random, 1.0 - share, slow_over, late_over);
        change.new = scene.good.serve(&mut random, good * share, slow_over, late_over);
        if good < 1.0 {
            let bad = scene.bad.serve(&mut random, (1.0 - good) * share, slow_over, late_over);
            change.new.requests += bad.requests;
            change.new.errors += bad.errors;
            change.new.slow += bad.slow;
            change.new.late += bad.late;
        }
        outcome.plain |= plain.take(change.new);
        if outcome.verdict != Verdict::Hold {
            continue;
        }
        let (ruling, _) = watcher.fold(&change);
        if matches!(ruling.verdict, Verdict::RollBack | Verdict::Promote | Verdict::Inconclusive) {
            outcome.verdict = ruling.verdict;
            outcome.after = (second + 1) as f64 - scene.fault;
            if scene.fault < scene.seconds as f64 {
                break;
            }
        }
    }
    outcome
}

/// The plain rule: over 1 % in the last 300 s, and at least 100 requests.
#[derive(Default)]
struct Plain {
    seconds: std::collections::VecDeque<(u64, u64)>,
    sum: (u64, u64),
}

impl Plain {
    fn take(&mut self, tally: Tally) -> bool {
        self.seconds.push_back((tally.requests, tally.errors));
        self.sum = (self.sum.0 + tally.requests, self.sum.1 + tally.errors);
        if self.seconds.len() > 300 {
            let (requests, errors) = self.seconds.pop_front().unwrap_or_default();
            self.sum = (self.sum.0 - requests, self.sum.1 - errors);
        }
        self.seconds.len() == 300 && self.sum.0 >= 100 && self.sum.1 * 100 > self.sum.0
    }
}
