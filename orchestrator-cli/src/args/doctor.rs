//! Arguments of `doctor`.

use clap::Args;
use serde_json::{Map, Value};

use super::{Mend, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  orchestrate doctor                    check, mend what is safe to mend, say what to install
  orchestrate doctor --dry-run          check, and show what would be mended
  orchestrate doctor --interactive      ask before anything is mended
  orchestrate doctor --format json      one event a line, then the result";

/// `doctor`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// Change nothing: show what would be mended
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) mend: Mend,
    /// Wait where another run holds the checkout
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl DoctorArgs {
    /// The settings that flags set. A doctor neither publishes nor is kept from mending by the ceiling of deliveries.
    pub(crate) fn settings(&self) -> Value {
        let mut flags = Map::new();
        flags.insert("ceiling".into(), if self.dry_run { "reads" } else { "writes" }.into());
        if let Some(remedies) = self.mend.remedies() {
            flags.insert("remedies".into(), serde_json::json!(remedies));
        }
        Value::Object(flags)
    }
}
