//! Pieces of YAML that edits write, and how they look in a file: in block style with the file's own indentation, or in flow
//! style where the place is in a flow collection.

use std::fmt::Write as _;

use super::pins::Pin;

/// A piece of YAML to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A string; quoted where it would be read as something else.
    Text(String),
    /// A number, a boolean or a flow collection, written as it stands.
    Bare(String),
    /// A pinned action: what stands after `uses:`, with its tag as a comment.
    Uses(Pin),
    /// A mapping in order.
    Map(Vec<(String, Node)>),
    /// A list.
    List(Vec<Node>),
}

/// How a file indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns from a key to the keys below it.
    pub width: usize,
    /// Columns from a key to the dashes below it.
    pub list: usize,
    /// Columns from a dash to what it introduces.
    pub gap: usize,
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn bare(text: impl ToString) -> Self {
        Self::Bare(text.to_string())
    }

    pub(super) fn map<const N: usize>(pairs: [(&str, Node); N]) -> Self {
        Self::Map(pairs.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
    }

    /// Strings as a list on one line.
    pub(super) fn inline<S: AsRef<str>>(items: impl IntoIterator<Item = S>, quoted: bool) -> Self {
        let shown = |item: S| if quoted { single(item.as_ref()) } else { flow_scalar(item.as_ref()) };
        Self::Bare(format!("[{}]", items.into_iter().map(shown).collect::<Vec<_>>().join(", ")))
    }

    /// A string in single quotes, whatever it is.
    pub(super) fn quoted(text: &str) -> Self {
        Self::Bare(single(text))
    }

    /// Adds a pair to a mapping.
    pub(super) fn with(mut self, key: &str, node: Node) -> Self {
        if let Self::Map(pairs) = &mut self {
            pairs.push((key.to_owned(), node));
        }
        self
    }

    /// Adds a pair where there is something to add.
    pub(super) fn with_some(self, key: &str, node: Option<Node>) -> Self {
        match node {
            Some(node) => self.with(key, node),
            None => self,
        }
    }

    /// `key: value` lines at this column, the last with its line end.
    pub(super) fn pair(&self, key: &str, column: usize, style: Style) -> String {
        let mut out = " ".repeat(column);
        self.write_pair(key, column, style, &mut out);
        out
    }

    /// `- value` lines with the dash at this column.
    pub(super) fn item(&self, column: usize, style: Style) -> String {
        let mut out = " ".repeat(column);
        self.write_item(column, style, &mut out);
        out
    }

    /// What stands after `key:` on its line and below, its first blank included, without the last line end.
    pub(super) fn value(&self, column: usize, style: Style) -> String {
        let mut out = String::new();
        self.write_value(column, style, &mut out);
        out.truncate(out.trim_end_matches('\n').len());
        out
    }

    fn write_pair(&self, key: &str, column: usize, style: Style, out: &mut String) {
        let _ = write!(out, "{}:", scalar(key));
        self.write_value(column, style, out);
    }

    fn write_value(&self, column: usize, style: Style, out: &mut String) {
        match self {
            Self::Map(pairs) if !pairs.is_empty() => {
                out.push('\n');
                for (key, node) in pairs {
                    out.push_str(&node.pair(key, column + style.width, style));
                }
            }
            Self::List(items) if !items.is_empty() => {
                out.push('\n');
                for item in items {
                    out.push_str(&item.item(column + style.list, style));
                }
            }
            Self::Text(text) if text.contains('\n') => {
                out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
                for line in text.lines() {
                    let pad = if line.is_empty() { 0 } else { column + style.width };
                    let _ = writeln!(out, "{}{line}", " ".repeat(pad));
                }
            }
            other => {
                let _ = writeln!(out, " {}", other.line());
            }
        }
    }

    fn write_item(&self, column: usize, style: Style, out: &mut String) {
        let gap = " ".repeat(style.gap.saturating_sub(1).max(1));
        match self {
            Self::Map(pairs) if !pairs.is_empty() => {
                let inner = column + 1 + gap.len();
                for (index, (key, node)) in pairs.iter().enumerate() {
                    if index == 0 {
                        let _ = write!(out, "-{gap}");
                    } else {
                        out.push_str(&" ".repeat(inner));
                    }
                    node.write_pair(key, inner, style, out);
                }
            }
            other => {
                let _ = writeln!(out, "-{gap}{}", other.flow());
            }
        }
    }

    /// What fits on a line.
    fn line(&self) -> String {
        match self {
            Self::Text(text) => scalar(text),
            Self::Uses(pin) => format!("{}@{} # {}", pin.name, pin.commit, pin.tag),
            other => other.flow(),
        }
    }

    /// The whole in flow style, on one line; a comment cannot stand there.
    pub(super) fn flow(&self) -> String {
        match self {
            Self::Text(text) => flow_scalar(text),
            Self::Bare(text) => text.clone(),
            Self::Uses(pin) => format!("{}@{}", pin.name, pin.commit),
            Self::Map(pairs) => {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|(key, node)| format!("{}: {}", flow_scalar(key), node.flow()))
                    .collect();
                format!("{{{}}}", pairs.join(", "))
            }
            Self::List(items) => format!("[{}]", items.iter().map(Node::flow).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

/// A string on one line in block style: plain where that is read as the same string.
fn scalar(text: &str) -> String {
    let quoted = text.chars().any(char::is_control);
    if quoted {
        double(text)
    } else if plain(text) {
        text.to_owned()
    } else {
        single(text)
    }
}

/// A string on one line in a flow collection.
fn flow_scalar(text: &str) -> String {
    let simple = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@ ".contains(c));
    match text.chars().any(char::is_control) {
        true => double(text),
        false if simple && plain(text) => text.to_owned(),
        false => single(text),
    }
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// JSON's form is also YAML's double-quoted form.
fn double(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a plain scalar of this text is this string, by YAML 1.1 and 1.2 alike.
fn plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let first = text.chars().next().unwrap_or(' ');
    let opens = first.is_ascii_alphabetic() || "/_$.".contains(first) && text.len() > 1;
    // `.5`, `.inf`, `1e3`: everything that begins like a number is quoted.
    let number = text.trim_start_matches(['.', '+', '-']).starts_with(|c: char| c.is_ascii_digit());
    let special = first == '.' && text[1..].starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() < 6;
    opens
        && !number
        && !special
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const STYLE: Style = Style { width: 4, list: 2, gap: 2 };

    #[test]
    fn strings_are_read_as_they_were_given() {
        let hard = [
            "",
            " ",
            "a",
            "true",
            "No",
            "~",
            "1",
            "1e3",
            ".5",
            ".inf",
            "0x1f",
            "a: b",
            "a #b",
            "#a",
            "- a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "a'b",
            "\"a\"",
            "{a}",
            "[a]",
            "a:",
            "a\tb",
            "${{ secrets.A }}",
            "it's: #",
            "-",
            "?",
            "? a",
            "|",
            "2020-01-01",
            "on",
            "\u{e9}t\u{e9}",
            "a ",
            "\\n",
            "<<",
        ];
        for text in hard {
            let node = Node::map([("key", Node::map([("inner", text.into())]))]);
            for written in [node.pair("top", 0, STYLE), format!("top: {}\n", node.flow())] {
                let value: Value =
                    serde_saphyr::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
                assert_eq!(value["top"]["key"]["inner"], text, "{written}");
            }
        }
    }

    #[test]
    fn it_looks_as_people_write_it() {
        let node = Node::map([
            ("name", "Test".into()),
            ("with", Node::map([("a", Node::bare(true)), ("b", "1".into())])),
            ("run", Node::text("one\n\n  two\n")),
            ("needs", Node::inline(["a", "b"], false)),
            ("list", Node::List(vec![Node::map([("x", "v".into()), ("z", "w".into())]), "plain".into()])),
        ]);
        let expected = "  - name: Test\n    with:\n        a: true\n        b: '1'\n    run: |\n        one\n\n          two\n    needs: [a, b]\n    \
                        list:\n      - x: v\n        z: w\n      - plain\n";
        assert_eq!(node.item(2, STYLE), expected);
        assert_eq!(node.with("a", Node::bare(1)).flow().matches("\"one\\n\\n  two\\n\"").count(), 1);
    }
}
