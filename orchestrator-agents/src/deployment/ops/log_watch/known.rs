//! What both versions log, kept from look to look beside the recording of the watch: of which kinds the errors of the version before are, and which
//! of the new one's it never had. What both log is no fault of the new one, whichever was first. It is made again where it is gone.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use super::{LogCursor, ReadSignaturesOutput};
use crate::deployment::analysis::Clock;
use crate::deployment::log_watch::MOST_SIGNATURES;
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::place::{Place, write};
use crate::deployment::{Fresh, Signatures};

/// The most looks at a log that one baseline takes: each reads 16 MiB at most.
const LOOKS: usize = 8;
/// Milliseconds in which the version before may log what the new one logged first.
const MINUTE: u64 = 60_000;

/// Reads on in a log.
type Read<'a> = &'a dyn Fn(Option<LogCursor>) -> Result<ReadSignaturesOutput, DeployError>;

/// What is known of both logs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Which the version before is.
    release: String,
    /// Whether a secret was not known, so that kinds are told apart and not shown.
    #[serde(default)]
    counted: bool,
    /// What it logged.
    signatures: Signatures,
    #[serde(default)]
    next: Option<LogCursor>,
    /// Why lines of it may be missing.
    #[serde(default)]
    gap: Option<String>,
    #[serde(default)]
    fresh: New,
}

/// What the new version logged and the one before never did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct New {
    signatures: Signatures,
    /// When each was seen first, in milliseconds since that boot.
    since: BTreeMap<String, u64>,
    boot: String,
    next: Option<LogCursor>,
}

/// What is new in the log of a watched release, beside that of the one before; both are read on to where they end now.
pub(super) fn compared(
    place: &Place,
    (watched, new): (&str, Read<'_>),
    (before, old): (&str, Read<'_>),
    counted: bool,
    now: &Clock,
) -> Result<ReadSignaturesOutput, DeployError> {
    let none = |release: &str| {
        let (environment, release) = (place.environment.clone(), release.to_owned());
        DeployError::NoRelease { environment, release }
    };
    let path = place.baseline(watched).ok_or_else(|| none(watched))?;
    if place.release(before)?.is_none() {
        return Err(none(before));
    }
    let kept = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Known>(&bytes).ok());
    let kept = kept.filter(|kept| kept.release == before && kept.counted == counted);
    let fresh = || Known { release: before.to_owned(), counted, ..Known::default() };
    let mut known = kept.clone().unwrap_or_else(fresh);
    let mut read = new(known.fresh.next)?;
    known.read_old(old)?;
    known.take(std::mem::take(&mut read.signatures), read.next, now);
    if kept.as_ref() != Some(&known) {
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).tried("created", folder)?;
        write(&path, &serde_json::to_vec(&known).expect("records are JSON"))?;
    }
    read.gaps.extend(known.gap.clone());
    read.gaps.extend(known.beyond());
    read.fresh = Some(known.told(now));
    Ok(read)
}

impl Known {
    fn read_old(&mut self, old: Read<'_>) -> Result<(), DeployError> {
        for _ in 0..LOOKS {
            let look = old(self.next)?;
            self.signatures.merge(look.signatures);
            self.next = look.next;
            let gap = || look.gaps.first().map(|gap| format!("of the version before: {gap}"));
            self.gap = self.gap.take().or_else(gap);
            if look.bytes == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Takes what the new version logged, and leaves out what the one before has logged by now.
    fn take(&mut self, mut look: Signatures, next: Option<LogCursor>, now: &Clock) {
        let Self { signatures: old, fresh, .. } = self;
        look.leave_out(old);
        fresh.signatures.leave_out(old);
        fresh.signatures.merge(look);
        fresh.next = next;
        if fresh.boot != now.boot {
            fresh.boot.clone_from(&now.boot);
            fresh.since.clear();
        }
        fresh.since.retain(|signature, _| fresh.signatures.seen.contains_key(signature));
        for signature in fresh.signatures.seen.keys() {
            fresh.since.entry(signature.clone()).or_insert(now.ms);
        }
    }

    /// Why what is new is not all, or cannot be told.
    fn beyond(&self) -> Option<String> {
        let whose = match (self.signatures.beyond, self.fresh.signatures.beyond) {
            (0, 0) => return None,
            (0, _) => "more of its lines are not compared",
            _ => "the version before has them, so nothing can be called new",
        };
        Some(format!("over {MOST_SIGNATURES} kinds of errors are in a log: {whose}"))
    }

    fn told(&self, now: &Clock) -> Fresh {
        if self.signatures.beyond > 0 {
            return Fresh::default();
        }
        let young = self.fresh.since.values().filter(|since| now.ms.saturating_sub(**since) < MINUTE);
        Fresh::of(&self.fresh.signatures, young.count() as u64)
    }
}
