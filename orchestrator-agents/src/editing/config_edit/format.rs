//! The formats that are edited at ways, and an edit with all its checks.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::edited::{EditResult, Edited};
use super::frame::Frame;
use super::script::Dialect;
use super::value::{Op, called, find, intended, same, shown};
use super::{json, script, toml, yaml};

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// YAML 1.2, one document.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// JSON, comments and trailing commas allowed where they are.
    Json,
    /// A configuration in JavaScript or TypeScript.
    Script(Dialect),
}

impl Format {
    /// By the name of a file.
    pub(super) fn of(path: &RelPath) -> Result<Self, BoxError> {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        Ok(match extension {
            "yml" | "yaml" => Self::Yaml,
            "toml" => Self::Toml,
            "json" | "jsonc" | "json5" | "code-workspace" | "webmanifest" => Self::Json,
            "babelrc" | "swcrc" | "watchmanconfig" => Self::Json,
            "ts" | "mts" | "cts" => Self::Script(Dialect::TypeScript),
            "tsx" => Self::Script(Dialect::Tsx),
            "js" | "mjs" | "cjs" | "jsx" => Self::Script(Dialect::JavaScript),
            _ => {
                let known = "yml, yaml, toml, json, jsonc, js, mjs, cjs, ts, mts, cts, jsx and tsx";
                return Err(format!(
                    "no format is known for this name; values are edited in files that end in {known}"
                )
                .into());
            }
        })
    }

    /// What a text says.
    pub(super) fn value(self, text: &str) -> Result<Value, BoxError> {
        self.value_within(&Frame::of(text).text)
    }

    fn value_within(self, text: &str) -> Result<Value, BoxError> {
        match self {
            Self::Yaml => yaml::value(text),
            Self::Toml => toml::value(text),
            Self::Json => json::value(text),
            Self::Script(dialect) => script::value(text, dialect),
        }
    }

    fn write(self, text: &str, op: Op<'_>) -> Result<String, BoxError> {
        match self {
            Self::Yaml => yaml::write(text, op),
            Self::Toml => toml::write(text, op),
            Self::Json => json::write(text, op),
            Self::Script(dialect) => script::write(text, dialect, op),
        }
    }
}

/// Makes one change. The new text is read again: it must say exactly what was intended, and the same change must find
/// nothing to do in it.
pub(super) fn change(format: Format, text: &str, op: Op<'_>) -> EditResult {
    let frame = Frame::of(text);
    let before = format.value_within(&frame.text)?;
    let Some(wanted) = intended(&before, op)? else { return Ok(Edited::AlreadySo { said: already(op) }) };
    let new = frame.around(&format.write(&frame.text, op)?);
    let after = format.value(&new).map_err(|error| format!("{} would break the file: {error}", asked(op)))?;
    if !same(&after, &wanted) {
        let why = "would change something else too; edit it by hand";
        return Err(format!("{} {why}", asked(op)).into());
    }
    if intended(&after, op)?.is_some() {
        let why = "would be made again by the next run; name what is to go by its `value`";
        return Err(format!("{} {why}", asked(op)).into());
    }
    Ok(Edited::Changed { text: new, said: vec![changed(op, &before)] })
}

fn asked(op: Op<'_>) -> String {
    match op {
        Op::Set(way, _) => format!("setting `{way}`"),
        Op::Append(way, _) => format!("adding to `{way}`"),
        Op::Remove(way) => format!("removing `{way}`"),
        Op::Drop(way, _) => format!("removing from `{way}`"),
    }
}

fn already(op: Op<'_>) -> String {
    match op {
        Op::Set(way, value) => format!("`{way}` is `{}`", shown(value)),
        Op::Append(way, value) => format!("`{way}` has `{}`", shown(value)),
        Op::Remove(way) => format!("there is no `{way}`"),
        Op::Drop(way, value) => format!("`{way}` has no `{}`", shown(value)),
    }
}

fn changed(op: Op<'_>, before: &Value) -> String {
    match op {
        Op::Set(way, value) => match find(before, way.parts()) {
            Ok(Some(was)) => format!("set `{way}` to `{}` (was {})", shown(value), called(was)),
            _ => format!("set `{way}` to `{}`", shown(value)),
        },
        Op::Append(way, value) => format!("added `{}` to `{way}`", shown(value)),
        Op::Remove(way) => format!("removed `{way}`"),
        Op::Drop(way, value) => format!("removed `{}` from `{way}`", shown(value)),
    }
}
