//! What touches the world.
//!
//! [`Processes`] runs commands: it spawns, captures, masks and stops them. It knows nothing of orders, journals or
//! limits; those lie above it.

mod capture;
mod leader;
mod leash;
mod lines;
mod mask;
mod mask_stream;
mod pool;
mod process;
mod program;
mod spawn;
mod streams;
mod supervise;
mod tail;
#[cfg(test)]
mod tests;

#[expect(unused_imports, reason = "the local executor is built on them")]
pub(crate) use self::{
    capture::Captured,
    lines::{OnLine, Stream},
    mask::{Mask, MaskError},
    mask_stream::MaskStream,
    process::{Exit, ExitState, Processes, Usage},
    spawn::{Spawn, SpawnError},
};
