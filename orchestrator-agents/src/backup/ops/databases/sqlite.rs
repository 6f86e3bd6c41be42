//! SQLite by its own command: the online backup copies a database in use, `.restore` puts a copy in its place, each in
//! one transaction. No path becomes part of a command of `sqlite3`: the file is named by a URI, all else by plain names
//! in the folder that the command runs in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::dump_file::{self, DumpFile};
use super::engine::Dump;
use super::piped::text;
use super::sql;
use crate::backup::databases::{Dumped, SqliteFile, Table, compare};
use crate::ops::here::Here;
use crate::ops::process;

/// What stands for itself in the path of a URI.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');
/// Writes a statement for each table that counts its rows. Virtual tables keep theirs in tables that are counted.
const COUNTS: &str = "SELECT 'SELECT ''rows ' || hex(name) || ' '' || count(*) FROM \"' || replace(name, '\"', '\"\"') \
    || '\";' FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name;";
/// Each part of the schema.
const SCHEMA: &str = "SELECT 'schema ' || hex(type) || ' ' || hex(name) || ' ' || hex(tbl_name) || ' ' || \
    hex(coalesce(sql, '')) FROM sqlite_master ORDER BY type, name;";

/// What a look into a database gave.
struct Looked {
    tables: Vec<Table>,
    schema: Digest,
    /// Other lines.
    rest: Vec<String>,
}

/// Copies a database and stores the copy.
pub(super) fn dump(
    here: &Here,
    file: &SqliteFile,
    snapshot: &Path,
    scratch: &Path,
) -> Result<Dump, BoxError> {
    let path = inside(here, file)?;
    let copied = scratch.join("copy");
    fs::create_dir_all(&copied)?;
    // The transaction holds still what is read, so that a writer neither tears the copy nor delays it for ever.
    let copy = ".backup main copy.db\n";
    let looked = look(here, &copied, &path, "BEGIN;\n", &format!("{copy}COMMIT;\n"))?;
    let sha3 = one(here, &copied, &copied.join("copy.db"), ".sha3sum --schema\n")?;
    let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
    let mut into = DumpFile::new(snapshot, &format!("{}.tar.gz", file.name))?;
    archive(&copied.join("copy.db"), file, mode, &mut into)?;
    let mut version = process::command(here, "sqlite3");
    version.arg("--version");
    let tools = BTreeMap::from([("sqlite3".to_owned(), text(here, version, None)?.trim().to_owned())]);
    let shape = BTreeMap::from([("mode".to_owned(), format!("{mode:o}")), ("sha3".to_owned(), sha3)]);
    let Looked { tables, schema, rest: _ } = looked;
    fs::remove_dir_all(&copied)?;
    Ok(Dump { written: into.finish()?, tables, schema, shape, tools, unsettled: Vec::new() })
}

/// Unpacks the copy, and has SQLite check and count it. Gives what is wrong.
pub(super) fn verify(
    here: &Here,
    dumped: &Dumped,
    file: &Path,
    into: &Path,
) -> Result<Vec<String>, BoxError> {
    let copy = unpack(dumped, file, into)?;
    compare_with(here, dumped, &copy, into)
}

/// Compares a database with what the manifest says. Gives what is wrong.
pub(super) fn compare_with(
    here: &Here,
    dumped: &Dumped,
    file: &Path,
    folder: &Path,
) -> Result<Vec<String>, BoxError> {
    let looked = match look(here, folder, file, "", "PRAGMA integrity_check;\n") {
        Err(error) => {
            here.go_on()?;
            return Ok(vec![error.to_string()]);
        }
        Ok(looked) => looked,
    };
    let mut wrong = compare(&dumped.tables, &looked.tables);
    if looked.schema != dumped.schema {
        wrong.push("its schema differs".to_owned());
    }
    if looked.rest != ["ok"] {
        wrong.push(format!("it is not sound: {}", looked.rest.join("; ")));
    }
    Ok(wrong)
}

/// Puts the copy in the place of the database, which is kept in the snapshot. Nothing happens where both hold the same.
pub(super) fn replace(
    here: &Here,
    dumped: &Dumped,
    source: &SqliteFile,
    file: &Path,
    scratch: &Path,
) -> Result<String, BoxError> {
    let path = source.path.under(&here.root);
    let folder = path.parent().unwrap_or(&here.root).to_owned();
    if !folder.exists() {
        fs::create_dir_all(&folder)?;
    }
    let there = path.symlink_metadata().is_ok();
    let place = if there { inside(here, source)? } else { path.clone() };
    let copy = unpack(dumped, file, scratch)?;
    let sha3 = dumped.shape.get("sha3");
    if there && one(here, scratch, &place, ".sha3sum --schema\n").is_ok_and(|found| Some(&found) == sha3) {
        return Ok(format!("`{}` is as it was", source.path));
    }
    // `.restore` and `.backup` name files of the folder they run in.
    let work = Work::new(&folder, source.name.as_str())?;
    fs::copy(&copy, work.0.join("copy.db"))?;
    let said = if there {
        let kept = free(file.parent().unwrap_or(&folder), source.name.as_str());
        let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
        run(here, file.parent().unwrap_or(&folder), &place, &format!(".backup main {name}\n"))?;
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o600))?;
        format!("replaced `{}`; what was there is in the snapshot as `databases/{name}`", source.path)
    } else {
        format!("made `{}`", source.path)
    };
    if there {
        run(here, &work.0, &place, ".restore main copy.db\n")?;
    } else {
        let mode =
            dumped.shape.get("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0o600);
        fs::set_permissions(work.0.join("copy.db"), fs::Permissions::from_mode(mode & 0o777))?;
        File::open(work.0.join("copy.db"))?.sync_all()?;
        fs::rename(work.0.join("copy.db"), &place)?;
    }
    Ok(said)
}

