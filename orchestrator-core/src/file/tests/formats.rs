//! What good files give, in all three formats.

use std::time::Duration;

use serde_json::{Value, json};

use super::{WHOLE, tasks, yaml};
use crate::file::{Format, PipelineError, discover};
use crate::id::TaskId;
use crate::pipeline::{Execution, Kind, Pipeline, Place, Priority, Resources, Retry, TaskSpec, When};

fn only(line: &str) -> TaskSpec {
    yaml(&tasks(&[line])).phases[0].groups[0].tasks[0].clone()
}

#[test]
fn the_whole_example_is_read() {
    let pipeline = yaml(WHOLE);
    assert_eq!(pipeline.file.as_deref(), Some("p.yaml"));
    assert_eq!(pipeline.settings, json!({ "jobs": 8, "fail_fast": false, "ceiling": "writes" }));
    assert_eq!(pipeline.phases[0].uses.as_deref(), Some("standard"));
    let phase = &pipeline.phases[1];
    assert_eq!(phase.title.as_deref(), Some("BUILD & VALIDATION"));
    assert_eq!(phase.depends_on.as_ref().unwrap()[0].as_str(), "code_generation");
    let group = &phase.groups[0];
    assert_eq!(
        (group.execution, group.fail_fast, group.max_parallel),
        (Execution::Parallel, Some(true), Some(8))
    );
    let fmt = &group.tasks[0];
    assert_eq!(
        fmt.with,
        json!({
            "run": ["cargo", "fmt", "--check"],
            "effect": "reads",
            "env": { "RUST_LOG": "info", "TOKEN": { "secret": "CI_TOKEN" } },
            "cwd": ".",
            "undo": { "run": ["./undo.sh"] },
        })
    );
    assert_eq!((fmt.agent.as_str(), fmt.kind, fmt.priority), ("command", Kind::Test, Priority::High));
    assert_eq!((fmt.when.clone(), fmt.timeout), (When::Always, Some(Duration::from_mins(10))));
    assert_eq!(fmt.retry, Some(Retry { attempts: 3, delay: Duration::from_secs(1), explicit: true }));
    assert_eq!(fmt.resources, Resources { cpu_milli: 2_000, memory: 1 << 30 });
    assert_eq!(
        (&fmt.inputs[..], &fmt.outputs[..]),
        (&["src/**/*.rs".into()][..], &["target/report.json".into()][..])
    );
    assert_eq!(fmt.needs, [TaskId::new("other-task").unwrap()]);
    assert_eq!(fmt.description.as_deref(), Some("Formats school"));
    let image = &group.tasks[1];
    assert_eq!(
        (image.agent.as_str(), &image.with),
        ("docker-build", &json!({ "tag": { "from": "version/tag" } }))
    );
    let checkpoint = phase.checkpoint.as_ref().unwrap();
    let validation = &checkpoint.validations[0];
    assert_eq!(
        (checkpoint.name.as_str(), validation.id.as_str()),
        ("green", "build_validation.checkpoint.1")
    );
    assert_eq!(validation.with, json!({ "run": ["test", "-s", "report.json"] }));
}

/// Line and column of the `nth` place where `needle` stands in `text`.
fn find(text: &str, needle: &str) -> Place {
    let at = text.find(needle).unwrap();
    let line = text[..at].matches('\n').count() as u32 + 1;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    Place { line, column: (at - start) as u32 + 1 }
}

#[test]
fn places_are_those_of_the_text() {
    let phase = &yaml(WHOLE).phases[1];
    assert_eq!(phase.place, Some(find(WHOLE, "name: build_validation")));
    let [fmt, image] = &phase.groups[0].tasks[..] else { panic!() };
    assert_eq!(fmt.place, Some(find(WHOLE, "id: fmt")));
    assert_eq!(fmt.places["run"], find(WHOLE, "[cargo"));
    assert_eq!(fmt.places["run/2"], find(WHOLE, "--check"));
    assert_eq!(fmt.places["env/TOKEN/secret"], find(WHOLE, "CI_TOKEN"));
    assert_eq!(image.places["tag"], find(WHOLE, "{from"));
    assert_eq!(image.places["tag/from"], find(WHOLE, "version/tag"));
    assert!(!image.places.contains_key("with"));
}

/// The same without places and the file's name.
fn bare(mut pipeline: Pipeline) -> Pipeline {
    let task = |task: &mut TaskSpec| {
        task.place = None;
        task.places.clear();
    };
    for phase in &mut pipeline.phases {
        phase.place = None;
        phase.checkpoint.iter_mut().flat_map(|checkpoint| &mut checkpoint.validations).for_each(task);
        for group in &mut phase.groups {
            group.place = None;
            group.tasks.iter_mut().for_each(task);
        }
    }
    pipeline.file = None;
    pipeline
}

const TOML: &str = r#"version = 1
settings = { jobs = 8, fail_fast = false, ceiling = "writes" }

[vars]
service = "school"

[[phases]]
name = "code_generation"
use = "standard"

[[phases]]
name = "build_validation"
title = "BUILD & VALIDATION"
depends_on = "code_generation"
parallel_with = []

[phases.checkpoint]
name = "green"
validations = [{ type = "command", run = ["test", "-s", "report.json"] }]

[[phases.groups]]
name = "checks"
execution = "parallel"
fail_fast = true
max_parallel = 8
depends_on = []

