//! Reads the entries of an archive, of the kinds that ours have and no others. Names are bounded before they are read.

use std::io::{self, Read};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::archive::BLOCK;
use crate::backup::manifest::Name;

/// The longest name that is read: longer than any that a file system takes.
const LONGEST: u64 = 64 << 10;

/// The header of an entry.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: Name,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: u64,
    pub(super) what: Kind,
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum Kind {
    Folder,
    Link(Name),
    /// A file of which so many bytes follow; a sparse one's size is another.
    File {
        stored: u64,
        size: u64,
    },
}

/// Reads the header of the next entry; none at the end. What follows a header is read by the caller, with [`skip`].
pub(super) fn next(archive: &mut impl Read) -> io::Result<Option<Found>> {
    let (mut long_path, mut long_target) = (None, None);
    loop {
        let Some(header) = header(archive)? else { return Ok(None) };
        let kind = header.entry_type();
        let stored = header.entry_size()?;
        match kind {
            EntryType::GNULongName => long_path = Some(name(archive, stored)?),
            EntryType::GNULongLink => long_target = Some(name(archive, stored)?),
            _ => {
                let short = || Name(header.path_bytes().into_owned());
                let path = trimmed(long_path.unwrap_or_else(short));
                let target = || {
                    long_target.unwrap_or_else(|| Name(header.link_name_bytes().unwrap_or_default().into()))
                };
                let what = match kind {
                    EntryType::Directory => Kind::Folder,
                    EntryType::Symlink => Kind::Link(target()),
                    EntryType::Regular => Kind::File { stored, size: stored },
                    EntryType::GNUSparse => Kind::File { stored, size: sparse(&header, archive)? },
                    _ => return Err(unfit(format!("`{path}` is of a kind that backups do not hold"))),
                };
                if !matches!(what, Kind::File { .. }) && stored != 0 {
                    return Err(unfit(format!("`{path}` has content, and is no file")));
                }
                return Ok(Some(Found {
                    path,
                    mode: header.mode()? & 0o7777,
                    modified: header.mtime()?,
                    what,
                }));
            }
        }
    }
}

/// Reads over what fills up the last block of a file.
pub(super) fn skip(archive: &mut impl Read, stored: u64) -> io::Result<()> {
    let over = usize::try_from(stored % BLOCK as u64).unwrap_or(0);
    archive.read_exact(&mut [0; BLOCK][..(BLOCK - over) % BLOCK])
}

fn header(archive: &mut impl Read) -> io::Result<Option<Header>> {
    let mut header = Header::new_old();
    let bytes = header.as_mut_bytes();
    let mut filled = 0;
    while filled < BLOCK {
        match archive.read(&mut bytes[filled..])? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    if header.as_bytes().iter().all(|byte| *byte == 0) {
        // The end; what follows is zeros, or nothing.
        return Ok(None);
    }
    let sum =
        |(at, byte): (usize, &u8)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) };
    if header.cksum()? != header.as_bytes().iter().enumerate().map(sum).sum::<u32>() {
        return Err(unfit("a header does not have the sum that it says".to_owned()));
    }
    Ok(Some(header))
}

fn name(archive: &mut impl Read, length: u64) -> io::Result<Name> {
    if length > LONGEST {
        return Err(unfit(format!("a name of {length} bytes")));
    }
    let mut bytes = Vec::new();
    archive.by_ref().take(length).read_to_end(&mut bytes)?;
    skip(archive, length)?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(Name(bytes))
}

/// Folders may end with a slash.
fn trimmed(mut path: Name) -> Name {
    if path.0.len() > 1 && path.0.ends_with(b"/") {
        path.0.pop();
    }
    path
}

/// Reads over the rest of the map of a sparse file, which the manifest has too. Gives the file's size.
fn sparse(header: &Header, archive: &mut impl Read) -> io::Result<u64> {
    let gnu = header.as_gnu().ok_or_else(|| unfit("a sparse file with a foreign header".to_owned()))?;
    let mut goes_on = gnu.is_extended();
    while goes_on {
        let mut more = GnuExtSparseHeader::new();
        archive.read_exact(more.as_mut_bytes())?;
        goes_on = more.is_extended();
    }
    gnu.real_size()
}

fn unfit(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
