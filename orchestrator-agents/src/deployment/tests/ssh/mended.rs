//! Hosts without a network: `ssh` is a script here, so that what lies at the other end can be cut, killed, or lie.

mod blips;
mod gone;
mod heard;
mod lies;
mod outside;
mod renewed;
mod smoke;
mod upgraded;
mod way;

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A host whose `ssh` is a script: a shell of this machine in a home folder of its own, or whatever a test puts there.
struct Near {
    folder: tempfile::TempDir,
}

impl Near {
    fn new() -> Self {
        let near = Self { folder: tempfile::Builder::new().prefix("near-host-").tempdir().unwrap() };
        std::fs::create_dir_all(near.at("bin")).unwrap();
        std::fs::create_dir_all(near.at("home")).unwrap();
        near.is_reached_by("exec sh -c \"$last\"");
        near.write_program("program", "");
        near
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, name: &str, text: &str) {
        let (path, fresh) = (self.at(name), self.at("fresh"));
        std::fs::write(&fresh, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(fresh, path).unwrap();
    }

    /// What `ssh` does: `$last` is what the shell of the host is told.
    fn is_reached_by(&self, what: &str) {
        let what = what.replace("PROTOCOL", &crate::deployment::hosts::wire::PROTOCOL.to_string());
        let home = self.at("home").display().to_string();
        self.script(
            "bin/ssh",
            &format!("for last; do :; done\nexport HOME='{home}'; cd\nunset ORCHESTRATE_ORDER\n{what}"),
        );
    }

    /// A program that is brought: this one, in a script, with some words more.
    fn write_program(&self, name: &str, more: &str) -> PathBuf {
        let own = std::env::current_exe().unwrap().display().to_string();
        let end = "--exact deployment::tests::ssh::the_other_end --ignored --nocapture";
        self.script(name, &format!("# {more}\nPERFORM=\"$*\" exec '{own}' {end}"));
        self.at(name)
    }

    fn config(&self) -> String {
        self.at("config").display().to_string()
    }

    fn host(&self) -> Value {
        json!({ "name": "near1", "folder": "srv/shop", "config": self.config() })
    }

    fn state(&self) -> PathBuf {
        self.at("home/srv/shop/.orchestrate")
    }

    fn desk(&self) -> Desk {
        let mut desk = Desk::new();
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        desk.env[0] = ("PATH".into(), path.into());
        desk.env.push(("USER".into(), "ada".into()));
        desk.supervisor = Some(Supervisor::new(self.at("program")));
        desk
    }

    fn act(&self) -> ops::ActOnHost {
        ops::ActOnHost { program: Some(self.at("program")) }
    }

    fn on(&self, operation: &str, input: Value) -> Value {
        json!({ "host": self.host(), "environment": "production", "operation": operation, "input": input })
    }
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_command_of_the_configuration_is_not_run() {
    let host = Host::new();
    let known = std::fs::read_to_string(host.at("config")).unwrap();
    std::fs::write(host.at("config"), format!("{known}Host *\n RemoteCommand touch ran\n")).unwrap();
    let desk = host.desk();
    let input = json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() } });
    let looks = ops::CheckHost { program: Some(host.at("program")) };
    desk.call(looks, input, &key(1, 0, 0)).unwrap();
    assert!(!host.at("home/ran").exists());
}

impl Drop for Near {
    fn drop(&mut self) {
        ops::closed(&self.config());
        let stopped = ops::stop_all(&self.state());
        end_all(self.folder.path());
        if !std::thread::panicking() {
            stopped.unwrap();
        }
    }
}
