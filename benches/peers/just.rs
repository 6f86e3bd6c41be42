//! just: `[parallel]` recipes; for files its cache (unstable, by content), which wants script recipes and names of files.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Just(pub(crate) Program);

impl Peer for Just {
    fn name(&self) -> &'static str {
        "just"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = String::new();
        if work.joins() {
            text.push_str("set unstable\nset lists\n");
        }
        let _ = writeln!(text, "[parallel]\nall: {}", work.ids());
        for (at, task) in work.tasks.iter().enumerate() {
            if work.joins() {
                let inputs: Vec<String> = work.inputs(at).iter().map(|path| format!("'{path}'")).collect();
                let _ = writeln!(
                    text,
                    "[script('sh')]\n[cache(inputs = [{}], outputs = 'out/{}.txt')]",
                    inputs.join(", "),
                    task.id
                );
            } else {
                text.push_str("[parallel]\n");
            }
            let quiet = if work.joins() { "" } else { "@" };
            let needs = work.needs(at).collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "{}: {needs}\n  {quiet}{}", task.id, work.line(at));
        }
        std::fs::write(top.join("justfile"), text)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["--quiet", "--jobs", JOBS, "all"]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["--dry-run", "all"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".justcache"]
    }
}
