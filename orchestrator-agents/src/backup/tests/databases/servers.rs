//! Servers of databases for tests: in folders of their own, on loopback, ended with the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// A program that runs; it goes with all that it started, also when the test fails.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().unwrap())
    }

    pub(super) fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    pub(super) fn kill(&mut self) {
        let group = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server that answers.
pub(crate) struct Server {
    pub(super) process: Running,
    pub(super) folder: TempDir,
    pub(crate) port: u16,
}

impl Server {
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    pub(crate) fn postgres() -> Self {
        let _alone = alone();
        let folder = owned_by("postgres");
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, super::postgres::PASSWORD).unwrap();
        chown(&password, "postgres");
        let mut init = user("postgres", &postgres_tool("initdb"));
        init.args([
            "--no-sync",
            "--username=admin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        done(init.arg("--pwfile").arg(&password).arg("-D").arg(&data));
        let port = free_port();
        let mut server = user("postgres", &postgres_tool("postgres"));
        server
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p", &port.to_string(), "-D"])
            .arg(&data);
        server.arg("-c").arg(format!("unix_socket_directories={}", folder.path().display()));
        Self { process: Running::start(&mut server), folder, port }
    }

    pub(super) fn mariadb() -> Self {
        let _alone = alone();
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        // In a folder that it shares, a server removes temporary tables of others when it starts.
        let mut init = Command::new("mariadb-install-db");
        init.env("TMPDIR", folder.path());
        init.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        init.arg(format!("--datadir={}", data.display())).args(as_root());
        done(&mut init);
        let port = free_port();
        let mut server = Command::new(tool("mariadbd", "/usr/sbin/mariadbd"));
        server.env("TMPDIR", folder.path());
        server.args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
        ]);
        server.arg(format!("--datadir={}", data.display())).arg(format!("--port={port}")).args(as_root());
        server.arg(format!("--socket={}", folder.path().join("s.sock").display()));
        server.arg(format!("--pid-file={}", folder.path().join("pid").display()));
        Self { process: Running::start(&mut server), folder, port }
    }
}

/// One server is set up at a time: each takes much memory for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until something holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: waited in vain");
}

pub(super) fn free_port() -> u16 {
    orchestrator_traffic::ports::pick().unwrap()
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn as_root() -> Option<&'static str> {
    is_root().then_some("--user=root")
}

/// A command as another user, where this one is root: PostgreSQL refuses to run as root.
fn user(name: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={name}"), &format!("--regid={name}"), "--clear-groups"]).arg(program);
    command.current_dir("/");
    command
}

fn owned_by(name: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    chown(folder.path(), name);
    folder
}

fn chown(path: &Path, name: &str) {
    if is_root() {
        done(Command::new("chown").arg(name).arg(path));
    }
}

/// A tool of the newest PostgreSQL; Debian keeps those of servers off PATH.
fn postgres_tool(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

/// A tool on PATH, or where Debian puts it.
fn tool(name: &str, there: &str) -> PathBuf {
    if Path::new(there).is_file() { there.into() } else { name.into() }
}
