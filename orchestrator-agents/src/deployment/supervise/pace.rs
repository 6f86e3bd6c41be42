//! How soon what crashed is started again, and when no more. Time is a parameter: any clock that only goes forward.

use std::time::Duration;

/// The pause after the first crash; doubles with each.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// What ran for so long was well: its earlier crashes are forgotten.
const WELL: Duration = Duration::from_mins(1);
/// So many crashes, each within [`WELL`] of the one before, are a crash loop.
const LOOP: u32 = 5;

/// The pace of one process that is kept running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    gives_up: bool,
    crashes: u32,
    last: Option<Duration>,
    pause: Duration,
}

/// What comes after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is started again after that time.
    After(Duration),
    /// It is not: a crash loop.
    GiveUp,
}

impl Pace {
    /// That of a service: a crash loop ends it.
    pub fn service() -> Self {
        Self { gives_up: true, crashes: 0, last: None, pause: FIRST }
    }

    /// That of the proxy: all traffic goes through it, so it is started again for ever.
    pub fn proxy() -> Self {
        Self { gives_up: false, ..Self::service() }
    }

    /// It ended at that time, having run for so long.
    pub fn crashed(&mut self, at: Duration, ran: Duration) -> Next {
        let soon = self.last.is_some_and(|last| at.saturating_sub(last) <= WELL);
        self.crashes = if soon { self.crashes.saturating_add(1) } else { 1 };
        self.last = Some(at);
        if self.gives_up && self.crashes >= LOOP {
            return Next::GiveUp;
        }
        if ran >= WELL {
            self.pause = FIRST;
        }
        Next::After(self.longer())
    }

    /// It could not be started at all, for instance because somebody else has its port: that is no crash, and is tried again for
    /// ever, after this time.
    pub fn blocked(&mut self) -> Duration {
        self.longer()
    }

    /// How many crashes there were in a row.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    fn longer(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn five_crashes_in_a_row_are_a_loop() {
        let mut pace = Pace::service();
        let pauses: Vec<_> = (0..5).map(|n| pace.crashed(ms(n * 1000), ms(10))).collect();
        let after = |ms_: u64| Next::After(ms(ms_));
        assert_eq!(pauses, [after(100), after(200), after(400), after(800), Next::GiveUp]);
        assert_eq!(pace.crashes(), 5);
    }

    #[test]
    fn what_ran_well_begins_anew() {
        let mut pace = Pace::service();
        for n in 0..4 {
            pace.crashed(ms(n * 59_000), ms(59_000));
        }
        assert_eq!(pace.crashed(ms(300_000), ms(61_000)), Next::After(ms(100)));
        assert_eq!(pace.crashes(), 1);
    }

    #[test]
    fn what_cannot_be_started_is_tried_for_ever() {
        let mut pace = Pace::service();
        let pauses: Vec<_> = (0..11).map(|_| pace.blocked()).collect();
        assert_eq!((pauses[0], pauses[8], pauses[10]), (ms(100), ms(25_600), ms(30_000)));
        assert_eq!(pace.crashed(ms(0), ms(0)), Next::After(ms(30_000)), "a crash after that is the first");
    }

    proptest! {
        /// Against the rule as it is written: the last five crashes each within a minute of the one before.
        #[test]
        fn a_loop_is_what_the_rule_says(gaps in prop::collection::vec(0u64..130_000, 1..40)) {
            let (mut service, mut proxy) = (Pace::service(), Pace::proxy());
            let (mut at, mut times) = (0, Vec::new());
            for gap in gaps {
                at += gap;
                times.push(at);
                let next = service.crashed(ms(at), ms(gap));
                let looping = times.len() >= 5 && times[times.len() - 5..].windows(2).all(|two| two[1] - two[0] <= 60_000);
                prop_assert_eq!(next == Next::GiveUp, looping);
                match proxy.crashed(ms(at), ms(gap)) {
                    Next::After(pause) => prop_assert!((ms(100)..=ms(30_000)).contains(&pause)),
                    Next::GiveUp => prop_assert!(false, "a proxy is never given up"),
                }
                if looping {
                    break;
                }
            }
        }
    }
}
