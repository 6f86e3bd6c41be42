//! Reports of runs made by hand.

mod runs;

mod html;
mod json;
mod operation;
