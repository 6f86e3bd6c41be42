//! Reads a log from where the last look ended, through files that were renamed meanwhile (`LOG.1` is the newest of them).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::super::error::{DeployError, Tried};
use super::super::halt::Halt;
use super::super::hidden::Hidden;
use super::super::launch::Given;
use super::super::process::open_log;
use super::{LogCursor, ReadSignaturesOutput};
use crate::deployment::{LogWatch, Signatures};

/// The most bytes of one look.
const MOST: u64 = 16 << 20;
/// The most bytes of a line that are kept; the rest of it is skipped.
const LINE: usize = 8 << 10;
/// How many bytes before the end of a look tell it again.
const MARK: u64 = 256;
/// The oldest file that is looked for.
const OLDEST: u32 = 20;

/// A file that is to be read from somewhere on.
struct Part {
    file: File,
    path: PathBuf,
    from: u64,
    length: u64,
    number: u64,
    block: u64,
}

pub(super) fn read(
    log: &Path,
    from: Option<LogCursor>,
    watch: &LogWatch,
    given: &Given,
    halt: &Halt,
) -> Result<ReadSignaturesOutput, DeployError> {
    let (signatures, gaps) = (Signatures::default(), Vec::new());
    let mut output = ReadSignaturesOutput { signatures, fresh: None, next: from, bytes: 0, gaps };
    let hidden = Hidden::new(&given.secrets);
    let parts = parts(log, from, &mut output.gaps)?;
    let last = parts.len().saturating_sub(1);
    for (at, mut part) in parts.into_iter().enumerate() {
        halt.check()?;
        let room = MOST - output.bytes.min(MOST);
        if room == 0 {
            // The next look goes on in this file.
            break;
        }
        let end = part.length.min(part.from + room);
        let read = lines(&mut part, end, at == last, watch, &hidden, &mut output.signatures)
            .tried("read", &part.path)?;
        output.bytes += read;
        let offset = part.from + read;
        output.next = Some(LogCursor { file: part.number, offset, mark: part.mark(offset) });
        if end < part.length {
            break;
        }
    }
    if let Some(why) = &given.unknown {
        output.signatures = output.signatures.counted(why);
    }
    Ok(output)
}

/// The files to read, the oldest first.
fn parts(log: &Path, from: Option<LogCursor>, gaps: &mut Vec<String>) -> Result<Vec<Part>, DeployError> {
    let Some(current) = open(log)? else { return Ok(Vec::new()) };
    let Some(cursor) = from else { return newest(log, current, gaps) };
    let LogCursor { file, offset, .. } = cursor;
    if current.number == file {
        if current.is_at(offset, cursor.mark) {
            return Ok(vec![Part { from: offset.max(current.from), ..current }]);
        }
        return rotated(log, current, cursor, gaps);
    }
    // It was renamed: its rest first, then what came between.
    let mut parts = vec![current];
    for age in 1..=OLDEST {
        let Some(part) = open(&named(log, age))? else { break };
        let is_last = part.number == file;
        parts.push(if is_last { Part { from: offset.min(part.length), ..part } } else { part });
        if is_last {
            parts.reverse();
            return Ok(parts);
        }
    }
    gaps.push("the log that the last look read is gone: lines may be missing".to_owned());
    parts.reverse();
    Ok(parts)
}

/// The newest bytes of a log and of its earlier parts.
fn newest(log: &Path, current: Part, gaps: &mut Vec<String>) -> Result<Vec<Part>, DeployError> {
    let (mut room, mut skipped, mut parts) = (MOST, 0, Vec::new());
    let mut next = Some(current);
    for age in 1..=OLDEST {
        let Some(part) = next else { break };
        let length = part.length - part.from;
        let taken = length.min(room);
        room -= taken;
        skipped += length - taken;
        if taken > 0 || age == 1 {
            parts.push(Part { from: part.length - taken, ..part });
        }
        next = open(&named(log, age))?;
    }
    if skipped > 0 {
        gaps.push(format!("the first {skipped} bytes of the log were not read"));
    }
    parts.reverse();
    Ok(parts)
}

/// A log out of whose beginning bytes were taken since: they are in its first part. What was read of them is found by the mark.
fn rotated(
    log: &Path,
    current: Part,
    cursor: LogCursor,
    gaps: &mut Vec<String>,
) -> Result<Vec<Part>, DeployError> {
    let LogCursor { offset, mark, .. } = cursor;
    if let Some(part) = open(&named(log, 1))?.filter(|_| mark.is_some()) {
        if part.is_at(offset, mark) {
            return Ok(vec![Part { from: offset, ..part }, current]);
        }
        // It was read beyond that part: whole blocks of it are gone, the rest of the last one is blank.
        let gone = part.length / current.block * current.block;
        if let Some(offset) = offset.checked_sub(gone).filter(|offset| current.is_at(*offset, mark)) {
            return Ok(vec![Part { from: offset, ..current }]);
        }
    }
    gaps.push("the log was cut since the last look: lines may be missing".to_owned());
    Ok(vec![current])
}

fn named(log: &Path, age: u32) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

impl Part {
    /// Whether a look that ended there can go on there.
    fn is_at(&self, offset: u64, mark: Option<u64>) -> bool {
        offset <= self.length && mark.is_none_or(|mark| self.mark(offset) == Some(mark))
    }

    /// A digest of the last bytes before an offset.
    fn mark(&self, offset: u64) -> Option<u64> {
        let mut bytes = vec![0; offset.min(MARK) as usize];
        self.file.read_exact_at(&mut bytes, offset.saturating_sub(MARK)).ok()?;
        let digest = blake3::hash(&bytes);
        digest.as_bytes().first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

fn open(path: &Path) -> Result<Option<Part>, DeployError> {
    let file = match open_log(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).tried("opened", path),
    };
    let found = file.metadata().tried("looked at", path)?;
    let (length, number, block) = (found.len(), found.ino(), found.blksize().max(1));
    // What was freed in its beginning reads as nothing.
    let from = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(0)).unwrap_or(0).min(length);
    Ok(Some(Part { file, path: path.to_owned(), from, length, number, block }))
}

/// Takes the lines up to `end`, and gives the bytes that were read. In the newest file a line that does not end yet is left for
/// the next look.
fn lines(
    part: &mut Part,
    end: u64,
    newest: bool,
    watch: &LogWatch,
    hidden: &Hidden,
    into: &mut Signatures,
) -> io::Result<u64> {
    part.file.seek(SeekFrom::Start(part.from))?;
    let mut reader = BufReader::with_capacity(64 << 10, (&part.file).take(end - part.from));
    let (mut read, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let (bytes, whole) = next_line(&mut reader, &mut line)?;
        // A line longer than a whole look must not hold it up for ever.
        let is_rest = !whole && newest && bytes < MOST;
        if bytes == 0 || is_rest {
            return Ok(read);
        }
        read += bytes;
        let text = String::from_utf8_lossy(&line);
        into.take_without(text.trim_start_matches('\0').trim_end(), watch, &|text| hidden.hide(text));
    }
}

/// Reads a line, keeps the start of it, and gives its bytes and whether it has an end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<(u64, bool)> {
    let mut all = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok((all, false));
        }
        let (bytes, whole) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        let kept = bytes.min(LINE.saturating_sub(line.len()));
        line.extend_from_slice(&buffer[..kept]);
        reader.consume(bytes);
        all += bytes as u64;
        if whole {
            return Ok((all, true));
        }
    }
}
