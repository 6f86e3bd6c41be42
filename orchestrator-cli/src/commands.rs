//! One file a command: arguments in, an exit code out.

mod agents;
mod also;
mod answers;
mod approve;
mod ask;
mod backup;
mod cache;
mod cancel;
mod completions;
mod demo;
mod deploy;
mod dialogue;
mod doctor;
mod drive;
mod health;
mod init;
mod load;
mod logs;
mod perform;
mod plan;
mod proxy;
mod prune;
mod report;
mod resume;
mod rollback;
mod run;
mod runs;
mod share;
mod signal;
mod status;
mod supervise;
mod tree;
mod validate;
mod watch;

use orchestrator_core::registry::Registry;

use crate::args::{Args, Command, Global, RunArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, block_on};

/// Does what was typed.
pub(crate) fn perform(args: Args, registry: Registry) -> Result<Exit, CliError> {
    let Args { global, run, command } = args;
    let Some(command) = command else { return dispatch(Command::Run(Box::new(run)), &global, registry) };
    if run != RunArgs::default() {
        return Err(CliError::usage("flags of `run` belong behind the command: `orchestrate run --dry-run`"));
    }
    dispatch(command, &global, registry)
}

fn dispatch(command: Command, global: &Global, registry: Registry) -> Result<Exit, CliError> {
    let front = || Front::open(global, registry.clone());
    match command {
        Command::Run(args) if args.how.watch => block_on(watch::watch(global.clone(), registry, *args)),
        Command::Run(args) => block_on(run::run(front()?, *args)),
        Command::Plan(args) => block_on(plan::plan(front()?, args)),
        Command::Doctor(args) => block_on(doctor::doctor(front()?, args)),
        Command::Validate(args) => validate::validate(&mut front()?, args),
        Command::Status(args) => block_on(status::status(front()?, args)),
        Command::Runs(args) => block_on(runs::runs(front()?, args)),
        Command::Logs(args) => block_on(logs::logs(front()?, args)),
        Command::Resume(args) => block_on(resume::resume(front()?, args)),
        Command::Rollback(args) => block_on(rollback::rollback(front()?, args)),
        Command::Backup(command) => block_on(backup::backup(front()?, &global.dir, command)),
        Command::Deploy(command) => block_on(deploy::deploy(front()?, &global.dir, command)),
        Command::Approve(args) => block_on(approve::approve(front()?, args)),
        Command::Signal(args) => block_on(signal::signal(front()?, args)),
        Command::Cancel(args) => block_on(cancel::cancel(front()?, args)),
        Command::Cache(command) => block_on(cache::cache(front()?, command)),
        Command::Proxy(args) => proxy::proxy(&global.dir, *args),
        Command::Prune(args) => block_on(prune::prune(front()?, args)),
        Command::Report(args) => block_on(report::report(front()?, args)),
        Command::Perform(args) => perform::perform(&args),
        Command::Supervise(args) => supervise::supervise(&front()?, &args),
        Command::Agents(args) => Ok(agents::agents(&registry, args)),
        Command::Schema => agents::schema(&registry),
        Command::Demo(args) => block_on(demo::demo(global.clone(), args, registry)),
        Command::Load(args) => block_on(load::load(*args)),
        Command::Init(args) => init::init(&front()?, args),
        Command::Completions { shell } => Ok(completions::completions(shell)),
    }
}
