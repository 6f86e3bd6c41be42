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

use super::ops::{Disk, FreeDisk, MeasureDisk};
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
    /// Bytes that must be free.
    pub min_free: Bytes,
}

impl Default for CheckDiskConfig {
    fn default() -> Self {
        Self { path: RelPath::root(), min_free: Bytes(1_000_000_000) }
    }
}

/// Output of [`CheckDisk`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DiskChecked {
    /// Bytes that are free.
    pub free: u64,
}

impl Agent for CheckDisk {
    const NAME: &'static str = "check-disk";
    const ABOUT: &'static str = "Checks that the disk has room.";
    type Config = CheckDiskConfig;
    type Output = DiskChecked;

    async fn plan(&self, task: &Task<CheckDiskConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![MeasureDisk::action(&Disk { path: task.config.path.clone() })?])
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
        let evidence = || Evidence::of("statvfs").command(format!("statvfs {}", task.config.path));
        let metrics = [
            Metric::new("disk.free", disk.free as f64, "bytes", evidence()),
            Metric::new("disk.total", disk.total as f64, "bytes", evidence()),
        ];
        let (free, wanted) = (said::bytes(disk.free), task.config.min_free);
        Ok(if disk.free < wanted.0 {
            let summary = format!("Only {free} of disk are free; {wanted} are wanted (`min_free`)");
            Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics))
        } else {
            let summary = format!("Disk has room ({free} free)");
            Verdict::Passed(Conclusion::new(summary, DiskChecked { free: disk.free }).metrics(metrics))
        })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(MeasureDisk)?])
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
