//! The order of phases: `depends_on`, by default the one before, and `parallel_with`.

use crate::id::PhaseName;
use crate::pipeline::PhaseSpec;
use crate::plan::PlannedPhase;
use crate::problem::{Problem, unknown};

/// Fills in what each phase depends on.
pub(super) fn phases(specs: &[PhaseSpec], planned: &mut [PlannedPhase], problems: &mut Vec<Problem>) {
    let find = |name: &PhaseName| specs.iter().position(|spec| spec.name == *name);
    for (at, spec) in specs.iter().enumerate() {
        let way = format!("phases[{at}]");
        if find(&spec.name) != Some(at) {
            problems
                .push(Problem::new(&way, format!("two phases are called `{}`", spec.name)).at(spec.place));
        }
        let named = spec.depends_on.iter().flatten().map(|name| ("depends_on", name));
        let beside = spec.parallel_with.iter().map(|name| ("parallel_with", name));
        for (key, name) in named.chain(beside) {
            if find(name).is_none() {
                let message = unknown("phase", name.as_str(), specs.iter().map(|spec| spec.name.as_str()));
                problems.push(Problem::new(format!("{way}.{key}"), message).at(spec.place));
            }
        }
        for name in spec.depends_on.iter().flatten() {
            let other = find(name).map(|other| &specs[other]);
            if other.is_some_and(|other| other.parallel_with.contains(&spec.name))
                && !spec.parallel_with.contains(name)
            {
                let message = format!("`{name}` cannot be waited for and run at the same time");
                problems.push(Problem::new(format!("{way}.depends_on"), message).at(spec.place));
            }
        }
        for name in &spec.parallel_with {
            if spec.depends_on.iter().flatten().any(|before| before == name) {
                let message = format!("`{name}` cannot be waited for and run at the same time");
                problems.push(Problem::new(format!("{way}.parallel_with"), message).at(spec.place));
            }
        }
    }
    for at in 0..specs.len() {
        planned[at].depends_on = match &specs[at].depends_on {
            Some(names) => names.iter().filter_map(find).map(|before| before as u32).collect(),
            None => before(specs, at),
        };
    }
}

fn beside(specs: &[PhaseSpec], one: usize, other: usize) -> bool {
    specs[one].parallel_with.contains(&specs[other].name)
        || specs[other].parallel_with.contains(&specs[one].name)
}

/// By default a phase waits for the one before it and those that run beside that one; a phase that runs beside the one
/// before waits for what that one waits for.
fn before(specs: &[PhaseSpec], at: usize) -> Vec<u32> {
    let Some(last) = (0..at).rev().find(|other| !beside(specs, at, *other)) else { return Vec::new() };
    let mut before: Vec<u32> = (0..at)
        .filter(|other| *other == last || (beside(specs, last, *other) && !beside(specs, at, *other)))
        .map(|other| other as u32)
        .collect();
    before.sort_unstable();
    before
}
