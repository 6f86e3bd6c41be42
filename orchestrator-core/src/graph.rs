//! The graph of a plan: tasks, and the gates through which phases and groups let them pass.
//!
//! Gates keep the graph small: a phase of ten thousand tasks after another of ten thousand is twenty thousand edges, not
//! a hundred million.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::id::TaskId;
use crate::path::RelPath;
use crate::pipeline::Execution;
use crate::plan::{PlanError, PlanParts, TaskIx};

/// A node. Tasks come first, in their order, so that a task's place is its node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A task.
    Task(TaskIx),
    /// Opens when the phases before it have passed.
    PhaseStart(u32),
    /// Opens when the phase's own groups have passed; its checkpoint follows.
    PhaseWork(u32),
    /// Opens when the phase and its checkpoint have passed.
    PhaseEnd(u32),
    /// Opens when the groups before it have passed.
    GroupStart(u32),
    /// Opens when the group's tasks have passed.
    GroupEnd(u32),
}

/// What a node is to the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Must have passed.
    Gate,
    /// Must have passed, said by `needs` or by declared files.
    Need,
    /// Must have passed and have an output.
    Take,
    /// Must have ended, however.
    Order,
    /// Must have ended; `when` looks at how.
    Condition,
}

/// Builds the graph; names and places that lead nowhere are errors, so are cycles.
pub(crate) fn build(
    parts: &PlanParts,
    index: &HashMap<TaskId, TaskIx>,
) -> Result<DiGraph<Node, Edge, u32>, PlanError> {
    let (tasks, groups, phases) = (parts.tasks.len(), parts.groups.len(), parts.phases.len());
    let mut graph = DiGraph::with_capacity(tasks + 2 * groups + 3 * phases, 3 * tasks + 4 * groups);
    let task_nodes: Vec<_> = (0..tasks).map(|at| graph.add_node(Node::Task(TaskIx(at as u32)))).collect();
    let group_nodes: Vec<[NodeIndex; 2]> = (0..groups as u32)
        .map(|at| [graph.add_node(Node::GroupStart(at)), graph.add_node(Node::GroupEnd(at))])
        .collect();
    let phase_nodes: Vec<[NodeIndex; 3]> = (0..phases as u32)
        .map(|at| {
            [Node::PhaseStart(at), Node::PhaseWork(at), Node::PhaseEnd(at)].map(|node| graph.add_node(node))
        })
        .collect();
    let damaged = |what: &str| PlanError::Damaged(what.to_owned());

    for (phase, [start, work, end]) in parts.phases.iter().zip(&phase_nodes) {
        graph.add_edge(*start, *work, Edge::Gate);
        graph.add_edge(*work, *end, Edge::Gate);
        for before in &phase.depends_on {
            let before =
                phase_nodes.get(*before as usize).ok_or_else(|| damaged("a phase depends on nothing"))?;
            graph.add_edge(before[2], *start, Edge::Gate);
        }
    }
    for (group, [start, end]) in parts.groups.iter().zip(&group_nodes) {
        let phase = phase_nodes.get(group.phase as usize).ok_or_else(|| damaged("a group has no phase"))?;
        let (from, to) = if group.checkpoint { (phase[1], phase[2]) } else { (phase[0], phase[1]) };
        graph.add_edge(from, *start, Edge::Gate);
        graph.add_edge(*start, *end, Edge::Gate);
        graph.add_edge(*end, to, Edge::Gate);
        for before in &group.depends_on {
            let before =
                group_nodes.get(*before as usize).ok_or_else(|| damaged("a group depends on nothing"))?;
            graph.add_edge(before[1], *start, Edge::Gate);
        }
    }
    let mut last_of_group: Vec<Option<NodeIndex>> = vec![None; groups];
    for (task, node) in parts.tasks.iter().zip(&task_nodes) {
        let at = task.group as usize;
        let [start, end] = *group_nodes.get(at).ok_or_else(|| damaged("a task has no group"))?;
        graph.add_edge(start, *node, Edge::Gate);
        graph.add_edge(*node, end, Edge::Gate);
        if parts.groups[at].execution == Execution::Sequential
            && let Some(last) = last_of_group[at].replace(*node)
        {
            graph.add_edge(last, *node, Edge::Order);
        }
        let named = [(&task.needs, Edge::Need), (&task.follows, Edge::Need), (&task.takes, Edge::Take)];
        let named = named.into_iter().flat_map(|(ids, edge)| ids.iter().map(move |id| (id, edge)));
        let condition = task.when.task().map(|id| (id, Edge::Condition));
        for (id, edge) in named.chain(condition) {
            let from = index.get(id).ok_or_else(|| PlanError::Damaged(format!("there is no task `{id}`")))?;
            graph.add_edge(task_nodes[from.at()], *node, edge);
        }
        if let Some(name) = task.when.phase() {
            let of = parts.phases.iter().position(|phase| phase.name == *name);
            let of = of.ok_or_else(|| PlanError::Damaged(format!("there is no phase `{name}`")))?;
            graph.add_edge(phase_nodes[of][2], *node, Edge::Condition);
        }
    }
    for (before, after) in one_after_the_other(&graph, parts) {
        graph.add_edge(before, after, Edge::Order);
    }
    match cycle(&graph) {
        Some(nodes) => {
            // The gates of one phase or group are one to people.
            let mut names: Vec<String> = nodes.iter().map(|node| name(parts, graph[*node])).collect();
            names.dedup();
            if let [alone] = names.as_slice() {
                names.push(alone.clone());
            }
            Err(PlanError::Cycle(names))
        }
        None => Ok(graph),
    }
}

