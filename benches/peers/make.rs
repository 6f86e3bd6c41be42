//! GNU make: without its built-in rules and silent. It compares times only, and files are named, not looked for.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Make(pub(crate) Program);

impl Peer for Make {
    fn name(&self) -> &'static str {
        "make"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = String::new();
        if work.joins() {
            let outputs = work.tasks.iter().map(|task| format!("out/{}.txt", task.id)).collect::<Vec<_>>();
            let _ = writeln!(text, ".PHONY: all\nall: {}", outputs.join(" "));
        } else {
            let _ = writeln!(text, ".PHONY: all {0}\nall: {0}", work.ids());
        }
        for (at, task) in work.tasks.iter().enumerate() {
            let line = work.line(at);
            let _ = if work.joins() {
                writeln!(text, "out/{}.txt: {}\n\t{line}", task.id, work.inputs(at).join(" "))
            } else {
                writeln!(text, "{}: {}\n\t{line}", task.id, work.needs(at).collect::<Vec<_>>().join(" "))
            };
        }
        std::fs::write(top.join("Makefile"), text)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["-r", "-R", "-s", "-j", JOBS, "all"]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["-r", "-R", "-n", "all"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[]
    }
}
