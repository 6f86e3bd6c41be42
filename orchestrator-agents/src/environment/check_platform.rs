//! `check-platform`: what differs by system: macOS's command line tools, and the files that it leaves in folders.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Conclusion, Dependencies, Fact};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::{Answers, Probe, looks};
use super::remedy::{Found, Remedy};
use super::system::System;
use crate::backup::ops::{ClearPaths, Paths};

/// Checks what differs by system.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckPlatform;

/// Config of `check-platform`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckPlatformConfig {
    /// What happens to resource-fork files where git ignores them: they are removed, a person is asked, or nothing.
    pub remedy: Remedies,
}

/// What `check-platform` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformChecked {
    /// Whether the command line tools of Xcode were looked for.
    pub xcode: bool,
}

/// What was seen before anything was done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PlatformSeen {
    #[serde(flatten)]
    system: System,
    /// Resource-fork files that git sees.
    visible: Vec<RelPath>,
    /// Those that it ignores.
    ignored: Vec<RelPath>,
}

/// Lists files that git ignores and that have such names.
const IGNORED: [&str; 8] = [
    "ls-files",
    "-z",
    "--others",
    "--ignored",
    "--exclude-standard",
    "--",
    ":(glob)**/.DS_Store",
    ":(glob)**/._*",
];

/// The most files that are dealt with at once.
const MOST: usize = 1000;

impl Probe for CheckPlatform {
    const NAME: &'static str = "check-platform";
    const ABOUT: &'static str = "Checks macOS's command line tools, and for resource-fork files in the tree";
    type Config = CheckPlatformConfig;
    type Output = PlatformChecked;
    type Seen = PlatformSeen;

    fn remedies(&self, config: &CheckPlatformConfig) -> Remedies {
        config.remedy
    }

    fn depends_on(&self, _: &CheckPlatformConfig) -> Option<Dependencies> {
        let files = ["**/._*", "**/.DS_Store"].map(str::to_owned).into();
        Some(Dependencies { files, fact: Some(Fact::Platform), ..Dependencies::default() })
    }

    fn see(&self, _: &CheckPlatformConfig, look: &Workspace) -> Result<PlatformSeen, BoxError> {
        let is_fork = |path: &RelPath| is_fork(look, path);
        let visible = look.files(&RelPath::root()).into_iter().filter(is_fork).take(MOST).collect();
        let ignored = look.git(&IGNORED).unwrap_or_default();
        let ignored = paths(&ignored).filter(is_fork).take(MOST).collect();
        Ok(PlatformSeen { system: System::here(), visible, ignored })
    }

    fn actions(&self, _: &CheckPlatformConfig, seen: &PlatformSeen) -> Result<Vec<Action>, BoxError> {
        let root = RelPath::root();
        let list = ["git", "--no-optional-locks"].into_iter().chain(IGNORED);
        let mut actions = vec![looks(list, &root)];
        if seen.system.is_macos() {
            actions.push(looks(["xcode-select", "-p"], &root));
        }
        Ok(actions)
    }

    fn read(
        &self,
        _: &CheckPlatformConfig,
        seen: &PlatformSeen,
        answers: &Answers<'_>,
    ) -> Result<Found<PlatformChecked>, BoxError> {
        let listed = answers.ran(0, "git ls-files")?;
        let there: BTreeSet<RelPath> = paths(&listed.stdout).collect();
        let left: Vec<RelPath> = seen.ignored.iter().filter(|path| there.contains(*path)).cloned().collect();
        let fork = |path: &RelPath, where_from: &str| {
            let message = format!("a file that macOS leaves behind, {where_from}");
            Finding::new("resource-fork", Severity::Error, message).at(path.as_str(), None)
        };
        let mut findings: Vec<Finding> = seen
            .visible
            .iter()
            .map(|path| fork(path, "in the tree: remove it and have git ignore its name"))
            .collect();
        findings.extend(left.iter().map(|path| fork(path, "where git ignores it")));
        let metric = listed.metric("platform.resource_forks", findings.len() as u64);
        let mut wrong = Vec::new();
        if !findings.is_empty() {
            wrong.push(format!(
                "{} of macOS in the folders",
                crate::said::count(findings.len() as u64, "resource-fork file")
            ));
        }
        let mut notes = Vec::new();
        if seen.system.is_macos() {
            let xcode = answers.ran(1, "xcode-select")?;
            if !xcode.ok() {
                let message = "the command line tools of Xcode are missing: `xcode-select --install`";
                findings.push(Finding::new("xcode", Severity::Error, format!("{message} ({})", xcode.why())));
                wrong.push(message.to_owned());
            }
        } else {
            notes.push(Finding::new(
                super::NOT_RUN,
                Severity::Note,
                "Xcode's command line tools: only on macOS",
            ));
        }
        if !listed.ok() {
            let why = format!("what git ignores was not looked at: {}", listed.why());
            notes.push(Finding::new(super::NOT_RUN, Severity::Warning, why));
        }
        if wrong.is_empty() {
            let xcode = seen.system.is_macos();
            let rest = if xcode {
                "; the command line tools are there"
            } else {
                "; not run: Xcode's tools, only on macOS"
            };
            let summary = format!("no resource-fork files{rest}");
            let conclusion = Conclusion::new(summary, PlatformChecked { xcode });
            return Ok(Found::Good(conclusion.metrics([metric]).findings(notes)));
        }
        // Of what git sees, nothing is removed unasked.
        let remedy = if left.is_empty() { None } else { Some(remedy(left)?) };
        let conclusion = Conclusion::new(wrong.join("; "), ()).findings(findings).findings(notes);
        Ok(Found::Bad(conclusion.metrics([metric]), remedy))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(ClearPaths)?])
    }
}

fn remedy(left: Vec<RelPath>) -> Result<Remedy, BoxError> {
    let files = crate::said::count(left.len() as u64, "resource-fork file");
    let (does, did) =
        (format!("remove {files} that git ignores"), format!("{files} that git ignores removed"));
    Ok(Remedy::new(does, did, vec![ClearPaths::action(&Paths { paths: left, bytes: None })?]))
}

fn paths(listed: &str) -> impl Iterator<Item = RelPath> {
    let paths = listed.split('\0').filter(|path| !path.is_empty() && !path.starts_with(".orchestrate/"));
    paths.filter_map(|path| RelPath::new(path).ok()).collect::<Vec<_>>().into_iter()
}

/// `.DS_Store`, and `._NAME` where it begins as `AppleDouble` does (RFC 1740): other files may have such names.
fn is_fork(look: &Workspace, path: &RelPath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    name == ".DS_Store"
        || name.starts_with("._")
            && look
                .read(path)
                .ok()
                .flatten()
                .is_some_and(|bytes| bytes.starts_with(&[0x00, 0x05, 0x16, 0x07]))
}
