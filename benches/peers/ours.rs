//! `orchestrate`: the pipeline as users write it, in YAML, and the same as JSON.

use crate::peer::{JOBS, Peer, Program};
use crate::work::{Act, Work};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

/// The name that others are compared with.
pub(crate) const OURS: &str = "orchestrate";

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    Yaml,
    Json,
}

pub(crate) struct Ours {
    pub(crate) program: Program,
    pub(crate) file: File,
}

fn task(work: &Work, at: usize) -> Value {
    let id = &work.tasks[at].id;
    let line = work.line(at);
    let run = if work.act == Act::Nothing { vec![line.as_str()] } else { vec!["sh", "-c", line.as_str()] };
    let mut task = json!({ "id": id, "run": run });
    let needs: Vec<&str> = work.needs(at).collect();
    if !needs.is_empty() {
        task["needs"] = json!(needs);
    }
    if work.joins() {
        task["inputs"] = json!([format!("src/{id}/*.txt")]);
        task["outputs"] = json!([format!("out/{id}.txt")]);
    }
    task
}

fn yaml(tasks: &[Value]) -> String {
    let mut text = "version: 1\nphases:\n  - name: bench\n    tasks:\n".to_owned();
    for task in tasks {
        let mut dash = '-';
        for key in ["id", "run", "needs", "inputs", "outputs"] {
            if let Some(value) = task.get(key) {
                let _ = writeln!(text, "      {dash} {key}: {value}");
                dash = ' ';
            }
        }
    }
    text
}

impl Peer for Ours {
    fn name(&self) -> &'static str {
        match self.file {
            File::Yaml => OURS,
            File::Json => "orchestrate-json",
        }
    }

    fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let tasks: Vec<Value> = (0..work.tasks.len()).map(|at| task(work, at)).collect();
        match self.file {
            File::Yaml => std::fs::write(top.join("orchestration.yaml"), yaml(&tasks)),
            File::Json => {
                let file = json!({ "version": 1, "phases": [{ "name": "bench", "tasks": tasks }] });
                std::fs::write(top.join("orchestration.json"), file.to_string())
            }
        }
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["run", "--quiet", "--jobs", JOBS]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["plan", "--format", "json"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".orchestrate"]
    }

    fn is_ours(&self) -> bool {
        true
    }
}
