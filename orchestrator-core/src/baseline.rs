//! Temporary.
use std::ffi::OsString;
/// Temporary.
pub fn environment(vars: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    vars.collect()
}
