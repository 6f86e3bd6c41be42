//! restic's locks (its design document, "Locks"): who is at work in a repository, so that nobody prunes what another is
//! about to refer to. The library that keeps repositories works without; here both rules hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use rustix::process::{Pid, getgid, getuid, test_kill_process};
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::crypt::Crypt;
use super::folder::{PARTIAL, files, make_folder};

/// How long a lock counts that nobody renews.
const STALE: Duration = Duration::from_mins(30);
/// How often a lock is renewed.
const RENEW: Duration = Duration::from_mins(5);
/// The most bytes that a lock has.
const MOST: u64 = 64 << 10;

/// A lock as it lies in `locks`, sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lock {
    time: Timestamp,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    pid: i32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Reading and adding: together with others who do so.
    Shared,
    /// Removing: alone.
    Alone,
}

/// A lock that is held, and renewed, until this goes.
pub(super) struct Held {
    stop: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

/// Takes a lock. Locks of dead processes go first, as with `restic unlock`. An error is worth another try.
pub(super) fn take(repository: &Path, crypt: Crypt, what: Use) -> Result<Held, BoxError> {
    let folder = repository.join("locks");
    make_folder(&folder)?;
    let own = write(&folder, &crypt, what)?;
    match in_the_way(&folder, &crypt, what, &own) {
        Ok(None) => Ok(hold(folder, crypt, what, own)),
        Ok(Some(who)) => {
            fs::remove_file(&own)?;
            let advice = "wait until it is done, or say `restic unlock` where it is gone for good";
            Err(Transient(format!("the repository is locked by {who}; {advice}").into()).into())
        }
        Err(error) => {
            // The first error is the one to tell; the lock is stale with this process.
            let _ = fs::remove_file(&own);
            Err(error)
        }
    }
}

fn hold(folder: PathBuf, crypt: Crypt, what: Use, mut own: PathBuf) -> Held {
    let (stop, stopped) = channel();
    let renewing = std::thread::spawn(move || {
        while stopped.recv_timeout(RENEW) == Err(RecvTimeoutError::Timeout) {
            // One that cannot be renewed now may be the next time; until it is stale it counts.
            if let Ok(renewed) = write(&folder, &crypt, what) {
                let _ = fs::remove_file(std::mem::replace(&mut own, renewed));
            }
        }
        let _ = fs::remove_file(own);
    });
    Held { stop: Some(stop), renewing: Some(renewing) }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(renewing) = self.renewing.take() {
            // A thread that panicked leaves a lock that is stale with this process.
            let _ = renewing.join();
        }
    }
}

fn hostname() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

fn write(folder: &Path, crypt: &Crypt, what: Use) -> Result<PathBuf, BoxError> {
    let lock = Lock {
        time: Timestamp::now(),
        exclusive: what == Use::Alone,
        hostname: hostname(),
        username: String::new(),
        pid: i32::try_from(std::process::id())?,
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
    };
    let sealed = crypt.seal(&serde_json::to_vec(&lock)?)?;
    let name: String = Sha256::digest(&sealed).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(&name);
    let partial = folder.join(format!("{name}{PARTIAL}"));
    let written = fs::write(&partial, sealed).and_then(|()| fs::rename(&partial, &path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written.map_err(|error| format!("the repository could not be locked: {error}"))?;
    Ok(path)
}

/// Who holds a lock that does not go together with ours.
fn in_the_way(folder: &Path, crypt: &Crypt, what: Use, own: &Path) -> Result<Option<String>, BoxError> {
    for (path, bytes) in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path == own || name.contains("-tmp-") {
            continue;
        }
        let sealed = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            _ if bytes > MOST => Vec::new(),
            sealed => sealed?,
        };
        let text = crypt.open(&sealed).and_then(unpacked);
        let lock: Option<Lock> = text.and_then(|text| serde_json::from_slice(&text).ok());
        match lock {
            None => return Ok(Some(format!("`locks/{name}`, which cannot be read"))),
            Some(lock) if lock.is_stale() => fs::remove_file(&path)?,
            Some(lock) if lock.exclusive || what == Use::Alone => {
                return Ok(Some(format!("process {} of `{}` since {}", lock.pid, lock.hostname, lock.time)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// JSON, or in repositories of version 2 a byte `2` and compressed JSON.
fn unpacked(text: Vec<u8>) -> Option<Vec<u8>> {
    match text.split_first() {
        Some((2, packed)) => zstd::bulk::decompress(packed, MOST as usize).ok(),
        _ => Some(text),
    }
}

impl Lock {
    fn is_stale(&self) -> bool {
        let age = Timestamp::now().duration_since(self.time);
        let dead = self.hostname == hostname()
            && Pid::from_raw(self.pid)
                .is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
        dead || Duration::try_from(age).is_ok_and(|age| age > STALE)
    }
}

#[cfg(test)]
mod tests {
    use rustic_core::repofile::MasterKey;

    use super::*;

    fn left(folder: &Path) -> usize {
        fs::read_dir(folder.join("locks")).unwrap().count()
    }

    fn put(folder: &Path, crypt: &Crypt, lock: &Lock) {
        let sealed = crypt.seal(&serde_json::to_vec(lock).unwrap()).unwrap();
        fs::write(folder.join(format!("locks/{:064x}", lock.pid)), sealed).unwrap();
    }

    #[test]
    fn readers_share_and_whoever_removes_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::new();
        let crypt = || Crypt::new(&key).unwrap();
        let first = take(folder.path(), crypt(), Use::Shared).unwrap();
        let second = take(folder.path(), crypt(), Use::Shared).unwrap();
        let error = take(folder.path(), crypt(), Use::Alone).err().unwrap();
        assert!(error.is::<Transient>() && error.to_string().contains("is locked by process"), "{error}");
        assert_eq!(left(folder.path()), 2);
        drop((first, second));
        let alone = take(folder.path(), crypt(), Use::Alone).unwrap();
        assert!(take(folder.path(), crypt(), Use::Shared).is_err());
        drop(alone);
        assert_eq!(left(folder.path()), 0);
    }

    #[test]
    fn locks_of_the_dead_go_and_what_cannot_be_read_counts() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::new();
        let crypt = || Crypt::new(&key).unwrap();
        fs::create_dir(folder.path().join("locks")).unwrap();
        let now = Timestamp::now();
        let lock = |hostname: &str, pid, time| Lock {
            time,
            exclusive: true,
            hostname: hostname.into(),
            username: String::new(),
            pid,
            uid: 0,
            gid: 0,
        };
        // No process has such a number.
        put(folder.path(), &crypt(), &lock(&hostname(), i32::MAX, now));
        put(folder.path(), &crypt(), &lock("elsewhere", 1, now - jiff::SignedDuration::from_mins(31)));
        drop(take(folder.path(), crypt(), Use::Alone).unwrap());
        assert_eq!(left(folder.path()), 0);
        put(folder.path(), &crypt(), &lock("elsewhere", 1, now));
        let error = take(folder.path(), crypt(), Use::Shared).err().unwrap().to_string();
        assert!(error.contains("process 1 of `elsewhere`"), "{error}");
        fs::write(folder.path().join(format!("locks/{:064x}", 1)), "garbage").unwrap();
        let error = take(folder.path(), crypt(), Use::Shared).err().unwrap().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
