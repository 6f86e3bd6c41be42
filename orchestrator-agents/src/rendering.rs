//! Templates: how they are read, what their syntax is, and what their errors say. Same tree, same result.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

/// Says the text of a template by its name; none where there is none.
pub(crate) type Loaded = Result<Option<String>, minijinja::Error>;

/// An environment in which what is undefined is an error, text stays as it is, and blocks take no lines.
pub(crate) fn environment(
    load: impl Fn(&str) -> Loaded + Send + Sync + 'static,
) -> Result<Environment<'static>, BoxError> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.set_loader(load);
    Ok(environment)
}

/// Templates come from this folder and from nowhere else: a `RelPath` cannot lead out of it.
pub(crate) fn within(folder: RelPath, look: &Workspace) -> impl Fn(&str) -> Loaded + Send + Sync + use<> {
    let look = look.clone();
    move |name: &str| {
        let wrong = |error: String| minijinja::Error::new(ErrorKind::TemplateNotFound, error);
        let path =
            RelPath::new(name).and_then(|_| folder.join(name)).map_err(|error| wrong(error.to_string()))?;
        look.read_text(&path).map_err(|error| wrong(error.to_string()))
    }
}

/// Folder and name.
pub(crate) fn split(path: &RelPath) -> (RelPath, &str) {
    match path.as_str().rsplit_once('/') {
        Some((folder, name)) => (RelPath::new(folder).unwrap_or_default(), name),
        None => (RelPath::root(), path.as_str()),
    }
}

/// An error with its causes: each names template and line.
pub(crate) fn said(error: &minijinja::Error) -> String {
    let mut said = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}
