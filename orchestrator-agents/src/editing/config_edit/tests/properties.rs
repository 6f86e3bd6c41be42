//! What holds for any edit of any text.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::config::EditConfig;
use super::super::edited::Facts;
use super::super::format::Format;
use super::super::value::{find, same};
use super::super::way::Way;
use super::super::work::work;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "[ -~]{0,12}",
        "[a-zé🦀 :#'\"\\\\\n\t-]{0,16}",
        Just("on".to_owned()),
        Just("1.0".to_owned()),
        Just("| x".to_owned()),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-e]", 1 => "[a-z][a-z0-9_-]{0,5}", 1 => "[a-z]\\.[a-z]", 1 => "[ -~]{1,5}"]
        .prop_filter("it sets the prototype", |key| key != "__proto__")
}

fn value(empty: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-1000..1000_i64).prop_map(Value::from),
        (-1000..1000_i32).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        text().prop_map(Value::from),
        Just(if empty { Value::Null } else { Value::from(0) }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn map(empty: bool) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(key(), value(empty), 1..5).prop_map(|entries| entries.into_iter().collect())
}

/// A text of a format that says these values, made by edits themselves: with a comment in front and behind.
fn written(file: &str, values: &Map<String, Value>, comment: &str) -> String {
    let begin = match file {
        "a.json" | "a.jsonc" => "{}\n".to_owned(),
        "a.ts" => format!("{comment} first\nexport default {{\n}};\n{comment} last\n"),
        _ => format!("{comment} first\n"),
    };
    let edits = values.iter().map(
        |(key, value)| json!({ "set": { "at": Way::keys([key.as_str()]).to_string(), "value": value } }),
    );
    let edits = edits.collect::<Vec<_>>();
    apply(file, &begin, Value::Array(edits)).unwrap().unwrap_or(begin)
}

fn apply(file: &str, text: &str, edits: Value) -> Result<Option<String>, String> {
    let config: EditConfig = serde_json::from_value(json!({ "target": file, "edits": edits })).unwrap();
    work(&config, text, &Facts::default()).map(|done| done.text).map_err(|error| error.to_string())
}

/// The comments that were put into a text.
fn comments(text: &str, mark: &str) -> usize {
    let own = [format!("{mark} first"), format!("{mark} last")];
    text.lines().filter(|line| own.iter().any(|own| line == own)).count()
}

fn holds(
    file: &str,
    comment: &str,
    values: &Map<String, Value>,
    way: &[String],
    new: &Value,
) -> Result<(), TestCaseError> {
    let text = written(file, values, comment);
    let format = Format::of(&file.parse().unwrap()).unwrap();
    prop_assert!(same(&format.value(&text).unwrap(), &Value::Object(values.clone())), "{text}");
    let way = Way::keys(way.iter().map(String::as_str));
    let edit = json!([{ "set": { "at": way.to_string(), "value": new } }]);
    let after = match apply(file, &text, edit.clone()) {
        Ok(Some(after)) => after,
        Ok(None) => text.clone(),
        // The way leads through a scalar or a list.
        Err(error) => {
            prop_assert!(error.contains("below it") || error.contains("instead of"), "{error}\n{text}");
            return Ok(());
        }
    };
    let said = format.value(&after).unwrap();
    prop_assert!(find(&said, way.parts()).unwrap().is_some_and(|there| same(there, new)), "{after}");
    prop_assert_eq!(apply(file, &after, edit).unwrap(), None);
    prop_assert_eq!(comments(&after, comment), comments(&text, comment));
    // A key that is too long to be made by chance.
    let appended = json!([{ "append": { "at": "appended.list", "value": new } }, { "append": { "at": "appended.list", "value": "x\ny" } }]);
    let grown = apply(file, &after, appended).unwrap().unwrap();
    let gone = apply(file, &grown, json!([{ "remove": { "at": "appended" } }])).unwrap().unwrap();
    prop_assert!(same(&format.value(&gone).unwrap(), &said), "{gone}");
    let dropped =
        apply(file, &grown, json!([{ "remove": { "at": "appended.list", "value": new } }])).unwrap().unwrap();
    prop_assert!(
        !find(&format.value(&dropped).unwrap(), Way::keys(["appended", "list"]).parts())
            .unwrap()
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .any(|item| same(item, new))
    );
    let windows = text.replace('\n', "\r\n");
    if file != "a.ts" && !text.contains('\r') {
        let edit = json!([{ "set": { "at": way.to_string(), "value": new } }]);
        if let Ok(Some(after)) = apply(file, &windows, edit) {
            prop_assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn yaml(values in map(true), way in prop::collection::vec(key(), 1..4), new in value(true)) {
        holds("a.yml", "#", &values, &way, &new)?;
    }

    #[test]
    fn json_with_its_places(values in map(true), way in prop::collection::vec(key(), 1..4), new in value(true)) {
        holds("a.json", "//", &values, &way, &new)?;
    }

    #[test]
    fn toml(values in map(false), way in prop::collection::vec(key(), 1..4), new in value(false)) {
        holds("a.toml", "#", &values, &way, &new)?;
    }

    #[test]
    fn scripts(values in map(true), way in prop::collection::vec(key(), 1..4), new in value(true)) {
        holds("a.ts", "//", &values, &way, &new)?;
    }

    #[test]
    fn any_text_is_edited_or_refused(text in "[a-c:{}\\[\\],\\-#&*|>'\"\n ?!%=.]{0,40}", file in prop::sample::select(vec!["a.yml", "a.json", "a.toml", "a.ts"])) {
        for edits in [json!([{ "set": { "at": "a.b", "value": "x" } }]), json!([{ "append": { "at": "a", "value": 1 } }]), json!([{ "remove": { "at": "a" } }])] {
            if let Ok(Some(new)) = apply(file, &text, edits.clone()) {
                prop_assert_eq!(apply(file, &new, edits).unwrap(), None);
            }
        }
    }
}
