//! Whether a tool did what it was to do: which tasks ran, in which order, and what they made.

use crate::work::Work;
use std::collections::BTreeMap;
use std::path::Path;

/// The tasks that said that they ran since the last call, in order. One tool's own shell writes the end of a line apart
/// from the line, so that two lines may meet: what counts is the ids.
pub(crate) fn take(work: &Work) -> Vec<String> {
    let said = std::fs::read_to_string(&work.said).unwrap_or_default();
    let _ = std::fs::remove_file(&work.said);
    said.split('t').skip(1).map(|number| format!("t{}", number.trim())).collect()
}

/// Each task ran once, and after what it needs.
pub(crate) fn all_ran(work: &Work) -> Result<(), String> {
    let ran = take(work);
    let at: BTreeMap<&str, usize> = ran.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
    if ran.len() != work.tasks.len() || at.len() != ran.len() {
        return Err(format!(
            "{} tasks ran, {} of them different; expected {}",
            ran.len(),
            at.len(),
            work.tasks.len()
        ));
    }
    let early = work
        .tasks
        .iter()
        .enumerate()
        .find(|(place, task)| work.needs(*place).any(|need| at.get(need) >= at.get(task.id.as_str())));
    early.map_or(Ok(()), |(_, task)| Err(format!("`{}` ran before what it needs", task.id)))
}

/// These ran and no others.
pub(crate) fn only(work: &Work, expected: &[&str]) -> Result<(), String> {
    let ran = take(work);
    match ran.len() {
        _ if ran == expected => Ok(()),
        1 => Err(format!("`{}` ran; expected {expected:?}", ran[0])),
        count => Err(format!("{count} tasks ran; expected {}", expected.len())),
    }
}

/// The file that a task made below `made` is what its inputs say.
pub(crate) fn made(work: &Work, top: &Path, made: &Path, at: usize) -> Result<(), String> {
    let read = |path: &Path| std::fs::read(path).map_err(|wrong| format!("`{}`: {wrong}", path.display()));
    let mut expected = Vec::new();
    for path in work.inputs(at) {
        expected.extend(read(&top.join(path))?);
    }
    let path = format!("out/{}.txt", work.tasks[at].id);
    if read(&made.join(&path))? == expected {
        Ok(())
    } else {
        Err(format!("`{path}` is not what its inputs say"))
    }
}
