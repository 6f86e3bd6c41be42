//! Rotates a log that somebody appends to, without their help: no line is lost or torn. See [`crate::deployment::supervise`].
//!
//! The beginning of the file, up to the end of a line, is copied to `LOG.1`, and then taken out of the file: whole blocks are removed
//! (`FALLOC_FL_COLLAPSE_RANGE`) where the file system can do that (ext4, XFS), else freed (`FALLOC_FL_PUNCH_HOLE`: btrfs, tmpfs), so
//! that the file seems to grow and takes no more room. What is left of the last block is overwritten with blanks. Where neither can
//! be done the file is emptied after the copy, and lines that are written in that moment are lost: the answer says so.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs, seek};
use rustix::io::Errno;

/// How long a log gets.
pub(super) const SIZE: u64 = 10 << 20;
/// How many earlier parts of it are kept.
pub(super) const PARTS: usize = 5;

/// How bytes are taken out of the beginning of a file, best first.
const WAYS: [Way; 3] = [Way::Collapse, Way::Punch, Way::Empty];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Collapse,
    Punch,
    Empty,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotated {
    /// It is short enough.
    No,
    /// A part was moved, and nothing lost.
    Whole,
    /// A part was moved; what was written between copying and emptying is lost.
    Perhaps,
    /// The disk is full: the oldest part was given up.
    GivenUp,
}

/// Moves the first parts of a log away until it is short enough: somebody may write more than a part between two looks. Not for ever,
/// since they may write faster than a disk copies.
pub(super) fn rotate(log: &Path) -> io::Result<Rotated> {
    rotate_whole(log, SIZE, PARTS, &WAYS)
}

fn rotate_whole(log: &Path, size: u64, parts: usize, ways: &[Way]) -> io::Result<Rotated> {
    let mut done = Rotated::No;
    for _ in 0..=parts * 2 {
        match rotate_by(log, size, parts, ways)? {
            Rotated::No => break,
            Rotated::Whole if done == Rotated::No => done = Rotated::Whole,
            Rotated::Whole => {}
            given_up => done = given_up,
        }
    }
    Ok(done)
}

fn rotate_by(log: &Path, size: u64, parts: usize, ways: &[Way]) -> io::Result<Rotated> {
    let file = match OpenOptions::new().read(true).write(true).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Rotated::No),
        opened => opened?,
    };
    let end = file.metadata()?.len();
    let start = first_byte(&file, end);
    if end - start <= size {
        return Ok(Rotated::No);
    }
    let cut = end_of_line(&file, start, start + size)?;
    let part = named(log, "new");
    let copied = copy(&file, start, cut, &part).and_then(|()| shift(log, parts, &part));
    if let Err(error) = copied {
        let _ = fs::remove_file(&part);
        if error.kind() != io::ErrorKind::StorageFull {
            return Err(error);
        }
        return give_up_oldest(&file, log, cut, end, (parts, ways));
    }
    take_out(&file, cut, end, &named(log, "1"), ways)
}

/// Where the file begins: what was freed reads as nothing.
fn first_byte(file: &File, end: u64) -> u64 {
    match seek(file, rustix::fs::SeekFrom::Data(0)) {
        Ok(at) => at.min(end),
        Err(Errno::NXIO) => end,
        Err(_) => 0,
    }
}

