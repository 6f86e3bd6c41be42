//! What is run on what is to land where a pipeline merges branches and names no `validate`: the tests of the stacks that are known.

use orchestrator_core::phase::Draft;
use orchestrator_core::project::Project;

use super::checking::{Validate, ValidateCommand};
use crate::validation::checks;

/// The commands, with a note that says so; none where there is no stack whose tests are known, with a note that says what follows.
pub(super) fn drafted(project: &Project, draft: &mut Draft<'_>) -> Option<Vec<Validate>> {
    let mut commands = Vec::new();
    let mut unknown = Vec::new();
    for found in &project.stacks {
        match checks(found) {
            Some(lines) => commands.extend(lines.into_iter().map(|run| {
                let (cwd, env) = (found.folder.clone(), [].into());
                if found.folder.is_root() {
                    Validate::Line(run)
                } else {
                    Validate::Full(ValidateCommand { run, cwd, env })
                }
            })),
            None => unknown.push(format!("`{}`", found.manifest)),
        }
    }
    if commands.is_empty() {
        draft.note(
            "no `validate` is named and no tests of a known stack were found: what is merged will not land; \
             name commands, or `validate: []` if no check is meant",
        );
        return None;
    }
    let shown: Vec<String> = commands.iter().map(|command| format!("`{}`", command.shown())).collect();
    let but = match &*unknown {
        [] => String::new(),
        unknown => format!("; nothing is known that checks {}", unknown.join(", ")),
    };
    draft.note(format!("no `validate` is named: what is merged is checked by {}{but}", shown.join(", ")));
    Some(commands)
}
