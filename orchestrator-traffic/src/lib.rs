//! Traffic: the reverse proxy that stands in front of deployed versions, and the load client that proves a switch.
//!
//! | module | is | feature |
//! |---|---|---|
//! | [`protocol`] | what is said to a proxy over its control socket, and what it answers: plain values | |
//! | [`control`] | asks a proxy: one JSON line there, one back | |
//! | [`ports`] | free ports on loopback | |
//! | [`sockets`] | listening sockets that outlive the process that serves them | |
//! | `proxy` | the proxy itself | `serve` |
//! | `load` | the open-loop load client | `serve` |
//!
//! It knows nothing of runs, agents or deployments: whoever deploys tells the proxy which versions there are, how much of the traffic
//! each gets, and asks what came of it. So it depends on no other crate of this workspace.

pub mod control;
#[cfg(feature = "serve")]
pub mod load;
pub mod ports;
pub mod protocol;
#[cfg(feature = "serve")]
pub mod proxy;
pub mod sockets;
