//! Arguments of `deploy`.

use clap::Subcommand;

use super::{ReplayArgs, replay};

/// `deploy`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeployCommand {
    /// Decide again what a recorded watch decided, or what it would have with another config
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
}

impl DeployCommand {
    /// How it is printed.
    pub(super) fn format(&self) -> super::Format {
        match self {
            Self::Replay(args) => args.format,
        }
    }
}
