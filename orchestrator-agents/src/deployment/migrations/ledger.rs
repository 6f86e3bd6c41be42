//! What was applied, compared with the files. Pure: reading the database is in `ops`.

use jiff::Timestamp;
use orchestrator_core::path::Digest;
use serde::{Deserialize, Serialize};

use super::files::{digits, kind_of};
use super::{Kind, MigrationFile, Stage};

/// A row of the table `orchestrate_migrations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Name of the file.
    pub name: String,
    /// What was in it.
    pub digest: Digest,
    /// When it was applied.
    pub at: Timestamp,
    /// By which order.
    pub order: String,
}

/// How files and database stand to each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Files that were not applied yet, in order.
    pub pending: Vec<MigrationFile>,
    /// Expand files that were applied by a later version and are not in this checkout.
    pub ahead: Vec<String>,
}

/// Compares them. All that makes no sense is told at once: a file that was changed after it was applied, one that comes before
/// one that was applied, and contract files that this checkout does not know: it may need what they took away.
pub fn compare(files: &[MigrationFile], applied: &[Applied]) -> Result<Standing, String> {
    let (mut standing, mut problems) = (Standing::default(), Vec::new());
    let last = applied.iter().map(|row| digits(&row.name)).max_by_key(|digits| (digits.len(), *digits));
    for row in applied.iter().filter(|row| files.iter().all(|file| file.name != row.name)) {
        match kind_of(&row.name) {
            Ok(Kind::Expand) => standing.ahead.push(row.name.clone()),
            _ => problems.push(format!(
                "`{}` was applied and is not in this checkout, which may need what it took away; deploy a later version",
                row.name
            )),
        }
    }
    for file in files {
        match applied.iter().find(|row| row.name == file.name) {
            Some(row) if row.digest == file.digest => {}
            Some(row) => problems.push(format!(
                "`{}` was changed after it was applied at {}; put it back and add a new file",
                file.name, row.at
            )),
            None if last
                .is_some_and(|last| (digits(&file.name).len(), digits(&file.name)) < (last.len(), last)) =>
            {
                problems.push(format!(
                    "`{}` was never applied, but later ones were; give it a number after `{}`",
                    file.name,
                    last.unwrap_or_default()
                ));
            }
            None => standing.pending.push(file.clone()),
        }
    }
    if problems.is_empty() { Ok(standing) } else { Err(problems.join("; ")) }
}

/// What is applied in a stage, in order.
pub fn due(pending: &[MigrationFile], stage: Stage) -> Result<Vec<MigrationFile>, String> {
    let is_expand = |file: &&MigrationFile| file.kind == Kind::Expand;
    let contract = pending.iter().position(|file| file.kind == Kind::Contract);
    let expand_after = contract.and_then(|at| Some((&pending[at], pending[at..].iter().find(is_expand)?)));
    match stage {
        Stage::All => Ok(pending.to_vec()),
        Stage::Expand => match expand_after {
            Some((contract, expand)) => Err(format!(
                "`{}` comes after `{}`, which is only applied once a version was promoted; deploy a version without `{}` first, or, \
                 where the contract file was applied nowhere yet, give it a later number",
                expand.name, contract.name, expand.name
            )),
            None => Ok(pending.iter().filter(is_expand).cloned().collect()),
        },
        Stage::Contract => match pending.iter().find(is_expand) {
            Some(expand) => {
                Err(format!("`{}` is pending: expand files come before contract files", expand.name))
            }
            None => Ok(pending.to_vec()),
        },
    }
}
