//! Arguments of `deploy`.

use clap::{Args, Subcommand};
use orchestrator_agents::deployment::{Environment, KEEP, Patience};

use super::{Format, Output, ReplayArgs, ShowArgs, replay};

pub(super) const EXAMPLES: &str = "\
What is deployed lies in the state folder, `deploy/ENV/`. A deployment itself is a run of the phase `deployment`; these commands look \
at what it left, and move traffic between versions that are kept. Those that change something are ordinary runs: journaled, shown by \
--dry-run, resumed after Ctrl-C.

Examples:
  orchestrate deploy status                      versions, shares, claim, the watch under way
  orchestrate deploy history --environment production
  orchestrate deploy rollback --environment production --dry-run
  orchestrate deploy switch 1.4.0 --environment production
  orchestrate deploy prune --environment production --dry-run
  orchestrate deploy stop --environment staging
  orchestrate deploy stop --environment production --host web3
  orchestrate deploy stop --environment production --host web3 --forget     it is gone for good

An environment on several hosts is shown host by host, and `rollback`, `switch`, `prune` and `stop` are for all of them; where one does not \
answer the exit code is not 0.";

const ROLLBACK: &str = "\
Without --to the version before the current one gets all traffic again: as it runs, or started from its release folder and found \
healthy. One that does not come up changes nothing. A deployment that is watched right now is told to go back by itself, in one step, \
and waited for: ten minutes, or what --wait says. The command ends with what became of it.

Examples:
  orchestrate deploy rollback --environment production
  orchestrate deploy rollback --to 1.4.0 --environment production --wait=10m";

const PRUNE: &str = "\
Each deployment that counts does this by itself (`keep`). The current version and the one before stay, and so does what runs, what a \
supervisor, the proxy or who deploys may need, and what a run that is not over names. What is removed cannot be brought back: deploy it again.

Examples:
  orchestrate deploy prune --environment production --dry-run
  orchestrate deploy prune --environment production --keep 2";

const STOP: &str = "\
What cannot be asked is not ended, and keeps its place: the command fails, and so do deployments to it. --forget is for a host, or a container \
engine, that is gone for good. It is tried first (a host for ten seconds), and what answers is ended as ever; the rest is taken off the list by \
name and may run still. Nothing is forgotten without the flag. `deploy status` goes on asking a forgotten host, and says what it finds should \
it come back: `deploy stop --host` ends that, a deployment to it replaces it, and --forget once more is the end of it.

Examples:
  orchestrate deploy stop --environment production --host web3
  orchestrate deploy stop --environment production --host web3 --forget --dry-run
  orchestrate deploy stop --environment production --forget          containers of an engine that is gone";

/// `deploy`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeployCommand {
    /// Show versions, shares of the traffic, who deploys, and the watch under way
    Status(DeployShow),
    /// Give all traffic to a kept release, by its version or name
    Switch(SwitchArgs),
    /// Give all traffic back to the version before, or to an earlier one
    #[command(after_help = ROLLBACK)]
    Rollback(DeployRollbackArgs),
    /// List deployments: which version, when, who, how it ended
    History(DeployShow),
    /// Remove kept releases over a number, with their recordings; never one that somebody may need
    #[command(after_help = PRUNE)]
    Prune(DeployPruneArgs),
    /// End what is deployed, and the proxy before it
    #[command(after_help = STOP)]
    Stop(DeployStopArgs),
    /// Decide again what a recorded watch decided, or what it would have with another config
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
}

/// What to show.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployShow {
    /// Which environment [default: all]
    #[arg(long, short, value_name = "ENV", value_parser = environment)]
    pub(crate) environment: Option<Environment>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// How to change something.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployHow {
    /// Which environment [default: the only one there is]
    #[arg(long, short, value_name = "ENV", value_parser = environment)]
    pub(crate) environment: Option<Environment>,
    /// Show what would be done; change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Wait where another run holds the checkout, and that long where another deployment has the environment or goes back
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = patience)]
    pub(crate) wait: Option<Patience>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `deploy switch`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SwitchArgs {
    /// Which version, or the name of a release
    pub(crate) version: String,
    #[command(flatten)]
    pub(crate) how: DeployHow,
}

/// `deploy rollback`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployRollbackArgs {
    /// To this version, or the release of that name [default: the one before]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) how: DeployHow,
}

/// `deploy prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployPruneArgs {
    /// How many releases that counted to keep, and as many that never did
    #[arg(long, value_name = "NUMBER", default_value_t = KEEP, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep: u32,
    #[command(flatten)]
    pub(crate) how: DeployHow,
}

/// `deploy stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployStopArgs {
    /// Every environment
    #[arg(long, conflicts_with = "environment")]
    pub(crate) all: bool,
    /// On this host of the environment alone; may be given several times [default: all of them]
    #[arg(long, value_name = "HOST", conflicts_with = "all")]
    pub(crate) host: Vec<String>,
    /// Forget what cannot be asked: a host that is not reached, a container whose engine does not answer. It is named, and may run still
    #[arg(long)]
    pub(crate) forget: bool,
    #[command(flatten)]
    pub(crate) how: DeployHow,
}

fn environment(name: &str) -> Result<Environment, String> {
    Environment::new(name).map_err(|error| error.to_string())
}

fn patience(time: &str) -> Result<Patience, String> {
    Patience::try_from(time.to_owned()).map_err(|error| error.to_string())
}

impl DeployCommand {
    /// How to answer.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Status(args) | Self::History(args) => args.show.format,
            Self::Switch(args) => args.how.output.format,
            Self::Rollback(args) => args.how.output.format,
            Self::Prune(args) => args.how.output.format,
            Self::Stop(args) => args.how.output.format,
            Self::Replay(args) => args.format,
        }
    }
}
