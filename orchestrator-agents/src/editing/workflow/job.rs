//! Jobs and steps as they are read.

use serde_json::Value;

/// A job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub id: &'a str,
    pub value: &'a Value,
}

/// A step and its place in its job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub index: usize,
    pub value: &'a Value,
}

impl<'a> Job<'a> {
    pub(super) fn steps(&self) -> Vec<Step<'a>> {
        let steps = self.value["steps"].as_array().into_iter().flatten().enumerate();
        steps.map(|(index, value)| Step { index, value }).collect()
    }

    /// The job's `name`, or nothing.
    pub(super) fn name(&self) -> &'a str {
        self.value["name"].as_str().unwrap_or_default()
    }

    /// The environment that it names.
    pub(super) fn environment(&self) -> Option<&'a str> {
        let environment = &self.value["environment"];
        environment.as_str().or_else(|| environment["name"].as_str())
    }

    /// Jobs that it waits for.
    pub(super) fn needs(&self) -> Vec<&'a str> {
        let needs = &self.value["needs"];
        let listed = needs.as_array().into_iter().flatten();
        needs.as_str().into_iter().chain(listed.filter_map(Value::as_str)).collect()
    }

    /// It is a call of another workflow and has no steps.
    pub(super) fn calls(&self) -> Option<&'a str> {
        self.value["uses"].as_str()
    }

    /// Its steps for people: `1 (Test), 2 (npm ci)`.
    pub(super) fn shown_steps(&self) -> String {
        let steps: Vec<String> =
            self.steps().iter().map(|step| format!("{} ({})", step.index + 1, step.label())).collect();
        if steps.is_empty() { "none".to_owned() } else { steps.join(", ") }
    }
}

impl<'a> Step<'a> {
    pub(super) fn run(&self) -> Option<&'a str> {
        self.value["run"].as_str()
    }

    pub(super) fn name(&self) -> &'a str {
        self.value["name"].as_str().unwrap_or_default()
    }

    /// The action without its version.
    pub(super) fn action(&self) -> Option<&'a str> {
        let uses = self.value["uses"].as_str()?;
        Some(uses.split_once('@').map_or(uses, |(action, _)| action))
    }

    /// What to call it: its name, its action or the first line of its command.
    pub(super) fn label(&self) -> String {
        let first = || self.run().and_then(|run| run.lines().map(str::trim).find(|line| !line.is_empty()));
        let label =
            Some(self.name()).filter(|name| !name.is_empty()).or_else(|| self.action()).or_else(first);
        label.unwrap_or("no name").chars().take(60).collect()
    }
}
