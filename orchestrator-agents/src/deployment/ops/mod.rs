//! What touches the world: the operations of deployment, and plain functions for a command line.

mod ask_engines;
mod beside;
mod check;
mod claim;
#[cfg(feature = "docker")]
mod containers;
#[cfg(not(feature = "docker"))]
#[path = "containers/absent.rs"]
mod containers;
mod contracted;
mod error;
mod halt;
mod hidden;
mod hosts;
mod in_use;
mod kept;
mod launch;
mod listening;
mod load;
mod log_watch;
mod migrate;
mod observe;
mod own;
mod owned;
mod place;
mod process;
mod promote;
mod prune;
mod reinstate;
mod smoke;
mod start;
mod status;
mod steady;
mod stop;
mod supervise;
mod traffic;

pub use ask_engines::{AskEngines, AskEnginesInput, AskEnginesOutput};
pub use check::{CheckHealth, CheckHealthInput, CheckHealthOutput, Watched};
pub use claim::{
    ClaimEnvironment, ClaimInput, ClaimOutput, ConfirmClaim, ConfirmInput, Expected, ReleaseEnvironment,
    ReleaseInput, ReleaseOutput, Serving,
};
#[cfg(feature = "docker")]
pub use containers::{ContainerInput, EngineInput, EngineOutput, LookAtEngine, StartContainer};
pub use error::DeployError;
pub(super) use error::MOVED;
#[cfg(test)]
pub(super) use hosts::closed;
pub use hosts::{
    ActOnHost, AskHost, AskHostInput, AskHostOutput, Asking, Brought, CheckHost, CheckHostInput,
    CheckHostOutput, ForgetHost, HoldClaims, HoldInput, HoldOutput, LookOnHost, OnHostInput, Performing,
    PrepareHost, PrepareHostInput, PrepareHostOutput, gone_hosts, history_on, hosts, hosts_of, is_program,
    kept_on, perform, standing_on, standing_on_gone,
};
pub use in_use::runs_in_use;
pub use kept::{Kept, kept, way_back};
pub use load::{EndLoad, EndLoadInput, StartLoad, StartLoadInput, StartLoadOutput, end_loads};
pub use log_watch::{LogCursor, ReadSignatures, ReadSignaturesInput, ReadSignaturesOutput};
pub use migrate::{
    AppliedMigration, AppliedMigrations, ApplyMigrations, MigrateInput, PendingMigrations,
    PendingMigrationsOutput,
};
pub use observe::{Observe, ObserveInput, RecordDecision, RecordDecisionInput};
pub use process::identity;
pub use promote::{Promote, PromoteInput, PromoteOutput};
pub(super) use prune::keep;
pub use prune::{Gone, LookAtReleases, PruneInput, PruneOutput, PruneReleases, Stays};
pub use reinstate::{Reinstate, ReinstateInput};
pub use smoke::{SmokeInput, SmokeOutput, SmokeResult, SmokeTests};
pub use start::{StartInput, StartOutput, StartService};
pub use status::{
    Deployment, Role, Standing, Supervised, Watching, deployments, environments, history, standing, stop_all,
};
pub use stop::{StopInput, StopOutput, StopService, Stopped, Which};
pub use supervise::{Over, asked, ordered, standing as supervised, supervise};
pub use traffic::{
    Drained, ReadInput, ReadTraffic, ReleaseTraffic, ServeInput, ServeOutput, ServeTraffic, SwitchInput,
    SwitchTraffic, Switched, Traffic,
};
