//! Which snapshots of a repository are kept. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Keep;

/// A snapshot in a repository, as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backup) struct Saved {
    /// Its id.
    pub(in crate::backup) id: String,
    /// When it was made.
    pub(in crate::backup) time: Timestamp,
    /// The machine that made it.
    pub(in crate::backup) host: String,
    /// What was backed up.
    pub(in crate::backup) paths: Vec<String>,
    /// Its tags.
    pub(in crate::backup) tags: Vec<String>,
}

/// The ids that go: those that no rule keeps. With no rule all are kept.
pub(in crate::backup) fn forgotten(all: &[Saved], keep: &Keep, verified: &str) -> Vec<String> {
    let Keep { last, daily, weekly } = *keep;
    if last.is_none() && daily.is_none() && weekly.is_none() {
        return Vec::new();
    }
    let mut newest: Vec<&Saved> = all.iter().collect();
    newest.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
    let mut kept: BTreeSet<&str> = BTreeSet::from([verified]);
    let most = |n: Option<std::num::NonZeroU32>| n.map_or(0, |n| n.get() as usize);
    kept.extend(newest.iter().take(most(last)).map(|saved| saved.id.as_str()));
    let day = |saved: &Saved| saved.time.to_zoned(TimeZone::UTC).date();
    let week = |saved: &Saved| {
        let week = day(saved).iso_week_date();
        (week.year(), week.week())
    };
    kept.extend(first_of_each(&newest, day, most(daily)));
    kept.extend(first_of_each(&newest, week, most(weekly)));
    newest.iter().map(|saved| saved.id.clone()).filter(|id| !kept.contains(id.as_str())).collect()
}

/// The first of each of the first `most` groups.
fn first_of_each<'a, K: PartialEq>(
    newest: &[&'a Saved],
    group: impl Fn(&Saved) -> K,
    most: usize,
) -> Vec<&'a str> {
    let mut last = None;
    let mut found = Vec::new();
    for saved in newest {
        let group = Some(group(saved));
        if found.len() < most && group != last {
            found.push(saved.id.as_str());
            last = group;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(time: &str) -> Saved {
        let time: Timestamp = time.parse().unwrap();
        Saved { id: time.to_string(), time, host: String::new(), paths: vec![], tags: vec![] }
    }

    fn kept(keep: Keep, verified: &str) -> Vec<String> {
        let all: Vec<Saved> = [
            "2026-11-01T01:00:00Z",
            "2026-11-08T23:59:59Z",
            "2026-11-09T00:00:00Z",
            "2026-11-19T05:00:00Z",
            "2026-11-19T06:00:00Z",
            "2026-11-20T06:00:00Z",
        ]
        .map(saved)
        .into();
        let gone = forgotten(&all, &keep, verified);
        all.iter().map(|saved| saved.id.clone()).filter(|id| !gone.contains(id)).collect()
    }

    #[test]
    fn rules_keep_and_what_was_verified_stays() {
        let n = std::num::NonZeroU32::new;
        assert_eq!(kept(Keep::default(), "").len(), 6, "without a rule nothing goes");
        let last = Keep { last: n(2), ..Keep::default() };
        assert_eq!(kept(last, ""), ["2026-11-19T06:00:00Z", "2026-11-20T06:00:00Z"]);
        assert_eq!(kept(last, "2026-11-01T01:00:00Z").len(), 3);
        let daily = Keep { daily: n(3), ..Keep::default() };
        assert_eq!(kept(daily, ""), ["2026-11-09T00:00:00Z", "2026-11-19T06:00:00Z", "2026-11-20T06:00:00Z"]);
        let weekly = Keep { weekly: n(3), ..Keep::default() };
        assert_eq!(
            kept(weekly, ""),
            ["2026-11-08T23:59:59Z", "2026-11-09T00:00:00Z", "2026-11-20T06:00:00Z"]
        );
        let none = forgotten(&[], &last, "x");
        assert!(none.is_empty());
    }
}
