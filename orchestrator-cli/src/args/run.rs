//! Arguments of `run`.

use clap::{Args, ValueEnum};
use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{ReuseMode, RunOptions};
use orchestrator_core::planner::Selector;
use serde_json::{Map, Value};

use super::{Mend, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  orchestrate run --phase 1,3           phases by number or name
  orchestrate run --skip deployment     everything else
  orchestrate run --task image          a task and all that it needs
  orchestrate run --tag quick --jobs 2  tasks with a tag, two at a time
  orchestrate run --ceiling publishes   also push, deploy, notify
  orchestrate run --failed 3f9a         what failed in the run that ends in 3f9a
  orchestrate run --fast --skip-tests   static checks of what changed
  orchestrate run --affected main       what the changes since main reach
  orchestrate run --watch               run again as files change
  orchestrate run --format json | jq    one event a line";

/// `run`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Which tasks")]
pub(crate) struct Select {
    /// Only these phases, by number or name
    #[arg(long, value_name = "N|NAME", value_delimiter = ',')]
    pub(crate) phase: Vec<String>,
    /// All phases, or with --phase all of its groups: the default, said aloud
    #[arg(long, conflicts_with_all = ["group", "task", "tag", "failed"])]
    pub(crate) all: bool,
    /// All but these phases
    #[arg(long, value_name = "N|NAME", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Only these groups, as GROUP or PHASE/GROUP
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) group: Vec<String>,
    /// Only these tasks and what they need
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) task: Vec<String>,
    /// Only tasks with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tag: Vec<String>,
    /// What failed in a run, and what waited for it [default: the latest that was no dry run]
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest",
          conflicts_with_all = ["phase", "skip", "group", "task", "tag", "fast", "skip_tests", "affected"])]
    pub(crate) failed: Option<String>,
    /// One task at a time
    #[arg(long)]
    pub(crate) sequential: bool,
    /// As many tasks at once as their needs and limits allow: the default, said aloud
    #[arg(long, conflicts_with = "sequential")]
    pub(crate) parallel: bool,
    /// Static checks and what changed instead of full gates; neither backup, merge nor deployment
    #[arg(long)]
    pub(crate) fast: bool,
    /// Leave out tests
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Only tasks whose inputs differ from a git revision, and those that follow them [default: the upstream branch, or HEAD]
    #[arg(long, value_name = "BASE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) affected: Option<String>,
}

/// How they run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "How they run")]
pub(crate) struct How {
    /// Change nothing: show every change as a diff or command
    #[arg(long, short = 'n', conflicts_with = "ceiling")]
    pub(crate) dry_run: bool,
    /// How far the run may reach [default: the settings', or writes]
    #[arg(long, value_enum)]
    pub(crate) ceiling: Option<Ceiling>,
    /// The most tasks at once [default: the settings', or the number of processors]
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<u32>,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    /// Run everything anew; record nothing
    #[arg(long, conflicts_with_all = ["refresh", "verify_cache"])]
    pub(crate) no_cache: bool,
    /// Run everything anew, and record the results
    #[arg(long, conflicts_with = "verify_cache")]
    pub(crate) refresh: bool,
    /// Run also what could be reused; fail where it gives something else than what is recorded
    #[arg(long)]
    pub(crate) verify_cache: bool,
    /// Run again as files change; what git ignores and declared outputs do not count
    #[arg(long)]
    pub(crate) watch: bool,
    /// Do not ask before the default pipeline is run
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Watches of deployments only tell what they would do; time alone moves traffic
    #[arg(long)]
    pub(crate) shadow: bool,
    #[command(flatten)]
    pub(crate) mend: Mend,
}

/// How far a run may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ceiling {
    /// Look only; the same as --dry-run
    Reads,
    /// Checkout, local refs, state and backups
    Writes,
    /// Remotes, messages, services that stay
    Publishes,
}

impl From<Ceiling> for Effect {
    fn from(ceiling: Ceiling) -> Self {
        match ceiling {
            Ceiling::Reads => Self::Reads,
            Ceiling::Writes => Self::Writes,
            Ceiling::Publishes => Self::Publishes,
        }
    }
}

impl Select {
    /// The same for the library.
    pub(crate) fn selector(&self) -> Selector {
        let Self {
            phase,
            all: _,
            skip,
            group,
            task,
            tag,
            failed,
            sequential,
            parallel: _,
            fast,
            skip_tests,
            affected,
        } = self.clone();
        Selector {
            phases: phase,
            skip,
            groups: group,
            tasks: task,
            tags: tag,
            carry: failed.is_some(),
            sequential,
            fast,
            skip_tests,
            affected: affected.map(|base| if base.is_empty() { "@{upstream}".into() } else { base }),
        }
    }
}

impl How {
    /// How the library is to run it.
    pub(crate) fn options(&self, ceiling: Effect) -> RunOptions {
        RunOptions { wait: self.wait, reuse: self.reuse(), ..RunOptions::new(ceiling) }
    }

    /// Whether results are reused.
    pub(crate) fn reuse(&self) -> ReuseMode {
        match self {
            Self { no_cache: true, .. } => ReuseMode::Off,
            Self { refresh: true, .. } => ReuseMode::Renew,
            Self { verify_cache: true, .. } => ReuseMode::Verify,
            _ => ReuseMode::On,
        }
    }

    /// The settings that flags set.
    pub(crate) fn settings(&self) -> Value {
        let mut flags = Map::new();
        if let Some(jobs) = self.jobs {
            flags.insert("jobs".into(), jobs.into());
        }
        if self.dry_run {
            flags.insert("ceiling".into(), Effect::Reads.as_str().into());
        } else if let Some(ceiling) = self.ceiling {
            flags.insert("ceiling".into(), Effect::from(ceiling).as_str().into());
        }
        if self.shadow {
            flags.insert("shadow".into(), true.into());
        }
        if let Some(remedies) = self.mend.remedies() {
            flags.insert("remedies".into(), serde_json::json!(remedies));
        }
        Value::Object(flags)
    }
}
