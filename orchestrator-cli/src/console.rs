//! The screen: phases as they end, live progress on a terminal, plain lines elsewhere.

mod diff;
mod end;
mod failure;
mod live;
mod notes;
mod paint;
mod pending;
mod phase;
mod spread;
mod task;
mod text;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use orchestrator_core::action::{Action, Await};
use orchestrator_core::event::{Event, Record};
use orchestrator_core::id::TaskId;
use orchestrator_core::observer::Observer;
use orchestrator_core::plan::TaskIx;
use orchestrator_core::progress::{Progress, ProgressKind};
use orchestrator_core::state::{RunState, RunStatus};
use orchestrator_core::stop::Stop;

use crate::out::Out;
use live::Live;

pub(crate) use end::{End, is_over, word};
pub(crate) use notes::{of_phase, of_plan};
pub use paint::Paint;
pub(crate) use phase::{Shown, heading, render as phase};
pub(crate) use task::waits;
pub(crate) use text::{clean, counts, cut, indented, plural};

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Failures and the last line.
    Quiet,
    /// Phases and their tasks.
    #[default]
    Normal,
    /// Also what commands print.
    Verbose,
}

/// Shows a run to people.
pub struct Console {
    out: Out,
    paint: Paint,
    volume: Volume,
    live: Option<Live>,
    /// Tasks of each phase that have not ended; empty before the first event.
    left: Vec<usize>,
    /// Phases that were printed.
    printed: usize,
    /// What was said of the last wait of each task: one that goes on in rounds is said once.
    waits: BTreeMap<TaskId, Waiting>,
}

/// How often it is said where nothing is drawn how a task does that goes on waiting in rounds.
const NEWS: Duration = Duration::from_secs(30);

/// A task that waits in rounds.
struct Waiting {
    text: String,
    said: Instant,
}

impl Console {
    /// On standard output, live where that is a terminal.
    pub fn stdout() -> Self {
        Self::on(Out::stdout(), Paint::stdout())
    }

    /// On standard error.
    pub fn stderr() -> Self {
        Self::on(Out::stderr(), Paint::stderr())
    }

    fn on(out: Out, paint: Paint) -> Self {
        Self {
            out,
            paint,
            volume: Volume::default(),
            live: None,
            left: Vec::new(),
            printed: 0,
            waits: BTreeMap::new(),
        }
    }

    /// How much is shown.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volume = volume;
        self
    }

    /// Shows what runs now below what has ended, where both streams are a terminal. `stop` tells it of a stop.
    #[must_use]
    pub fn live(mut self, stop: Stop) -> Self {
        self.live = Live::new(stop);
        self
    }

    /// Whether it draws what runs now.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    fn print(&mut self, text: &str) {
        let Self { out, live, .. } = self;
        match live {
            Some(live) => live.above(|| out.text(text)),
            None => out.text(text),
        }
    }

    fn begin(&mut self, record: &Record, state: &RunState) {
        self.left = vec![0; state.plan().phases().len()];
        for (at, task) in state.tasks().iter().enumerate() {
            if task.outcome().is_none() {
                self.left[state.plan().phase_ix(TaskIx(at as u32))] += 1;
            }
        }
        if let Event::TaskFinished(finished) = &record.event
            && let Some(ix) = state.plan().find(&finished.task)
        {
            self.left[state.plan().phase_ix(ix)] += 1;
        }
        if self.volume > Volume::Quiet {
            let text = heading(state, matches!(record.event, Event::RunResumed(_)), self.paint);
            self.print(&text);
        }
    }

    fn finished(&mut self, task: &TaskId, state: &RunState) {
        if let Some(ix) = state.plan().find(task) {
            let phase = state.plan().phase_ix(ix);
            self.left[phase] = self.left[phase].saturating_sub(1);
        }
    }

    /// Prints the phases that have ended and were not printed; in order.
    fn print_ended(&mut self, state: &RunState) {
        while self.printed < self.left.len() && self.left[self.printed] == 0 {
            let text = phase(state, self.printed, Shown::Over, self.volume, self.paint);
            self.printed += 1;
            if self.volume > Volume::Quiet {
                self.print(&text);
            }
        }
    }

    /// Prints the phases that were begun when the run stopped.
    fn print_rest(&mut self, state: &RunState) {
        for at in self.printed..self.left.len() {
            if self.volume > Volume::Quiet {
                let text = phase(state, at, Shown::Begun, self.volume, self.paint);
                self.print(&text);
            }
        }
        self.printed = self.left.len();
    }

    fn wait(&mut self, task: &TaskId, index: u32, state: &RunState) {
        let Some(ix) = state.plan().find(task) else { return };
        let round = state.task(ix).rounds.last();
        let action = round.and_then(|round| round.actions.get(index as usize));
        if let (Some(Action::Await(wait)), Some(begun)) = (action, state.begun()) {
            // Here its first line is enough: all of it is said at the end, or where it is asked.
            let message = match wait.message.split_once('\n') {
                Some((first, _)) => format!("{first} …"),
                None => wait.message.clone(),
            };
            let text = task::wait(task, &Await { message, ..wait.clone() }, &begun.run, self.paint);
            if self.waits.get(task).is_none_or(|known| known.text != text) {
                self.print(&format!("{text}\n"));
                self.waits.insert(task.clone(), Waiting { text, said: Instant::now() });
            }
        }
    }
}

