//! Sources and the tests that are made of them.

mod bounds;
mod differs;
mod files;
mod runs;
