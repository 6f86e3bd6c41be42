//! Files, order and what statements do: pure.

mod ledger;
mod lint;
mod statements;

use std::path::Path;

use orchestrator_core::workspace::Workspace;
use serde_json::json;

use super::{MigrationFiles, Migrations, Stage, first_stage};

fn look(files: &[(&str, &str)]) -> Result<MigrationFiles, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("migrations").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    look_in(folder.path())
}

fn look_in(root: &Path) -> Result<MigrationFiles, String> {
    let config: Migrations = serde_json::from_value(json!({ "database": { "sqlite": "app.db" } })).unwrap();
    let look = Workspace::new(root, "2026-11-20T23:44:33Z".parse().unwrap());
    config.look(&look).map_err(|error| error.to_string())
}

#[test]
fn a_folder_is_looked_at_in_order() {
    let found = look(&[
        ("0002_b.expand.sql", "ALTER TABLE a ADD COLUMN c TEXT;"),
        ("0001_a.sql", "CREATE TABLE a (b);"),
        ("0003_c.contract.sql", "ALTER TABLE a DROP COLUMN b;"),
        ("README.md", "not one"),
        ("old/0009_x.sql", "not one either"),
    ])
    .unwrap();
    let names: Vec<&str> = found.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["0001_a.sql", "0002_b.expand.sql", "0003_c.contract.sql"]);
    assert_eq!(found.flaws.iter().map(|flaw| flaw.rule.as_str()).collect::<Vec<_>>(), ["drop-column"]);
    // It is carried as JSON.
    let kept: MigrationFiles = serde_json::from_value(serde_json::to_value(&found).unwrap()).unwrap();
    assert_eq!(kept, found);
    assert_eq!((first_stage(true), first_stage(false)), (Stage::Expand, Stage::All));
}

#[test]
fn all_that_is_wrong_with_names_is_told() {
    let error = look(&[
        ("0001_a.sql", ""),
        ("0001_b.sql", ""),
        ("0004_c.sql", ""),
        ("00005_c.sql", ""),
        ("1_x.sql", ""),
        ("0006_x.down.sql", ""),
        ("0007.sql", ""),
        ("0008_ö.sql", ""),
        ("0009_x.SQL", ""),
    ])
    .unwrap_err();
    for part in [
        "`0001_a.sql` and `0001_b.sql` have the same number",
        "between `0001_b.sql` and `0004_c.sql` a number is left out",
        "numbers of different length",
        "`1_x.sql` is not the name of a migration",
        "`0006_x.down.sql` is not",
        "`0007.sql` is not",
        "0009_x.SQL` is not",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(look(&[]).unwrap_err().contains("holds no migration"));
    // Times have gaps.
    look(&[("20260101120000_a.sql", ""), ("20260301120000_b.sql", "")]).unwrap();
}

#[test]
fn what_cannot_be_applied_is_refused_before_anything_is() {
    let error = look(&[
        ("0001_a.sql", "CREATE TABLE a(b);\nCOMMIT;\n-- no\n begin;"),
        ("0002_b.sql", "SELECT 'x;"),
        ("0003_c.sql", "\n.shell rm -rf x\n"),
        ("0004_d.sql", "VACUUM"),
        ("0005_e.sql", "CREATE TABLE a(b);\0"),
        ("0006_f.sql", "# '\nCOMMIT;\n--'\nDROP TABLE nope;"),
    ])
    .unwrap_err();
    for part in [
        "`0001_a.sql` line 2: each file is one transaction",
        "`0001_a.sql` line 4: each",
        "`0002_b.sql`: line 1: a quote is not closed",
        "`0003_c.sql` line 2: a command of the database's tool is no SQL",
        "`0004_d.sql` line 1: it cannot be part of a transaction",
        "`0005_e.sql`: line 1: it holds a NUL byte",
        "`0006_f.sql` line 1: a line that begins with `#`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    std::fs::write(folder.path().join("migrations/0001_a.sql"), b"SELECT '\xff';").unwrap();
    assert!(look_in(folder.path()).unwrap_err().contains("is not UTF-8"));
}
