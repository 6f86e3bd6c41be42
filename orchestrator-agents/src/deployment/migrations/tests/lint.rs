//! What statements do to a running version: a table of them.

use orchestrator_core::path::RelPath;

use crate::deployment::migrations::lint::lint;
use crate::deployment::migrations::{Dialect, Kind, Weight};

fn rules(text: &str, dialect: Dialect) -> Vec<(u32, String, Weight)> {
    let linted = lint("0001_a.sql", Kind::Expand, text, dialect);
    assert_eq!(linted.refused, Vec::<String>::new(), "{text}");
    linted.flaws.into_iter().map(|flaw| (flaw.line, flaw.rule, flaw.weight)).collect()
}

#[test]
fn what_harms_nobody_is_passed() {
    for text in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)",
        "CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (a); DROP TABLE t; ALTER TABLE T RENAME TO u; DELETE FROM \"t\"",
        "ALTER TABLE t ADD COLUMN b TEXT; ALTER TABLE t ADD c TEXT NOT NULL DEFAULT ''",
        "INSERT INTO t (a) VALUES ('DROP TABLE t;')",
        "DELETE FROM t WHERE a = 1; UPDATE t SET a = 2 WHERE a = 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON t (a)",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = 1 WHERE b = new.b; END;",
        "-- DROP TABLE t;",
        "SELECT 1",
    ] {
        assert_eq!(rules(text, Dialect::Sqlite), [], "{text}");
    }
    for text in [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1, ALTER COLUMN a DROP NOT NULL",
        "ALTER TABLE t ADD COLUMN b BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO reader",
        "CREATE TYPE mood AS ENUM ('sad')",
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [], "{text}");
    }
}

#[test]
fn what_takes_something_away_is_destructive() {
    for (rule, text) in [
        ("drop-table", "DROP TABLE t"),
        ("drop-table", "drop table if exists a, b"),
        ("drop", "DROP VIEW v"),
        ("drop-column", "ALTER TABLE t DROP COLUMN a"),
        ("drop-column", "ALTER TABLE t DROP a"),
        ("rename-column", "ALTER TABLE t RENAME COLUMN a TO b"),
        ("rename-table", "ALTER TABLE t RENAME TO u"),
        ("not-null-without-default", "ALTER TABLE t ADD COLUMN a TEXT NOT NULL"),
        ("unique-index", "CREATE UNIQUE INDEX i ON t (a)"),
        ("delete-all", "DELETE FROM t"),
        ("update-all", "UPDATE t SET a = 1"),
        ("replace-rows", "INSERT OR REPLACE INTO t VALUES (1)"),
        ("drop-trigger", "DROP TRIGGER x"),
    ] {
        assert_eq!(rules(text, Dialect::Sqlite), [(1, rule.to_owned(), Weight::Destructive)], "{text}");
    }
    for (rule, text) in [
        ("truncate", "TRUNCATE t"),
        ("change-type", "ALTER TABLE t ALTER COLUMN a TYPE bigint"),
        ("set-not-null", "ALTER TABLE t ALTER a SET NOT NULL"),
        ("drop-default", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"),
        ("drop-constraint", "ALTER TABLE t DROP CONSTRAINT c"),
        ("add-constraint", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)"),
        ("replace-view", "CREATE OR REPLACE VIEW v AS SELECT 1"),
        ("revoke", "REVOKE SELECT ON t FROM reader"),
        ("drop", "DROP SCHEMA s CASCADE"),
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [(1, rule.to_owned(), Weight::Destructive)], "{text}");
    }
}

#[test]
fn lines_are_those_of_the_statement_and_each_is_told() {
    let text =
        "-- first\nALTER TABLE t ADD COLUMN b TEXT;\n\nUPDATE t SET b = a;\nDROP TABLE u; DROP INDEX i;\n";
    assert_eq!(
        rules(text, Dialect::Sqlite),
        [
            (4, "backfill".to_owned(), Weight::Blocking),
            (5, "drop-table".to_owned(), Weight::Destructive),
            (5, "drop-index".to_owned(), Weight::Blocking),
        ]
    );
    assert_eq!(
        rules("CREATE INDEX i ON t (a)", Dialect::Postgres),
        [(1, "blocking-index".to_owned(), Weight::Blocking)]
    );
}

#[test]
fn what_is_not_read_is_said_and_the_rest_is_still_checked() {
    let text = "FROBNICATE t HARD;\nDROP TABLE t;\nSELECT (((;\nREINDEX t;";
    let found = rules(text, Dialect::Sqlite);
    assert_eq!(
        found.iter().map(|(line, _, weight)| (*line, *weight)).collect::<Vec<_>>(),
        [(1, Weight::Unread), (2, Weight::Destructive), (3, Weight::Unread), (4, Weight::Unread)],
        "{found:?}"
    );
    let nested = format!("SELECT {}1{};", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(rules(&nested, Dialect::Sqlite)[0].2, Weight::Unread);
    let many = "DROP TABLE t;".repeat(500);
    assert_eq!(rules(&many, Dialect::Sqlite).len(), 100);
}

#[test]
fn a_contract_file_may_take_away_and_it_is_told() {
    let linted = lint("0002_a.contract.sql", Kind::Contract, "DROP TABLE t", Dialect::Sqlite);
    let flaw = &linted.flaws[0];
    assert!(!flaw.needs_approval());
    let finding = flaw.finding(&RelPath::new("migrations").unwrap());
    assert_eq!(serde_json::to_value(&finding).unwrap()["severity"], "note");
    assert_eq!(finding.rule, "migration/drop-table");
}
