//! Runs the script of a snapshot over the checkout: its files and refs, never its databases.

use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::script::SCRIPT;
use crate::ops::here::Here;
use crate::ops::process::{self, Output};

/// Only says what would change.
pub(super) const LOOK: &str = "--dry-run";
/// Restores over newer work too.
pub(super) const FORCE: &str = "--force";
/// The longest that a script may take to look.
const LIMIT: Duration = Duration::from_mins(10);
/// The exit code by which the script says that newer work would be replaced.
const REFUSED: i32 = 3;

/// Runs the script to a good end; an error says why it came to none.
pub(super) fn in_place(here: &Here, snapshot: &RelPath, how: Option<&str>) -> Result<Output, BoxError> {
    let path = snapshot.under(&here.root).join(SCRIPT);
    if !path.is_file() {
        let next = "it was cut off before it was written; restore into a folder with `--to DIR`";
        return Err(format!("backup `{snapshot}` has no `{SCRIPT}`: {next}").into());
    }
    let mut command = process::command(here, "sh");
    command.arg(&path).args(how).args(["--files-only", "--target"]).arg(&here.root);
    let output = process::run(here, command, None, (how == Some(LOOK)).then_some(LIMIT))?;
    match output.status.code() {
        Some(0) => Ok(output),
        Some(REFUSED) => Err(format!("nothing was restored: {}", output.stderr.replace('\n', "; ")).into()),
        _ => Err(format!("`{snapshot}/{SCRIPT}` failed ({}): {}", output.status, output.stderr).into()),
    }
}
