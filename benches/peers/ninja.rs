//! ninja: it compares times only, and files are named, not looked for.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Ninja(pub(crate) Program);

impl Peer for Ninja {
    fn name(&self) -> &'static str {
        "ninja"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = "rule line\n  command = $line\n".to_owned();
        for (at, task) in work.tasks.iter().enumerate() {
            let _ = if work.joins() {
                writeln!(text, "build out/{}.txt: line {}", task.id, work.inputs(at).join(" "))
            } else {
                writeln!(text, "build {}: line {}", task.id, work.needs(at).collect::<Vec<_>>().join(" "))
            };
            let _ = writeln!(text, "  line = {}", work.line(at));
        }
        std::fs::write(top.join("build.ninja"), text)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["--quiet", "-j", JOBS]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.arg("-n");
    }

    fn state(&self) -> &'static [&'static str] {
        &[".ninja_log", ".ninja_deps"]
    }
}
