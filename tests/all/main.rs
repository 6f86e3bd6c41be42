//! One test binary: it links once.

mod architecture;
mod commands;
mod demo;
mod housekeeping;
mod journals;
mod kill;
mod readme;
mod support;
