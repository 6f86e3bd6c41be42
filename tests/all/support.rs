//! What the tests share: the program, folders that clean up after themselves, and a look at processes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take. Nothing is asserted about time; this only ends what hangs.
pub(crate) const LONG: Duration = Duration::from_mins(10);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate-under-test");

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        let said = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!said.err.contains("panicked at"), "{}", said.err);
        said
    }

    /// The same, after checking the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// The same, after checking that standard output or error has all of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            let there = self.out.contains(word) || self.err.contains(word);
            assert!(there, "`{word}` is missing\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        }
        self
    }

    /// Every line of standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(line).collect()
    }
}

/// A folder of its own for a test; what runs on in it is ended with it, also when the test fails.
pub(crate) struct Folder {
    temp: tempfile::TempDir,
}

impl Drop for Folder {
    fn drop(&mut self) {
        end_all(self.path());
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { temp: tempfile::Builder::new().prefix("orchestrate-e2e-").tempdir().unwrap() }
    }

    /// With a pipeline file.
    pub(crate) fn with(pipeline: &str) -> Self {
        let folder = Self::new();
        folder.write("orchestration.yaml", pipeline);
        folder
    }

    /// A git repository with one commit of a pipeline file.
    pub(crate) fn git(pipeline: &str) -> Self {
        let folder = Self::with(pipeline);
        git(folder.path(), &["init", "-q", "-b", "main"]);
        for (key, value) in [("user.name", "t"), ("user.email", "t@example.invalid")] {
            git(folder.path(), &["config", key, value]);
        }
        git(folder.path(), &["add", "-A"]);
        git(folder.path(), &["commit", "-q", "-m", "feat: first"]);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The program with these arguments, separated by spaces, here.
    pub(crate) fn program(&self, args: &str) -> Command {
        program(self.path(), args.split_whitespace())
    }

    /// Runs the program to its end.
    pub(crate) fn orchestrate(&self, args: &str) -> Said {
        output(self.program(args))
    }

    /// Files and their bytes, without git's own, the state folder and build folders.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(self.path(), &mut files);
        files
    }

    /// The journal of the latest run.
    pub(crate) fn journal(&self) -> PathBuf {
        let mut runs: Vec<_> = fs::read_dir(self.path().join(".orchestrate/runs"))
            .unwrap()
            .map(|run| run.unwrap().path())
            .collect();
        runs.sort();
        runs.pop().expect("there is a run").join("journal.jsonl")
    }
}

fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if [".git", ".orchestrate", "target"].map(OsStr::new).contains(&name) {
            continue;
        }
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            walk(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// The program with an environment that no machine changes.
pub(crate) fn program<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(dir).stdin(Stdio::null());
    let ours = |name: &str| {
        ["ORCHESTRAT", "ENABLE_", "DEPLOY_TO_", "GITHUB_", "GIT_"].iter().any(|known| name.starts_with(known))
            || ["CI", "LOG_LEVEL", "NO_COLOR", "CLICOLOR_FORCE", "CARGO_TARGET_DIR"].contains(&name)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end; one that hangs is killed.
pub(crate) fn output(mut command: Command) -> Said {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ended(child)
}

/// What a process printed, once it has ended.
pub(crate) fn ended(mut child: Child) -> Said {
    fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.map(|mut stream| stream.read_to_end(&mut bytes));
            bytes
        })
    }
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = wait(&mut child);
    Said::new(Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() })
}

fn wait(child: &mut Child) -> ExitStatus {
    let from = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if from.elapsed() > LONG {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let from = Instant::now();
    while !holds() {
        assert!(from.elapsed() < LONG, "{what}: it never came to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What git prints.
#[track_caller]
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let done = Command::new("git").current_dir(dir).args(args).output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Answer of a service on loopback.
#[track_caller]
pub(crate) fn get(url: &str, path: &str) -> Value {
    let address = url.strip_prefix("http://").expect("a service on loopback");
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{url}: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A variable of a process.
fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = environment.split(|byte| *byte == 0).find_map(|variable| {
        variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec)
    })?;
    String::from_utf8(variable).ok()
}

fn stands_in(pid: u32, folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder))
}

/// Processes that work in a folder.
pub(crate) fn inside(folder: &Path) -> Vec<u32> {
    pids().filter(|pid| stands_in(*pid, folder)).collect()
}

/// Processes that were given a path in a folder: supervisors, which work in the root folder, among them.
pub(crate) fn naming(folder: &Path) -> Vec<u32> {
    let folders = [folder.to_owned(), folder.canonicalize().unwrap_or_else(|_| folder.to_owned())];
    let named = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let tag = variable(*pid, "ORCHESTRATE_SERVICE").unwrap_or_default();
        let mut texts = words.split(|byte| *byte == 0).map(String::from_utf8_lossy).chain([tag.into()]);
        texts.any(|text| folders.iter().any(|folder| is_in(&text, folder)))
    };
    pids().filter(|pid| *pid != std::process::id()).filter(named).collect()
}

fn is_in(text: &str, folder: &Path) -> bool {
    let folder = folder.to_str().unwrap_or_default();
    text.match_indices(folder).any(|(at, _)| {
        let next = text[at + folder.len()..].chars().next();
        next.is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// Ends all that works in a folder or was given a path in it, whatever became of its records. First those that would start the others
/// again.
fn end_all(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut all = naming(folder);
        all.sort_by_key(|pid| !is_supervisor(*pid));
        all.extend(inside(folder));
        if all.is_empty() || Instant::now() >= until {
            return;
        }
        for pid in all {
            kill(pid, rustix::process::Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_supervisor(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|word| word == b"supervise")
}

/// The services that run in a folder: what they carry, `ENV/VERSION/ORDER`.
pub(crate) fn services(folder: &Path) -> Vec<String> {
    let service = |pid| variable(pid, "ORCHESTRATE_SERVICE").filter(|_| stands_in(pid, folder));
    let mut services: Vec<String> = pids().filter_map(service).collect();
    services.sort();
    services
}

/// The commands of runs that are there still: what they carry, `STATE:RUN/ORDER`.
pub(crate) fn commands(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap().display().to_string();
    let order = |pid| variable(pid, "ORCHESTRATE_ORDER").filter(|order| order.starts_with(&folder));
    pids().filter_map(order).collect()
}
