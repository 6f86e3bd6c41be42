//! The dialect of roadmaps: the same pipelines, the same errors.

use serde_json::json;

use crate::file::{Format, schema};
use crate::pipeline::{Execution, Pipeline, Priority, TaskSpec, When};

const ROADMAP: &str = r#"orchestrator:
  name: Quality roadmap
  version: "2.1"
  project_root: .
  settings: {max_parallel_tasks: 4, retry_attempts: 3, retry_delay_seconds: 5, timeout_minutes: 30, fail_fast: false,
             keep: {logs: 3},
             notifications: {on_phase_complete: true, on_failure: true, slack_webhook: "${SLACK_WEBHOOK}"}}
phase_1:
  name: Foundation
  description: Make the numbers true
  estimated_duration: 2 weeks
  depends_on: []
  groups:
    group_a:
      name: Coverage
      execution: sequential
      max_parallel: 4
      depends_on: []
      tasks:
        - {id: "1.1", name: Collect all, type: config_edit, target: vitest.config.ts, action: expand_coverage_collection,
           priority: critical, language: typescript, estimated_cases: 12}
        - {id: 1.10, type: test_generation, target: src/a.ts, test_file: tests/a.test.ts, priority: critical, language: typescript,
           test_type: unit, templates: [service], thresholds: {lines: 80}, estimated_cases: 12, retry: 2}
        - {id: "1.2", name: Secrets, type: manual, description: Put the token in, priority: high, target: x}
        - {id: "1.3", name: Deploy, type: config_edit, target: d.yml, action: add_approval_gates, requires_manual: true,
           depends_on: ["1.1"], options: {environment: production}}
phase_2:
  parallel_with: [3]
  depends_on: [1]
  groups:
    group_b:
      depends_on: [phase_1/group_a]
      tasks:
        - {id: "2.1", type: own-agent, target: a, thresholds: {a: 1}}
phase_3:
  depends_on: [phase_1]
  groups: {group_c: {tasks: []}}
checkpoints:
  after_phase_1:
    name: Foundation stands
    validations:
      - {type: coverage_threshold, target: 80, description: Enough}
      - {type: all_critical_tested, target: all}
      - {type: command, target: npm test, timeout: 1m}
      - {type: command, run: [npm, test]}
"#;

fn parse(text: &str) -> Result<Pipeline, String> {
    Pipeline::parse(text, Format::Yaml, "r").map_err(|problems| problems.to_string())
}

fn tasks(pipeline: &Pipeline) -> impl Iterator<Item = &TaskSpec> {
    pipeline.phases.iter().flat_map(|phase| &phase.groups).flat_map(|group| &group.tasks)
}

fn task<'p>(pipeline: &'p Pipeline, id: &str) -> &'p TaskSpec {
    tasks(pipeline).find(|task| task.id.as_str() == id).unwrap()
}

#[test]
fn a_roadmap_is_a_pipeline() {
    let pipeline = parse(ROADMAP).unwrap();
    assert_eq!(pipeline.name.as_deref(), Some("Quality roadmap"));
    assert_eq!(
        pipeline.settings,
        json!({ "jobs": 4, "retries": 3, "retry_delay": 5.0, "timeout": 1800, "fail_fast": false, "keep": { "logs": 3 } })
    );
    let names: Vec<&str> = pipeline.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["phase_1", "phase_2", "phase_3", "notifications"]);
    let [one, two, ..] = &pipeline.phases[..] else { unreachable!() };
    assert_eq!(one.title.as_deref(), Some("Foundation"));
    assert_eq!(one.depends_on.as_deref(), Some(&[][..]));
    assert_eq!(two.depends_on.as_deref(), Some(&[one.name.clone()][..]));
    assert_eq!(two.parallel_with, [pipeline.phases[2].name.clone()]);
    let group = &one.groups[0];
    assert_eq!(
        (group.name.as_str(), group.execution, group.max_parallel),
        ("group_a", Execution::Sequential, Some(4))
    );
    let ids: Vec<&str> = tasks(&pipeline).map(|task| task.id.as_str()).collect();
    assert_eq!(ids[..6], ["1.1", "1.10", "1.2", "1.3.agree", "1.3", "2.1"]);
}

#[test]
fn an_agent_gets_what_is_about_its_work() {
    let pipeline = parse(ROADMAP).unwrap();
    let of = |id: &str| (task(&pipeline, id).agent.as_str().to_owned(), task(&pipeline, id).with.clone());
    let edit = json!({ "target": "vitest.config.ts", "action": "expand_coverage_collection" });
    assert_eq!(of("1.1"), ("config_edit".into(), edit));
    assert_eq!(task(&pipeline, "1.1").priority, Priority::Critical);
    assert_eq!(task(&pipeline, "1.1").description.as_deref(), Some("Collect all"));
    let tests = json!({
        "target": "src/a.ts", "test_file": "tests/a.test.ts", "language": "typescript", "test_type": "unit",
        "templates": ["service"], "estimated_cases": 12
    });
    assert_eq!(of("1.10"), ("test_generation".into(), tests));
    assert_eq!(task(&pipeline, "1.10").retry.unwrap().attempts, 2);
    assert_eq!(of("1.2"), ("manual".into(), json!({ "instructions": "Put the token in" })));
    assert_eq!(task(&pipeline, "1.2").description.as_deref(), Some("Secrets: Put the token in"));
    assert_eq!(of("2.1"), ("own-agent".into(), json!({ "target": "a", "thresholds": { "a": 1 } })));
    let (agent, asks) = of("1.3.agree");
    assert_eq!(agent, "manual");
    assert!(asks["instructions"].as_str().unwrap().contains("1.3 needs a person's agreement"), "{asks}");
    let needs =
        |id: &str| -> Vec<String> { task(&pipeline, id).needs.iter().map(ToString::to_string).collect() };
    assert_eq!(
        (needs("1.3.agree"), needs("1.3")),
        (vec!["1.1".to_owned()], vec!["1.1".into(), "1.3.agree".into()])
    );
}

