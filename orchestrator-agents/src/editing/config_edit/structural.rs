//! Structural search and replace: code of one shape becomes code of another.

use ast_grep_core::language::Language as AstLanguage;
use ast_grep_core::matcher::PatternBuilder;
use ast_grep_core::tree_sitter::{LanguageExt, StrDoc, TSLanguage};
use ast_grep_core::{Pattern, PatternError};
use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::config::{Language, Replace};
use super::edited::{EditResult, Edited};

/// The longest pattern, in bytes.
const LONGEST: usize = 10_000;
/// The most places that one edit changes.
const MOST: usize = 10_000;

impl AstLanguage for Language {
    fn kind_to_id(&self, kind: &str) -> u16 {
        self.get_ts_language().id_for_node_kind(kind, true)
    }

    fn field_to_id(&self, field: &str) -> Option<u16> {
        self.get_ts_language().field_id_for_name(field).map(std::num::NonZero::get)
    }

    fn build_pattern(&self, builder: &PatternBuilder) -> Result<Pattern, PatternError> {
        builder.build(|source| StrDoc::try_new(source, *self))
    }

    fn pre_process_pattern<'q>(&self, query: &'q str) -> std::borrow::Cow<'q, str> {
        let expando = self.expando_char();
        if expando == '$' { query.into() } else { expanded(query, expando).into() }
    }

    fn expando_char(&self) -> char {
        match self {
            // Names in these cannot hold a dollar sign.
            Self::Python | Self::Rust => 'µ',
            Self::TypeScript | Self::Tsx | Self::JavaScript => '$',
        }
    }
}

/// Dollar signs of metavariables, `$A` and `$$$A`, as another sign.
fn expanded(query: &str, expando: char) -> String {
    let mut expanded = String::with_capacity(query.len());
    let mut dollars = 0;
    for c in query.chars() {
        if c == '$' {
            dollars += 1;
            continue;
        }
        let meta = c.is_ascii_uppercase() || c == '_' || dollars == 3;
        expanded.extend(std::iter::repeat_n(if meta { expando } else { '$' }, dollars));
        dollars = 0;
        expanded.push(c);
    }
    expanded.extend(std::iter::repeat_n(if dollars == 3 { expando } else { '$' }, dollars));
    expanded
}

impl LanguageExt for Language {
    fn get_ts_language(&self) -> TSLanguage {
        match self {
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
        }
    }
}

fn language(path: &RelPath) -> Result<Language, BoxError> {
    match path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension) {
        "ts" | "mts" | "cts" => Ok(Language::TypeScript),
        "tsx" => Ok(Language::Tsx),
        "js" | "jsx" | "mjs" | "cjs" => Ok(Language::JavaScript),
        "py" | "pyi" => Ok(Language::Python),
        "rs" => Ok(Language::Rust),
        _ => Err("no language is known for this name; give `language`: typescript, tsx, javascript, python or rust".into()),
    }
}

fn pattern(text: &str, key: &str, language: Language) -> Result<Pattern, BoxError> {
    if text.trim().is_empty() {
        return Err(format!("`{key}` is empty").into());
    }
    if text.len() > LONGEST {
        return Err(format!("`{key}` is longer than {LONGEST} bytes").into());
    }
    let made = Pattern::try_new(text, language);
    made.map_err(|error| format!("`{key}` is not one piece of {language:?} code: {error}").into())
}

/// Replaces what matches.
pub(super) fn replace(text: &str, path: &RelPath, with: &Replace) -> EditResult {
    let language = with.language.map_or_else(|| language(path), Ok)?;
    let looked_for = pattern(&with.pattern, "pattern", language)?;
    let root = language.ast_grep(text);
    if has_error(&root) {
        return Err(format!("it could not be parsed as {language:?}").into());
    }
    let edits = root.root().replace_all(&looked_for, with.with.as_str());
    let many = edits.len();
    if many == 0 {
        return nothing(&root, with, language);
    }
    if many > MOST {
        return Err(format!("{many} places match; up to {MOST} are changed").into());
    }
    let mut new = text.to_owned();
    for edit in edits.iter().rev() {
        let inserted =
            String::from_utf8(edit.inserted_text.clone()).map_err(|_| "the replacement is not UTF-8")?;
        new.replace_range(edit.position..edit.position + edit.deleted_length, &inserted);
    }
    let again = language.ast_grep(&new);
    if has_error(&again) {
        return Err(format!("`with` would make code that is no {language:?}").into());
    }
    if new == text {
        return Ok(Edited::AlreadySo {
            said: format!("`{}` is `{}` everywhere", short(&with.pattern), short(&with.with)),
        });
    }
    if again.root().find(&looked_for).is_some() {
        let why =
            "what it makes matches `pattern` again, so every run would change it; make `pattern` narrower";
        return Err(format!("`{}`: {why}", short(&with.pattern)).into());
    }
    let places = if many == 1 { "1 place".to_owned() } else { format!("{many} places") };
    Ok(Edited::Changed { text: new, said: vec![format!("replaced `{}` in {places}", short(&with.pattern))] })
}

/// Nothing matches: so already, where what would be put there is there.
fn nothing(
    root: &ast_grep_core::AstGrep<StrDoc<Language>>,
    with: &Replace,
    language: Language,
) -> EditResult {
    let looked_for = short(&with.pattern);
    let made = pattern(&with.with, "with", language).ok();
    let many = made.map_or(0, |made| root.root().find_all(&made).count());
    if many == 0 {
        let why =
            "neither it nor what would replace it is in the file; look at the code and make `pattern` fit it";
        return Err(format!("nothing matches `{looked_for}`: {why}").into());
    }
    let times = if many == 1 { "once".to_owned() } else { format!("{many} times") };
    Ok(Edited::AlreadySo { said: format!("`{}` is there {times}, `{looked_for}` is not", short(&with.with)) })
}

fn has_error(root: &ast_grep_core::AstGrep<StrDoc<Language>>) -> bool {
    root.root().get_inner_node().has_error()
}

fn short(code: &str) -> String {
    let line: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 60 { line } else { format!("{}..", line.chars().take(60).collect::<String>()) }
}
