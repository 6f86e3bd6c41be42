use serde_json::json;

use super::{after, append, drop, refused, remove, set, so};

const CI: &str = "# CI\nname: ci # the name\non:\n  push:\n    branches: [main, 'dev']\n  pull_request:\njobs:\n  # tests\n  test:\n    runs-on: ubuntu-latest\n    continue-on-error: true  # for now\n    env:\n      A: \"1\" # one\n      # last\n\n    steps:\n      - uses: actions/checkout@v4 # pinned\n      - name: Test\n        run: |\n          npm test\n          # no comment\n      # after\n\n  build: {needs: [test], runs-on: x}\n# end\n";

#[test]
fn values_are_set_and_nothing_else_changes() {
    for (at, value, from, to) in [
        ("name", json!("ci 2"), "name: ci # the name", "name: ci 2 # the name"),
        ("jobs.test.continue-on-error", json!(false), "error: true  # for", "error: false  # for"),
        ("jobs.test.env.A", json!("2"), "A: \"1\" # one", "A: \"2\" # one"),
        ("jobs.test.env.B", json!("on"), "A: \"1\" # one\n", "A: \"1\" # one\n      B: \"on\"\n"),
        ("on.push.branches[1]", json!("it's"), "'dev'", "'it''s'"),
        (
            "on.pull_request.paths",
            json!(["a/**"]),
            "pull_request:\n",
            "pull_request:\n    paths:\n      - a/**\n",
        ),
        ("on.pull_request", json!({}), "pull_request:\n", "pull_request: {}\n"),
        (
            "jobs.test.steps[1].run",
            json!("npm t"),
            "run: |\n          npm test\n          # no comment\n",
            "run: npm t\n",
        ),
        ("jobs.test.steps[1].run", json!("a\nb\n"), "npm test\n          # no comment\n", "a\n          b\n"),
        (
            "jobs.test.steps[0].with.x",
            json!(1),
            "v4 # pinned\n",
            "v4 # pinned\n        with:\n          x: 1\n",
        ),
        ("jobs.build.needs", json!(["a", "b"]), "[test]", "[a, b]"),
        ("jobs.build.if", json!("${{ x }}"), "runs-on: x}", "runs-on: x, if: \"${{ x }}\"}"),
        (
            "jobs.test.runs-on",
            json!(["a", "b"]),
            "runs-on: ubuntu-latest\n",
            "runs-on:\n      - a\n      - b\n",
        ),
        ("permissions.contents", json!("read"), "# end\n", "permissions:\n  contents: read\n# end\n"),
        (
            "jobs.test.env",
            json!(null),
            "env:\n      A: \"1\" # one\n      # last\n",
            "env: null # one\n      # last\n",
        ),
    ] {
        assert_eq!(CI.matches(from).count(), 1, "{from}");
        assert_eq!(after("ci.yml", CI, set(at, value)), CI.replacen(from, to, 1), "{at}");
    }
}

#[test]
fn lists_grow_and_shrink_as_they_are_written() {
    for (edits, from, to) in [
        (
            append("jobs.test.steps", json!({ "run": "x" })),
            "# no comment\n",
            "# no comment\n      - run: x\n",
        ),
        (append("on.push.branches", json!("x")), "'dev']", "'dev', x]"),
        (append("jobs.build.needs", json!("x")), "[test]", "[test, x]"),
        (
            append("on.pull_request.paths", json!("x")),
            "pull_request:\n",
            "pull_request:\n    paths:\n      - x\n",
        ),
        (drop("on.push.branches", json!("main")), "[main, 'dev']", "['dev']"),
        (drop("on.push.branches", json!("dev")), "[main, 'dev']", "[main]"),
        (drop("jobs.build.needs", json!("test")), "[test]", "[]"),
        (
            drop("jobs.test.steps", json!({ "uses": "actions/checkout@v4" })),
            "      - uses: actions/checkout@v4 # pinned\n",
            "",
        ),
        (
            drop("jobs.test.steps", json!({ "name": "Test", "run": "npm test\n# no comment\n" })),
            "      - name: Test\n        run: |\n          npm test\n          # no comment\n",
            "",
        ),
        (
            remove("jobs.test.steps"),
            "    steps:\n      - uses: actions/checkout@v4 # pinned\n      - name: Test\n        run: |\n          npm test\n          # no comment\n",
            "",
        ),
        (remove("jobs.test.continue-on-error"), "    continue-on-error: true  # for now\n", ""),
        (remove("jobs.test.env.A"), "env:\n      A: \"1\" # one\n", "env: {} # one\n"),
        (remove("jobs.test.steps[1].name"), "- name: Test\n        run", "- run"),
        (remove("jobs.build.needs"), "{needs: [test], runs-on: x}", "{runs-on: x}"),
        (remove("jobs.build.runs-on"), "{needs: [test], runs-on: x}", "{needs: [test]}"),
    ] {
        assert_eq!(CI.matches(from).count(), 1, "{from}");
        assert_eq!(after("ci.yml", CI, edits.clone()), CI.replacen(from, to, 1), "{edits}");
    }
}

