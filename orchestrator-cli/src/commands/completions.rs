//! `completions`: for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::Exit;
use crate::out::Out;

pub(super) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "orchestrate", &mut script);
    Out::stdout().bytes(&script);
    Exit::Passed
}
