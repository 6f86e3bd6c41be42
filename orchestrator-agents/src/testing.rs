//! For the tests of this crate.

use std::io::Write as _;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};

use orchestrator_core::action::{Action, CommandLine, Content, EnvValue, Expects};
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::testkit::Kept;

/// Actions as people see them, one a line.
pub(crate) fn shown<'a>(actions: impl IntoIterator<Item = &'a Action>) -> String {
    let lines: Vec<String> = actions.into_iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

/// What a future gives that never waits, as planning does.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("planning waits for nothing"),
    }
}

/// Performs an action as an executor would.
pub(crate) fn perform(action: &Action, root: &Path, kept: &mut Kept) -> Receipt {
    let run = match action {
        Action::Run(run) => run,
        Action::Write(write) => {
            let path = write.path.under(root);
            let there = std::fs::read(&path).ok();
            if write.expects != Expects::Anything {
                assert_eq!(write.expects, Expects::exactly(there.as_deref()), "{action}");
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, write.content.bytes().unwrap()).unwrap();
            return Receipt::new(Status::Done);
        }
        Action::Remove(remove) => {
            let _ = std::fs::remove_file(remove.path.under(root));
            return Receipt::new(Status::Done);
        }
        _ => panic!("{action} is not for tests"),
    };
    let argv = match &run.command {
        CommandLine::Argv(argv) => argv.clone(),
        CommandLine::Shell(line) => vec!["sh".into(), "-c".into(), line.clone()],
    };
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).current_dir(run.cwd.under(root)).env_remove("CARGO_TARGET_DIR");
    for (name, value) in &run.env {
        let EnvValue::Plain(value) = value else { panic!("tools have no secrets of their own") };
        command.env(name, value);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = run.stdin.as_ref().and_then(Content::bytes).unwrap_or_default();
    // A command may end without reading what it is given.
    let _ = child.stdin.take().unwrap().write_all(&stdin);
    let output = child.wait_with_output().unwrap();
    let mut receipt = Receipt::new(Status::Exited(output.status.code().unwrap()));
    receipt.tail = String::from_utf8_lossy(&output.stderr).into_owned();
    receipt.stdout = (!output.stdout.is_empty()).then(|| kept.keep("stdout", output.stdout));
    receipt.stderr = (!output.stderr.is_empty()).then(|| kept.keep("stderr", output.stderr));
    receipt
}
