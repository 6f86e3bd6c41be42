use serde_json::json;

use super::{after, append, drop, refused, remove, set, so};

const PACKAGE: &str = "{\n\t\"name\": \"x\",\n\t\"scripts\": { \"test\": \"vitest\" },\n\t\"files\": [\n\t\t\"a\", // one\n\t\t\"é\"\n\t],\n\t/* empty */ \"jest\": {},\n\t\"n\": 1.50\n}\n";

#[test]
fn values_are_set_and_nothing_else_changes() {
    for (edits, from, to) in [
        (set("name", json!("y \"z\"")), "\"x\"", "\"y \\\"z\\\"\""),
        (set("scripts.audit", json!("npm audit")), "\"vitest\" }", "\"vitest\", \"audit\": \"npm audit\" }"),
        (set("n", json!(2)), "1.50", "2"),
        (
            set("jest.coverageThreshold.global", json!({ "lines": 80 })),
            "{},",
            "{\n\t\t\"coverageThreshold\": {\n\t\t\t\"global\": {\n\t\t\t\t\"lines\": 80\n\t\t\t}\n\t\t}\n\t},",
        ),
        (append("files", json!("b")), "\"é\"\n", "\"é\",\n\t\t\"b\"\n"),
        (append("keywords", json!("b")), "1.50\n", "1.50,\n\t\"keywords\": [\"b\"]\n"),
        (drop("files", json!("é")), "\"a\", // one\n\t\t\"é\"\n", "\"a\" // one\n"),
        (remove("n"), "\"jest\": {},\n\t\"n\": 1.50\n", "\"jest\": {}\n"),
        (remove("name"), "\t\"name\": \"x\",\n", ""),
        (set("files[0]", json!("c")), "\"a\", // one", "\"c\", // one"),
    ] {
        assert_eq!(PACKAGE.matches(from).count(), 1, "{from}");
        assert_eq!(after("package.json", PACKAGE, edits.clone()), PACKAGE.replacen(from, to, 1), "{edits}");
    }
}

#[test]
fn the_style_of_the_file_is_kept() {
    assert_eq!(after("a.json", "{\"a\":1}", set("b", json!(2))), "{\"a\":1, \"b\": 2}");
    assert_eq!(
        after("a.json", "{\r\n    \"a\": 1\r\n}\r\n", set("b", json!([1, 2]))),
        "{\r\n    \"a\": 1,\r\n    \"b\": [1, 2]\r\n}\r\n"
    );
    assert_eq!(
        after("a.jsonc", "{\n  \"a\": 1, // c\n}", set("b", json!(2))),
        "{\n  \"a\": 1, // c\n  \"b\": 2,\n}"
    );
    assert_eq!(after("a.json", "", set("b.c", json!(2))), "{\n  \"b\": {\n    \"c\": 2\n  }\n}\n");
    assert_eq!(after("a.json", "{}\n", set("b", json!("ü"))), "{\n  \"b\": \"ü\"\n}\n");
    assert_eq!(
        after("a.json", "[1, {\"a\": null}]\n", set("[1].a.b", json!(2))).matches("\"b\": 2").count(),
        1
    );
}

#[test]
fn what_is_so_or_cannot_be_done_is_said() {
    assert_eq!(so("a.json", "{\"a\": 80.0}", set("a", json!(80))), "already so: `a` is `80`");
    for (edits, text, why) in [
        (set("a", json!(1)), "{\"a\": 1, \"a\": 2}", "the key `a` stands twice"),
        (set("a.b", json!(1)), "{\"a\": true}", "`a` is `true`; there is no `b` below it"),
        (set("a", json!(1)), "[]", "the file is a list of 0; give an index instead of `a`"),
        (
            remove("[0]"),
            "[1, 2]",
            "removing `[0]` would be made again by the next run; name what is to go by its `value`",
        ),
    ] {
        assert_eq!(refused("a.json", text, edits), why);
    }
    for text in ["{", "{'a': 1}", "{\"a\": 1} x", "{a: 1}", "\u{0}"] {
        assert!(refused("a.json", text, set("a", json!(2))).starts_with("it is not valid JSON: "), "{text}");
    }
}
