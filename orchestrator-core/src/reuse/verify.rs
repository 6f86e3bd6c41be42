//! Whether a task that ran gave what was recorded under the same fingerprint. Where not, something that it depends on is not
//! declared.

use std::collections::BTreeMap;

use super::{Hit, Reuse, Spec};
use crate::agent::Conclusion;
use crate::evidence::{Finding, Severity};
use crate::json::Json;
use crate::patterns::Patterns;

impl Reuse {
    /// The differences between a recorded result and what the task gave now. Figures such as times may differ.
    pub(crate) fn differences(&self, spec: &Spec, hit: &Hit, now: &Conclusion<Json>) -> Vec<Finding> {
        let mut said = Vec::new();
        if hit.result.conclusion.output != now.output {
            said.push("its output differs from the recorded one".to_owned());
        }
        if hit.result.conclusion.findings != now.findings {
            said.push(format!(
                "it has {} findings, and {} were recorded, or they differ",
                now.findings.len(),
                hit.result.conclusion.findings.len()
            ));
        }
        said.extend(self.different_files(spec, hit));
        let difference = |message| Finding::new("cache.difference", Severity::Error, message);
        said.into_iter().map(difference).collect()
    }

    fn different_files(&self, spec: &Spec, hit: &Hit) -> Vec<String> {
        let mut inventory = self.inventory();
        let recorded: BTreeMap<&str, _> =
            hit.result.made.iter().map(|made| (made.path.as_str(), made)).collect();
        let mut said = Vec::new();
        for (path, made) in &recorded {
            if !super::look::is_intact(made, inventory.digest(path)) {
                said.push(format!("`{path}` differs from the recorded one"));
            }
        }
        let patterns = Patterns::parse(&spec.base.outputs);
        let now = patterns.and_then(|patterns| inventory.expand(&patterns, true)).unwrap_or_default();
        for path in now.files.iter().filter(|path| !recorded.contains_key(path.as_str())) {
            said.push(format!("`{path}` was made, and was not recorded"));
        }
        said
    }
}