/// Tasks that touch the same file, each before the next in an order that the graph allows and the plan prefers.
fn one_after_the_other(graph: &DiGraph<Node, Edge, u32>, parts: &PlanParts) -> Vec<(NodeIndex, NodeIndex)> {
    if parts.tasks.iter().all(|task| task.touches.is_empty()) {
        return Vec::new();
    }
    let mut open: Vec<usize> = graph
        .node_indices()
        .map(|node| graph.neighbors_directed(node, Direction::Incoming).count())
        .collect();
    let sources = graph.node_indices().filter(|node| open[node.index()] == 0);
    let mut ready: BinaryHeap<Reverse<NodeIndex>> = sources.map(Reverse).collect();
    let (mut last, mut edges) = (HashMap::<&RelPath, NodeIndex>::new(), Vec::new());
    while let Some(Reverse(node)) = ready.pop() {
        if let Node::Task(ix) = graph[node] {
            let before = parts.tasks[ix.at()].touches.iter().filter_map(|path| last.insert(path, node));
            edges.extend(before.filter(|before| *before != node).map(|before| (before, node)));
        }
        for next in graph.neighbors(node) {
            open[next.index()] -= 1;
            if open[next.index()] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    edges
}

/// What people call a node.
fn name(parts: &PlanParts, node: Node) -> String {
    let group = |at: u32| {
        let group = &parts.groups[at as usize];
        format!("group {}/{}", parts.phases[group.phase as usize].name, group.name)
    };
    match node {
        Node::Task(ix) => parts.tasks[ix.at()].id.to_string(),
        Node::PhaseStart(at) | Node::PhaseWork(at) | Node::PhaseEnd(at) => {
            format!("phase {}", parts.phases[at as usize].name)
        }
        Node::GroupStart(at) | Node::GroupEnd(at) => group(at),
    }
}

/// Whole phases that wait for each other are said as that, without the groups and tasks in them.
fn smallness(node: Node) -> u8 {
    match node {
        Node::PhaseStart(_) | Node::PhaseWork(_) | Node::PhaseEnd(_) => 0,
        Node::GroupStart(_) | Node::GroupEnd(_) => 1,
        Node::Task(_) => 2,
    }
}

/// The nodes of one cycle, the first of them again at the end; none where there is no cycle.
fn cycle(graph: &DiGraph<Node, Edge, u32>) -> Option<Vec<NodeIndex>> {
    let mut open: Vec<usize> = graph
        .node_indices()
        .map(|node| graph.neighbors_directed(node, Direction::Incoming).count())
        .collect();
    let mut ready: Vec<_> = graph.node_indices().filter(|node| open[node.index()] == 0).collect();
    let mut done = 0;
    while let Some(node) = ready.pop() {
        done += 1;
        for next in graph.neighbors(node) {
            open[next.index()] -= 1;
            if open[next.index()] == 0 {
                ready.push(next);
            }
        }
    }
    if done == graph.node_count() {
        return None;
    }
    // Every node that is left waits for one that is left: walking back from any of them must come round.
    let mut node = graph.node_indices().find(|node| open[node.index()] > 0)?;
    let mut way = vec![node];
    loop {
        node = graph
            .neighbors_directed(node, Direction::Incoming)
            .filter(|before| open[before.index()] > 0)
            .min_by_key(|before| smallness(graph[*before]))
            .expect("a node that is left waits for one that is left");
        if let Some(first) = way.iter().position(|seen| *seen == node) {
            let mut round: Vec<_> = way.split_off(first);
            round.reverse();
            round.insert(0, *round.last().expect("a cycle has a node"));
            return Some(round);
        }
        way.push(node);
    }
}
