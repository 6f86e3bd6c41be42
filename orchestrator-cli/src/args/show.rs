//! Arguments that say how to answer.

use clap::{Args, ValueEnum};

/// How to answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs: one JSON value a line on standard output, nothing else
    Json,
}

/// How to show a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A tree
    #[default]
    Human,
    /// The plan as a run stores it
    Json,
    /// Graphviz
    Dot,
    /// Mermaid, as GitHub and GitLab draw it
    Mermaid,
}

/// A command that shows something.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ShowArgs {
    /// How to answer
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// A command about one run.
#[derive(Debug, Clone, Args)]
pub(crate) struct OneArgs {
    /// Which run [default: the latest]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// What of a run is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// How to answer
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Show what commands print
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Show failures and the last line only
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Never ask: what needs a person waits, or is refused
    #[arg(long)]
    pub(crate) no_input: bool,
}
