//! Sources that are wrong, or larger or deeper than they may be.

use super::texts::{generated, project};

fn error(text: &str) -> String {
    let rig = project();
    rig.write("src/x.ts", text);
    generated(&rig, "src/x.ts").unwrap_err()
}

#[test]
fn what_cannot_be_read_is_named_with_line_and_column() {
    let said = error("export const a = 1;\nexport function (\n");
    assert!(said.starts_with("`src/x.ts` could not be read: line 2, column "), "{said}");
}

#[test]
fn nesting_is_bounded_before_the_parser_sees_it() {
    let deep = |open: &str, close: &str, n: usize| {
        format!("export const a = {}1{};", open.repeat(n), close.repeat(n))
    };
    for text in [
        deep("(", ")", 10_000),
        deep("[", "]", 10_000),
        deep("{a:", "}", 10_000),
        deep("`${", "}`", 10_000),
        deep("!", "", 100_000),
        deep("a=>", "", 100_000),
        deep("typeof ", "", 100_000),
        format!("{}{}", "/`/;".repeat(3), deep("(", ")", 10_000)),
        format!("export function f(a) {{ {} }}", "if (a) {} else ".repeat(100_000)),
    ] {
        let said = error(&text);
        assert!(said.contains("nests deeper than 200 levels"), "{}: {said}", &text[..60]);
    }
}

#[test]
fn what_is_deep_and_within_the_bounds_is_read() {
    let rig = project();
    rig.write(
        "src/x.ts",
        &format!("export const f = (a: number) => {}a{};", "(".repeat(150), ")".repeat(150)),
    );
    let made = generated(&rig, "src/x.ts").unwrap();
    assert_eq!(made.cases, ["f gives 3"]);
    rig.write("src/y.ts", &format!("export const f = () => {}1;", "1 + ".repeat(390)));
    assert_eq!(generated(&rig, "src/y.ts").unwrap().cases, ["f gives 391"]);
}

#[test]
fn a_program_that_never_ends_needs_a_person() {
    let rig = project();
    rig.write("src/x.ts", "export function f(n: number): number { while (true) { n += 1; } }\nexport function g(): number { return g(); }\n");
    let made = generated(&rig, "src/x.ts").unwrap();
    assert!(made.cases.is_empty(), "{:?}", made.cases);
    let why: Vec<&str> = made.person.iter().map(|it| it.why.as_str()).collect();
    assert_eq!(why, ["it takes too many steps", "calls nest too deep"]);
}

#[test]
fn what_the_source_says_cannot_leave_its_text() {
    let rig = project();
    rig.write("src/x.ts", "export const f = (a: string) => a === \"'); process.exit(1); ('\\n\\u2028${x}\" ? 'it\\'s' : `b\\\\`;\n");
    let made = generated(&rig, "src/x.ts").unwrap();
    rig.write("tests/y.ts", &made.text);
    // What is written is read again: it is a module of one block, with nothing but strings of the source in it.
    let again = generated(&rig, "tests/y.ts").unwrap();
    assert!(again.cases.is_empty());
    assert_eq!(made.cases.len(), 2, "{}", made.text);
    assert!(made.text.contains(r"f('\'); process.exit(1); (\'\n\u{2028}${x}')"), "{}", made.text);
}
