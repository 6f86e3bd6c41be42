//! Random functions, run by the real Python and by ours: where ours says something, it is what Python says.

use std::fmt::Write as _;
use std::process::Command;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::super::eval::{Run, Stop};
use super::super::module::{Module, parse};
use super::super::text::{Names, literal, quoted};
use super::super::value::Value;
use orchestrator_core::path::RelPath;

const FUNCTIONS: usize = 1_500;

/// Strict: the same type all the way down, and the same text.
const CHECK: &str = r#"
def same(one, two):
    if type(one) is not type(two) or one != two:
        return False
    if isinstance(one, (list, tuple)):
        return all(same(a, b) for a, b in zip(one, two))
    if isinstance(one, dict):
        return all(same(a, b) for a, b in zip(one, two)) and all(same(one[a], two[a]) for a in one)
    return isinstance(one, set) or repr(one) == repr(two)

def gives(name, args, expected):
    try:
        result = globals()[name](*args)
    except Exception as error:
        print(name, args, "raises", repr(error), "and not", repr(expected))
        return
    if not same(result, expected):
        print(name, args, "gives", repr(result), "and not", repr(expected))

def raises(name, args, kind, said):
    try:
        print(name, args, "gives", repr(globals()[name](*args)), "and does not raise", kind)
    except Exception as error:
        if type(error).__name__ != kind or (said is not None and str(error) != said):
            print(name, args, "raises", repr(error), "and not", kind, repr(said))
"#;

struct Chance(TestRng);

impl Chance {
    fn of(&mut self, count: usize) -> usize {
        (self.0.next_u64() % count as u64) as usize
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.of(of.len())]
    }

    /// Fills `I F S B L` of a pattern with expressions of these types.
    fn fill(&mut self, pattern: &str, depth: usize) -> String {
        let mut text = String::new();
        for letter in pattern.chars() {
            match letter {
                'I' => text += &self.int(depth),
                'F' => text += &self.float(depth),
                'S' => text += &self.text(depth),
                'B' => text += &self.bool(depth),
                'L' => text += &self.list(depth),
                letter => text.push(letter),
            }
        }
        text
    }

    fn int(&mut self, depth: usize) -> String {
        const LEAVES: [&str; 9] = ["a", "b", "0", "1", "-1", "3", "10", "97", "LIMIT"];
        const NODES: [&str; 26] = [
            "(I + I)",
            "(I - I)",
            "(I * I)",
            "(I // I)",
            "(I % I)",
            "(I ** 2)",
            "-I",
            "abs(I)",
            "len(S)",
            "len(L)",
            "sum(L)",
            "max(I, I)",
            "min(I, I)",
            "int(B)",
            "round(F)",
            "(I if B else I)",
            "int(F)",
            "L[0]",
            "(I & I)",
            "(I | I)",
            "(I >> 2)",
            "(I or I)",
            "(I and I)",
            "S.find(S)",
            "helper(I)",
            "sum(v * I for v in L if v > I)",
        ];
        if depth == 0 { self.pick(&LEAVES).to_owned() } else { self.node(&NODES, depth) }
    }

    fn float(&mut self, depth: usize) -> String {
        const NODES: [&str; 15] = [
            "(I / I)",
            "(F + F)",
            "(F - F)",
            "(F * F)",
            "(F / F)",
            "(F // F)",
            "(F % F)",
            "round(F, 2)",
            "float(I)",
            "-F",
            "abs(F)",
            "max(F, F)",
            "(F if B else F)",
            "(I + F)",
            "sum([F, F])",
        ];
        if depth == 0 {
            self.pick(&["c", "0.1", "2.5", "-0.75", "100.0"]).to_owned()
        } else {
            self.node(&NODES, depth)
        }
    }

    fn text(&mut self, depth: usize) -> String {
        const LEAVES: [&str; 6] = ["s", "''", "'ab'", "' X y '", "'a,b,c'", "'-7'"];
        const NODES: [&str; 30] = [
            "(S + S)",
            "(S * 2)",
            "S.upper()",
            "S.lower()",
            "S.strip()",
            "S.lstrip('ab')",
            "S.replace('a', S)",
            "S.title()",
            "S.capitalize()",
            "S.zfill(6)",
            "S.partition(',')[0]",
            "str(I)",
            "str(F)",
            "str(B)",
            "S[1:]",
            "S[I:I]",
            "S[-2:]",
            "','.join(S.split(','))",
            "'-'.join(S.split())",
            "(S or S)",
            "f'{a}:{s}|{b * a}'",
            "f'{c / 3:.2f}'",
            "f'{a * b:05d}'",
            "f'{b * 12345:,}'",
            "f'{s:>8}|{s:*^9}'",
            "f'{c * 7777:,.1f}'",
            "f'{s!r}{xs}'",
            "str(L)",
            "f'{c:8.3f}'",
            "S.removeprefix('a')",
        ];
        if depth == 0 { self.pick(&LEAVES).to_owned() } else { self.node(&NODES, depth) }
    }

    fn bool(&mut self, depth: usize) -> String {
        const NODES: [&str; 22] = [
            "(I < I)",
            "(I <= I)",
            "(I == I)",
            "(I != F)",
            "(I > F)",
            "(I < I < I)",
            "(S in S)",
            "(I in L)",
            "(not B)",
            "(B and B)",
            "(B or B)",
            "S.startswith('a')",
            "S.endswith(('b', 'c'))",
            "isinstance(I, int)",
            "isinstance(S, (int, str))",
            "S.isdigit()",
            "S.isalnum()",
            "(S < S)",
            "bool(L)",
            "any(v > I for v in L)",
            "(L == L)",
            "(S == S)",
        ];
        if depth == 0 {
            self.pick(&["True", "False", "(a > b)", "(not s)"]).to_owned()
        } else {
            self.node(&NODES, depth)
        }
    }

    fn list(&mut self, depth: usize) -> String {
        const NODES: [&str; 12] = [
            "sorted(L)",
            "[I, I]",
            "L[1:]",
            "list(range(I % 5))",
            "[v * 2 for v in L if v > I]",
            "(L + L)",
            "sorted(set(L))",
            "list(reversed(L))",
            "[I for _ in L]",
            "sorted(L, reverse=True)",
            "list({v: I for v in L}.values())",
            "[i * v for i, v in enumerate(L)]",
        ];
        if depth == 0 {
            self.pick(&["xs", "[3, 1, 2]", "[]", "[a, b]"]).to_owned()
        } else {
            self.node(&NODES, depth)
        }
    }

    fn node(&mut self, nodes: &[&str], depth: usize) -> String {
        let pattern = self.pick(nodes);
        let depth = self.of(depth);
        self.fill(pattern, depth)
    }

    fn body(&mut self) -> String {
        const BODIES: [&str; 14] = [
            "    return I",
            "    return F",
            "    return S",
            "    return (B, L, I)",
            "    return {'k': I, S: F}",
            "    if B:\n        return I\n    elif B:\n        return S\n    return L",
            "    total = I\n    for v in L:\n        if v > I:\n            continue\n        total += v\n    return total",
            "    try:\n        return int(S)\n    except ValueError as error:\n        return str(error)",
            "    if B:\n        raise ValueError('of ' + S)\n    return RATES.get(S, I)",
            "    n = abs(I) % 7\n    while n > 0:\n        n -= 2\n        if B:\n            break\n    else:\n        return n\n    return S",
            "    made = {}\n    for i, v in enumerate(L):\n        made[v] = made.get(v, 0) + I\n    return made",
            "    out = []\n    for v in L:\n        out.append(v + I)\n    out.sort()\n    return out",
            "    try:\n        return L[I]\n    except (IndexError, KeyError):\n        return RATES[S]\n    finally:\n        a = 1",
            "    x, y = I, F\n    return x + y if B else {v % 3 for v in L}",
        ];
        let pattern = self.pick(&BODIES);
        // Words of the language have capital letters too.
        let pattern = pattern
            .replace("ValueError", "\u{1}")
            .replace("IndexError", "\u{2}")
            .replace("KeyError", "\u{3}")
            .replace("RATES", "\u{4}");
        let text = self.fill(&pattern, 3);
        text.replace('\u{1}', "ValueError")
            .replace('\u{2}', "IndexError")
            .replace('\u{3}', "KeyError")
            .replace('\u{4}', "RATES")
    }
}

