//! The files of a folder of migrations: names, order, digests. What is wrong with them is told all at once.

use orchestrator_core::BoxError;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lint::lint;
use super::{Flaw, Kind, Migrations};

/// The most files of a folder.
const MOST_FILES: usize = 10_000;
/// The most bytes of a file.
pub(crate) const MOST_BYTES: usize = 8 << 20;
/// The most characters of a name.
const LONGEST_NAME: usize = 200;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationFile {
    /// Its name in the folder; its digits say its place.
    pub name: String,
    /// What it does to the schema.
    pub kind: Kind,
    /// What is in it.
    pub digest: Digest,
}

/// What lies in the folder. Small: the text of the files stays where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationFiles {
    /// The files, in order.
    pub files: Vec<MigrationFile>,
    /// What is wrong with what they do, or could not be told.
    pub flaws: Vec<Flaw>,
}

impl Migrations {
    /// Looks at the folder: names, order and gaps are checked, and what the files do. Nothing to look at where a tool of the
    /// user keeps its own files.
    pub fn look(&self, look: &Workspace) -> Result<MigrationFiles, BoxError> {
        let Some(dialect) = self.dialect() else { return Ok(MigrationFiles::default()) };
        let (mut files, mut flaws, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        problems.extend(self.database.problem());
        for path in look.files(&self.folder) {
            let Some(name) = own_name(&self.folder, &path) else { continue };
            let kind = match kind_of(name) {
                Ok(kind) => kind,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            match look.read_text(&path) {
                Ok(Some(text)) if text.len() > MOST_BYTES => {
                    problems.push(format!("`{path}` is longer than {} MiB", MOST_BYTES >> 20));
                }
                Ok(Some(text)) => {
                    let found = lint(name, kind, &text, dialect);
                    problems.extend(found.refused);
                    flaws.extend(found.flaws);
                    files.push(MigrationFile {
                        name: name.to_owned(),
                        kind,
                        digest: Digest::of(text.as_bytes()),
                    });
                }
                Ok(None) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
        problems.extend(out_of_order(&files));
        if files.is_empty() && problems.is_empty() {
            problems.push(format!(
                "`{}` holds no migration: add `0001_name.sql`, or leave `migrations` out",
                self.folder
            ));
        }
        if files.len() > MOST_FILES {
            problems.push(format!("`{}` holds more than {MOST_FILES} migrations", self.folder));
        }
        if problems.is_empty() {
            Ok(MigrationFiles { files, flaws })
        } else {
            Err(problems.join("; ").into())
        }
    }
}

/// The name of a file of SQL that lies in the folder itself.
fn own_name<'p>(folder: &RelPath, path: &'p RelPath) -> Option<&'p str> {
    let path = path.as_str();
    let name = if folder.is_root() { path } else { path.strip_prefix(folder.as_str())?.strip_prefix('/')? };
    let is_sql = name.get(name.len().checked_sub(4)?..)?.eq_ignore_ascii_case(".sql");
    (is_sql && !name.contains('/') && !name.starts_with('.')).then_some(name)
}

/// The digits that a name starts with: its place.
pub(super) fn digits(name: &str) -> &str {
    &name[..name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len())]
}

/// What a file of that name is, or what is wrong with the name.
pub(crate) fn kind_of(name: &str) -> Result<Kind, String> {
    let wrong = || {
        let short: String = name.chars().take(LONGEST_NAME).collect();
        format!(
            "`{}` is not the name of a migration: it must be `NNNN_name.sql`, `NNNN_name.expand.sql` or \
             `NNNN_name.contract.sql`, with 4 to 14 digits and letters, digits, `_` or `-`",
            short.escape_debug()
        )
    };
    let stem = name.strip_suffix(".sql").filter(|_| name.len() <= LONGEST_NAME).ok_or_else(wrong)?;
    let (stem, kind) = match (stem.strip_suffix(".expand"), stem.strip_suffix(".contract")) {
        (Some(stem), _) => (stem, Kind::Expand),
        (_, Some(stem)) => (stem, Kind::Contract),
        (None, None) => (stem, Kind::Expand),
    };
    let digits = digits(stem);
    let rest = stem[digits.len()..].strip_prefix(['_', '-']).ok_or_else(wrong)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (4..=14).contains(&digits.len()) && !rest.is_empty() && rest.chars().all(plain) {
        Ok(kind)
    } else {
        Err(wrong())
    }
}

/// Two files at one place, digits of different length, a place that is left out. Digits that are times have gaps.
fn out_of_order(files: &[MigrationFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for pair in files.windows(2) {
        let [one, two] = pair else { continue };
        let (first, second) = (digits(&one.name), digits(&two.name));
        if first.len() != second.len() {
            problems.push(format!(
                "`{}` and `{}` have numbers of different length: their order is not plain",
                one.name, two.name
            ));
        } else if first == second {
            problems.push(format!("`{}` and `{}` have the same number", one.name, two.name));
        } else if first.len() == 4 && number(first) + 1 != number(second) {
            problems.push(format!(
                "between `{}` and `{}` a number is left out: is a file missing?",
                one.name, two.name
            ));
        }
    }
    problems
}

fn number(digits: &str) -> u64 {
    digits.parse().expect("at most 14 digits")
}
