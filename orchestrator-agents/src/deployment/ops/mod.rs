//! What touches the world: the operations of deployment, and plain functions for a command line.

mod check;
mod error;
mod halt;
mod in_use;
mod launch;
mod place;
mod port;
mod process;
mod promote;
mod reinstate;
mod smoke;
mod start;
mod status;
mod stop;
mod supervise;

pub use check::{CheckHealth, CheckHealthInput, CheckHealthOutput, Watched};
pub use error::DeployError;
pub use in_use::runs_in_use;
pub use process::identity;
pub use promote::{Promote, PromoteInput, PromoteOutput};
pub use reinstate::{Reinstate, ReinstateInput};
pub use smoke::{SmokeInput, SmokeOutput, SmokeResult, SmokeTests};
pub use start::{StartInput, StartOutput, StartService};
pub use status::{Deployment, Role, deployments, history, stop_all};
pub use stop::{StopInput, StopOutput, StopService, Stopped, Which};
pub use supervise::{Over, asked, ordered, standing, supervise};
