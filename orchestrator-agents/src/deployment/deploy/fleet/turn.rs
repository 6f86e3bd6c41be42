//! The turn of each host: a deployment to one host, on its way and on its way back. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::json::Json;

use super::super::DeployConfig;
use super::super::known::{Figures, Known, Part as Own, Step as Inner};
use super::super::rounds::{self, Concluded, concluded};
use super::gather::begun;
use super::{Course, Member, State, Step, config_of};
use crate::deployment::TargetConfig;

impl Course<'_> {
    /// The turn of the next one begins.
    pub(super) fn begin(mut self, at: usize) -> Concluded {
        let actions = begun(self.config, &mut self.fleet, at)?;
        self.goes_on(Step::Turn(at), at, actions)
    }

    /// What came of a round of its turn.
    pub(super) fn turned(mut self, at: usize) -> Concluded {
        let known = self.known(at)?;
        let (lost, step) = (self.lost_claim(&known), known.step.clone());
        match concluded(&self.task_of(at)?, known, self.inner)? {
            Verdict::More { actions, carried } => {
                self.fleet.hosts[at].known = Some(carried.parse()?);
                self.goes_on(Step::Turn(at), at, actions)
            }
            Verdict::Passed(said) => {
                let member = &mut self.fleet.hosts[at];
                member.says(said);
                member.state = State::Serves;
                member.known = member.known.take().map(remembered);
                if at + 1 < self.fleet.hosts.len() { self.begin(at + 1) } else { self.settle() }
            }
            Verdict::Failed(said) => {
                let why = why(&step).unwrap_or_else(|| said.summary.clone());
                let stays = matches!(step, Inner::Stuck(_) | Inner::Undecided(_))
                    || lost && matches!(step, Inner::RollBack(_));
                self.fell(at, said, if stays { State::Stays } else { State::Failed }, &why)
            }
            Verdict::Skipped(said) => self.fell(at, said, State::LeftOut, "a person left it out"),
        }
    }

    /// It failed there: those that were done go back, too.
    fn fell(mut self, at: usize, said: Conclusion<()>, state: State, why: &str) -> Concluded {
        let why = format!("{}: {why}", self.name(at));
        let member = &mut self.fleet.hosts[at];
        let Conclusion { output: _, summary, metrics, findings } = said;
        member.says(Conclusion { output: None, summary, metrics, findings });
        member.state = state;
        self.goes_back(at, why)
    }

    /// The last one that serves it goes back; once there is none, what is claimed yet is released.
    fn goes_back(mut self, below: usize, why: String) -> Concluded {
        let serves = |at: &usize| self.fleet.hosts[*at].state == State::Serves;
        let Some(at) = (0..below).rev().find(serves) else { return self.leave() };
        let task = self.task_of(at)?;
        let target = TargetConfig::of(&task.config, self.fleet.run.as_ref(), true)?;
        let known = self.known(at)?;
        let own =
            rounds::Course { task: &task, config: &task.config, target: &*target, known, receipts: &[] };
        match own.roll_back(why.clone())? {
            Verdict::More { actions, carried } => {
                self.fleet.hosts[at].known = Some(carried.parse()?);
                self.goes_on(Step::Back(at, why), at, actions)
            }
            _ => Err("going back has a round".into()),
        }
    }

    /// What came of a round of its way back.
    pub(super) fn returned(mut self, at: usize, why: &str) -> Concluded {
        let known = self.known(at)?;
        let back = matches!(known.step, Inner::RollBack(_)) && !self.lost_claim(&known);
        match concluded(&self.task_of(at)?, known, self.inner)? {
            Verdict::More { actions, carried } => {
                self.fleet.hosts[at].known = Some(carried.parse()?);
                self.goes_on(Step::Back(at, why.to_owned()), at, actions)
            }
            Verdict::Failed(said) | Verdict::Skipped(said) => {
                let member = &mut self.fleet.hosts[at];
                member.state = if back { State::Back } else { State::Stuck };
                member.went_back(said);
                self.goes_back(at, why.to_owned())
            }
            Verdict::Passed(_) => Err("what goes back does not pass".into()),
        }
    }

    /// The next round of that host, with its name in what is waited for.
    fn goes_on(mut self, step: Step, at: usize, actions: Vec<Action>) -> Concluded {
        let round = self.held(at, &actions)?;
        (self.fleet.step, self.fleet.parts) = (step, round.parts);
        let (host, all) = (self.name(at), self.fleet.hosts.len());
        let named = |action| match action {
            Action::Await(wait @ Await { .. }) => {
                let message = format!("{} (host {host}, {} of {all})", wait.message, at + 1);
                Await { message, ..wait }.into()
            }
            other => other,
        };
        let actions = round.actions.into_iter().chain(actions.into_iter().map(named)).collect();
        Ok(Verdict::More { actions, carried: Json::of(&self.fleet)? })
    }

    /// Whether the claim there was found to be somebody else's, or could not be asked for.
    fn lost_claim(&self, known: &Known) -> bool {
        let mut all = known.parts().iter().zip(self.inner);
        all.any(|(part, receipt)| *part == Own::Confirm && !receipt.ok())
    }

    fn known(&self, at: usize) -> Result<Known, BoxError> {
        let known = self.fleet.hosts.get(at).and_then(|member| member.known.clone());
        known.ok_or_else(|| "the journal does not say what is known of a host".into())
    }

    /// The task as it is for one host.
    fn task_of(&self, at: usize) -> Result<Task<DeployConfig>, BoxError> {
        let config = config_of(self.config, &self.fleet, at)?;
        let Task { id, phase, group, .. } = self.task.clone();
        Ok(Task { id, phase, group, config, carried: Json::null() })
    }
}

/// Why a host's own deployment ended as it did.
fn why(step: &Inner) -> Option<String> {
    match step {
        Inner::RollBack(why)
        | Inner::GiveUp(why)
        | Inner::Stuck(why)
        | Inner::Unfinished(why)
        | Inner::Undecided(why) => Some(why.trim_start_matches("was not deployed: ").to_owned()),
        _ => None,
    }
}

/// What its way back needs of a host that is done: all else was said, and each round carries it.
fn remembered(known: Known) -> Known {
    Known {
        parts: Vec::new(),
        notes: Vec::new(),
        health: None,
        smoke: None,
        migrations: None,
        pending: None,
        migrated: Vec::new(),
        remarks: Vec::new(),
        watch: None,
        logs: None,
        figures: Figures::default(),
        ..known
    }
}

impl Member {
    /// What people should know of it.
    pub(super) fn noted(&mut self, notes: impl IntoIterator<Item = String>) {
        let note = |note: String| Finding::new("deploy/note", Severity::Note, note);
        self.said.findings.extend(notes.into_iter().map(note));
    }

    /// What its own deployment concluded, after what was said before.
    fn says(&mut self, said: Conclusion<super::super::DeployOutput>) {
        let Conclusion { output, summary, metrics, findings } = said;
        (self.said.output, self.said.summary) = (output, summary);
        self.said.metrics.extend(metrics);
        for finding in findings {
            if !self.said.findings.contains(&finding) {
                self.said.findings.push(finding);
            }
        }
    }

    /// The same of its way back: what was measured on its way there stays.
    fn went_back(&mut self, said: Conclusion<()>) {
        let known: Vec<String> = self.said.metrics.iter().map(|metric| metric.name.clone()).collect();
        let Conclusion { output: _, summary, metrics, findings } = said;
        let metrics = metrics.into_iter().filter(|metric| !known.contains(&metric.name)).collect();
        self.says(Conclusion { output: None, summary, metrics, findings });
    }
}
