//! From a template and what is known to the text of a file. Same tree, same result.

use minijinja::value::Serde;
use minijinja::{Value as Shown, context};
use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde_json::{Map, Value};

use super::builtin;
use super::config::Language;
use super::facts::Facts;
use super::helpers::{self, Notes};
use super::source::Source;
use crate::rendering::{environment, said, split, within};

/// The most steps that a template may take.
const FUEL: u64 = 2_000_000;
/// The largest text that a template may give, in bytes.
const LARGEST: usize = 1 << 20;

/// A rendered file.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// What is left for a person.
    pub(super) needs: Vec<String>,
}

/// Renders a template for a file.
pub(super) fn render(
    source: &Source,
    path: &RelPath,
    facts: &Facts,
    variables: &Map<String, Value>,
    look: &Workspace,
) -> Result<Rendered, BoxError> {
    let Source { folder, name, language, .. } = source;
    let own = within(folder.clone(), look);
    let mut environment = environment(move |name: &str| {
        let shipped = || builtin::text(name).map(str::to_owned);
        Ok(own(name)?.or_else(shipped))
    })?;
    environment.set_fuel(Some(FUEL));
    let notes = Notes::default();
    helpers::install(&mut environment, &notes, path.clone());
    let (into, file) = split(path);
    let typed = *language == Some(Language::Typescript);
    let values = context! {
        project => Shown::from(Serde(facts)),
        vars => Shown::from(Serde(variables)),
        target => context! { path => path.as_str(), folder => into.as_str(), name => file },
        typed,
    };
    let rendered = environment.get_template(name).and_then(|template| template.render(values));
    let helpers::Said { needs, refused } = notes.take();
    let text = rendered.map_err(|error| -> BoxError {
        match refused {
            Some(why) => format!("`{path}` cannot be made: {why}").into(),
            None => format!("`{path}` of the template `{name}`: {}", said(&error)).into(),
        }
    })?;
    let text = if *language == Some(Language::Markdown) { tidy(&text) } else { text };
    if text.len() > LARGEST {
        return Err(
            format!("`{path}` of the template `{name}` has {} bytes, which is too much", text.len()).into()
        );
    }
    Ok(Rendered { text, needs })
}

/// Markdown whose parts were left out: several blank lines are one, and none is at either end.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && (tidy.is_empty() || tidy.ends_with("\n\n"))) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy + "\n"
}
