//! What becomes of the files of a task: all of them are written, or none.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;

use super::agent::GeneratedFile;
use super::draft::Draft;
use crate::editing::generated::{self, Merged};

/// The actions that make the files, and what comes of each; or why none is written, one sentence for each file that needs a
/// person.
pub(super) type Settled = Result<(Vec<Action>, Vec<GeneratedFile>), Vec<String>>;

/// Merges what is generated with what stands.
pub(super) fn settle(drafts: &[Draft]) -> Result<Settled, BoxError> {
    let (mut actions, mut files, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    for draft in drafts {
        let Draft { path, now, stands, base, format: _ } = draft;
        let stood = stands.as_deref();
        let (text, changed, edited) = match merged(draft) {
            Merged::AlreadySo { edited } => (stood.unwrap_or_default().to_owned(), false, edited),
            Merged::Write { text, edited } => (text, true, edited),
            Merged::Conflict(why) => {
                conflicts.push(format!("`{path}`: {why}"));
                continue;
            }
        };
        actions.extend(generated::writes(path, &text, stood, now, base.as_deref())?);
        files.push(GeneratedFile { path: path.clone(), changed, edited });
    }
    Ok(if conflicts.is_empty() { Ok((actions, files)) } else { Err(conflicts) })
}

/// The line endings of the file that stands are kept: a checkout on another system has its own.
fn merged(draft: &Draft) -> Merged {
    let Draft { now, stands, base, .. } = draft;
    let windows = stands.as_deref().is_some_and(all_crlf) && !now.contains('\r');
    let dress =
        |text: &str| if windows { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text.to_owned() };
    generated::merge(base.as_deref().map(dress).as_deref(), stands.as_deref(), &dress(now))
}

/// Whether every line ends in CR LF.
fn all_crlf(text: &str) -> bool {
    let lines = text.matches('\n').count();
    lines > 0 && lines == text.matches("\r\n").count()
}