/// A folder that goes.
struct Work(PathBuf);

impl Work {
    fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!(".{name}.restoring"));
        crate::ops::here::remove_tree(&path)?;
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot go now goes before the next restore.
        let _ = crate::ops::here::remove_tree(&self.0);
    }
}

/// The name in the archive: that of a file in the folder of the database that nothing else has.
pub(super) fn member(file: &SqliteFile) -> String {
    let path = file.path.as_str();
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    format!("{folder}.{}.from-backup", file.name)
}

fn free(folder: &Path, name: &str) -> PathBuf {
    let names = (1..).map(|n| folder.join(format!("{name}.before-rollback-{n}.db")));
    let mut free = names.filter(|path| path.symlink_metadata().is_err());
    free.next().unwrap_or_else(|| folder.join(name))
}

/// The file, which must be one and lie inside the checkout.
fn inside(here: &Here, file: &SqliteFile) -> Result<PathBuf, BoxError> {
    let shown = &file.path;
    let path = shown.under(&here.root);
    let real = path.canonicalize().map_err(|error| format!("`{shown}` could not be read: {error}"))?;
    if !real.starts_with(here.root.canonicalize()?) {
        return Err(format!(
            "`{shown}` leads out of the checkout; databases outside of it are not backed up"
        )
        .into());
    }
    if !real.is_file() {
        return Err(format!("`{shown}` is not a file").into());
    }
    Ok(real)
}

fn archive(copy: &Path, file: &SqliteFile, mode: u32, into: &mut DumpFile) -> Result<(), BoxError> {
    let mut header = tar::Header::new_gnu();
    header.set_size(fs::metadata(copy)?.len());
    header.set_mode(mode);
    let mut tar = tar::Builder::new(into);
    tar.append_data(&mut header, member(file), File::open(copy)?)?;
    tar.finish()?;
    Ok(())
}

/// Unpacks the copy into a folder, and says where it is.
fn unpack(dumped: &Dumped, file: &Path, into: &Path) -> Result<PathBuf, BoxError> {
    fs::create_dir_all(into)?;
    let path = into.join(format!("{}.db", dumped.source.name()));
    let mut tar = tar::Archive::new(dump_file::open(file)?);
    let mut entry = tar.entries()?.next().ok_or("the archive of the database is empty")??;
    let mut out = File::options().write(true).create_new(true).open(&path)?;
    out.set_permissions(fs::Permissions::from_mode(0o600))?;
    io::copy(&mut entry, &mut out)?;
    Ok(path)
}

/// Looks into a database: schema, rows of every table, and what `after` prints.
fn look(here: &Here, folder: &Path, path: &Path, before: &str, after: &str) -> Result<Looked, BoxError> {
    let counts = format!(".once counts.sql\n{COUNTS}\n.read counts.sql\n");
    let script = format!("{before}{SCHEMA}\n{counts}{after}");
    let answer = run(here, folder, path, &script)?;
    let mut looked = Looked { tables: Vec::new(), schema: Digest::of(b""), rest: Vec::new() };
    let mut schema = String::new();
    for line in answer.lines() {
        if let Some(row) = line.strip_prefix("rows ") {
            let (name, rows) = row.split_once(' ').ok_or("`sqlite3` gave an odd answer")?;
            looked.tables.push(Table { name: sql::unhex(name)?, rows: rows.parse()? });
        } else if line.starts_with("schema ") {
            schema.push_str(line);
            schema.push('\n');
        } else {
            looked.rest.push(line.to_owned());
        }
    }
    looked.schema = Digest::of(schema.as_bytes());
    Ok(looked)
}

fn one(here: &Here, folder: &Path, path: &Path, command: &str) -> Result<String, BoxError> {
    Ok(run(here, folder, path, command)?.trim().to_owned())
}

/// Runs commands of `sqlite3` on a database that must be there.
fn run(here: &Here, folder: &Path, path: &Path, script: &str) -> Result<String, BoxError> {
    let mut command = process::command(here, "sqlite3");
    let uri = format!("file:{}?mode=rw", percent_encode(path.as_os_str().as_bytes(), PLAIN));
    command.current_dir(folder).args(["-batch", "-bail", "-init", "/dev/null"]).arg(uri);
    text(here, command, Some(format!(".timeout 30000\n{script}")))
}
