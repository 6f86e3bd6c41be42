//! Brings what a container wrote to `service.log` of its release, where logs of processes are too: each line once, so that it is read
//! on, watched for errors, and still there when the container is gone.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;

use jiff::{SignedDuration, Timestamp};

use super::engine::Engine;
use crate::deployment::Container;
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::place::{Place, write};

/// How long the log may grow until it is renamed to `service.log.1`.
const LARGEST: u64 = 32 << 20;

/// How far back lines are counted: those of stdout and stderr are stamped by two readers, and written in another order than their times.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// Adds what is new to the log. Whoever does so at the same time waits.
pub(super) fn bring(place: &Place, release: &str, container: &Container) -> Result<(), DeployError> {
    let log = place.log(release);
    let folder = place.release_folder(release);
    // The lock of the folder: the mark is replaced whole.
    let locked = File::open(&folder).tried("opened", &folder)?;
    locked.lock().tried("locked", &folder)?;
    // How far it was brought.
    let path = log.with_extension("log.at");
    let last = Mark::of(&fs::read_to_string(&path).unwrap_or_default());
    let since = i32::try_from(last.at.as_second()).unwrap_or(0);
    let written = Engine::at(&container.socket).log(&container.name, since)?;
    let (lines, next) = after(&written, last);
    if lines.is_empty() {
        return Ok(());
    }
    let mut length = fs::metadata(&log).map_or(0, |known| known.len());
    if length > LARGEST {
        fs::rename(&log, log.with_extension("log.1")).tried("renamed", &log)?;
        length = 0;
        let end = last.end.map(|end| End { length, ..end });
        write(&path, Mark { end, ..last }.to_string().as_bytes())?;
    }
    let added = OpenOptions::new().create(true).append(true).open(&log).tried("opened", &log)?;
    if let Some(told) = last.end.map(|end| end.length).filter(|told| *told < length) {
        // Whoever added that did not live to say so: it comes again.
        added.set_len(told).tried("cut", &log)?;
        length = told;
    }
    (&added).write_all(&lines).tried("added to", &log)?;
    let end = next.end.map(|end| End { length: length + lines.len() as u64, ..end });
    write(&path, Mark { end, ..next }.to_string().as_bytes())
}

/// How far a log was brought: of the lines that have that time or a later one, in the order of the log, the first so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    at: Timestamp,
    lines: usize,
    /// Marks of earlier versions do not say: theirs is the time of the last line.
    end: Option<End>,
}

/// What else is known of where it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// The latest time of all lines.
    latest: Timestamp,
    /// Of the lines that are counted: where they are others, the container is another one, or its engine threw some away.
    digest: u64,
    /// How long `service.log` was then.
    length: u64,
}

impl Mark {
    /// The beginning where it says nothing that makes sense.
    fn of(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let mut read = || Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?));
        let Some((at, lines)) = read() else {
            return Self { at: Timestamp::UNIX_EPOCH, lines: 0, end: None };
        };
        let mut end = || {
            let (latest, digest) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(End { latest, digest, length: words.next()?.parse().ok()? })
        };
        Self { at, lines, end: end() }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.lines)?;
        let Some(End { latest, digest, length }) = self.end else { return Ok(()) };
        write!(f, " {latest} {digest} {length}")
    }
}

/// A line with its time, and the bytes of both.
struct Line<'w> {
    at: Timestamp,
    text: &'w [u8],
    whole: &'w [u8],
}

impl<'w> Line<'w> {
    /// None where it has no time: it is a piece of a line that was cut off.
    fn of(whole: &'w [u8]) -> Option<Self> {
        let space = whole.iter().position(|byte| *byte == b' ')?;
        let at = std::str::from_utf8(&whole[..space]).ok()?.parse().ok()?;
        Some(Self { at, text: &whole[space + 1..], whole })
    }
}

