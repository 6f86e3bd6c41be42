//! What templates can call: filters that keep a value inside its place, and words for people.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{Environment, Error, ErrorKind};
use orchestrator_core::path::RelPath;

use crate::rendering::split;

/// What templates said besides their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Said>>);

/// What was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// What is left for a person, in order, each once.
    pub(super) needs: Vec<String>,
    /// Why there can be no such file.
    pub(super) refused: Option<String>,
}

impl Notes {
    /// Takes what was said.
    pub(super) fn take(&self) -> Said {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn needs(&self, what: String) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.needs.contains(&what) {
            said.needs.push(what);
        }
    }

    fn refuse(&self, why: String) -> Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused = Some(why.clone());
        Error::new(ErrorKind::InvalidOperation, why)
    }
}

/// Gives an environment its filters and functions.
pub(super) fn install(environment: &mut Environment<'_>, notes: &Notes, file: RelPath) {
    environment.add_filter("js", js);
    environment.add_filter("quoted", quoted);
    environment.add_filter("line", line);
    environment.add_filter("command", command);
    environment.add_filter("http_url", http_url);
    environment.add_filter("host", host);
    environment.add_filter("env_name", env_name);
    let own = notes.clone();
    environment.add_function("needs_person", move |what: String| {
        own.needs(what);
        ""
    });
    let own = notes.clone();
    environment.add_function("refuse", move |why: String| -> Result<String, Error> { Err(own.refuse(why)) });
    environment
        .add_function("import_path", move |path: String, extension: bool| import(&file, &path, extension));
}

fn wrong(why: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// A string of JSON, YAML and Python.
fn quoted(text: &str) -> Result<String, Error> {
    serde_json::to_string(text).map_err(|error| wrong(error.to_string()))
}

/// A string of JavaScript in single quotes.
fn js(text: &str) -> Result<String, Error> {
    let json = quoted(text)?;
    let inner = json[1..json.len() - 1].replace("\\\"", "\"").replace('\'', "\\'");
    Ok(format!("'{inner}'"))
}

/// Text of Markdown on one line, without markup of HTML.
fn line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").replace('<', "&lt;")
}

/// A line for a shell in a workflow; an expression in it would be pasted into the script by GitHub.
fn command(text: &str) -> Result<String, Error> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(wrong(format!("`{}` is no command on one line", text.escape_debug())));
    }
    if text.contains("${{") {
        return Err(wrong(format!(
            "the command `{text}` holds an expression `${{{{ }}}}`; give its value by an environment variable"
        )));
    }
    Ok(text.to_owned())
}

/// An address that can be asked.
fn http_url(text: &str) -> Result<String, Error> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = |rest: &str| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"\"'`\\<>{}$|^".contains(c))
    };
    if rest.is_some_and(fits) {
        return Ok(text.to_owned());
    }
    Err(wrong(format!("`{}` is no http or https address", text.escape_debug())))
}

/// The name of a machine or domain.
fn host(text: &str) -> Result<String, Error> {
    let fits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if text.len() <= 253 && text.split('.').all(fits) {
        return Ok(text.to_owned());
    }
    Err(wrong(format!("`{}` is no name of a domain", text.escape_debug())))
}

/// The name of an environment variable.
fn env_name(text: &str) -> Result<String, Error> {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_uppercase() || c == '_');
    if first && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
        return Ok(text.to_owned());
    }
    Err(wrong(format!(
        "`{}` is no name of an environment variable: capitals, digits and `_`",
        text.escape_debug()
    )))
}

/// How the generated file imports another: relative, and with the extension that runs where it must be given.
fn import(file: &RelPath, path: &str, extension: bool) -> Result<String, Error> {
    let path = RelPath::new(path).map_err(|error| wrong(error.to_string()))?;
    let own = split(file).0;
    let parts = |path: &RelPath| -> Vec<String> {
        if path.is_root() { Vec::new() } else { path.as_str().split('/').map(str::to_owned).collect() }
    };
    let (from, to) = (parts(&own), parts(&path));
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = "../".repeat(from.len() - shared);
    let down = to[shared..].join("/");
    let stem = |end: &str| down.strip_suffix(end).map(str::to_owned);
    let (stem, runs) = [(".mts", ".mjs"), (".mjs", ".mjs"), (".ts", ".js"), (".js", ".js")]
        .into_iter()
        .find_map(|(end, runs)| Some((stem(end)?, runs)))
        .unwrap_or((down.clone(), ""));
    let start = if up.is_empty() { "./" } else { &up };
    Ok(format!("{start}{stem}{}", if extension { runs } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_place() {
        assert_eq!(js("it's \"x\"\n").unwrap(), r#"'it\'s "x"\n'"#);
        assert_eq!(js(r"a\").unwrap(), r"'a\\'");
        assert_eq!(quoted("a\"b").unwrap(), r#""a\"b""#);
        assert_eq!(line("a\n<b>  c"), "a &lt;b> c");
        assert!(command("make deploy").is_ok() && command("a\nb").is_err() && command("x ${{ a }}").is_err());
        assert!(http_url("https://example.org/health?x=1").is_ok());
        for bad in ["ftp://x", "https://", "https://x\ny", "https://x/$(id)", "https://x\"y"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
        assert!(host("school.example").is_ok() && host("a..b").is_err() && host("x`y").is_err());
        assert!(env_name("DB_URL").is_ok() && env_name("x=y").is_err() && env_name("").is_err());
    }

    #[test]
    fn imports_are_relative() {
        let import =
            |from: &str, to: &str, extension| import(&RelPath::new(from).unwrap(), to, extension).unwrap();
        assert_eq!(import("tests/helpers/app.ts", "src/app.ts", true), "../../src/app.js");
        assert_eq!(import("tests/app.ts", "tests/lib/app.ts", false), "./lib/app");
        assert_eq!(import("app.ts", "src/app.mts", true), "./src/app.mjs");
    }
}
