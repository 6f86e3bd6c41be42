//! What touches the world: the operations of deployment, and plain functions for a command line.

mod check;
mod claim;
mod error;
mod halt;
mod in_use;
mod launch;
mod log_watch;
mod migrate;
mod observe;
mod owned;
mod place;
mod port;
mod process;
mod promote;
mod reinstate;
mod smoke;
mod start;
mod status;
mod steady;
mod stop;
mod supervise;
mod traffic;

pub use check::{CheckHealth, CheckHealthInput, CheckHealthOutput, Watched};
pub use claim::{
    ClaimEnvironment, ClaimInput, ClaimOutput, ConfirmClaim, ConfirmInput, ReleaseEnvironment, ReleaseInput,
    ReleaseOutput, Serving,
};
pub use error::DeployError;
pub use in_use::runs_in_use;
pub use log_watch::{LogCursor, ReadSignatures, ReadSignaturesInput, ReadSignaturesOutput};
pub use migrate::{
    AppliedMigration, AppliedMigrations, ApplyMigrations, MigrateInput, PendingMigrations,
    PendingMigrationsOutput,
};
pub use observe::{Observe, ObserveInput, RecordDecision, RecordDecisionInput};
pub use process::identity;
pub use promote::{Promote, PromoteInput, PromoteOutput};
pub use reinstate::{Reinstate, ReinstateInput};
pub use smoke::{SmokeInput, SmokeOutput, SmokeResult, SmokeTests};
pub use start::{StartInput, StartOutput, StartService};
pub use status::{
    Deployment, Kept, Role, Standing, Watching, deployments, history, kept, standing, stop_all,
};
pub use stop::{StopInput, StopOutput, StopService, Stopped, Which};
pub use supervise::{Over, asked, ordered, standing as supervised, supervise};
pub use traffic::{
    Drained, ReadInput, ReadTraffic, ReleaseTraffic, ServeInput, ServeOutput, ServeTraffic, SwitchInput,
    SwitchTraffic, Switched, Traffic,
};
