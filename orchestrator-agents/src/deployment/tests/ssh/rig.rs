//! A host of the tests: an sshd on loopback with keys of its own.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A host: an sshd on loopback, with a home folder of its own.
pub(super) struct Host {
    /// As ssh is told to call it.
    pub(super) name: &'static str,
    folder: tempfile::TempDir,
    pub(super) port: u16,
    sshd: Option<Child>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self::named("web1")
    }

    pub(super) fn named(name: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("ssh-host-").tempdir().unwrap();
        let port = orchestrator_traffic::ports::pick().unwrap();
        let mut host = Self { name, folder, port, sshd: None };
        for key in ["host", "other-host", "user", "other-user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(host.at(key))
                .status();
            assert!(made.unwrap().success());
        }
        std::fs::create_dir(host.at("home")).unwrap();
        std::fs::copy(host.at("user.pub"), host.at("authorized")).unwrap();
        host.knows("host");
        host.is_reached_with("user");
        host.write_program(0);
        host.starts();
        host
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    /// Which key the client takes for the host's.
    pub(super) fn knows(&self, key: &str) {
        let key = std::fs::read_to_string(self.at(&format!("{key}.pub"))).unwrap();
        self.write("known", &format!("[127.0.0.1]:{} {key}", self.port));
    }

    pub(super) fn is_reached_with(&self, key: &str) {
        let folder = self.folder.path().display();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        self.write(
            "config",
            &format!(
                "Host {}\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {folder}/{key}\n IdentitiesOnly yes\n IdentityAgent none\n \
                 UserKnownHostsFile {folder}/known\n GlobalKnownHostsFile /dev/null\nHost nowhere\n HostName nowhere.invalid\n",
                self.name,
                self.port,
                user.trim()
            ),
        );
    }

    /// The program that is brought: this one, in a script, with so many bytes more.
    pub(super) fn write_program(&self, more: usize) {
        let own = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\nPERFORM=\"$*\" exec '{}' --exact deployment::tests::ssh::the_other_end --ignored --nocapture\n",
            own.display()
        );
        let mut bytes = script.into_bytes();
        bytes.resize(bytes.len() + more, b'#');
        std::fs::write(self.at("program"), bytes).unwrap();
        std::fs::set_permissions(self.at("program"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn starts(&mut self) {
        let (folder, port) = (self.folder.path().display(), self.port);
        self.write(
            "sshd",
            &format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nPidFile none\nStrictModes no\n\
                 UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
                 MaxStartups 100\nMaxSessions 100\nSetEnv HOME={folder}/home\n"
            ),
        );
        if rustix::process::getuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let sshd =
            ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let log = std::fs::File::create(self.at("sshd.log")).unwrap();
        let sshd = Command::new(sshd.expect("sshd is installed"))
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(self.at("sshd"))
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn();
        self.sshd = Some(sshd.unwrap());
        eventually("sshd", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Nobody listens any more; connections that are there go on.
    pub(super) fn ends(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }

    pub(super) fn config(&self) -> String {
        self.at("config").display().to_string()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.at("home/srv/shop/.orchestrate")
    }

    pub(super) fn target(&self) -> Value {
        json!({ "kind": "ssh", "hosts": [self.name], "folder": "srv/shop", "config": self.config() })
    }

    /// A checkout whose program is brought.
    pub(super) fn desk(&self) -> Desk {
        let mut desk = Desk::new();
        desk.supervisor = Some(Supervisor::new(self.at("program")));
        desk.env.push(("USER".into(), "ada".into()));
        desk
    }

    /// Processes of connections: what sshd started for them, or the program at their ends.
    pub(super) fn processes(&self, of: &str) -> Vec<u32> {
        let home = self.at("home").display().to_string();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let read = |pid: u32, file: &str| {
            String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default())
                .into_owned()
        };
        let ours: Vec<u32> = pids
            .filter(|pid| {
                let (environ, cmdline) = (read(*pid, "environ"), read(*pid, "cmdline"));
                environ.contains(&home)
                    && environ.contains("PERFORM=perform\0")
                    && cmdline.contains("the_other_end")
            })
            .collect();
        if of == "perform" {
            return ours;
        }
        // The parent of the program, or of the shell that became it.
        let parent = |pid: u32| {
            let stat = read(pid, "stat");
            stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
        };
        ours.into_iter().filter_map(parent).collect()
    }

    pub(super) fn asking(&self, desk: &Desk) -> Asking {
        Asking { root: desk.folder.path().into(), env: desk.env.clone(), program: Some(self.at("program")) }
    }

    /// Version and address of what is current there and alive.
    pub(super) fn current(&self) -> Option<(String, String)> {
        let all = ops::deployments(&self.state()).unwrap();
        let found = all.into_iter().find(|found| found.role == ops::Role::Current && found.alive)?;
        Some((found.version.to_string(), found.url))
    }

    pub(super) fn alive(&self) -> Vec<String> {
        let all = ops::deployments(&self.state()).unwrap().into_iter().filter(|found| found.alive);
        all.map(|found| found.version.to_string()).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        ops::closed(&self.config());
        let stopped = ops::stop_all(&self.state());
        self.ends();
        for pid in self.processes("sshd").into_iter().chain(self.processes("perform")) {
            signal(pid, Signal::KILL);
        }
        if !std::thread::panicking() {
            stopped.unwrap();
        }
    }
}

pub(super) fn signal(pid: u32, signal: Signal) {
    // It may have ended this moment.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}
