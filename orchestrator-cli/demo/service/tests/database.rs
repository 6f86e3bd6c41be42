//! Students in a database of SQLite, which two services share.

mod common;

use common::{call, start};
use school::server::Handle;
use school::Config;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A folder with a migrated database; gone at the end.
struct Folder(PathBuf);

impl Folder {
    /// None where there is no `sqlite3`: then nothing can be tested, and it is said.
    fn new(name: &str) -> Option<Self> {
        if Command::new("sqlite3").arg("--version").output().is_err() {
            eprintln!("not run: sqlite3 is not on PATH");
            return None;
        }
        let path = std::env::temp_dir().join(format!("school-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<PathBuf> =
            fs::read_dir(migrations).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files {
            folder.ask(&fs::read_to_string(file).unwrap());
        }
        Some(folder)
    }

    fn database(&self) -> PathBuf {
        self.0.join("it's a school?.db")
    }

    fn ask(&self, sql: &str) -> String {
        let output =
            Command::new("sqlite3").arg(self.database()).arg(format!("\n{sql}")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn serve(&self) -> Handle {
        let database = Some(self.database().to_str().unwrap().to_owned());
        start(Config { database, ..Config::default() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_one_service_changes_the_other_sees() {
    let Some(folder) = Folder::new("two") else { return };
    let (one, two) = (folder.serve(), folder.serve());
    let (one, two) = (one.address(), two.address());
    assert_eq!(call(one, "POST", "/students", r#"{"name":"Ada","year":10}"#).0, 201);
    let ada = r#"{"id":1,"name":"Ada","year":10}"#.to_owned();
    assert_eq!(call(two, "GET", "/students/1", ""), (200, ada));
    assert_eq!(call(two, "POST", "/courses/3/enrol", r#"{"student_id":1}"#).0, 201);
    assert_eq!(call(one, "POST", "/courses/3/enrol", r#"{"student_id":1}"#).0, 409);
    assert_eq!(call(two, "DELETE", "/students/1", "").0, 204);
    assert_eq!(call(one, "GET", "/students/1", "").0, 404);
    // An id is never given twice, whoever gave it.
    assert!(call(one, "POST", "/students", r#"{"name":"Grace","year":9}"#).1.contains(r#""id":2"#));
    assert_eq!(folder.ask("SELECT id, name, year FROM students"), "2|Grace|9");
}

#[test]
fn many_at_once_lose_nothing() {
    let Some(folder) = Folder::new("many") else { return };
    let (one, two) = (folder.serve(), folder.serve());
    let addresses = [one.address(), two.address()];
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                for _ in 0..10 {
                    let body = r#"{"name":"A","year":1}"#;
                    assert_eq!(call(addresses[number % 2], "POST", "/students", body).0, 201);
                }
            });
        }
    });
    assert_eq!(folder.ask("SELECT count(*), max(id) FROM students"), "40|40");
    assert_eq!(
        call(one.address(), "GET", "/students", ""),
        call(two.address(), "GET", "/students", "")
    );
}

#[test]
fn hostile_names_are_names() {
    let Some(folder) = Folder::new("names") else { return };
    let names = [
        "Robert'); DROP TABLE students;--",
        r#"\"; .shell touch x"#,
        "|1|2",
        "-- end --",
        "Zoë ☃ 𝕊",
        ".quit",
        "X'41'",
    ];
    {
        let school = folder.serve();
        for name in names {
            let body = format!(r#"{{"name":{},"year":1}}"#, school::json::quote(name));
            assert_eq!(call(school.address(), "POST", "/students", &body).0, 201, "{name}");
        }
    }
    // Read anew by another process.
    let school = folder.serve();
    for (number, name) in names.iter().enumerate() {
        let (status, body) =
            call(school.address(), "GET", &format!("/students/{}", number + 1), "");
        assert_eq!(status, 200, "{name}");
        assert!(body.contains(&school::json::quote(name)), "{body}");
    }
    assert_eq!(folder.ask("SELECT count(*) FROM students"), names.len().to_string());
}

#[test]
fn without_its_tables_or_its_file_a_service_is_not_healthy_until_they_are_there() {
    let Some(folder) = Folder::new("none") else { return };
    let made = fs::read(folder.database()).unwrap();
    fs::remove_file(folder.database()).unwrap();
    let school = folder.serve();
    let status = |path: &str| call(school.address(), "GET", path, "").0;
    assert_eq!((status("/health"), status("/students"), status("/version")), (503, 503, 200));
    folder.ask("CREATE TABLE other (a)");
    assert_eq!((status("/health"), status("/students")), (503, 503));
    assert_eq!(call(school.address(), "POST", "/students", r#"{"name":"A","year":1}"#).0, 503);
    fs::write(folder.database(), made).unwrap();
    assert_eq!((status("/health"), status("/students")), (200, 200));
}