/// The lines after a mark, without their times; and the next mark.
fn after(written: &[u8], last: Mark) -> (Vec<u8>, Mark) {
    let all: Vec<Line<'_>> = written
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(Line::of)
        .filter(|line| line.at >= last.at)
        .collect();
    let Some(latest) = all.iter().map(|line| line.at).max() else { return (Vec::new(), last) };
    let mut lines = Vec::new();
    for line in new(&all, last) {
        lines.extend_from_slice(line.text);
        if !line.text.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
    let latest = last.end.map_or(latest, |end| end.latest.max(latest));
    let at = latest.checked_sub(SLACK).map_or(last.at, |at| at.max(last.at));
    let (known, digest) = counted(all.iter().filter(|line| line.at >= at));
    (lines, Mark { at, lines: known, end: Some(End { latest, digest, length: 0 }) })
}

/// Those that were not brought.
fn new<'l, 'w>(all: &'l [Line<'w>], last: Mark) -> Vec<&'l Line<'w>> {
    match last.end {
        Some(end) if counted(all.iter().take(last.lines)) == (last.lines, end.digest) => {
            all.iter().skip(last.lines).collect()
        }
        Some(end) => all.iter().filter(|line| line.at > end.latest).collect(),
        None => {
            let mut same = 0;
            let is_new = |line: &&Line<'_>| {
                same += usize::from(line.at == last.at);
                line.at > last.at || same > last.lines
            };
            all.iter().filter(is_new).collect()
        }
    }
}

/// How many lines, and a digest of them.
fn counted<'l, 'w: 'l>(lines: impl Iterator<Item = &'l Line<'w>>) -> (usize, u64) {
    let (mut count, mut hasher) = (0, blake3::Hasher::new());
    for line in lines {
        hasher.update(line.whole);
        count += 1;
    }
    let digest = hasher.finalize();
    (count, digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &str, line: &str) -> String {
        format!("2026-11-20T23:44:{seconds}Z {line}\n")
    }

    #[test]
    fn each_line_is_brought_once() {
        let text = b"lf of a line\n2026-11-20T23:44:33.000000001Z one\n2026-11-20T23:44:33.5+00:00 two \xff\n2026-11-20T23:44:36Z three";
        let (lines, mark) = after(text, Mark::of(""));
        assert_eq!(lines, b"one\ntwo \xff\nthree\n");
        assert_eq!((mark.at, mark.lines), ("2026-11-20T23:44:34Z".parse().unwrap(), 1));
        assert_eq!(after(text, mark), (Vec::new(), mark));
        // Of an earlier version: the time of the last line, and how many have that.
        let (rest, _) = after(text, Mark::of("2026-11-20T23:44:33.5Z 1"));
        assert_eq!(rest, b"three\n");
        // Times of whole seconds: what came later in the same second is not lost.
        let text = [at("33", "one"), at("33", "two")].concat();
        let (lines, mark) = after(&text.as_bytes()[..25], Mark::of("nonsense"));
        assert_eq!((lines.as_slice(), mark.lines), (b"one\n".as_slice(), 1));
        let (lines, mark) = after(text.as_bytes(), mark);
        assert_eq!((lines.as_slice(), mark.lines), (b"two\n".as_slice(), 2));
        assert_eq!(after(text.as_bytes(), mark).0, b"");
    }

    /// Whatever the order of times within a moment, and wherever it is asked: all lines, each once.
    #[test]
    fn lines_need_not_be_in_the_order_of_their_times() {
        let all = ["35", "34", "34.9", "36", "35.5", "34.2", "38", "37.999", "36.1", "38", "39.5", "38"];
        let all: Vec<String> =
            all.iter().enumerate().map(|(n, seconds)| at(seconds, &n.to_string())).collect();
        let wanted: String = (0..all.len()).map(|n| format!("{n}\n")).collect();
        for cuts in 0..1_u32 << all.len() {
            let (mut brought, mut mark) = (Vec::new(), Mark::of(""));
            for end in (1..=all.len()).filter(|end| cuts >> (end - 1) & 1 == 1).chain([all.len()]) {
                let lines;
                (lines, mark) = after(all[..end].concat().as_bytes(), Mark::of(&mark.to_string()));
                brought.extend(lines);
            }
            assert_eq!(String::from_utf8(brought).unwrap(), wanted, "{cuts:b}");
        }
    }

    #[test]
    fn another_container_of_the_same_release_begins_anew() {
        let (_, mark) = after([at("33", "one"), at("33.5", "two")].concat().as_bytes(), Mark::of(""));
        let (lines, mark) = after([at("34", "three"), at("34.1", "four")].concat().as_bytes(), mark);
        assert_eq!((lines.as_slice(), mark.lines), (b"three\nfour\n".as_slice(), 2));
        // Its engine threw the beginning away.
        let (lines, _) = after([at("34.1", "four"), at("34.2", "five")].concat().as_bytes(), mark);
        assert_eq!(lines, b"five\n");
    }

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        for mark in [
            "2026-11-20T23:44:34.5Z 1",
            "2026-11-20T23:44:34Z 7 2026-11-20T23:44:36Z 12345678901234567890 4096",
        ] {
            assert_eq!(Mark::of(mark).to_string(), mark);
        }
    }
}
