//! snakemake: one rule with a wildcard for files, a rule for each task otherwise; its quick scheduler. A rule that another
//! needs must have a file, so tasks of chains and layers touch one.

use crate::peer::{JOBS, Peer, Program};
use crate::work::{INPUTS, Work};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Snakemake(pub(crate) Program);

impl Peer for Snakemake {
    fn name(&self) -> &'static str {
        "snakemake"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn rounds(&self) -> usize {
        2
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = format!("IDS = '{}'.split()\n", work.ids());
        text.push_str("rule all:\n    input: expand('out/{id}.txt', id=IDS)\n");
        if work.joins() {
            let line = work.line(0).replace(&work.tasks[0].id, "{wildcards.id}");
            let _ = writeln!(
                text,
                "rule join:\n    input: expand('src/{{{{id}}}}/f{{file}}.txt', file=range({INPUTS}))\n    \
                 output: 'out/{{id}}.txt'\n    shell: '{line}'"
            );
        } else {
            for (at, task) in work.tasks.iter().enumerate() {
                let needs: Vec<String> = work.needs(at).map(|need| format!("'out/{need}.txt'")).collect();
                let _ = writeln!(
                    text,
                    "rule {0}:\n    input: [{1}]\n    output: touch('out/{0}.txt')\n    shell: '{2}'",
                    task.id,
                    needs.join(", "),
                    work.line(at)
                );
            }
        }
        std::fs::write(top.join("Snakefile"), text)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["--quiet", "all", "--scheduler", "greedy", "--cores", JOBS]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["--quiet", "all", "--dry-run", "--cores", JOBS]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".snakemake"]
    }

    fn renew(&self, top: &Path, command: Command) -> io::Result<()> {
        self.forget(top, command)
    }
}
