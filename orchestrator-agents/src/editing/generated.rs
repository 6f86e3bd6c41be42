//! What becomes of a file that is generated again: what was written last time, what stands, and what would be written
//! now are merged; nothing that a person wrote is ever overwritten. What was written is kept in the state folder.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Expects, Write};
use orchestrator_core::path::RelPath;

/// The folder of what was written last.
const FOLDER: &str = ".orchestrate/generated";

/// What becomes of a generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It stands as it would be written, perhaps with edits of a person.
    AlreadySo {
        /// Whether it holds edits of a person.
        edited: bool,
    },
    /// It is to hold this.
    Write {
        /// The whole text.
        text: String,
        /// Whether edits of a person were merged in.
        edited: bool,
    },
    /// It needs a person, for this reason.
    Conflict(String),
}

/// Where the text that was written last for a file is kept. Its ending is one that no runner of tests and no compiler looks for.
pub fn base(path: &RelPath) -> Result<RelPath, BoxError> {
    Ok(RelPath::new(format!("{FOLDER}/{path}.base"))?)
}

/// Merges what was written last (`base`), what stands, and what would be written `now`.
pub fn merge(base: Option<&str>, stands: Option<&str>, now: &str) -> Merged {
    let Some(stands) = stands else { return Merged::Write { text: now.to_owned(), edited: false } };
    if stands == now {
        return Merged::AlreadySo { edited: false };
    }
    let Some(base) = base else {
        return Merged::Conflict(
            "it is there already and was not generated here, so nobody can tell what in it is whose; move it away, or take \
             what you need by hand"
                .into(),
        );
    };
    if base == now {
        return Merged::AlreadySo { edited: true };
    }
    if base == stands {
        return Merged::Write { text: now.to_owned(), edited: false };
    }
    match diffy::merge(base, stands, now) {
        Ok(text) if text == stands => Merged::AlreadySo { edited: true },
        Ok(text) => Merged::Write { text, edited: true },
        Err(text) => {
            let conflicts = text.lines().filter(|line| line.starts_with("<<<<<<<")).count();
            let places = if conflicts == 1 { "1 place".to_owned() } else { format!("{conflicts} places") };
            Merged::Conflict(format!(
                "it was edited by hand in {places} where what is generated has changed too; move it away and generate it \
                 anew, or make the change by hand"
            ))
        }
    }
}

/// The actions that write a merged file and remember what was generated. `stands` and `base` are what was read.
pub fn writes(
    path: &RelPath,
    text: &str,
    stands: Option<&str>,
    now: &str,
    base_stands: Option<&str>,
) -> Result<Vec<Action>, BoxError> {
    let write = |path: RelPath, text: &str, stands: Option<&str>| -> Action {
        let expects = Expects::exactly(stands.map(str::as_bytes));
        Write { path, content: Content::new(text), mode: None, expects }.into()
    };
    let mut actions = Vec::new();
    if stands != Some(text) {
        actions.push(write(path.clone(), text, stands));
    }
    if base_stands != Some(now) {
        actions.push(write(base(path)?, now, base_stands));
    }
    Ok(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "one\ntwo\nthree\nfour\nfive\n";

    #[test]
    fn what_a_person_wrote_is_kept() {
        let edited = "one\ntwo\nthree\nfour\nfive\nmine\n";
        let now = "ONE\ntwo\nthree\nfour\nfive\n";
        let merged = "ONE\ntwo\nthree\nfour\nfive\nmine\n".to_owned();
        assert_eq!(merge(Some(BASE), Some(edited), now), Merged::Write { text: merged, edited: true });
        assert_eq!(merge(Some(BASE), Some(edited), BASE), Merged::AlreadySo { edited: true });
        assert_eq!(merge(Some(BASE), Some(BASE), now), Merged::Write { text: now.into(), edited: false });
        assert_eq!(merge(None, None, now), Merged::Write { text: now.into(), edited: false });
        assert_eq!(merge(None, Some(now), now), Merged::AlreadySo { edited: false });
    }

    #[test]
    fn what_cannot_be_merged_needs_a_person() {
        let mine = "one\nmine\nthree\nfour\nfive\n";
        let now = "one\ntheirs\nthree\nfour\nfive\n";
        let Merged::Conflict(why) = merge(Some(BASE), Some(mine), now) else { panic!("it was merged") };
        assert!(why.contains("1 place"), "{why}");
        let Merged::Conflict(why) = merge(None, Some(mine), now) else { panic!("it was overwritten") };
        assert!(why.contains("not generated here"), "{why}");
    }

    #[test]
    fn only_what_differs_is_written() {
        let path = RelPath::new("a/b.md").unwrap();
        assert_eq!(writes(&path, "x", Some("x"), "x", Some("x")).unwrap(), []);
        let shown: Vec<String> =
            writes(&path, "x", None, "x", None).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "write a/b.md (1 bytes, replaces no file) [writes]",
                "write .orchestrate/generated/a/b.md.base (1 bytes, replaces no file) [writes]"
            ]
        );
    }
}
