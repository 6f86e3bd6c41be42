//! Checks against real tools and real faults; fake programs where a machine has to be old or broken.

mod dependencies;
mod draft;
mod lockfile;
mod platform;
mod remedies;
mod tool;
mod venv;

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use orchestrator_core::action::{Action, Call, CommandLine, Content, EnvValue, Run};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::outcome::Failure;
use orchestrator_core::testkit::{Kept, done, task};

use crate::backup::ops::ClearPaths;
use crate::rig::Rig;

/// A machine with its own `PATH`, and a checkout on it.
pub(super) struct Machine {
    pub(super) rig: Rig,
    kept: Kept,
    /// What the next question is answered with; none for as long as nobody answers.
    pub(super) answer: Option<serde_json::Value>,
}

/// What a check came to: its rounds as people see them, and how it ended.
pub(super) struct Came<O> {
    pub(super) rounds: Vec<Vec<String>>,
    pub(super) verdict: Verdict<O>,
}

impl Machine {
    /// With what the machine of the tests has.
    pub(super) fn new() -> Self {
        let machine = Self { rig: Rig::new(), kept: Kept::default(), answer: None };
        std::fs::create_dir(machine.bin()).unwrap();
        let mut machine = machine;
        let path = format!("{}:{}", machine.bin().display(), std::env::var("PATH").unwrap());
        machine.set("PATH", &path);
        // Toolchains and caches of the machine.
        for name in ["RUSTUP_HOME", "CARGO_HOME"] {
            let home = std::env::var(name).ok();
            let default = format!(
                "{}/.{}",
                std::env::var("HOME").unwrap(),
                if name == "CARGO_HOME" { "cargo" } else { "rustup" }
            );
            machine.set(name, &home.unwrap_or(default));
        }
        machine
    }

    /// With git, a shell and what it is given, and nothing else.
    pub(super) fn bare() -> Self {
        let mut machine = Self::new();
        for name in ["git", "sh"] {
            let found =
                Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap().stdout;
            let found = String::from_utf8(found).unwrap();
            std::os::unix::fs::symlink(found.trim(), machine.bin().join(name)).unwrap();
        }
        let path = machine.bin().display().to_string();
        machine.set("PATH", &path);
        machine
    }

    fn bin(&self) -> PathBuf {
        self.rig.home.join("bin")
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.rig.env.retain(|(known, _)| known != name);
        self.rig.env.push((name.into(), value.into()));
    }

