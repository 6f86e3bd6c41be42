//! Measures free disk.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::known::growth;
use crate::ops::here::{Here, blocking};

/// Measures the free bytes of the disk on which a path lies, or will lie.
#[derive(Debug, Clone, Copy)]
pub struct MeasureDisk;

/// Which disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// A path on it.
    pub path: RelPath,
    /// The folder of snapshots whose growth is measured too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<RelPath>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreeDisk {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// What the last backup added; none where there is none, or nobody asked.
    #[serde(default)]
    pub growth: Option<Growth>,
}

/// What a backup added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Growth {
    /// Which.
    pub snapshot: String,
    /// Bytes on disk that no earlier snapshot has.
    pub bytes: u64,
}

#[async_trait]
impl Operation for MeasureDisk {
    const NAME: &'static str = "measure-disk";
    const EFFECT: Effect = Effect::Reads;
    type Input = Disk;
    type Output = FreeDisk;

    async fn call(&self, input: Disk, _: &OrderKey, site: &Site<'_>) -> Result<FreeDisk, BoxError> {
        blocking(site, move |here| measure(here, &input)).await
    }

    async fn already(&self, _: &Disk, _: &OrderKey, _: &Site<'_>) -> Already<FreeDisk> {
        Already::NotDone
    }
}

fn measure(here: &Here, input: &Disk) -> Result<FreeDisk, BoxError> {
    let path = input.path.under(&here.root);
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(&here.root);
    let disk = rustix::fs::statvfs(there)?;
    let last = match &input.backups {
        Some(folder) => growth(&folder.under(&here.root))
            .map_err(|error| format!("the last backup in `{folder}` could not be measured: {error}"))?,
        None => None,
    };
    Ok(FreeDisk {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
        growth: last.map(|(snapshot, bytes)| Growth { snapshot, bytes }),
    })
}
