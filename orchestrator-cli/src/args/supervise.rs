use clap::Args as ClapArgs;

use super::ShowArgs;

pub(super) const EXAMPLES: &str = "\
One process for each environment starts its services again when they crash, rotates their logs and keeps the proxy running. The first \
deployment starts it, and it ends with the last service. SIGTERM ends it and leaves services running; the next one adopts them.

Examples:
  orchestrate supervise --environment production             supervise in the foreground
  orchestrate supervise --environment production --status    what is kept, since when, how often it was started again";

/// `supervise`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SuperviseArgs {
    /// Which environment
    #[arg(long, value_name = "ENV")]
    pub(crate) environment: String,
    /// Show what the supervisor that is there keeps, and start none
    #[arg(long)]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
