//! Analysis: whether a watched version is good, bad, or cannot be told yet. Pure: no clock, no files; the looking is `ops/observe`.

mod config;
mod decision;
mod recording;
mod sample;
mod share;
mod watcher;

pub use config::{Guards, LatencyGuard, OnInconclusive, RateGuard, Slower, WatchConfig};
pub use decision::{Decision, Verdict};
pub use recording::Line;
pub use sample::{Answered, Clock, Counted, Figures, Life, Sample, Traffic};
pub use share::{Share, ShareError};
pub use watcher::Watcher;
