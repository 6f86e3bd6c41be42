//! One test binary: it links once.

mod architecture;
mod commands;
mod demo;
mod kill;
mod readme;
mod support;
