//! The JSON Schema of the pipeline file, from the same table that decoding uses.

mod roadmap;

use serde_json::{Map, Value, json};

use crate::file::keys::roadmap::PHASE_REF;
use crate::file::keys::{
    CACHE, CHECKPOINT, COMMAND, GROUP, Key, NAME, Others, PHASE, PIPELINE, RESOURCES, RETRY, Shape, TASK,
    TASK_ID, Table, UNDO, VALIDATION, VALIDATION_COMMAND,
};
use crate::id::{AgentName, MAX_NAME};
use crate::registry::Registry;
use crate::{settings, units};

/// The JSON Schema (2020-12) of the pipeline file, roadmaps included. With a registry, `uses` and `with` are checked by agent.
pub fn schema(registry: Option<&Registry>) -> Value {
    let mut root = json!({
        "if": { "required": ["orchestrator"], "not": { "anyOf": [{ "required": ["version"] }, { "required": ["phases"] }] } },
        "then": { "$ref": "#/$defs/roadmap" },
        "else": { "$ref": "#/$defs/pipeline" },
    });
    let mut defs = Map::new();
    for each in [&PHASE, &GROUP, &CHECKPOINT, &VALIDATION, &UNDO, &RETRY, &RESOURCES, &CACHE] {
        defs.insert(each.what.to_owned(), table(each));
    }
    roadmap::add(&mut defs);
    defs.insert(PIPELINE.what.to_owned(), table(&PIPELINE));
    defs.insert(PHASE.what.to_owned(), phase());
    defs.insert(VALIDATION.what.to_owned(), validation());
    defs.insert("var".into(), json!({ "type": "string", "pattern": r"^\$\{vars\.[a-z][a-z0-9_-]*\}$" }));
    defs.insert("from".into(), from());
    let mut task = task();
    if let Some(registry) = registry {
        agents(registry, &mut task, &mut defs);
    }
    defs.insert(TASK.what.to_owned(), task);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "A delivery pipeline".into();
    root["$defs"] = Value::Object(defs);
    root
}

fn table(table: &Table) -> Value {
    let properties: Map<String, Value> =
        table.keys().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !table.required.is_empty() {
        schema["required"] = table.required.into();
    }
    match table.others {
        Others::All => {}
        Others::None => schema["additionalProperties"] = false.into(),
        Others::Extensions => {
            schema["patternProperties"] = json!({ "^x-": {} });
            schema["additionalProperties"] = false.into();
        }
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    schema["description"] = key.about.into();
    schema
}

/// A phase has exactly one source of tasks.
fn phase() -> Value {
    let mut phase = table(&PHASE);
    phase["oneOf"] = json!([{ "required": ["groups"] }, { "required": ["tasks"] }, { "required": ["use"] }]);
    phase["dependentRequired"] = json!({ "with": ["use"] });
    phase
}

/// A task runs a command or uses an agent, and says only what goes with that.
fn task() -> Value {
    let mut task = table(&TASK);
    let mut with: Map<String, Value> =
        COMMAND.iter().map(|key| (key.name.to_owned(), json!(["run"]))).collect();
    with.insert("with".into(), json!(["uses"]));
    task["oneOf"] = json!([{ "required": ["run"] }, { "required": ["uses"] }]);
    task["dependentRequired"] = Value::Object(with);
    task
}

fn validation() -> Value {
    let mut validation = table(&VALIDATION);
    validation["if"] = json!({ "properties": { "type": { "const": "command" } }, "required": ["type"] });
    validation["then"] = table(&VALIDATION_COMMAND);
    validation
}

fn from() -> Value {
    json!({
        "type": "object",
        "properties": { "from": { "type": "string", "description": "TASK/field of another task's output" } },
        "required": ["from"],
        "additionalProperties": false,
    })
}

/// Text as people write it: numbers and truth values count.
fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn one_or_list(item: Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

/// A name as decoding takes it: what YAML reads as a number or a truth value counts as it was written.
fn name(pattern: &str) -> Value {
    let text = json!({ "type": ["string", "boolean"], "pattern": pattern, "maxLength": MAX_NAME });
    if pattern == TASK_ID || pattern == PHASE_REF {
        return or_var(json!({ "anyOf": [text, { "type": "number", "minimum": 0 }] }));
    }
    or_var(text)
}

/// A variable may stand wherever a value does.
fn or_var(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/var" }] })
}

/// What the definition of a map is called.
fn def(table: &Table) -> String {
    table.what.replace(' ', "-")
}

fn reference(table: &Table) -> Value {
    json!({ "$ref": format!("#/$defs/{}", def(table)) })
}

fn shape(shape: &Shape) -> Value {
    match *shape {
        Shape::Version => json!({ "const": 1 }),
        Shape::Text => scalar(),
        Shape::Texts => one_or_list(scalar()),
        Shape::Name(pattern) => name(pattern),
        Shape::Names(pattern) => one_or_list(name(pattern)),
        Shape::Flag => or_var(json!({ "type": "boolean" })),
        Shape::Count(least, most) => or_var(json!({ "type": "integer", "minimum": least, "maximum": most })),
        Shape::Amount(most) => or_var(json!({ "type": "number", "minimum": 0, "maximum": most })),
        Shape::Duration => measured(units::DURATION),
        Shape::Size => measured(units::SIZE),
        Shape::When => {
            let task = TASK_ID.trim_start_matches('^').trim_end_matches('$');
            let phase = NAME.trim_start_matches('^').trim_end_matches('$');
            let pattern = format!(r"^\s*(always|(passed|failed)\s*\(\s*({task}|phase\s+{phase})\s*\))\s*$");
            or_var(json!({ "type": "string", "pattern": pattern }))
        }
        Shape::Word(words) => or_var(json!({ "enum": words })),
        Shape::Command => json!({ "anyOf": [
            { "type": "string", "pattern": r"\S" },
            { "type": "array", "minItems": 1, "items": { "anyOf": [scalar(), { "$ref": "#/$defs/from" }] } },
        ] }),
        Shape::Env => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[^=]+$" },
            "additionalProperties": { "anyOf": [scalar(), { "$ref": "#/$defs/from" }, secret()] },
        }),
        Shape::Folder => json!({ "anyOf": [scalar(), { "$ref": "#/$defs/from" }] }),
        Shape::Retry => {
            let attempts = self::shape(&crate::file::keys::ATTEMPTS);
            json!({ "anyOf": [attempts, reference(&RETRY)] })
        }
        Shape::Cache => {
            json!({ "anyOf": [self::shape(&Shape::Flag), reference(&CACHE)] })
        }
        Shape::One(table) => or_var(reference(table)),
        Shape::List(table) => or_var(json!({ "type": "array", "items": or_var(reference(table)) })),
        Shape::Settings => settings_schema(),
        Shape::Vars => json!({ "type": "object", "propertyNames": { "pattern": NAME } }),
        Shape::Config => or_var(json!({ "type": "object" })),
    }
}

