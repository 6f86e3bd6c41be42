//! Which snapshots stay and which go: a policy, what holds a snapshot whatever the policy says, and the judgement. Pure: who
//! looks hands in what was seen, who removes looks again.
//!
//! Days and weeks are those of UTC, weeks those of ISO 8601. A rule counts days and weeks that have a snapshot: where nothing
//! was backed up for a month, nothing goes for that. What is damaged stands for no day and no week, and is never removed here:
//! a person looks at it first.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use orchestrator_core::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which snapshots are kept; one that any rule keeps stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// The latest so many.
    pub last: u32,
    /// The latest of each of the latest so many days that have one.
    pub daily: u32,
    /// The latest of each of the latest so many weeks that have one.
    pub weekly: u32,
}

impl Keep {
    /// Whether no rule keeps anything: more likely a mistake than a wish.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, daily, weekly } = self;
        write!(f, "last {last}, daily {daily}, weekly {weekly}")
    }
}

/// What of a snapshot counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
    /// The run that made it, where that can be read.
    pub run: Option<RunId>,
    /// Whether it was restored and compared as it is now.
    pub verified: bool,
    /// Whether something is wrong with it.
    pub damaged: bool,
}

/// What of a run counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSeen {
    /// Which.
    pub run: RunId,
    /// Where it stands.
    pub stands: Stands,
    /// Whether it is a delivery: no dry run, and no run of a command that only looks or keeps house.
    pub delivers: bool,
    /// The run that it follows or rolls back.
    pub parent: Option<RunId>,
    /// The run that it has rolled back whole.
    pub rolled_back: Option<RunId>,
    /// The snapshots that its plan names.
    pub names: BTreeSet<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// A process runs it.
    Live,
    /// It can be resumed.
    Open,
    /// It has ended.
    Over,
    /// Its journal cannot be read.
    Unreadable,
}

/// What holds a snapshot whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Held {
    /// A run that is under way may roll back to it, or reads it.
    Live {
        /// Which run.
        run: String,
    },
    /// A run that can be resumed may roll back to it.
    Resumable {
        /// Which run.
        run: String,
    },
    /// The latest delivery that made a backup is not rolled back.
    Delivery {
        /// Which run.
        run: String,
    },
    /// The journal of the run that made it cannot be read: nobody knows whether it is needed.
    Unreadable {
        /// Which run.
        run: String,
    },
    /// It is the newest that was verified.
    NewestVerified,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { run } => write!(f, "run {run} is under way"),
            Self::Resumable { run } => write!(f, "run {run} can be resumed and may need it"),
            Self::Delivery { run } => write!(f, "run {run} can be rolled back to it"),
            Self::Unreadable { run } => write!(f, "the journal of run {run} cannot be read"),
            Self::NewestVerified => f.write_str("the newest that was verified"),
        }
    }
}

/// Why a snapshot stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// No policy was given.
    NoPolicy,
    /// Something is wrong with it.
    Damaged,
    /// It is one of the latest.
    Last,
    /// It is the latest of this day.
    Day(Date),
    /// It is the latest of this week: year and number.
    Week(i16, i8),
    /// Something holds it.
    Held(Held),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("no policy"),
            Self::Damaged => f.write_str("damaged: look at it, then remove it by hand"),
            Self::Last => f.write_str("last"),
            Self::Day(day) => write!(f, "daily {day}"),
            Self::Week(year, week) => write!(f, "weekly {year}-W{week:02}"),
            Self::Held(held) => held.fmt(f),
        }
    }
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// Why it stays; nothing: it goes.
    pub stays: Vec<Rule>,
}

/// Whether a pipeline of this name is one that a command makes for itself to look at the machine, to keep backups or to move traffic: no
/// delivery, and nothing that `rollback` undoes unless it is named.
pub fn is_housekeeping(pipeline: &str) -> bool {
    let kept = ["orchestrate backup ", "orchestrate deploy "];
    pipeline == "orchestrate doctor" || kept.iter().any(|kept| pipeline.starts_with(kept))
}

