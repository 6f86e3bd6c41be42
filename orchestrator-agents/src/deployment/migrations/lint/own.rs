//! What a file itself made: to change that harms nobody. Names are compared as the database does it.

use std::collections::BTreeSet;

use sqlparser::ast::{Ident, ObjectName};

use crate::deployment::migrations::Dialect;

/// Tables and columns that a file made, so far.
#[derive(Debug)]
pub(super) struct Own {
    dialect: Dialect,
    tables: BTreeSet<String>,
    /// With their table.
    columns: BTreeSet<(String, String)>,
}

impl Own {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, tables: BTreeSet::new(), columns: BTreeSet::new() }
    }

    /// A table that is made; one that may have been there for years is not its own.
    pub(super) fn makes(&mut self, table: &ObjectName, may_be_old: bool) {
        let key = self.key(table);
        if may_be_old {
            self.tables.remove(&key);
        } else {
            self.tables.insert(key);
        }
    }

    /// The same for a column.
    pub(super) fn adds(&mut self, table: &ObjectName, column: &Ident, may_be_old: bool) {
        let key = (self.key(table), self.folded(column));
        if may_be_old {
            self.columns.remove(&key);
        } else {
            self.columns.insert(key);
        }
    }

    /// What has that name from now on is not its own.
    pub(super) fn gives_up(&mut self, table: &ObjectName) {
        self.tables.remove(&self.key(table));
    }

    pub(super) fn has(&self, table: &ObjectName) -> bool {
        self.tables.contains(&self.key(table))
    }

    pub(super) fn has_column(&self, table: &ObjectName, column: &ObjectName) -> bool {
        self.columns.contains(&(self.key(table), self.key(column)))
    }

    /// A name, by which it is told from all others: no part of one holds a NUL.
    fn key(&self, name: &ObjectName) -> String {
        let parts = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| self.folded(ident));
        parts.collect::<Vec<_>>().join("\0")
    }

    /// For PostgreSQL `"Student"` and `student` are two names, and `Student` is the second; for SQLite all of them are one.
    fn folded(&self, ident: &Ident) -> String {
        if self.dialect == Dialect::Postgres && ident.quote_style.is_some() {
            ident.value.clone()
        } else {
            ident.value.to_ascii_lowercase()
        }
    }
}
