//! One run of a program: how long, how much memory, whether it succeeded.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use wait4::Wait4 as _;

/// After this the program and what it started are killed.
const LIMIT: Duration = Duration::from_mins(4);

/// What a run took.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) seconds: f64,
    /// Bytes in memory at the peak: the largest single process of those that the program is or waited for.
    pub(crate) peak: f64,
}

/// Runs a program to its end. Its output goes to a file, for there is no terminal for any of them.
pub(crate) fn run(command: &mut Command) -> Result<Took, String> {
    use std::os::unix::process::CommandExt as _;
    let mut output = tempfile::tempfile().map_err(|wrong| wrong.to_string())?;
    let copy = || output.try_clone().map_err(|wrong| wrong.to_string());
    command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?).process_group(0);
    let start = Instant::now();
    let child = command.spawn().map_err(|wrong| format!("{}: {wrong}", command.get_program().display()))?;
    let (done, end) = mpsc::channel::<()>();
    let group = format!("-{}", child.id());
    let guard = std::thread::spawn(move || {
        let late = end.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
        late
    });
    let used = child.wait4().map_err(|wrong| wrong.to_string());
    let seconds = start.elapsed().as_secs_f64();
    drop(done);
    let late = guard.join().is_ok_and(|late| late);
    let used = used?;
    match used.status {
        _ if late => Err(format!("not done after {} s", LIMIT.as_secs())),
        status if !status.success() => Err(format!("{status}: {}", last_line(&mut output))),
        _ => Ok(Took { seconds, peak: used.rusage.maxrss as f64 }),
    }
}

/// What a program prints, both streams.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

fn last_line(output: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = output.rewind().and_then(|()| output.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.find(|line| line.to_lowercase().contains("error")).or_else(|| text.lines().next_back());
    line.unwrap_or("said nothing").chars().take(120).collect()
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
