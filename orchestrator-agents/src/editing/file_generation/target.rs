//! Where a generated file goes.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

/// The name of the file that a target is; none where it is a folder.
///
/// A file has an extension that begins with a letter: `docs/v1.2` is a folder.
pub(super) fn file(target: &RelPath) -> Option<&str> {
    let (_, name) = crate::rendering::split(target);
    let (stem, extension) = name.rsplit_once('.')?;
    let first = extension.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let plain = extension.len() <= 8 && extension.chars().all(|c| c.is_ascii_alphanumeric());
    (!stem.is_empty() && first && plain).then_some(name)
}

/// The path of a file: the target itself, or the template's own file name in it.
pub(super) fn place(target: &RelPath, name: &str) -> Result<RelPath, BoxError> {
    if file(target).is_some() {
        return Ok(target.clone());
    }
    Ok(target.join(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_extensions() {
        let file = |path: &str| file(&RelPath::new(path).unwrap()).map(str::to_owned);
        assert_eq!(file("tests/users.fixture.ts").as_deref(), Some("users.fixture.ts"));
        assert_eq!(file(".github/workflows/rollback.yml").as_deref(), Some("rollback.yml"));
        for folder in ["docs", ".github", "docs/v1.2", "a.b/c", "."] {
            assert_eq!(file(folder), None, "{folder}");
        }
    }
}
