//! One output of a command on its way to its log.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::Lines;
use super::tail::Tail;
use super::{Mask, MaskStream, SpawnError};

/// What is known of an output, as it was stored: after masking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) bytes: u64,
    /// Of all bytes stored; `None` if there were none, and then there is no log file either.
    pub(crate) digest: Option<blake3::Hash>,
    /// The last lines: 4 KiB and 20 lines at most, invalid UTF-8 replaced.
    pub(crate) tail: String,
}

/// Masks, stores, hashes and tells an output chunk by chunk, in bounded memory.
pub(super) struct Capture {
    masking: Option<Masking>,
    sink: Sink,
}

struct Masking {
    stream: MaskStream<Arc<Mask>>,
    /// What came through last; kept for its memory.
    masked: Vec<u8>,
}

struct Sink {
    path: PathBuf,
    log: Option<Log>,
    lines: Option<Lines>,
    tail: Tail,
    bytes: u64,
}

struct Log {
    file: File,
    hasher: Box<blake3::Hasher>,
}

impl Capture {
    pub(super) fn new(path: PathBuf, mask: Option<Arc<Mask>>, lines: Option<Lines>) -> Self {
        let masking = mask.map(|mask| Masking { stream: MaskStream::new(mask), masked: Vec::new() });
        Self { masking, sink: Sink { path, log: None, lines, tail: Tail::default(), bytes: 0 } }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), SpawnError> {
        let Some(Masking { stream, masked }) = &mut self.masking else {
            return self.sink.store(chunk);
        };
        masked.clear();
        stream.push(chunk, masked);
        self.sink.store(masked)
    }

    pub(super) fn finish(mut self) -> Result<Captured, SpawnError> {
        if let Some(Masking { stream, masked }) = &mut self.masking {
            masked.clear();
            stream.finish(masked);
            self.sink.store(masked)?;
        }
        Ok(self.sink.finish())
    }
}

impl Sink {
    fn store(&mut self, bytes: &[u8]) -> Result<(), SpawnError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.append(bytes).map_err(|source| SpawnError::Log { path: self.path.clone(), source })?;
        self.bytes += bytes.len() as u64;
        self.tail.push(bytes);
        if let Some(lines) = &mut self.lines {
            lines.push(bytes);
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(Log { file: create(&self.path)?, hasher: Box::default() }),
        };
        log.file.write_all(bytes)?;
        log.hasher.update(bytes);
        Ok(())
    }

    fn finish(mut self) -> Captured {
        if let Some(lines) = &mut self.lines {
            lines.finish();
        }
        let digest = self.log.map(|log| log.hasher.finalize());
        Captured { bytes: self.bytes, digest, tail: self.tail.text() }
    }
}

/// Makes the file, and only if need be its folder.
fn create(path: &Path) -> io::Result<File> {
    match (File::create(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            File::create(path)
        }
        (made, _) => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_hashes_and_keeps_the_tail_of_what_was_masked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/log");
        let mask = Arc::new(Mask::new([("S", "secret")]).unwrap());
        let mut capture = Capture::new(path.clone(), Some(mask), None);
        for chunk in ["a se", "cret", " b\n", "c sec"] {
            capture.push(chunk.as_bytes()).unwrap();
        }
        let captured = capture.finish().unwrap();
        let stored = fs::read(&path).unwrap();
        assert_eq!(captured.bytes, stored.len() as u64);
        assert_eq!(captured.digest, Some(blake3::hash(&stored)));
        assert!(captured.tail.starts_with("a *** b") && captured.tail.ends_with(" sec"), "{captured:?}");
    }

    #[test]
    fn no_byte_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut capture = Capture::new(path.clone(), None, None);
        capture.push(b"").unwrap();
        assert_eq!(capture.finish().unwrap(), Captured { bytes: 0, digest: None, tail: String::new() });
        assert!(!path.exists());
    }

    #[test]
    fn a_full_disk_names_the_log() {
        let mut capture = Capture::new("/dev/full".into(), None, None);
        let error = capture.push(b"x").unwrap_err();
        assert!(error.to_string().contains("`/dev/full`"), "{error}");
    }
}
