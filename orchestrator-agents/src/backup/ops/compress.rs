//! The compressors that archives are written with and read from.

use std::io::{self, BufRead, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use orchestrator_core::BoxError;

use crate::ops::here::Here;
use crate::ops::process;

const ZSTD_LEVEL: i32 = 3;
const GZIP_LEVEL: u32 = 5;

/// How an archive is compressed. Blocks are compressed each for itself: put together they are what the program unpacks,
/// and they can be made and read on all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compressor {
    Gzip,
    Zstd,
}

impl Compressor {
    /// Zstandard where its program is there, since `rollback.sh` unpacks with it.
    pub(super) fn choose(here: &Here) -> Self {
        let mut command = process::command(here, Self::Zstd.program());
        command.arg("--version");
        let answers = process::run(here, command, None, None).is_ok_and(|output| output.status.success());
        if answers { Self::Zstd } else { Self::Gzip }
    }

    /// The one whose program has that name.
    pub(super) fn of(program: &str) -> Result<Self, BoxError> {
        let all = [Self::Gzip, Self::Zstd];
        all.into_iter().find(|known| known.program() == program).ok_or_else(|| {
            format!("unknown compressor `{}`; known: gzip, zstd", program.escape_debug()).into()
        })
    }

    /// The program that unpacks what it packs.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The name of the archive of a tree.
    pub(super) fn archive(self) -> &'static str {
        match self {
            Self::Gzip => "tree.tar.gz",
            Self::Zstd => "tree.tar.zst",
        }
    }

    /// Packs a block, with a sum that finds damage.
    pub(super) fn pack(self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder =
                    GzEncoder::new(Vec::with_capacity(block.len() / 2), Compression::new(GZIP_LEVEL));
                encoder.write_all(block)?;
                encoder.finish()
            }
            Self::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
                compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
                compressor.compress(block)
            }
        }
    }

    /// Unpacks all blocks that follow one another.
    pub(super) fn unpack<'a>(self, packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}
