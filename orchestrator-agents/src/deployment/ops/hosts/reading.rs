//! What comes over the connection, on the host: lines that are questions, and files that are brought.
//!
//! Files are laid out beside their place, digested, synced, and renamed as a whole: a tree is there, and as it was sent, or it is not.

use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use orchestrator_core::outcome::Failure;
use orchestrator_core::path::Digest;

use crate::deployment::hosts::wire::{Answer, LONGEST, Request, Tree, TreeFile};
use crate::deployment::ops::error::{DeployError, Tried};

/// How long trees stay that no deployment asked for, and what an upload that was cut off left.
const KEPT: Duration = Duration::from_hours(7 * 24);
const CUT_OFF: Duration = Duration::from_hours(1);
/// Bytes at a time.
const PIECE: usize = 1 << 20;

/// What was heard.
pub(super) enum Heard {
    /// A question for whoever performs.
    Request(Request),
    /// Whoever asks is there.
    Alive,
    /// The answer to a question.
    Done(Answer),
    /// The connection ended.
    Over,
}

/// Reads until the connection ends. `at_work` says that nothing is heard since a file of this machine is looked at, or on its way to the disk.
pub(super) fn read(mut input: impl BufRead, home: &Path, events: &Sender<Heard>, at_work: &AtomicBool) {
    let mut brought: Option<PathBuf> = None;
    while let Ok(Some(request)) = line(&mut input) {
        let heard = match request {
            Request::Alive {} => Heard::Alive,
            Request::Have { tree } => {
                at_work.store(true, Ordering::SeqCst);
                told(brought.as_deref(), |folder| have(folder, &tree))
            }
            Request::Put { tree, file } => {
                let mut bytes = (&mut input).take(file.bytes);
                let put = told(brought.as_deref(), |folder| {
                    let put = put(folder, tree, &file, &mut bytes, (events, at_work));
                    if put.is_err() {
                        // What is half there would keep the disk full. Where it cannot be removed now, it goes another time.
                        let _ = fs::remove_dir_all(unfinished(folder, tree));
                    }
                    put
                });
                // What was not taken is passed over, so that the next line is one.
                if passed_over(&mut bytes, events).is_err() || bytes.limit() > 0 {
                    break;
                }
                put
            }
            Request::Keep { tree } => {
                at_work.store(true, Ordering::SeqCst);
                told(brought.as_deref(), |folder| keep(folder, &tree))
            }
            request => {
                if let Request::Hello { folder, .. } = &request {
                    brought = Some(home.join(folder.as_str()).join(".orchestrate/brought"));
                }
                Heard::Request(request)
            }
        };
        if events.send(heard).is_err() {
            return;
        }
        at_work.store(false, Ordering::SeqCst);
    }
    // Nobody listens where it was over already.
    let _ = events.send(Heard::Over);
}

/// The next question; none where the connection ended. One that is none ends it.
fn line(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = Vec::new();
    input.take(LONGEST as u64).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&line).map(Some)?)
}

fn told(folder: Option<&Path>, work: impl FnOnce(&Path) -> Result<Answer, DeployError>) -> Heard {
    let done = match folder {
        Some(folder) => work(folder),
        None => return Heard::Done(failed(Failure::new("it was not said hello to"))),
    };
    Heard::Done(done.unwrap_or_else(|error| failed(Failure::from_error(&error))))
}

fn failed(failure: Failure) -> Answer {
    Answer::Failed { failure, transient: false }
}

/// Whether a tree is here, all of it as it was sent.
fn have(folder: &Path, tree: &Tree) -> Result<Answer, DeployError> {
    let place = folder.join(tree.digest().to_string());
    if !place.is_dir() {
        return Ok(Answer::Missing {});
    }
    for file in &tree.files {
        let path = file.path.under(&place);
        if !File::open(&path).is_ok_and(|mut open| digest(&mut open).is_ok_and(|found| found == file.digest))
        {
            // Somebody or something changed it: it is brought again.
            fs::remove_dir_all(&place).tried("removed", &place)?;
            return Ok(Answer::Missing {});
        }
    }
    // It was asked for now: it is none of those that go.
    let touched = File::open(&place).and_then(|open| open.set_modified(std::time::SystemTime::now()));
    touched.tried("marked as used", &place)?;
    Ok(Answer::Done {})
}

fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&piece[..read]),
        };
    }
}

/// Where a tree is laid out until it is whole. Of this process: two that bring the same do not meet.
fn unfinished(folder: &Path, tree: Digest) -> PathBuf {
    folder.join(format!(".{tree}.{}", std::process::id()))
}

