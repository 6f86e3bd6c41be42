//! What runs now, drawn below what has ended.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use orchestrator_core::id::TaskId;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::state::RunState;
use orchestrator_core::stop::{Stop, StopLevel};

use super::text::{cut, took};

/// The most tasks that are drawn.
const TASKS: usize = 8;

/// What runs now.
pub(super) struct Live {
    bar: ProgressBar,
    stop: Stop,
    running: BTreeMap<TaskId, Running>,
}

struct Running {
    since: Timestamp,
    said: String,
}

impl Live {
    /// Where both streams are a terminal that can do it.
    pub(super) fn new(stop: Stop) -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if dumb || !std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg}").ok()?);
        Some(Self { bar, stop, running: BTreeMap::new() })
    }

    pub(super) fn started(&mut self, task: &TaskId, since: Timestamp) {
        self.running.insert(task.clone(), Running { since, said: String::new() });
    }

    pub(super) fn ended(&mut self, task: &TaskId) {
        self.running.remove(task);
    }

    pub(super) fn said(&mut self, task: &TaskId, text: String) {
        if let Some(running) = self.running.get_mut(task)
            && !text.trim().is_empty()
        {
            running.said = text;
        }
    }

    /// Lets something be printed above.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(super) fn draw(&self, state: &RunState) {
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        self.bar.set_message(self.text(state, Timestamp::now(), width));
        self.bar.tick();
    }

    fn text(&self, state: &RunState, now: Timestamp, width: usize) -> String {
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(_, running)| running.since);
        let mut lines = vec![String::new()];
        for (task, Running { since, said: _ }) in running.iter().take(TASKS) {
            lines.push(format!("  › {task} {}", took(now.duration_since(*since))));
        }
        if running.len() > TASKS {
            lines.push(format!("  › and {} more", running.len() - TASKS));
        }
        if let Some((_, longest)) = running.first().filter(|(_, running)| !running.said.is_empty()) {
            lines.push(format!("    {}", longest.said.trim_end()));
        }
        let ended = state.tasks().iter().filter(|task| task.outcome().is_some()).count();
        let failed = match state.count(Outcome::Failed) {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let time = state.started().map_or_else(String::new, |at| took(now.duration_since(at)));
        let all = state.tasks().len();
        let stopping = match self.stop.level() {
            StopLevel::Go => "",
            StopLevel::Graceful => " · stopping; again to kill",
            StopLevel::Kill => " · killing what runs",
        };
        lines.push(format!("  {ended} of {all} tasks done{failed} · {time}{stopping}"));
        lines.into_iter().map(|line| cut(&line, width.saturating_sub(1))).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
