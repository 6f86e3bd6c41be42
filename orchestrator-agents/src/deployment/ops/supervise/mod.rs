//! The supervisor of an environment at work, and how it is asked. What it is: [`crate::deployment::supervise`].
//!
//! | file | what for |
//! |---|---|
//! | `run` `keeper` `home` | the loop; what it holds, and what it does with each event; whether its folder is there yet |
//! | `service` `proxy` `adopt` | one service; the proxy; what runs already |
//! | `child` `seen` `holder` | starting a process; what can be seen of one; who has an address |
//! | `door` `client` | the socket, from both sides; what operations do where nobody answers |
//! | `rotate` `journal` | logs of services; its own log |

mod adopt;
mod child;
mod client;
mod door;
mod holder;
mod home;
mod journal;
mod keeper;
mod proxy;
mod rotate;
mod run;
mod seen;
mod service;

pub(super) use client::{Hands, as_it_runs, ask, comes_back, end, keep, lives, quit, running, stands};
pub use client::{asked, ordered, standing};
pub use run::{Over, supervise};
