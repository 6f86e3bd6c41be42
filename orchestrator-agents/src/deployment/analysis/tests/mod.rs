//! Whole watches: scenes that are told second by second, and properties of any.

mod hostile;
mod recordings;
mod scenes;
mod simulated;

use super::{
    Answered, Clock, Counted, Decision, Figures, Life, Sample, Traffic, Verdict, WatchConfig, Watcher,
};

/// A watch that is told second by second. Counts only grow, as a proxy's do.
struct Told {
    watcher: Watcher,
    samples: Vec<Sample>,
    decisions: Vec<Decision>,
    new: Figures,
    old: Option<Figures>,
    second: u64,
    next: Sample,
}

/// What comes in a second: requests, errors, and microseconds that each takes.
type Second = (u64, u64, u64);

/// Ten requests, all well, of 20 ms.
const WELL: Second = (10, 0, 20_000);

impl Told {
    /// A watch of that config, as JSON.
    fn new(config: serde_json::Value) -> Self {
        let config: WatchConfig = serde_json::from_value(config).unwrap();
        let next = Sample {
            clock: Clock { boot: "m".into(), ms: 0 },
            traffic: Traffic::Unseen,
            health: Some(Answered { what: "/health".into(), wrong: None, latency_ms: Some(1.0) }),
            probe: None,
            process: Some(Life { alive: true, ..Life::default() }),
            unsent: None,
            unrecorded: None,
        };
        Self {
            watcher: Watcher::new(&config),
            samples: Vec::new(),
            decisions: Vec::new(),
            new: Figures::default(),
            old: None,
            second: 0,
            next,
        }
    }

    /// The version before did that, second by second, until the watch begins.
    fn before(mut self, seconds: u64, second: Second) -> Self {
        let mut old = Figures::default();
        (0..seconds).for_each(|_| add(&mut old, second));
        self.old = Some(old);
        self
    }

    /// The look that comes next is changed so.
    fn so(&mut self, change: impl FnOnce(&mut Sample)) -> &mut Self {
        change(&mut self.next);
        self
    }

    /// One look, after a second in which that came to both.
    fn look(&mut self, new: Second, old: Second) -> Decision {
        add(&mut self.new, new);
        if let Some(figures) = &mut self.old {
            add(figures, old);
        }
        let mut sample = self.next.clone();
        sample.clock.ms += self.second * 1000;
        let (new, old) = (self.new.clone(), self.old.clone());
        sample.traffic = Traffic::Counted(Counted { boot: "p".into(), at_ms: self.second * 1000, new, old });
        self.take(sample)
    }

    /// One look that saw that.
    fn take(&mut self, sample: Sample) -> Decision {
        let decision = self.watcher.look(&sample);
        self.second += 1;
        self.samples.push(sample);
        self.decisions.push(decision.clone());
        decision
    }

    /// Looks that go on until one decides something, at most so many; which one it was, and what it decided.
    fn until(&mut self, seconds: u64, new: Second) -> (u64, Decision) {
        for second in 1..=seconds {
            let decision = self.look(new, (0, 0, 0));
            if decision.verdict != Verdict::Hold {
                return (second, decision);
            }
        }
        (seconds, self.decisions.last().unwrap().clone())
    }
}

fn add(figures: &mut Figures, (requests, errors, us): Second) {
    figures.requests += requests;
    figures.errors += errors;
    if requests > 0 {
        match figures.latency.iter_mut().find(|(bound, _)| *bound == us) {
            Some((_, count)) => *count += requests,
            None => figures.latency.push((us, requests)),
        }
        figures.latency.sort_unstable();
    }
}
