//! Splitting.

use proptest::prelude::*;

use crate::deployment::migrations::Dialect;
use crate::deployment::migrations::statements::split;

fn parts(text: &str, dialect: Dialect) -> Vec<(u32, String)> {
    split(text, dialect)
        .unwrap()
        .into_iter()
        .map(|statement| (statement.line, statement.text.to_owned()))
        .collect()
}

#[test]
fn semicolons_in_quotes_comments_and_triggers_end_nothing() {
    let text = "-- a;\nSELECT ';', \"a;b\", [c;d], `e;f`, 'it''s;' /* ; */;\n\n;;\nCREATE TABLE t(a)";
    assert_eq!(
        parts(text, Dialect::Sqlite),
        [
            (2, "SELECT ';', \"a;b\", [c;d], `e;f`, 'it''s;' /* ; */".to_owned()),
            (5, "CREATE TABLE t(a)".to_owned())
        ]
    );
    let trigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN\n SELECT CASE WHEN 1 THEN 2 END;\n UPDATE t SET a = 1; END;\nSELECT 2;";
    let found = parts(trigger, Dialect::Sqlite);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 4]);
    assert!(found[0].1.ends_with("END"), "{}", found[0].1);
    assert!(split("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;", Dialect::Sqlite).is_err());
}

#[test]
fn what_the_shell_takes_for_a_semicolon_is_said() {
    for text in ["SELECT 1\ngo\nCOMMIT\ngo", "SELECT 1\n  / -- x\n", "GO", "SELECT 1\r\nGo \r\n"] {
        let error = split(text, Dialect::Sqlite).unwrap_err().to_string();
        assert!(error.contains("`go`"), "{text}: {error}");
        assert!(split(text, Dialect::Postgres).is_ok(), "{text}");
    }
    for text in ["SELECT go\nFROM t", "SELECT 4\n/ 2", "-- x\n/* go */\nSELECT '\ngo\n'", "goto\n;"] {
        assert!(split(text, Dialect::Sqlite).is_ok(), "{text}");
    }
}

#[test]
fn postgres_has_dollars_and_escapes() {
    let text = "CREATE FUNCTION f() RETURNS int AS $b$ BEGIN; RETURN 1; END $b$ LANGUAGE plpgsql;\nSELECT E'\\';', $$;$$, $1; /* /* ; */ ; */ SELECT 3";
    let found = parts(text, Dialect::Postgres);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 2]);
    for open in
        ["SELECT 1; \\! rm x", "\\i x", "SELECT '", "SELECT \"", "/* x", "SELECT $a$ x $b$", "/* /* */"]
    {
        assert!(split(open, Dialect::Postgres).is_err(), "{open}");
    }
}

/// Tried with `psql` 15: nearly all of them hide a COMMIT, or a command of the shell, from who splits them otherwise.
#[test]
fn what_psql_may_quote_elsewhere_is_refused() {
    for text in [
        "SELECT 1 AS €$$; COMMIT; SELECT 2 AS €$$",
        "SELECT 1 AS a\u{a0}$$; COMMIT; SELECT 2 AS a\u{a0}$$",
        "SELECT 1$$ ' $$ \\! touch x --'",
        "SELECT 1.e$$ ' $$ \\! touch x --'",
        "SELECT $1$$ ' $$ \\! touch x --'",
        "SELECT :a$$ ' $$ \\! touch x --'",
        "SELECT $€$ ' $€$ \\! touch x --'",
        "SELECT :e'\\' \\! touch x --'",
        "SELECT 1e'\\' \\! touch x --'",
        "SELECT E'a'\n'\\''; COMMIT; --'",
        "SELECT E'a' -- x\n'\\''; COMMIT; --'",
    ] {
        assert!(split(text, Dialect::Postgres).is_err(), "{text}");
    }
    assert_eq!(parts("-- x\rCOMMIT; SELECT 1", Dialect::Postgres)[0].1, "COMMIT");
    for text in [
        "SELECT a$b, 1.5e3, $1, x::date, pg_catalog.date'2026-01-01', 'it''s' FROM größe",
        "SELECT $größe$ ; $größe$, E'a\\'b', 'c'",
    ] {
        assert_eq!(parts(text, Dialect::Postgres).len(), 1, "{text}");
    }
}

/// One line of any length, as tools write seeds: each part of it is looked at once.
#[test]
fn a_long_line_is_split_in_one_go() {
    for row in ["(1, 'a'),", " ", "/x", "go "] {
        let text = format!("INSERT INTO t VALUES {}(2, 'b');\nSELECT 1\n", row.repeat((1 << 19) / row.len()));
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for start in ["", "\n"] {
                let text = format!("{start}{text}");
                let lines = split(&text, Dialect::Sqlite).unwrap();
                let _ = sender.send(lines.iter().map(|statement| statement.line).collect::<Vec<_>>());
            }
        });
        // In the square of its length it would take hours.
        for first in [1, 2] {
            let lines = receiver.recv_timeout(std::time::Duration::from_mins(2)).expect("it comes to an end");
            assert_eq!(lines, [first, first + 1]);
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_no_statement_is_lost(text in "[a-zA-Z0-9;'\"`\\[\\]$/*\\- \n\\\\éBEGINDTRI]{0,80}") {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            if let Ok(found) = split(&text, dialect) {
                for statement in found {
                    prop_assert!(!statement.text.is_empty() && text.contains(statement.text));
                    prop_assert!(statement.line as usize <= text.matches('\n').count() + 1);
                }
            }
        }
    }
}
