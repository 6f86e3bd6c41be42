//! Sources that ask for much: each ends early, with why, and what stands beside it is still tested.

use std::fmt::Write as _;

use super::files::{of, person};

/// What a person is told of `f`; `g` beside it has its test.
fn refused(source: &str) -> String {
    let made = of(&format!("{source}\n\ndef g() -> int:\n    return 1\n"));
    assert_eq!(made.cases, ["test_g"], "{source}\n{}", made.text);
    assert!(made.text.len() < 1_000, "{}", made.text.len());
    person(&made).join("; ")
}

#[test]
fn values_are_bounded() {
    let large_text = "f 2: a text this long is not followed";
    let large_list = "f 2: a list this long is not followed";
    let large_number = "f 2: a number this large, or this operator, is not modelled";
    for (body, why) in [
        ("return \"x\" * 10**9", large_text),
        ("return 10**9 * \"x\"", large_text),
        ("return [0] * 10**9", large_list),
        ("return 10 ** 10 ** 10", large_number),
        ("return 2 ** 127", large_number),
        ("return 1 << 10**9", large_number),
        ("return (\"x\" * 10_000).replace(\"x\", \"y\" * 10_000)", large_text),
        ("return \"-\".join([\"x\" * 1_000] * 100)", "f 2: a value this large is not followed"),
        ("return list(range(10**12))", "f 2: a range this long is not followed"),
        ("return [[0] * 500 for n in range(500)]", "f 2: a value this large is not followed"),
        ("return f\"{'x' * 9_000}{'x' * 9_000}{'x' * 9_000}\"", large_text),
        ("return len(str([\"x\" * 9_000] * 9))", "f 2: a value this large is not followed"),
        ("return \"1\".zfill(10**9)", "f 2: the method `zfill` with these arguments is not modelled"),
        ("return f\"{1:1000000000d}\"", "f 2: the text of this value is not modelled"),
    ] {
        assert_eq!(refused(&format!("def f():\n    {body}")), why, "{body}");
    }
}

#[test]
fn what_doubles_ends() {
    for (start, step, why) in [
        ("\"x\"", "s += s", "a text this long is not followed"),
        ("[1]", "s = s + s", "a value this large is not followed"),
        ("[1]", "s.extend(s)", "a value this large is not followed"),
        ("[1]", "s = [s, s]", "a value this large is not followed"),
        ("(1,)", "s = (s, s)", "a value this large is not followed"),
        ("{}", "s = {1: s, 2: s}", "a value this large is not followed"),
        ("2", "s = s * s", "a number this large, or this operator, is not modelled"),
    ] {
        let said = refused(&format!("def f():\n    s = {start}\n    while True:\n        {step}"));
        assert!(said.ends_with(why), "{step}: {said}");
    }
}

#[test]
fn what_grows_behind_the_back_of_an_expression_ends() {
    let inner = "def f():\n    inner = []\n    one = [inner] * 20\n    two = [one] * 20\n    three = [two] * 20\n    \
                 for n in range(500):\n        inner.append(n)\n    return two == three";
    assert!(refused(inner).ends_with("a value this large is not followed"), "{}", refused(inner));
    let kept = "INNER = []\nONE = [INNER] * 20\nTWO = [ONE] * 20\n\ndef f():\n    two = TWO\n    for n in range(500):\n        \
                INNER.append(n)\n    return 1";
    assert!(!refused(kept).is_empty());
    let last = "def f():\n    a = []\n    b = [a] * 300\n    try:\n        return b\n    finally:\n        a.extend(range(300))";
    assert!(refused(last).ends_with("a value this large is not followed"), "{}", refused(last));
}

#[test]
fn steps_are_bounded() {
    let long = "it runs for too long to be followed";
    for body in [
        "while True:\n        pass",
        "for a in range(400):\n        for b in range(400):\n            for c in range(400):\n                pass",
        "return [sum([b for b in range(400)]) for a in range(400)]",
        "while True:\n        sorted([a for a in range(400)])",
        "while True:\n        (\"x\" * 9_999)[0]",
    ] {
        let said = refused(&format!("def f():\n    {body}"));
        assert!(said.ends_with(long) || said.ends_with("too large to be followed"), "{body}: {said}");
    }
    let said = refused("def f():\n    kept = [0] * 500\n    while True:\n        kept");
    assert!(said.ends_with("all its values together are too large to be followed"), "{said}");
    let deep = "it nests too deep to be followed";
    assert!(refused("def f():\n    return f()").ends_with(deep));
    assert!(refused("def f(n: int):\n    return h(n)\n\ndef h(n: int):\n    return f(n)").contains(deep));
    let said = refused("def f(a, b):\n    while True:\n        a.ask(b)");
    assert!(said.ends_with("it calls its collaborators more often than is followed"), "{said}");
}

#[test]
fn inputs_are_bounded() {
    // Each is made of forty of the next, which is made of forty of itself.
    let mut source = String::from("from dataclasses import dataclass\n\n");
    for class in ["C", "B", "A"] {
        write!(source, "@dataclass\nclass {class}:\n").unwrap();
        let of = match class {
            "A" => "B",
            _ => "C",
        };
        (0..40).for_each(|n| writeln!(source, "    f{n}: \"{of}\"").unwrap());
    }
    source.push_str("\ndef f(a: A, b: A):\n    return a.f1.f2\n");
    let made = of(&source);
    assert_eq!(made.cases, Vec::<String>::new());
    let many: Vec<String> = (0..60).map(|n| format!("a{n}: int")).collect();
    let said = refused(&format!("def f({}):\n    return a1", many.join(", ")));
    assert_eq!(said, "f 1: `a40` is not given");
}

#[test]
fn a_file_is_bounded_as_a_whole() {
    let mut source = String::new();
    for n in 0..3_000 {
        write!(
            source,
            "def f{n}(a: int, b: int, c: str):\n    while a < 10 ** 9:\n        b += 1\n    return c\n\n"
        )
        .unwrap();
    }
    let made = of(&source);
    let said = person(&made);
    assert!(said.len() < 1_000, "{}", said.len());
    assert!(
        said.iter().any(|it| it.ends_with("the file takes too long to be followed as a whole: split it"))
    );
    assert!(said[0].ends_with("the file has more than 400 functions and methods: split it"), "{}", said[0]);
}
