//! moon: the native program, one project (as fast as a project each), files by git, no syncing of the workspace,
//! telemetry off.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Moon(pub(crate) Program);

impl Peer for Moon {
    fn name(&self) -> &'static str {
        "moon"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn rounds(&self) -> usize {
        2
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let mut text = "tasks:\n".to_owned();
        for (at, task) in work.tasks.iter().enumerate() {
            let key = if work.joins() { "script" } else { "command" };
            let key = if work.line(at) == "true" { key } else { "script" };
            let _ = writeln!(text, "  {}:\n    {key}: {}", task.id, json!(work.line(at)));
            let _ = if work.joins() {
                writeln!(text, "    inputs: ['src/{0}/*.txt']\n    outputs: ['out/{0}.txt']", task.id)
            } else {
                let needs: Vec<String> = work.needs(at).map(|need| format!("~:{need}")).collect();
                writeln!(text, "    inputs: []\n    options: {{cache: false}}\n    deps: {}", json!(needs))
            };
        }
        let all: Vec<String> = work.tasks.iter().map(|task| format!("~:{}", task.id)).collect();
        let _ = writeln!(
            text,
            "  all:\n    command: noop\n    options: {{cache: false}}\n    deps: {}",
            json!(all)
        );
        std::fs::write(top.join("moon.yml"), text)?;
        std::fs::create_dir_all(top.join(".moon"))?;
        let workspace = "projects: {app: '.'}\ntelemetry: false\nhasher: {walkStrategy: vcs}\n\
            vcs: {client: git, defaultBranch: main}\n";
        std::fs::write(top.join(".moon/workspace.yml"), workspace)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["run", "app:all", "--quiet", "--no-actions", "--concurrency", JOBS]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["task-graph", "app:all", "--json"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".moon/cache"]
    }
}
