//! Arguments of `rollback`.

use clap::Args;

use super::Output;

pub(super) const EXAMPLES: &str = "\
Undoes what the run did, the latest first, from what its journal recorded before each change. Where the journal cannot undo \
and the run made a verified backup before, the backup brings back what differs; what is replaced is backed up first, and \
stays under refs/before-rollback/ as well. What cannot be undone is listed, with advice. A rollback is a run: `status`, \
`resume` and `rollback` take its id. A second rollback of the same run does only what is left.

It ends with 0 where everything was undone or nothing was to be; 1 where a step failed: what came before that is not touched, \
and `rollback` goes on once the cause is mended; 2 where it refused, such as to replace newer work; 3 after a dry run with \
steps to do; 5 where the run, or another, is being carried out.

Examples:
  orchestrate rollback --dry-run                what would be undone, and what cannot be
  orchestrate rollback                          asks, then undoes the latest run
  orchestrate rollback --to changelog           back to before the task `changelog` started
  orchestrate rollback 3f9a --yes               without a question; of the run whose id ends so
  orchestrate rollback --no-backup              only what the journal itself undoes";

/// `rollback`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    /// Which run [default: the latest that was no dry run and no rollback]
    pub(crate) run: Option<String>,
    /// Back to how things were before this task started: it and all that started after it is undone
    #[arg(long, value_name = "TASK")]
    pub(crate) to: Option<String>,
    /// Show what would be undone; change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Leave the run's backup out of it
    #[arg(long)]
    pub(crate) no_backup: bool,
    /// Restore the backup also over work that is newer than the run; that is backed up first
    #[arg(long, conflicts_with = "no_backup")]
    pub(crate) force: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
