//! Remedies: what a check does about what it found. A remedy is actions like any other, followed by the check again.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::{SignalName, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::order::Receipt;
use orchestrator_core::settings::Remedies;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The rule of the finding that says what was done about another.
pub const RULE: &str = "remedy";

/// What would mend what a check found: safe, and confined to what git ignores or the check is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// What it is to do: "create `.venv`".
    pub does: String,
    /// What it did: "`.venv` was created".
    pub did: String,
    /// How.
    pub actions: Vec<Action>,
}

impl Remedy {
    /// A remedy.
    pub fn new(does: impl Into<String>, did: impl Into<String>, actions: Vec<Action>) -> Self {
        Self { does: does.into(), did: did.into(), actions }
    }

    /// How, for people: the command lines.
    fn shown(&self) -> String {
        let shown = self.actions.iter().map(|action| match action {
            Action::Run(run) if run.cwd.is_root() => format!("`{}`", run.command),
            Action::Run(run) => format!("`{}` in `{}`", run.command, run.cwd),
            action => action.to_string(),
        });
        shown.collect::<Vec<_>>().join(", then ")
    }

    fn finding(&self, severity: Severity, message: &str) -> Finding {
        Finding::new(RULE, severity, format!("{message} ({})", self.shown()))
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<O> {
    /// All is well, or the check does not apply.
    Good(Conclusion<O>),
    /// Something is wrong; there may be a remedy.
    Bad(Conclusion<()>, Option<Remedy>),
}

impl<O> Found<O> {
    /// Something is wrong that no remedy helps against.
    pub(crate) fn bad(summary: impl Into<String>, findings: impl IntoIterator<Item = Finding>) -> Self {
        Self::Bad(Conclusion::new(summary, ()).findings(findings), None)
    }
}

/// What is carried from round to round: what was seen first, and how far the mending is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Carried<S> {
    #[serde(flatten)]
    pub(crate) seen: S,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
}

/// How far the mending is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// A person was asked.
    Asked { remedy: Remedy, found: Conclusion<()> },
    /// The remedy was to be performed, and the check after it.
    Tried { remedy: Remedy, found: Conclusion<()> },
}

impl<S: Serialize + DeserializeOwned + Default> Carried<S> {
    /// What was seen, before anything was tried.
    pub(crate) fn first(seen: S) -> Self {
        Self { seen, stage: None }
    }

    pub(crate) fn of(json: &Json) -> Result<Self, BoxError> {
        Ok(if json.is_null() { Self::default() } else { json.parse()? })
    }
}

/// A check on its way to a verdict.
pub(crate) struct Mending<'a> {
    /// The task that asks.
    pub(crate) task: &'a TaskId,
    /// What happens with a remedy.
    pub(crate) mode: Remedies,
    /// The actions of the check, to be performed again after a remedy.
    pub(crate) check: Vec<Action>,
}

impl Mending<'_> {
    /// What the receipts of a round mean: the end, or another round that asks, or mends and checks again.
    pub(crate) fn verdict<S: Serialize, O>(
        self,
        carried: Carried<S>,
        receipts: &[Receipt],
        read: impl FnOnce(&S, &[Receipt]) -> Result<Found<O>, BoxError>,
    ) -> Result<Verdict<O>, BoxError> {
        let Carried { seen, stage } = carried;
        match stage {
            None => match read(&seen, receipts)? {
                Found::Good(conclusion) => Ok(Verdict::Passed(conclusion)),
                Found::Bad(found, None) => Ok(Verdict::Failed(found)),
                Found::Bad(found, Some(remedy)) => self.begin(seen, remedy, found),
            },
            Some(Stage::Asked { remedy, found }) => {
                let refused = receipts.first().is_some_and(|answer| refuses(&answer.output));
                if refused { Ok(not_done(&remedy, found, "refused")) } else { self.mend(seen, remedy, found) }
            }
            Some(Stage::Tried { remedy, found }) => tried(remedy, found, receipts, |rest| read(&seen, rest)),
        }
    }

    fn begin<S: Serialize, O>(
        self,
        seen: S,
        remedy: Remedy,
        found: Conclusion<()>,
    ) -> Result<Verdict<O>, BoxError> {
        match self.mode {
            Remedies::Off => Ok(not_done(&remedy, found, "not performed: remedies are off")),
            Remedies::Auto => self.mend(seen, remedy, found),
            Remedies::Ask => {
                let message = format!("{}; agree to {} with {}?", found.summary, remedy.does, remedy.shown());
                let signal = Some(SignalName::new(format!("{RULE}.{}", self.task))?);
                let actions = vec![Await { signal, seconds: None, message }.into()];
                let stage = Some(Stage::Asked { remedy, found });
                Ok(Verdict::More { actions, carried: Json::of(&Carried { seen, stage })? })
            }
        }
    }

    fn mend<S: Serialize, O>(
        self,
        seen: S,
        remedy: Remedy,
        found: Conclusion<()>,
    ) -> Result<Verdict<O>, BoxError> {
        let actions = remedy.actions.iter().cloned().chain(self.check).collect();
        let stage = Some(Stage::Tried { remedy, found });
        Ok(Verdict::More { actions, carried: Json::of(&Carried { seen, stage })? })
    }
}

/// `{"agree": false}`; anything else that comes by that signal agrees.
fn refuses(answer: &Json) -> bool {
    answer.value().get("agree").and_then(serde_json::Value::as_bool) == Some(false)
}

/// The failure as it was found, with what would help.
fn not_done<O>(remedy: &Remedy, found: Conclusion<()>, why: &str) -> Verdict<O> {
    let summary = format!("{} (would help: {})", found.summary, remedy.shown());
    let finding = remedy.finding(Severity::Note, &format!("{why}: {}", remedy.does));
    let finding = Finding { rule: "remedy-not-performed".into(), ..finding };
    Verdict::Failed(Conclusion { summary, ..found }.findings([finding]))
}

/// The check once more, after the remedy.
fn tried<O>(
    remedy: Remedy,
    found: Conclusion<()>,
    receipts: &[Receipt],
    read: impl FnOnce(&[Receipt]) -> Result<Found<O>, BoxError>,
) -> Result<Verdict<O>, BoxError> {
    let (mended, rest) = receipts.split_at(remedy.actions.len().min(receipts.len()));
    if let Some(failed) = mended.iter().find(|receipt| !receipt.ok()) {
        let said = failed.tail.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { format!(": {}", said.trim_end_matches('.')) };
        let why = format!("did not work, {}{said}", failed.status);
        let summary = format!("{}; the remedy {why}", found.summary);
        let finding = remedy.finding(Severity::Warning, &format!("to {} {why}", remedy.does));
        return Ok(Verdict::Failed(Conclusion { summary, ..found }.findings([finding])));
    }
    Ok(match read(rest)? {
        Found::Good(Conclusion { output, summary, metrics, findings }) => {
            let done = remedy.finding(Severity::Note, &remedy.did);
            let summary = format!("{summary} (mended: {})", remedy.did);
            Verdict::Passed(Conclusion { output, summary, metrics, findings }.findings([done]))
        }
        Found::Bad(again, _) => {
            let message = format!("{}, which did not help", remedy.did);
            let finding = remedy.finding(Severity::Warning, &message);
            let summary = format!("{} (although {})", again.summary, remedy.did);
            Verdict::Failed(Conclusion { summary, ..again }.findings([finding]))
        }
    })
}
