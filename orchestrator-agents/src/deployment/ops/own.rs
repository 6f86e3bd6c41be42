//! The own program, which starts itself again: as supervisor, as proxy, as client of a load. Its file may be gone meanwhile.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::DeployError;

/// What to execute for a program. Another file in its place is a later version, and the one to start. Where there is none, and it is the
/// program of this very process, Linux has it still, as long as this process lives (proc(5), `/proc/PID/exe`).
pub(super) fn runnable(program: &Path) -> Result<PathBuf, DeployError> {
    if program.exists() {
        return Ok(program.to_owned());
    }
    let mut removed: OsString = program.into();
    removed.push(" (deleted)");
    let own = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    if fs::read_link(&own).is_ok_and(|path| path.as_os_str() == removed) {
        return Ok(own);
    }
    Err(DeployError::NoProgram(program.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_started_and_what_is_not_is_told() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(runnable(&own).unwrap(), own);
        let error = runnable(Path::new("/nowhere/orchestrate")).unwrap_err().to_string();
        assert!(error.starts_with("`/nowhere/orchestrate` is not there any more"), "{error}");
    }
}
