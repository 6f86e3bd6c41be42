//! turbo: the native program, all tasks in the root package (twice as fast as a package each), scripts started by bun
//! where it is there (npm needs 100 ms for each), no output shown, cache in the folder, telemetry off. It has no daemon
//! for runs any more.

use crate::measure::answer;
use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Turbo {
    pub(crate) program: Program,
    /// What starts the scripts.
    pub(crate) bun: Program,
}

impl Peer for Turbo {
    fn name(&self) -> &'static str {
        "turbo"
    }

    fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        let bun = self.bun.as_ref().and_then(|bun| answer(Command::new(bun).arg("--version")));
        let manager = bun.map_or("npm@10.0.0".to_owned(), |version| format!("bun@{}", version.trim()));
        let (mut scripts, mut tasks) = (Map::new(), Map::new());
        for (at, task) in work.tasks.iter().enumerate() {
            scripts.insert(task.id.clone(), work.line(at).into());
            let about = if work.joins() {
                json!({ "inputs": [format!("src/{}/*.txt", task.id)], "outputs": [format!("out/{}.txt", task.id)] })
            } else {
                json!({ "cache": false, "inputs": [], "dependsOn": work.needs(at).collect::<Vec<_>>() })
            };
            tasks.insert(format!("//#{}", task.id), about);
        }
        let ids: Vec<&str> = work.tasks.iter().map(|task| task.id.as_str()).collect();
        // There is no script for it: it only collects.
        tasks.insert("//#all".to_owned(), json!({ "cache": false, "inputs": [], "dependsOn": ids }));
        let package: Value = json!({ "name": "bench", "private": true, "packageManager": manager,
            "workspaces": ["packages/*"], "scripts": scripts });
        std::fs::write(top.join("package.json"), package.to_string())?;
        std::fs::write(top.join("turbo.json"), json!({ "ui": "stream", "tasks": tasks }).to_string())
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["run", "all", "--output-logs=none", "--concurrency", JOBS]);
        command.env("TURBO_TELEMETRY_DISABLED", "1").env("TURBO_NO_UPDATE_NOTIFIER", "1");
    }

    fn list(&self, command: &mut Command, work: &Work) {
        self.run(command, work);
        command.arg("--dry=json");
    }

    fn state(&self) -> &'static [&'static str] {
        &[".turbo", "node_modules"]
    }
}
