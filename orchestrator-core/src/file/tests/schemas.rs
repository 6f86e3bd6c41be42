//! The schema says what decoding takes: the same keys, and the same verdict on the same file.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::BoxError;
use crate::action::Action;
use crate::agent::{Agent, Task, Verdict};
use crate::file::keys::{
    CACHE, CHECKPOINT, GROUP, Key, PHASE, PIPELINE, RESOURCES, RETRY, Shape, TASK, Table, UNDO, VALIDATION,
    VALIDATION_COMMAND,
};
use crate::file::{Format, schema};
use crate::order::{Artifacts, Receipt};
use crate::pipeline::Pipeline;
use crate::registry::Registry;
use crate::workspace::Workspace;

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&schema(None)).unwrap());
    &VALIDATOR
}

/// What decoding says of a file.
fn decoded(file: &Value) -> Result<(), String> {
    Pipeline::parse(&file.to_string(), Format::Json, "p").map(drop).map_err(|problems| problems.to_string())
}

#[track_caller]
fn agree(validator: &Validator, file: &Value, good: bool) {
    let decoded = decoded(file);
    assert_eq!(decoded.is_ok(), good, "{file}: {decoded:?}");
    assert_eq!(validator.is_valid(file), good, "{file}: the schema disagrees; decoding says {decoded:?}");
}

/// A whole file around a map of each table; the map's own needs are met.
fn around(table: &Table, inner: &Value) -> Value {
    let with = |base: Value| {
        let mut base = base;
        for (key, value) in inner.as_object().unwrap() {
            base[key] = value.clone();
        }
        base
    };
    let file = |phase: Value| json!({ "version": 1, "phases": [phase] });
    let has = |key: &str| inner.get(key).is_some();
    let in_task = |task: Value| file(json!({ "name": "p", "tasks": [task] }));
    let in_check = |validation: Value| {
        file(json!({ "name": "p", "tasks": [], "checkpoint": { "validations": [validation] } }))
    };
    match table.what {
        "pipeline" => with(json!({ "version": 1, "phases": [] })),
        "phase" if has("with") => file(with(json!({ "name": "p", "use": "standard" }))),
        "phase" if has("groups") || has("tasks") || has("use") => file(with(json!({ "name": "p" }))),
        "phase" => file(with(json!({ "name": "p", "tasks": [] }))),
        "group" => file(json!({ "name": "p", "groups": [with(json!({ "name": "g", "tasks": [] }))] })),
        "task" if has("with") => in_task(with(json!({ "id": "a", "uses": "x" }))),
        "task" if has("uses") => in_task(with(json!({ "id": "a" }))),
        "task" => in_task(with(json!({ "id": "a", "run": "x" }))),
        "checkpoint" => {
            file(json!({ "name": "p", "tasks": [], "checkpoint": with(json!({ "validations": [] })) }))
        }
        "validation" => in_check(with(json!({ "type": "x" }))),
        "validation of type `command`" => in_check(with(json!({ "type": "command", "run": "x" }))),
        "undo" => in_task(json!({ "id": "a", "run": "x", "undo": with(json!({ "run": "x" })) })),
        "retry" => in_task(json!({ "id": "a", "run": "x", "retry": with(json!({ "attempts": 1 })) })),
        "cache" => in_task(json!({ "id": "a", "run": "x", "cache": inner })),
        "weight" => in_task(json!({ "id": "a", "run": "x", "resources": inner })),
        other => panic!("no file around a {other}"),
    }
}

