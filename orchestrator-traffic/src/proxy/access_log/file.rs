//! A file that is put aside when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::AccessLogConfig;

/// A file, and how much is in it.
#[derive(Debug)]
pub(super) struct Rotated {
    path: PathBuf,
    limit: u64,
    keep: u32,
    /// None after it could not be written.
    file: Option<File>,
    size: u64,
    /// What was written last has no end: a disk that was full took half of it.
    torn: bool,
}

impl Rotated {
    pub(super) fn open(config: &AccessLogConfig) -> io::Result<Self> {
        let AccessLogConfig { path, limit, keep, .. } = config;
        let mut rotated =
            Self { path: path.clone(), limit: *limit, keep: *keep, file: None, size: 0, torn: false };
        rotated.reopen()?;
        Ok(rotated)
    }

    /// Opens what lies at the path now.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Whether another file lies at the path by now, or none.
    pub(super) fn is_moved(&self) -> bool {
        let id = |found: &fs::Metadata| (found.dev(), found.ino());
        let Some(Ok(own)) = self.file.as_ref().map(File::metadata) else { return false };
        match fs::metadata(&self.path) {
            Ok(there) => id(&there) != id(&own),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Adds whole lines. Where that fails: how many of them have not been written whole, and why.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), (u64, io::Error)> {
        let mut left = lines;
        let written =
            if self.file.is_none() { self.reopen() } else { Ok(()) }.and_then(|()| self.write(&mut left));
        if written.is_err() {
            self.file = None;
        }
        written.map_err(|error| (lines_of(left), error))
    }

    /// Puts the file aside when it has become too long.
    pub(super) fn put_aside_if_full(&mut self) -> io::Result<()> {
        if self.size >= self.limit { self.put_aside() } else { Ok(()) }
    }

    fn write(&mut self, left: &mut &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            file.write_all(b"\n")?;
            self.torn = false;
        }
        while !left.is_empty() {
            match file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.size += count as u64;
                    self.torn = left[count - 1] != b'\n';
                    *left = &left[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            missing_is_fine(fs::rename(self.aside(number), self.aside(number + 1)))?;
        }
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
        } else {
            missing_is_fine(fs::rename(&self.path, self.aside(1)))?;
        }
        self.reopen()
    }

    fn aside(&self, number: u32) -> PathBuf {
        with(&self.path, &format!(".{number}"))
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// How many line ends there are.
fn lines_of(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').count() as u64 - 1
}
