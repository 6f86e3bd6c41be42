//! Which run is meant: an id, a unique beginning or end of one, or the latest that fits.

use orchestrator_agents::backup::keep::is_housekeeping;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::RunId;
use orchestrator_core::orchestrator::{Orchestrator, Rollback};
use orchestrator_core::problem::unknown;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunStatus;

use crate::error::CliError;

/// How many runs are looked at for the latest that fits.
const LOOK: usize = 50;

/// The latest run by any name.
pub(crate) const LATEST: &str = "latest";

/// The name of the pipeline of `doctor`; no other has a name like that.
pub(crate) const DOCTOR: &str = "orchestrate doctor";

/// Which run counts as the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Latest {
    /// Any.
    Any,
    /// One that is not over.
    Open,
    /// One in which a task waits.
    Waiting,
    /// One that was no dry run, and neither a look at the machine nor one that keeps backups.
    Real,
    /// The same, and no rollback.
    Undoable,
}

impl Latest {
    fn fits(self, record: &RunRecord) -> bool {
        match self {
            Self::Any => true,
            Self::Open => !matches!(record.state.status(), RunStatus::Finished(_)),
            Self::Waiting => crate::questions::open(&record.state).next().is_some(),
            Self::Real => {
                record.state.ceiling() > Effect::Reads && !is_housekeeping(record.plan().pipeline())
            }
            Self::Undoable => Self::Real.fits(record) && Rollback::of(&record.state).is_none(),
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Any => "there are no runs yet; start one with `orchestrate run`",
            Self::Open => "no run is left to resume; start one with `orchestrate run`",
            Self::Waiting => "no run waits for a person; `orchestrate runs` lists them",
            Self::Real | Self::Undoable => {
                "there is no run yet that was no dry run; start one with `orchestrate run`"
            }
        }
    }
}

/// The run that is meant.
pub(crate) async fn find(
    orchestrator: &Orchestrator,
    text: Option<&str>,
    latest: Latest,
) -> Result<RunId, CliError> {
    let runs = orchestrator.runs().await?;
    if let Some(text) = text.filter(|text| *text != LATEST) {
        return named(&runs, text).map_err(CliError::Usage);
    }
    for run in runs.iter().take(LOOK) {
        if latest == Latest::Any {
            return Ok(run.clone());
        }
        match orchestrator.status(run).await {
            Ok(record) if latest.fits(&record) => return Ok(run.clone()),
            Ok(_) => {}
            Err(error) => tracing::warn!(%run, %error, "a run could not be read and is passed over"),
        }
    }
    Err(CliError::usage(latest.about()))
}

/// The one run with that beginning or end.
pub(crate) fn named(runs: &[RunId], text: &str) -> Result<RunId, String> {
    if let Some(exact) = runs.iter().find(|run| run.as_str() == text) {
        return Ok(exact.clone());
    }
    let fits = |run: &&RunId| run.as_str().starts_with(text) || run.as_str().ends_with(text);
    let found: Vec<&RunId> = runs.iter().filter(fits).collect();
    match found.as_slice() {
        [run] => Ok((*run).clone()),
        [] => Err(if runs.is_empty() {
            Latest::Any.about().to_owned()
        } else {
            unknown("run", text, runs.iter().take(5).map(RunId::as_str))
        }),
        many => {
            let names: Vec<&str> = many.iter().take(5).map(|run| run.as_str()).collect();
            let more = if many.len() > names.len() { ", ..." } else { "" };
            Err(format!("`{text}` may be any of {} runs: {}{more}", many.len(), names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_or_an_end_is_enough() {
        let runs: Vec<RunId> =
            ["20261121000000-0000abcd", "20261120000000-0000abce", "20261120000000-1111abcd"]
                .iter()
                .map(|run| RunId::new(run).unwrap())
                .collect();
        assert_eq!(named(&runs, "20261121"), Ok(runs[0].clone()));
        assert_eq!(named(&runs, "abce"), Ok(runs[1].clone()));
        assert_eq!(named(&runs, "20261120000000-1111abcd"), Ok(runs[2].clone()));
        let both = named(&runs, "abcd").unwrap_err();
        assert_eq!(both, "`abcd` may be any of 2 runs: 20261121000000-0000abcd, 20261120000000-1111abcd");
        let none = named(&runs, "ffff").unwrap_err();
        assert!(none.starts_with("unknown run `ffff`; known: 2026"), "{none}");
        assert!(named(&[], "x").unwrap_err().contains("no runs yet"));
    }
}
