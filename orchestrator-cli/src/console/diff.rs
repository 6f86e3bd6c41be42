//! Unified diffs of withheld edits, each against the tree as earlier withheld edits leave it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_core::action::Content;
use orchestrator_core::executor::blob;
use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;
use orchestrator_core::path::RelPath;
use similar::{Algorithm, TextDiff};

use super::paint::Paint;
use super::text::clean;

/// Texts beyond this many bytes are not compared.
const LARGEST: usize = 1 << 20;
/// The most lines of one diff.
const LINES: usize = 400;

/// The files as they will be.
pub(super) struct Overlay<'a> {
    root: PathBuf,
    layout: &'a Layout,
    run: &'a RunId,
    edits: BTreeMap<RelPath, Option<Vec<u8>>>,
}

impl<'a> Overlay<'a> {
    /// The tree as it lies.
    pub(super) fn new(root: PathBuf, layout: &'a Layout, run: &'a RunId) -> Self {
        Self { root, layout, run, edits: BTreeMap::new() }
    }

    /// Lays new content over a file and says what changes. None: no file.
    pub(super) fn edit(&mut self, path: &RelPath, content: Option<&Content>, paint: Paint) -> String {
        let before = match self.edits.get(path) {
            Some(edited) => edited.clone(),
            None => fs::read(path.under(&self.root)).ok(),
        };
        let after = match content.map(|content| self.bytes(content)) {
            Some(None) => return "its content is not kept here any more\n".to_owned(),
            Some(Some(bytes)) => Some(bytes),
            None => None,
        };
        let text = changes(path, before.as_deref(), after.as_deref(), paint);
        self.edits.insert(path.clone(), after);
        text
    }

    fn bytes(&self, content: &Content) -> Option<Vec<u8>> {
        match blob(content) {
            Some(artifact) => fs::read(artifact.place.under(&self.layout.run_dir(self.run))).ok(),
            None => content.bytes(),
        }
    }
}

fn changes(path: &RelPath, before: Option<&[u8]>, after: Option<&[u8]>, paint: Paint) -> String {
    if before == after {
        return "nothing changes\n".to_owned();
    }
    let text = |bytes: Option<&[u8]>| match bytes {
        None => Some(String::new()),
        Some(bytes) if bytes.len() > LARGEST || bytes.contains(&0) => None,
        Some(bytes) => String::from_utf8(bytes.to_vec()).ok(),
    };
    let (Some(old), Some(new)) = (text(before), text(after)) else {
        let size =
            |bytes: Option<&[u8]>| bytes.map_or("no file".into(), |bytes| format!("{} bytes", bytes.len()));
        return format!("{} become {}\n", size(before), size(after));
    };
    let side =
        |there: bool, side: char| if there { format!("{side}/{path}") } else { "/dev/null".to_owned() };
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(Duration::from_secs(1))
        .diff_lines(old.as_str(), new.as_str());
    let names = (side(before.is_some(), 'a'), side(after.is_some(), 'b'));
    let unified = diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_string();
    let mut lines: Vec<String> = unified.lines().take(LINES).map(|line| coloured(line, paint)).collect();
    let more = unified.lines().count() - lines.len();
    if more > 0 {
        lines.push(format!("… and {more} more lines"));
    }
    lines.join("\n") + "\n"
}

fn coloured(line: &str, paint: Paint) -> String {
    let line = clean(line);
    match line.as_bytes().first() {
        Some(b'+') => paint.good(&line),
        Some(b'-') => paint.bad(&line),
        Some(b'@') => paint.dim(&line),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_of_edits_are_shown_as_they_would_be() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("f"), "a\nb\n").unwrap();
        let layout = Layout::new(temp.path().join("state"));
        let run = RunId::new("20261120234433-00ff00ff").unwrap();
        let mut overlay = Overlay::new(temp.path().to_owned(), &layout, &run);
        let path = RelPath::new("f").unwrap();
        let first = overlay.edit(&path, Some(&Content::new("a\nc\n")), Paint::OFF);
        assert_eq!(first, "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        let second = overlay.edit(&path, Some(&Content::new("a\nd\n")), Paint::OFF);
        assert!(second.contains("-c\n+d\n"), "{second}");
        let gone = overlay.edit(&path, None, Paint::OFF);
        assert!(gone.starts_with("--- a/f\n+++ /dev/null\n"), "{gone}");
        let bytes = overlay.edit(&path, Some(&Content::new(vec![0, 1])), Paint::OFF);
        assert_eq!(bytes, "no file become 2 bytes\n");
    }
}