#[test]
fn checkpoints_know_what_is_critical() {
    let pipeline = parse(ROADMAP).unwrap();
    let checkpoint = pipeline.phases[0].checkpoint.as_ref().unwrap();
    assert_eq!(checkpoint.name, "Foundation stands");
    let said: Vec<_> =
        checkpoint.validations.iter().map(|task| (task.agent.as_str(), task.with.clone())).collect();
    let critical =
        json!({ "critical": [{ "task": "1.10", "target": "src/a.ts", "test_file": "tests/a.test.ts" }] });
    assert_eq!(
        said,
        [
            ("coverage_threshold", json!({ "target": 80 })),
            ("all_critical_tested", critical),
            ("command", json!({ "run": "npm test" })),
            ("command", json!({ "run": ["npm", "test"] })),
        ]
    );
}

#[test]
fn messages_are_tasks_and_their_address_a_secret() {
    let pipeline = parse(ROADMAP).unwrap();
    let told = &pipeline.phases[3];
    assert_eq!(told.depends_on.as_deref(), Some(&[][..]));
    let said: Vec<String> =
        told.groups[0].tasks.iter().map(|task| format!("{} {} {}", task.id, task.when, task.with)).collect();
    assert_eq!(said.len(), 6);
    assert_eq!(
        said[0],
        r#"notify.phase_1.passed passed(phase phase_1) {"text":"Foundation: passed","webhook":{"secret":"SLACK_WEBHOOK"}}"#
    );
    assert!(told.groups[0].tasks.iter().all(|task| task.continue_on_error));
    assert_eq!(told.groups[0].tasks[1].when, When::PhaseFailed(pipeline.phases[0].name.clone()));
    let without = ROADMAP.replace("on_phase_complete: true, on_failure: true", "on_failure: false");
    assert_eq!(parse(&without).unwrap().phases.len(), 3);
}

#[test]
fn problems_have_their_places() {
    let bad = r#"orchestrator:
  project_root: /srv/app
  settings: {max_parallel_tasks: 0, retries_attempts: 1,
    notifications: {on_failure: true, slack_webhook: "https://hooks.example.com/x"}}
phase_1:
  nam: x
  groups:
    Group A: {tasks: []}
    group_b:
      execution: both
      tasks:
        - {id: a b, type: config_edit}
        - {id: "1", name: no type}
        - {id: "2", type: config_edit, priority: urgent}
phases_2: {}
checkpoints:
  after_phase_9: {validations: []}
  after_phase_1: {validations: [{type: command, target: x, threshold: 1}]}
"#;
    let said = parse(bad).unwrap_err();
    for expected in [
        "r:2:17: orchestrator.project_root: the root of the project is the folder of this file",
        "r:3:34: orchestrator.settings.max_parallel_tasks: expected a whole number from 1 to 1024, found `0`",
        "r:3:37: orchestrator.settings.retries_attempts: unknown setting `retries_attempts`",
        "r:4:54: orchestrator.settings.notifications.slack_webhook: whoever has the address can post",
        "r:6:3: phase_1.nam: unknown key of a phase of a roadmap `nam`; did you mean `name`?",
        "r:8:5: phase_1.groups.Group A: `Group A` is not a valid group name",
        "r:10:18: phase_1.groups.group_b.execution: unknown word `both`; known: parallel, sequential",
        "r:12:16: phase_1.groups.group_b.tasks[0].id: `a b` is not a valid task id",
        "r:13:11: phase_1.groups.group_b.tasks[1]: task of a roadmap needs `type`",
        "r:14:50: phase_1.groups.group_b.tasks[2].priority: unknown word `urgent`",
        "r:15:1: phases_2: unknown key of a roadmap `phases_2`; did you mean `phase_2`?",
        "r:17:3: checkpoints.after_phase_9: unknown checkpoint `after_phase_9`; did you mean `after_phase_1`?",
        "r:18:71: checkpoints.after_phase_1.validations[0].threshold: unknown key",
    ] {
        assert!(said.contains(expected), "{expected}\n\n{said}");
    }
    assert_eq!(said.lines().count(), 13, "{said}");
    assert!(parse("orchestrator: {}\n").unwrap_err().contains("needs at least one phase"));
    assert!(
        parse("orchestrator: {}\nversion: 1\nphases: []\n")
            .unwrap_err()
            .contains("unknown key of a pipeline")
    );
}

#[test]
fn the_schema_takes_roadmaps() {
    let validator = jsonschema::draft202012::new(&schema(None)).unwrap();
    let value: serde_json::Value = serde_saphyr::from_str(ROADMAP).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    for (way, bad) in [
        ("/orchestrator/settings/max_parallel_tasks", json!(0)),
        ("/orchestrator/settings/notifications/on_failure", json!("x")),
        ("/phase_1/groups/group_a/execution", json!("both")),
        ("/phase_1/groups/group_a/tasks/0/priority", json!("urgent")),
        ("/checkpoints/after_phase_1/validations", json!(1)),
        ("/phase_2/groups", json!(null)),
    ] {
        let mut value = value.clone();
        *value.pointer_mut(way).unwrap() = bad;
        assert!(!validator.is_valid(&value), "{way}");
        assert!(Pipeline::parse(&value.to_string(), Format::Json, "r").is_err(), "{way}");
    }
    assert!(!validator.is_valid(&json!({ "orchestrator": {} })));
}
