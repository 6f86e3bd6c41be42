//! Sources and their tests; the tests under the real cargo.

use super::*;
use crate::rig::Rig;

const SOURCE: &str = r#"//! Fees.
pub const FREE_FROM: u32 = 50;

#[derive(Clone, Copy)]
pub enum Tier {
    Basic,
    Gold,
}

pub enum Bad {
    Empty,
    TooLong,
    Other(String),
}

pub fn fee(total: u32, tier: Tier) -> u32 {
    match tier {
        Tier::Gold => 0,
        Tier::Basic if total >= FREE_FROM => 0,
        Tier::Basic => 5,
    }
}

pub fn name(text: &str) -> Result<String, Bad> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Bad::Empty);
    }
    if text.len() > 10 {
        return Err(Bad::TooLong);
    }
    if text.contains('!') {
        return Err(Bad::Other(text.to_string()));
    }
    Ok(format!("{}:{text}", text.len()))
}

pub fn grade(points: i64) -> &'static str {
    match points {
        i64::MIN..=-1 => "below",
        0 | 1 => "low",
        2..=10 => "good",
        _ => "best",
    }
}

pub fn half(number: i32) -> Option<i32> {
    if number % 2 == 0 { Some(number / 2) } else { None }
}

pub fn total(numbers: &[u8]) -> u32 {
    let mut total = 0;
    for number in numbers {
        total += *number as u32;
    }
    total * 2
}

pub fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

pub fn port(text: &str) -> Result<u16, String> {
    let port: u16 = text.parse::<u16>().map_err(|error| error.to_string())?;
    if port < 42 { Err(format!("{port} is low")) } else { Ok(port) }
}

pub fn pick(index: u8) -> char {
    if index > 3 {
        panic!("no letter {index}");
    }
    if index == 0 { 'a' } else { 'b' }
}

pub fn add(one: i8, two: i8) -> i8 {
    one + two
}

pub fn now() -> u64 {
    std::time::SystemTime::now().elapsed().unwrap().as_secs()
}

pub fn generic<T: Default>() -> T {
    T::default()
}

pub struct Cart;

impl Cart {
    pub fn size(&self) -> usize {
        1
    }
}
"#;

fn made(rig: &Rig, path: &str) -> Result<Generated, BoxError> {
    let look = rig.look();
    let path = RelPath::new(path).unwrap();
    let text = look.read_text(&path).unwrap().unwrap();
    Rust::read_and_write(&Source {
        path: &path,
        text: &text,
        test_file: &Rust::test_file(&path, &look),
        templates: Rust::TEMPLATES,
        template_folder: &RelPath::new("orchestration/templates").unwrap(),
        look: &look,
    })
}

