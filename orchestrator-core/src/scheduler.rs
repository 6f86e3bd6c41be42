//! The scheduler: which task starts next. A pure state machine; time is an argument; nothing is ever rescanned.
//!
//! Each node of the plan's graph counts the nodes that it still waits for and remembers the worst that came of them. When
//! the count is nought, its fate is decided once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::effect::Effect;
use crate::graph::{Edge, Node};
use crate::outcome::{Outcome, Reason};
use crate::pipeline::{Priority, When};
use crate::plan::{Plan, Selection, TaskIx};
use crate::state::{RunState, Stage};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start this task, or go on with it after a resume. Its slot is taken.
    Start(TaskIx),
    /// This task ends without being started.
    End(TaskIx, Outcome, Option<Reason>),
    /// Nothing can start before something ends or this time comes.
    Idle(Option<Timestamp>),
    /// Every task has ended.
    Done,
}

/// What came of all that a node waits for: the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gate {
    /// All is well.
    Open,
    /// Something was withheld: in a dry run what merely follows is shown as well.
    Follows,
    /// An output was withheld.
    Missing,
    /// An output does not exist.
    NoOutput,
    /// Something did not pass.
    Closed,
}

/// A task that can start, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    resumed: bool,
    priority: Priority,
    path: u32,
    ix: Reverse<TaskIx>,
}

/// Which task starts next.
#[derive(Debug)]
pub struct Scheduler {
    plan: Arc<Plan>,
    dry: bool,
    open: Vec<u32>,
    gates: Vec<Gate>,
    takes: Vec<Gate>,
    paths: Vec<u32>,
    stages: Vec<Stage>,
    ready: BinaryHeap<Ready>,
    parked: Vec<BinaryHeap<Ready>>,
    heavy: Vec<Ready>,
    delayed: BinaryHeap<Reverse<(Timestamp, TaskIx)>>,
    decided: VecDeque<(TaskIx, Outcome, Option<Reason>)>,
    running: u32,
    in_group: Vec<u32>,
    cpu: u64,
    memory: u64,
    failed: bool,
    failed_groups: Vec<bool>,
    cancelled: bool,
    left: usize,
}

impl Scheduler {
    /// A scheduler that goes on from `state`. With the ceiling `Reads` it schedules a dry run.
    pub fn new(state: &RunState, ceiling: Effect) -> Self {
        let plan = state.plan().clone();
        let graph = plan.graph();
        let nodes = graph.node_count();
        let groups = plan.groups().len();
        let stages: Vec<Stage> = state.tasks().iter().map(|task| task.stage).collect();
        let mut scheduler = Self {
            dry: ceiling == Effect::Reads,
            open: vec![0; nodes],
            gates: vec![Gate::Open; nodes],
            takes: vec![Gate::Open; nodes],
            paths: critical_paths(&plan),
            ready: BinaryHeap::new(),
            parked: vec![BinaryHeap::new(); groups],
            heavy: Vec::new(),
            delayed: BinaryHeap::new(),
            decided: VecDeque::new(),
            running: 0,
            in_group: vec![0; groups],
            cpu: 0,
            memory: 0,
            failed: false,
            failed_groups: vec![false; groups],
            cancelled: false,
            left: stages.iter().filter(|stage| !matches!(stage, Stage::Ended(_))).count(),
            stages,
            plan: plan.clone(),
        };
        for edge in graph.edge_references() {
            scheduler.open[edge.target().index()] += 1;
        }
        let sources: Vec<_> = graph.node_indices().filter(|node| scheduler.open[node.index()] == 0).collect();
        for node in sources {
            scheduler.reached(node);
        }
        for (at, task) in state.tasks().iter().enumerate() {
            if let Stage::Ended(outcome) = task.stage {
                scheduler.settle(TaskIx(at as u32), outcome, task.reason());
            }
        }
        scheduler
    }

