//! Reads a log from where the last look ended, through files that were renamed meanwhile (`LOG.1` is the newest of them).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::error::{DeployError, Tried};
use super::super::halt::Halt;
use super::{LogCursor, ReadSignaturesOutput};
use crate::deployment::{LogWatch, Signatures};

/// The most bytes of one look.
const MOST: u64 = 16 << 20;
/// The most bytes of a line that are kept; the rest of it is skipped.
const LINE: usize = 8 << 10;
/// The oldest file that is looked for.
const OLDEST: u32 = 20;

/// A file that is to be read from somewhere on.
struct Part {
    file: File,
    path: PathBuf,
    from: u64,
    length: u64,
    number: u64,
}

pub(super) fn read(
    log: &Path,
    from: Option<LogCursor>,
    watch: &LogWatch,
    secrets: &[String],
    halt: &Halt,
) -> Result<ReadSignaturesOutput, DeployError> {
    let mut output =
        ReadSignaturesOutput { signatures: Signatures::default(), next: from, bytes: 0, gaps: Vec::new() };
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
        let read = lines(&mut part, end, at == last, watch, secrets, &mut output.signatures)
            .tried("read", &part.path)?;
        output.bytes += read;
        output.next = Some(LogCursor { file: part.number, offset: part.from + read });
        if end < part.length {
            break;
        }
    }
    Ok(output)
}

/// The files to read, the oldest first.
fn parts(log: &Path, from: Option<LogCursor>, gaps: &mut Vec<String>) -> Result<Vec<Part>, DeployError> {
    let Some(current) = open(log)? else { return Ok(Vec::new()) };
    let Some(LogCursor { file, offset }) = from else {
        let skipped = current.length.saturating_sub(MOST);
        if skipped > 0 {
            gaps.push(format!("the first {skipped} bytes of the log were not read"));
        }
        return Ok(vec![Part { from: skipped, ..current }]);
    };
    if current.number == file {
        if offset <= current.length {
            return Ok(vec![Part { from: offset, ..current }]);
        }
        gaps.push("the log was cut since the last look: lines may be missing".to_owned());
        return Ok(vec![current]);
    }
    // It was renamed: its rest first, then what came between.
    let mut parts = vec![current];
    for age in 1..=OLDEST {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{age}"));
        let Some(part) = open(Path::new(&name))? else { break };
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

fn open(path: &Path) -> Result<Option<Part>, DeployError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).tried("opened", path),
    };
    let found = file.metadata().tried("looked at", path)?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file")).tried("read", path);
    }
    Ok(Some(Part { file, path: path.to_owned(), from: 0, length: found.len(), number: found.ino() }))
}

/// Takes the lines up to `end`, and gives the bytes that were read. In the newest file a line that does not end yet is left for
/// the next look.
fn lines(
    part: &mut Part,
    end: u64,
    newest: bool,
    watch: &LogWatch,
    secrets: &[String],
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
        let mut text = String::from_utf8_lossy(&line).into_owned();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "***");
        }
        into.take(text.trim_end(), watch);
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