/// Values that a shape takes, and values that it does not.
fn samples(key: &Key) -> (Vec<Value>, Vec<Value>) {
    let named = |good: &str| (json!(good), json!("a b"));
    match key.shape {
        Shape::Version => (vec![json!(1)], vec![json!(2), json!("1"), json!(true), Value::Null]),
        Shape::Text => (vec![json!("a"), json!(1), json!(true)], vec![json!([]), json!({}), Value::Null]),
        Shape::Texts => (
            vec![json!("a"), json!(["a", 1]), json!([])],
            vec![json!([[]]), json!({}), Value::Null, json!([null])],
        ),
        Shape::Name(_) => {
            let (good, bad) = named("http");
            (vec![good], vec![bad, json!(""), json!([]), Value::Null, json!("x".repeat(129))])
        }
        Shape::Names(_) => {
            let (good, bad) = named("b");
            (
                vec![good.clone(), json!([good]), json!([])],
                vec![bad.clone(), json!([bad]), json!({}), Value::Null],
            )
        }
        Shape::Flag => {
            (vec![json!(true), json!(false)], vec![json!("true"), json!(1), Value::Null, json!([])])
        }
        Shape::Count(least, most) => (
            vec![json!(least), json!(most)],
            vec![json!(u64::from(most) + 1), json!(-1), json!(1.5), json!("1"), json!([]), Value::Null],
        ),
        Shape::Amount(most) => {
            (vec![json!(0), json!(0.5), json!(most)], vec![json!(-1), json!(most + 1), json!("1")])
        }
        Shape::Duration => (
            vec![json!("10m"), json!("1h30m"), json!("500ms"), json!("0.5"), json!(3), json!(0.25)],
            vec![json!("soon"), json!(-1), json!(true), json!([]), json!("10 m"), json!(""), json!("1h30")],
        ),
        Shape::Size => (
            vec![json!("1GiB"), json!("512MB"), json!("1.5 k"), json!(7)],
            vec![json!("much"), json!(-1), json!(true), json!({}), json!("1iB"), json!("")],
        ),
        Shape::When => (
            vec![json!("always"), json!("passed(a)"), json!("failed( b )")],
            vec![json!("never"), json!("passed()"), json!(true), json!([])],
        ),
        Shape::Word(words) => {
            (words.iter().map(|word| json!(word)).collect(), vec![json!("other-word"), json!(1), json!([])])
        }
        Shape::Command => (
            vec![json!("a | b"), json!(["a", 1]), json!([{ "from": "t/x" }])],
            vec![json!(""), json!([]), json!(1), json!({}), json!([[]]), json!([{ "from": 1 }]), json!(" ")],
        ),
        Shape::Env => (
            vec![json!({ "A": "b", "B": 1, "C": { "secret": "S" }, "D": { "from": "t" } }), json!({})],
            vec![
                json!([]),
                json!({ "A": {} }),
                json!({ "A=": "b" }),
                json!({ "A": { "secret": "" } }),
                json!({ "A": null }),
            ],
        ),
        Shape::Folder => (
            vec![json!("."), json!("a/b"), json!({ "from": "t/x" })],
            vec![json!([]), json!({}), Value::Null],
        ),
        Shape::Retry => {
            (vec![json!(3), json!({ "attempts": 2 })], vec![json!(0), json!("3"), json!([]), json!({})])
        }
        Shape::Cache => (
            vec![
                json!(false),
                json!(true),
                json!({}),
                json!({ "env": ["CI"], "tools": "rustc", "ttl": "10m" }),
            ],
            vec![json!(1), json!("x"), json!([]), json!({ "x": 1 }), json!({ "ttl": "x" })],
        ),
        Shape::One(table) => (vec![sample_of(table)], vec![json!([]), json!(1), json!({ "no-such-key": 1 })]),
        Shape::List(table) => (
            vec![json!([]), json!([sample_of(table)])],
            vec![json!({}), json!([1]), json!([{ "no-such-key": 1 }])],
        ),
        Shape::Settings => (
            vec![
                json!({}),
                json!({ "jobs": 2, "timeout": "5m", "phases": { "reports": false }, "min_free_disk": "1GB" }),
            ],
            vec![
                json!([]),
                json!({ "job": 1 }),
                json!({ "phases": { "x": true } }),
                json!({ "jobs": 0 }),
                json!({ "phases": 1 }),
            ],
        ),
        Shape::Vars => (vec![json!({}), json!({ "a": [1, "x"] })], vec![json!([]), json!({ "A": 1 })]),
        Shape::Config => (vec![json!({}), json!({ "a": [1] })], vec![json!([]), json!("x"), Value::Null]),
    }
}

fn sample_of(table: &Table) -> Value {
    match table.what {
        "phase" => json!({ "name": "q", "use": "standard" }),
        "group" => json!({ "name": "g", "tasks": [] }),
        "task" => json!({ "id": "t", "run": ["x"] }),
        "checkpoint" => json!({ "validations": [] }),
        "validation" => json!({ "type": "http", "url": "x" }),
        "undo" => json!({ "run": "x" }),
        _ => json!({}),
    }
}

#[test]
fn decoding_and_schema_take_the_same_of_every_key() {
    let validator = validator();
    let tables = [
        &PIPELINE,
        &PHASE,
        &GROUP,
        &TASK,
        &CHECKPOINT,
        &VALIDATION,
        &VALIDATION_COMMAND,
        &UNDO,
        &RETRY,
        &CACHE,
        &RESOURCES,
    ];
    for table in tables {
        for key in table.keys() {
            // Another type makes it another table's.
            if table.what == VALIDATION_COMMAND.what && key.name == "type" {
                continue;
            }
            let (good, bad) = samples(key);
            for value in good {
                agree(validator, &around(table, &json!({ key.name: value })), true);
            }
            for value in bad {
                agree(validator, &around(table, &json!({ key.name: value })), false);
            }
        }
        if table.what != VALIDATION.what {
            agree(validator, &around(table, &json!({ "no-such-key": 1 })), false);
        }
    }
}

