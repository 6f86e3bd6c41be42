//! Captured outputs of real tools, and what the agents make of them.

mod cargo;
mod end_to_end;
mod javascript;
mod others;
mod phase;
mod python;
