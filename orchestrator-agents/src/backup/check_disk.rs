//! `check-disk`: whether there is room for a backup.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ops::{Disk, FreeDisk, Growth, MeasureDisk};
use crate::said;

/// Checks that the disk has room before anything is written to it.
#[derive(Debug, Clone, Copy)]
pub struct CheckDisk;

/// Config of [`CheckDisk`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckDiskConfig {
    /// A path on the disk.
    pub path: RelPath,
    /// Bytes that must be free besides.
    pub min_free: Bytes,
    /// The folder of snapshots whose last one tells how much the next may add; none: `min_free` alone counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<RelPath>,
    /// How many times that must be free, on top of `min_free`.
    pub growth: u32,
}

/// How many times the growth of the last backup must be free.
pub(super) const GROWTH: u32 = 2;

impl Default for CheckDiskConfig {
    fn default() -> Self {
        Self { path: RelPath::root(), min_free: Bytes(1_000_000_000), backups: None, growth: GROWTH }
    }
}

/// Output of [`CheckDisk`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DiskChecked {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that had to be.
    #[serde(default)]
    pub wanted: u64,
}

impl Agent for CheckDisk {
    const NAME: &'static str = "check-disk";
    const ABOUT: &'static str = "Checks that the disk has room.";
    type Config = CheckDiskConfig;
    type Output = DiskChecked;

    async fn plan(&self, task: &Task<CheckDiskConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let CheckDiskConfig { path, backups, .. } = task.config.clone();
        Ok(vec![MeasureDisk::action(&Disk { path, backups })?])
    }

    fn conclude(
        &self,
        task: &Task<CheckDiskConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<DiskChecked>, BoxError> {
        let disk: FreeDisk = match said::output(receipts)? {
            Ok(disk) => disk,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let Wanted { bytes: wanted, because } = Wanted::of(&task.config, disk.growth.as_ref());
        let evidence = || Evidence::of("statvfs").command(format!("statvfs {}", task.config.path));
        let mut metrics = vec![
            Metric::new("disk.free", disk.free as f64, "bytes", evidence()),
            Metric::new("disk.total", disk.total as f64, "bytes", evidence()),
            Metric::new("disk.wanted", wanted as f64, "bytes", Evidence::of("orchestrate").command(&because)),
        ];
        metrics.extend(disk.growth.as_ref().map(|Growth { snapshot, bytes }| {
            let evidence = Evidence::of("orchestrate").command(format!("blocks that only {snapshot} has"));
            Metric::new("backup.growth", *bytes as f64, "bytes", evidence)
        }));
        let free = said::bytes(disk.free);
        Ok(if disk.free < wanted {
            let summary = format!(
                "Only {free} of disk are free; {} are wanted: {because}. Nothing was written. Make room, for instance with \
                 `orchestrate backup prune --keep-last 3` or `orchestrate cache prune`; or want less: `min_free`, `growth`",
                said::bytes(wanted)
            );
            Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics))
        } else {
            let summary = format!("Disk has room ({free} free, {} wanted)", said::bytes(wanted));
            let checked = DiskChecked { free: disk.free, wanted };
            Verdict::Passed(Conclusion::new(summary, checked).metrics(metrics))
        })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(MeasureDisk)?])
    }
}

/// How much must be free, and why.
struct Wanted {
    bytes: u64,
    because: String,
}

impl Wanted {
    fn of(config: &CheckDiskConfig, last: Option<&Growth>) -> Self {
        let CheckDiskConfig { min_free, growth, .. } = config;
        let because = format!("{min_free} by `min_free`");
        match last {
            Some(Growth { snapshot, bytes }) if *growth > 0 => Self {
                bytes: min_free.0.saturating_add(bytes.saturating_mul(u64::from(*growth))),
                because: format!(
                    "{because}, and {growth} times the {} that backup {snapshot} added",
                    said::bytes(*bytes)
                ),
            },
            _ => Self { bytes: min_free.0, because },
        }
    }
}

/// A number of bytes: `1000000`, or text such as `1 GB` or `512MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&said::bytes(self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => Self::parse(&text).ok_or_else(|| {
                serde::de::Error::custom(format!("`{text}` is not a size; write it like `500 MB` or `2GiB`"))
            }),
        }
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+ *([kKmMgGtT]i?)?[bB]?$" }
        ] })
    }
}
