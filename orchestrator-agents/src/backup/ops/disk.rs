//! Measures free disk.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ops::here::blocking;

/// Measures the free bytes of the disk on which a path lies, or will lie.
#[derive(Debug, Clone, Copy)]
pub struct MeasureDisk;

/// Which disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// A path on it.
    pub path: RelPath,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreeDisk {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

#[async_trait]
impl Operation for MeasureDisk {
    const NAME: &'static str = "measure-disk";
    const EFFECT: Effect = Effect::Reads;
    type Input = Disk;
    type Output = FreeDisk;

    async fn call(&self, input: Disk, _: &OrderKey, site: &Site<'_>) -> Result<FreeDisk, BoxError> {
        blocking(site, move |here| {
            let path = input.path.under(&here.root);
            let there = path.ancestors().find(|path| path.exists()).unwrap_or(&here.root);
            let disk = rustix::fs::statvfs(there)?;
            Ok(FreeDisk {
                free: disk.f_bavail.saturating_mul(disk.f_frsize),
                total: disk.f_blocks.saturating_mul(disk.f_frsize),
            })
        })
        .await
    }

    async fn already(&self, _: &Disk, _: &OrderKey, _: &Site<'_>) -> Already<FreeDisk> {
        Already::NotDone
    }
}
