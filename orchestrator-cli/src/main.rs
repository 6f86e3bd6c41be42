//! The `orchestrate` command.

use std::process::ExitCode;

// Tasks are many small allocations of mixed sizes: a quarter of the time of an engine-bound run with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    orchestrator_cli::Cli::standard().run()
}
