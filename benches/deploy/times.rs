//! Times beside the bars that they are held against.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Times in milliseconds, and the bar that their median is held against.
#[derive(Default)]
pub(crate) struct Times(BTreeMap<&'static str, (Option<f64>, Vec<f64>)>);

impl Times {
    pub(crate) fn add(&mut self, what: &'static str, bar: Option<f64>, ms: f64) {
        self.0.entry(what).or_insert((bar, Vec::new())).1.push(ms);
    }

    /// Prints all; those whose bar was missed.
    pub(crate) fn print(self) -> Vec<&'static str> {
        let mut missed = Vec::new();
        for (what, (bar, all)) in self.0 {
            let (least, median, most) = spread(all);
            let bar = bar.map_or_else(String::new, |bar| {
                if median >= bar {
                    missed.push(what);
                }
                format!("  bar {bar:.0}: {}", if median < bar { "held" } else { "MISSED" })
            });
            println!("{what:<66} {least:>8.1} {median:>8.1} {most:>8.1}{bar}");
        }
        missed
    }
}

/// The least, the median and the greatest.
pub(crate) fn spread(mut all: Vec<f64>) -> (f64, f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[0], all[all.len() / 2], all[all.len() - 1])
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn since(begun: Instant) -> f64 {
    ms(begun.elapsed())
}