fn put(
    folder: &Path,
    tree: Digest,
    file: &TreeFile,
    bytes: &mut impl Read,
    (events, at_work): (&Sender<Heard>, &AtomicBool),
) -> Result<Answer, DeployError> {
    let path = file.path.under(&unfinished(folder, tree));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).tried("created", parent)?;
    }
    let mut to = File::create(&path).tried("created", &path)?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = bytes.read(&mut piece).tried("received", &path)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        to.write_all(&piece[..read]).tried("written", &path)?;
        // As good as a sign of life.
        let _ = events.send(Heard::Alive);
    }
    at_work.store(true, Ordering::SeqCst);
    let mode = if file.executable { 0o700 } else { 0o600 };
    to.set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| to.sync_all())
        .tried("written", &path)?;
    if Digest::from(hasher.finalize()) != file.digest {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it changed on its way");
        return Err(DeployError::Io { what: format!("`{}` did not arrive", file.path), source });
    }
    Ok(Answer::Done {})
}

/// What comes and is not wanted is as good a sign of life as what is.
fn passed_over(bytes: &mut impl Read, events: &Sender<Heard>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                let _ = events.send(Heard::Alive);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a tree count whose files are all here.
fn keep(folder: &Path, tree: &Tree) -> Result<Answer, DeployError> {
    let digest = tree.digest();
    let (from, place) = (unfinished(folder, digest), folder.join(digest.to_string()));
    for file in &tree.files {
        let path = file.path.under(&from);
        File::open(&path).tried("found", &path)?;
    }
    match fs::rename(&from, &place) {
        // Somebody else brought the same this moment.
        Err(_) if place.is_dir() => fs::remove_dir_all(&from).tried("removed", &from)?,
        renamed => renamed.tried("renamed", &from)?,
    }
    File::open(folder).and_then(|folder| folder.sync_all()).tried("written", folder)?;
    tidy(folder, &place);
    Ok(Answer::Done {})
}

/// Removes trees that nobody asked for in a week, and what was cut off. What cannot be removed now goes another time.
fn tidy(folder: &Path, but: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let most = if entry.file_name().to_string_lossy().starts_with('.') { CUT_OFF } else { KEPT };
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        if path != but && age.is_some_and(|age| age > most) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use orchestrator_core::path::RelPath;
    use serde_json::json;

    use super::*;

    /// A file that takes its time: one that nobody writes to yet.
    #[test]
    fn a_file_that_takes_long_is_work() {
        let home = tempfile::tempdir().unwrap();
        let (path, digest) = (RelPath::new("app").unwrap(), Digest::of(b"x"));
        let tree = Tree { files: vec![TreeFile { path, digest, bytes: 1, executable: false }] };
        let place = home.path().join("srv/.orchestrate/brought").join(tree.digest().to_string());
        fs::create_dir_all(&place).unwrap();
        let slow = place.join("app");
        assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
        let hello = json!({ "hello": { "folder": "srv", "owner": "ada@desk" } });
        let lines = format!("{hello}\n{}\n", json!({ "have": { "tree": tree } }));
        let (events, heard) = channel();
        let (at_work, own) = (Arc::new(AtomicBool::new(false)), home.path().to_owned());
        let says = at_work.clone();
        let reads = std::thread::spawn(move || read(io::Cursor::new(lines), &own, &events, &says));
        assert!(matches!(heard.recv().unwrap(), Heard::Request(Request::Hello { .. })));
        let until = Instant::now() + Duration::from_secs(20);
        while !at_work.load(Ordering::SeqCst) {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        assert!(heard.try_recv().is_err());
        fs::write(&slow, "x").unwrap();
        assert!(matches!(heard.recv().unwrap(), Heard::Done(Answer::Done {})));
        assert!(matches!(heard.recv().unwrap(), Heard::Over));
        reads.join().unwrap();
        assert!(!at_work.load(Ordering::SeqCst));
    }

    /// What could not be laid out is passed over, which is no silence, and why is told after it.
    #[test]
    fn what_is_passed_over_is_a_sign_of_life() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("srv/.orchestrate")).unwrap();
        fs::write(home.path().join("srv/.orchestrate/brought"), "no folder").unwrap();
        let (path, bytes) = (RelPath::new("app").unwrap(), 3 * PIECE as u64);
        let file = TreeFile { path, digest: Digest::of(b"x"), bytes, executable: false };
        let hello = json!({ "hello": { "folder": "srv", "owner": "ada@desk" } });
        let put = json!({ "put": { "tree": Digest::of(b"tree"), "file": file } });
        let mut lines = format!("{hello}\n{put}\n").into_bytes();
        lines.resize(lines.len() + 3 * PIECE, b'x');
        lines.extend(b"{\"alive\":{}}\n");
        let (events, heard) = channel();
        read(io::Cursor::new(lines), home.path(), &events, &AtomicBool::new(false));
        drop(events);
        let heard: Vec<Heard> = heard.iter().skip(1).collect();
        let failed = heard.iter().position(|heard| matches!(heard, Heard::Done(Answer::Failed { .. })));
        let failed = failed.unwrap();
        assert!(failed > 0 && heard[..failed].iter().all(|heard| matches!(heard, Heard::Alive)));
        assert!(matches!(heard[failed + 1..], [Heard::Alive, Heard::Over]), "the next line is one");
    }
}
