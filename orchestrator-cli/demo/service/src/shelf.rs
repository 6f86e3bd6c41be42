//! Where the store is kept: in memory, or in a database that others may change at the same time.
//!
//! With a database the store in memory is a copy. `PRAGMA data_version` says whether another process
//! changed anything since it was read; a change is made while nobody else can write, so two versions
//! of the service may run side by side.

use crate::database::{number, Database};
use crate::store::{Refusal, Store};

/// The store and its database.
#[derive(Debug, Default)]
pub struct Shelf {
    store: Store,
    path: Option<String>,
    database: Option<Database>,
    version: i64,
}

impl Shelf {
    /// In memory without a path.
    pub fn new(path: Option<String>) -> Self {
        Self { path, ..Self::default() }
    }

    /// Looks at the store as it is now.
    pub fn read<T>(&mut self, look: impl FnOnce(&Store) -> T) -> Result<T, Refusal> {
        self.guarded(Self::fresh)?;
        Ok(look(&self.store))
    }

    /// Changes the store: in memory and in the database, or in neither.
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Store) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if self.path.is_none() {
            let changed = change(&mut self.store);
            self.store.written.clear();
            return changed;
        }
        self.guarded(|shelf| {
            shelf.database()?.rows("BEGIN IMMEDIATE;")?;
            shelf.fresh()
        })?;
        let changed = change(&mut self.store);
        let statements = std::mem::take(&mut self.store.written).concat();
        let end = if changed.is_ok() { "COMMIT;" } else { "ROLLBACK;" };
        self.guarded(|shelf| shelf.database()?.rows(&format!("{statements}{end}")).map(drop))?;
        changed
    }

    /// Works on the database; after an error nothing of it is believed any more: neither the copy nor the process.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), Refusal> {
        if self.path.is_none() {
            return Ok(());
        }
        work(self).map_err(|error| {
            eprintln!("school: error: the database cannot be used: {error}");
            self.database = None;
            Refusal::NoDatabase
        })
    }

    fn database(&mut self) -> Result<&mut Database, String> {
        if self.database.is_none() {
            let path = self.path.as_deref().ok_or("there is no database")?;
            self.database = Some(Database::open(path)?);
            // Another process: what it counts starts anew.
            self.version = 0;
        }
        self.database.as_mut().ok_or_else(|| "there is no database".to_owned())
    }

    fn fresh(&mut self) -> Result<(), String> {
        let known = self.version;
        let database = self.database()?;
        let rows = database.rows("PRAGMA data_version;")?;
        let version = number(rows.first().ok_or("sqlite3 says nothing")?, 0)?;
        if version != known || known == 0 {
            let store = Store::load(self.database()?)?;
            self.store = store;
            self.version = version;
        }
        Ok(())
    }
}