    /// A program that is a shell script.
    pub(super) fn program(&self, name: &str, script: &str) {
        let path = self.bin().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Takes a check through its rounds, as a run would.
    pub(super) async fn check<A: Agent>(&mut self, agent: A, config: A::Config) -> Came<A::Output>
    where
        A::Config: Clone,
    {
        let look = self.rig.look();
        let mut task: Task<A::Config> = task(config);
        task.carried = agent.survey(&task, &look).await.unwrap();
        let mut actions = agent.plan(&task, &look).await.unwrap();
        let mut rounds = Vec::new();
        loop {
            rounds.push(actions.iter().map(ToString::to_string).collect());
            let mut receipts = Vec::new();
            for action in &actions {
                let receipt = self.perform(action).await;
                let goes_on = receipt.ok() || action.keeps_going();
                // As in a journal.
                let text = serde_json::to_string(&receipt).unwrap();
                receipts.push(serde_json::from_str(&text).unwrap());
                if !goes_on {
                    break;
                }
            }
            let verdict = agent.conclude(&task, &receipts, &Artifacts::new(&self.kept)).unwrap();
            assert!(rounds.len() < 5, "{rounds:?}");
            match verdict {
                Verdict::More { actions: next, carried } => (actions, task.carried) = (next, carried),
                verdict => return Came { rounds, verdict },
            }
        }
    }

    async fn perform(&mut self, action: &Action) -> Receipt {
        match action {
            Action::Run(run) => self.command(run),
            Action::Write(write) => {
                std::fs::write(write.path.under(&self.rig.root), write.content.bytes().unwrap()).unwrap();
                Receipt::new(Status::Done)
            }
            Action::Call(Call { operation, input, .. }) => {
                assert_eq!(operation.as_str(), ClearPaths::NAME);
                match self.rig.call(ClearPaths, input.parse().unwrap()).await {
                    Ok(cleared) => done(cleared),
                    Err(error) => Receipt::failed(Failure::new(error.to_string()), false),
                }
            }
            Action::Await(_) => {
                let mut receipt = Receipt::new(Status::Done);
                receipt.output = Json::of(&self.answer.clone().expect("nobody is asked")).unwrap();
                receipt
            }
            Action::Remove(_) => panic!("{action}"),
        }
    }

    fn command(&mut self, run: &Run) -> Receipt {
        let CommandLine::Argv(argv) = &run.command else { panic!("checks run no shell") };
        let path = self.rig.env.iter().find(|(name, _)| name == "PATH").unwrap().1.clone();
        let cwd = run.cwd.under(&self.rig.root);
        let program = if argv[0].contains('/') {
            Some(cwd.join(&argv[0])).filter(|program| program.exists())
        } else {
            std::env::split_paths(&path).map(|folder| folder.join(&argv[0])).find(|program| program.exists())
        };
        let Some(program) = program else {
            return Receipt::failed(Failure::new(format!("`{}` was not found on PATH", argv[0])), false);
        };
        let mut command = Command::new(program);
        command.args(&argv[1..]).current_dir(cwd).env_clear();
        command.envs(self.rig.env.iter().map(|(name, value)| (name, value)));
        for (name, value) in &run.env {
            let EnvValue::Plain(value) = value else { panic!("checks have no secrets") };
            command.env(name, value);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Receipt::failed(Failure::new(error.to_string()), false),
        };
        let stdin = run.stdin.as_ref().and_then(Content::bytes).unwrap_or_default();
        // A program may end without reading what it is given.
        let _ = child.stdin.take().unwrap().write_all(&stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.kept.exited(output.status.code().unwrap_or(-1), &text(&output.stdout), &text(&output.stderr))
    }
}

impl<O: serde::Serialize> Came<O> {
    /// How it ended as text: what people see, then metrics and findings.
    pub(super) fn text(&self) -> String {
        let (word, summary, metrics, findings, output) = match &self.verdict {
            Verdict::Passed(c) => {
                ("passed", &c.summary, &c.metrics, &c.findings, serde_json::to_string(&c.output).unwrap())
            }
            Verdict::Failed(c) => ("failed", &c.summary, &c.metrics, &c.findings, String::new()),
            Verdict::Skipped(_) | Verdict::More { .. } => unreachable!(),
        };
        let mut text = format!("{word}: {summary}\n");
        if !output.is_empty() {
            writeln!(text, "output {output}").unwrap();
        }
        for metric in metrics {
            assert!(metric.evidence.command.is_some(), "{metric:?}");
            writeln!(text, "{} = {}", metric.name, metric.value).unwrap();
        }
        for f in findings {
            let place = f.file.as_ref().map(|file| format!("{file} ")).unwrap_or_default();
            writeln!(text, "{:?} {} {place}{}", f.severity, f.rule, f.message).unwrap();
        }
        text
    }

    #[track_caller]
    pub(super) fn passes(self) -> Self {
        assert!(matches!(self.verdict, Verdict::Passed(_)), "{}\n{:#?}", self.text(), self.rounds);
        self
    }

    #[track_caller]
    pub(super) fn fails(self) -> Self {
        assert!(matches!(self.verdict, Verdict::Failed(_)), "{}\n{:#?}", self.text(), self.rounds);
        self
    }

    #[track_caller]
    pub(super) fn says(self, words: &[&str]) -> Self {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "`{word}` is missing: {text}\n{:#?}", self.rounds);
        }
        self
    }
}

/// Whether the machine has a program; a test of a tool that is not there says so and ends.
pub(super) fn has(program: &str) -> bool {
    let has = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("not run: `{program}` is not installed");
    }
    has
}