#[test]
fn decoding_and_schema_want_the_same_keys() {
    let validator = validator();
    let file = |phase: Value| json!({ "version": 1, "phases": [phase] });
    let task = |task: Value| file(json!({ "name": "p", "tasks": [task] }));
    for bad in [
        json!({}),
        json!({ "version": 1 }),
        json!({ "phases": [] }),
        file(json!({ "tasks": [] })),
        file(json!({ "name": "p" })),
        file(json!({ "name": "p", "tasks": [], "groups": [] })),
        file(json!({ "name": "p", "tasks": [], "use": "standard" })),
        file(json!({ "name": "p", "tasks": [], "with": {} })),
        file(json!({ "name": "p", "groups": [{ "name": "g" }] })),
        file(json!({ "name": "p", "tasks": [], "checkpoint": {} })),
        file(json!({ "name": "p", "tasks": [], "checkpoint": { "validations": [{}] } })),
        file(json!({ "name": "p", "tasks": [], "checkpoint": { "validations": [{ "type": "command" }] } })),
        task(json!({ "run": "x" })),
        task(json!({ "id": "a" })),
        task(json!({ "id": "a", "run": "x", "uses": "y" })),
        task(json!({ "id": "a", "run": "x", "with": {} })),
        task(json!({ "id": "a", "uses": "y", "effect": "reads" })),
        task(json!({ "id": "a", "uses": "y", "undo": { "run": "x" } })),
    ] {
        agree(validator, &bad, false);
    }
    agree(validator, &json!({ "version": 1, "phases": [], "x-anything": [1] }), true);
    let vars = json!({ "t": "5m", "n": 2, "on": true });
    let task = json!({ "id": "a", "run": "x", "timeout": "${vars.t}", "retry": "${vars.n}", "continue_on_error": "${vars.on}" });
    agree(
        validator,
        &json!({ "version": 1, "vars": vars, "phases": [{ "name": "p", "tasks": [task] }] }),
        true,
    );
}

#[test]
fn the_example_fits_the_schema() {
    let value: Value = serde_saphyr::from_str(super::WHOLE).unwrap();
    agree(validator(), &value, true);
}

#[test]
fn every_key_is_described() {
    let schema = schema(None);
    let mut maps = vec![&schema];
    maps.extend(schema["$defs"].as_object().unwrap().values());
    for (name, property) in maps.iter().filter_map(|map| map["properties"].as_object()).flatten() {
        let about = property["description"].as_str().unwrap_or_default();
        assert!(!about.is_empty() && about.ends_with('.') || name == "from", "{name}: {about}");
    }
}

proptest! {
    /// Parts of good and bad files, put together at random.
    #[test]
    fn decoding_and_schema_agree(picks in prop::collection::vec((0..64usize, 0..16usize), 0..6)) {
        let mut inner = json!({});
        for (key, sample) in picks {
            let keys: Vec<&Key> = TASK.keys().collect();
            let key = keys[key % keys.len()];
            let (good, bad) = samples(key);
            let all: Vec<Value> = good.into_iter().chain(bad).collect();
            inner[key.name] = all[sample % all.len()].clone();
        }
        let file = json!({ "version": 1, "phases": [{ "name": "p", "tasks": [inner] }] });
        let decoded = decoded(&file);
        prop_assert_eq!(validator().is_valid(&file), decoded.is_ok(), "{}: {:?}", file, decoded);
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Image {
    tag: String,
    layers: Option<Vec<Layer>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    on: Option<Box<Layer>>,
}

struct Docker;

impl Agent for Docker {
    const NAME: &'static str = "docker-build";
    type Config = Image;
    type Output = ();

    async fn plan(&self, _: &Task<Image>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn conclude(&self, _: &Task<Image>, _: &[Receipt], _: &Artifacts<'_>) -> Result<Verdict<()>, BoxError> {
        Ok(Verdict::passed("", ()))
    }
}

#[test]
fn agents_bring_their_schemas() {
    let schema = schema(Some(&Registry::new().agent(Docker)));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let valid = |task: Value| {
        validator.is_valid(&json!({ "version": 1, "phases": [{ "name": "p", "tasks": [task] }] }))
    };
    let layers = json!([{ "name": "a", "on": { "name": "b" } }]);
    assert!(valid(json!({ "id": "a", "uses": "docker-build", "with": { "tag": "x", "layers": layers } })));
    assert!(valid(json!({ "id": "a", "run": "x" })));
    assert!(!valid(json!({ "id": "a", "uses": "docker-build" })));
    assert!(!valid(json!({ "id": "a", "uses": "docker-biuld", "with": { "tag": "x" } })));
    assert!(!valid(json!({ "id": "a", "uses": "docker-build", "with": { "tag": "x", "tga": "x" } })));
    let layers = json!([{ "name": "a", "on": { "nam": "b" } }]);
    assert!(!valid(json!({ "id": "a", "uses": "docker-build", "with": { "tag": "x", "layers": layers } })));
}
