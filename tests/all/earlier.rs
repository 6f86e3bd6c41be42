//! Deployments of earlier versions of the program: what they left is read, gone on with and taken back by this one.
//!
//! `fixtures/deployed-N` is a pipeline and the state folder of a program that deployed 1.0.0, began to deploy 2.0.0 and was killed, as that program
//! wrote them: 1 before there were claims, proxies and watches (killed when 2.0.0 had started), 2 with all of them, in the middle of the first watch. Marks
//! stand for what differs from machine to machine. All processes are gone, as after a reboot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;

use orchestrator_core::path::Digest;
use orchestrator_core::plan::Plan;
use serde_json::Value;

use super::deploying::{ask, current, folder, json};
use super::support::{Folder, PROGRAM};

/// What an earlier program left.
struct Left {
    folder: Folder,
    /// Where its proxy listens, if it has one.
    proxy: u16,
    /// What each mark, or name of then, is here.
    words: BTreeMap<String, String>,
}

impl Left {
    fn by(name: &str) -> Self {
        let folder = folder();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let app = fs::read(folder.path().join("app")).unwrap();
        let mut ports = BTreeSet::new();
        while ports.len() < 3 {
            ports.extend(orchestrator_traffic::ports::pick());
        }
        let ports = Vec::from_iter(ports);
        let mut words = BTreeMap::from([
            ("@ROOT@".to_owned(), folder.path().canonicalize().unwrap().display().to_string()),
            ("@PROGRAM@".to_owned(), PROGRAM.to_owned()),
            ("@PROXY@".to_owned(), ports[0].to_string()),
            ("@PORT1@".to_owned(), ports[1].to_string()),
            ("@PORT2@".to_owned(), ports[2].to_string()),
            ("@APP@".to_owned(), Digest::of(&app).to_string()),
        ]);
        // Services are found by the ids of their runs, on the whole machine.
        let unlike = RandomState::new().build_hasher().finish() & 0xf_ffff;
        for run in fs::read_dir(from.join("state/runs")).unwrap() {
            let run = run.unwrap().file_name().into_string().unwrap();
            if let Some((begin, _)) = run.split_at_checked(18).filter(|_| !run.starts_with('.')) {
                words.insert(run.clone(), format!("{begin}{unlike:05x}"));
            }
        }
        let mut left = Self { folder, proxy: ports[0], words };
        left.folder.write(
            "orchestration.yaml",
            &left.said(&fs::read_to_string(from.join("orchestration.yaml")).unwrap()),
        );
        left.lay(&from.join("state"), ".orchestrate");
        left
    }

    /// A text of then as it is said here.
    fn said(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (mark, word)| text.replace(mark, word))
    }

    /// Lays out a folder. The plan of a run comes before its journal, which has the plan's digest; a release is given its program.
    fn lay(&mut self, from: &Path, to: &str) {
        let mut names: Vec<_> = fs::read_dir(from)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_by_key(|name| name != "plan.json");
        for name in names {
            let (from, to) = (from.join(&name), format!("{to}/{}", self.said(&name)));
            if from.is_dir() {
                self.lay(&from, &to);
                continue;
            }
            let text = self.said(&fs::read_to_string(&from).unwrap());
            if name == "plan.json" {
                let plan: Plan = serde_json::from_str(&text).unwrap();
                self.words.insert("@PLAN@".to_owned(), plan.digest().to_string());
            }
            self.folder.write(&to, &text);
            if name == "release.json" {
                let app = self.folder.path().join(&to).with_file_name("app");
                assert!(
                    Command::new("cp")
                        .arg(self.folder.path().join("app"))
                        .arg(app)
                        .status()
                        .unwrap()
                        .success()
                );
            }
        }
    }

    /// The run that was killed.
    fn run(&self) -> String {
        self.words.iter().rfind(|(name, _)| name.starts_with("2026")).unwrap().1.clone()
    }

    /// What clients of the proxy get.
    fn served(&self) -> String {
        ask(self.proxy).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    /// Version and verdict of each end that the history tells, the newest first.
    fn ends(&self) -> Vec<(String, String)> {
        let told = json(&self.folder, "deploy history --environment production");
        let lines =
            told["environments"][0]["deployments"].as_array().unwrap_or_else(|| panic!("{told}")).clone();
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        lines.iter().map(|line| (text(line, "version"), text(line, "verdict"))).collect()
    }
}