[[phases.groups.tasks]]
id = "fmt"
run = ["cargo", "fmt", "--check"]
effect = "reads"
inputs = "src/**/*.rs"
outputs = ["target/report.json"]
env = { RUST_LOG = "info", TOKEN = { secret = "CI_TOKEN" } }
cwd = "."
needs = "other-task"
when = "always"
timeout = 600
retry = 3
continue_on_error = false
priority = "high"
tags = ["quick"]
kind = "test"
resources = { cpu = 2.0, memory = "1GiB" }
undo = { run = ["./undo.sh"] }
description = "Formats ${vars.service}"

[[phases.groups.tasks]]
id = "image"
uses = "docker-build"
with.tag.from = "version/tag"
"#;

#[test]
fn all_formats_give_the_same() {
    let whole = bare(yaml(WHOLE));
    let value: Value = serde_saphyr::from_str(WHOLE).unwrap();
    for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap().replace("  ", "\t")] {
        assert_eq!(bare(Pipeline::parse(&json, Format::Json, "p.json").unwrap()), whole);
    }
    let pipeline =
        Pipeline::parse(TOML, Format::Toml, "p.toml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(pipeline.phases[1].groups[0].tasks[1].places["tag/from"], find(TOML, "\"version/tag\""));
    assert_eq!(pipeline.phases[1].groups[0].tasks[0].places["run/1"], find(TOML, "\"fmt\", \"--check"));
    assert_eq!(bare(pipeline), whole);
}

#[test]
fn short_forms_are_read() {
    let task = only("{id: 1, run: 'a | b', retry: 3, needs: x, tags: quick, timeout: 90, collect: out}");
    assert_eq!((task.id.as_str(), &task.with), ("1", &json!({ "run": "a | b", "collect": ["out"] })));
    assert_eq!(task.retry.unwrap().attempts, 3);
    assert_eq!(task.timeout, Some(Duration::from_secs(90)));
    assert_eq!(task.needs, [TaskId::new("x").unwrap()]);
    let task = only("{id: a, run: [sleep, 1.10, true, {from: b/c}], env: {V: 1.10, W: {from: b}}}");
    assert_eq!(task.with["run"], json!(["sleep", "1.10", "true", { "from": "b/c" }]));
    assert_eq!(task.with["env"], json!({ "V": "1.10", "W": { "from": "b" } }));
    let group = &yaml(&tasks(&["{id: a, run: a}"])).phases[0].groups[0];
    assert_eq!((group.name.as_str(), group.execution), ("main", Execution::Parallel));
}

#[test]
fn validations_are_tasks_of_their_type() {
    let pipeline = yaml(
        "version: 1\nphases:\n- name: p\n  tasks: []\n  checkpoint:\n    validations:\n    - {type: http, url: /x, timeout: 5s}\n    - {type: command, id: own, run: x, effect: reads}\n",
    );
    let checkpoint = pipeline.phases[0].checkpoint.as_ref().unwrap();
    let [http, own] = &checkpoint.validations[..] else { panic!() };
    assert_eq!(checkpoint.name, "checkpoint");
    assert_eq!(
        (http.id.as_str(), http.agent.as_str(), &http.with),
        ("p.checkpoint.1", "http", &json!({ "url": "/x" }))
    );
    assert_eq!(http.timeout, Some(Duration::from_secs(5)));
    assert_eq!((own.id.as_str(), &own.with), ("own", &json!({ "run": "x", "effect": "reads" })));
}

#[test]
fn anchors_aliases_and_merges_work() {
    let pipeline = yaml(
        "version: 1
x-defaults: &defaults {timeout: 5m, tags: [slow]}
phases:
- name: p
  tasks:
  - {<<: *defaults, id: a, run: &line [make, all], timeout: 1m}
  - {id: b, run: *line, <<: [{kind: gate}, *defaults]}
",
    );
    let [a, b] = &pipeline.phases[0].groups[0].tasks[..] else { panic!() };
    assert_eq!((a.timeout, &a.tags[..]), (Some(Duration::from_mins(1)), &["slow".to_owned()][..]));
    assert_eq!((b.timeout, b.kind), (Some(Duration::from_mins(5)), Kind::Gate));
    assert_eq!(b.with, json!({ "run": ["make", "all"] }));
}

#[test]
fn files_are_found_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    assert_eq!(discover(dir.path()).unwrap(), None);
    assert!(matches!(Pipeline::from_file(path("none")), Err(PipelineError::NotFound(_))));
    assert!(matches!(Pipeline::from_file(dir.path()), Err(PipelineError::Unreadable { .. })));
    std::fs::write(path("latin.yaml"), b"version: 1\nname: caf\xe9\n").unwrap();
    assert!(matches!(Pipeline::from_file(path("latin.yaml")), Err(PipelineError::NotUtf8 { line: 2, .. })));
    std::fs::write(path("orchestration.toml"), TOML).unwrap();
    let found = discover(dir.path()).unwrap().unwrap();
    assert_eq!(Pipeline::from_file(&found).unwrap().file, Some(found.display().to_string()));
    std::fs::write(path("bom"), format!("\u{feff}{WHOLE}")).unwrap();
    assert!(Pipeline::from_file(path("bom")).is_ok());
    std::fs::write(path("orchestration.yml"), "version: 2").unwrap();
    let error = discover(dir.path()).unwrap_err().to_string();
    assert!(error.contains("orchestration.yml`") && error.contains("orchestration.toml`"), "{error}");
    assert!(matches!(Pipeline::from_file(path("orchestration.yml")), Err(PipelineError::Problems(_))));
    let large = std::fs::File::create(path("large.yaml")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    assert!(matches!(Pipeline::from_file(path("large.yaml")), Err(PipelineError::TooLarge(_))));
}
