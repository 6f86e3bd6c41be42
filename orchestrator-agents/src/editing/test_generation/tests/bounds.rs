//! Sources that are wrong, or larger or deeper than they may be.

use orchestrator_core::path::RelPath;

use super::super::config::LanguageName;
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
        deep("!", "", 50_000),
        deep("a=>", "", 50_000),
        deep("typeof ", "", 20_000),
        format!("{}{}", "/`/;".repeat(3), deep("(", ")", 10_000)),
        format!("export function f(a) {{ {} }}", "if (a) {} else ".repeat(10_000)),
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

/// Generates for a source, and says what is told of it. No source may take a process down.
fn told(text: &str) -> (usize, Vec<String>) {
    let rig = project();
    rig.write("src/x.ts", text);
    let made = generated(&rig, "src/x.ts").unwrap();
    assert!(made.text.len() < 600 << 10, "{} bytes", made.text.len());
    let mut why: Vec<String> = made.person.into_iter().map(|it| it.why).collect();
    why.sort();
    why.dedup();
    (made.cases.len(), why)
}

/// Each of these took all memory or time there was, or would without a bound of its own.
#[test]
fn what_grows_without_end_needs_a_person() {
    let f = |body: &str| format!("export function f(n: number) {{ {body} }}\n");
    let wide: String = (0..24).map(|n| format!("if (a{n}) s += {n};")).collect();
    let mut wrong = Vec::new();
    let parameters: Vec<String> = (0..24).map(|n| format!("a{n}: boolean")).collect();
    for (text, why) in [
        (f("let s = 'x'; while (true) { s = s + s; } return s;"), "a text grows too long to be followed"),
        (f("let s = 'x'; while (true) { s = `${s}${s}`; } return s;"), "a text grows too long to be followed"),
        (f("let s = 'ab'; while (true) { s = s.replaceAll('a', 'aaaaaaaaaaaaaaaaab'); } return s;"), "a text grows too long to be followed"),
        (f(&format!("return `{}${{n}}`;", "x".repeat(100_000))), "a text grows too long to be followed"),
        (f("let a = [1]; while (true) { a = a.concat(a, a); } return a;"), "a list grows too long to be followed"),
        (f("let a = [1]; while (true) { a = [...a, ...a]; } return a;"), "a list grows too long to be followed"),
        (f("let a = [1, 2]; while (true) { a = a.flatMap(() => a); } return a;"), "a list grows too long to be followed"),
        (f("const a: number[] = []; while (true) { a.push(n); } return a;"), "it takes too many steps"),
        (f("const a: number[] = []; for (let i = 0; ; i++) { a[i] = i; } return a;"), "a list grows too long to be followed"),
        (f("const o: Record<string, number> = {}; for (let i = 0; ; i++) { o[`k${i}`] = i; } return o;"), "an object grows too large to be followed"),
        (f("const m = new Map<number, number>(); for (let i = 0; ; i++) { m.set(i, i); } return m;"), "it takes too many steps"),
        (f("let s = 0; for (let i = 0; i < 1e9; i++) for (let j = 0; j < 1e9; j++) s += j; return s;"), "it takes too many steps"),
        (f("return f(n) + f(n);"), "calls nest too deep"),
        (f("const a: unknown[] = []; a.push(a); return a;"), "what goes in or comes out cannot be written down"),
        (f("const a: unknown[] = []; a.push(a); return `${a}`;"), "it makes text of something that is none"),
        (f("let a: unknown[] = ['x']; for (let i = 0; i < 30; i++) a = [a, a]; return `${a}`;"), "it makes text of something that is none"),
        (f("const o: Record<string, unknown> = {}; o.o = o; return o;"), "what goes in or comes out cannot be written down"),
        (f("let o: unknown = 1; for (let i = 0; i < 30; i++) o = { a: o, b: o }; return o;"), "what goes in or comes out cannot be written down"),
        ("const a = b;\nconst b = a;\nexport const f = () => a;\n".into(), "calls nest too deep"),
        ("class A { static a = A.a; }\nexport const f = () => A.a;\n".into(), "calls nest too deep"),
        ("export async function f(db) { const all = await db.all(); return all.filter((a) => a.id === 1); }\n".into(), ""),
        ("type T = T[];\nexport function f(t: T) { return t.map((x) => x); }\n".into(), "lists nest too deep"),
        ("type N = { next: N };\nexport function f(o: N) { while (true) { o = o.next; } }\n".into(), "it asks too much of what comes from outside"),
        ("export function f(o) { while (true) { o.next(); } }\n".into(), "it asks too much of what comes from outside"),
        (format!("export function f({}) {{ let s = 0; {wide} return s; }}\n", parameters.join(", ")), ""),
        ("class A extends B {}\nclass B extends A {}\nexport { A, B };\n".into(), ""),
        (f(&format!("return /{}/.test('{}');", "(a+)+".repeat(30), "a".repeat(5000))), "`/(a+)+(a+)+(a+)+(a+)+(a+)+(a+)+(a+)+(a+)` is not followed"),
    ] {
        let (cases, said) = told(&text);
        let shown: String = text.chars().take(100).collect();
        if !(why.is_empty() || said.iter().any(|it| it == why)) || cases > 12 {
            wrong.push(format!("{shown}\n{cases} cases, {said:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn types_that_unfold_without_end_are_cut() {
    let union: String = (0..40).map(|n| format!("type T{n} = T{0} | T{0} | T{0};\n", n + 1)).collect();
    let (cases, _) = told(&format!("{union}type T40 = string;\nexport function f(t: T0) {{ return t; }}\n"));
    assert_eq!(cases, 1);
}

#[test]
fn all_functions_of_a_file_share_one_account() {
    let one = |n: usize| {
        format!(
            "export function f{n}(a: number) {{ let s = 0; for (let i = 0; i < 300; i++) s += i; return a > 1 ? s : 0; }}\n"
        )
    };
    let text: String = (0..500).map(one).collect();
    let (cases, why) = told(&text);
    assert!((2..200).contains(&cases), "{cases}");
    assert!(why.iter().any(|it| it.contains("split it")), "{why:?}");
    let said = error(&format!("// {}\n", "x".repeat(300 << 10)));
    assert!(said.contains("over the limit of 262144"), "{said}");
}

#[test]
fn functions_that_know_themselves_are_followed() {
    let text = "export function f(n: number) { function again() { return again; } const g = () => g; again(); return n > 1 ? 1 : 2; }\n";
    assert_eq!(told(text).0, 2);
}

/// Task `2.6` of the example once took all memory there was: a list that has no `s` at its end.
#[test]
fn every_source_of_the_example_is_read() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/roadmap");
    let mut cases = 0;
    for folder in ["services", "routes", "config", "lib", "db", "."] {
        let folder = format!("src/{folder}");
        for file in std::fs::read_dir(example.join(&folder)).unwrap() {
            let path = file.unwrap().path();
            let Some(name) = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|it| RelPath::new(*it).is_ok_and(|it| LanguageName::of(&it).is_ok()))
            else {
                continue;
            };
            let rig = project();
            let own = format!("{folder}/{name}").replace("./", "");
            rig.write(&own, &std::fs::read_to_string(&path).unwrap());
            let started = std::time::Instant::now();
            let made = generated(&rig, &own).unwrap();
            println!(
                "{:>8} us {:>3} cases, {} need a person: {own}",
                started.elapsed().as_micros(),
                made.cases.len(),
                made.person.len()
            );
            cases += made.cases.len();
        }
    }
    assert!(cases > 40, "{cases}");
}
