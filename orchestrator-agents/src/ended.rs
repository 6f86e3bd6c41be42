//! How a command ended, in words.

use orchestrator_core::order::Status;

/// "`cargo fmt --check` ended with exit code 1".
pub(crate) fn ended(command: &str, status: &Status) -> String {
    match status {
        Status::Exited(code) => format!("`{command}` ended with exit code {code}"),
        Status::Signaled(signal) => format!("`{command}` was ended by signal {signal}"),
        Status::TimedOut => format!("`{command}` ran out of time"),
        Status::Failed { failure, transient: _ } => format!("`{command}` could not be run: {failure}"),
        Status::Done | Status::AlreadySo | Status::Elapsed | Status::AssumedDone => {
            format!("`{command}`: {status}")
        }
    }
}
