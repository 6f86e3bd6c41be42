//! Migrations of a service's database in expand/contract order: what old and new version both bear comes first, what takes
//! something away comes when only the new one is left.

mod actions;
mod config;
mod files;
mod flaw;
mod ledger;
mod lint;
mod stage;
mod statements;
#[cfg(test)]
mod tests;

pub use actions::{
    blocked, contract_actions, expand_actions, findings, first_stage, look_actions, metrics, outcome, staged,
};
pub use config::{Commands, MigratedDatabase, Migrations};
pub use files::{MigrationFile, MigrationFiles};
pub use flaw::{Flaw, Weight};
pub use ledger::{Applied, Standing, compare, due};
pub use stage::{Kind, Stage};
pub use statements::Dialect;

pub(crate) use files::{MOST_BYTES, kind_of};
pub(crate) use lint::check_statements;
