//! What GitHub says of the runs of a commit.

use std::collections::BTreeMap;

use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Finding, Severity};

use super::{CiRun, CiState, How, Seen, name};

/// `owner/name` of a remote on GitHub. What else the address holds, such as a password, is not taken.
pub(in crate::checkpoint) fn repository(remote: &str) -> Option<String> {
    let rest = match remote.split_once("://") {
        Some((_, rest)) => {
            let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
            rest.strip_prefix("github.com/")?
        }
        None => remote.rsplit_once('@').map_or(remote, |(_, rest)| rest).strip_prefix("github.com:")?,
    };
    let path = rest.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    (plain(owner) && plain(name)).then(|| format!("{owner}/{name}"))
}

/// Of each workflow its last run counts. The error says why nothing is known.
pub(super) fn verdict(how: How, runs: &[CiRun], seen: &Seen) -> Result<Verdict<CiState>, String> {
    let commit = seen.commit.as_deref().unwrap_or_default();
    let short = commit.get(..12).unwrap_or(commit);
    let mut last: BTreeMap<&str, &CiRun> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.head_sha == commit) {
        let known = last.entry(run.name.as_deref().unwrap_or("a workflow without a name")).or_insert(run);
        if run.id > known.id {
            *known = run;
        }
    }
    if last.is_empty() {
        return Err(format!("it knows no run of commit {short}: push it first"));
    }
    let says = |run: &CiRun| match (run.status.as_deref(), run.conclusion.as_deref()) {
        (Some("completed"), Some(conclusion)) => conclusion.to_owned(),
        (status, _) => status.unwrap_or("unknown").to_owned(),
    };
    let place = |run: &CiRun| run.url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
    let bad: Vec<(&str, &CiRun)> = last
        .iter()
        .filter(|(_, run)| !matches!(says(run).as_str(), "success" | "skipped" | "neutral"))
        .map(|(name, run)| (*name, *run))
        .collect();
    let who = name(how);
    if !bad.is_empty() {
        let all: Vec<String> =
            bad.iter().map(|(name, run)| format!("`{name}` is {}{}", says(run), place(run))).collect();
        let findings = all.iter().map(|what| Finding::new("ci-run", Severity::Error, what.clone()));
        let waits = bad.iter().all(|(_, run)| run.status.as_deref() != Some("completed"));
        let next = if waits { "; it has not ended yet: run this again when it has" } else { "" };
        let summary = format!("{who} of commit {short}: {}{next}", all.join(", "));
        return Ok(Verdict::Failed(Conclusion::new(summary, ()).findings(findings)));
    }
    let passed = last.values().filter(|run| says(run) == "success").count();
    if passed == 0 {
        return Ok(Verdict::failed(format!(
            "{who} of commit {short}: every workflow was skipped, none has passed"
        )));
    }
    let names: Vec<&str> = last.keys().copied().collect();
    let runs = last.into_values().cloned().collect();
    let summary = format!("by {who}, CI of commit {short} has passed: {}", names.join(", "));
    Ok(Verdict::passed(summary, CiState { how, runs, ran: Vec::new(), not_run: Vec::new() }))
}
