//! What servers of databases have in common: a dump is proven by restoring it into a database of its own.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;

use super::dump_file::{self, DumpFile, Written};
use super::piped::{Source, is_transient, with_context};
use crate::backup::databases::{Dumped, Table, compare};

/// Names of databases that verifying makes: this, the second at which it was made, and a word that nobody else has.
const SCRATCH: &str = "orchestrate_verify_";
/// How old a database of a verification must be to count as left over.
const LEFT_OVER: u64 = 6 * 60 * 60;

/// A dump, with what is known of the database at that moment.
pub(super) struct Dump {
    pub(super) written: Written,
    pub(super) tables: Vec<Table>,
    pub(super) schema: Digest,
    pub(super) shape: std::collections::BTreeMap<String, String>,
    pub(super) tools: std::collections::BTreeMap<String, String>,
    /// What is not as it should be, though the dump is good.
    pub(super) unsettled: Vec<String>,
}

/// A server that can be reached, and the tools to talk to it.
pub(super) trait Engine {
    /// Dumps a database. `last` is how it was dumped the last time.
    fn dump(&self, database: &str, into: DumpFile, last: Option<&Dumped>) -> Result<Dump, BoxError>;
    /// Names of the databases of verifications.
    fn names_like(&self, start: &str) -> Result<Vec<String>, BoxError>;
    /// Makes an empty database like the one that was dumped.
    fn create(&self, name: &str, like: &Dumped) -> Result<(), BoxError>;
    /// Drops a database; also while the run is being stopped.
    fn drop(&self, name: &str) -> Result<(), BoxError>;
    /// Restores a dump into an empty database.
    fn load(&self, name: &str, from: Source) -> Result<(), BoxError>;
    /// Tables with rows, and the digest of the schema.
    fn look(&self, name: &str, like: &Dumped) -> Result<(Vec<Table>, Digest), BoxError>;
    /// Puts a dump in the place of a database. Says what became of the one that was there.
    fn replace(&self, dumped: &Dumped, file: &Path, kept: &Path) -> Result<String, BoxError>;
    /// What to do where no database may be created.
    fn grant(&self) -> &'static str;
}

/// Restores a dump into a database of its own and compares. Gives what is wrong, and the milliseconds of restoring.
pub(super) fn verify(
    engine: &dyn Engine,
    dumped: &Dumped,
    file: &Path,
) -> Result<(Vec<String>, f64), BoxError> {
    drop_left_over(engine)?;
    let name = scratch_name();
    let start = Instant::now();
    engine.create(&name, dumped).map_err(|error| {
        let next = format!("{}, or name another server by `verify`", engine.grant());
        with_context(&error, &format!("no database to verify in could be made ({next})"))
    })?;
    let scratch = Scratch { engine, name: &name };
    let loaded = engine.load(&name, dump_file::open(file)?);
    let took = start.elapsed().as_secs_f64() * 1000.0;
    if let Err(error) = loaded {
        return if is_transient(&error) { Err(error) } else { Ok((vec![error.to_string()], took)) };
    }
    let (tables, schema) = engine.look(&name, dumped)?;
    let mut wrong = compare(&dumped.tables, &tables);
    if schema != dumped.schema {
        wrong.push("its schema differs".to_owned());
    }
    std::mem::forget(scratch);
    engine.drop(&name)?;
    Ok((wrong, took))
}

/// A database that goes, also after an error.
struct Scratch<'a> {
    engine: &'a dyn Engine,
    name: &'a str,
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        // The first error is the one to tell; what stays goes with a later verification.
        let _ = self.engine.drop(self.name);
    }
}

/// Drops what verifications of dead runs left: by name and age, since another may be under way.
fn drop_left_over(engine: &dyn Engine) -> Result<(), BoxError> {
    let now = seconds();
    for name in engine.names_like(SCRATCH)? {
        let made = name.strip_prefix(SCRATCH).and_then(|rest| rest.split_once('_')?.0.parse::<u64>().ok());
        if made.is_some_and(|made| now.saturating_sub(made) > LEFT_OVER) {
            // One that is not ours to drop, or still in use, does no harm.
            let _ = engine.drop(&name);
        }
    }
    Ok(())
}

fn scratch_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let word = blake3::hash(
        format!("{} {} {:?}", since.as_nanos(), std::process::id(), std::thread::current().id()).as_bytes(),
    );
    format!("{SCRATCH}{}_{}", since.as_secs(), &word.to_hex()[..8])
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
