//! Templates: those that ship, or the project's own.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use orchestrator_core::BoxError;
use serde::Serialize;

use super::language::Source;

/// The most bytes of a template.
const LIMIT: usize = 256 << 10;

/// Renders the template `name`: the project's own where its folder has one, else `shipped`.
pub(crate) fn render(
    source: &Source<'_>,
    name: &str,
    shipped: &str,
    values: impl Serialize,
) -> Result<String, BoxError> {
    let path = source.template_folder.join(name)?;
    let own = source.look.read_text(&path)?;
    let called = if own.is_some() { path.as_str() } else { name };
    let text = own.as_deref().unwrap_or(shipped);
    if text.len() > LIMIT {
        return Err(
            format!("the template `{called}` has {} bytes, over the limit of {LIMIT}", text.len()).into()
        );
    }
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    let rendered = environment.render_named_str(called, text, minijinja::Value::from(Serde(values)));
    rendered.map_err(|error| format!("the template `{called}` could not be rendered: {error}").into())
}
