//! How attempts end: for good, to be tried again, waiting, stopped.

use jiff::SignedDuration;

use super::{Live, RunError};
use crate::event::{Event, TaskFinished};
use crate::id::OrderKey;
use crate::job::{Again, Fate, JobEnd};
use crate::outcome::{Failure, Outcome, Reason};
use crate::plan::TaskIx;
use crate::retry;

/// The end of an attempt that could not begin.
pub(super) fn refused(ix: TaskIx, failure: Failure) -> JobEnd {
    JobEnd {
        ix,
        events: Vec::new(),
        fate: Fate::Failed { conclusion: None, failure: Some(failure), again: Again::No },
    }
}

/// What the scheduler is told once the facts are on record.
enum After {
    Ended(Outcome, Option<Reason>),
    Retry(jiff::Timestamp),
    Waits,
    Nothing,
}

impl Live {
    /// Records how attempts ended, all with one append, and gives their slots back.
    pub(super) async fn take_ends(&mut self, ends: Vec<JobEnd>) -> Result<(), RunError> {
        let mut events = Vec::new();
        let mut after = Vec::with_capacity(ends.len());
        let mut broken = None;
        for JobEnd { ix, events: told, fate } in ends {
            events.extend(told);
            self.stops.remove(&ix);
            let next = match fate {
                Fate::Broken(source) => {
                    broken = Some(source);
                    After::Nothing
                }
                fate => self.fate(ix, fate, &mut events),
            };
            after.push((ix, next));
        }
        self.record(events).await?;
        if let Some(source) = broken {
            return Err(RunError::Executor { run: self.own.run.clone(), source });
        }
        for (ix, next) in after {
            self.scheduler.release(ix);
            match next {
                After::Ended(outcome, reason) => self.scheduler.ended(ix, outcome, reason),
                After::Retry(at) => self.scheduler.retry(ix, at),
                After::Waits => self.begin_wait(ix),
                After::Nothing => {}
            }
        }
        Ok(())
    }

    fn fate(&mut self, ix: TaskIx, fate: Fate, events: &mut Vec<Event>) -> After {
        let task = self.own.state.plan().task(ix).id.clone();
        let mut finish = |outcome, reason, conclusion, failure| {
            let (task, from_run, reused, follows) = (task.clone(), None, None, Vec::new());
            let finished =
                TaskFinished { task, outcome, reason, conclusion, failure, from_run, reused, follows };
            events.push(Event::TaskFinished(Box::new(finished)));
            After::Ended(outcome, reason)
        };
        match fate {
            Fate::Cached(hit) => {
                events.push(super::quick::cached(task, *hit));
                After::Ended(Outcome::Cached, None)
            }
            Fate::Ended { outcome: Outcome::Skipped, conclusion, .. }
                if self.own.state.plan().group_of(ix).checkpoint =>
            {
                let why = "it was skipped by hand; a checkpoint is passed only by what it checks";
                finish(Outcome::Failed, None, conclusion, Some(Failure::new(why)))
            }
            Fate::Ended { outcome, reason, conclusion, failure } => {
                finish(outcome, reason, conclusion, failure)
            }
            Fate::Withheld(follows) => {
                let after = finish(Outcome::Withheld, Some(Reason::Withheld), None, None);
                if let Some(Event::TaskFinished(finished)) = events.last_mut() {
                    finished.follows = follows;
                }
                after
            }
            Fate::Stopped if self.cancelling => {
                finish(Outcome::Cancelled, Some(Reason::Cancelled), None, None)
            }
            Fate::Failed { conclusion, failure, again } => match self.retry_at(ix, again) {
                Some(retry_at) => {
                    let said = conclusion.map(|conclusion| conclusion.summary).unwrap_or_default();
                    let failure = Box::new(failure.unwrap_or_else(|| Failure::new(said)));
                    events.push(Event::AttemptFailed { task, failure, retry_at });
                    After::Retry(retry_at)
                }
                None => finish(Outcome::Failed, None, conclusion, failure),
            },
            Fate::Waits => After::Waits,
            Fate::Unsure(order) => {
                self.unsure.get_or_insert(order);
                After::Nothing
            }
            Fate::Stopped | Fate::Broken(_) => After::Nothing,
        }
    }

    /// When the next attempt begins; none where this one was the last.
    fn retry_at(&self, ix: TaskIx, again: Again) -> Option<jiff::Timestamp> {
        let planned = self.own.state.plan().task(ix);
        let attempt = self.own.state.task(ix).attempt;
        let allowed = match again {
            Again::Yes => true,
            Again::IfAsked => planned.retry.explicit,
            Again::No => false,
        };
        if !allowed || attempt >= planned.retry.attempts || self.cancelling {
            return None;
        }
        let (run, task) = (self.own.run.clone(), planned.id.clone());
        let key = OrderKey { run, task, attempt, round: 0, index: 0 };
        let pause =
            SignedDuration::try_from(retry::pause(&planned.retry, &key)).unwrap_or(SignedDuration::ZERO);
        self.clock.now().checked_add(pause).ok()
    }
}
