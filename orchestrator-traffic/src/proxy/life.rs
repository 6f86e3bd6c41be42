//! Where a proxy stands in its life, and who may do what then.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It serves.
    Serving,
    /// Its successor is starting: nothing changes until that serves or has failed.
    HandingOver,
    /// That process serves now.
    Replaced(u32),
    /// It ends.
    Ending,
}

/// Where a proxy stands. Changes to what it serves are made while this is held, so that none falls between two processes.
#[derive(Debug)]
pub(super) struct Life {
    standing: Mutex<Standing>,
    changed: Condvar,
}

/// Proof that it serves, and goes on serving while this is held.
#[derive(Debug)]
pub(super) struct Serving<'a>(MutexGuard<'a, Standing>);

impl Default for Life {
    fn default() -> Self {
        Self { standing: Mutex::new(Standing::Serving), changed: Condvar::new() }
    }
}

impl Life {
    /// Waits while a successor starts. Then whether this process serves, or where it stands.
    pub(super) fn serving(&self) -> Result<Serving<'_>, Standing> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = |standing: &mut Standing| *standing == Standing::HandingOver;
        let standing = self.changed.wait_while(standing, settled).unwrap_or_else(PoisonError::into_inner);
        if *standing == Standing::Serving { Ok(Serving(standing)) } else { Err(*standing) }
    }

    /// Begins to hand over. What `serving` gave out is done first.
    pub(super) fn hand_over(&self) -> Result<(), Standing> {
        let mut serving = self.serving()?;
        *serving.0 = Standing::HandingOver;
        Ok(())
    }

    /// How handing over went: the successor, or none where it failed.
    pub(super) fn handed_over(&self, successor: Option<u32>) {
        self.become_(successor.map_or(Standing::Serving, Standing::Replaced));
    }

    /// It ends; from now on nothing changes. A successor that is starting is waited for.
    pub(super) fn end(&self) -> Result<(), Standing> {
        let mut serving = self.serving()?;
        *serving.0 = Standing::Ending;
        Ok(())
    }

    /// Where it stands at this moment.
    pub(super) fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn become_(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn changes_wait_for_a_successor_and_go_on_where_it_failed() {
        let life = Arc::new(Life::default());
        drop(life.serving().unwrap());
        life.hand_over().unwrap();
        let waiting = thread::spawn({
            let life = life.clone();
            move || life.serving().is_ok()
        });
        life.handed_over(None);
        assert!(waiting.join().unwrap());
        life.hand_over().unwrap();
        life.handed_over(Some(7));
        assert_eq!(life.serving().unwrap_err(), Standing::Replaced(7));
        assert_eq!(life.hand_over().unwrap_err(), Standing::Replaced(7));
        assert_eq!(life.end().unwrap_err(), Standing::Replaced(7));
    }

    #[test]
    fn what_has_ended_changes_no_more() {
        let life = Life::default();
        life.end().unwrap();
        assert_eq!(life.serving().unwrap_err(), Standing::Ending);
        assert_eq!(life.standing(), Standing::Ending);
    }
}