/// The end of the last line before `limit`; `limit` where a single line is longer than a part.
fn end_of_line(file: &File, start: u64, limit: u64) -> io::Result<u64> {
    let mut end = limit;
    let mut chunk = vec![0; 64 << 10];
    while end > start {
        let from = end.saturating_sub(chunk.len() as u64).max(start);
        let chunk = &mut chunk[..(end - from) as usize];
        file.read_exact_at(chunk, from)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(limit)
}

fn copy(mut file: &File, from: u64, to: u64, part: &Path) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let mut part = File::create(part)?;
    let copied = io::copy(&mut file.take(to - from), &mut part)?;
    if copied == to - from { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Where the disk is full nothing can be copied, and the log would grow for ever: what is oldest goes, the last part, or where there is
/// none, what was to become the first.
fn give_up_oldest(
    file: &File,
    log: &Path,
    cut: u64,
    end: u64,
    (parts, ways): (usize, &[Way]),
) -> io::Result<Rotated> {
    let mut oldest_first = (1..=parts).rev().map(|number| named(log, &number.to_string()));
    if !oldest_first.any(|part| fs::remove_file(part).is_ok()) {
        let ways: Vec<Way> = ways.iter().copied().filter(|way| *way != Way::Empty).collect();
        take_out(file, cut, end, &named(log, "1"), &ways)?;
    }
    Ok(Rotated::GivenUp)
}

/// Makes room for a new first part: each goes one further, the last one goes.
fn shift(log: &Path, parts: usize, part: &Path) -> io::Result<()> {
    for number in (1..parts).rev() {
        let (from, to) = (named(log, &number.to_string()), named(log, &(number + 1).to_string()));
        match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(part, named(log, "1"))
}

fn named(log: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(format!(".{end}"));
    name.into()
}

/// Takes everything before `cut` out of the file.
fn take_out(file: &File, cut: u64, end: u64, part: &Path, ways: &[Way]) -> io::Result<Rotated> {
    let block = fstatvfs(file).map_or(4096, |fs| fs.f_bsize).max(1);
    // Not the whole file: a range that reaches its end cannot be removed.
    let whole = (cut - cut % block).min((end - 1) - (end - 1) % block);
    let mut blanks = vec![b' '; (cut - whole) as usize];
    if let Some(last) = blanks.last_mut() {
        *last = b'\n';
    }
    // First the blanks: when this is cut off here, the next part repeats lines, and none is lost.
    file.write_all_at(&blanks, whole)?;
    for way in ways {
        let flags = match way {
            Way::Collapse => FallocateFlags::COLLAPSE_RANGE,
            Way::Punch => FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            Way::Empty => return empty(file, cut, part).map(|()| Rotated::Perhaps),
        };
        if whole == 0 || fallocate(file, flags, 0, whole).is_ok() {
            return Ok(Rotated::Whole);
        }
    }
    Err(io::Error::other("the file system takes nothing out of a file"))
}

/// Adds the rest to the part, and empties the file.
fn empty(mut file: &File, cut: u64, part: &Path) -> io::Result<()> {
    file.seek(SeekFrom::Start(cut))?;
    let mut part = OpenOptions::new().append(true).open(part)?;
    io::copy(&mut file, &mut part)?;
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn all(log: &Path, parts: usize) -> Vec<String> {
        let numbered = (1..=parts).rev().map(|number| named(log, &number.to_string()));
        let files = numbered.chain([log.to_owned()]).filter_map(|path| fs::read(path).ok());
        let text: Vec<u8> = files.flatten().filter(|byte| *byte != 0).collect();
        let text = String::from_utf8(text).unwrap();
        text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }

    /// Writes numbered lines as fast as it goes while the log is rotated: all are there, whole and in order.
    fn under_fast_writing(folder: &Path, ways: &'static [Way], lines: u32) {
        let log = folder.join("service.log");
        let over = AtomicBool::new(false);
        let rotations = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
                for line in 0..lines {
                    let text = format!("line {line} {}\n", "x".repeat((line % 97) as usize));
                    file.write_all(text.as_bytes()).unwrap();
                }
                over.store(true, Ordering::SeqCst);
            });
            let mut rotations = 0;
            while !over.load(Ordering::SeqCst) {
                rotations += u32::from(rotate_by(&log, 100_000, 1000, ways).unwrap() == Rotated::Whole);
            }
            rotations
        });
        let found = all(&log, 1000);
        assert!(rotations > 1, "{rotations}");
        assert_eq!(found.len(), lines as usize, "after {rotations} rotations");
        for (number, line) in found.iter().enumerate() {
            assert_eq!(*line, format!("line {number} {}", "x".repeat(number % 97)));
        }
        for part in 1..=rotations {
            let length = fs::metadata(named(&log, &part.to_string())).unwrap().len();
            assert!((1..=100_000).contains(&length), "part {part} has {length} bytes");
        }
    }

    #[test]
    fn no_line_is_lost_or_torn() {
        let folder = tempfile::tempdir().unwrap();
        under_fast_writing(folder.path(), &[Way::Collapse, Way::Punch], 60_000);
    }

    #[test]
    fn no_line_is_lost_where_blocks_can_only_be_freed() {
        let folder = tempfile::tempdir().unwrap();
        under_fast_writing(folder.path(), &[Way::Punch], 60_000);
    }

    #[test]
    #[ignore = "long: a million lines each way; tests/run --long has it"]
    fn long_no_line_is_lost_or_torn() {
        for ways in [&[Way::Collapse, Way::Punch][..], &[Way::Punch]] {
            let folder = tempfile::tempdir().unwrap();
            under_fast_writing(
                folder.path(),
                if ways.len() == 2 { &WAYS[..2] } else { &WAYS[1..2] },
                1_000_000,
            );
        }
    }

    #[test]
    fn what_was_written_faster_than_it_was_looked_at_is_moved_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let lines: String = (0..5_000).map(|line| format!("line {line}\n")).collect();
        fs::write(&log, &lines).unwrap();
        assert_eq!(rotate_whole(&log, 9_000, 3, &WAYS).unwrap(), Rotated::Whole);
        assert!(
            fs::metadata(&log).unwrap().len() - first_byte(&File::open(&log).unwrap(), u64::MAX) <= 9_000
        );
        let found = all(&log, 3);
        assert_eq!(found.last().unwrap(), "line 4999");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "three parts and the log");
    }

    #[test]
    fn only_so_many_parts_are_kept_and_small_logs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        assert_eq!(rotate(&log).unwrap(), Rotated::No, "there is none");
        let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        for line in 0..10_000 {
            writeln!(file, "line {line}").unwrap();
            assert_ne!(rotate_by(&log, 5_000, 3, &WAYS).unwrap(), Rotated::Perhaps);
        }
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 4, "three parts and the log");
        assert_eq!(rotate(&log).unwrap(), Rotated::No);
        assert_eq!(all(&log, 3).last().unwrap(), "line 9999");
    }

    #[test]
    fn emptying_says_that_lines_may_be_lost_and_long_lines_do_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        fs::write(&log, "one\n".repeat(3000)).unwrap();
        assert_eq!(rotate_by(&log, 5_000, 3, &[Way::Empty]).unwrap(), Rotated::Perhaps);
        assert_eq!((all(&log, 3).len(), fs::metadata(&log).unwrap().len()), (3000, 0));
        fs::write(&log, "x".repeat(20_000)).unwrap();
        assert_eq!(rotate_by(&log, 5_000, 3, &WAYS).unwrap(), Rotated::Whole);
        assert_eq!(fs::metadata(named(&log, "1")).unwrap().len(), 5_000);
    }

    /// Killed after the blanks and before the blocks were taken out: lines come twice, none is lost.
    #[test]
    fn a_rotation_that_was_cut_off_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let lines: String = (0..2000).map(|line| format!("line {line}\n")).collect();
        fs::write(&log, &lines).unwrap();
        rotate_by(&log, 9_000, 3, &[]).unwrap_err();
        assert_eq!(rotate_by(&log, 9_000, 3, &WAYS).unwrap(), Rotated::Whole);
        let mut found = all(&log, 3);
        found.sort();
        found.dedup();
        let missing: Vec<_> = lines.lines().filter(|line| !found.iter().any(|found| found == line)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
