//! What the README promises is what the code does.

use orchestrator_cli::Exit;
use orchestrator_core::file::{Format, schema};
use orchestrator_core::planner::{Nothing, Planner, Selector};
use orchestrator_core::{Pipeline, Project, Settings};
use serde_json::Value;

const README: &str = include_str!("../../README.md");

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let ends = |rest: &'static str| rest.split_once("\n```").map(|(block, _)| block);
    README.split(fence.as_str()).skip(1).filter_map(ends).collect()
}

/// The rows of all tables, cell by cell.
fn rows() -> Vec<Vec<String>> {
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let lines = README.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(cell).collect()).collect()
}

fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn pipelines_make_plans() {
    let registry = orchestrator_agents::standard().with(orchestrator_reports::standard());
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 3, "two pipelines and a roadmap");
    for block in blocks {
        let pipeline =
            Pipeline::parse(block, Format::Yaml, "README.md").unwrap_or_else(|wrong| panic!("{wrong}"));
        let settings = Settings::layered(&pipeline.settings, &[], &Value::Null).unwrap();
        let (project, selector) = (Project::default(), Selector::default());
        let planner = Planner {
            registry: &registry,
            settings: &settings,
            project: &project,
            selector: &selector,
            earlier: &Nothing,
        };
        let plan = planner.plan(&pipeline).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(!plan.tasks().is_empty());
    }
}

/// The keys of a schema and of all that it is made of, those of settings and free maps aside.
fn keys(schema: &Value, all: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == "properties" {
                    all.extend(inner.as_object().unwrap().keys().cloned());
                }
                if name != "settings" {
                    keys(inner, all);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
        _ => {}
    }
}

#[test]
fn every_key_is_shown() {
    let mut all = Vec::new();
    let schema: Value = schema(None);
    keys(&schema, &mut all);
    assert!(all.len() > 30, "{all:?}");
    let shown = blocks("yaml")[1..].concat();
    let is_shown = |key: &String| shown.contains(&format!("{key}:"));
    let missing: Vec<_> = all.iter().filter(|key| !is_shown(key)).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
}

#[test]
fn every_setting_and_its_variable_are_listed() {
    let schema: Value = schema(None);
    let settings = find(&schema, "settings").expect("the schema has settings");
    let rows = rows();
    let mut listed = 0;
    let mut check = |name: String, about: &Value| {
        let row =
            rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("`{name}` is not in the README"));
        let about = about.pointer("/anyOf/0/description").and_then(Value::as_str).unwrap_or_default();
        let variable =
            about.split("In the environment: ").nth(1).map_or("", |rest| rest.trim_end_matches('.'));
        assert_eq!(row[1], variable, "{name}");
        listed += 1;
    };
    for (name, about) in settings["properties"].as_object().unwrap() {
        match about["properties"].as_object() {
            Some(inner) => inner.iter().for_each(|(key, about)| check(format!("{name}.{key}"), about)),
            None => check(name.clone(), about),
        }
    }
    assert_eq!(listed, 39);
}

/// The first schema of a property, wherever it is.
fn find<'v>(schema: &'v Value, property: &str) -> Option<&'v Value> {
    match schema {
        Value::Object(fields) => {
            let here = fields.get("properties").and_then(|inner| inner.get(property));
            let here = here.filter(|found| found["properties"].is_object());
            here.or_else(|| fields.values().find_map(|inner| find(inner, property)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, property)),
        _ => None,
    }
}

#[test]
fn exit_codes_are_the_programs() {
    let rows = rows();
    let codes: Vec<_> = rows.iter().filter(|row| row[0].parse::<u8>().is_ok()).collect();
    let expected = Exit::ALL.map(|exit| vec![exit.code().to_string(), exit.about().to_owned()]);
    assert_eq!(codes, expected.iter().collect::<Vec<_>>());
}

#[test]
fn the_table_of_conditions_is_the_schedulers() {
    let tests = include_str!("../../orchestrator-core/src/scheduler/tests.rs");
    let (_, table) = tests.split_once("let expected = \"\\\n").expect("the scheduler's table");
    let (table, _) = table.split_once("\";").expect("its end");
    let shown =
        blocks("text").into_iter().find(|block| block.contains("failed(t0)")).expect("the README's table");
    let (_, shown) = shown.split_once('\n').expect("its heading");
    assert_eq!(words(shown), words(table.trim_end()));
}
