//! Which tasks a change reaches: those whose inputs differ from a git revision, and those that follow them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Orchestrator, OrchestratorError};
use crate::agent::Task;
use crate::id::TaskId;
use crate::json::Json;
use crate::path::RelPath;
use crate::patterns::Patterns;
use crate::plan::{Plan, PlanParts, PlannedTask, Selection};
use crate::problem::{Problem, Problems};
use crate::workspace::Workspace;

/// The branch that the current one follows.
const UPSTREAM: &str = "@{upstream}";

impl Orchestrator {
    /// The plan with only those tasks selected that a change since `base` reaches, and what these take from. A task that names no inputs may depend on
    /// any file.
    pub(super) fn affected(&self, plan: &Plan, base: &str) -> Result<Plan, OrchestratorError> {
        let look =
            Workspace::new(self.executor.root(), Timestamp::now()).environment(self.executor.environment());
        // A branch that follows no other differs from its last commit.
        let own = base == UPSTREAM && look.git(&["rev-parse", "--verify", "--quiet", UPSTREAM]).is_err();
        let base = if own { "HEAD" } else { base };
        let changed = changed(&look, base).map_err(|error| {
            let message = format!("what differs from `{base}` cannot be told: {error}");
            Problems::new(None, vec![Problem::new("--affected", message)])
        })?;
        let mut parts: PlanParts = plan.parts().clone();
        let mut reached: BTreeSet<TaskId> = BTreeSet::new();
        for task in parts.tasks.iter().filter(|task| self.reads(plan, task, &changed)) {
            reached.insert(task.id.clone());
        }
        // Plans are no longer than chains of tasks are: each round reaches the next link.
        loop {
            let before = reached.len();
            for task in &parts.tasks {
                let condition = task.when.task();
                let mut sources = task.needs.iter().chain(&task.takes).chain(&task.follows).chain(condition);
                if sources.any(|source| reached.contains(source)) {
                    reached.insert(task.id.clone());
                }
            }
            if reached.len() == before {
                break;
            }
        }
        with_sources(&parts.tasks, &mut reached);
        for task in parts.tasks.iter_mut().filter(|task| !reached.contains(&task.id)) {
            if task.selection == Selection::Selected {
                task.selection = Selection::LeftOut;
            }
        }
        parts.notes.push(match changed.len() {
            1 => format!("affected: 1 file differs from `{base}`"),
            count => format!("affected: {count} files differ from `{base}`"),
        });
        Plan::new(parts)
            .map_err(|error| Problems::new(None, vec![Problem::new("", error.to_string())]).into())
    }

    /// Whether a task depends on one of the files.
    fn reads(&self, plan: &Plan, planned: &PlannedTask, changed: &BTreeSet<String>) -> bool {
        let Some(ix) = plan.find(&planned.id) else { return true };
        let (id, phase, group) =
            (planned.id.clone(), plan.phase_of(ix).name.clone(), plan.group_of(ix).name.clone());
        let task = Task { id, phase, group, config: planned.config.clone(), carried: Json::null() };
        let agent = self.registry.agents().get(&planned.agent);
        let own = agent.and_then(|agent| agent.depends_on(&task));
        if own.is_none() && planned.inputs.is_empty() {
            return !changed.is_empty();
        }
        let files = [planned.inputs.clone(), own.map(|own| own.files).unwrap_or_default()].concat();
        let Ok(patterns) = Patterns::parse(&files) else { return true };
        changed.iter().any(|path| patterns.matches(path))
    }
}

/// Adds the tasks whose output or files those that are reached take; without them there may be nothing to take.
fn with_sources(tasks: &[PlannedTask], reached: &mut BTreeSet<TaskId>) {
    let sources = |task: &PlannedTask| task.takes.iter().chain(&task.follows).cloned().collect::<Vec<_>>();
    let by_id: BTreeMap<&TaskId, &PlannedTask> = tasks.iter().map(|task| (&task.id, task)).collect();
    let mut open: Vec<TaskId> = reached.iter().cloned().collect();
    while let Some(id) = open.pop() {
        let sources = by_id.get(&id).map(|task| sources(task)).unwrap_or_default();
        open.extend(sources.into_iter().filter(|source| reached.insert(source.clone())));
    }
}

/// The files that differ from where `base` and the checkout parted: committed, staged, edited and new ones.
fn changed(look: &Workspace, base: &str) -> std::io::Result<BTreeSet<String>> {
    if base.starts_with('-') {
        return Err(std::io::Error::other("it is no revision"));
    }
    let from =
        look.git(&["merge-base", base, "HEAD"]).or_else(|_| look.git(&["rev-parse", "--verify", base]))?;
    // Paths are given from the folder that it runs in, and those outside of it do not count.
    let differing = look.git(&["diff", "--name-only", "--no-renames", "--relative", "-z", &from])?;
    let new = look.git(&["ls-files", "--others", "--exclude-standard", "-z"])?;
    let names = differing.split('\0').chain(new.split('\0')).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| RelPath::new(name).ok()).map(|path| path.to_string()).collect())
}
