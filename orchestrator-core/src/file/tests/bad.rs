//! What bad files give: exactly these problems, all of them.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::{problems, tasks};
use crate::file::{Format, json};
use crate::pipeline::Pipeline;

/// Files, and what is printed of each.
const BAD: &[(Format, &str, &str)] = &[
    (Format::Yaml, "", "p:1:1: the file is empty; a pipeline starts with `version: 1` and `phases:`"),
    (Format::Yaml, "# nothing\n", "p:1:1: the file is empty; a pipeline starts with `version: 1` and `phases:`"),
    (Format::Yaml, "[]", "p:1:1: expected a map with the keys of a pipeline, found a list"),
    (Format::Yaml, "{}", "p:1:1: pipeline needs `phases`\np:1:1: pipeline needs `version`"),
    (
        Format::Yaml,
        "version: 2\nphase: []\nphases: {}\n",
        "p:1:10: version: version `2` is not known; this program reads version 1
p:2:1: phase: unknown key of a pipeline `phase`; did you mean `phases`?
p:3:9: phases: expected a list, found a map",
    ),
    (Format::Yaml, "version: 1\nphases: [\n", "p:2:9: unclosed bracket '['"),
    (Format::Yaml, "version: 1\nphases: []\n---\nversion: 1\n", "p:3:1: a second document starts here; a pipeline file holds one"),
    (
        Format::Yaml,
        "version: 1\nname: a\nphases: []\nname: b\n",
        "p:4:1: duplicate key `name`; it stands in line 2 already",
    ),
    (Format::Yaml, "version: 1\nname: !x a\nphases: []\n", "p:2:10: the tag `!x` has no meaning here"),
    (Format::Yaml, "version: 1\nphases: [*a]\n", "p:2:10: while parsing node, found unknown anchor"),
    (Format::Yaml, "version: 1\nphases: &a [*a]\n", "p:2:13: the alias stands inside what it names"),
    (
        Format::Json,
        "{\"version\": 1,\n \"phases\": [],}",
        "p:2:15: key must be a string",
    ),
    (Format::Json, "{\"version\": 1, \"phases\": [], \"phases\": 1}", "p:1:30: duplicate key `phases`; it stands in line 1 already"),
    (Format::Toml, "version = 1\nphases = []\nversion = 2\nname = \n", "p:3:1: duplicate key\np:4:8: string values must be quoted, expected literal string"),
    (
        Format::Toml,
        "version = 1\n[[phases]]\nname = \"p\"\n[[phases.tasks]]\nid = \"a\"\nrun = 3\n",
        "p:6:7: phases[0].tasks[0].run: expected a list of words or a shell line, found a number",
    ),
    (
        Format::Yaml,
        "version: 1
settings: {job: 2, jobs: 0, timeout: soon, phases: {report: true, reports: 1}, ceiling: write}
phases:
- name: P
  tasks: []
- name: a
- name: b
  use: standard
  groups: []
- name: c
  tasks: []
  with: {}
- name: d
  groups:
  - {tasks: [], depends_on: x/y/z, max_parallel: 0, execution: serial}
",
        "p:2:12: settings.job: unknown setting `job`; did you mean `jobs`?
p:2:26: settings.jobs: `0` is not a whole number from 1 to 1024
p:2:38: settings.timeout: `soon` is not a duration; write it like `10m`, `1h30m`, `90s` or `500ms`, or as a number of seconds
p:2:53: settings.phases.report: unknown phase setting `report`; did you mean `reports`?
p:2:76: settings.phases.reports: `1` is neither `true` nor `false`
p:2:89: settings.ceiling: `write` is not one of reads, writes, publishes
p:4:9: phases[0].name: `P` is not a valid phase name: it must match [a-z][a-z0-9_-]* and have at most 128 characters
p:6:3: phases[1]: a phase needs `groups`, `tasks` or `use: standard`
p:8:3: phases[2].use: give `groups` or `use`, not both
p:12:3: phases[3].with: `with` goes with `use`
p:15:5: phases[4].groups[0]: group needs `name`
p:15:29: phases[4].groups[0].depends_on: `y/z` is not a valid group name: it must match [a-z][a-z0-9_-]* and have at most 128 characters
p:15:50: phases[4].groups[0].max_parallel: expected a whole number from 1 to 1024, found `0`
p:15:64: phases[4].groups[0].execution: unknown word `serial`; known: parallel, sequential",
    ),
];

