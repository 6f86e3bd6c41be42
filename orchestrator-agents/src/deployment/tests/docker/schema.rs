//! The engine's published interface, read from its `swagger.json`: which requests there are, what each may carry, what each may answer.
//! Properties that it does not know are errors, also where it would let them pass.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

pub(super) struct Published {
    whole: Value,
}

/// A request or an answer under the schema.
pub(super) struct Known<'p> {
    published: &'p Published,
    operation: &'p Value,
    pub(super) name: String,
}

impl Published {
    /// The file that `ORCHESTRATE_TEST_DOCKER_SCHEMA` names.
    pub(super) fn read() -> Self {
        let path = std::env::var("ORCHESTRATE_TEST_DOCKER_SCHEMA")
            .expect("ORCHESTRATE_TEST_DOCKER_SCHEMA names the `swagger.json` of the engine's interface; tests/run brings it");
        let text = std::fs::read_to_string(path).unwrap();
        let whole: Value = serde_json::from_str(&text).unwrap();
        Self { whole }
    }

    /// The version of the interface.
    pub(super) fn version(&self) -> &str {
        self.whole["info"]["version"].as_str().unwrap()
    }

    /// What is published for that request; an error where it is none.
    pub(super) fn known(&self, method: &str, path: &str) -> Result<Known<'_>, String> {
        let paths = self.whole["paths"].as_object().unwrap();
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            wanted.len() == given.len()
                && wanted
                    .iter()
                    .zip(&given)
                    .all(|(wanted, given)| wanted.starts_with('{') && !given.is_empty() || wanted == given)
        };
        // A path without parameters comes before one that has some.
        let mut found: Vec<_> =
            paths.iter().filter(|(template, known)| fits(template) && known.get(method).is_some()).collect();
        found.sort_by_key(|(template, _)| template.matches('{').count());
        let (_, known) =
            found.first().ok_or_else(|| format!("{method} {path} is no request that is published"))?;
        let operation = &known[method];
        Ok(Known { published: self, operation, name: operation["operationId"].as_str().unwrap().to_owned() })
    }

    /// The schema with all references put in and all parts merged, closed to what it does not know.
    fn plain(&self, schema: &Value, depth: usize) -> Value {
        if depth > 16 {
            return json!({});
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/definitions/").unwrap();
            return self.plain(&self.whole["definitions"][name], depth + 1);
        }
        let mut all = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            merge(&mut all, self.plain(part, depth + 1));
        }
        for (name, value) in schema.as_object().into_iter().flatten() {
            match name.as_str() {
                "properties" => {
                    let known = value.as_object().unwrap().iter();
                    let known: Map<_, _> =
                        known.map(|(name, value)| (name.clone(), self.plain(value, depth + 1))).collect();
                    merge(&mut all, json!({ "properties": known }));
                }
                "items" => drop(all.insert(name.clone(), self.plain(value, depth + 1))),
                "additionalProperties" if value.is_object() => {
                    drop(all.insert(name.clone(), self.plain(value, depth + 1)));
                }
                "type"
                | "enum"
                | "required"
                | "pattern"
                | "minimum"
                | "maximum"
                | "minItems"
                | "maxItems"
                | "additionalProperties" => {
                    all.insert(name.clone(), value.clone());
                }
                _ => {}
            }
        }
        if all.contains_key("properties") && !all.contains_key("additionalProperties") {
            all.insert("additionalProperties".into(), json!(false));
        }
        if schema["x-nullable"] == true
            && let Some(kind) = all.get("type").cloned()
        {
            all.insert("type".into(), json!([kind, "null"]));
        }
        Value::Object(all)
    }

    fn check(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&self.plain(schema, 0)).unwrap();
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

fn merge(all: &mut Map<String, Value>, part: Value) {
    let Value::Object(part) = part else { panic!("{part}") };
    for (name, value) in part {
        match (name.as_str(), all.get_mut(&name)) {
            ("properties", Some(Value::Object(known))) => known.extend(value.as_object().unwrap().clone()),
            // What one part closes, the other may open: closed again at the end.
            ("additionalProperties", _) if value == json!(false) => {}
            _ => drop(all.insert(name, value)),
        }
    }
}

