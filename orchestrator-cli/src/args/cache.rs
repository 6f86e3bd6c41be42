//! Arguments of `cache`.

use clap::{Args, Subcommand};

use super::ShowArgs;

pub(super) const EXAMPLES: &str = "\
A task with `inputs`, or whose agent knows what it depends on, is reused while all of that is the same.

Examples:
  orchestrate cache why test            what changed since the result that is recorded
  orchestrate cache stats               how many results, how much disk
  orchestrate cache prune --size 1GB    the least recently used go first
  orchestrate cache clear               everything; the next run does everything again";

/// `cache`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CacheCommand {
    /// Show how much is kept
    Stats(ShowArgs),
    /// Remove what is old or too much
    Prune(SweepArgs),
    /// Remove all results; nothing else depends on them
    Clear(ShowArgs),
    /// Say why a task would run again, or would not
    Why(WhyArgs),
}

/// `cache prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SweepArgs {
    /// Remove what was not used for this long [default: the setting `keep.cache_age`]
    #[arg(long, value_name = "DURATION", value_parser = orchestrator_core::units::duration)]
    pub(crate) age: Option<std::time::Duration>,
    /// Then remove until the rest takes no more than this [default: the setting `keep.cache_size`]
    #[arg(long, value_name = "SIZE", value_parser = orchestrator_core::units::size)]
    pub(crate) size: Option<u64>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// `cache why`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhyArgs {
    /// Which task
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

impl CacheCommand {
    /// How to answer.
    pub(crate) fn show(&self) -> ShowArgs {
        match self {
            Self::Stats(show) | Self::Clear(show) => *show,
            Self::Prune(args) => args.show,
            Self::Why(args) => args.show,
        }
    }
}
