//! Digests of files: content, kind and executable bit.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::stamp::{Eyes, Kind, Seen, Stamp};
use crate::path::Digest;

/// What a link leads to is known by its stamp alone above this size.
const LARGE: u64 = 1 << 20;

/// The digest of a file, from that of its content.
pub(crate) fn coded(content: Digest, executable: bool) -> Digest {
    if executable { Digest::of(format!("executable {content}").as_bytes()) } else { content }
}

/// The digest of a link in the tree, by where it leads and what is there.
fn link(root: &Path, path: &str, target: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"link ").update(target).update(b"\0");
    // A link that leads nowhere, in circles or to a folder is its target alone.
    let full = root.join(path).canonicalize().ok().filter(|full| full.is_file());
    if let Some(mut file) = full.and_then(|full| std::fs::File::open(full).ok()) {
        match file.metadata() {
            // A program that a virtual environment leads to: it is looked at each time, so it is not read each time.
            Ok(meta) if meta.len() > LARGE => {
                let stamp = (
                    meta.len(),
                    meta.ino(),
                    meta.mtime(),
                    meta.mtime_nsec(),
                    meta.ctime(),
                    meta.ctime_nsec(),
                );
                hasher.update(format!("{stamp:?}").as_bytes());
            }
            _ => drop(hasher.update_reader(&mut file)),
        }
    }
    hasher.finalize().into()
}

/// What is at `path` now, of which nothing is known: mostly a file, so it is opened without a look before.
pub(super) fn first(eyes: &Eyes, root: &Path, path: &str) -> io::Result<(Seen, Option<Digest>)> {
    file(eyes, path).or_else(|_| digest(eyes, root, path, eyes.stamp(path)?))
}

/// What is at `path` now, which had the stamp `stamp` a moment ago: what to believe of it, and its digest.
pub(super) fn digest(
    eyes: &Eyes,
    root: &Path,
    path: &str,
    stamp: Option<Stamp>,
) -> io::Result<(Seen, Option<Digest>)> {
    let Some(stamp) = stamp else { return Ok((Seen::Absent, None)) };
    match stamp.kind {
        Kind::Link => Ok((Seen::Unsure, Some(link(root, path, &eyes.link(path)?)))),
        Kind::Folder => Ok((Seen::Unsure, Some(Digest::of(b"folder")))),
        Kind::Other => Ok((Seen::Unsure, Some(Digest::of(b"neither file, folder nor link")))),
        Kind::File => file(eyes, path),
    }
}

/// The stamp is taken before the content is read: a change meanwhile gives the file another one, so at the next look, and there
/// is one before a result is recorded, it is read again.
fn file(eyes: &Eyes, path: &str) -> io::Result<(Seen, Option<Digest>)> {
    let file = match eyes.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Seen::Absent, None)),
        Err(error) => return Err(error),
    };
    let (now, stamp) = (SystemTime::now(), Eyes::behind(&file)?);
    if stamp.kind != Kind::File {
        return Err(io::Error::other("it is no file any more"));
    }
    let content = content_of(&file, stamp.size)?;
    Ok((stamp.believed(now), Some(coded(content, stamp.executable))))
}

/// The digest of all that can be read from a file.
pub(crate) fn content(file: &std::fs::File) -> io::Result<Digest> {
    content_of(file, u64::MAX)
}

/// The same of a file that has this size, as far as is known: a read that gives all of it was the last one.
fn content_of(mut file: &std::fs::File, size: u64) -> io::Result<Digest> {
    use std::io::Read as _;
    let mut buffer = [0; 16 << 10];
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => return Ok(Digest::of(&buffer[..filled])),
            more => filled += more,
        }
        if filled as u64 == size {
            return Ok(Digest::of(&buffer[..filled]));
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&buffer);
    hasher.update_reader(file)?;
    Ok(hasher.finalize().into())
}
