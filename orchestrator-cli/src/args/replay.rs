//! Arguments of `deploy replay`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Format;

pub(super) const EXAMPLES: &str = "\
A watch is recorded in `.orchestrate/deploy/ENVIRONMENT/watch/RELEASE.jsonl`: what each look saw and what was decided. What it decides is made of \
nothing else, so a replay comes to the same, byte for byte: exit code 1 where it does not. With --with it is what another config would have \
decided of the same traffic.

Examples:
  orchestrate deploy replay .orchestrate/deploy/production/watch/1.2.0-20261120-x.jsonl
  orchestrate deploy replay RECORDING --with stricter.json     {\"objective\": 0.002}";

/// `deploy replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// The recording
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) recording: PathBuf,
    /// Another config, as JSON: what stands under `watch` in a pipeline
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) with: Option<PathBuf>,
    /// Every look, not only those that change the verdict
    #[arg(long)]
    pub(crate) all: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
