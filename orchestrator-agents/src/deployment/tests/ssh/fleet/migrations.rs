//! Migrations where there are several hosts: each host's own database, and one that they share.

use super::*;

const EXPAND: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY);";
const CONTRACT: &str = "DROP TABLE old;";

fn write(desk: &Desk, files: &[(&str, &str)]) {
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn tables(host: &Host) -> String {
    let database = host.at("home/srv/shop/app.db");
    let sql = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE name IN ('old', 'notes') ORDER BY name)";
    let output = Command::new("sqlite3").arg(database).arg(sql).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a version takes away waits until all hosts serve it, and for good where one fails.
#[test]
#[ignore = "needs sshd and sqlite3; tests/run has them"]
fn needs_sshd_what_is_taken_away_waits_for_the_last_host() {
    let fleet = Fleet::new(&["web1", "web2"]);
    let desk = fleet.desk();
    write(&desk, &[("0001_a.sql", "CREATE TABLE old (id INTEGER PRIMARY KEY);")]);
    let to = |version: &str| {
        let mut config = fleet.to(version, "");
        config["migrations"] = json!({ "database": { "sqlite": "app.db" } });
        config
    };
    desk.deploy(1, to("0.1.0")).unwrap();
    assert_eq!(fleet.hosts.iter().map(tables).collect::<Vec<_>>(), ["old", "old"], "each has its own");
    write(&desk, &[("0002_b.expand.sql", EXPAND), ("0003_c.contract.sql", CONTRACT)]);
    std::fs::write(fleet.hosts[1].at("home/ill-0.2.0"), "").unwrap();
    let failed = desk.deploy(2, to("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("back: web1 (0.1.0)"), "{failed:?}");
    assert_eq!(fleet.hosts.iter().map(tables).collect::<Vec<_>>(), ["notes old", "notes old"]);
    std::fs::remove_file(fleet.hosts[1].at("home/ill-0.2.0")).unwrap();
    let done = desk.deploy(3, to("0.3.0")).unwrap();
    assert_eq!(fleet.hosts.iter().map(tables).collect::<Vec<_>>(), ["notes", "notes"]);
    let counted = |name: &str| done.metrics.iter().filter(|metric| metric.name.ends_with(name)).count();
    assert_eq!(counted(".migrations.contract"), 2, "{done:?}");

    // What cannot be applied is found before anything changes anywhere.
    write(&desk, &[("0002_b.expand.sql", "CREATE TABLE other (id INTEGER);")]);
    let failed = desk.deploy(4, to("0.4.0")).unwrap_err();
    assert!(
        failed.summary.contains("was not deployed to any host: web1: its migrations: ")
            && failed.summary.contains("was changed after it was applied"),
        "{failed:?}"
    );
    fleet.is_settled();
    assert_eq!(fleet.served(), ["0.3.0", "0.3.0"]);
}

/// The others took the contract file in its turn, and an expand file after it: one that joins with a database of its own takes all.
#[test]
#[ignore = "needs sshd and sqlite3; tests/run has them"]
fn needs_sshd_a_host_that_joins_takes_the_files_of_years() {
    let fleet = Fleet::new(&["web1", "web2"]);
    let desk = fleet.desk();
    let to = |version: &str, hosts: Value| {
        let mut config = fleet.to(version, "");
        config["target"]["hosts"] = hosts;
        config["migrations"] = json!({ "database": { "sqlite": "app.db" } });
        config
    };
    write(&desk, &[("0001_a.sql", "CREATE TABLE old (id INTEGER PRIMARY KEY);")]);
    desk.deploy(1, to("0.1.0", json!(["web2"]))).unwrap();
    write(&desk, &[("0002_b.contract.sql", CONTRACT)]);
    desk.deploy(2, to("0.2.0", json!(["web2"]))).unwrap();
    write(&desk, &[("0003_c.sql", EXPAND)]);
    desk.deploy(3, to("0.3.0", json!(["web1", "web2"]))).unwrap();
    assert_eq!(fleet.hosts.iter().map(tables).collect::<Vec<_>>(), ["notes", "notes"]);
    assert_eq!(fleet.served(), ["0.3.0", "0.3.0"]);
}

/// A database that all hosts have in common, by a tool that keeps a list: each stage is applied once, and a host that has nothing before is
/// no reason to take away what the others need.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_database_in_common_is_migrated_once() {
    let fleet = Fleet::new(&["web1", "web2"]);
    let desk = fleet.desk();
    let log = fleet.folder.path().join("applied");
    std::fs::write(&log, "").unwrap();
    let tool = fleet.folder.path().join("tool");
    let records = fleet
        .hosts
        .iter()
        .map(|host| host.state().join("deploy/production/current.json").display().to_string());
    let script = format!(
        "#!/bin/sh\nlog='{}'; key=\"$2 $VERSION\"\nif [ \"$1\" = check ]; then grep -q \"^$key \" \"$log\"; exit; fi\n\
         serving=$(cat {} 2>/dev/null | grep -c \"\\\"version\\\": \\\"$VERSION\\\"\")\n\
         grep -q \"^$key \" \"$log\" || echo \"$key $serving\" >> \"$log\"\n",
        log.display(),
        records.collect::<Vec<_>>().join(" ")
    );
    std::fs::write(&tool, script).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let to = |version: &str, hosts: Value| {
        let mut config = fleet.to(version, "");
        config["target"]["hosts"] = hosts;
        config["migrations"] = json!({ "database": { "command": {
            "apply": [tool.display().to_string(), "apply", "{stage}"], "check": [tool.display().to_string(), "check", "{stage}"],
            "env": { "VERSION": version } } } });
        config
    };
    // The first host is new, the second one has a version: nothing is taken away before both serve the new one.
    desk.deploy(1, to("0.1.0", json!(["web2"]))).unwrap();
    desk.deploy(2, to("0.2.0", json!(["web1", "web2"]))).unwrap();
    assert_eq!(fleet.served(), ["0.2.0", "0.2.0"]);
    let applied = std::fs::read_to_string(&log).unwrap();
    let own: Vec<&str> = applied.lines().filter(|line| line.contains(" 0.2.0 ")).collect();
    assert_eq!(own, ["expand 0.2.0 0", "contract 0.2.0 2"], "{applied}");
}
