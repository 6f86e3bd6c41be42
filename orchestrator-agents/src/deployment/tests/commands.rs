//! The project's own commands as a target, with the same proofs around them.

use std::io::{Read, Write};

use super::*;

/// A service elsewhere: says the version that a file holds, and is ill where that says so.
fn service(file: PathBuf) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let version = std::fs::read_to_string(&file).unwrap_or_default();
            let status = if version.contains("bad") { 503 } else { 200 };
            let body = format!("{{\"version\":\"{}\"}}", version.trim());
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    url
}

fn shipped(desk: &Desk, url: &str, version: &str) -> Value {
    let at = desk.folder.path().display();
    json!({
        "environment": "production", "version": version,
        "target": { "kind": "command", "url": url,
            "deploy": format!("cp {at}/live {at}/before 2>/dev/null; echo {{version}} > {at}/live; test {{version}} != 0.0.0"),
            "rollback": ["sh", "-c", format!("mv {at}/before {at}/live")], "status": ["test", "-e", format!("{at}/live")] },
        "health": { "version": "/version", "timeout": 4 },
    })
}

#[test]
fn what_fails_is_taken_back_by_the_rollback_command() {
    let desk = Desk::new();
    let live = desk.folder.path().join("live");
    let url = service(live.clone());
    let read = || std::fs::read_to_string(&live).unwrap();
    let passed = desk.deploy(1, shipped(&desk, &url, "1.0.0")).unwrap();
    assert_eq!(passed.summary, format!("production: 1.0.0 answers at {url} (no smoke tests declared)"));
    assert_eq!(passed.output.unwrap().value()["pid"], Value::Null);
    let failed = desk.deploy(2, shipped(&desk, &url, "2.0.0-bad")).unwrap_err();
    assert!(
        failed.summary.contains("was rolled back: it is not healthy")
            && failed.summary.contains("the rollback command was run"),
        "{}",
        failed.summary
    );
    assert_eq!(read(), "1.0.0\n");
    let failed = desk.deploy(3, shipped(&desk, &url, "0.0.0")).unwrap_err();
    assert!(
        failed.summary.contains("0.0.0 did not start: its command failed, exit code 1"),
        "{}",
        failed.summary
    );
    assert_eq!(read(), "1.0.0\n");
    assert_eq!(desk.history(), ["ended 1.0.0", "ended 2.0.0-bad", "ended 0.0.0"]);
}

#[test]
fn it_is_asked_before_and_watched_after() {
    let desk = Desk::new();
    let live = desk.folder.path().join("live");
    let url = service(live.clone());
    let mut config = shipped(&desk, &url, "1.0.0");
    config["approve"] = json!(true);
    config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
    let (mut looks, file) = (0, live.clone());
    *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
        if wait.signal.as_ref().unwrap().as_str() == "manual.task" {
            assert!(!file.exists(), "a person is asked before");
            std::fs::write(&file, "0.9.0\n").unwrap();
            return Some(json!({ "decision": "done" }));
        }
        looks += 1;
        if looks == 2 {
            std::fs::write(&file, "bad\n").unwrap();
        }
        None
    });
    let failed = desk.deploy(1, config).unwrap_err();
    assert!(failed.summary.contains("1.0.0 was rolled back: "), "{}", failed.summary);
    assert_eq!(std::fs::read_to_string(&live).unwrap(), "0.9.0\n");
}

/// What was never shipped is not taken back: the rollback command would bring the version before the one that runs.
#[test]
fn a_failed_migration_before_the_command_takes_nothing_back() {
    let desk = Desk::new();
    let live = desk.folder.path().join("live");
    let url = service(live.clone());
    desk.deploy(1, shipped(&desk, &url, "1.0.0")).unwrap();
    desk.deploy(2, shipped(&desk, &url, "1.1.0")).unwrap();
    let mut config = shipped(&desk, &url, "1.2.0");
    std::fs::create_dir_all(desk.folder.path().join("migrations")).unwrap();
    config["migrations"] = json!({ "folder": "migrations", "database": { "command": { "apply": ["false"], "check": ["true"] } } });
    let failed = desk.deploy(3, config).unwrap_err();
    assert!(failed.summary.contains("its migrations failed"), "{}", failed.summary);
    assert_eq!(std::fs::read_to_string(&live).unwrap(), "1.1.0\n");
}

/// Nobody knows whether a version of theirs runs; but none needs what a database does not have.
#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_commands_have_a_new_database_migrated_in_order() {
    let desk = Desk::new();
    let url = service(desk.folder.path().join("live"));
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    file("0001_a.sql", "CREATE TABLE a (b, c);");
    file("0002_b.contract.sql", "ALTER TABLE a DROP COLUMN b;");
    file("0003_c.sql", "ALTER TABLE a ADD COLUMN d;");
    let config = |version: &str| {
        let mut config = shipped(&desk, &url, version);
        config["migrations"] = json!({ "database": { "sqlite": "app.db" } });
        config
    };
    let columns = || {
        let mut tool = Command::new("sqlite3");
        tool.arg(desk.folder.path().join("app.db"));
        let output = tool.arg("SELECT group_concat(name) FROM pragma_table_info('a')").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    desk.deploy(1, config("1.0.0")).unwrap();
    assert_eq!(columns(), "c,d");
    // From then on one may.
    file("0004_d.contract.sql", "ALTER TABLE a DROP COLUMN c;");
    file("0005_e.sql", "ALTER TABLE a ADD COLUMN f;");
    let failed = desk.deploy(2, config("1.1.0")).unwrap_err();
    assert!(failed.summary.contains("`0005_e.sql` comes after `0004_d.contract.sql`"), "{}", failed.summary);
    assert_eq!(columns(), "c,d");
    assert!(desk.is_free());
}
