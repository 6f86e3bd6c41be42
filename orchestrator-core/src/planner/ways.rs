//! The way to a problem as the dialect of the file says it.

use crate::pipeline::{GroupSpec, Pipeline};
use crate::problem::Problem;

/// `phases[0].groups[1].tasks[2].uses` as a roadmap has it: `phase_1.groups.group_b.tasks[2].type`.
pub(super) fn of_roadmap(pipeline: &Pipeline, mut problem: Problem) -> Problem {
    if let Some(way) = way(pipeline, &problem.way) {
        problem.way = way;
    }
    problem
}

fn way(pipeline: &Pipeline, way: &str) -> Option<String> {
    let (at, rest) = index(way, "phases[")?;
    let phase = pipeline.phases.get(at)?;
    let name = &phase.name;
    if let Some(rest) = rest.strip_prefix(".checkpoint.") {
        return Some(format!("checkpoints.after_{name}.{}", keys(rest)));
    }
    let Some((at, rest)) = index(rest, ".groups[") else { return Some(format!("{name}{rest}")) };
    let group = phase.groups.get(at)?;
    let within = format!("{name}.groups.{}", group.name);
    let Some((at, rest)) = index(rest, ".tasks[") else { return Some(format!("{within}{rest}")) };
    Some(format!("{within}.tasks[{}]{}", written(group, at), keys(rest)))
}

/// The number in brackets after `before`, and what follows.
fn index<'w>(way: &'w str, before: &str) -> Option<(usize, &'w str)> {
    let (number, rest) = way.strip_prefix(before)?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// Which task of the file it is: one that asks a person stands where the one does that it asks for.
fn written(group: &GroupSpec, at: usize) -> usize {
    let mut places: Vec<_> = group.tasks.iter().take(at + 1).map(|task| task.place).collect();
    places.dedup();
    places.len() - 1
}

/// The keys of a task: its agent is its `type`, and what the agent takes stands beside.
fn keys(rest: &str) -> String {
    match rest.strip_suffix(".uses") {
        Some(before) => format!("{before}.type"),
        None => rest.replacen(".with.", ".", 1),
    }
}