#[test]
fn the_style_of_the_file_is_kept() {
    let dashes = "a:\n- x\nb:\n    c: 1\n";
    assert_eq!(after("a.yml", dashes, append("a", json!("z"))), "a:\n- x\n- z\nb:\n    c: 1\n");
    assert_eq!(
        after("a.yml", dashes, set("b.d", json!({ "e": [1] }))),
        "a:\n- x\nb:\n    c: 1\n    d:\n        e:\n        - 1\n"
    );
    assert_eq!(
        after("a.yml", "a: 1\r\nb: 2 # c\r\n", set("c.d", json!(3))),
        "a: 1\r\nb: 2 # c\r\nc:\r\n  d: 3\r\n"
    );
    assert_eq!(after("a.yml", "a: 1", set("b", json!(2))), "a: 1\nb: 2");
    assert_eq!(after("a.yml", "", set("b", json!(2))), "b: 2\n");
    assert_eq!(after("a.yml", "# only\n", set("b", json!([]))), "# only\nb: []\n");
    assert_eq!(after("a.yml", "{}\n", set("b", json!(2))), "b: 2\n");
    assert_eq!(after("a.yml", "---\n# c\né: ü # ö\n", set("é", json!("ß"))), "---\n# c\né: ß # ö\n");
    assert_eq!(after("a.yml", "\u{feff}a: 1\n", set("a", json!(2))), "\u{feff}a: 2\n");
    assert_eq!(
        after("a.yml", "a:\n  - b\n  -\n  - c\n", set("a[1]", json!({ "d": 1, "e": 2 }))),
        "a:\n  - b\n  - d: 1\n    e: 2\n  - c\n"
    );
    assert_eq!(
        after("a.yml", "a: [\n  x, # one\n  y\n]\n", append("a", json!("z"))),
        "a: [\n  x, # one\n  y,\n  z\n]\n"
    );
    assert_eq!(after("a.yml", "a: old # c\n", set("a", json!({ "b": 1 }))), "a: # c\n  b: 1\n");
}

#[test]
fn texts_stay_texts() {
    for text in [
        "yes",
        "1.0",
        "1e3",
        "0x1f",
        "~",
        "null",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "'a",
        "\"a",
        "12:30",
        "1_000",
        "=",
        "<<",
        "?",
        "|",
        ">",
        "a\tb",
        "a\u{85}b",
        "\u{7f}",
        "a\n",
        "a\n\nb\n",
        "\na",
        "a\n b\n  \n",
        "${{ a }}",
        "2024-01-01",
        "0o17",
        ".5",
        "-1",
        "---",
        "{a}",
        "[a]",
        "a,b",
        "\u{feff}",
        "é",
        "🦀",
    ] {
        let new = after("a.yml", "a:\n  - k: x\n    l: y\nf: {g: [1]}\n", set("a[0].k", json!(text)));
        let new = after("a.yml", &new, set("f.g[0]", json!(text)));
        after("a.yml", &new, set("new.text", json!([text])));
    }
}

