//! The life of a proxy, with real processes: restarts, upgrades, kills, full disks, hostile questions.

mod asked;
mod chain;
mod client;
mod ends;
mod faults;
mod files;
mod kept;
mod load;
mod origin;
mod process;
mod secure;
mod upgrades;

use std::time::Duration;

/// How long anything may take. Nothing is asserted about time; this only ends what hangs.
const LONG: Duration = Duration::from_mins(2);

/// Waits for something that happens by itself.
#[track_caller]
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LONG;
    while !happened() {
        assert!(std::time::Instant::now() < end, "it never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
