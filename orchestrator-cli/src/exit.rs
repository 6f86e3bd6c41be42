//! Exit codes: a promise to scripts.

use std::fmt::Write as _;
use std::process::ExitCode;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, Stopped};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunStatus;

/// How the program ends. The numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything passed; or what was asked for was shown.
    Passed = 0,
    /// A task failed.
    Failed = 1,
    /// The arguments, the settings or the pipeline make no sense; nothing was started.
    Usage = 2,
    /// A dry run found changes that a real run would make.
    Pending = 3,
    /// The run waits for a person.
    Waiting = 4,
    /// Another run holds the checkout.
    Locked = 5,
    /// Stopped while publishing: whether it went out is not known.
    Unsure = 6,
    /// The journal, the disk or the machine kept the program from doing its own work.
    Broken = 7,
    /// The run was cancelled.
    Cancelled = 8,
    /// Stopped by Ctrl-C; the run can be resumed.
    Interrupted = 130,
    /// Stopped by SIGTERM or SIGHUP; the run can be resumed.
    Terminated = 143,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 11] = [
        Self::Passed,
        Self::Failed,
        Self::Usage,
        Self::Pending,
        Self::Waiting,
        Self::Locked,
        Self::Unsure,
        Self::Broken,
        Self::Cancelled,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means.
    pub fn about(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "a task failed",
            Self::Usage => "wrong arguments, settings or pipeline; nothing was started",
            Self::Pending => "changes pending (dry run)",
            Self::Waiting => "waiting for a person",
            Self::Locked => "another run holds the checkout or the run",
            Self::Unsure => "stopped while publishing; whether it went out is not known",
            Self::Broken => "the journal, the disk or the machine failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted (Ctrl-C); the run can be resumed",
            Self::Terminated => "terminated (SIGTERM, SIGHUP); the run can be resumed",
        }
    }

    /// The table of all codes, for help.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:");
        for exit in Self::ALL {
            write!(table, "\n  {:>3}  {}", exit.code(), exit.about()).expect("a string takes everything");
        }
        table
    }

    /// The exit code of a run that ended, or whose process stopped.
    pub fn of(record: &RunRecord) -> Self {
        match record.state.status() {
            RunStatus::Finished(RunOutcome::Failed) => Self::Failed,
            RunStatus::Finished(RunOutcome::Cancelled) => Self::Cancelled,
            RunStatus::Finished(RunOutcome::Passed) => {
                let dry = record.state.ceiling() == Effect::Reads;
                if dry && !record.withheld().is_empty() { Self::Pending } else { Self::Passed }
            }
            RunStatus::Stopped(Stopped::Waiting) => Self::Waiting,
            RunStatus::Stopped(Stopped::Unsure) => Self::Unsure,
            RunStatus::Stopped(Stopped::Interrupted) | RunStatus::New | RunStatus::Running => {
                Self::Interrupted
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, record};

    #[test]
    fn codes_are_a_promise() {
        let codes: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143]);
        assert!(Exit::table().contains("  130  interrupted"));
    }

    #[test]
    fn the_end_of_a_run_decides() {
        assert_eq!(Exit::of(&record(Sample::Passed)), Exit::Passed);
        assert_eq!(Exit::of(&record(Sample::Failed)), Exit::Failed);
        assert_eq!(Exit::of(&record(Sample::Dry)), Exit::Pending);
        assert_eq!(Exit::of(&record(Sample::Waiting)), Exit::Waiting);
        assert_eq!(Exit::of(&record(Sample::Interrupted)), Exit::Interrupted);
    }
}
