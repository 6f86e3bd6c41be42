//! What following code may cost. A source may say anything; it must never take much time or memory to read.
//!
//! Work is counted in small units: 100 for a statement or an expression, 1 for each value inside the one that it gives. Each
//! run has its own budget (`eval`); those here are of all runs of a function and of the whole file.

use std::cell::Cell;

/// Work for all runs of one function, and of one file.
const UNIT: u64 = 40_000_000;
const FILE: u64 = 400_000_000;
/// Values of the inputs that are made up for one parameter, and of one file.
const SEEDS: u64 = 20_000;
const ALL_SEEDS: u64 = 2_000_000;
/// Expressions that are looked at for what parameters are compared with, of one file.
const READ: u64 = 4_000_000;

const UNIT_SPENT: &str = "it takes too long to be followed for all its inputs";
const FILE_SPENT: &str = "the file takes too long to be followed as a whole: split it";

/// What is left.
pub(super) struct Budget {
    unit: Cell<u64>,
    file: Cell<u64>,
    seeds: Cell<u64>,
    all_seeds: Cell<u64>,
    read: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        let of = Cell::new;
        Self { unit: of(UNIT), file: of(FILE), seeds: of(SEEDS), all_seeds: of(ALL_SEEDS), read: of(READ) }
    }
}

impl Budget {
    /// Another function begins.
    pub(super) fn next_unit(&self) {
        self.unit.set(UNIT);
    }

    /// Another parameter begins.
    pub(super) fn next_parameter(&self) {
        self.seeds.set(SEEDS);
    }

    /// Takes work; an error says whose budget is spent.
    pub(super) fn work(&self, work: u64) -> Result<(), &'static str> {
        if !take(&self.file, work) {
            return Err(FILE_SPENT);
        }
        if !take(&self.unit, work) {
            return Err(UNIT_SPENT);
        }
        Ok(())
    }

    /// Whose budget is spent.
    pub(super) fn spent(&self) -> Option<&'static str> {
        match (self.file.get(), self.unit.get()) {
            (0, _) => Some(FILE_SPENT),
            (_, 0) => Some(UNIT_SPENT),
            _ => None,
        }
    }

    /// Takes values of inputs; whether there were enough.
    pub(super) fn seeds(&self, count: u64) -> bool {
        take(&self.seeds, count) && take(&self.all_seeds, count)
    }

    /// Takes an expression that is read.
    pub(super) fn read(&self) -> bool {
        take(&self.read, 1)
    }
}

/// Takes an amount; where there is less, nothing is left.
pub(super) fn take(left: &Cell<u64>, amount: u64) -> bool {
    let rest = left.get().checked_sub(amount);
    left.set(rest.unwrap_or(0));
    rest.is_some()
}