fn measured(pattern: &str) -> Value {
    or_var(json!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": pattern }] }))
}

fn secret() -> Value {
    json!({
        "type": "object",
        "properties": { "secret": { "type": "string", "minLength": 1, "description": "Name of a secret" } },
        "required": ["secret"],
        "additionalProperties": false,
    })
}

fn settings_schema() -> Value {
    let with_var = |settings: Map<String, Value>| -> Map<String, Value> {
        settings.into_iter().map(|(name, schema)| (name, or_var(schema))).collect()
    };
    let mut settings = settings::schemas();
    let sections = settings::SECTIONS.map(|(section, about)| {
        let inner = match settings.remove(section) {
            Some(Value::Object(inner)) => with_var(inner),
            _ => Map::new(),
        };
        let schema = json!({
            "type": "object",
            "properties": inner,
            "additionalProperties": false,
            "description": about,
        });
        (section.to_owned(), schema)
    });
    let mut properties = with_var(settings);
    properties.extend(sections);
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// `uses` takes the known agents, and `with` what the agent takes.
fn agents(registry: &Registry, task: &mut Value, defs: &mut Map<String, Value>) {
    let names: Vec<&str> = registry.agents().keys().map(AgentName::as_str).collect();
    let mut rules = Vec::new();
    for (name, agent) in registry.agents() {
        let mut config = Value::from(agent.config_schema());
        let prefix = format!("agent.{name}");
        hoist(&mut config, &prefix, defs);
        let needed = config.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
        defs.insert(prefix.clone(), config);
        let mut then = json!({ "properties": { "with": { "$ref": format!("#/$defs/{prefix}") } } });
        if needed {
            then["required"] = json!(["with"]);
        }
        let uses = json!({ "properties": { "uses": { "const": name.as_str() } }, "required": ["uses"] });
        rules.push(json!({ "if": uses, "then": then }));
    }
    let about = task["properties"]["uses"]["description"].take();
    task["properties"]["uses"] = or_var(json!({ "enum": names }));
    task["properties"]["uses"]["description"] = about;
    task["allOf"] = Value::Array(rules);
}

/// Moves the definitions of an agent's schema to the top, under names of their own.
fn hoist(schema: &mut Value, prefix: &str, defs: &mut Map<String, Value>) {
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
        if let Some(Value::Object(own)) = fields.remove("$defs") {
            for (name, mut def) in own {
                rename(&mut def, prefix);
                defs.insert(format!("{prefix}.{name}"), def);
            }
        }
    }
    rename(schema, prefix);
}

fn rename(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if target == "#" {
                            *target = format!("#/$defs/{prefix}");
                        } else if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{prefix}.{name}");
                        }
                    }
                    value => rename(value, prefix),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix)),
        _ => {}
    }
}