#[test]
fn all_problems_are_printed_with_their_places() {
    for (format, text, expected) in BAD {
        assert_eq!(problems(text, *format), *expected, "{text}");
    }
}

#[test]
fn problems_of_tasks_are_printed_with_their_places() {
    let text = tasks(&[
        "{id: a b, run: x, timout: 1m}",
        "{id: b, run: [], timeout: 0, when: never, retry: 0}",
        "{id: c, run: x, uses: y}",
        "{id: d}",
        "{id: e, uses: y, effect: reads, undo: {run: z}}",
        "{id: f, run: x, with: {}}",
        "{id: g, run: x, cwd: /etc, env: {A: {secrt: b}, B=: c, C: []}, priority: urgent}",
        "{id: h, uses: X, with: 3, resources: {cpu: -1, memory: lots, disk: 1}}",
        "{id: i, run: x, retry: {delay: x}, needs: [a/b], tags: {}, continue_on_error: yes}",
        "{id: j, run: x, undo: {}, description: }",
        "text",
    ]);
    let expected = "\
p:5:10: phases[0].tasks[0].id: `a b` is not a valid task id: it must match [A-Za-z0-9][A-Za-z0-9._-]* and have at most 128 characters
p:5:23: phases[0].tasks[0].timout: unknown key of a task `timout`; did you mean `timeout`?
p:6:18: phases[0].tasks[1].run: a command needs at least the name of a program
p:6:31: phases[0].tasks[1].timeout: must be more than nothing
p:6:40: phases[0].tasks[1].when: `never` is not a condition; known: `always`, `passed(TASK)`, `failed(TASK)`, `passed(phase NAME)`, `failed(phase NAME)`
p:6:54: phases[0].tasks[1].retry: expected a whole number from 1 to 100, found `0`
p:7:21: phases[0].tasks[2].uses: give `run` or `uses`, not both
p:8:5: phases[0].tasks[3]: a task needs `run` or `uses`
p:9:22: phases[0].tasks[4].effect: `effect` belongs to `run`; what an agent takes goes under `with`
p:9:37: phases[0].tasks[4].undo: `undo` belongs to `run`; what an agent takes goes under `with`
p:10:21: phases[0].tasks[5].with: `with` goes with `uses`
p:11:26: phases[0].tasks[6].cwd: path `/etc` is absolute or holds a control character; give a path relative to the root of the repository
p:11:41: phases[0].tasks[6].env.A: expected text, `{secret: NAME}` or `{from: TASK/field}`
p:11:53: phases[0].tasks[6].env.B=: `B=` cannot be the name of an environment variable
p:11:63: phases[0].tasks[6].env.C: expected text, found a list
p:11:78: phases[0].tasks[6].priority: unknown word `urgent`; known: low, medium, high, critical
p:12:19: phases[0].tasks[7].uses: `X` is not a valid agent name: it must match [a-z][a-z0-9_-]* and have at most 128 characters
p:12:28: phases[0].tasks[7].with: expected a map, found a number
p:12:48: phases[0].tasks[7].resources.cpu: expected a number from 0 to 4096
p:12:60: phases[0].tasks[7].resources.memory: `lots` is not a size; write it like `1GiB` or `512MB`, or as a number of bytes
p:12:66: phases[0].tasks[7].resources.disk: unknown key of a weight `disk`; known: cpu, memory
p:13:28: phases[0].tasks[8].retry: retry needs `attempts`
p:13:36: phases[0].tasks[8].retry.delay: `x` is not a duration; write it like `10m`, `1h30m`, `90s` or `500ms`, or as a number of seconds
p:13:48: phases[0].tasks[8].needs[0]: `a/b` is not a valid task id: it must match [A-Za-z0-9][A-Za-z0-9._-]* and have at most 128 characters
p:13:60: phases[0].tasks[8].tags: expected text, found a map
p:13:83: phases[0].tasks[8].continue_on_error: expected `true` or `false`, found text
p:14:27: phases[0].tasks[9].undo: undo needs `run`
p:14:42: phases[0].tasks[9].description: expected text, found nothing
p:15:5: phases[0].tasks[10]: expected a map with the keys of a task, found text";
    assert_eq!(problems(&text, Format::Yaml), expected);
}

