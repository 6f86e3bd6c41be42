use serde_json::json;

use super::{after, append, drop, refused, remove, set, so};

const VITEST: &str = "import { defineConfig } from 'vitest/config';\n\n// c\nexport default defineConfig({\n  test: {\n    globals: true, // g\n    coverage: {\n      provider: 'v8',\n      include: ['src/**'], // i\n      exclude: [\n        // why\n        'a',\n        \"b\", // b\n        // end\n      ],\n      thresholds: { lines: 70 },\n      reporter: defaults(),\n      // last\n    },\n    setup: {},\n  },\n  plugins: [react()],\n});\n";

#[test]
fn values_are_set_and_nothing_else_changes() {
    for (edits, from, to) in [
        (set("test.globals", json!(false)), "true, // g", "false, // g"),
        (set("test.coverage.thresholds.lines", json!(80)), "70", "80"),
        (
            set("test.coverage.thresholds[\"src/a/**\"]", json!({ "lines": 90 })),
            "{ lines: 70 }",
            "{ lines: 70, 'src/a/**': { lines: 90 } }",
        ),
        (set("test.coverage.all", json!(true)), "defaults(),\n", "defaults(),\n      all: true,\n"),
        (set("test.setup.a", json!(["x"])), "setup: {},", "setup: {\n      a: ['x'],\n    },"),
        (
            set("resolve.alias", json!({ "it's": "x" })),
            "[react()],\n",
            "[react()],\n  resolve: {\n    alias: {\n      \"it's\": 'x',\n    },\n  },\n",
        ),
        (append("test.coverage.include", json!("lib/**")), "['src/**']", "['src/**', 'lib/**']"),
        (append("test.coverage.exclude", json!("c")), "\"b\", // b\n", "\"b\", // b\n        'c',\n"),
        (append("test.reporters", json!("c")), "setup: {},\n", "setup: {},\n    reporters: ['c'],\n"),
        (append("plugins", json!("c")), "[react()]", "[react(), 'c']"),
        (drop("test.coverage.exclude", json!("a")), "        'a',\n", ""),
        (drop("test.coverage.exclude", json!("b")), "        \"b\", // b\n", ""),
        (drop("test.coverage.include", json!("src/**")), "['src/**']", "[]"),
        (remove("test.coverage.reporter"), "      reporter: defaults(),\n", ""),
        (remove("test.coverage.thresholds.lines"), "{ lines: 70 }", "{  }"),
        (remove("plugins"), "  plugins: [react()],\n", ""),
    ] {
        assert_eq!(VITEST.matches(from).count(), 1, "{from}");
        assert_eq!(after("vitest.config.ts", VITEST, edits.clone()), VITEST.replacen(from, to, 1), "{edits}");
    }
}

#[test]
fn every_shape_of_configuration_is_found() {
    for (file, text) in [
        ("a.js", "module.exports = { a: 1 };\n"),
        (
            "a.cjs",
            "/** @type {import('jest').Config} */\nconst config = { a: 1 };\n\nmodule.exports = config;\n",
        ),
        ("a.ts", "const config: Config = { a: 1 };\nexport default config;\n"),
        ("a.ts", "export const config = { a: 1 } as const;\nexport default config satisfies Config;\n"),
        ("a.ts", "export default { a: 1 } satisfies Config;\n"),
        ("a.ts", "export default defineConfig(({ mode }) => ({ a: 1 }));\n"),
        (
            "a.ts",
            "export default defineConfig(async ({ mode }) => {\n  const b = await c();\n  return { a: 1 };\n});\n",
        ),
        ("a.ts", "export default function () {\n  return { a: 1 };\n}\n"),
        (
            "a.ts",
            "function config() {\n  const inner = { a: 1 };\n  return inner;\n}\nexport default config;\n",
        ),
        (
            "a.js",
            "const nextJest = require('next/jest');\nconst create = nextJest({ dir: './' });\nconst config = { a: 1 };\nmodule.exports = create(config);\n",
        ),
        ("a.ts", "export default mergeConfig(base, defineConfig({ a: 1 }));\n"),
        ("a.cts", "export = { a: 1 };\n"),
        ("a.tsx", "export default { b: <p>x</p>, a: 1 };\n"),
        ("a.js", "export default { b: <p>x</p>, a: 1 };\n"),
    ] {
        assert_eq!(after(file, text, set("a", json!("x"))), text.replace("a: 1", "a: 'x'"), "{text}");
        assert_eq!(after(file, text, set("new", json!(2))), text.replace("a: 1", "a: 1, new: 2"), "{text}");
    }
}

