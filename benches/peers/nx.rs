//! nx: a project for each task, its daemon on (twice as fast as without), cloud and analytics off. A first run is
//! measured after `nx reset`, so it starts the daemon as well.

use crate::measure;
use crate::peer::{JOBS, Peer, Program};
use crate::work::Work;
use serde_json::json;
use std::io;
use std::path::Path;
use std::process::Command;

pub(crate) struct Nx(pub(crate) Program);

impl Peer for Nx {
    fn name(&self) -> &'static str {
        "nx"
    }

    fn program(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn rounds(&self) -> usize {
        3
    }

    fn write(&self, top: &Path, work: &Work) -> io::Result<()> {
        for (at, task) in work.tasks.iter().enumerate() {
            let mut build = json!({ "executor": "nx:run-commands", "cache": work.joins(),
                "options": { "command": work.line(at), "cwd": "." } });
            if work.joins() {
                build["inputs"] = json!([format!("{{workspaceRoot}}/src/{}/*.txt", task.id)]);
                build["outputs"] = json!([format!("{{workspaceRoot}}/out/{}.txt", task.id)]);
            } else {
                let needs: Vec<_> =
                    work.needs(at).map(|need| json!({ "projects": [need], "target": "build" })).collect();
                build["dependsOn"] = needs.into();
            }
            let folder = top.join("src").join(&task.id);
            std::fs::create_dir_all(&folder)?;
            let project = json!({ "name": task.id, "targets": { "build": build } });
            std::fs::write(folder.join("project.json"), project.to_string())?;
        }
        let package = json!({ "name": "bench", "private": true, "version": "0.0.0" });
        std::fs::write(top.join("package.json"), package.to_string())?;
        let settings = json!({ "analytics": false, "neverConnectToCloud": true });
        std::fs::write(top.join("nx.json"), settings.to_string())?;
        // It wants to be a dependency of the workspace.
        let real = self.0.as_ref().map(|program| program.canonicalize()).transpose()?;
        let modules =
            real.iter().flat_map(|real| real.ancestors()).find(|above| above.ends_with("node_modules"));
        modules.map_or(Ok(()), |modules| std::os::unix::fs::symlink(modules, top.join("node_modules")))
    }

    fn run(&self, command: &mut Command, _: &Work) {
        command.args(["run-many", "-t", "build", "--outputStyle=static", "--parallel", JOBS]);
        command.env("NX_DAEMON", "true").env("NX_NO_CLOUD", "true");
    }

    fn list(&self, command: &mut Command, work: &Work) {
        self.run(command, work);
        command.arg("--graph=stdout");
    }

    fn state(&self) -> &'static [&'static str] {
        &[]
    }

    fn forget(&self, top: &Path, mut command: Command) -> io::Result<()> {
        measure::run(command.arg("reset")).map_err(io::Error::other)?;
        let _ = std::fs::remove_dir_all(top.join("out"));
        std::fs::create_dir_all(top.join("out"))
    }

    fn stop(&self) -> Option<&'static [&'static str]> {
        Some(&["daemon", "--stop"])
    }
}