/// A folder where the cargo of this build is the one that is found, wherever the home is.
pub(in super::super) fn rig() -> Rig {
    let mut rig = Rig::bare();
    let tools = std::path::Path::new(env!("CARGO")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths(std::iter::once(tools.into()).chain(std::env::split_paths(&path))).unwrap();
    rig.env.iter_mut().filter(|(name, _)| name == "PATH").for_each(|(_, value)| value.clone_from(&path));
    rig
}

fn crate_of(source: &str) -> Rig {
    let rig = rig();
    rig.write(
        "Cargo.toml",
        "[package]\nname = \"my-fees\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n",
    );
    rig.write("src/lib.rs", "pub mod fees;\nmod hidden;\n");
    rig.write("src/hidden.rs", "pub fn one() -> u8 { 1 }\n");
    rig.write("src/fees.rs", source);
    rig
}

#[test]
fn boundaries_and_edges() {
    let source = "pub fn fee(total: u8) -> u8 {\n    if total >= 50 { 0 } else { total + 5 }\n}\n";
    let text = made(&crate_of(source), "src/fees.rs").unwrap().text;
    println!("{text}");
    let expected = "//! Tests of `my_fees::fees`, from what its source says.\n\nuse my_fees::fees::fee;\n\n#[test]\nfn fee_of_7() {\n    \
                    assert_eq!(fee(7), 12);\n}\n";
    assert!(text.starts_with(expected), "{text}");
    for line in ["assert_eq!(fee(50), 0);", "assert_eq!(fee(49), 54);", "assert_eq!(fee(51), 0);"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_cannot_be_made_real_is_named() {
    let made = made(&crate_of(SOURCE), "src/fees.rs").unwrap();
    let person: Vec<String> =
        made.person.iter().map(|one| format!("{} {}: {}", one.what, one.line, one.why)).collect();
    let expected = [
        "now 80: what `std::time::SystemTime::now` does is not in this file",
        "generic 83: `generic` is async, unsafe, generic, long, or changed by an attribute",
        "Cart::size 90: methods are not modelled, only functions",
    ];
    assert_eq!(person, expected, "{}", made.text);
}

#[test]
fn sources_that_tests_cannot_reach_or_read_are_refused() {
    let rig = crate_of("");
    let refused = |path: &str, text: &str| {
        rig.write(path, text);
        made(&rig, path).unwrap_err().to_string()
    };
    let said = refused("src/hidden.rs", "pub fn one() -> u8 { 1 }\n");
    assert_eq!(said, "tests cannot reach `src/hidden.rs`: `src/lib.rs` has no `pub mod hidden;`");
    assert!(refused("src/main.rs", "fn main() {}\n").contains("move what is to be tested into the library"));
    let said = refused("src/fees.rs", "fn a() {}\nfn b( {}\n");
    assert!(said.starts_with("`src/fees.rs` is not valid Rust at line 2, column "), "{said}");
    let brackets = format!("const A: u8 = {}1{};\n", "(".repeat(3_000), ")".repeat(3_000));
    let chain = format!("const A: u8 = 1{};\n", " + 1".repeat(3_000));
    let nots = format!("const A: u8 = {}1;\n", "!".repeat(3_000));
    for text in [brackets, chain, nots] {
        assert_eq!(
            refused("src/fees.rs", &text),
            "`src/fees.rs` nests too deep at line 1: split that expression"
        );
    }
    let own = "macro_rules! vec { () => { 1 } }\npub fn f() -> u8 { 1 }\n";
    rig.write("src/fees.rs", own);
    assert_eq!(made(&rig, "src/fees.rs").unwrap().cases.len(), 1);
}

#[test]
fn generated_files_pass_and_see_changes_under_cargo() {
    let rig = crate_of(SOURCE);
    let generated = made(&rig, "src/fees.rs").unwrap();
    let look = rig.look();
    let path = Rust::test_file(&RelPath::new("src/fees.rs").unwrap(), &look);
    let runner = Rust::runner(&path, &look).unwrap();
    assert_eq!(runner.argv.join(" "), "cargo test --test fees");
    rig.write(path.as_str(), &generated.text);
    let passes = || {
        let mut command = std::process::Command::new(env!("CARGO"));
        command.args(&runner.argv[1..]).arg("--offline").current_dir(&rig.root);
        let output = command.env("CARGO_TARGET_DIR", rig.home.join("target")).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    };
    let (passed, said) = passes();
    assert!(passed, "{said}\n{}", generated.text);
    assert!(said.contains(&format!("{} passed", generated.cases.len())), "{said}");
    let changes = [
        (">= FREE_FROM", "> FREE_FROM"),
        ("text.len() > 10", "text.len() > 11"),
        ("2..=10", "2..=9"),
        ("% 2 == 0", "% 2 != 0"),
        ("total * 2", "total * 3"),
        (".rev().collect", ".collect"),
        ("port < 42", "port <= 42"),
        ("no letter", "any letter"),
        ("one + two", "one - two"),
        ("Err(Bad::Empty)", "Err(Bad::TooLong)"),
    ];
    for (from, to) in changes {
        assert_eq!(SOURCE.matches(from).count(), 1, "{from}");
        rig.write("src/fees.rs", &SOURCE.replace(from, to));
        let (passed, said) = passes();
        assert!(!passed && said.contains("test result: FAILED"), "`{from}` became `{to}`: {said}");
    }
}

#[test]
fn what_asks_for_much_ends_early() {
    for (body, why) in [
        ("loop { }", "an expression of this kind is not modelled"),
        ("let mut n = 0; while n < 100000000 { n += 0; } n", "it runs too long or too deep to be followed"),
        ("f()", "it runs too long or too deep to be followed"),
        (
            "let mut s = String::from(\"x\"); while true { s = s.replace(\"x\", \"xx\"); } 1",
            "the method `replace` of this is not modelled",
        ),
        (
            "let mut s = String::from(\"x\"); while true { s += &s.clone(); } 1",
            "a value this large is not followed",
        ),
        (
            "let mut s = vec![1]; while true { s = vec![s.clone(), s.clone()]; } 1",
            "a value this large is not followed",
        ),
        ("let mut n = 0; for a in 0..1000000000000 { n += 1; } n", "a range this long is not followed"),
        ("let s = \"x\".repeat(10000000000); 1", "the method `repeat` of this is not modelled"),
        ("let n: u8 = 200; n * 2", "a result that may overflow, or a division by zero, is not tested"),
    ] {
        let made = made(&crate_of(&format!("pub fn f() -> u8 {{ {body} }}\n")), "src/fees.rs").unwrap();
        let said: Vec<&str> = made.person.iter().map(|person| person.why.as_str()).collect();
        assert_eq!((said.as_slice(), made.cases.len()), (&[why][..], 0), "{body}");
    }
}

/// Each function gives the case, or none where the source alone does not prove it.
#[test]
fn what_is_not_certain_is_not_asserted() {
    for (source, case) in [
        ("pub fn f(a: i8) -> i8 { a % -1 }", None),
        ("pub fn f() -> bool { let a = 3; let b = a - 5; b < 4 }", None),
        ("pub fn f() -> u8 { #[cfg(test)] { return 1; } 2 }", None),
        ("pub unsafe fn f() -> u8 { 2 }", None),
        (
            "macro_rules! format { ($($a:tt)*) => { String::new() } }\npub fn f() -> String { format!(\"a\") }",
            None,
        ),
        (
            "pub fn f(v: Option<Vec<u8>>) -> usize { match v { Some(ref mut v) => { v.push(1); 1 } None => 2 } }",
            Some("None"),
        ),
        ("pub fn f(a: u8) -> u8 { a.wrapping_add(250) }", None),
        ("#[derive(Clone)]\npub enum E { A, B }\npub fn f(a: E) -> bool { a == E::A }", None),
        ("pub fn f() -> Result<u8, std::num::ParseIntError> { \"300\".parse::<u8>() }", Some(".is_err()")),
        ("pub fn f(a: &str) -> Result<u8, u8> { a.parse::<u8>().map_err(|_| panic!()) }", Some("Ok(")),
    ] {
        let made = made(&crate_of(source), "src/fees.rs").unwrap();
        let lines: Vec<&str> = made.text.lines().filter(|line| line.contains("assert")).collect();
        match case {
            None => assert_eq!((made.cases.len(), made.person.len()), (0, 1), "{source}: {lines:?}"),
            Some(case) => {
                assert!(
                    !lines.is_empty() && lines.iter().all(|line| line.contains(case)),
                    "{source}: {lines:?}"
                );
            }
        }
    }
}

#[test]
fn comments_in_a_row_are_no_nesting() {
    let comments = "/// A line, of many.\n".repeat(500);
    let made = made(&crate_of(&format!("{comments}pub fn f() -> u8 {{ 1 }}\n")), "src/fees.rs").unwrap();
    assert_eq!(made.cases, ["f_gives"]);
}
