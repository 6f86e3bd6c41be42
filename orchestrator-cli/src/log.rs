//! Developers' logs: to standard error, never to standard output.

use tracing_subscriber::filter::LevelFilter;

/// Starts them at a level: off, error, warn, info, debug, trace. A second call changes nothing.
pub(crate) fn start(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::WARN);
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Built without colours: to ask for them, even where there is a terminal, is a panic.
        .with_ansi(false)
        .with_target(level >= LevelFilter::DEBUG)
        .without_time()
        .with_max_level(level);
    // Someone who set one up before, as tests do, keeps it.
    let _ = logs.try_init();
}
