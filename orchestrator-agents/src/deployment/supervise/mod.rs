//! What it means to keep an environment running: values and rules, nothing here touches the world.
//!
//! One process for each environment, `orchestrate supervise`, keeps what was started there: it starts a release when it is told to,
//! starts it again on the same port when it crashes, rotates its log, ends it when it is told to, and keeps the proxy running. The
//! first operation that needs one starts it; `ops/supervise` is what acts.
//!
//! | file of the environment | what it holds |
//! |---|---|
//! | `supervise.sock` | where it is asked, by its own user only: an [`Order`] a line, an [`Answer`] a line |
//! | `supervise.json` | the [`Roster`]: what it keeps, written before it acts; no variables, no secrets |
//! | `supervise.lock` | held as long as it lives: there is one |
//! | `supervise.log` | what it did; rotated as the logs of services are |
//!
//! **When it dies,** services go on. The next one adopts them: by the process that the roster names, or by the tag that they carry. A
//! child that was just made holds the lock until it has its tag (a forked process shares the lock until it executes its program), so
//! whoever gets the lock sees every process that there is: nothing is started twice, nothing is lost.
//!
//! **Secrets** come over the socket and stay in memory. After the supervisor's own death they are read back from the environment of
//! the very process that is adopted (`/proc/PID/environ`, which the same user may read). A service that ended while nobody watched, or
//! wrote over its environment, and that was given secrets cannot be started again without them: it is [`State::NeedsSecrets`], and deploying or reinstating it brings
//! them back.
//!
//! **Logs** are files that services append to, not pipes: a pipe would block or kill a service whose supervisor died. Rotating copies
//! the beginning of the file, up to the end of a line, and then takes those bytes out of the file (`fallocate`), which writers at its
//! end do not notice. So no line is lost or torn, whoever is killed when; a kill between copy and cut repeats lines.

mod order;
mod pace;
mod roster;

use std::path::PathBuf;

pub use order::{Answer, Order, ProxyOrder, Standing};
pub use pace::{Next, Pace};
pub use roster::{Kept, KeptProxy, Roster, State};

/// The program that supervises an environment, handed in by the front door: `PROGRAM ARGS.. --state STATE supervise --environment ENV`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// The program, absolute.
    pub program: PathBuf,
    /// What comes before the arguments of `orchestrate` itself.
    pub args: Vec<String>,
}

impl Supervisor {
    /// That program, which is `orchestrate` or a command line like it.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }
}