impl Known<'_> {
    fn parameters(&self, place: &str) -> Vec<&Value> {
        self.operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|known| known["in"] == place)
            .collect()
    }

    /// What is wrong with a request.
    pub(super) fn request(&self, query: &str, body: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        let known: BTreeMap<&str, &Value> = self
            .parameters("query")
            .into_iter()
            .map(|known| (known["name"].as_str().unwrap(), known))
            .collect();
        let given = pairs(query);
        for (name, value) in &given {
            match known.get(name.as_str()) {
                None => wrong.push(format!("`{name}` is no parameter of {}", self.name)),
                Some(known) => wrong.extend(self.parameter(known, name, value)),
            }
        }
        for (name, _) in known.iter().filter(|(_, known)| known["required"] == true) {
            if !given.iter().any(|(given, _)| given == name) {
                wrong.push(format!("`{name}` is missing"));
            }
        }
        match (self.parameters("body").first(), body) {
            (None, []) => {}
            (None, _) => wrong.push("a body, where none is taken".to_owned()),
            (Some(known), []) if known["required"] == true => wrong.push("no body".to_owned()),
            (Some(_), []) => {}
            (Some(known), body) => match serde_json::from_slice(body) {
                Ok(body) => wrong.extend(self.published.check(&known["schema"], &body)),
                Err(error) => wrong.push(format!("the body is no JSON: {error}")),
            },
        }
        wrong.into_iter().map(|wrong| format!("{}: {wrong}", self.name)).collect()
    }

    fn parameter(&self, known: &Value, name: &str, value: &str) -> Option<String> {
        let typed = match known["type"].as_str().unwrap() {
            "integer" => value.parse::<i64>().ok().map(|number| json!(number)),
            "boolean" => matches!(value, "true" | "false" | "1" | "0").then(|| json!(true)),
            _ => Some(json!(value)),
        };
        let Some(typed) = typed else { return Some(format!("`{name}={value}` is no {}", known["type"])) };
        let mut schema = known.clone();
        schema
            .as_object_mut()
            .unwrap()
            .retain(|name, _| ["type", "enum", "pattern", "minimum"].contains(&name.as_str()));
        let wrong = self.published.check(&schema, &typed);
        (!wrong.is_empty()).then(|| format!("`{name}={value}`: {}", wrong.join("; ")))
    }

    /// What is wrong with an answer.
    pub(super) fn answer(&self, status: u16, body: &[u8]) -> Vec<String> {
        let responses = &self.operation["responses"];
        let known = responses.as_object().unwrap().iter().find(|(code, _)| **code == status.to_string());
        let Some((_, known)) = known else {
            return vec![format!("{}: it never answers {status}", self.name)];
        };
        // A stream, or nothing.
        let streams = known["schema"]["format"] == "binary"
            || self.name == "ContainerLogs"
            || self.name == "ImageCreate";
        if known["schema"].is_null() || streams && status == 200 {
            return Vec::new();
        }
        match serde_json::from_slice(body) {
            Ok(body) => self
                .published
                .check(&known["schema"], &body)
                .into_iter()
                .map(|wrong| format!("the answer of {}: {wrong}", self.name))
                .collect(),
            Err(error) => vec![format!("the answer of {} is no JSON: {error}", self.name)],
        }
    }
}

/// The parameters of a query.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let split = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (plain(name), plain(value))).collect()
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_the_check_sees_what_is_wrong() {
    let published = Published::read();
    assert_eq!(published.version(), "1.41");
    assert!(
        published.known("get", "/containers/x/y/z").is_err()
            && published.known("put", "/containers/create").is_err()
    );
    let create = published.known("post", "/containers/create").unwrap();
    let body = |body: Value| create.request("name=a1", body.to_string().as_bytes());
    let good = json!({ "Image": "x", "Env": ["A=1"], "Labels": { "a": "b" }, "ExposedPorts": { "80/tcp": {} },
        "HostConfig": { "Init": true, "Memory": 1, "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 1 } } });
    assert_eq!(body(good.clone()), Vec::<String>::new());
    for (at, bad) in [
        ("/Image", json!(1)),
        ("/Env", json!({})),
        ("/Unknown", json!(1)),
        ("/HostConfig/Unknown", json!(1)),
        ("/HostConfig/Memory", json!("1")),
        ("/HostConfig/RestartPolicy/Name", json!("sometimes")),
        ("/HostConfig/RestartPolicy/Unknown", json!(1)),
    ] {
        let mut wrong = good.clone();
        let (parent, name) = at.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[name] = bad;
        assert_eq!(body(wrong).len(), 1, "{at}");
    }
    assert_eq!(create.request("name=a1&nome=x", good.to_string().as_bytes()).len(), 1);
    assert_eq!(create.request("name=%20", good.to_string().as_bytes()).len(), 1, "a pattern");
    assert_eq!(create.request("name=a1", b"").len(), 1, "a body is required");
    let stop = published.known("post", "/containers/x/stop").unwrap();
    assert_eq!((stop.request("t=5", b"").len(), stop.request("t=x", b"").len()), (0, 1));
    assert_eq!((stop.answer(204, b"").len(), stop.answer(418, b"").len()), (0, 1));
    let version = published.known("get", "/version").unwrap();
    assert_eq!(version.answer(200, br#"{"Version":"x","Vorsion":1}"#).len(), 1);
}
