//! `observe`, against a real service and a stand-in for the proxy that keeps to its protocol.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{self, Receiver, Sender};

use orchestrator_traffic::protocol::{Counts, Request, Response, VersionCounts};

use super::*;
use crate::deployment::analysis::{
    Decision, Guards, Recording, RecordingError, Sample, Traffic, Verdict, WatchConfig, Watcher,
};
use crate::deployment::ops::{Observe, ObserveInput, RecordDecision, StartService};

/// Answers one question on the control socket with each text that it is given; ends when it is dropped.
struct Proxy {
    answers: Option<Sender<String>>,
    asked: Receiver<String>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    fn new(desk: &Desk) -> Self {
        let folder = desk.state().join("deploy/production/proxy");
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("control.sock");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let (answers, texts) = mpsc::channel::<String>();
        let (tell, asked) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for text in texts {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
                tell.send(line).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
            }
        });
        Self { answers: Some(answers), asked, thread: Some(thread) }
    }

    fn answer(&self, text: String) {
        self.answers.as_ref().unwrap().send(text).unwrap();
    }

    fn count(&self, at_ms: u64, new: (u64, u64), old: u64) {
        let of = |version: &str, requests, errors| VersionCounts {
            route: "main".into(),
            version: version.into(),
            requests,
            errors,
            gateway: 0,
            latency: vec![(20_000, requests)],
            ..VersionCounts::default()
        };
        let versions = vec![of("new", new.0, new.1), of("old", old, 0), of("other", 9, 9)];
        let counts = Response::Counts(Counts { boot: "b".into(), at_ms, versions });
        self.answer(serde_json::to_string(&counts).unwrap() + "\n");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.answers = None;
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap();
        }
    }
}

/// A service that was started, as `observe` is told of it.
fn input(desk: &Desk, mode: &str) -> ObserveInput {
    let started = desk.call(StartService::default(), start("0.2.0", mode), &key(1, 0, 0)).unwrap();
    serde_json::from_value(json!({
        "new": { "environment": "production", "release": "new", "process": started["process"] },
        "url": started["url"],
        "version": "0.2.0",
        "old": "old",
        "route": "main",
        "health": { "json": { "/status": "healthy" }, "version": "/version" },
        "probes": [
            { "name": "change", "method": "POST", "path": "/hello" },
            { "name": "hello", "path": "/hello", "expect": { "contains": "hello from" } },
            { "name": "nothing", "path": "/nowhere" },
        ],
        "look": 0,
        "config": { "seconds": 60 },
    }))
    .unwrap()
}

fn observe(desk: &Desk, input: &ObserveInput) -> Sample {
    let output = desk.call(Observe, serde_json::to_value(input).unwrap(), &key(1, 5, 0)).unwrap();
    serde_json::from_value(output).unwrap()
}

fn recording(desk: &Desk) -> PathBuf {
    desk.state().join("deploy/production/watch/new.jsonl")
}

#[test]
fn a_look_sees_traffic_health_probes_and_the_process() {
    let desk = Desk::new();
    let mut input = input(&desk, "");
    let proxy = Proxy::new(&desk);
    proxy.count(1500, (7, 2), 300);
    let sample = observe(&desk, &input);
    assert_eq!(proxy.asked.recv().unwrap(), serde_json::to_string(&Request::Counts).unwrap() + "\n");
    let Traffic::Counted(counted) = &sample.traffic else { panic!("{sample:?}") };
    assert_eq!((counted.new.requests, counted.new.errors, counted.at_ms), (7, 2, 1500));
    assert_eq!(counted.old.as_ref().unwrap().requests, 300);
    assert_eq!(sample.health.as_ref().unwrap().wrong, None, "{sample:?}");
    let life = sample.process.as_ref().unwrap();
    assert!(life.alive && life.rss_kib.unwrap() > 0 && !life.supervised, "{life:?}");
    // Probes go round among those that only read.
    let mut probed = vec![sample.probe.unwrap()];
    for look in 1..3 {
        proxy.count(2000, (7, 2), 300);
        input.look = look;
        probed.push(observe(&desk, &input).probe.unwrap());
    }
    let names: Vec<&str> = probed.iter().map(|probe| probe.what.as_str()).collect();
    assert_eq!(names, ["hello", "nothing", "hello"]);
    assert!(probed[0].wrong.is_none() && probed[1].wrong.is_some(), "{probed:?}");
}

