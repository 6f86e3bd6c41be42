//! Analysis: whether a watched version is good, bad, or cannot be told yet. Pure: no clock, no files; the looking is `ops/observe`.
//!
//! A [`Watcher`] folds samples to decisions. Of a [`Sample`] (absolute readings) and the one before it makes a [`Change`] (what came in
//! between), which is all that its rules see:
//!
//! | rule | sends back | wrongly, over all looks of a watch, at most |
//! |---|---|---|
//! | hard guards | at once: process gone, crash loop, restarts, health or probes that fail in a row, memory, outage | no statistics |
//! | errors | sequential test: over the objective, and worse than the version before | `alpha / 4` |
//! | slow | the same for requests slower than the 95th percentile of the version before | `alpha / 4` |
//! | error guard | too many errors for so long | `alpha / 4` |
//! | latency guard | a 95th percentile over so many milliseconds for so long, that is, over 5 % of the requests above them | `alpha / 4` |
//!
//! **The level.** A version whose share of failed requests is at most the objective, and of slow and late ones at most what is allowed, in every
//! step whatever came before, goes back by statistics with a probability of at most `alpha`: each test is an e-process, so by Ville's inequality it
//! ever crosses `4 / alpha` with at most `alpha / 4` (`wealth`); each guard spends its quarter over its looks (`window`); together that is at most the
//! sum. The hard guards have no such bound: what they see is no matter of chance. A step is a second or more of requests and *one* observation, so
//! requests of a second may depend on each other in any way, and one step alone multiplies evidence by 60 at most: no burst within a second sends
//! anything back. A fault that lasts for seconds is a fault: from counts alone a client all of whose requests fail is not told from a service that
//! fails, unless the version before failed it too.
//!
//! **Why it is soon.** Evidence grows with what is bet on how bad it is, and bets begin at every step, so that a version that turns bad after
//! an hour is found nearly as soon as one that begins bad.
//!
//! **What it does not do.** It promotes nothing on silence: without enough requests it holds, then says that it cannot tell, and looks on.
//! What the proxy lost when it died is not known, and is nobody's fault. Time in which nobody looked does not count as watched.

mod before;
mod bound;
mod change;
mod config;
mod decision;
mod memory;
mod observed;
mod recording;
mod ruling;
mod sample;
mod share;
mod signal;
mod tally;
#[cfg(test)]
mod tests;
mod watcher;
mod wealth;
mod window;
mod words;

pub use change::{Change, Seen};
pub use config::{Guards, LatencyGuard, OnInconclusive, RateGuard, Slower, WatchConfig};
pub use decision::{Decision, Verdict};
pub use observed::{Observed, ObservedError};
pub use recording::{Line, RULES, Recording, RecordingError, Replay};
pub use ruling::{Reason, Ruling};
pub use sample::{Answered, Clock, Counted, Figures, Life, Sample, Traffic};
pub use share::{Share, ShareError};
pub use tally::Tally;
pub use watcher::Watcher;
