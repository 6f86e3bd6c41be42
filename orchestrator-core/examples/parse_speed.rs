//! How fast pipeline files are parsed, and how that compares with plain JSON:
//! `cargo run --release -p orchestrator-core --example parse_speed`.

use std::fmt::Write as _;
use std::time::Instant;

use orchestrator_core::file::Format;
use orchestrator_core::pipeline::Pipeline;
use serde_json::{Value, json};

const TASKS: usize = 10_000;

fn yaml() -> String {
    let mut text = String::from(
        "version: 1\nphases:\n  - name: build_validation\n    groups:\n      - name: checks\n        tasks:\n",
    );
    for n in 0..TASKS {
        write!(
            text,
            "          - id: task-{n}
            run: [cargo, test, --package, crate-{n}]
            effect: reads
            inputs: [\"crates/{n}/src/**/*.rs\", Cargo.toml]
            outputs: [\"target/report-{n}.json\"]
            env: {{RUST_LOG: info, TOKEN: {{secret: CI_TOKEN}}}}
            timeout: 10m
            retry: {{attempts: 3, delay: 1s}}
            priority: high
            tags: [quick]
            description: Runs the tests of crate number {n} and keeps the report.
"
        )
        .expect("a string takes everything");
    }
    text
}

fn json() -> String {
    let task = |n: usize| {
        json!({
            "id": format!("task-{n}"),
            "run": ["cargo", "test", "--package", format!("crate-{n}")],
            "effect": "reads",
            "inputs": [format!("crates/{n}/src/**/*.rs"), "Cargo.toml"],
            "outputs": [format!("target/report-{n}.json")],
            "env": { "RUST_LOG": "info", "TOKEN": { "secret": "CI_TOKEN" } },
            "timeout": "10m",
            "retry": { "attempts": 3, "delay": "1s" },
            "priority": "high",
            "tags": ["quick"],
            "description": format!("Runs the tests of crate number {n} and keeps the report."),
        })
    };
    let tasks: Vec<Value> = (0..TASKS).map(task).collect();
    let groups = json!([{ "name": "checks", "tasks": tasks }]);
    let phases = json!([{ "name": "build_validation", "groups": groups }]);
    json!({ "version": 1, "phases": phases }).to_string()
}

/// The best of several rounds, in seconds: others use the machine too.
fn best(mut work: impl FnMut()) -> f64 {
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..15).map(|_| round(&mut work)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let (yaml, json) = (yaml(), json());
    let parse = |text: &str, format| Pipeline::parse(text, format, "speed").expect("the file is right");
    let of_yaml = parse(&yaml, Format::Yaml);
    assert_eq!(of_yaml.phases[0].groups[0].tasks.len(), TASKS);
    let plain = best(|| drop(serde_json::from_str::<Value>(&json).expect("the file is right")));
    println!("plain JSON value: {:6.1} MB/s", json.len() as f64 / 1e6 / plain);
    for (name, text, format) in [("YAML", &yaml, Format::Yaml), ("JSON", &json, Format::Json)] {
        let time = best(|| drop(parse(text, format)));
        let speed = text.len() as f64 / 1e6 / time;
        println!(
            "pipeline of {name}: {speed:6.1} MB/s, {:5.1} times the plain JSON value's time",
            time / plain
        );
    }
}
