//! Lists of courses are long: at most so many are put together at the same time.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many.
pub const SEATS: usize = 120;

/// Who puts a list together has a seat.
#[derive(Debug, Default)]
pub struct Seats(AtomicUsize);

impl Seats {
    /// Takes a seat; false where none is free.
    pub fn take(&self) -> bool {
        self.0.fetch_update(SeqCst, SeqCst, |taken| (taken < SEATS).then_some(taken + 1)).is_ok()
    }

    /// Gives a seat back.
    pub fn leave(&self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_seats_and_they_are_given_back() {
        let seats = Seats::default();
        assert!((0..SEATS).all(|_| seats.take()));
        assert!(!seats.take());
        seats.leave();
        assert!(seats.take());
    }
}
