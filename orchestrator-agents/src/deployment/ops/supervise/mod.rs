//! The supervisor of an environment at work, and how it is asked. What it is: [`crate::deployment::supervise`].
//!
//! | file | what for |
//! |---|---|
//! | `run` `keeper` | the loop; what it holds, and what it does with each event |
//! | `service` `proxy` `adopt` | one service; the proxy; what runs already |
//! | `child` `seen` | starting a process; what can be seen of one |
//! | `door` `client` | the socket, from both sides; what operations do where nobody answers |
//! | `rotate` `journal` | logs of services; its own log |

mod adopt;
mod child;
mod client;
mod door;
mod journal;
mod keeper;
mod proxy;
mod rotate;
mod run;
mod seen;
mod service;

pub(super) use client::{Hands, as_it_runs, comes_back, end, quit, running};
pub use client::{asked, ordered, standing};
pub use run::{Over, supervise};
