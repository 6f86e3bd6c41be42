//! Deployments on a host that is reached by ssh: `check-host`, `prepare-host`, `act-on-host` and `look-on-host`, `ask-host` and `forget-host`; the program at the other end; and
//! plain functions for a command line.
//!
//! `reach` says how a host is reached, `session` is a connection, `perform` and `reading` are the other end of it, `bring` brings files,
//! `looks` are those of a watch, `script` is for where the program is not there yet, `records` say which hosts an environment is on.

mod act;
mod asked;
mod bring;
mod check;
mod error;
mod gone;
mod hold;
mod looks;
mod perform;
mod prepare;
mod reach;
mod reading;
mod records;
mod script;
mod session;
mod under_way;

pub use act::{ActOnHost, Brought, LookOnHost, OnHostInput};
pub use asked::{
    Asking, gone_hosts, history_on, hosts, hosts_of, is_program, kept_on, standing_on, standing_on_gone,
};
pub use check::{CheckHost, CheckHostInput, CheckHostOutput};
pub use gone::{AskHost, AskHostInput, AskHostOutput, ForgetHost};
pub use hold::{HoldClaims, HoldInput, HoldOutput};
pub use perform::{Performing, perform};
pub use prepare::{PrepareHost, PrepareHostInput, PrepareHostOutput};
pub(super) use reach::PROGRAMS;
#[cfg(test)]
pub(in crate::deployment) use reach::closed;
