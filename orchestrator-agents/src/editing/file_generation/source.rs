//! Which template is meant, in which language, and whose it is.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::builtin::{self, Builtin, Form};
use super::config::Language;
use crate::rendering::split;

/// The folder of templates that a project has instead of those that ship.
pub(super) const OWN: &str = "orchestration/templates";

/// A template that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The folder that its name and what it includes are looked for in, before what ships.
    pub(super) folder: RelPath,
    /// Its name there.
    pub(super) name: String,
    /// The file that it becomes in a folder.
    pub(super) file: String,
    /// The language of that file, where it is known.
    pub(super) language: Option<Language>,
}

/// What the choice of a language depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The name of the file, where the target is one.
    pub(super) file: Option<&'a str>,
    /// What the config says.
    pub(super) language: Option<Language>,
    /// What the project is written in.
    pub(super) project: Option<&'static str>,
}

impl Source {
    /// The template of a name or path.
    pub(super) fn of(given: &str, wanted: Wanted<'_>, look: &Workspace) -> Result<Self, BoxError> {
        match builtin::ALL.iter().find(|builtin| builtin.name == given) {
            Some(builtin) => Self::builtin(builtin, wanted, look),
            None if given.contains(['/', '.']) => Self::own(given, wanted, look),
            None => {
                let known: Vec<&str> = builtin::ALL.iter().map(|builtin| builtin.name).collect();
                let known = known.join(", ");
                Err(format!(
                    "unknown template `{given}`; known: {known}; one of the project's own is given as a path"
                )
                .into())
            }
        }
    }

    fn builtin(builtin: &'static Builtin, wanted: Wanted<'_>, look: &Workspace) -> Result<Self, BoxError> {
        let (language, file, template) = *form(builtin, wanted)?;
        let own = RelPath::new(OWN)?;
        let names = [template.to_owned(), format!("{}.j2", builtin.name)];
        let name = names.into_iter().find(|name| own.join(name).is_ok_and(|path| look.exists(&path)));
        let name = name.unwrap_or_else(|| template.to_owned());
        Ok(Self { folder: own, name, file: file.to_owned(), language: Some(language) })
    }

    fn own(given: &str, wanted: Wanted<'_>, look: &Workspace) -> Result<Self, BoxError> {
        let path = RelPath::new(given)?;
        if !look.exists(&path) {
            return Err(format!(
                "the template `{path}` does not exist; give a path relative to the root of the repository"
            )
            .into());
        }
        let (folder, name) = split(&path);
        let file = [".j2", ".jinja", ".jinja2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let language = wanted.file.and_then(Language::of).or(wanted.language).or_else(|| Language::of(file));
        Ok(Self { folder, name: name.to_owned(), file: file.to_owned(), language })
    }
}

/// The form of a template that is wanted: by the target's name, by what the config says, by the project.
fn form(builtin: &'static Builtin, wanted: Wanted<'_>) -> Result<&'static Form, BoxError> {
    let made: Vec<&str> = builtin.forms.iter().map(|(language, ..)| language.name()).collect();
    let (name, made) = (builtin.name, made.join(", "));
    let find = |wanted: Language| builtin.forms.iter().find(|(language, ..)| *language == wanted);
    if let Some(file) = wanted.file {
        let found = Language::of(file).and_then(find);
        if let (Some((language, ..)), Some(said)) = (found, wanted.language)
            && *language != said
        {
            let (language, said) = (language.name(), said.name());
            return Err(
                format!("`{file}` is {language}, and `language` says {said}; mend one of them").into()
            );
        }
        return found
            .ok_or_else(|| format!("`{name}` is made as {made}, and `{file}` is none of them").into());
    }
    if let Some(said) = wanted.language {
        let found = find(said);
        return found.ok_or_else(|| format!("`{name}` is made as {made}, not as {}", said.name()).into());
    }
    if let [only] = builtin.forms {
        return Ok(only);
    }
    let project = builtin.forms.iter().find(|(language, ..)| Some(language.name()) == wanted.project);
    project.ok_or_else(|| {
        format!("nothing says in which language `{name}` is to be made; give `language`, one of: {made}")
            .into()
    })
}