#[test]
fn what_is_said_is_what_python_does() {
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut source = String::from(
        "LIMIT = 12\nRATES = {'ab': 1, 's': 2.5}\n\ndef helper(n, by=3):\n    return n % by if n > 2 else n - by\n\n",
    );
    for at in 0..FUNCTIONS {
        let body = chance.body();
        writeln!(source, "def f{at}(a, b, c, s, xs):\n{body}\n").unwrap();
    }
    let tree = parse(&RelPath::new("a.py").unwrap(), &source).unwrap();
    let module = Module::of(&tree, &source);
    let inputs: [(i128, i128, f64, &str, &[i128]); 4] = [
        (7, 3, 2.5, "abc", &[3, 1, 2]),
        (-7, 2, -0.1, "Two words, more", &[5, 5, -1, 8]),
        (0, -4, 0.0, "", &[]),
        (12, 97, 1e3, "42", &[0]),
    ];
    let (mut script, mut known, mut all) = (format!("{source}\n{CHECK}\n"), 0, 0);
    for at in 0..FUNCTIONS {
        for (a, b, c, s, xs) in inputs {
            all += 1;
            let numbers = || Value::list(xs.iter().copied().map(Value::Int).collect());
            let args = vec![Value::Int(a), Value::Int(b), Value::Float(c), Value::str(s), numbers()];
            let name = Value::Function { class: None, name: format!("f{at}").into() };
            let shown = format!("\"f{at}\", [{a}, {b}, {c:?}, {}, {xs:?}]", quoted(s));
            match Run::new(&module).call(&name, args, Vec::new(), false) {
                Ok(value) => {
                    let text = literal(&value, &mut Names::default()).unwrap();
                    writeln!(script, "gives({shown}, {text})").unwrap();
                }
                Err(Stop::Raised(raised)) => {
                    let said = raised.said.as_deref().map_or("None".to_owned(), quoted);
                    writeln!(script, "raises({shown}, \"{}\", {said})", raised.class).unwrap();
                }
                Err(Stop::Unknown { .. }) => continue,
            }
            known += 1;
        }
    }
    assert!(known * 10 > all * 7, "only {known} of {all} are known");
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("all.py");
    std::fs::write(&path, script).unwrap();
    let output = Command::new("python3").arg("-I").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong: Vec<String> = said
        .lines()
        .take(12)
        .map(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            let from = source.find(&format!("def {name}(")).unwrap_or_default();
            let text: String = source[from..].split("\n\n").next().unwrap_or_default().to_owned();
            format!("{line}\n{text}\n")
        })
        .collect();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(wrong.is_empty(), "{} are wrong:\n{}", said.lines().count(), wrong.join("\n"));
    println!("{known} of {all} are known");
}
