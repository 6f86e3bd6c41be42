//! Looks that follow each other, until there is something to decide or to hear. Whether there is, is judged by the watch's own fold: what it
//! decides counts nowhere but in the recording, since the agent folds the same samples again.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use orchestrator_core::id::OrderKey;
use orchestrator_core::layout::Layout;
use orchestrator_core::operation::Site;

use super::{ObserveInput, Probe, look, recording};
use crate::deployment::analysis::{Observed, Sample, Traffic, Verdict};
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1000 });
/// How often it is listened meanwhile.
const SLICE: Duration = Duration::from_millis(20);

/// What a watch must hear at once: a signal to its run, and that somebody else has the environment.
pub(in crate::deployment::ops) struct Heard {
    inbox: PathBuf,
    changed: Option<SystemTime>,
    order: OrderKey,
    claimed: bool,
}

impl Heard {
    pub(in crate::deployment::ops) fn now(place: &Place, order: &OrderKey, site: &Site<'_>) -> Self {
        let inbox = Layout::new(site.state).inbox(&order.run);
        let heard = Self { changed: None, inbox, order: order.clone(), claimed: false };
        Self { changed: heard.time(), claimed: heard.is_claimed(place), ..heard }
    }

    /// When a signal last came or was taken: the run itself may be faster to take it.
    fn time(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.inbox).and_then(|found| found.modified()).ok()
    }

    fn is_claimed(&self, place: &Place) -> bool {
        place.claim().is_ok_and(|claim| claim.is_some_and(|claim| claim.is_of(&self.order)))
    }

    /// Whether there is anything new.
    fn anything(&self, place: &Place) -> bool {
        self.time() != self.changed || self.is_claimed(place) != self.claimed
    }
}

/// Looks until there is something to decide or to hear, or until it was looked often enough.
pub(super) fn looks(
    place: &Place,
    input: ObserveInput,
    probes: &[Probe],
    heard: &Heard,
    halt: &Halt,
) -> Result<Observed, DeployError> {
    let first = input.look;
    let one = |input: &ObserveInput| {
        let turn = (input.look - first) as usize;
        let probe = if probes.is_empty() { None } else { probes.get(turn % probes.len()) };
        let mut sample = look(place, input, probe, halt)?;
        // A recording is for people: where it cannot be written, the watch goes on and says so.
        sample.unrecorded = recording::keep(place, input, &sample).err().map(|error| error.to_string());
        Ok(Some(sample))
    };
    let samples = until_news(input, one, || pause(place, heard, halt))?;
    Ok(Observed::of(&samples).expect("there is one look at least"))
}

/// The same of looks that are made elsewhere: `one` makes one, or says that there are no more; `pause` waits for the next, or says that
/// there is something to hear.
pub(in crate::deployment::ops) fn until_news<E>(
    mut input: ObserveInput,
    mut one: impl FnMut(&ObserveInput) -> Result<Option<Sample>, E>,
    mut pause: impl FnMut() -> Result<bool, E>,
) -> Result<Vec<Sample>, E> {
    let (most, mut watcher) = (input.looks as usize, input.watcher.take());
    let mut samples = Vec::new();
    while let Some(sample) = one(&input)? {
        let decided = watcher.as_mut().map(|watcher| watcher.look(&sample));
        let silent = matches!(sample.traffic, Traffic::Unanswered { .. });
        samples.push(sample);
        let (Some(watcher), Some(decided)) = (&watcher, decided) else { break };
        if decided.verdict != Verdict::Hold || silent {
            break;
        }
        input = input.after(watcher, decided);
        // After the last one too: the next round begins with a look.
        if !pause()? || samples.len() >= most {
            break;
        }
    }
    Ok(samples)
}

/// Waits until the next look; false where there is something to hear.
pub(in crate::deployment::ops) fn pause(
    place: &Place,
    heard: &Heard,
    halt: &Halt,
) -> Result<bool, DeployError> {
    let mut left = PAUSE;
    while !left.is_zero() {
        if heard.anything(place) {
            return Ok(false);
        }
        halt.pause(left.min(SLICE))?;
        left = left.saturating_sub(SLICE);
    }
    Ok(!heard.anything(place))
}
