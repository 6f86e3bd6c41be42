//! The successor of a proxy: started, given everything, and heard.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use super::family::kill;
use crate::sockets::{Channel, Said, Sockets};

/// How long a successor may take until it serves.
const PATIENCE: Duration = Duration::from_secs(20);

const ENDED: &str = "it ended before it served";

/// How a successor is started. It finds a channel as its standard input.
#[derive(Debug, Clone)]
pub struct Successor {
    /// Its program.
    pub program: PathBuf,
    /// What it is told.
    pub arguments: Vec<OsString>,
}

impl Successor {
    /// Starts it, hands everything over and waits until it serves. Its process and the channel to it; or why it does not serve, and then nothing of it is
    /// left.
    pub fn start(&self, sockets: &Sockets) -> Result<(u32, Channel), String> {
        let (channel, far) =
            Channel::pair().map_err(|error| format!("no channel to a successor: {error}"))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(far);
        let child = command
            .spawn()
            .map_err(|error| format!("`{}` cannot be started: {error}", self.program.display()))?;
        // The command still holds the other end of the channel.
        drop(command);
        let mut starting = Starting(Some(child));
        starting.hand(channel, sockets)
    }
}

/// A successor that is ended unless it serves.
struct Starting(Option<Child>);

impl Starting {
    fn hand(&mut self, mut channel: Channel, sockets: &Sockets) -> Result<(u32, Channel), String> {
        let Some(mut child) = self.0.take() else { return Err("there is no successor".into()) };
        // One that has ended already may have said why.
        let handed = channel.hand(sockets);
        let heard = match channel.hear(Some(PATIENCE)) {
            Ok(Some(said)) => Ok(Some(said)),
            other => handed.and(other),
        };
        let why = match heard {
            Ok(Some(Said::Ready { pid })) => {
                // Not always the process that was started: that may be a script around it. It serves, so nothing may end it any more. This process only takes note of its end, and where it cannot, that is no harm.
                let _ = thread::Builder::new().name("successor".into()).spawn(move || child.wait());
                return Ok((pid, channel));
            }
            Ok(Some(Said::Failed { why })) => why,
            Ok(None) => ENDED.to_owned(),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ENDED.to_owned(),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                format!("it did not serve within {} s", PATIENCE.as_secs())
            }
            Err(error) => error.to_string(),
        };
        self.0 = Some(child);
        Err(format!("the successor failed, this process goes on: {why}"))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Where it has ended already, there is nothing to kill. What it has started, should it be a script, goes with it.
            kill(child.id());
            let _ = child.wait();
        }
    }
}
