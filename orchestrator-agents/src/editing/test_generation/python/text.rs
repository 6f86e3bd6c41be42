//! Python as text: names that are imported, literals, and parts of the names of cases.

use std::collections::{BTreeMap, BTreeSet};

use super::value::Value;

/// The names of the module that a test file needs, each by what it is called there.
#[derive(Debug, Default)]
pub(super) struct Names {
    used: BTreeMap<String, String>,
}

/// Names that a test file has of its own.
const OWN: [&str; 16] = [
    "AsyncMock",
    "Mock",
    "anyio",
    "asyncio",
    "call",
    "cache",
    "capfd",
    "caplog",
    "capsys",
    "monkeypatch",
    "pytest",
    "raised",
    "request",
    "result",
    "subject",
    "tmp_path",
];

/// Words of the language, and built-in names that a test file may use.
const WORDS: [&str; 45] = [
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "bool",
    "dict",
    "float",
    "int",
    "isinstance",
    "list",
    "set",
    "str",
    "tuple",
    "type",
];

/// Whether a name is a word of the language.
pub(super) fn is_keyword(name: &str) -> bool {
    WORDS[..35].contains(&name)
}

/// Whether it can be the name of a module.
pub(super) fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    begins && letters.all(|letter| letter.is_alphanumeric() || letter == '_') && !is_keyword(name)
}

fn taken(name: &str) -> bool {
    let collected = name.starts_with("test") || name.starts_with("Test") || name.starts_with("pytest");
    collected || OWN.contains(&name) || WORDS.contains(&name) || is_exception(name)
}

fn is_exception(name: &str) -> bool {
    super::eval::errors::is_error(name)
}

impl Names {
    /// What a name of the module is called in the test file. What pytest would collect, or would hide something, gets
    /// another name.
    pub(super) fn of(&mut self, name: &str) -> String {
        let known = if taken(name) { format!("imported_{name}") } else { name.to_owned() };
        self.used.insert(name.to_owned(), known.clone());
        known
    }

    /// What is imported, as it stands after `import`.
    pub(super) fn imports(&self) -> Vec<String> {
        let shown = |(name, known): (&String, &String)| {
            if name == known { name.clone() } else { format!("{name} as {known}") }
        };
        self.used.iter().map(shown).collect()
    }
}

/// Names of variables of a test that differ from all else in it.
pub(super) fn variable(name: &str, module: &BTreeSet<&str>) -> String {
    let clash = taken(name) || module.contains(name) || name.starts_with("imported_") || name == "self";
    if clash { format!("{name}_mock") } else { name.to_owned() }
}

/// A text as a literal.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() || is_hidden(letter) => quoted.push_str(&escape(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// Letters that change how others are shown, or that are not seen.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(letter: char) -> String {
    match letter as u32 {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// A text as a part of a name.
pub(super) fn slug(text: &str) -> String {
    if text.is_empty() {
        return "empty".into();
    }
    let mut slug = String::new();
    for letter in text.chars().take(24) {
        match letter {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter.to_ascii_lowercase()),
            _ if slug.ends_with('_') || slug.is_empty() => {}
            _ => slug.push('_'),
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() { "signs".into() } else { slug.to_owned() }
}

/// `NotFound` as `not_found`.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A value as an expression that is equal to it; none where there is none.
pub(super) fn literal(value: &Value, names: &mut Names) -> Option<String> {
    let mut all = |items: &[Value]| -> Option<String> {
        Some(items.iter().map(|item| literal(item, names)).collect::<Option<Vec<_>>>()?.join(", "))
    };
    Some(match value {
        Value::None => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        Value::Str(text) => quoted(text),
        Value::List(items) => format!("[{}]", all(&items.borrow())?),
        Value::Tuple(items) if items.len() == 1 => format!("({},)", all(items)?),
        Value::Tuple(items) => format!("({})", all(items)?),
        Value::Set(items) if items.borrow().is_empty() => "set()".into(),
        Value::Set(items) => {
            let mut items =
                items.borrow().iter().map(|item| literal(item, names)).collect::<Option<Vec<_>>>()?;
            items.sort();
            format!("{{{}}}", items.join(", "))
        }
        Value::Dict(items) => {
            let pair = |(key, value): &(Value, Value)| {
                Some(format!("{}: {}", literal(key, names)?, literal(value, names)?))
            };
            format!("{{{}}}", items.borrow().iter().map(pair).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Member(member) => format!("{}.{}", names.of(&member.class), member.name),
        Value::Mock(path) => path.to_string(),
        Value::Instance(instance) if instance.shown => {
            let class = names.of(&instance.class);
            let field = |(name, value): (&String, &Value)| Some(format!("{name}={}", literal(value, names)?));
            let fields = instance.fields.borrow();
            format!("{class}({})", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(", "))
        }
        _ => return None,
    })
}
