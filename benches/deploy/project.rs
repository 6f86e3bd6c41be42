//! A project with a service to deploy.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::clients::free;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate");

/// A project with a service to deploy. What runs in it ends with it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    pub(crate) proxy: SocketAddr,
}

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bench-deploy-").tempdir().expect("a folder");
        let project = Self { folder, proxy: free() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../orchestrator-agents/fixtures/service.rs");
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let mut build = Command::new(rustc);
        build.args(["--edition", "2024", "-O", "-o"]).arg(project.path().join("app")).arg(source);
        assert!(build.status().expect("a compiler").success());
        project.release("0");
        for args in [
            ["init", "-q", "-b", "main"].as_slice(),
            &["config", "user.name", "bench"],
            &["config", "user.email", "bench@example.invalid"],
            &["add", "-A"],
            &["commit", "-q", "-m", "feat: first"],
        ] {
            let status = Command::new("git").current_dir(project.path()).args(args).status();
            assert!(status.expect("git").success());
        }
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is deployed next.
    pub(crate) fn release(&self, version: &str) {
        self.write(version, "", Value::Null);
    }

    /// The same, answering everybody with an error, and watched.
    pub(crate) fn release_bad(&self, version: &str) {
        self.write(version, "failing", json!({ "seconds": 600, "warm_up": 0 }));
    }

    fn write(&self, version: &str, mode: &str, watch: Value) {
        let mut with = json!({
            "artifact": "app", "version": version, "backup": false,
            "env": { "VERSION": "{version}", "MODE": mode },
            "health": { "version": "/version" }, "proxy": { "listen": self.proxy, "drain": 1 },
        });
        if !watch.is_null() {
            with["watch"] = watch;
        }
        let file = json!({
            "version": 1,
            "settings": { "min_free_disk": "1MB", "deploy_to_staging": false },
            "phases": [{ "name": "deployment", "use": "standard", "with": with }],
        });
        std::fs::write(self.path().join("orchestration.json"), file.to_string()).expect("room for a file");
    }

    pub(crate) fn orchestrate(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.path()).args(args).env("DEPLOY_TO_PRODUCTION", "true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) {
        let ended = self.ends(args);
        assert!(ended.status.success(), "{args:?}: {}", said(&ended));
    }

    /// However it ends.
    pub(crate) fn ends(&self, args: &[&str]) -> Output {
        self.orchestrate(args).output().expect("the program")
    }
}

pub(crate) fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = self.orchestrate(&["deploy", "stop"]).status();
    }
}

/// The service, started by hand.
pub(crate) struct Service(Child);

impl Service {
    pub(crate) fn start(project: &Project, version: &str, address: SocketAddr) -> Self {
        let mut command = Command::new(project.path().join("app"));
        command.env("PORT", address.port().to_string()).env("VERSION", version);
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the service"),
        )
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
