//! Lossy signs of life: never stored, never decided on.

use std::sync::Arc;

use crate::id::TaskId;

/// A sign of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Whose.
    pub task: TaskId,
    /// What.
    pub kind: ProgressKind,
}

/// What a sign of life says.
#[derive(Debug, Clone, PartialEq)]
pub enum ProgressKind {
    /// A line of output, masked and shortened.
    Line {
        /// Whether it came from standard error.
        stderr: bool,
        /// The line.
        text: String,
    },
    /// How far an operation is.
    Step {
        /// What it does now.
        message: String,
        /// Parts done and parts in all, where known.
        done: Option<(u64, u64)>,
    },
}

/// Takes signs of life of one task. Cheap to clone; drops what nobody wants.
#[derive(Clone)]
pub struct ProgressSink {
    task: TaskId,
    send: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl ProgressSink {
    /// A sink that forgets everything.
    pub fn none(task: TaskId) -> Self {
        Self { task, send: None }
    }

    /// A sink that hands everything to `send`, which must not block.
    pub fn new(task: TaskId, send: Arc<dyn Fn(Progress) + Send + Sync>) -> Self {
        Self { task, send: Some(send) }
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self) -> bool {
        self.send.is_some()
    }

    /// A line of output.
    pub fn line(&self, stderr: bool, text: &str) {
        self.send(|| ProgressKind::Line { stderr, text: text.to_owned() });
    }

    /// How far an operation is.
    pub fn step(&self, message: impl Into<String>, done: Option<(u64, u64)>) {
        self.send(|| ProgressKind::Step { message: message.into(), done });
    }

    fn send(&self, kind: impl FnOnce() -> ProgressKind) {
        if let Some(send) = &self.send {
            send(Progress { task: self.task.clone(), kind: kind() });
        }
    }
}
