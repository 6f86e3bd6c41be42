//! Metrics for Prometheus, on an address of their own.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `orchestrate_proxy_build_info` | gauge | `version`, `pid` |
//! | `orchestrate_proxy_start_time_seconds` | gauge | |
//! | `orchestrate_proxy_generation` | gauge | |
//! | `orchestrate_proxy_connections` | gauge | |
//! | `orchestrate_proxy_requests_total` | counter | `route`, `version`, `class` (`1xx` to `5xx`, `none`: cut before an answer) |
//! | `orchestrate_proxy_errors_total` | counter | `route`, `version` |
//! | `orchestrate_proxy_gateway_errors_total` | counter | `route`, `version` |
//! | `orchestrate_proxy_in_flight` | gauge | `route`, `version` |
//! | `orchestrate_proxy_answer_seconds` | histogram | `route`, `version` |
//! | `orchestrate_proxy_access_log_lines_total` | counter | `outcome` (`written`, `lost`) |
//! | `orchestrate_proxy_versions_left_out` | gauge | |
//!
//! At most [`MOST`] pairs of route and version are told, the ones with the most requests; the last metric says how many are not.
//! Counters begin anew with each process, as Prometheus expects.

mod server;
mod text;

use crate::protocol::Status;

pub use server::serve;
pub use text::render;

/// The most pairs of route and version.
pub const MOST: usize = 200;

/// What there is to tell.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The proxy as a whole.
    pub status: Status,
    /// Seconds since 1970 at which the process began.
    pub started: f64,
    /// By route and version.
    pub versions: Vec<VersionFigures>,
    /// Lines of the access log that were written, and that were lost; none without a log.
    pub log: Option<(u64, u64)>,
}

/// What came of the requests to one version of a route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionFigures {
    /// The route.
    pub route: String,
    /// The version.
    pub version: String,
    /// Requests by the first digit of their status; at 0 those that were cut before an answer.
    pub classes: [u64; 6],
    /// Requests that failed.
    pub errors: u64,
    /// Of those, the ones that the proxy had to answer itself.
    pub gateway: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Times until the head of the answer: the upper bound of a bucket in microseconds, and how many; in order.
    pub latency: Vec<(u64, u64)>,
    /// All these times together, in microseconds.
    pub latency_us: u64,
}

#[cfg(test)]
mod tests;
