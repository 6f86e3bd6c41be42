//! The error-log watch: before the switch and during the watch, what is new in the log beside that of the version before. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::operation::Operation;

use super::known::{Logs, Part};
use super::rounds::{Course, Round};
use crate::deployment::ops::{ReadSignatures, ReadSignaturesInput, ReadSignaturesOutput};
use crate::deployment::{Fresh, LogWatch, OnNew};
use crate::said::outcome;

/// How many looks of a watch there are for one look at the log.
const EVERY: u64 = 5;
/// The most remarks that are carried on.
const GAPS: usize = 5;
/// How many looks a promotion is put off: a minute, and until the log is looked at then.
const LONGEST: u64 = 60 + EVERY;
/// The rule of what could not be read.
const NOT_READ: &str = "log/not-read";

impl Course<'_> {
    /// A look at the log, where one is wanted and there is something to compare it with.
    pub(super) fn read_log(&self) -> Result<Round, BoxError> {
        let (Some(watch), Some(started)) = (&self.config.log_watch, &self.known.started) else {
            return Ok(Vec::new());
        };
        let before = self.before().filter(|before| *before != started.release);
        let (Some(before), true) = (before, started.process.is_some()) else { return Ok(Vec::new()) };
        let looks = self.known.watch.as_ref().map_or(0, |watch| watch.watcher.looks());
        if !looks.is_multiple_of(EVERY) {
            return Ok(Vec::new());
        }
        let read = ReadSignaturesInput {
            environment: self.config.environment.clone(),
            release: started.release.clone(),
            watch: watch.clone(),
            beside: Some(before.to_owned()),
            from: None,
        };
        Ok(vec![(Part::Log, ReadSignatures::action(&read)?.keep_going())])
    }

    /// What a look at the log saw; why that is too much, where it is.
    pub(super) fn logged(&mut self) -> Option<String> {
        self.look_at_log(|fresh| fresh.kinds)
    }

    /// The same in a watch, where only that sends it back. The version before has a minute for logging it too.
    pub(super) fn logged_too_much(&mut self) -> Option<String> {
        let why = self.look_at_log(Fresh::sure)?;
        self.goes_back().then_some(why)
    }

    /// Whether what is new in its log may send it back yet: its promotion waits for that, but not for what comes after its time.
    pub(super) fn log_is_open(&mut self) -> bool {
        let goes_back = self.goes_back();
        let (Some(watch), Some(logs)) = (&self.config.log_watch, &mut self.known.logs) else { return false };
        let open = goes_back && logs.young > 0 && watch.is_too_many(logs.kinds) && logs.held < LONGEST;
        logs.held += u64::from(open);
        open
    }

    fn goes_back(&self) -> bool {
        self.config.log_watch.as_ref().is_some_and(|watch| watch.on_new == OnNew::RollBack)
    }

    fn look_at_log(&mut self, counted: impl Fn(&Fresh) -> u64) -> Option<String> {
        let watch = self.config.log_watch.as_ref()?;
        let read = outcome::<ReadSignaturesOutput>(Some(self.about(Part::Log).first().copied()?));
        let (logs, remarks) = (self.known.logs.get_or_insert_default(), &mut self.known.remarks);
        let mut too_much = None;
        match read {
            Ok(read) => {
                // What an earlier version read is all new.
                let fresh = read.fresh.unwrap_or_else(|| Fresh::of(&read.signatures, 0));
                (logs.kinds, logs.young) = (fresh.kinds, fresh.young);
                logs.told(read.gaps);
                let (findings, why) = watch.judge(&fresh, counted(&fresh));
                remarks.retain(|remark| remark.rule != LogWatch::NEW);
                remarks.extend(findings);
                too_much = why;
            }
            Err(why) => logs.told(vec![format!("its log could not be read: {why}")]),
        }
        let gap = |gap: &String| Finding::new(NOT_READ, Severity::Warning, gap.clone());
        remarks.retain(|remark| remark.rule != NOT_READ);
        remarks.extend(logs.gaps.iter().map(gap));
        too_much
    }
}

impl Logs {
    fn told(&mut self, gaps: Vec<String>) {
        for gap in gaps {
            if self.gaps.len() < GAPS && !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        }
    }
}
