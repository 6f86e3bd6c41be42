//! What a deployment knows from round to round: carried in the journal, so that whoever goes on knows it too.

use orchestrator_core::evidence::{Finding, Metric};
use orchestrator_core::id::RunId;
use serde::{Deserialize, Serialize};

use super::fleet::Among;
use super::loading::Load;
use crate::deployment::Ending;
use crate::deployment::analysis::{Decision, Watcher};
use crate::deployment::migrations::MigrationFiles;
use crate::deployment::ops::{CheckHealthOutput, Drained, PendingMigrationsOutput, Serving, SmokeOutput};
use crate::deployment::targets::Started;

/// What is known so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) step: Step,
    /// What each receipt of the round is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Part>,
    /// Whether the environment is claimed. Journals of earlier versions know no claims.
    #[serde(default)]
    pub(super) claimed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// Seconds that another deployment was waited for.
    #[serde(default)]
    pub(super) waited: u64,
    /// What served before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Serving>,
    /// What counted before and is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) down: Option<Serving>,
    /// What people should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<Started>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<CheckHealthOutput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) smoke: Option<SmokeOutput>,
    /// The migrations, as they lay in the checkout when this was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) migrations: Option<MigrationFiles>,
    /// Which of them are pending; until the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<PendingMigrationsOutput>,
    /// What was measured of them, and remarks about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) migrated: Vec<Metric>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) remarks: Vec<Finding>,
    /// Whether it had, or may have had, traffic.
    #[serde(default)]
    pub(super) had_traffic: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watch: Option<Watch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) load: Option<Load>,
    pub(super) logs: Option<Logs>,
    #[serde(default)]
    pub(super) figures: Figures,
    /// How often its end was put off because its claim could not be read.
    #[serde(default)]
    pub(super) unread: u32,
    /// How it ends, as the history is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<Ending>,
    /// What it must know of the others, where it is one of several hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) among: Option<Among>,
}

/// The step whose receipts come next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Claims, migrates, starts.
    Open,
    /// A person is asked.
    Ask,
    /// Health and smoke tests.
    Prove,
    /// A load runs from now on.
    Load,
    /// Its first or next share of the traffic.
    Shift,
    /// A look.
    Watch,
    /// It counts from now on.
    Promote,
    /// All traffic goes back, for that reason.
    RollBack(String),
    /// Ends what never had traffic, for that reason.
    GiveUp(String),
    /// It serves, and something that belongs to it failed for that reason.
    Unfinished(String),
    /// It could not go back, for that reason.
    Stuck(String),
    /// It was to count, and could neither do so nor go back, for that reason.
    Undecided(String),
}

/// What a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Wait,
    First,
    Pending,
    Claim,
    Expand,
    Ahead,
    Start,
    Confirm,
    Health,
    Smoke,
    Load,
    Log,
    Shift,
    Look,
    Probe,
    Record,
    Read,
    Finish,
    Contract,
    Revert,
    Abandon,
    EndLoad,
    Release,
    Prune,
}

/// The watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) watcher: Watcher,
    /// What was decided last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Decision>,
    /// Whether nobody answered for the traffic at the last look: then the proxy is put back before the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unanswered: bool,
    /// The decisions that were more than to go on looking; the first fifty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) trace: Vec<Decision>,
    /// What it told besides, each once; the first twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) told: Vec<String>,
    /// Who decided, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    /// How many looks in a row could not be made.
    #[serde(default)]
    pub(super) blind: u32,
    /// Whether all that was said until now may be about a host that was watched before this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) fresh: bool,
}

/// How it stands with what its log had that the one of the version before never had: what is told of it is among the remarks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Logs {
    /// How many kinds of errors there are, and how many of them only for a short time.
    #[serde(default)]
    pub(super) kinds: u64,
    #[serde(default)]
    pub(super) young: u64,
    /// How many looks the promotion was put off for them.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub(super) held: u64,
    /// Why lines may be missing; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_nought(number: &u64) -> bool {
    *number == 0
}

/// What was measured on the way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Milliseconds until the proxy had acknowledged the first share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) switch_ms: Option<f64>,
    /// Microseconds from the switch until the version's first answer began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_answer_us: Option<u64>,
    /// Milliseconds until the traffic was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) back_ms: Option<f64>,
    /// What was drained at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) drained: Vec<Drained>,
}

impl Known {
    /// Before anything was done.
    pub(super) fn first(run: Option<RunId>, migrations: Option<MigrationFiles>) -> Self {
        Self { claimed: true, run, migrations, ..Self::unclaimed() }
    }

    /// The same of an earlier version, whose first round was to start.
    pub(super) fn unclaimed() -> Self {
        Self {
            step: Step::Open,
            parts: Vec::new(),
            claimed: false,
            run: None,
            waited: 0,
            before: None,
            down: None,
            notes: Vec::new(),
            started: None,
            health: None,
            smoke: None,
            migrations: None,
            pending: None,
            migrated: Vec::new(),
            remarks: Vec::new(),
            had_traffic: false,
            watch: None,
            load: None,
            logs: None,
            figures: Figures::default(),
            unread: 0,
            ending: None,
            among: None,
        }
    }

    /// Whether there is a version before, even one that is down, or one of another host with the same database: it may be started
    /// again, so its schema stays.
    pub(super) fn has_before(&self) -> bool {
        let elsewhere = self.among.as_ref().is_some_and(|among| among.old);
        self.before.is_some() || self.down.is_some() || elsewhere
    }

    /// What each receipt of the round is about; rounds of earlier versions did not say.
    pub(super) fn parts(&self) -> &[Part] {
        if !self.parts.is_empty() || self.claimed {
            return &self.parts;
        }
        match self.step {
            Step::Open => &[Part::Start],
            Step::Prove => &[Part::Health, Part::Smoke],
            Step::Promote => &[Part::Finish],
            Step::GiveUp(_) => &[Part::Abandon],
            Step::Ask
            | Step::Load
            | Step::Shift
            | Step::Watch
            | Step::RollBack(_)
            | Step::Unfinished(_)
            | Step::Stuck(_)
            | Step::Undecided(_) => &[],
        }
    }
}