    /// What to do next. Every answer but `Idle` and `Done` is given once.
    pub fn next(&mut self, now: Timestamp) -> Next {
        while let Some(Reverse((at, ix))) = self.delayed.peek().copied()
            && at <= now
        {
            self.delayed.pop();
            self.ready.push(self.urgency(ix, false));
        }
        loop {
            if let Some((ix, outcome, reason)) = self.decided.pop_front() {
                return Next::End(ix, outcome, reason);
            }
            if self.left == 0 {
                return Next::Done;
            }
            if self.running >= self.plan.rules().jobs {
                return self.idle();
            }
            let Some(ready) = self.ready.pop() else { return self.idle() };
            if let Some(next) = self.consider(ready) {
                return next;
            }
        }
    }

    /// A task ended: its slot, if it had one, must have been given back with [`Self::release`].
    pub fn ended(&mut self, ix: TaskIx, outcome: Outcome, reason: Option<Reason>) {
        debug_assert!(!matches!(self.stages[ix.at()], Stage::Ended(_)), "a task ends once");
        self.stages[ix.at()] = Stage::Ended(outcome);
        self.left -= 1;
        self.settle(ix, outcome, reason);
    }

    /// A task gave its slot back: it ended, waits, or is tried again later.
    pub fn release(&mut self, ix: TaskIx) {
        let task = self.plan.task(ix);
        let group = task.group as usize;
        self.running -= 1;
        self.in_group[group] -= 1;
        self.cpu -= u64::from(self.cpu_of(ix));
        self.memory -= self.memory_of(ix);
        if let Some(parked) = self.parked[group].pop() {
            self.ready.push(parked);
        }
        self.ready.extend(self.heavy.drain(..));
    }

    /// A task is to be tried again, not before `at`.
    pub fn retry(&mut self, ix: TaskIx, at: Timestamp) {
        self.stages[ix.at()] = Stage::Retrying(at);
        self.delayed.push(Reverse((at, ix)));
    }

    /// What a task waited for has come: it needs a slot again.
    pub fn wake(&mut self, ix: TaskIx) {
        self.ready.push(self.urgency(ix, true));
    }

