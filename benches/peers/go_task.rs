//! go-task: checksums of the sources (its default), silent, each task once.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct GoTask(pub(crate) Program);

impl Peer for GoTask {
    fn name(&self) -> &'static str {
        "go-task"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let all: Vec<&str> = work.tasks.iter().map(|task| task.id.as_str()).collect();
        let mut text =
            format!("version: '3'\nsilent: true\nrun: once\ntasks:\n  all:\n    deps: {}\n", json!(all));
        for (at, task) in work.tasks.iter().enumerate() {
            let _ = writeln!(text, "  {}:\n    cmds: {}", task.id, json!([work.line(at)]));
            let _ = if work.joins() {
                writeln!(text, "    sources: ['src/{0}/*.txt']\n    generates: ['out/{0}.txt']", task.id)
            } else {
                writeln!(text, "    deps: {}", json!(work.needs(at).collect::<Vec<_>>()))
            };
        }
        std::fs::write(top.join("Taskfile.yml"), text)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["--silent", "--concurrency", JOBS, "all"]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["--dry", "all"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".task"]
    }
}
