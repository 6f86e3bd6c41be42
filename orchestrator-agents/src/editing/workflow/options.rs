//! `options` of an action: each names those that it knows; values are checked before anything is written.

use orchestrator_core::BoxError;
use serde_json::{Map, Value};

use super::super::config_edit::edited::ActionInput;
use super::node::Node;

/// The most entries of a list, and the most bytes of a text.
const MOST_ENTRIES: usize = 256;
const MOST_BYTES: usize = 16 * 1024;

/// The options of one action.
#[derive(Debug)]
pub(super) struct Options<'a>(&'a Map<String, Value>);

impl<'a> Options<'a> {
    /// The options, if they are among the known ones.
    pub(super) fn read(with: &ActionInput<'a>, known: &[&str]) -> Result<Self, BoxError> {
        match with.options.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("unknown option `{key}`; known: {}", known.join(", ")).into()),
            None => Ok(Self(with.options)),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, BoxError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| format!("option `{key}` is no text"))?;
        checked(key, text).map(Some)
    }

    /// A list of texts; one text is a list of one, numbers are taken as they are shown.
    pub(super) fn list(&self, key: &str) -> Result<Option<Vec<String>>, BoxError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let one = std::slice::from_ref(value);
        let items = value.as_array().map_or(one, Vec::as_slice);
        if items.is_empty() || items.len() > MOST_ENTRIES {
            return Err(
                format!("option `{key}` needs 1 to {MOST_ENTRIES} entries, not {}", items.len()).into()
            );
        }
        let text = |item: &Value| -> Result<String, BoxError> {
            match item {
                Value::String(text) if !text.trim().is_empty() && !text.contains('\n') => {
                    Ok(checked(key, text)?.to_owned())
                }
                Value::Number(number) => Ok(number.to_string()),
                _ => Err(format!("option `{key}` has an entry that is no text: {item}").into()),
            }
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn whole(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>, BoxError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let fits = value.as_u64().filter(|number| (least..=most).contains(number));
        fits.map(Some)
            .ok_or_else(|| format!("option `{key}` is no whole number from {least} to {most}").into())
    }

    /// The id of a job.
    pub(super) fn job(&self, key: &str) -> Result<Option<&'a str>, BoxError> {
        let Some(id) = self.text(key)? else { return Ok(None) };
        let starts = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let valid = starts
            && id.len() <= 100
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if valid {
            Ok(Some(id))
        } else {
            Err(format!("option `{key}`: `{id}` cannot be the id of a job").into())
        }
    }

    /// A command of a shell. Contexts of the workflow come in through `env` only: inside of a script they are code.
    pub(super) fn command(&self, key: &str) -> Result<Option<String>, BoxError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let command = dedent(text);
        if command.is_empty() {
            return Err(format!("option `{key}` is an empty command").into());
        }
        if command.contains("${{") {
            return Err(format!(
                "option `{key}` has `${{{{ .. }}}}` inside of a script, where its value would be run as code; pass it through \
                 the option `env` (`env: {{NAME: ..}}`) and write `\"$NAME\"`"
            )
            .into());
        }
        Ok(Some(command))
    }

    /// `http(s)://..` with nothing in it that ends an address, or an expression for one, such as `${{ vars.URL }}`.
    pub(super) fn url(&self, key: &str) -> Result<Option<&'a str>, BoxError> {
        let Some(url) = self.text(key)? else { return Ok(None) };
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let literal = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
        let expression = url.starts_with("${{ vars.") || url.starts_with("${{ secrets.");
        let clean = expression && url.ends_with(" }}") && url.matches("${{").count() == 1
            || literal && !url.contains(|c: char| c.is_whitespace() || "\"'`<>\\$".contains(c));
        if clean { Ok(Some(url)) } else { Err(format!("option `{key}`: `{url}` is no http address").into()) }
    }

    /// `env`: names and values for the steps that are written; values may be expressions.
    pub(super) fn env(&self) -> Result<Vec<(String, Node)>, BoxError> {
        let Some(value) = self.0.get("env") else { return Ok(Vec::new()) };
        let pairs = value.as_object().filter(|pairs| pairs.len() <= MOST_ENTRIES);
        let pairs = pairs.ok_or("option `env` is no mapping of names to texts")?;
        pairs
            .iter()
            .map(|(name, value)| {
                let valid = name.chars().enumerate().all(|(index, c)| {
                    c.is_ascii_alphabetic() || c == '_' || (index > 0 && c.is_ascii_digit())
                });
                let text = value.as_str().filter(|_| valid && !name.is_empty());
                let text = text.ok_or_else(|| format!("option `env`: `{name}` is no name with a text"))?;
                Ok((name.clone(), Node::text(checked("env", text)?)))
            })
            .collect()
    }
}

/// A text without control characters and of a bearable size.
fn checked<'a>(key: &str, text: &'a str) -> Result<&'a str, BoxError> {
    if text.len() > MOST_BYTES {
        return Err(format!("option `{key}` has {} bytes; {MOST_BYTES} are the most", text.len()).into());
    }
    let odd = text.chars().find(|c| {
        c.is_control() && *c != '\n' && *c != '\t' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
    });
    match odd {
        Some(odd) => Err(format!("option `{key}` has the control character {odd:?}").into()),
        None => Ok(text),
    }
}

/// Lines without the indentation that they share, blanks at line ends and blank lines around.
pub(super) fn dedent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let shared = lines.iter().filter(|line| !line.is_empty()).map(indent).min().unwrap_or(0);
    let cut: Vec<&str> = lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect();
    let text = cut.join("\n");
    // The first line decides the indentation of a block, so it has none itself.
    text.trim_start_matches('\n').trim_start().trim_end().to_owned()
}
