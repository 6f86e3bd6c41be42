//! One test binary: it links once.
#![allow(missing_docs)]

mod commands;
mod demo;
mod kill;
mod support;