    /// Nothing new starts; what was not started ends as skipped, what is tried again later as cancelled.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        let delayed: Vec<_> = self.delayed.drain().collect();
        for Reverse((_, ix)) in delayed {
            self.ready.push(self.urgency(ix, false));
        }
    }

    /// Whether something that the task follows was withheld.
    pub fn follows_withheld(&self, ix: TaskIx) -> bool {
        self.gates[ix.at()] >= Gate::Follows || self.takes[ix.at()] >= Gate::Follows
    }

    fn idle(&self) -> Next {
        Next::Idle(self.delayed.peek().map(|Reverse((at, _))| *at))
    }

    /// Starts a ready task, ends it, or parks it until there is room.
    fn consider(&mut self, ready: Ready) -> Option<Next> {
        let Reverse(ix) = ready.ix;
        let under_way = matches!(self.stages[ix.at()], Stage::Running);
        let task = self.plan.task(ix);
        let (group, when) = (task.group as usize, &task.when);
        let insists = when.insists();
        let untouched = self.stages[ix.at()] == Stage::Pending;
        let late = untouched && !insists && (self.failed || self.failed_groups[group]);
        if self.cancelled || late {
            // It leaves no slot behind that would call the next one: all parked ones are looked at again.
            let parked = std::mem::take(&mut self.parked[group]);
            self.ready.extend(parked);
        }
        if self.cancelled {
            if under_way || matches!(self.stages[ix.at()], Stage::Retrying(_)) {
                return Some(Next::End(ix, Outcome::Cancelled, Some(Reason::Cancelled)));
            }
            return Some(Next::End(ix, Outcome::Skipped, Some(Reason::Cancelled)));
        }
        if late {
            return Some(Next::End(ix, Outcome::Skipped, Some(Reason::FailFast)));
        }
        if self.plan.groups()[group].max_parallel.is_some_and(|most| self.in_group[group] >= most) {
            self.parked[group].push(ready);
            return None;
        }
        let rules = self.plan.rules();
        let (cpu, memory) = (u64::from(self.cpu_of(ix)), self.memory_of(ix));
        let heavy = (rules.cpu_milli > 0 && self.cpu + cpu > u64::from(rules.cpu_milli))
            || (rules.memory > 0 && self.memory + memory > rules.memory);
        if heavy && self.running > 0 && cpu + memory > 0 {
            self.heavy.push(ready);
            return None;
        }
        self.running += 1;
        self.in_group[group] += 1;
        self.cpu += cpu;
        self.memory += memory;
        self.stages[ix.at()] = Stage::Running;
        Some(Next::Start(ix))
    }

    /// What it takes of the processors: never more than there is.
    fn cpu_of(&self, ix: TaskIx) -> u32 {
        let (wants, all) = (self.plan.task(ix).resources.cpu_milli, self.plan.rules().cpu_milli);
        if all == 0 { wants } else { wants.min(all) }
    }

    fn memory_of(&self, ix: TaskIx) -> u64 {
        let (wants, all) = (self.plan.task(ix).resources.memory, self.plan.rules().memory);
        if all == 0 { wants } else { wants.min(all) }
    }

    fn urgency(&self, ix: TaskIx, resumed: bool) -> Ready {
        Ready { resumed, priority: self.plan.task(ix).priority, path: self.paths[ix.at()], ix: Reverse(ix) }
    }

    /// Tells what waits for a task how it ended.
    fn settle(&mut self, ix: TaskIx, outcome: Outcome, reason: Option<Reason>) {
        let task = self.plan.task(ix);
        let forgiven = task.continue_on_error;
        if outcome == Outcome::Failed && !forgiven {
            let group = task.group as usize;
            self.failed |= self.plan.rules().fail_fast;
            self.failed_groups[group] |= self.plan.groups()[group].fail_fast;
        }
        let gate = match outcome {
            Outcome::Passed | Outcome::Cached => Gate::Open,
            Outcome::Failed if forgiven => Gate::Open,
            Outcome::Skipped if reason.is_some_and(Reason::lets_go_on) => Gate::Open,
            Outcome::Withheld | Outcome::Deferred => Gate::Follows,
            Outcome::Failed | Outcome::Skipped | Outcome::Cancelled | Outcome::Waiting => Gate::Closed,
        };
        let take = match outcome {
            Outcome::Passed | Outcome::Cached => Gate::Open,
            Outcome::Withheld | Outcome::Deferred => Gate::Missing,
            Outcome::Failed | Outcome::Skipped | Outcome::Cancelled | Outcome::Waiting => Gate::NoOutput,
        };
        self.pass_on(NodeIndex::new(ix.at()), gate, take);
    }

    /// Hands what came of a node to the nodes after it; those that wait for nothing more are decided, and so on.
    fn pass_on(&mut self, node: NodeIndex, gate: Gate, take: Gate) {
        let plan = self.plan.clone();
        let mut reached = vec![(node, gate, take)];
        while let Some((node, gate, take)) = reached.pop() {
            for edge in plan.graph().edges(node) {
                let target = edge.target().index();
                match edge.weight() {
                    Edge::Gate | Edge::Need => self.gates[target] = self.gates[target].max(gate),
                    Edge::Take => {
                        self.gates[target] = self.gates[target].max(gate);
                        self.takes[target] = self.takes[target].max(take);
                    }
                    Edge::Order | Edge::Condition => {}
                }
                self.open[target] -= 1;
                if self.open[target] == 0 {
                    match plan.graph()[edge.target()] {
                        Node::Task(ix) => self.decide(ix),
                        _ => reached.push((edge.target(), self.gates[target], Gate::Open)),
                    }
                }
            }
        }
    }

    /// A node that waits for nothing from the start.
    fn reached(&mut self, node: NodeIndex) {
        match self.plan.graph()[node] {
            Node::Task(ix) => self.decide(ix),
            _ => self.pass_on(node, Gate::Open, Gate::Open),
        }
    }

    /// Decides a task for which everything that it waits for has ended.
    fn decide(&mut self, ix: TaskIx) {
        match self.stages[ix.at()] {
            Stage::Ended(_) => return,
            Stage::Running => return self.ready.push(self.urgency(ix, true)),
            Stage::Retrying(at) => return self.delayed.push(Reverse((at, ix))),
            Stage::Pending => {}
        }
        match self.fate(ix) {
            None => self.ready.push(self.urgency(ix, false)),
            Some((outcome, reason)) => self.decided.push_back((ix, outcome, reason)),
        }
    }

    /// How a task ends without being started; none where it starts.
    fn fate(&self, ix: TaskIx) -> Option<(Outcome, Option<Reason>)> {
        let task = self.plan.task(ix);
        match task.selection {
            Selection::LeftOut => return Some((Outcome::Skipped, Some(Reason::Manual))),
            Selection::Carried { .. } => return Some((Outcome::Passed, None)),
            Selection::Selected => {}
        }
        let skipped = |reason| Some((Outcome::Skipped, Some(reason)));
        let deferred = Some((Outcome::Deferred, Some(Reason::Withheld)));
        let gate = match (self.gates[ix.at()], self.takes[ix.at()]) {
            _ if task.when.insists() => None,
            (Gate::Closed, _) => return skipped(Reason::Upstream),
            (Gate::Follows | Gate::Missing, _) if !self.dry => deferred,
            _ => None,
        };
        let condition = match self.condition(&task.when) {
            Condition::Holds => None,
            Condition::Withheld if self.dry && !task.when.insists() => None,
            Condition::Withheld => deferred,
            Condition::Not => skipped(Reason::Condition),
        };
        let take = match self.takes[ix.at()] {
            Gate::Open => None,
            Gate::Follows | Gate::Missing => deferred,
            Gate::NoOutput | Gate::Closed => skipped(Reason::NoOutput),
        };
        gate.or(condition).or(take)
    }

    /// Whether a condition holds; all that it looks at has ended.
    fn condition(&self, when: &When) -> Condition {
        let outcome = |id| match self.plan.find(id).map(|ix| self.stages[ix.at()]) {
            Some(Stage::Ended(outcome)) => Some(outcome),
            _ => None,
        };
        match when {
            When::Needed | When::Always => Condition::Holds,
            When::Passed(id) | When::Failed(id) => match (when, outcome(id)) {
                (_, Some(Outcome::Withheld | Outcome::Deferred)) => Condition::Withheld,
                (When::Passed(_), Some(Outcome::Passed | Outcome::Cached)) => Condition::Holds,
                (When::Failed(_), Some(Outcome::Failed)) => Condition::Holds,
                _ => Condition::Not,
            },
            When::PhasePassed(name) | When::PhaseFailed(name) => {
                let Some(at) = self.plan.phases().iter().position(|phase| phase.name == *name) else {
                    return Condition::Not;
                };
                let failed = || self.phase_failed(at as u32);
                match (when, self.gates[self.plan.phase_end(at as u32).index()]) {
                    (When::PhasePassed(_), Gate::Open) => Condition::Holds,
                    (When::PhaseFailed(_), _) if failed() => Condition::Holds,
                    (_, Gate::Follows | Gate::Missing) => Condition::Withheld,
                    _ => Condition::Not,
                }
            }
        }
    }

    /// Whether a task of the phase failed that may not.
    fn phase_failed(&self, phase: u32) -> bool {
        let groups = self.plan.groups();
        self.plan.tasks().iter().zip(&self.stages).any(|(task, stage)| {
            groups[task.group as usize].phase == phase
                && !task.continue_on_error
                && *stage == Stage::Ended(Outcome::Failed)
        })
    }
}

/// What is known of a condition when all that it looks at has ended.
enum Condition {
    Holds,
    /// It depends on something that was withheld.
    Withheld,
    Not,
}

/// The number of tasks on the longest way from each node to the end.
fn critical_paths(plan: &Plan) -> Vec<u32> {
    let graph = plan.graph();
    let mut paths = vec![0_u32; graph.node_count()];
    let mut open: Vec<usize> = graph.node_indices().map(|node| graph.edges(node).count()).collect();
    let mut ends: Vec<_> = graph.node_indices().filter(|node| open[node.index()] == 0).collect();
    while let Some(node) = ends.pop() {
        let own = u32::from(matches!(graph[node], Node::Task(_)));
        paths[node.index()] += own;
        let length = paths[node.index()];
        for before in graph.neighbors_directed(node, Direction::Incoming) {
            let path = &mut paths[before.index()];
            *path = (*path).max(length);
            open[before.index()] -= 1;
            if open[before.index()] == 0 {
                ends.push(before);
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests;
