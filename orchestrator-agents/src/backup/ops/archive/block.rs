//! Entries as tar writes them: GNU headers, with long names and sparse files.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tar::{EntryType, GnuExtSparseHeader, Header};

/// Everything in an archive is a multiple of this.
pub(in super::super) const BLOCK: usize = 512;
/// What an archive ends with.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// How GNU tar marks the header of a long name.
const LONG: &str = "././@LongLink";

/// Appends the header of a folder.
pub(super) fn folder(out: &mut Vec<u8>, path: &Path, found: &Metadata) -> io::Result<()> {
    put(out, path, header(found, EntryType::Directory, 0))
}

/// Appends a symbolic link.
pub(super) fn link(out: &mut Vec<u8>, path: &Path, target: &Path, found: &Metadata) -> io::Result<()> {
    let mut header = header(found, EntryType::Symlink, 0);
    let target = target.as_os_str().as_bytes();
    if !fits(&mut header.as_old_mut().linkname, target) {
        long(out, EntryType::GNULongLink, target)?;
    }
    put(out, path, header)
}

/// Appends the header of a file of so many bytes, which follow.
pub(super) fn file(out: &mut Vec<u8>, path: &Path, found: &Metadata, bytes: u64) -> io::Result<()> {
    put(out, path, header(found, EntryType::Regular, bytes))
}

/// Appends the headers of a sparse file, whose extents follow one after the other.
pub(super) fn sparse(
    out: &mut Vec<u8>,
    path: &Path,
    found: &Metadata,
    extents: &[(u64, u64)],
) -> io::Result<()> {
    let mut map = extents.to_vec();
    // The map says where the file ends, even if nothing is there.
    if map.last().is_none_or(|(start, length)| start + length < found.len()) {
        map.push((found.len(), 0));
    }
    let mut header = header(found, EntryType::GNUSparse, extents.iter().map(|(_, length)| length).sum());
    let gnu = header.as_gnu_mut().ok_or_else(|| io::Error::other("not a GNU header"))?;
    gnu.set_real_size(found.len());
    let in_header = map.len().min(gnu.sparse.len());
    let (first, rest) = map.split_at(in_header);
    for (slot, (start, length)) in gnu.sparse.iter_mut().zip(first) {
        slot.set_offset(*start);
        slot.set_length(*length);
    }
    gnu.set_is_extended(!rest.is_empty());
    put(out, path, header)?;
    let mut more = GnuExtSparseHeader::new();
    let room = more.sparse().len();
    for (at, part) in rest.chunks(room).enumerate() {
        more = GnuExtSparseHeader::new();
        for (slot, (start, length)) in more.sparse_mut().iter_mut().zip(part) {
            slot.set_offset(*start);
            slot.set_length(*length);
        }
        more.set_is_extended((at + 1) * room < rest.len());
        out.extend_from_slice(more.as_bytes());
    }
    Ok(())
}

/// Fills up to a whole block.
pub(super) fn pad(out: &mut Vec<u8>, length: u64) {
    let over = usize::try_from(length % BLOCK as u64).unwrap_or(0);
    out.resize(out.len() + (BLOCK - over) % BLOCK, 0);
}

fn header(found: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(found.permissions().mode() & 0o7777);
    header.set_uid(found.uid().into());
    header.set_gid(found.gid().into());
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
    header.set_size(size);
    header
}

fn put(out: &mut Vec<u8>, path: &Path, mut header: Header) -> io::Result<()> {
    let path = path.as_os_str().as_bytes();
    if !fits(&mut header.as_old_mut().name, path) {
        long(out, EntryType::GNULongName, path)?;
    }
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    Ok(())
}

/// Writes the beginning of a name; whether it is all of it.
fn fits(slot: &mut [u8], name: &[u8]) -> bool {
    let length = slot.len().min(name.len());
    slot[..length].copy_from_slice(&name[..length]);
    length == name.len()
}

/// A name that has no room in a header goes before it, as the content of an entry of its own.
fn long(out: &mut Vec<u8>, kind: EntryType, name: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_path(LONG)?;
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(name.len() as u64 + 1);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(name);
    out.push(0);
    pad(out, name.len() as u64 + 1);
    Ok(())
}
