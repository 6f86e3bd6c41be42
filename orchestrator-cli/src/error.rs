//! What kept a command from its work: told once, with its causes and the next step.

use std::error::Error;
use std::io;

use orchestrator_core::file::PipelineError;
use orchestrator_core::id::NameError;
use orchestrator_core::lock::LockError;
use orchestrator_core::orchestrator::{OrchestratorError as Core, RunError};
use orchestrator_core::problem::{Problem, Problems};
use orchestrator_core::settings::SettingsError;
use orchestrator_core::store::StoreError;
use serde_json::{Value, json};

use orchestrator_traffic::proxy::folder::FolderError;
use orchestrator_traffic::proxy::run::RunError as ProxyError;

use crate::exit::Exit;
use crate::out::note;
use crate::shared::SharedError;

/// What kept a command from its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was typed makes no sense here.
    #[error("{0}")]
    Usage(String),
    /// The pipeline file cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The library could not do its work.
    #[error(transparent)]
    Core(#[from] Core),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Reports could not be rendered or written.
    #[error("the reports could not be made")]
    Report(#[source] orchestrator_core::BoxError),
    /// The place that a team shares cannot be used.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// A proxy did not serve.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Anything else of the machine.
    #[error("{what}")]
    Io {
        /// What it tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The exit code that it means.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Pipeline(_) | Self::Settings(_) | Self::Name(_) => Exit::Usage,
            Self::Core(Core::Problems(_) | Core::Over(_) | Core::Name(_) | Core::NoTask { .. }) => {
                Exit::Usage
            }
            Self::Core(Core::Locked(LockError::Held { .. })) => Exit::Locked,
            Self::Core(Core::Locked(LockError::Stopped { .. })) => Exit::Interrupted,
            Self::Core(Core::Run(RunError::Unsure { .. }) | Core::HalfPublished { .. }) => Exit::Unsure,
            Self::Core(Core::Run(RunError::Store { source, .. }) | Core::Store(source))
            | Self::Store(source) => of_store(source),
            Self::Shared(error) => of_shared(error),
            Self::Proxy(error) => of_proxy(error),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::Usage,
            Self::Core(_) | Self::Report(_) | Self::Io { .. } => Exit::Broken,
        }
    }

    /// All that is wrong with a pipeline or with settings, where that is what it is.
    fn problems(&self) -> Option<&Problems> {
        match self {
            Self::Pipeline(PipelineError::Problems(problems))
            | Self::Settings(SettingsError::Wrong(problems))
            | Self::Core(Core::Problems(problems)) => Some(problems),
            _ => None,
        }
    }

    /// What to do next, where the message does not say so itself.
    fn next(&self) -> Option<&'static str> {
        match self {
            Self::Core(Core::Locked(LockError::Held { .. })) => {
                Some("wait for it with `--wait`, or look at it with `orchestrate status`")
            }
            Self::Core(Core::NoRoom { .. }) => Some(
                "make room, for instance with `orchestrate prune`; or want less with `settings.min_free_disk`",
            ),
            Self::Core(Core::Store(StoreError::Empty(_))) => {
                Some("nothing was done in it; start anew with `orchestrate run`")
            }
            Self::Core(Core::Run(_)) if self.exit() == Exit::Broken => {
                Some("nothing that was recorded is lost: mend the cause, then `orchestrate resume`")
            }
            Self::Shared(SharedError::Away { .. }) => Some(
                "mend it; or, where no other machine has the run, go on with what is here: `resume --take-over`",
            ),
            Self::Pipeline(PipelineError::NotFound(_)) => {
                Some("write one with `orchestrate init`, or name another with `--config FILE`")
            }
            _ => None,
        }
    }

    /// The causes, from the nearest down; what a message repeats of its cause is told once.
    fn causes(&self) -> Vec<String> {
        let mut said = self.to_string();
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.contains(&text) {
                causes.push(text.clone());
            }
            said = text;
            next = cause.source();
        }
        causes
    }

    /// It and its causes in one line.
    pub(crate) fn line(&self) -> String {
        let causes = self.causes().into_iter().map(|cause| format!(": {cause}"));
        std::iter::once(self.to_string()).chain(causes).collect()
    }

    /// Tells it on standard error.
    pub(crate) fn tell(&self, json: bool) {
        note(&if json { format!("{{\"v\":1,\"error\":{}}}", self.json()) } else { self.text() });
    }

    fn text(&self) -> String {
        let mut text = match self.problems() {
            Some(problems) if problems.list.len() > 1 => {
                format!("error: {} problems\n{problems}", problems.list.len())
            }
            _ => format!("error: {self}"),
        };
        for cause in self.causes() {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
        if let Some(next) = self.next() {
            text.push_str("\n  next: ");
            text.push_str(next);
        }
        text
    }

    fn json(&self) -> Value {
        let mut error = json!({
            "message": self.to_string(), "causes": self.causes(), "next": self.next(), "exit": self.exit().code(),
        });
        if let Some(problems) = self.problems() {
            error["problems"] = problems.list.iter().map(|problem| located(problems, problem)).collect();
        }
        error
    }
}

fn located(problems: &Problems, problem: &Problem) -> Value {
    let Problem { place, way, message, also } = problem;
    json!({
        "file": problems.file, "line": place.map(|place| place.line), "column": place.map(|place| place.column),
        "way": way, "message": message, "also": also,
    })
}

fn of_shared(error: &SharedError) -> Exit {
    match error {
        #[cfg(not(feature = "shared"))]
        SharedError::Feature { .. } => Exit::Usage,
        SharedError::Address { .. } | SharedError::ReadOnly { .. } => Exit::Usage,
        SharedError::Held { .. } => Exit::Locked,
        _ => Exit::Broken,
    }
}

fn of_proxy(error: &ProxyError) -> Exit {
    match error {
        ProxyError::Folder(FolderError::Taken { .. }) => Exit::Locked,
        ProxyError::Tls(_) | ProxyError::Nowhere | ProxyError::Inherit(_) => Exit::Usage,
        _ => Exit::Broken,
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Unknown(_) | StoreError::Empty(_) => Exit::Usage,
        StoreError::Busy { .. } => Exit::Locked,
        _ => Exit::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_problems_all() {
        let error = CliError::io("`x` could not be read", io::Error::other("disk on fire"));
        assert_eq!(error.text(), "error: `x` could not be read\n  because: disk on fire");
        assert_eq!(error.exit(), Exit::Broken);
        let list = vec![Problem::new("phases[0]", "one"), Problem::new("phases[1]", "two")];
        let error = CliError::from(Core::Problems(Problems::new(Some("p.yaml".into()), list)));
        assert_eq!(error.text(), "error: 2 problems\np.yaml: phases[0]: one\np.yaml: phases[1]: two");
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(error.json()["problems"][1]["message"], "two");
    }

    #[test]
    fn a_run_that_never_began_is_no_broken_machine() {
        let run = orchestrator_core::id::RunId::new("20261120234433-00ff00ff").unwrap();
        let error = CliError::from(Core::Store(StoreError::Empty(run)));
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.text().contains("next: nothing was done in it"), "{}", error.text());
    }

    #[test]
    fn what_to_do_next_is_said() {
        let held = LockError::Held { path: "/s/checkout.lock".into(), owner: None };
        let error = CliError::from(Core::Locked(held));
        assert_eq!(error.exit(), Exit::Locked);
        assert!(error.text().contains("next: wait for it with `--wait`"), "{}", error.text());
    }
}
