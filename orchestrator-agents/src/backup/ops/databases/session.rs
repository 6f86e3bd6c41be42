//! A session of `psql` that stays open between questions, so that all of them see the same snapshot of the database.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use orchestrator_core::BoxError;

use super::piped::{collected, failed, joined, missing};
use crate::ops::here::Here;
use crate::ops::process;

/// The line that ends an answer.
const END: &str = "-- end of answer";
/// The longest line that is taken.
const LONGEST: u64 = 64 << 20;

/// A session that is open. It ends, with its transaction, when it is dropped.
pub(super) struct Session<'a> {
    here: &'a Here,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Option<JoinHandle<Vec<u8>>>,
}

impl<'a> Session<'a> {
    /// Opens one by a command that reads SQL from its input.
    pub(super) fn open(here: &'a Here, mut command: Command) -> Result<Self, BoxError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| missing(&program, &error))?;
        let (stdin, said) = (child.stdin.take(), Some(collected(child.stderr.take())));
        let lines = lines(child.stdout.take());
        Ok(Self { here, child, stdin, lines, said })
    }

    /// The lines that a statement gives.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Vec<String>, BoxError> {
        let sent = self.stdin.as_mut().map(|stdin| {
            writeln!(stdin, "{sql}\n\\echo '{END}'")?;
            stdin.flush()
        });
        let mut answer = Vec::new();
        // Where it could not be sent, the session is over, and says why.
        let mut open = matches!(sent, Some(Ok(())));
        while open {
            self.here.go_on()?;
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) if line == END => return Ok(answer),
                Ok(line) => answer.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        }
        self.stdin = None;
        let status = self.child.wait()?;
        Err(failed("psql", status, &self.said.take().map(joined).unwrap_or_default()))
    }

    /// The one line that a statement gives.
    pub(super) fn one(&mut self, sql: &str) -> Result<String, BoxError> {
        let answer = self.ask(sql)?;
        Ok(answer.into_iter().next().ok_or("`psql` gave no answer")?)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.stdin = None;
        process::end(&mut self.child);
    }
}

fn lines(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(64);
    std::thread::spawn(move || {
        let Some(from) = from else { return };
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while let Ok(read) = Read::by_ref(&mut from).take(LONGEST).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            line.clear();
            if read == 0 || sender.send(text).is_err() {
                return;
            }
        }
    });
    receiver
}
