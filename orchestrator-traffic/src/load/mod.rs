//! The open-loop load client: requests are sent when they are due, whether or not earlier ones were answered.
//!
//! A [`Plan`] says what to send, how often and for how long; [`run`] does it and gives a [`Summary`]. Latency counts from the moment
//! at which a request was *due*, so that a server which stalls for two seconds shows as two seconds in the percentiles, though
//! nothing was sent meanwhile ("coordinated omission"); the time from when it was really sent stands beside it as `service`.
//!
//! | file | is |
//! |---|---|
//! | `plan` `mix` `target` | what is wanted, checked before anything is sent |
//! | `schedule` `pacer` | when each request is due, and a thread that waits for it more exactly than a runtime's timers |
//! | `run` `sender` | the loop, and what one request of each kind does |
//! | `connection` `pool` `secure` `outgoing` `websocket` | connections, bodies and frames |
//! | `failure` | what can go wrong: the server's doing, or a limit of this machine, which is never counted as the server's |
//! | `tally` `summary` `bound` `version` | what came of it |
//!
//! What it must not do: repeat what may have been acted on, follow redirects, or speak to other machines unless the plan says so.

#[cfg(any(test, feature = "testkit"))]
pub mod backend;
mod bound;
mod connection;
mod digest;
mod failure;
mod mix;
mod outgoing;
mod pacer;
mod plan;
mod pool;
mod random;
mod run;
mod schedule;
mod secure;
mod sender;
mod summary;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod version;
mod websocket;

pub use bound::upper_bound;
pub use failure::{FailureKind, OwnLimit};
pub use mix::{Kind, Mix, Shape};
pub use plan::{Arrivals, LoadError, Plan};
pub use run::{run, run_watched};
pub use summary::{Client, Example, Overlap, ShapeSummary, Summary, Times, VersionSummary};
pub use version::VersionFrom;
