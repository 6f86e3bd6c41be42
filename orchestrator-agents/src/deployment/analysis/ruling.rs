//! What the rules made of a look, before it is put in words.

use super::Verdict;

/// What is to be done and which rule said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// What is to be done.
    pub verdict: Verdict,
    /// Which rule said so.
    pub reason: Reason,
}

/// Which rule said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Health checks failed one after the other.
    Health,
    /// Probes failed one after the other.
    Probes,
    /// Nobody runs it any more.
    Gone,
    /// It crashed too often to be started again.
    CrashLoop,
    /// It was started again too often.
    Crashes,
    /// It uses too much memory.
    Memory,
    /// Its memory keeps growing, faster than it may.
    Leak,
    /// Every request failed, look after look.
    Outage,
    /// Too many errors, by the sequential test.
    Errors,
    /// Too many slow requests, by the sequential test.
    Slow,
    /// Too many errors for too long.
    ErrorGuard,
    /// Too slow for too long.
    LateGuard,
    /// Time is up and it could not be told.
    Undecided,
    /// All was well for as long as it had to be.
    Well,
    /// The time of this step is not over.
    Watching,
    /// Its time is over and it had too few requests.
    FewRequests,
    /// Its time is over and the proxy does not say what came of its requests.
    Silent,
    /// Its time is over and it looks worse than it should, which is not proven.
    Leaning,
    /// Its time is over and its last health check or probe failed, or there was none.
    Unwell,
}
