//! JSON, with comments and trailing commas where they are: values with their places in the text.

use jsonc_parser::ast::{ObjectProp, Value as Written};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use orchestrator_core::BoxError;
use serde_json::Value;

use super::braces::{self, Entry, Kind, Node, Style};
use super::frame::nesting;
use super::value::{Op, intended, opaque};

/// The deepest nesting that is read: the parser calls itself.
const DEEPEST: usize = 200;

/// What a text says.
pub(super) fn value(text: &str) -> Result<Value, BoxError> {
    Ok(read(text, true)?.map_or(Value::Null, |node| node.value()))
}

/// Makes a change that is known to change the value.
pub(super) fn write(text: &str, op: Op<'_>) -> Result<String, BoxError> {
    let style = Style::json(text);
    let new = match read(text, true)? {
        Some(_) => braces::write(text, &style, op, &|text| Ok(read(text, true)?.ok_or("it says nothing")?))?,
        None => {
            let value = intended(&Value::Null, op)?.unwrap_or_default();
            format!("{text}{}\n", style.write(&value, ""))
        }
    };
    // What strict readers could read, they still can.
    if read(text, false).is_ok() {
        read(&new, false)
            .map_err(|error| format!("the edit would need what only JSON with comments has: {error}"))?;
    }
    Ok(new)
}

fn read(text: &str, loose: bool) -> Result<Option<Node>, BoxError> {
    if nesting(text) > DEEPEST {
        return Err(format!("it is nested deeper than {DEEPEST} levels").into());
    }
    let options = ParseOptions {
        allow_comments: loose,
        allow_trailing_commas: loose,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        ..ParseOptions::default()
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let parsed = parsed.map_err(|error| format!("it is not valid JSON: {error}"))?;
    let node = parsed.value.map(|value| node(&value, text));
    match node.as_ref().and_then(Node::twice) {
        Some(key) => Err(format!("the key `{}` stands twice", key.escape_debug()).into()),
        None => Ok(node),
    }
}

fn node(value: &Written<'_>, text: &str) -> Node {
    let range = value.range();
    let span = range.start..range.end;
    let kind = match value {
        Written::StringLit(said) => Kind::Plain(Value::String(said.value.to_string())),
        Written::NumberLit(number) => {
            Kind::Plain(serde_json::from_str(number.value).unwrap_or_else(|_| opaque(&text[span.clone()])))
        }
        Written::BooleanLit(truth) => Kind::Plain(Value::Bool(truth.value)),
        Written::NullKeyword(_) => Kind::Plain(Value::Null),
        Written::Array(list) => Kind::List(list.elements.iter().map(|item| node(item, text)).collect()),
        Written::Object(object) => {
            Kind::Map(object.properties.iter().map(|property| entry(property, text)).collect())
        }
    };
    Node { span, kind }
}

fn entry(property: &ObjectProp<'_>, text: &str) -> Entry {
    let range = property.range();
    let key = Some(property.name.as_str().to_owned());
    Entry { key, span: range.start..range.end, node: node(&property.value, text) }
}
