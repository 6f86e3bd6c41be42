use serde_json::json;

use super::{after, append, drop, refused, remove, set, so};

const PYPROJECT: &str = "# c\n[project]\nname = \"x\" # n\ndependencies = [\n    \"a\", # first\n    \"b\",\n]\n\n[tool.coverage.run]\nsource = ['app'] # s\nbranch = true\n\n[tool.x]\ninline = { a = 1 }\nwhen = 2024-01-01\n\n[[tool.y]]\nz = 1\n# end\n";

#[test]
fn values_are_set_and_nothing_else_changes() {
    for (edits, from, to) in [
        (set("project.name", json!("é")), "\"x\" # n", "\"é\" # n"),
        (set("project.version", json!("1")), "    \"b\",\n]\n", "    \"b\",\n]\nversion = \"1\"\n"),
        (
            set("tool.coverage.report.fail_under", json!(80)),
            "branch = true\n",
            "branch = true\n\n[tool.coverage.report]\nfail_under = 80\n",
        ),
        (set("tool.x.inline.b", json!([1.5])), "{ a = 1 }", "{ a = 1, b = [1.5] }"),
        (set("tool.y[0].z", json!(2)), "z = 1", "z = 2"),
        (append("project.dependencies", json!("c")), "    \"b\",\n", "    \"b\",\n    \"c\",\n"),
        (append("tool.coverage.run.source", json!("lib")), "['app'] # s", "['app', \"lib\"] # s"),
        (append("tool.coverage.run.omit", json!("t")), "branch = true\n", "branch = true\nomit = [\"t\"]\n"),
        (drop("project.dependencies", json!("b")), "    \"b\",\n", ""),
        (remove("tool.coverage.run.branch"), "branch = true\n", ""),
        (remove("tool.x.inline.a"), "{ a = 1 }", "{}"),
    ] {
        assert_eq!(PYPROJECT.matches(from).count(), 1, "{from}");
        assert_eq!(
            after("pyproject.toml", PYPROJECT, edits.clone()),
            PYPROJECT.replacen(from, to, 1),
            "{edits}"
        );
    }
}

#[test]
fn the_style_of_the_file_is_kept() {
    assert_eq!(after("a.toml", "", set("a.b", json!(1))), "[a]\nb = 1\n");
    assert_eq!(after("a.toml", "a = 1", set("b", json!(2))), "a = 1\nb = 2");
    assert_eq!(
        after("a.toml", "a = 1\r\n[t] # t\r\nb = 2\r\n", set("t.c", json!("x"))),
        "a = 1\r\n[t] # t\r\nb = 2\r\nc = \"x\"\r\n"
    );
    assert_eq!(
        after("a.toml", "x = [\n  1,\n  2\n]\n", append("x", json!(3))),
        "x = [\n  1,\n  2,\n  3\n]\n"
    );
    assert_eq!(after("a.toml", "x = []\n", append("x", json!(3))), "x = [3]\n");
    assert_eq!(
        after("a.toml", "[[x]]\na = 1\n", append("x", json!({ "a": 2 }))),
        "[[x]]\na = 1\n\n[[x]]\na = 2\n"
    );
    assert_eq!(after("a.toml", "a.b = 1\n", set("a.c", json!(2))), "a.b = 1\na.c = 2\n");
    assert_eq!(after("a.toml", "[a]\nb = 1\n", set("c", json!(2))), "c = 2\n[a]\nb = 1\n");
}

#[test]
fn what_is_so_or_cannot_be_done_is_said() {
    assert_eq!(so("a.toml", "a = 'x'", set("a", json!("x"))), "already so: `a` is `x`");
    for (edits, text, why) in [
        (set("a", json!(null)), "a = 1", "TOML has no empty value; `remove` takes a key away"),
        (
            set("a.b", json!(1)),
            "a = 2024-01-01",
            "`a` is `2024-01-01`, which is computed; there is no `b` below it",
        ),
        (set("a", json!(u64::MAX)), "", "TOML cannot hold the number `18446744073709551615`"),
    ] {
        assert_eq!(refused("a.toml", text, edits), why);
    }
    assert!(refused("a.toml", "a = \n", set("a", json!(1))).starts_with("it is not valid TOML: "));
}