#[test]
fn what_expands_or_nests_without_end_is_an_error() {
    let mut laughs = String::from("x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..10 {
        let alias = format!("*a{}", n - 1);
        writeln!(laughs, "x-{n}: &a{n} [{}]", [alias.as_str(); 9].join(", ")).unwrap();
    }
    let found = problems(&laughs, Format::Yaml);
    assert!(found.contains("aliases expand to too much"), "{found}");
    let mut vars = String::from("version: 1\nphases: []\nvars:\n  v0: lollollollollollollollollollol\n");
    for n in 1..30 {
        let before = format!("${{vars.v{}}}", n - 1);
        writeln!(vars, "  v{n}: '{before}{before}{before}'").unwrap();
    }
    let found = problems(&vars, Format::Yaml);
    assert!(found.contains("variables expand to too much"), "{found}");
    let mut deep = String::from("version: 1\nphases: []\nvars:\n  v0: [1]\n");
    for n in 1..100 {
        writeln!(deep, "  v{n}: ['${{vars.v{}}}']", n - 1).unwrap();
    }
    assert!(problems(&deep, Format::Yaml).contains("nested too deep; 64 levels are taken"));
    for (format, text) in [
        (Format::Yaml, "[".repeat(100_000)),
        (Format::Yaml, "- ".repeat(100_000)),
        (Format::Yaml, (0..300).map(|n| " ".repeat(n) + "a:\n").collect()),
        (Format::Json, format!("{}{}", "[".repeat(65), "]".repeat(65))),
        (Format::Json, "[".repeat(100_000) + &"]".repeat(100_000)),
        (Format::Toml, format!("a = {}", "[".repeat(100_000))),
        (Format::Toml, format!("{}a = 1", "a.".repeat(100_000))),
    ] {
        let found = problems(&text, format);
        let known = ["nested too deep", "recurs", "nesting"];
        assert!(known.iter().any(|message| found.contains(message)), "{found}");
    }
}

#[test]
fn duplicates_are_found_among_few_and_many() {
    for keys in [2, 23, 24, 25, 100] {
        let once = (0..keys).fold(String::new(), |text, n| text + &format!("x-{n}: 1\n"));
        let found = problems(&format!("version: 1\nphases: []\n{once}{once}"), Format::Yaml);
        assert_eq!(found.lines().count(), keys, "{found}");
        assert!(
            found.starts_with(&format!("p:{}:1: duplicate key `x-0`; it stands in line 3", keys + 3)),
            "{found}"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), format in 0..3_usize) {
        let format = [Format::Yaml, Format::Toml, Format::Json][format];
        let _ = Pipeline::parse(&text, format, "p");
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            let _ = Pipeline::parse(&text, format, "p");
        }
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0..super::WHOLE.len(), with in "[\\[\\]{}:,&*!$\\-\"' \n\t<a0]{0,4}", cut in 0..9usize) {
        let mut text = super::WHOLE.to_owned();
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &with);
        let _ = Pipeline::parse(&text, Format::Yaml, "p");
    }

    #[test]
    fn json_is_read_as_a_json_parser_reads_it(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut wrong = Vec::new();
        let tree = json::parse(&text, &mut wrong).unwrap();
        prop_assert_eq!(tree.value(), serde_json::from_str::<Value>(&text).unwrap());
        prop_assert!(wrong.is_empty());
    }
}
