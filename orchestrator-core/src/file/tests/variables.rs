//! Variables.

use serde_json::{Value, json};

use super::problems;
use crate::file::Format;

/// The `with` of the only task of a pipeline with these variables.
fn with(vars: &str, with: &str) -> Value {
    let text = format!(
        "version: 1\nvars: {vars}\nphases:\n- name: p\n  tasks:\n  - {{id: a, uses: b, with: {with}}}\n"
    );
    super::yaml(&text).phases[0].groups[0].tasks[0].with.clone()
}

#[test]
fn variables_are_replaced_in_all_text() {
    let vars = "{a: school, n: 1.10, b: '${vars.a}-x', list: [1, '${vars.b}'], on: true}";
    let given = "{t: 'x ${vars.a} y${vars.n}', n: '${vars.n}', l: ['${vars.list}', {k: '${vars.b}'}], on: '${vars.on}'}";
    let expected =
        json!({ "t": "x school y1.10", "n": 1.10, "l": [[1, "school-x"], { "k": "school-x" }], "on": true });
    assert_eq!(with(vars, given), expected);
}

#[test]
fn what_is_no_variable_is_left_alone() {
    for (text, expected) in [
        ("${HOME} $x ${varsx} $", "${HOME} $x ${varsx} $"),
        ("$${vars.a}", "${vars.a}"),
        ("a$${HOME}${vars.a}", "a${HOME}school"),
        ("${vars.a}${vars.a}", "schoolschool"),
        ("${HOME:-${vars.a}}", "${HOME:-school}"),
    ] {
        assert_eq!(with("{a: school}", &format!("{{t: '{text}'}}")), json!({ "t": expected }), "{text}");
    }
}

#[test]
fn typed_values_may_be_variables() {
    let text = "version: 1
vars: {jobs: 3, time: 5m, files: [a, b]}
settings: {jobs: '${vars.jobs}', timeout: '${vars.time}'}
phases:
- name: p
  tasks:
  - {id: a, run: x, timeout: '${vars.time}', inputs: '${vars.files}'}
";
    let pipeline = super::yaml(text);
    assert_eq!(pipeline.settings, json!({ "jobs": 3, "timeout": 300 }));
    assert_eq!(pipeline.phases[0].groups[0].tasks[0].inputs, ["a", "b"]);
}

#[test]
fn wrong_variables_are_problems() {
    let text = "version: 1
vars:
  early: '${vars.late}'
  late: [1]
  Bad: 1
name: '${vars.lat}'
phases:
- name: p
  title: 'x ${vars.late}'
  description: 'x ${vars.late'
  tasks: []
";
    let expected = "\
p:3:10: vars.early: unknown variable `late`; none are declared above it
p:5:3: vars.Bad: `Bad` is not a valid name: it must match [a-z][a-z0-9_-]*
p:6:7: name: unknown variable `lat`; did you mean `late`?
p:9:10: phases[0].title: `vars.late` is a list, so it cannot stand within text
p:10:16: phases[0].description: `${vars.` is not closed by `}`";
    assert_eq!(problems(text, Format::Yaml), expected);
    let found = problems("version: 1\nphases: []\nvars: [a]\n", Format::Yaml);
    assert_eq!(found, "p:3:7: vars: expected a map of names to values, found a list");
}
