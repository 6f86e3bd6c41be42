//! bazel: a genrule for each task, run without a sandbox; the server is left on between rounds, as it is meant, and is
//! shut down after. A genrule must make a file, so `true` also touches one.

use crate::measure;
use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Bazel(pub(crate) Program);

impl Peer for Bazel {
    fn name(&self) -> &'static str {
        "bazel"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn rounds(&self) -> usize {
        3
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = String::new();
        for (at, task) in work.tasks.iter().enumerate() {
            let (sources, line) = if work.joins() {
                let line = work.line(at).replace(&format!("out/{}.txt", task.id), "$@");
                (work.inputs(at), line)
            } else {
                (
                    work.needs(at).map(|need| format!("out/{need}.txt")).collect(),
                    format!("{} && touch $@", work.line(at)),
                )
            };
            let _ = writeln!(
                text,
                "genrule(name = '{0}', srcs = {1}, outs = ['out/{0}.txt'], cmd = {2})",
                task.id,
                json!(sources),
                json!(line)
            );
        }
        std::fs::write(top.join("BUILD"), text)?;
        std::fs::write(top.join("WORKSPACE"), "")
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["build", "--spawn_strategy=local", "--genrule_strategy=local", "--noshow_progress"]);
        command.args(["--jobs", JOBS, "//:all"]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["query", "--noshow_progress", "//:all"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[]
    }

    fn forget(&self, _: &Path, mut command: Command) -> io::Result<()> {
        measure::run(command.arg("clean")).map(drop).map_err(io::Error::other)
    }

    fn stop(&self) -> Option<&'static [&'static str]> {
        Some(&["shutdown"])
    }

    fn renew(&self, top: &Path, command: Command) -> io::Result<()> {
        self.forget(top, command)
    }

    fn made(&self, top: &Path) -> PathBuf {
        top.join("bazel-bin")
    }
}
