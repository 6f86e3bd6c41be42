//! A plan as a tree, and as pictures.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use orchestrator_core::id::TaskId;
use orchestrator_core::pipeline::{Execution, When};
use orchestrator_core::plan::{Plan, PlannedGroup, PlannedTask, Selection};

use crate::console::{Paint, clean, of_phase, of_plan, plural};

/// Phases, groups and tasks, with what they wait for.
pub(super) fn tree(plan: &Plan, paint: Paint) -> String {
    let mut text = String::new();
    let (phases, tasks) = (plan.phases().len(), plan.tasks().len());
    let _ = writeln!(
        text,
        "{} · {} · {} · ceiling {} · {} at once",
        paint.bold(&clean(plan.pipeline())),
        plural(phases, "phase"),
        plural(tasks, "task"),
        plan.rules().ceiling,
        plan.rules().jobs,
    );
    for note in of_plan(plan) {
        let _ = writeln!(text, "{}", paint.dim(&format!("– {note}")));
    }
    for (at, phase) in plan.phases().iter().enumerate() {
        let after: Vec<&str> =
            phase.depends_on.iter().map(|before| plan.phases()[*before as usize].name.as_str()).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        let title = format!("[Phase {}/{phases}] {}", at + 1, clean(&phase.title));
        let _ = writeln!(text, "\n{} {}{}", paint.bold(&title), phase.name, paint.dim(&after));
        let groups = plan.groups().iter().enumerate().filter(|(_, group)| group.phase as usize == at);
        for (group_at, group) in groups {
            let own: Vec<&PlannedTask> =
                plan.tasks().iter().filter(|task| task.group as usize == group_at).collect();
            branch(&mut text, plan, group, &own, paint);
        }
        for note in of_phase(plan, &phase.name) {
            let _ = writeln!(text, "  {}", paint.dim(&format!("– {note}")));
        }
    }
    text
}

fn branch(text: &mut String, plan: &Plan, group: &PlannedGroup, tasks: &[&PlannedTask], paint: Paint) {
    let mut how = vec![match group.execution {
        _ if group.checkpoint => "checkpoint".to_owned(),
        Execution::Parallel => "parallel".to_owned(),
        Execution::Sequential => "one after the other".to_owned(),
    }];
    how.extend(group.max_parallel.map(|most| format!("at most {most}")));
    if group.fail_fast {
        how.push("fail fast".to_owned());
    }
    how.extend(group.depends_on.iter().map(|at| format!("after {}", plan.groups()[*at as usize].name)));
    let title = group.title.as_deref().map_or_else(String::new, |title| format!(" {}", clean(title)));
    let _ = writeln!(text, "  {}{title} {}", group.name, paint.dim(&format!("({})", how.join(", "))));
    for (at, task) in tasks.iter().enumerate() {
        let line = if at + 1 == tasks.len() { "└─" } else { "├─" };
        let _ = writeln!(text, "  {line} {}", leaf(task, paint));
    }
}

fn leaf(task: &PlannedTask, paint: Paint) -> String {
    let mut notes = Vec::new();
    match &task.selection {
        Selection::Selected => {}
        Selection::LeftOut => notes.push("left out".to_owned()),
        Selection::Carried { run, .. } => notes.push(format!("passed in run {run}")),
    }
    if task.when != When::Needed {
        notes.push(format!("when {}", task.when));
    }
    let before: BTreeSet<&str> =
        task.needs.iter().chain(&task.takes).chain(&task.follows).map(TaskId::as_str).collect();
    if !before.is_empty() {
        notes.push(format!("needs {}", before.into_iter().collect::<Vec<_>>().join(", ")));
    }
    if task.continue_on_error {
        notes.push("may fail".to_owned());
    }
    let about = task.description.as_deref().map_or_else(String::new, |about| format!("  {}", clean(about)));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    format!("{} {}{}{about}", task.id, paint.dim(&format!("[{}]", task.agent)), paint.dim(&notes))
}

/// Edges between tasks, and from phase to phase.
fn edges(plan: &Plan) -> impl Iterator<Item = (&TaskId, &TaskId)> {
    plan.tasks().iter().flat_map(|task| {
        let before = task.needs.iter().chain(&task.takes).chain(&task.follows).chain(task.when.task());
        let before: BTreeSet<&TaskId> = before.collect();
        before.into_iter().map(|before| (before, &task.id))
    })
}

/// For Graphviz.
pub(super) fn dot(plan: &Plan) -> String {
    let quoted = |text: &str| format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = String::from("digraph plan {\n  rankdir=LR;\n  compound=true;\n  node [shape=box];\n");
    for (at, phase) in plan.phases().iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{at} {{\n    label={};", quoted(&phase.title));
        let _ = writeln!(text, "    {} [shape=point, style=invis];", quoted(&format!("phase {at}")));
        for task in plan.tasks().iter().filter(|task| plan.groups()[task.group as usize].phase as usize == at)
        {
            let _ = writeln!(text, "    {};", quoted(task.id.as_str()));
        }
        text.push_str("  }\n");
        for before in &phase.depends_on {
            let (from, to) = (quoted(&format!("phase {before}")), quoted(&format!("phase {at}")));
            let _ = writeln!(
                text,
                "  {from} -> {to} [ltail=cluster_{before}, lhead=cluster_{at}, style=dashed];"
            );
        }
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(text, "  {} -> {};", quoted(from.as_str()), quoted(to.as_str()));
    }
    text + "}\n"
}

/// For Mermaid.
pub(super) fn mermaid(plan: &Plan) -> String {
    let quoted = |text: &str| format!("\"{}\"", clean(text).replace('"', "#quot;"));
    let node = |id: &TaskId| plan.find(id).map_or(0, |ix| ix.0);
    let mut text = String::from("flowchart LR\n");
    for (at, phase) in plan.phases().iter().enumerate() {
        let _ = writeln!(text, "  subgraph p{at}[{}]", quoted(&phase.title));
        for (task_at, task) in plan.tasks().iter().enumerate() {
            if plan.groups()[task.group as usize].phase as usize == at {
                let _ = writeln!(text, "    t{task_at}[{}]", quoted(task.id.as_str()));
            }
        }
        text.push_str("  end\n");
        for before in &phase.depends_on {
            let _ = writeln!(text, "  p{before} -.-> p{at}");
        }
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(text, "  t{} --> t{}", node(from), node(to));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::plan;

    #[test]
    fn a_tree_shows_what_waits_for_what() {
        let text = tree(&plan(), Paint::OFF);
        assert!(text.starts_with("school · 2 phases · 3 tasks · ceiling writes · 2 at once\n"), "{text}");
        assert!(
            text.contains("[Phase 2/2] CODE GENERATION code_generation after restart_backup\n"),
            "{text}"
        );
        assert!(
            text.contains("  main (parallel)\n  ├─ edit [command]\n  └─ release [command] (needs edit)\n"),
            "{text}"
        );
    }

    #[test]
    fn pictures_have_all_nodes_and_edges() {
        let dot = dot(&plan());
        assert!(
            dot.contains("\"edit\" -> \"release\";") && dot.contains("label=\"RESTART & BACKUP\""),
            "{dot}"
        );
        let mermaid = mermaid(&plan());
        assert!(mermaid.contains("t1 --> t2\n") && mermaid.contains("p0 -.-> p1\n"), "{mermaid}");
    }
}
