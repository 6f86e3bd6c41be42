//! Commands: what is started, and what its end says.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Local, files, millis};
use crate::action::{CommandLine, EnvValue, Run};
use crate::executor::{Captured, ExecutorError, Exit, ExitState, Mask, Spawn, SpawnError, Stream};
use crate::id::OrderKey;
use crate::order::{Artifact, Order, Receipt, Status, Used};
use crate::outcome::Failure;
use crate::path::RelPath;
use crate::progress::ProgressSink;
use crate::stop::Stop;

impl Local {
    pub(super) async fn command(
        &self,
        order: &Order,
        run: &Run,
        progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError> {
        let spawn = match self.spawn(&order.key, run, progress) {
            Ok(spawn) => spawn,
            Err(failure) => return Ok(Receipt::failed(failure, false)),
        };
        let logs = [spawn.stdout.clone(), spawn.stderr.clone()];
        let mask = spawn.mask.clone();
        let exit = match self.processes.run(spawn, stop).await {
            Ok(exit) if exit.stopped => return Err(ExecutorError::Stopped(order.key.clone())),
            Ok(exit) => exit,
            Err(SpawnError::Stopped { .. }) => return Err(ExecutorError::Stopped(order.key.clone())),
            Err(error @ SpawnError::Log { .. }) => {
                return Err(ExecutorError::Other(Failure::from_error(&error).to_string()));
            }
            Err(error) => return Ok(Receipt::failed(Failure::from_error(&error), false)),
        };
        let mut receipt = receipt(exit, &logs);
        if !run.collect.is_empty() {
            let place = self.place.clone();
            let (key, run) = (order.key.run.clone(), run.clone());
            let collected =
                tokio::task::spawn_blocking(move || files::collect(&place, &key, &run, mask.as_deref()))
                    .await;
            match collected.map_err(|error| ExecutorError::Other(error.to_string()))?? {
                Ok(artifacts) => receipt.artifacts = artifacts,
                Err(failure) => receipt.status = Status::Failed { failure, transient: false },
            }
        }
        Ok(receipt)
    }

    /// What to start; or why it cannot be.
    fn spawn(&self, key: &OrderKey, run: &Run, progress: &ProgressSink) -> Result<Spawn, Failure> {
        let refuse = |why: String| Err(Failure::new(why));
        let Some((program, args)) = argv(&run.command) else { return refuse("the command is empty".into()) };
        let mut env = self.place.env.to_vec();
        let mut secrets = Vec::new();
        for (name, value) in &run.env {
            let value = match value {
                EnvValue::Plain(value) => value.clone(),
                EnvValue::Secret { secret } => match self.place.secrets.secret(secret) {
                    Some(value) => {
                        secrets.push((secret.clone(), value.clone()));
                        value
                    }
                    None => {
                        return refuse(format!(
                            "there is no secret `{secret}`; set it where secrets come from"
                        ));
                    }
                },
            };
            env.retain(|(known, _)| known != name.as_str());
            env.push((name.into(), value.into()));
        }
        env.push(self.place.mark(key));
        let mask = if secrets.is_empty() {
            None
        } else {
            match Mask::new(secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
                Ok(mask) => Some(Arc::new(mask)),
                Err(error) => return refuse(error.to_string()),
            }
        };
        let stdin = match &run.stdin {
            None => None,
            Some(content) => Some(self.place.bytes(&key.run, content)?),
        };
        let logs = self.place.layout.logs(&key.run);
        let lines = progress.is_wanted().then(|| {
            let progress = progress.clone();
            let tell = move |stream: Stream, line: &str| progress.line(stream == Stream::Stderr, line);
            Arc::new(tell) as Arc<crate::executor::OnLine>
        });
        Ok(Spawn {
            program,
            args,
            cwd: run.cwd.under(&self.place.root),
            env,
            stdin,
            stdout: logs.join(format!("{}.out", key.file_stem())),
            stderr: logs.join(format!("{}.err", key.file_stem())),
            mask,
            grace: self.grace,
            lines,
            give_up_after_exit: Duration::from_secs(2),
        })
    }
}

/// Program and arguments. A line without anything that only a shell understands is split here: a shell doubles the cost
/// of a short command.
fn argv(command: &CommandLine) -> Option<(String, Vec<String>)> {
    let mut words = match command {
        CommandLine::Argv(argv) => argv.clone(),
        CommandLine::Shell(line) => match plain_words(line) {
            Some(words) => words,
            None => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        },
    };
    if words.first().is_none_or(String::is_empty) {
        return None;
    }
    let program = words.remove(0);
    Some((program, words))
}

/// Words that mean something to a shell although they look like programs.
const SHELL_WORDS: [&str; 58] = [
    ".", ":", "[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "echo", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi",
    "for", "function", "getopts", "hash", "if", "jobs", "kill", "let", "local", "printf", "pwd", "read",
    "readonly", "return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap",
    "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

fn plain_words(line: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@% \t".contains(c);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let first = words.first()?;
    (line.chars().all(plain) && !SHELL_WORDS.contains(&first.as_str())).then_some(words)
}

fn receipt(exit: Exit, logs: &[PathBuf; 2]) -> Receipt {
    let mut receipt = Receipt::new(match exit.status {
        ExitState::Exited(code) => Status::Exited(code),
        ExitState::Signaled(signal) => Status::Signaled(signal),
    });
    let log = |captured: &Captured, path: &Path, name: &str| {
        let digest = captured.digest?.into();
        let file = path.file_name()?.to_str()?;
        let place = RelPath::new(format!("logs/{file}")).ok()?;
        Some(Artifact { name: name.to_owned(), place, digest, bytes: captured.bytes })
    };
    receipt.stdout = log(&exit.stdout, &logs[0], "stdout");
    receipt.stderr = log(&exit.stderr, &logs[1], "stderr");
    receipt.tail = [exit.stdout.tail, exit.stderr.tail].join("");
    if receipt.tail.len() > 4096 {
        let from = receipt.tail.ceil_char_boundary(receipt.tail.len() - 4096);
        receipt.tail.drain(..from);
    }
    receipt.took_ms = millis(exit.elapsed);
    receipt.used = exit.usage.map(|used| Used { user_ms: used.user_ms, system_ms: used.system_ms });
    receipt
}
