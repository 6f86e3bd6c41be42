//! Programs that deployments over ssh brought to a host. Each use is marked by the time of the file, so one that somebody deploys with, or
//! asks with, stays; one that runs, or that a supervisor would start, stays however old that is. What is missing is brought again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::hosts::PROGRAMS;
use crate::deployment::ops::place::{Place, names_in};

/// How long a program stays that nobody uses.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The folder of programs that this very program lies in; none where it was not brought.
fn folder() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.parent().filter(|folder| folder.ends_with(PROGRAMS)).map(Path::to_owned)
}

/// Marks this program as used, where it was brought. What cannot be marked is only brought again some time.
pub(in crate::deployment::ops) fn used() {
    if let Ok(own) = std::env::current_exe() {
        mark(&own);
    }
}

/// The same of another program. Projects that deploy to the same host share them and know nothing of each other: who would start one says
/// so now and then.
pub(in crate::deployment::ops) fn mark(program: &Path) {
    if program.parent().is_some_and(|folder| folder.ends_with(PROGRAMS)) {
        let _ = File::open(program).and_then(|program| program.set_modified(SystemTime::now()));
    }
}

/// Programs that nobody used for long, and that nobody runs.
pub(super) fn unused(state: &Path) -> Result<Vec<PathBuf>, DeployError> {
    folder().map_or(Ok(Vec::new()), |folder| unused_in(&folder, state, SystemTime::now()))
}

fn unused_in(folder: &Path, state: &Path, now: SystemTime) -> Result<Vec<PathBuf>, DeployError> {
    let old = |path: &Path| {
        let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file);
        let used = found.and_then(|found| found.modified().ok());
        used.and_then(|used| now.duration_since(used).ok()).is_some_and(|age| age > KEPT)
    };
    let mut unused: Vec<PathBuf> = names_in(folder)?
        .into_iter()
        .filter(|name| name.strip_prefix("orchestrate-").is_some_and(is_digest))
        .map(|name| folder.join(name))
        .filter(|path| old(path))
        .collect();
    if unused.is_empty() {
        return Ok(unused);
    }
    let running = running()?;
    let mut rosters = String::new();
    for place in Place::all(state)? {
        let path = place.folder().join("supervise.json");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            read => rosters.push_str(&read.tried("read", &path)?),
        }
    }
    unused.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !running.contains(path) && !rosters.contains(&*name)
    });
    Ok(unused)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// The program of every process that may be looked at.
fn running() -> Result<BTreeSet<PathBuf>, DeployError> {
    let proc = Path::new("/proc");
    let all = fs::read_dir(proc).tried("listed", proc)?;
    Ok(all.flatten().filter_map(|entry| fs::read_link(entry.path().join("exe")).ok()).collect())
}

/// Removes them: those that went, and what failed.
pub(super) fn remove(programs: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut gone, mut failed) = (Vec::new(), Vec::new());
    for path in programs {
        match fs::remove_file(path).tried("removed", path) {
            Ok(()) => gone.push(path.clone()),
            Err(error) => failed.push(error.line()),
        }
    }
    (gone, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_marked_stays() {
        let temp = tempfile::tempdir().unwrap();
        let (bin, state) = (temp.path().join(PROGRAMS), temp.path().join("state"));
        fs::create_dir_all(&bin).unwrap();
        let old = SystemTime::now() - KEPT - Duration::from_mins(1);
        let put = |path: PathBuf| {
            fs::write(&path, "").unwrap();
            File::open(&path).unwrap().set_modified(old).unwrap();
            path
        };
        let name = |digit: &str| format!("orchestrate-{}", digit.repeat(64));
        let (stays, goes) = (put(bin.join(name("a"))), put(bin.join(name("b"))));
        let elsewhere = put(temp.path().join("orchestrate"));
        mark(&stays);
        mark(&elsewhere);
        mark(&bin.join("missing"));
        assert_eq!(unused_in(&bin, &state, SystemTime::now()).unwrap(), [goes]);
        assert_eq!(fs::metadata(elsewhere).unwrap().modified().unwrap(), old, "it was not brought");
    }

    #[test]
    fn only_programs_that_nobody_uses_go() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, state) = (temp.path().join("bin"), temp.path().join("state"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(state.join("deploy/production")).unwrap();
        let name = |digit: &str| format!("orchestrate-{}", digit.repeat(64));
        let old = SystemTime::now() - KEPT - Duration::from_mins(1);
        let put = |name: &str, at: SystemTime| {
            let path = folder.join(name);
            // It runs while the test looks.
            fs::copy("/bin/sleep", &path).unwrap();
            File::open(&path).unwrap().set_modified(at).unwrap();
            path
        };
        let goes = put(&name("a"), old);
        put(&name("b"), SystemTime::now());
        put(&name("c"), old);
        fs::write(state.join("deploy/production/supervise.json"), format!("{{\"x\":\"{}\"}}", name("c")))
            .unwrap();
        let runs = put(&name("d"), old);
        put("somebody-elses", old);
        put("orchestrate-1", old);
        std::os::unix::fs::symlink("/bin/sleep", folder.join(name("e"))).unwrap();
        let mut child = std::process::Command::new(&runs).arg("60").spawn().unwrap();
        let found = unused_in(&folder, &state, SystemTime::now());
        // A clock that was set back makes nothing old.
        let back = unused_in(&folder, &state, old - KEPT);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.unwrap(), std::slice::from_ref(&goes));
        assert_eq!(back.unwrap(), Vec::<PathBuf>::new());
        let missing = folder.join("missing");
        let (gone, failed) = remove(&[goes.clone(), missing]);
        assert_eq!(gone, [goes]);
        assert!(failed[0].contains("missing"), "{failed:?}");
        assert!(!folder.join(name("a")).exists());
    }
}
