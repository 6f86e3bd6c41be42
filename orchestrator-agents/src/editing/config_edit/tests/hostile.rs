use serde_json::json;

use super::super::config::EditConfig;
use super::super::edited::Facts;
use super::super::work::work;
use super::{after, refused, set};

/// Texts of one shape, nested deeper than any parser that calls itself could bear.
fn nested(open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(10_000), close.repeat(10_000))
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    for (file, text) in [
        ("a.yml", nested("[", "", "]")),
        ("a.yml", nested("{a: ", "1", "}")),
        ("a.yml", nested("- ", "a", "")),
        ("a.yml", (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("a.json", nested("[", "", "]")),
        ("a.json", nested("{\"a\":", "1", "}")),
        ("a.toml", format!("a = {}", nested("[", "", "]"))),
        ("a.toml", format!("a = {}", nested("{a=", "1", "}"))),
        ("a.toml", format!("{}a = 1", "a.".repeat(10_000))),
        ("a.ts", format!("export default {}", nested("[", "", "]"))),
        ("a.ts", format!("export default {{ a: {} }}", nested("(", "1", ")"))),
        ("a.js", format!("export default {}", nested("<a>", "", "</a>"))),
    ] {
        let why = refused(file, &text, set("b", json!(1)));
        assert!(!why.is_empty(), "{file}");
    }
}

#[test]
fn what_nests_without_brackets_ends_too() {
    for inner in [
        format!("{}a", "!".repeat(100_000)),
        format!("{}a", "a=>".repeat(60_000)),
        format!("{}a", "a?b:".repeat(50_000)),
        format!("{}a", "new ".repeat(50_000)),
        format!("{}a", "a=".repeat(100_000)),
        format!("{}1", "1**".repeat(60_000)),
        format!("a{}", ".a".repeat(100_000)),
        format!("1{}", "+1".repeat(100_000)),
    ] {
        let config: EditConfig =
            serde_json::from_value(json!({ "target": "a.js", "edits": set("b", json!(1)) })).unwrap();
        let _ended = work(&config, &format!("export default {{ a: {inner} }}"), &Facts::default());
    }
    let statements = format!("{}a; export default {{}}", "if(a)".repeat(40_000));
    assert!(!refused("a.js", &statements, set("b[0]", json!(1))).is_empty());
}

#[test]
fn aliases_that_expand_without_end_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let above = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{above}]\n")]);
    }
    assert!(refused("a.yml", &bomb, set("b", json!(1))).contains("it says more than 1000000 values"));
    assert!(!refused("a.yml", "a: &a [*a]\n", set("b", json!(1))).is_empty());
}

#[test]
fn odd_texts_are_refused_or_edited_and_nothing_panics() {
    let texts = [
        "\0",
        "\u{feff}",
        "\r",
        "\r\n",
        "\n\n",
        "a",
        "a:",
        ":",
        "-",
        "- -",
        "? a",
        "? - a\n: b",
        "%YAML 1.2\n---\na: 1\n",
        "...",
        "---",
        "--- a",
        "!!map {a: 1}",
        "&a",
        "*a",
        "a: |",
        "a: >-\n",
        "a: |2\n   x\n",
        "a: 'x",
        "\"a\": 1",
        "{",
        "}",
        "[",
        "]",
        "{}",
        "[]",
        "{a}",
        "{a: }",
        "a: [\n]",
        "\t",
        "a:\tb",
        "a: b\tc",
        "é",
        "🦀: 🦀",
        "a: \u{2028}",
        "//",
        "/*",
        "export default",
        "module.exports=",
        "a = ",
        "[a]\n[a]",
        "[[a]]",
        "export default {,}",
        "export default {'a':}",
        "export default{a(){}}",
        "export default {get a(){return 1}}",
        "#",
        "# c",
        "null",
        "export default [,]",
        "<<: 1",
        "a: !x b",
        "a: !<x> b",
        "'':",
        "? ",
        "[?]",
        "a: {b: c, }",
        "a: [b, ]",
        "- a\n-b",
        "a: 1 #",
        "a:\n\n\n  b: 1",
    ];
    let edits = [
        json!([{ "set": { "at": "a", "value": 1 } }]),
        json!([{ "set": { "at": "a.b.c", "value": { "d": [1, { "e": "f\n" }] } } }]),
        json!([{ "set": { "at": "[0]", "value": "x" } }]),
        json!([{ "append": { "at": "a", "value": { "b": "c" } } }]),
        json!([{ "remove": { "at": "a" } }]),
        json!([{ "remove": { "at": "a", "value": null } }]),
    ];
    for file in ["a.yml", "a.json", "a.toml", "a.ts", "a.js", "a.tsx"] {
        for text in texts {
            for edit in &edits {
                for text in [
                    text.to_owned(),
                    format!("{text}\n"),
                    format!("{text}\r\n"),
                    format!("a: 1\n{text}"),
                    format!("{text}\na: 1"),
                ] {
                    let config = json!({ "target": file, "edits": edit });
                    let config: EditConfig = serde_json::from_value(config).unwrap();
                    if let Ok(done) = work(&config, &text, &Facts::default())
                        && let Some(new) = done.text
                    {
                        assert_eq!(
                            work(&config, &new, &Facts::default()).unwrap().text,
                            None,
                            "{text:?} {edit}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn large_files_are_edited() {
    let lines: String = (0..20_000).map(|line| format!("key{line}: value {line} # {line}\n")).collect();
    let new = after("a.yml", &lines, set("key19999", json!("x")));
    assert_eq!(new, lines.replace("value 19999 ", "x "));
    let script = format!(
        "export default {{\n{}}};\n",
        (0..5000).map(|line| format!("  key{line}: {line}, // {line}\n")).collect::<String>()
    );
    assert_eq!(after("a.ts", &script, set("key4999", json!("x"))), script.replace(": 4999,", ": 'x',"));
    let script = format!("export default {{ a: '{}' }}", "x".repeat(300_000));
    assert!(refused("a.ts", &script, set("b", json!(1))).contains("scripts of up to 262144 are edited"));
}

#[test]
fn what_is_asked_for_is_checked() {
    let run = |config: serde_json::Value| {
        let config: EditConfig = serde_json::from_value(config).unwrap();
        work(&config, "a: 1\n", &Facts::default()).unwrap_err().to_string()
    };
    assert_eq!(run(json!({ "target": "a.yml" })), "nothing is asked for; give `action` or `edits`");
    let both = json!({ "target": "a.yml", "action": "upgrade_audit_level", "edits": set("a", json!(1)) });
    assert_eq!(run(both), "both `action` and `edits` are given; make two tasks of it");
    let many: Vec<_> = (0..201).map(|_| json!({ "remove": { "at": "a" } })).collect();
    assert_eq!(run(json!({ "target": "a.yml", "edits": many })), "201 edits are given; up to 200 are made");
    assert!(
        run(json!({ "target": "a.ini", "edits": set("a", json!(1)) }))
            .starts_with("no format is known for this name")
    );
    let second = json!({ "target": "a.yml", "edits": [{ "set": { "at": "b", "value": 1 } }, { "append": { "at": "a", "value": 1 } }] });
    assert_eq!(run(second), "edit 2: `a` is `1`, not a list");
    for wrong in [
        json!({ "set": { "at": "a" } }),
        json!({ "set": { "at": "a..b", "value": 1 } }),
        json!({ "put": {} }),
        json!({ "replace": { "pattern": "a", "with": "b", "language": "go" } }),
    ] {
        assert!(serde_json::from_value::<EditConfig>(json!({ "target": "a", "edits": [wrong] })).is_err());
    }
}
