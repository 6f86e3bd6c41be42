//! A job that does the same in several folders, one after another, as a matrix of them.

use orchestrator_core::BoxError;

use super::file::{Workflow, below, to_step};
use super::job::{Job, Step};
use super::node::Node;
use super::parallelize_python_builds::matrix;

const HERE: &str = "${{ matrix.folder }}";

/// A step as it would be for any folder.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    name: Option<String>,
    run: String,
    rest: String,
}

/// Whether a job works in each of the folders.
pub(super) fn builds_all(job: &Job<'_>, folders: &[String]) -> bool {
    folders.iter().all(|folder| job.steps().iter().any(|step| works_in(step, folder)))
}

/// Whether a job has a matrix with these folders.
pub(super) fn is_split(job: &Job<'_>, folders: &[String]) -> bool {
    let listed = job.value["strategy"]["matrix"]["folder"].as_array();
    listed.is_some_and(|listed| {
        folders.iter().all(|folder| listed.iter().any(|known| known == folder.as_str()))
    })
}

fn plain(folder: &str) -> &str {
    folder.trim_start_matches("./").trim_end_matches('/')
}

/// Whether a step works in a folder.
fn works_in(step: &Step<'_>, folder: &str) -> bool {
    let own = step.value["working-directory"].as_str().is_some_and(|own| plain(own) == plain(folder));
    step.run().is_some() && (own || step.run().and_then(|run| entered(run, folder)).is_some())
}

/// The script without the `cd FOLDER` that it begins with.
fn entered(run: &str, folder: &str) -> Option<String> {
    let rest = run.trim_start().strip_prefix("cd ")?;
    let rest = rest.trim_start().trim_start_matches("./").strip_prefix(plain(folder))?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let rest = rest.trim_start_matches(' ');
    let rest =
        rest.strip_prefix("&&").or_else(|| rest.strip_prefix(';')).or_else(|| rest.strip_prefix('\n'))?;
    Some(rest.trim_start().to_owned())
}

fn common(step: &Step<'_>, folder: &str) -> Result<Common, BoxError> {
    let folder = plain(folder);
    let run = step.run().unwrap_or_default();
    let run = entered(run, folder).unwrap_or_else(|| run.to_owned());
    let other = |text: &str| -> BoxError {
        format!("step `{}` names the folder `{folder}` in its {text} too, and that cannot be made common; edit it by hand", step.label()).into()
    };
    if names(&run, folder) {
        return Err(other("script"));
    }
    let mut rest = step.value.clone();
    for key in ["name", "run", "working-directory"] {
        if let Some(rest) = rest.as_object_mut() {
            rest.remove(key);
        }
    }
    let rest = rest.to_string();
    if names(&rest, folder) {
        return Err(other("settings"));
    }
    Ok(Common {
        name: step.value["name"].as_str().map(|name| replaced(name, folder)),
        run: run.trim_end().to_owned(),
        rest,
    })
}

/// Whether a folder stands in a text as a word.
fn names(text: &str, folder: &str) -> bool {
    replaced(text, folder) != text
}

/// The text with the matrix in place of the folder, where that is a word of it.
fn replaced(text: &str, folder: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(folder) {
        let (before, after) = (&rest[..at], &rest[at + folder.len()..]);
        let alone = !before.ends_with(word) && !after.starts_with(word);
        out.push_str(before);
        out.push_str(if alone { HERE } else { folder });
        rest = after;
    }
    out + rest
}

/// Keeps the steps of the first folder for all of them, and takes those of the others out.
pub(super) fn by_folder(
    file: &mut Workflow,
    id: &str,
    folders: &[String],
    said: &mut Vec<String>,
) -> Result<(), BoxError> {
    let job = file.job(id)?;
    if is_split(&job, folders) {
        return Ok(());
    }
    let steps = job.steps();
    let group = |folder: &String| -> Vec<Step<'_>> {
        steps.iter().filter(|step| works_in(step, folder)).copied().collect()
    };
    let groups: Vec<(&String, Vec<Step<'_>>)> =
        folders.iter().map(|folder| (folder, group(folder))).collect();
    if let Some((folder, _)) = groups.iter().find(|(_, steps)| steps.is_empty()) {
        return Err(format!("job `{id}` has no step in `{folder}`; steps: {}", job.shown_steps()).into());
    }
    let (first, kept) = &groups[0];
    let wanted = kept.iter().map(|step| common(step, first)).collect::<Result<Vec<_>, _>>()?;
    for (folder, steps) in &groups[1..] {
        let found = steps.iter().map(|step| common(step, folder)).collect::<Result<Vec<_>, _>>()?;
        if found != wanted {
            return Err(format!(
                "job `{id}` does not do the same in `{first}` and `{folder}`, so they cannot share steps; make them alike or \
                 give each a job"
            )
            .into());
        }
    }
    let kept: Vec<usize> = kept.iter().map(|step| step.index).collect();
    let mut gone: Vec<usize> =
        groups[1..].iter().flat_map(|(_, steps)| steps.iter().map(|step| step.index)).collect();
    gone.sort_unstable();
    for (index, common) in kept.iter().zip(&wanted) {
        make_common(file, id, *index, common)?;
    }
    for index in gone.iter().rev() {
        file.remove_step(id, *index)?;
    }
    let names: Vec<String> = folders.iter().map(|folder| plain(folder).to_owned()).collect();
    matrix(file, id, "folder", &names)?;
    said.push(format!("job `{id}` works in {} side by side", names.join(", ")));
    Ok(())
}

fn make_common(file: &mut Workflow, id: &str, index: usize, common: &Common) -> Result<(), BoxError> {
    let step = to_step(id, index);
    let text = |file: &Workflow, key: &str| {
        file.at(&below(&step, key)).and_then(|value| value.as_str()).map(str::to_owned)
    };
    if text(file, "working-directory").is_some() {
        file.set(&step, "working-directory", &HERE.into())?;
    } else {
        file.add(&step, "working-directory", &HERE.into(), &["name"])?;
    }
    if text(file, "run").is_some_and(|run| run.trim_end() != common.run) {
        let run = if common.run.contains('\n') { format!("{}\n", common.run) } else { common.run.clone() };
        file.set(&step, "run", &Node::text(run))?;
    }
    if let Some(name) = common.name.as_deref().filter(|name| text(file, "name").as_deref() != Some(name)) {
        file.set(&step, "name", &name.into())?;
    }
    Ok(())
}