#[test]
fn the_style_of_the_file_is_kept() {
    let text = "module.exports = {\r\n\t\"a\": \"x\"\r\n}\r\n";
    assert_eq!(
        after("a.js", text, set("b.c", json!("y"))),
        "module.exports = {\r\n\t\"a\": \"x\",\r\n\tb: {\r\n\t\tc: \"y\"\r\n\t}\r\n}\r\n"
    );
    assert_eq!(
        after("a.js", "export default {}", set("é", json!("\n"))),
        "export default {\n  'é': '\\n'\n}"
    );
    assert_eq!(
        after("a.js", "export default {\n  // only\n};\n", set("a", json!(1))),
        "export default {\n  // only\n  a: 1\n};\n"
    );
    assert_eq!(
        after("a.js", "export default { a: [1, 2,], };\n", append("a", json!(3))),
        "export default { a: [1, 2, 3,], };\n"
    );
    assert_eq!(
        after("a.js", "export default {\n  a: 1 /* x, y */ // z\n};\n", set("b", json!(-2.5))),
        "export default {\n  a: 1, /* x, y */ // z\n  b: -2.5\n};\n"
    );
    assert_eq!(
        after("a.js", "export default {\n  a: 1\n  // end\n};\n", remove("a")),
        "export default {\n  // end\n};\n"
    );
    assert_eq!(after("a.js", "export default { a: 1, b: 2 };\n", remove("b")), "export default { a: 1 };\n");
    assert_eq!(after("a.js", "export default { a: 1, b: 2 };\n", remove("a")), "export default { b: 2 };\n");
    assert_eq!(
        after("a.js", "export default {\n  a: 1,\n  b: 2\n};\n", remove("b")),
        "export default {\n  a: 1\n};\n"
    );
}

#[test]
fn what_is_so_or_cannot_be_done_is_said() {
    assert_eq!(
        so("a.ts", VITEST, append("test.coverage.exclude", json!("b"))),
        "already so: `test.coverage.exclude` has `b`"
    );
    assert_eq!(
        so("a.ts", "export default { a: `x`, b: -1, c: 0x10 }", set("c", json!(16))),
        "already so: `c` is `16`"
    );
    for (edits, text, why) in [
        (
            set("test.coverage.reporter[0]", json!(1)),
            VITEST,
            "`test.coverage.reporter` is `defaults()`, which is computed; there is no `[0]` below it",
        ),
        (
            set("test.coverage.reporter", json!(1)),
            VITEST,
            "`test.coverage.reporter` is `defaults()`, which is computed; edit it by hand",
        ),
        (
            set("a.b", json!(1)),
            "export default { a: { ...base } }",
            "`a` takes keys from `...base`, which may set `b` too; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default { a: 2, ...base }",
            "the configuration takes keys from `...base`, which may set `a` too; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default { [key]: 2 }",
            "the configuration takes keys from `[key]: 2`, which may set `a` too; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default build()",
            "what it exports is computed by `build`; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default list.map((x) => ({ a: 2 }))",
            "what it exports is computed by `list.map`; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default x ? { a: 2 } : {}",
            "what it exports is computed (`x ? { a: 2 } : {}`), not an object that is written out; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "import c from './c'; export default c",
            "what it exports is `c`, which is not written in this file; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "let c = { a: 2 }; export default c",
            "`c` is not a `const`, so it may become something else; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export default () => { if (x) { return { a: 2 }; } return { a: 3 }; }",
            "the function that it exports decides by code what it returns; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "export const a = 1;",
            "it exports no configuration; `export default` or `module.exports =` was looked for",
        ),
        (
            set("a", json!(1)),
            "",
            "it exports no configuration; `export default` or `module.exports =` was looked for",
        ),
        (
            set("a[1]", json!(1)),
            "export default { a: [...x, 2] }",
            "`a` has a spread in front of `[1]`; edit it by hand",
        ),
        (
            set("a", json!(1)),
            "const a = b; const b = a; export default a",
            "the configuration is more than 16 steps from what is exported",
        ),
    ] {
        assert_eq!(refused("a.ts", text, edits), why);
    }
    assert!(
        refused("a.ts", "export default {}", set("__proto__", json!(1)))
            .contains("would change something else")
    );
    assert!(refused("a.ts", "export default {", set("a", json!(1))).starts_with("it could not be parsed: "));
    // What is spread in front cannot replace what stands behind it.
    assert_eq!(
        after("a.ts", "export default { ...base, a: 2 }", set("a", json!(1))),
        "export default { ...base, a: 1 }"
    );
}
