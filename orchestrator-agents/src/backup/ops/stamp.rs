//! What the file system says of a file without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use crate::backup::manifest::Stamp;

/// A change within this time of the look might leave no trace: clocks of file systems tick in steps.
const TICK: Duration = Duration::from_millis(20);

/// The stamp of something that was seen at `looked`. A folder's is about its name and times alone: what is in it is listed
/// each time.
pub(super) fn stamp(found: &Metadata, looked: SystemTime) -> Stamp {
    let nanos = |nanos: i64| u32::try_from(nanos).unwrap_or(0);
    let modified = (found.mtime(), nanos(found.mtime_nsec()));
    let changed = (found.ctime(), nanos(found.ctime_nsec()));
    let settled = found.is_dir() || is_before(modified.max(changed), looked);
    Stamp { inode: found.ino(), modified, changed, settled }
}

fn is_before((seconds, nanos): (i64, u32), looked: SystemTime) -> bool {
    // What changed before 1970 changed long ago.
    let Ok(seconds) = u64::try_from(seconds) else { return true };
    let latest = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos) + TICK);
    latest.is_some_and(|latest| latest <= looked)
}