#[test]
fn a_merge_key_in_quotes_is_a_key_like_others() {
    let quoted = "\"<<\": 1\na: 2\n";
    assert_eq!(after("a.yml", quoted, set("b", json!(3))), "\"<<\": 1\na: 2\nb: 3\n");
    assert_eq!(after("a.yml", quoted, set("<<", json!(3))), "\"<<\": 3\na: 2\n");
    let both = "x: &x {a: 1}\ny:\n  <<: *x\n  \"<<\": 1\n";
    let gone = after("a.yml", both, json!([{ "remove": { "at": "y.<<" } }]));
    assert_eq!(gone, "x: &x {a: 1}\ny:\n  <<: *x\n");
}

#[test]
fn what_is_so_is_said() {
    for (edits, said) in [
        (set("jobs.build.runs-on", json!("x")), "already so: `jobs.build.runs-on` is `x`"),
        (append("on.push.branches", json!("dev")), "already so: `on.push.branches` has `dev`"),
        (remove("jobs.deploy.steps"), "already so: there is no `jobs.deploy.steps`"),
        (drop("on.push.branches", json!("x")), "already so: `on.push.branches` has no `x`"),
    ] {
        assert_eq!(so("ci.yml", CI, edits), said);
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let by_hand = "edit it by hand where it is written";
    for (edits, text, why) in [
        (set("name.x", json!(1)), CI, "`name` is the text `ci`; there is no `x` below it"),
        (
            set("jobs.test.steps.x", json!(1)),
            CI,
            "`jobs.test.steps` is a list of 2; give an index instead of `x`",
        ),
        (set("jobs[0]", json!(1)), CI, "`jobs` is a map of 2; give a key instead of `[0]`"),
        (
            set("jobs.test.steps[7].x", json!(1)),
            CI,
            "`jobs.test.steps` has 2 items, so there is no `[7]`; `append` adds one",
        ),
        (
            set("jobs.x[0]", json!(1)),
            CI,
            "there is no list `jobs.x`, so there is no `[0]`; `append` makes one",
        ),
        (append("name", json!(1)), CI, "`name` is the text `ci`, not a list"),
        (
            remove("jobs.test.steps[0]"),
            CI,
            "removing `jobs.test.steps[0]` would be made again by the next run; name what is to go by its `value`",
        ),
        (
            set("a", json!(1)),
            "a: 1\n---\na: 2\n",
            "line 2: a second document starts here; files with one document are edited",
        ),
        (set("a", json!(1)), "a: [1\n", "line 1: it is not valid YAML: unclosed bracket '['"),
        (set("a", json!(1)), "a: 1\na: 2\n", "line 2: the key `a` stands twice"),
        (set("b.c", json!(2)), "a: &x {c: 1}\nb: *x\n", "`b` is an alias; BY HAND"),
        (
            set("b.c", json!(2)),
            "a: &x {c: 1}\nb:\n  <<: *x\n  d: 1\n",
            "`b` takes keys from elsewhere with `<<`; BY HAND",
        ),
        (set("a", json!(2)), "a: &x 1\nb: *x\n", "`a` has an anchor or a tag; BY HAND"),
        (
            set("a.c", json!(2)),
            "a: &x\n  c: 1\nb: *x\n",
            "setting `a.c` would change something else too; edit it by hand",
        ),
        (set("a", json!(1)), "? [a, b]\n: c\n", "line 1: a key is not plain text; edit this file by hand"),
        (set("a", json!("\0x")), "a: 1\n", "a text in `value` begins with a NUL character"),
    ] {
        assert_eq!(refused("ci.yml", text, edits), why.replace("BY HAND", by_hand));
    }
    // Elsewhere in a file with anchors, edits are made.
    assert_eq!(
        after("a.yml", "a: &x {c: 1}\nb: *x\nd: 1\n", set("d", json!(2))),
        "a: &x {c: 1}\nb: *x\nd: 2\n"
    );
    assert_eq!(after("a.yml", "a: &x {c: 1}\nb: *x\n", set("b", json!(2))), "a: &x {c: 1}\nb: 2\n");
}
