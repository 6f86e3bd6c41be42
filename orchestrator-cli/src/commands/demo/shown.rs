//! What the demo has shown, read from the records of its runs and from what serves now.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use orchestrator_agents::deployment::ops::{deployments, history};
use orchestrator_agents::deployment::{Ending, Environment, What};
use orchestrator_core::id::TaskId;
use orchestrator_core::registry::Registry;
use orchestrator_core::report::RunRecord;

use super::acts::Act;
use crate::demo::Demo;
use crate::error::CliError;
use crate::here::shown;

/// What was played.
pub(super) struct Played {
    /// Figures of the deployments to production: of 0.2.0 and of 0.3.0.
    good: Figures,
    bad: Figures,
    /// How each version ended, as the history tells it.
    endings: Vec<(String, Ending)>,
    /// What serves production.
    serves: Option<(String, String)>,
}

/// The figures of a deployment by name.
#[derive(Default)]
struct Figures {
    run: String,
    metrics: BTreeMap<String, f64>,
    summary: String,
}

impl Figures {
    fn of(record: &RunRecord) -> Self {
        let task = TaskId::new("deploy-production").ok().and_then(|id| record.plan().find(&id));
        let end = task.and_then(|ix| record.state.task(ix).end.as_ref());
        let Some(conclusion) = end.and_then(|end| end.conclusion.as_ref()) else { return Self::default() };
        let metrics = conclusion.metrics.iter().map(|metric| (metric.name.clone(), metric.value));
        let (run, summary) = (record.run.to_string(), conclusion.summary.clone());
        Self { run, metrics: metrics.collect(), summary }
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied()
    }

    fn ms(&self, name: &str) -> String {
        self.get(name).map_or_else(|| "not measured".into(), |ms| format!("{ms:.1} ms"))
    }

    fn count(&self, name: &str) -> String {
        self.get(name).map_or_else(|| "not measured".into(), |count| format!("{count:.0}"))
    }
}

impl Played {
    pub(super) async fn of(demo: &Demo, registry: &Registry) -> Result<Self, CliError> {
        let front = Act::Delivery.open(demo, registry.clone())?;
        let orchestrator = front.look()?;
        let mut figures = Vec::new();
        for act in [Act::Delivery, Act::Next] {
            figures.push(
                act.record(&orchestrator).await?.map(|record| Figures::of(&record)).unwrap_or_default(),
            );
        }
        let [good, bad] = <[Figures; 2]>::try_from(figures).unwrap_or_default();
        let unread = |error| CliError::io("what was deployed cannot be read", std::io::Error::other(error));
        let state = front.here.layout.state();
        let production =
            Environment::new("production").map_err(|error| CliError::usage(error.to_string()))?;
        let told = history(state, &production).map_err(unread)?;
        let ended = told.into_iter().filter(|line| line.what == What::Ended);
        let endings = ended.filter_map(|line| Some((line.version.to_string(), line.verdict?))).collect();
        let all = deployments(state).map_err(unread)?;
        let serving = all.into_iter().find(|found| found.environment == production && found.alive);
        let url = std::fs::read_to_string(state.join("deploy/production/url")).unwrap_or_default();
        let serves = serving.map(|found| (found.version.to_string(), url.trim().to_owned()));
        Ok(Self { good, bad, endings, serves })
    }

    /// Whether what was promised came to pass: no request was dropped, the bad version went back by itself, the good one serves.
    pub(super) fn is_as_promised(&self) -> bool {
        self.broken().is_empty()
    }

    /// What was promised and did not come to pass.
    fn broken(&self) -> Vec<&'static str> {
        let Self { good, bad, endings, serves } = self;
        let ended =
            |version: &str| endings.iter().find(|(ended, _)| ended == version).map(|(_, ending)| *ending);
        let checks = [
            (ended("0.2.0") == Some(Ending::Promoted), "0.2.0 was not promoted"),
            (good.get("deploy.load.failed") == Some(0.0), "requests failed while 0.2.0 was deployed"),
            (ended("0.3.0") == Some(Ending::RolledBack), "0.3.0 was not rolled back by itself"),
            (bad.get("deploy.load.dropped") == Some(0.0), "requests were dropped while 0.3.0 came and went"),
            (serves.as_ref().is_some_and(|(version, _)| version == "0.2.0"), "0.2.0 does not serve"),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, broken)| broken).collect()
    }

    pub(super) fn text(&self, demo: &Demo) -> String {
        let Self { good, bad, serves, .. } = self;
        let checkout = shown(&demo.checkout());
        let mut text = String::from("\nWhat production has seen:\n");
        let _ = writeln!(
            text,
            "  0.2.0  came while requests went on: {} of {} failed (p50 {}, p99 {}), its first answer {} after the switch",
            good.count("deploy.load.failed"),
            good.count("deploy.load.sent"),
            good.ms("deploy.load.p50"),
            good.ms("deploy.load.p99"),
            good.ms("deploy.switch.first_answer"),
        );
        let _ = writeln!(
            text,
            "  0.3.0  passed all its tests, fell ill with real traffic, and went back by itself in {}: {} of {} requests got its \
             errors, {} were dropped",
            bad.ms("deploy.rollback"),
            bad.count("deploy.load.failed"),
            bad.count("deploy.load.sent"),
            bad.count("deploy.load.dropped"),
        );
        let _ = writeln!(text, "         {}", bad.summary);
        if let Some((version, url)) = serves {
            let _ = writeln!(text, "  {version}  serves now: {url}");
        }
        for broken in self.broken() {
            let _ = writeln!(text, "  NOT AS IT SHOULD BE: {broken}");
        }
        let _ = write!(
            text,
            "\nThe services go on running. Look around:\n  git -C {checkout} log --oneline --graph --all\n  orchestrate -C {checkout} \
             status {}\n  orchestrate -C {checkout} deploy history\n  orchestrate deploy replay {checkout}/.orchestrate/deploy/production/watch/0.3.0-*\n  orchestrate -C {checkout} \
             rollback {} --dry-run\nEnd what it left running with `orchestrate demo --stop {}`.",
            bad.run,
            good.run,
            shown(demo.checkout().parent().unwrap_or(&demo.checkout())),
        );
        text
    }
}
