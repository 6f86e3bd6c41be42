//! `implement_staging_deploy`: a job that really deploys to staging, one at a time, in its environment, and asks whether it
//! answers. Options: `job`, `command` (the project's own script), `url`, `needs`, `env`, `branch`, `environment`,
//! `runs_on`, `timeout_minutes`, `working_directory`.

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::{deploy, shape::Target};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    deploy::implement(text, with, Target::Staging)
}
