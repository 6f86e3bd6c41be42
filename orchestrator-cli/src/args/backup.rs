//! Arguments of `backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use orchestrator_agents::backup::databases::DatabaseName;
use orchestrator_agents::backup::keep::Keep;

use super::{Format, Output, ShowArgs};

pub(super) const EXAMPLES: &str = "\
Backups lie in `backups/`, or where `to` of the phase `restart_backup` says. Each holds the working tree and all git refs, \
and counts as verified once it was restored into a scratch folder and compared.

Examples:
  orchestrate backup create             make one, prove it, write its rollback.sh
  orchestrate backup list               when, how large, verified when, what holds it
  orchestrate backup verify --all       restore each into a scratch folder; exit code 1 where one does not
  orchestrate backup restore latest --to ../rescued
  orchestrate backup prune --keep-last 3 --keep-daily 7 --dry-run";

const CREATE: &str = "\
With what the phase `restart_backup` of the pipeline file says in `with:` (where to, what to include, how much disk must be \
free); no other phase is run, no cache is cleared, no older backup goes. It is an ordinary run: Ctrl-C loses nothing, \
`orchestrate resume` goes on.";

const RESTORE: &str = "\
Without --in-place nothing of the project is touched: files and refs come back into a new folder. With it the backup's own \
rollback.sh restores the project where it is. What it replaces stays under refs/before-rollback/; uncommitted work that is newer \
is refused unless --force is said. Databases come back only when they are asked for.

Examples:
  orchestrate backup restore latest                       into .orchestrate/restored/NAME
  orchestrate backup restore 2026-11-20-234433 --to ../x  into ../x, which must be new or empty
  orchestrate backup restore latest --in-place --dry-run  what would change here
  orchestrate backup restore latest --database app        that database alone, where it was";

const PRUNE: &str = "\
A backup that any rule keeps stays. Whatever the rules say these stay: the newest that was verified, one that a run which is not \
over may need, the one that the latest delivery can be rolled back to, and a damaged one, which a person looks at first. Days and \
weeks are those of UTC; those without a backup do not count.

Examples:
  orchestrate backup prune --dry-run                      by `keep` of the phase restart_backup
  orchestrate backup prune --keep-last 3 --keep-daily 7 --keep-weekly 4";

/// `backup`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BackupCommand {
    /// List backups: when, how large, verified when, what holds them
    List(ShowArgs),
    /// Make a backup and prove it by restoring it
    #[command(after_help = CREATE)]
    Create(CreateArgs),
    /// Restore backups into a scratch folder and compare
    Verify(VerifyArgs),
    /// Bring a backup back: into a new folder, or in place
    #[command(after_help = RESTORE)]
    Restore(RestoreArgs),
    /// Remove backups that no rule keeps
    #[command(after_help = PRUNE)]
    Prune(PruneBackupsArgs),
}

/// `backup create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CreateArgs {
    /// Show what would be done; write nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `backup verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// Which, by name; `latest` for the latest
    #[arg(value_name = "NAME", default_value = "latest")]
    pub(crate) names: Vec<String>,
    /// Every one
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `backup restore`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// Which, by name; `latest` for the latest
    pub(crate) name: String,
    /// Into this folder, which must be new or empty [default: STATE/restored/NAME]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "in_place")]
    pub(crate) to: Option<PathBuf>,
    /// Restore the project where it is, by the backup's own rollback.sh
    #[arg(long)]
    pub(crate) in_place: bool,
    /// Only this database, where it was; what is there is kept beside it (more than once: several)
    #[arg(long = "database", value_name = "NAME", value_parser = database, conflicts_with_all = ["to", "in_place", "all_databases"])]
    pub(crate) databases: Vec<DatabaseName>,
    /// Only the databases, all of the backup's
    #[arg(long, conflicts_with_all = ["to", "in_place"])]
    pub(crate) all_databases: bool,
    /// In place, also where uncommitted work is newer than the backup
    #[arg(long, requires = "in_place")]
    pub(crate) force: bool,
    /// Show what would be restored; change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn database(name: &str) -> Result<DatabaseName, String> {
    name.to_owned().try_into()
}

/// `backup prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PruneBackupsArgs {
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    /// Show what would go; remove nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which backups are kept.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeepArgs {
    /// Keep the latest N
    #[arg(long = "keep-last", value_name = "N")]
    last: Option<u32>,
    /// Keep the latest of each of the latest N days that have one
    #[arg(long = "keep-daily", value_name = "N")]
    daily: Option<u32>,
    /// Keep the latest of each of the latest N weeks that have one
    #[arg(long = "keep-weekly", value_name = "N")]
    weekly: Option<u32>,
}

impl KeepArgs {
    /// The policy; none where nothing was said.
    pub(crate) fn policy(self) -> Option<Keep> {
        let Self { last, daily, weekly } = self;
        let is_said = [last, daily, weekly].iter().any(Option::is_some);
        is_said.then(|| Keep {
            last: last.unwrap_or(0),
            daily: daily.unwrap_or(0),
            weekly: weekly.unwrap_or(0),
        })
    }
}

impl BackupCommand {
    /// How to answer.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::List(show) => show.format,
            Self::Create(args) => args.output.format,
            Self::Verify(args) => args.output.format,
            Self::Restore(args) => args.output.format,
            Self::Prune(args) => args.output.format,
        }
    }
}
