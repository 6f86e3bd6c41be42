//! What the demo plays: three runs, each of a pipeline of its own.

use orchestrator_core::effect::Effect;
use orchestrator_core::id::RunId;
use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError};
use orchestrator_core::registry::Registry;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::StoreError;

use crate::args::Global;
use crate::demo::Demo;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;

/// One run of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Version 0.1.0 comes into production.
    First,
    /// The delivery: from backup to reports, with 0.2.0.
    Delivery,
    /// Version 0.3.0, which is bad.
    Next,
}

/// Where an act stands.
pub(super) enum Stands {
    /// Not begun.
    Ahead,
    /// Begun and cut off.
    Open(RunId),
    /// Over.
    Over(Exit),
}

impl Act {
    pub(super) const ALL: [Self; 3] = [Self::First, Self::Delivery, Self::Next];

    /// What people read before it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::First => {
                "1 of 3: version 0.1.0 comes into production, behind a proxy that a supervisor keeps running"
            }
            Self::Delivery => {
                "2 of 3: the delivery of 0.2.0; production gets it while requests go on: a quarter of them, then all"
            }
            Self::Next => {
                "3 of 3: version 0.3.0, which passes its tests and is bad: the watch must find that and go back by itself"
            }
        }
    }

    /// Its pipeline file; none for that of the project.
    fn file(self) -> Option<&'static str> {
        match self {
            Self::First => Some("first.yaml"),
            Self::Delivery => None,
            Self::Next => Some("next.yaml"),
        }
    }

    /// Whether a run of a pipeline with that name is one of it.
    fn is(self, pipeline: &str) -> bool {
        match self {
            Self::First => pipeline == "first version",
            Self::Delivery => !Self::First.is(pipeline) && !Self::Next.is(pipeline),
            Self::Next => pipeline == "next version",
        }
    }

    /// How it ends where all is as it should be: the bad version is not deployed.
    pub(super) fn ends(self) -> Exit {
        match self {
            Self::First | Self::Delivery => Exit::Passed,
            Self::Next => Exit::Failed,
        }
    }

    pub(super) fn open(self, demo: &Demo, registry: Registry) -> Result<Front, CliError> {
        let config = self.file().map(Into::into);
        Front::open(&Global { dir: demo.checkout(), state: None, config }, registry)
    }

    /// Its first run that was no dry run.
    pub(super) async fn stands(self, front: &Front) -> Result<Stands, CliError> {
        let Some(record) = self.record(&front.look()?).await? else { return Ok(Stands::Ahead) };
        Ok(match record.state.status() {
            RunStatus::Finished(_) => Stands::Over(Exit::of(&record)),
            _ => Stands::Open(record.run.clone()),
        })
    }

    /// The record of that run; none where there is none.
    pub(super) async fn record(self, orchestrator: &Orchestrator) -> Result<Option<RunRecord>, CliError> {
        for run in orchestrator.runs().await? {
            let record = match orchestrator.status(&run).await {
                // Its process died before it recorded anything: it never began.
                Err(OrchestratorError::Store(StoreError::Empty(_))) => continue,
                record => record?,
            };
            let is_rollback = record.state.begun().is_some_and(|begun| begun.parent.is_some());
            if self.is(record.plan().pipeline()) && !is_rollback && record.state.ceiling() > Effect::Reads {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}
