//! Whether what a rule made can still be read.

/// The endings of names whose files can be checked here.
const KNOWN: [&str; 5] = [".json", ".toml", ".yaml", ".yml", ".lock"];

/// Whether a file of that name can be checked.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|end| name.ends_with(end)) || parser(name).is_some()
}

/// Fails where both sides can be read and what was made of them cannot.
pub(super) fn fits(name: &str, ours: &[u8], theirs: &[u8], merged: &[u8]) -> Result<(), String> {
    let Some(reads) = parser(name) else { return Ok(()) };
    let text =
        |bytes: &[u8]| std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()).and_then(reads);
    if text(ours).is_err() || text(theirs).is_err() {
        return Ok(());
    }
    text(merged)
        .map_err(|why| format!("the result cannot be read: {}", why.lines().next().unwrap_or_default()))
}

type Reads = fn(&str) -> Result<(), String>;

fn parser(name: &str) -> Option<Reads> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let end = file.rsplit_once('.').map(|(_, end)| end)?;
    Some(match (file, end) {
        ("Cargo.lock" | "poetry.lock" | "uv.lock", _) | (_, "toml") => toml,
        ("composer.lock", _) | (_, "json") => json,
        (_, "yaml" | "yml") => yaml,
        _ => return source(end),
    })
}

fn toml(text: &str) -> Result<(), String> {
    text.parse::<toml::Table>().map(drop).map_err(|error| error.message().to_owned())
}

/// JSON in which no key stands twice: a union of lines may well make such.
fn json(text: &str) -> Result<(), String> {
    serde_json::from_str::<Once>(text).map(drop).map_err(|error| error.to_string())
}

fn yaml(text: &str) -> Result<(), String> {
    serde_saphyr::from_str::<serde_json::Value>(text).map(drop).map_err(|error| error.to_string())
}

#[cfg(not(feature = "editing"))]
fn source(_: &str) -> Option<Reads> {
    None
}

#[cfg(feature = "editing")]
fn source(end: &str) -> Option<Reads> {
    fn with(language: tree_sitter::Language, text: &str) -> Result<(), String> {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&language).map_err(|error| error.to_string())?;
        let tree = parser.parse(text, None).ok_or("it could not be parsed")?;
        if tree.root_node().has_error() { Err("it has an error of syntax".to_owned()) } else { Ok(()) }
    }
    Some(match end {
        "rs" => |text| with(tree_sitter_rust::LANGUAGE.into(), text),
        "py" => |text| with(tree_sitter_python::LANGUAGE.into(), text),
        "js" | "mjs" | "cjs" | "jsx" => |text| with(tree_sitter_javascript::LANGUAGE.into(), text),
        "ts" => |text| with(tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(), text),
        "tsx" => |text| with(tree_sitter_typescript::LANGUAGE_TSX.into(), text),
        _ => return None,
    })
}

/// A JSON value without keys that stand twice.
struct Once;

impl<'de> serde::Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> serde::de::Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut all: A) -> Result<Once, A::Error> {
        while all.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut all: A) -> Result<Once, A::Error> {
        let mut keys = std::collections::BTreeSet::new();
        while let Some((key, Once)) = all.next_entry::<String, Once>()? {
            if !keys.insert(key.clone()) {
                return Err(serde::de::Error::custom(format!("the key `{key}` stands twice")));
            }
        }
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused() {
        let bad = |name: &str, merged: &str, good: &str| {
            fits(name, good.as_bytes(), good.as_bytes(), merged.as_bytes())
        };
        assert!(bad("a.json", "{\"a\": 1}", "{}").is_ok());
        assert!(bad("a.json", "{\"a\": 1, \"a\": 2}", "{}").unwrap_err().contains("stands twice"));
        assert!(bad("a/package-lock.json", "{\"a\": {\"b\": 1, \"b\": 2}}", "{}").is_err());
        assert!(bad("a.json", "{", "{").is_ok(), "the sides cannot be read either");
        assert!(bad("a.toml", "a = 1\na = 2\n", "a = 1\n").is_err());
        assert!(bad("a.yml", "a: [", "a: 1\n").is_err());
        assert!(bad("a.txt", "anything", "x").is_ok());
        #[cfg(feature = "editing")]
        assert!(bad("a.rs", "fn a() {\n", "fn a() {}\n").is_err());
    }
}
