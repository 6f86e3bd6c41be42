//! Arguments of `approve`.

use clap::Args;

use super::ShowArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  orchestrate approve                       what the latest waiting run waits for
  orchestrate approve 3f9a rotate-key       it is done
  orchestrate approve 3f9a rotate-key --by Ada --note 'see ticket 12'
  orchestrate approve 3f9a rotate-key --skip
  orchestrate resume 3f9a                   goes on";

/// `approve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApproveArgs {
    /// Which run [default: the latest that waits]
    pub(crate) run: Option<String>,
    /// Which task; without it, what waits is listed
    pub(crate) task: Option<String>,
    /// Who says so [default: the user of the shell]
    #[arg(long, value_name = "NAME", requires = "task")]
    pub(crate) by: Option<String>,
    /// What there is to say about it; at most 64 KiB
    #[arg(long, value_name = "TEXT", requires = "task")]
    pub(crate) note: Option<String>,
    /// It is left out: recorded as that, and what needs it goes on
    #[arg(long, requires = "task", conflicts_with = "abort")]
    pub(crate) skip: bool,
    /// It fails, and what needs it does not start; a remedy is refused
    #[arg(long, requires = "task")]
    pub(crate) abort: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
