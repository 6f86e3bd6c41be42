//! doit: MD5 where the time changed (its default), its fastest store, threads.

use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::json;
use std::io;
use std::path::Path;
use std::process::Command;

const FILE: &str = "import json
DOIT_CONFIG = {'backend': 'json', 'dep_file': '.doit.json', 'verbosity': 0, 'reporter': 'zero'}
def task_t():
    with open('tasks.json') as file:
        yield from json.load(file)
";

pub(crate) struct Doit(pub(crate) Program);

impl Peer for Doit {
    fn name(&self) -> &'static str {
        "doit"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let task = |at: usize| {
            let line = work.line(at);
            // A list goes without a shell.
            let action = if line == "true" { json!([line]) } else { json!(line) };
            let mut task = json!({ "name": work.tasks[at].id, "actions": [action] });
            if work.joins() {
                task["file_dep"] = json!(work.inputs(at));
                task["targets"] = json!([format!("out/{}.txt", work.tasks[at].id)]);
            } else {
                task["task_dep"] = work.needs(at).map(|need| format!("t:{need}")).collect();
            }
            task
        };
        let tasks: Vec<_> = (0..work.tasks.len()).map(task).collect();
        std::fs::write(top.join("tasks.json"), json!(tasks).to_string())?;
        std::fs::write(top.join("dodo.py"), FILE)
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["run", "-n", JOBS, "-P", "thread"]);
    }

    fn list(&self, command: &mut Command, _: &Work) {
        command.args(["list", "--all"]);
    }

    fn state(&self) -> &'static [&'static str] {
        &[".doit.json", "__pycache__"]
    }
}
