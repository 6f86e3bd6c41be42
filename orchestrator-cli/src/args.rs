//! Arguments. The only place that knows what the command line looks like.

mod approve;
mod backup;
mod cache;
mod deploy;
mod doctor;
mod load;
mod mend;
mod proxy;
mod prune;
mod replay;
mod rollback;
mod run;
mod show;
mod supervise;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueHint};

pub(crate) use approve::ApproveArgs;
pub(crate) use backup::{BackupCommand, CreateArgs, PruneBackupsArgs, RestoreArgs, VerifyArgs};
pub(crate) use cache::{CacheCommand, SweepArgs, WhyArgs};
pub(crate) use deploy::{
    DeployCommand, DeployHow, DeployPruneArgs, DeployRollbackArgs, DeployShow, DeployStopArgs, SwitchArgs,
};
pub(crate) use doctor::DoctorArgs;
pub(crate) use load::LoadArgs;
pub(crate) use mend::Mend;
pub(crate) use proxy::{
    AccessLog, ApplyArgs, OfProxy, ProxyArgs, ProxyCommand, ServeArgs, StopArgs, UpgradeArgs,
};
pub(crate) use prune::PruneArgs;
pub(crate) use replay::ReplayArgs;
pub(crate) use rollback::RollbackArgs;
pub(crate) use run::RunArgs;
pub(crate) use show::{Format, OneArgs, Output, PlanFormat, ShowArgs};
pub(crate) use supervise::SuperviseArgs;

use crate::exit::Exit;

const ABOUT: &str = "Takes a repository through its delivery: back up, generate, build and validate, merge and release, \
                     deploy, report";

const EXAMPLES: &str = "\
Examples:
  orchestrate                           run the pipeline of this repository; without one, a sensible default
  orchestrate run --dry-run             show every change as a diff or command, make none
  orchestrate run --phase 3             one phase; what it needs may have passed in an earlier run
  orchestrate run --failed              run again what failed in the latest run
  orchestrate run --fast                static checks of what changed
  orchestrate doctor                    is this machine able to run it? mend what can be mended
  orchestrate plan                      show the tasks and what they wait for
  orchestrate status                    where the latest run stands
  orchestrate resume                    go on after Ctrl-C, a crash or a wait
  orchestrate approve latest TASK       a person has done what a task waits for
  orchestrate rollback --dry-run        show what would undo the latest run
  orchestrate backup create             a snapshot that is proven by restoring it
  orchestrate deploy status             what is deployed, and who gets the traffic

RUN is a run id, a unique beginning or end of one, or `latest`.";

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "orchestrate", version, about = ABOUT)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::table()))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where to work; for all commands.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Where")]
pub(crate) struct Global {
    /// Work in this folder; the top of its git checkout where a pipeline file lies there
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Keep journals, logs and reports here [default: .orchestrate]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
    /// Pipeline file [default: orchestration.yaml, .yml, .toml or .json]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pipeline (also without any command)
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArgs>),
    /// Show the tasks of a run and what they wait for; starts nothing
    Plan(PlanArgs),
    /// Check that this machine is able to run the pipeline, and mend what can be mended
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(DoctorArgs),
    /// Check the pipeline file; every problem at once, with its place
    Validate(ShowArgs),
    /// Show where a run stands
    Status(OneArgs),
    /// List runs, the latest first
    Runs(ShowArgs),
    /// Show what the commands of a run printed
    Logs(LogsArgs),
    /// Go on with a run that was stopped, waits, or whose process died
    Resume(ResumeArgs),
    /// Undo what a run did, from its journal and its own backup
    #[command(after_help = rollback::EXAMPLES)]
    Rollback(RollbackArgs),
    /// List, make, verify, restore and prune backups of this project
    #[command(subcommand, after_help = backup::EXAMPLES)]
    Backup(BackupCommand),
    /// Show what is deployed; switch, roll back and stop it
    #[command(subcommand, after_help = deploy::EXAMPLES)]
    Deploy(DeployCommand),
    /// Answer a task that waits for a person: done, skipped or aborted
    #[command(after_help = approve::EXAMPLES)]
    Approve(ApproveArgs),
    /// Give a run what it waits for: an approval, an answer
    Signal(SignalArgs),
    /// End a run for good
    Cancel(OneArgs),
    /// List the agents that pipelines may use
    Agents(ShowArgs),
    /// Print the JSON Schema of the pipeline file
    Schema,
    /// Write a commented pipeline file for the stack that is found
    Init(InitArgs),
    /// Lay out a real small project and take it through the whole delivery
    #[command(after_help = DEMO)]
    Demo(DemoArgs),
    /// Serve traffic in front of versions: swap them without closing a connection
    #[command(after_help = proxy::EXAMPLES)]
    Proxy(Box<ProxyArgs>),
    /// Remove runs that are over the limits `settings.keep`; also done after each run
    #[command(after_help = prune::EXAMPLES)]
    Prune(PruneArgs),
    /// Render the reports of a run and say where the page is
    Report(OneArgs),
    /// Show, explain or remove recorded results
    #[command(subcommand, after_help = cache::EXAMPLES)]
    Cache(CacheCommand),
    /// Keep the services of an environment running; deployments start it themselves
    #[command(after_help = supervise::EXAMPLES)]
    Supervise(SuperviseArgs),
    /// Perform what a deployment from another machine asks for, over its connection; deployments start it themselves
    #[command(hide = true)]
    Perform(PerformArgs),
    /// Load a server on this machine: how many requests fail, how long they take, which version answers
    #[command(after_help = load::EXAMPLES)]
    Load(Box<LoadArgs>),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  orchestrate completions bash > ~/.local/share/bash-completion/completions/orchestrate"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `perform`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PerformArgs {
    /// Only say whether a file is what it should be
    #[arg(long, value_name = "DIGEST", requires = "file")]
    pub(crate) is: Option<String>,
    /// That file
    #[arg(long, value_name = "FILE", requires = "is")]
    pub(crate) file: Option<PathBuf>,
}

