//! What a run withheld: the very actions that a real run performs.

use std::fmt;

use crate::action::Action;
use crate::outcome::Outcome;
use crate::plan::TaskIx;
use crate::state::RunState;

/// What a run did not do because it lies above its ceiling, and what it put off for that.
#[derive(Debug, Clone, Copy)]
pub struct Withheld<'a> {
    state: &'a RunState,
}

impl<'a> Withheld<'a> {
    /// What `state` withheld.
    pub fn of(state: &'a RunState) -> Self {
        Self { state }
    }

    /// The withheld actions of each task that has some, and what follows them as far as its agent knew.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskIx, Vec<&'a Action>)> {
        self.with(Outcome::Withheld).map(|ix| (ix, self.state.task(ix).unperformed().collect()))
    }

    /// Tasks that need something withheld.
    pub fn deferred(&self) -> impl Iterator<Item = TaskIx> {
        self.with(Outcome::Deferred)
    }

    /// Whether nothing was withheld: nothing is left to change.
    pub fn is_empty(&self) -> bool {
        self.state.count(Outcome::Withheld) + self.state.count(Outcome::Deferred) == 0
    }

    fn with(self, outcome: Outcome) -> impl Iterator<Item = TaskIx> + use<'a> {
        let tasks = self.state.tasks().iter().enumerate();
        tasks.filter(move |(_, task)| task.outcome() == Some(outcome)).map(|(at, _)| TaskIx(at as u32))
    }
}

impl fmt::Display for Withheld<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing was withheld");
        }
        let plan = self.state.plan();
        for (ix, actions) in self.tasks() {
            writeln!(f, "{}:", plan.task(ix).id)?;
            for action in actions {
                writeln!(f, "  {action}")?;
            }
        }
        for ix in self.deferred() {
            writeln!(f, "{}: known after what it needs is done", plan.task(ix).id)?;
        }
        Ok(())
    }
}
