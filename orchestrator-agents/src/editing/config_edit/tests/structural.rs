use serde_json::{Value, json};

use super::{after, refused, so};

fn replace(pattern: &str, with: &str) -> Value {
    json!([{ "replace": { "pattern": pattern, "with": with } }])
}

#[test]
fn code_of_one_shape_becomes_another() {
    for (file, text, pattern, with, new) in [
        (
            "a.ts",
            "// log\nlog(a, 1); // c\nlog( b );\n",
            "log($$$A)",
            "logger.info($$$A)",
            "// log\nlogger.info(a, 1); // c\nlogger.info(b);\n",
        ),
        ("a.tsx", "const a = <P x={f(1)} />;\n", "f($A)", "g($A, 'x')", "const a = <P x={g(1, 'x')} />;\n"),
        (
            "a.js",
            "var a = require('b');\r\nvar c = 1;\r\n",
            "require($A)",
            "load($A)",
            "var a = load('b');\r\nvar c = 1;\r\n",
        ),
        (
            "a.py",
            "# é\nassert_equal(a, b)  # c\n",
            "assert_equal($A, $B)",
            "check($B, $A)",
            "# é\ncheck(b, a)  # c\n",
        ),
        (
            "a.rs",
            "fn a() { b().unwrap(); }\n",
            "$A.unwrap()",
            "$A.expect(\"why\")",
            "fn a() { b().expect(\"why\"); }\n",
        ),
    ] {
        assert_eq!(after(file, text, replace(pattern, with)), new, "{file}");
        assert!(so(file, new, replace(pattern, with)).contains(" is there "), "{file}");
    }
    let typed = json!([{ "replace": { "pattern": "f($A)", "with": "g($A)", "language": "typescript" } }]);
    assert_eq!(after("a.vue.txt", "f(1 as any)", typed), "g(1 as any)");
}

#[test]
fn what_cannot_be_replaced_is_said() {
    let nothing = "nothing matches `f($A)`: neither it nor what would replace it is in the file; look at the code and make `pattern` fit it";
    assert_eq!(refused("a.ts", "x(1);", replace("f($A)", "g($A)")), nothing);
    let again = "`f($A)`: what it makes matches `pattern` again, so every run would change it; make `pattern` narrower";
    assert_eq!(refused("a.ts", "f(1);", replace("f($A)", "g(f($A))")), again);
    assert_eq!(
        refused("a.ts", "f(1);", replace("f($A)", "g($A")),
        "`with` would make code that is no TypeScript"
    );
    assert_eq!(refused("a.ts", "f(1", replace("f($A)", "g($A)")), "it could not be parsed as TypeScript");
    assert_eq!(refused("a.ts", "f(1)", replace(" ", "g($A)")), "`pattern` is empty");
    assert!(
        refused("a.txt", "f(1)", replace("f($A)", "g($A)")).starts_with("no language is known for this name")
    );
    assert!(
        refused("a.ts", "f(1)", replace("f(1); g(1)", "h()"))
            .starts_with("`pattern` is not one piece of TypeScript code: ")
    );
}