/// `plan`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) select: run::Select,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PlanFormat,
}

/// `logs`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct LogsArgs {
    /// Which run; `latest` for the latest
    #[arg(default_value = "latest")]
    pub(crate) run: String,
    /// Only this task
    pub(crate) task: Option<String>,
    /// Go on as long as the run does
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// `resume`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "Example: a deployment was cut off, and it did go out:\n  orchestrate resume --assume done deploy-production"
)]
pub(crate) struct ResumeArgs {
    /// Which run [default: the latest that is not over]
    pub(crate) run: Option<String>,
    /// Say of a task that was cut off while publishing whether it went out: `done` or `not-done`
    #[arg(long, num_args = 2, value_names = ["done|not-done", "TASK"], action = clap::ArgAction::Append)]
    pub(crate) assume: Vec<String>,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    /// Go on with a shared run though another machine holds its lease
    #[arg(long)]
    pub(crate) take_over: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `signal`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  orchestrate signal latest approve --payload '{\"by\": \"Ada\"}'")]
pub(crate) struct SignalArgs {
    /// Which run; `latest` for the latest
    pub(crate) run: String,
    /// Name of the signal, as `status` shows it
    pub(crate) name: String,
    /// What it brings
    #[arg(long, value_name = "JSON")]
    pub(crate) payload: Option<String>,
}

/// `init`.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct InitArgs {
    /// Replace a pipeline file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

const DEMO: &str = "\
The project is a Rust HTTP service with its own git repository, a feature branch to merge and a remote, all inside DIR. \
What is published goes to that remote and to loopback.

Examples:
  orchestrate demo                      in ./orchestrate-demo; goes on where it was cut off
  orchestrate demo --fresh              from the start
  orchestrate demo --stop               end the services that it left running";

/// `demo`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Where to lay it out [default: orchestrate-demo]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
    /// Start over where it has run already
    #[arg(long, conflicts_with = "stop")]
    pub(crate) fresh: bool,
    /// End the services that it left running
    #[arg(long)]
    pub(crate) stop: bool,
    /// Lay it out and show what the run would change
    #[arg(long, short = 'n', conflicts_with = "stop")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Args {
    /// Whether programs read the answer, and so the errors.
    pub(crate) fn is_json(&self) -> bool {
        match &self.command {
            None => self.run.output.format == Format::Json,
            Some(Command::Run(args)) => args.output.format == Format::Json,
            Some(Command::Resume(args)) => args.output.format == Format::Json,
            Some(Command::Rollback(args)) => args.output.format == Format::Json,
            Some(Command::Demo(args)) => args.output.format == Format::Json,
            Some(Command::Supervise(args)) => args.show.format == Format::Json,
            Some(Command::Prune(args)) => args.show.format == Format::Json,
            Some(Command::Load(args)) => args.is_json(),
            Some(Command::Doctor(args)) => args.output.format == Format::Json,
            Some(Command::Plan(args)) => args.format == PlanFormat::Json,
            Some(Command::Status(args) | Command::Cancel(args) | Command::Report(args)) => {
                args.show.format == Format::Json
            }
            Some(Command::Approve(args)) => args.show.format == Format::Json,
            Some(Command::Backup(command)) => command.format() == Format::Json,
            Some(Command::Deploy(command)) => command.format() == Format::Json,
            Some(Command::Proxy(args)) => args.format() == Format::Json,
            Some(Command::Cache(command)) => command.show().format == Format::Json,
            Some(Command::Validate(args) | Command::Runs(args) | Command::Agents(args)) => {
                args.format == Format::Json
            }
            Some(
                Command::Logs(_)
                | Command::Signal(_)
                | Command::Schema
                | Command::Perform(_)
                | Command::Init(_)
                | Command::Completions { .. },
            ) => false,
        }
    }
}

#[cfg(test)]
#[path = "args/tests.rs"]
mod tests;