impl Console {
    /// Now and then how it stands where it goes on waiting in rounds: in a log nobody sees what is drawn.
    fn news(&mut self, task: &TaskId, text: &str) {
        let Some(waiting) = self.waits.get_mut(task).filter(|waiting| waiting.said.elapsed() >= NEWS) else {
            return;
        };
        waiting.said = Instant::now();
        let line = format!("{} {text}\n", self.paint.dim(&format!("{task} |")));
        self.print(&line);
    }
}

impl Observer for Console {
    fn event(&mut self, record: &Record, state: &RunState) {
        if self.left.is_empty() {
            self.begin(record, state);
        }
        match &record.event {
            Event::TaskStarted { task, .. } => {
                if let Some(live) = &mut self.live {
                    live.started(task, record.at);
                }
            }
            Event::TaskFinished(finished) => {
                if let Some(live) = &mut self.live {
                    live.ended(&finished.task);
                }
                self.finished(&finished.task, state);
            }
            Event::AttemptFailed { task, failure, .. } => {
                if let Some(live) = &mut self.live {
                    live.ended(task);
                }
                if self.volume == Volume::Verbose {
                    let failure = clean(&failure.to_string());
                    self.print(&format!("{task} | failed, to be tried again: {failure}\n"));
                }
            }
            Event::ActionStarted { task, index, .. } => self.wait(task, *index, state),
            _ => {}
        }
        self.print_ended(state);
        if matches!(state.status(), RunStatus::Stopped(_) | RunStatus::Finished(_)) {
            self.print_rest(state);
            self.live = None;
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let is_step = matches!(progress.kind, ProgressKind::Step { .. });
        let text = match &progress.kind {
            ProgressKind::Line { stderr: _, text } => clean(text),
            ProgressKind::Step { message, done: Some((done, all)) } => {
                format!("{} ({done}/{all})", clean(message))
            }
            ProgressKind::Step { message, done: None } => clean(message),
        };
        if self.volume == Volume::Verbose {
            let line = format!("{} {text}\n", self.paint.dim(&format!("{} |", progress.task)));
            self.print(&line);
        } else if is_step && self.live.is_none() && self.volume == Volume::Normal {
            self.news(&progress.task, &text);
        }
        if let Some(live) = &mut self.live {
            live.said(&progress.task, text);
        }
    }

    fn tick(&mut self, state: &RunState) {
        if let Some(live) = &mut self.live {
            live.draw(state);
        }
    }
}

#[cfg(test)]
mod tests;
