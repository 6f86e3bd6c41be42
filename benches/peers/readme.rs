//! Puts the table into the README.

use std::path::Path;

const BEGIN: &str = "<!-- peers:begin -->";
const END: &str = "<!-- peers:end -->";

/// Replaces what lies between the markers.
pub(crate) fn write(section: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let in_words = |wrong: std::io::Error| format!("`README.md`: {wrong}");
    let text = std::fs::read_to_string(&path).map_err(in_words)?;
    let missing = || format!("`README.md` has no `{BEGIN}` and `{END}`: put them where the table belongs");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{section}{END}{after}")).map_err(in_words)
}
