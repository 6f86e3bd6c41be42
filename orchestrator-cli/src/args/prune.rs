//! Arguments of `prune`.

use clap::Args;

use super::ShowArgs;

pub(super) const EXAMPLES: &str = "\
A run that is over a limit stays while it is running, waits for a person, can be undone with `rollback`, has published \
something that was not rolled back, has a deployment in use, or is cited by a run that stays. One whose journal cannot be \
read is set aside, never deleted.

Examples:
  orchestrate prune --dry-run           what would go, what stays although it is over a limit, and why
  orchestrate prune                     remove it";

/// `prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PruneArgs {
    /// Show what would go; remove nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
