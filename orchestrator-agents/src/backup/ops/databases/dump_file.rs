//! The file of a dump: compressed, digested on the way, down to the disk; read back as a stream.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use orchestrator_core::path::Digest;

use super::piped::Source;
use crate::backup::manifest::Stored;
use crate::backup::ops::archive::digest;

/// How much of the end of a dump is kept, to look for its last line.
const END: usize = 512;

/// A dump that is being written.
pub(super) struct DumpFile {
    path: PathBuf,
    gzip: GzEncoder<BufWriter<File>>,
    raw: blake3::Hasher,
    raw_bytes: u64,
    end: Vec<u8>,
}

/// A dump that was written.
pub(super) struct Written {
    pub(super) stored: Stored,
    pub(super) raw_bytes: u64,
    pub(super) raw_blake3: Digest,
    /// The last bytes of the dump.
    pub(super) end: String,
}

impl DumpFile {
    /// Begins a dump in the folder `databases` of a snapshot.
    pub(super) fn new(snapshot: &Path, name: &str) -> io::Result<Self> {
        let path = snapshot.join("databases").join(name);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let gzip = GzEncoder::new(BufWriter::new(file), Compression::new(5));
        Ok(Self { path, gzip, raw: blake3::Hasher::new(), raw_bytes: 0, end: Vec::new() })
    }

    /// Ends it.
    pub(super) fn finish(self) -> io::Result<Written> {
        let file = self.gzip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let (bytes, blake3) = digest(&self.path)?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Written {
            stored: Stored { file: format!("databases/{name}"), bytes, blake3 },
            raw_bytes: self.raw_bytes,
            raw_blake3: self.raw.finalize().into(),
            end: String::from_utf8_lossy(&self.end).into_owned(),
        })
    }
}

impl Write for DumpFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gzip.write_all(bytes)?;
        self.raw.update(bytes);
        self.raw_bytes += bytes.len() as u64;
        self.end.extend_from_slice(bytes);
        let excess = self.end.len().saturating_sub(END);
        self.end.drain(..excess);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.gzip.flush()
    }
}

/// Reads a dump back.
pub(super) fn open(file: &Path) -> io::Result<Source> {
    Ok(Box::new(MultiGzDecoder::new(BufReader::new(File::open(file)?))))
}

/// Links a file to one of an earlier snapshot that is said to be the same, once its bytes are.
pub(super) fn link(file: &Path, stored: &Stored, earlier: &Path) -> io::Result<bool> {
    if !digest(earlier).is_ok_and(|found| found == (stored.bytes, stored.blake3)) {
        return Ok(false);
    }
    let aside = file.with_extension("link");
    // Where the file system has no links, the new file is as good.
    if fs::hard_link(earlier, &aside).is_err() {
        return Ok(false);
    }
    fs::rename(&aside, file)?;
    Ok(true)
}
