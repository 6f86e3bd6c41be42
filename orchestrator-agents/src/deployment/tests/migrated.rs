//! A database of SQLite through all rounds of a deployment: expand before the new version starts, contract once it counts, and never for
//! one that goes back.

use std::sync::{Arc, Mutex};

use super::standin::Standin;
use super::watched::proxied;
use super::*;

const FIRST: &str =
    "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO students VALUES (1, 'Ada');";
const EXPAND: &str =
    "ALTER TABLE students ADD COLUMN year INTEGER;\nUPDATE students SET year = 7 WHERE year IS NULL;";
const CONTRACT: &str = "ALTER TABLE students DROP COLUMN name;";

/// A desk whose deployments migrate `data/production.db`.
struct School(Desk);

impl School {
    fn new() -> Self {
        let school = Self(Desk::new());
        school.file("0001_students.sql", FIRST);
        school
    }

    fn file(&self, name: &str, text: &str) {
        let folder = self.0.folder.path().join("migrations");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    }

    fn config(version: &str) -> Value {
        let mut config = proxied(version, "");
        config["migrations"] =
            json!({ "database": { "sqlite": "data/{environment}.db" }, "allow_destructive": true });
        config
    }

    fn database(&self) -> PathBuf {
        self.0.folder.path().join("data/production.db")
    }

    fn columns(&self) -> String {
        ask(&self.database(), "SELECT group_concat(name) FROM pragma_table_info('students')")
    }

    fn applied(&self) -> String {
        ask(&self.database(), "SELECT group_concat(substr(name, 1, 4)) FROM orchestrate_migrations")
    }

    /// Has a person say that word with the third look; the columns at each look before.
    fn watched(&self, word: &'static str) -> Arc<Mutex<Vec<String>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (own, database) = (seen.clone(), self.database());
        self.0.when(move |_, _| {
            let columns = "SELECT group_concat(name) FROM pragma_table_info('students')";
            let mut own = own.lock().unwrap();
            own.push(ask(&database, columns));
            (own.len() > 2).then(|| json!(word))
        });
        seen
    }
}

fn ask(database: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_schema_goes_along_with_the_traffic() {
    let school = School::new();
    let proxy = Standin::at(&school.0.state());
    school.watched("promote");
    school.0.deploy(1, School::config("0.1.0")).unwrap();
    assert_eq!((school.columns(), school.applied()), ("id,name".into(), "0001".into()));

    // Both versions run on the wide schema for as long as it is watched.
    school.file("0002_year.expand.sql", EXPAND);
    school.file("0003_name.contract.sql", CONTRACT);
    let seen = school.watched("promote");
    let passed = school.0.deploy(2, School::config("0.2.0")).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["id,name,year", "id,name,year", "id,name,year"]);
    assert_eq!((school.columns(), school.applied()), ("id,year".into(), "0001,0002,0003".into()));
    assert_eq!(ask(&school.database(), "SELECT id, year FROM students"), "1|7");
    assert_eq!(proxy.served(), ["hello from 0.2.0"]);
    assert!(passed.metrics.iter().any(|metric| metric.name.contains("migration")), "{:?}", passed.metrics);
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_one_that_goes_back_leaves_what_the_version_before_needs() {
    let school = School::new();
    let proxy = Standin::at(&school.0.state());
    school.watched("promote");
    school.0.deploy(1, School::config("0.1.0")).unwrap();
    school.file("0002_year.expand.sql", EXPAND);
    school.file("0003_name.contract.sql", CONTRACT);
    school.watched("rollback");
    let failed = school.0.deploy(2, School::config("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("0.2.0 was rolled back"), "{}", failed.summary);
    assert_eq!((school.columns(), school.applied()), ("id,name,year".into(), "0001,0002".into()));
    assert_eq!((school.0.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));

    // What is mended goes on from there: nothing is applied twice, and the last file when it counts.
    school.watched("promote");
    school.0.deploy(3, School::config("0.3.0")).unwrap();
    assert_eq!((school.columns(), school.applied()), ("id,year".into(), "0001,0002,0003".into()));
    assert_eq!(ask(&school.database(), "SELECT id, year FROM students"), "1|7");
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_an_expand_file_that_fails_starts_nothing() {
    let school = School::new();
    let proxy = Standin::at(&school.0.state());
    school.watched("promote");
    school.0.deploy(1, School::config("0.1.0")).unwrap();
    school.file(
        "0002_year.expand.sql",
        "ALTER TABLE students ADD COLUMN year INTEGER;\nINSERT INTO nowhere VALUES (1);",
    );
    let failed = school.0.deploy(2, School::config("0.2.0")).unwrap_err();
    assert!(
        failed.summary.contains("its migrations failed") && failed.summary.contains("nowhere"),
        "{}",
        failed.summary
    );
    assert_eq!(
        (school.columns(), school.applied()),
        ("id,name".into(), "0001".into()),
        "the file is one transaction"
    );
    assert_eq!((school.0.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert!(school.0.is_free());
}

/// Files of years: each was applied in its turn elsewhere. A new place has no version that needs what a contract file takes away.
#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_new_place_takes_all_files_in_order() {
    let school = School::new();
    let proxy = Standin::at(&school.0.state());
    school.file("0002_name.contract.sql", CONTRACT);
    school.file("0003_year.sql", "ALTER TABLE students ADD COLUMN year INTEGER;");
    school.watched("promote");
    school.0.deploy(1, School::config("0.1.0")).unwrap();
    assert_eq!((school.columns(), school.applied()), ("id,year".into(), "0001,0002,0003".into()));
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);

    // With a version there it is another matter.
    school.file("0004_year.contract.sql", "ALTER TABLE students DROP COLUMN year;");
    school.file("0005_age.sql", "ALTER TABLE students ADD COLUMN age INTEGER;");
    let failed = school.0.deploy(2, School::config("0.2.0")).unwrap_err();
    assert!(
        failed.summary.contains("`0005_age.sql` comes after `0004_year.contract.sql`"),
        "{}",
        failed.summary
    );
    assert_eq!((school.columns(), school.applied()), ("id,year".into(), "0001,0002,0003".into()));
    assert!(school.0.is_free());
}
