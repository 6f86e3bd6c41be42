//! Reports of runs made by hand.

mod delivery;
mod release;
mod runs;

mod hostile;
mod html;
mod json;
mod operation;