#[test]
fn what_an_earlier_program_left_is_read() {
    for name in ["deployed-1", "deployed-2"] {
        let left = Left::by(name);
        let status = json(&left.folder, "deploy status");
        let services = status["environments"][0]["services"].as_array().unwrap();
        let told: Vec<_> = services.iter().map(|service| (&service["version"], &service["alive"])).collect();
        assert_eq!(
            told,
            [(&"1.0.0".into(), &false.into()), (&"2.0.0".into(), &false.into())],
            "{name}: {status}"
        );
        left.folder.orchestrate("deploy history").exits(0).says(&["1.0.0"]);
        left.folder.orchestrate("runs").exits(0).says(&[&left.run(), "passed"]);
        left.folder.orchestrate(&format!("status {}", left.run())).exits(0).says(&["deploy-production"]);
        left.folder.orchestrate(&format!("logs {}", left.run())).exits(0);
    }
}

#[test]
fn a_recording_of_earlier_rules_is_not_taken_for_a_wrong_one() {
    let left = Left::by("deployed-2");
    let recordings = left.folder.path().join(".orchestrate/deploy/production/watch");
    for recording in fs::read_dir(recordings).unwrap() {
        let path = recording.unwrap().path().display().to_string();
        left.folder
            .orchestrate(&format!("deploy replay {path}"))
            .exits(0)
            .says(&["with other rules: the same verdicts"]);
    }
}

/// It had started, and nothing else: its process is gone, so it never gets to be the current one.
#[test]
fn a_deployment_that_an_earlier_program_began_ends_with_the_version_that_counts() {
    let left = Left::by("deployed-1");
    let said = left.folder.orchestrate(&format!("resume {}", left.run())).exits(1);
    said.says(&["2.0.0 was not deployed"]);
    let status = json(&left.folder, "deploy status");
    assert_eq!(status["environments"][0]["services"][0]["version"], "1.0.0", "{status}");
    // Nobody started it again after the reboot; that is asked for, or comes with the next deployment.
    left.folder.orchestrate("deploy switch 1.0.0").exits(0).says(&["production: 1.0.0 has all traffic"]);
    assert_eq!(current(&left.folder), "1.0.0");
    left.folder.orchestrate("deploy stop").exits(0);
}

/// In the middle of the watch, with its proxy, its supervisor and both versions gone.
#[test]
fn a_watch_that_an_earlier_program_began_goes_back() {
    let left = Left::by("deployed-2");
    let said = left.folder.orchestrate(&format!("resume {}", left.run())).exits(1);
    said.says(&["2.0.0 was rolled back: ", "1.0.0 has all traffic again"]);
    assert_eq!((current(&left.folder), left.served()), ("1.0.0".into(), "hello from 1.0.0".into()));
    let ends = left.ends();
    let ends: Vec<_> = ends.iter().map(|(version, verdict)| format!("{version} {verdict}")).collect();
    assert_eq!(ends, ["2.0.0 rolled back", "1.0.0 promoted"]);
    assert!(!left.folder.path().join(".orchestrate/deploy/production/claim.json").exists());
    // The next one begins from there.
    left.folder.orchestrate("deploy rollback").exits(2);
    left.folder.orchestrate("deploy stop").exits(0);
}

/// Nobody resumes it: one command goes back, and the run that is resumed after all changes nothing of that.
#[test]
fn a_rollback_needs_no_resumed_run_of_an_earlier_program() {
    for name in ["deployed-1", "deployed-2"] {
        let left = Left::by(name);
        left.folder.orchestrate("deploy rollback").exits(0).says(&["production: 1.0.0 has all traffic"]);
        let serves = || {
            let service = json(&left.folder, "deploy status")["environments"][0]["services"][0].take();
            assert_eq!((&service["version"], &service["alive"]), (&"1.0.0".into(), &true.into()), "{name}");
        };
        serves();
        left.folder.orchestrate(&format!("resume {}", left.run())).exits(1);
        serves();
        left.folder.orchestrate("deploy stop").exits(0);
    }
}

/// What undoes the run that was killed is in its journal.
#[test]
fn a_run_of_an_earlier_program_is_taken_back() {
    let left = Left::by("deployed-2");
    let shown = left.folder.orchestrate(&format!("rollback {} --dry-run", left.run())).exits(3);
    shown.says(&["switch-traffic", "stop-service", "release-environment"]);
    let left = Left::by("deployed-1");
    left.folder.orchestrate(&format!("rollback {} --yes", left.run())).exits(0);
    let status = json(&left.folder, "deploy status");
    let services = status["environments"][0]["services"].as_array().unwrap();
    assert_eq!((services.len(), &services[0]["version"]), (1, &"1.0.0".into()), "{status}");
}
