//! JSON schemas of routes: a value that one takes, what Fastify adds to it, and values that it refuses.

use super::value::{Value, whole};

/// The most values that are refused of one schema.
const MOST: usize = 8;
/// The most parts of a schema that are followed.
const PARTS: usize = 100;

/// Why a value is refused.
pub(super) struct Why {
    /// As people say it.
    pub(super) said: String,
    /// What the message names.
    pub(super) names: String,
}

/// A value that the schema takes, of what is required alone; none where it says more than is known here.
pub(super) fn valid<'a>(schema: &Value<'a>, name: &str) -> Option<Value<'a>> {
    within(schema, name, &mut PARTS.clone())
}

/// A schema may hold itself.
fn within<'a>(schema: &Value<'a>, name: &str, left: &mut usize) -> Option<Value<'a>> {
    *left = left.checked_sub(1)?;
    for unknown in ["$ref", "oneOf", "anyOf", "allOf", "not", "pattern", "if"] {
        if schema.prop(unknown).is_some() {
            return None;
        }
    }
    if let Some(constant) = schema.prop("const") {
        return Some(constant);
    }
    if let Some(Value::Array(options)) = schema.prop("enum") {
        return options.items.borrow().first().cloned();
    }
    let number = |key: &str| match schema.prop(key) {
        Some(Value::Number(n)) => Some(n),
        _ => None,
    };
    let Some(Value::Text(kind)) = schema.prop("type") else { return None };
    match &*kind {
        "string" => sample(schema, name, number("minLength"), number("maxLength")),
        "integer" | "number" => {
            if number("multipleOf").is_some() {
                return None;
            }
            let least = number("minimum").or(number("exclusiveMinimum").map(|n| n + 1.0)).unwrap_or(3.0);
            let most = number("maximum").or(number("exclusiveMaximum").map(|n| n - 1.0)).unwrap_or(f64::MAX);
            Some(Value::Number(least.ceil().min(most.floor())))
        }
        "boolean" => Some(Value::Bool(true)),
        "array" => {
            let items = schema.prop("items")?;
            let count = whole(number("minItems").unwrap_or(1.0).clamp(1.0, 5.0));
            let item = within(&items, name, left)?;
            Some(Value::array(vec![item; count]))
        }
        "object" => {
            let mut props = Vec::new();
            for name in required(schema) {
                let own = schema.prop("properties")?.prop(&name)?;
                let value = within(&own, &name, left)?;
                props.push((name, value));
            }
            Some(Value::plain(props))
        }
        _ => None,
    }
}

fn sample<'a>(schema: &Value<'a>, name: &str, least: Option<f64>, most: Option<f64>) -> Option<Value<'a>> {
    if let Some(Value::Text(format)) = schema.prop("format") {
        let known = match &*format {
            "email" => "ada@example.org",
            "uuid" => "3b241101-e2bb-4255-8caf-4136c566a962",
            "date" => "2026-01-31",
            "date-time" => "2026-01-31T12:00:00Z",
            "uri" | "url" => "https://example.org/a",
            _ => return None,
        };
        return Some(Value::text(known));
    }
    let mut text = format!("{name}-1");
    let least = whole(least.unwrap_or(0.0).min(1000.0));
    while text.len() < least {
        text.push('x');
    }
    let most = most.map_or(text.len(), whole);
    let text: String =
        text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= most).map(|(_, c)| c).collect();
    Some(Value::text(text))
}

fn required(schema: &Value<'_>) -> Vec<String> {
    let Some(Value::Array(names)) = schema.prop("required") else { return Vec::new() };
    names.items.borrow().iter().filter_map(Value::to_text).collect()
}

/// What a handler sees of a value: with the defaults of properties that are missing.
pub(super) fn with_defaults<'a>(schema: &Value<'a>, value: Value<'a>) -> Value<'a> {
    let (Value::Object(object), Some(Value::Object(properties))) = (&value, schema.prop("properties")) else {
        return value;
    };
    let mut props = object.props.borrow().clone();
    for (name, own) in properties.props.borrow().iter() {
        if !props.iter().any(|(there, _)| there == name)
            && let Some(default) = own.prop("default")
        {
            props.push((name.clone(), default));
        }
    }
    Value::plain(props)
}

/// Values that the schema refuses: without each required property, and with a value that its type or list rules out.
pub(super) fn invalid<'a>(schema: &Value<'a>, sample: &Value<'a>) -> Vec<(Value<'a>, Why)> {
    let Value::Object(object) = sample else { return Vec::new() };
    let props = object.props.borrow().clone();
    let mut them = Vec::new();
    for name in required(schema) {
        let without: Vec<_> = props.iter().filter(|(own, _)| *own != name).cloned().collect();
        them.push((Value::plain(without), Why { said: format!("{name} is missing"), names: name }));
    }
    if let Some(Value::Object(properties)) = schema.prop("properties") {
        for (name, own) in properties.props.borrow().iter() {
            let Some((wrong, said)) = wrong(own) else { continue };
            let mut with: Vec<_> = props.iter().filter(|(own, _)| own != name).cloned().collect();
            with.push((name.clone(), wrong));
            them.push((Value::plain(with), Why { said: format!("{name} {said}"), names: name.clone() }));
        }
    }
    them.truncate(MOST);
    them
}

/// A value that a property refuses. What Fastify would turn into the right type is none.
fn wrong<'a>(schema: &Value<'a>) -> Option<(Value<'a>, String)> {
    if schema.prop("enum").is_some() {
        return Some((Value::text("none-of-these"), "is none of its values".into()));
    }
    let Some(Value::Text(kind)) = schema.prop("type") else { return None };
    match (&*kind, schema.prop("minimum"), schema.prop("minLength")) {
        ("integer" | "number", Some(Value::Number(least)), _) => {
            Some((Value::Number(least - 1.0), format!("is below {least}")))
        }
        ("integer" | "number", ..) => Some((Value::text("no number"), "is no number".into())),
        ("string", _, Some(Value::Number(least))) if least >= 1.0 => {
            Some((Value::text(""), "is empty".into()))
        }
        ("string", ..) if matches!(schema.prop("format"), Some(Value::Text(it)) if &*it == "email") => {
            Some((Value::text("no address"), "is no address".into()))
        }
        _ => None,
    }
}