/// What holds snapshots, by name. Of several reasons the strongest counts.
pub fn held(seen: &[Seen], runs: &[RunSeen]) -> BTreeMap<String, Held> {
    let mut held = BTreeMap::new();
    let known: BTreeMap<&RunId, &RunSeen> = runs.iter().map(|run| (&run.run, run)).collect();
    for run in runs {
        let by = |id: &RunId| match run.stands {
            Stands::Live => Some(Held::Live { run: id.to_string() }),
            Stands::Open => Some(Held::Resumable { run: id.to_string() }),
            Stands::Unreadable => Some(Held::Unreadable { run: id.to_string() }),
            Stands::Over => None,
        };
        let Some(by) = by(&run.run) else { continue };
        let needs = |snapshot: &&Seen| {
            let made_by = snapshot.run.as_ref();
            made_by == Some(&run.run)
                || made_by.is_some_and(|maker| run.parent.as_ref() == Some(maker))
                || run.names.contains(&snapshot.name)
        };
        for snapshot in seen.iter().filter(needs) {
            let held = held.entry(snapshot.name.clone()).or_insert_with(|| by.clone());
            *held = held.clone().min(by.clone());
        }
    }
    let delivery = |snapshot: &Seen| {
        let run = known.get(snapshot.run.as_ref()?)?;
        run.delivers.then_some((snapshot.name.clone(), *run))
    };
    // The one that `rollback` would undo if nothing else is said.
    if let Some((name, run)) = latest_first(seen).into_iter().find_map(delivery)
        && run.stands == Stands::Over
        && !runs.iter().any(|other| other.rolled_back.as_ref() == Some(&run.run))
    {
        held.entry(name).or_insert_with(|| Held::Delivery { run: run.run.to_string() });
    }
    if let Some(newest) = latest_first(seen).into_iter().find(|seen| seen.verified && !seen.damaged) {
        held.entry(newest.name.clone()).or_insert(Held::NewestVerified);
    }
    held
}

/// What becomes of each snapshot, the latest first.
pub fn judge(seen: &[Seen], policy: Option<&Keep>, held: &BTreeMap<String, Held>) -> Vec<Judged> {
    let (mut rank, mut days, mut weeks) = (0, Latest::default(), Latest::default());
    let judged = latest_first(seen).into_iter().map(|snapshot| {
        let mut stays: Vec<Rule> =
            held.get(&snapshot.name).map(|held| Rule::Held(held.clone())).into_iter().collect();
        match policy {
            None => stays.push(Rule::NoPolicy),
            Some(_) if snapshot.damaged => stays.push(Rule::Damaged),
            Some(Keep { last, daily, weekly }) => {
                let day = snapshot.at.to_zoned(TimeZone::UTC).date();
                let week = day.iso_week_date();
                rank += 1;
                if rank <= *last {
                    stays.push(Rule::Last);
                }
                if days.takes(day, *daily) {
                    stays.push(Rule::Day(day));
                }
                if weeks.takes((week.year(), week.week()), *weekly) {
                    stays.push(Rule::Week(week.year(), week.week()));
                }
            }
        }
        Judged { name: snapshot.name.clone(), stays }
    });
    judged.collect()
}

/// The days or weeks that have their latest snapshot already.
#[derive(Default)]
struct Latest<T>(BTreeSet<T>);

impl<T: Ord> Latest<T> {
    /// Whether a snapshot of this day or week is its latest, and one of so many.
    fn takes(&mut self, of: T, most: u32) -> bool {
        (self.0.len() as u64) < u64::from(most) && self.0.insert(of)
    }
}

/// Snapshots, the latest first; those of one second by their number.
fn latest_first(seen: &[Seen]) -> Vec<&Seen> {
    let mut sorted: Vec<&Seen> = seen.iter().collect();
    sorted.sort_by(|a, b| (b.at, b.name.len(), &b.name).cmp(&(a.at, a.name.len(), &a.name)));
    sorted
}