#[test]
fn what_cannot_be_seen_is_part_of_the_look() {
    let desk = Desk::new();
    let mut input = input(&desk, "");
    // Nobody answers; then garbage, a refusal, another answer, half an answer.
    let unanswered = |sample: &Sample| match &sample.traffic {
        Traffic::Unanswered { why } => why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(unanswered(&observe(&desk, &input)).starts_with("the proxy could not be asked"));
    let proxy = Proxy::new(&desk);
    for (text, why) in [
        ("no\n", "the proxy could not be asked"),
        ("{\"is\":\"refused\",\"why\":\"busy\"}\n", "busy"),
        ("{\"is\":\"done\"}\n", "the proxy answered another question"),
        ("{\"is\":", "the proxy could not be asked"),
    ] {
        proxy.answer(text.into());
        let sample = observe(&desk, &input);
        assert!(unanswered(&sample).starts_with(why), "{sample:?}");
        assert_eq!(sample.health.unwrap().wrong, None);
    }
    // Without a route there is no proxy to ask.
    input.route = None;
    assert_eq!(observe(&desk, &input).traffic, Traffic::Unseen);
    // Killed: its process is gone, its health check and its probe fail.
    ops::stop_all(&desk.state()).unwrap();
    let sample = observe(&desk, &input);
    assert!(!sample.process.as_ref().unwrap().alive);
    assert!(sample.health.unwrap().wrong.is_some() && sample.probe.unwrap().wrong.is_some());
}

/// A watch as the deploy agent leads it: looks, decisions carried to the next look, the last one kept by an operation of its own.
#[test]
fn a_watch_is_recorded_and_decides_the_same_again() {
    let desk = Desk::new();
    let mut input = input(&desk, "");
    input.probes.clear();
    let config = WatchConfig { seconds: 60.0.try_into().unwrap(), warm_up: 0, ..WatchConfig::default() };
    input.config = Some(config.clone());
    let proxy = Proxy::new(&desk);
    let mut watcher = Watcher::new(&config);
    let mut decisions: Vec<Decision> = Vec::new();
    let mut bad = 0;
    for look in 0..9_u64 {
        bad += if look > 4 { 20 } else { 0 };
        let counts = (look * 20, bad);
        proxy.count(look * 1000, counts, 900);
        observe(&desk, &input);
        if look == 3 {
            // Killed while it wrote: the end of the line is not there, and the look is taken again.
            let text = std::fs::read_to_string(recording(&desk)).unwrap();
            std::fs::write(recording(&desk), &text[..text.len() - 30]).unwrap();
            proxy.count(look * 1000, counts, 900);
            observe(&desk, &input);
        }
        // What the journal has is what was recorded.
        let text = std::fs::read_to_string(recording(&desk)).unwrap();
        let mut read = Recording::read(&text).unwrap();
        let sample = read.samples.pop().unwrap();
        let decision = watcher.look(&sample);
        let carried = serde_json::to_string(&watcher).unwrap();
        watcher = serde_json::from_str(&carried).unwrap();
        input = input.after(&watcher, decision.clone());
        decisions.push(decision);
        std::thread::sleep(Duration::from_secs(1));
        if decisions.last().unwrap().verdict == Verdict::RollBack {
            break;
        }
    }
    let last = decisions.last().unwrap();
    assert_eq!(last.verdict, Verdict::RollBack, "{last:?}");
    let keep = json!({
        "environment": "production", "release": "new", "look": decisions.len() - 1, "decision": last,
    });
    desk.call(RecordDecision, keep.clone(), &key(1, 6, 0)).unwrap();
    // Repeated after a crash it is the same.
    desk.call(RecordDecision, keep, &key(1, 6, 0)).unwrap();
    let text = std::fs::read_to_string(recording(&desk)).unwrap();
    let read = Recording::read(&text).unwrap();
    assert_eq!((read.torn, &read.config), (1, &config));
    let replay = read.replay(None);
    assert_eq!((replay.differs, replay.compared), (None, decisions.len()));
    for decision in &replay.decisions {
        assert!(text.contains(&serde_json::to_string(decision).unwrap()), "byte for byte");
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_told() {
    let desk = Desk::new();
    let mut input = input(&desk, "");
    input.route = None;
    std::fs::create_dir_all(recording(&desk)).unwrap();
    let sample = observe(&desk, &input);
    let why = sample.unrecorded.clone().unwrap();
    assert!(why.contains("could not be added to"), "{why}");
    let decision = Watcher::new(&WatchConfig::default()).look(&sample);
    assert!(decision.told[0].starts_with("this look is not in the recording: "), "{decision:?}");
    // A name that leads out of the folder is none.
    input.new.release = "../x".into();
    assert!(observe(&desk, &input).unrecorded.unwrap().contains("has no release `../x`"));
    assert!(!desk.state().join("deploy/production/x.jsonl").exists());
    assert_eq!(Recording::read("\n"), Err(RecordingError::NoConfig));
}

/// The block of the README shows every key, and what it is by default.
#[test]
fn the_readme_shows_the_defaults_of_a_watch() {
    let readme = include_str!("../../../../README.md");
    let block = readme.split("```yml\n").find(|block| block.starts_with("watch:\n")).expect("it has one");
    let block = block.split("\n```").next().unwrap();
    let shown: Value = serde_saphyr::from_str(block).unwrap();
    let config: WatchConfig = serde_json::from_value(shown["watch"].clone()).unwrap();
    // These have none by default.
    let said = WatchConfig {
        canary: vec![5, 25],
        max_hold: Some(1800.0.try_into().unwrap()),
        guards: Guards { rss_mb: Some(512), leak_mb_per_hour: Some(50), ..Guards::default() },
        ..WatchConfig::default()
    };
    assert_eq!(config, said);
    let schema = serde_json::to_value(schemars::schema_for!(WatchConfig)).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(key == "step_seconds" || shown["watch"].get(key).is_some(), "`{key}` is not shown");
    }
}
