//! What contract migrations took away: no rollback goes to a version that needs it unless a person names that version.

use super::*;
use crate::deployment::ops::{ApplyMigrations, Kept as Release, Reinstate, kept, way_back};

fn all(desk: &Desk) -> Vec<Release> {
    kept(&desk.state(), &Environment::new("production").unwrap()).unwrap()
}

fn value(kept: &Release) -> Value {
    serde_json::to_value(kept).unwrap()
}

fn back(desk: &Desk) -> Option<String> {
    let found = way_back(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    found.map(|(version, _)| version.to_string())
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_rollback_does_not_go_behind_what_was_contracted() {
    let desk = Desk::new();
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let config = |version: &str| {
        let mut config = config(version, "");
        config["migrations"] = json!({ "database": { "sqlite": "data/{environment}.db" } });
        config
    };
    file("0001_a.sql", "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT);");
    desk.deploy(1, config("0.1.0")).unwrap();
    desk.deploy(2, config("0.2.0")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "nothing was taken away");
    file("0002_b.contract.sql", "ALTER TABLE students DROP COLUMN name;");
    desk.deploy(3, config("0.3.0")).unwrap();
    assert_eq!(back(&desk), None, "0.2.0 may need the column");
    let told: Vec<Value> =
        all(&desk).iter().map(|kept| json!([kept.version, value(kept)["contracted"]])).collect();
    let file = json!(["0002_b.contract.sql"]);
    assert_eq!(told, [json!(["0.3.0", null]), json!(["0.2.0", file]), json!(["0.1.0", file])]);
    // What came with it, or later, is a way back as ever.
    desk.deploy(4, config("0.4.0")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.3.0"));
}

/// What a tool of the user does: `widen` and `narrow` are its files, what is applied of them has a mark in `done`.
const TOOL: &str = r#"
cd "$(dirname "$0")/../.." || exit 9
stage=$2; test "$stage" = expand && all=widen; test "$stage" = contract && all="narrow sharpen"; test "$stage" = all && all=widen
case $1 in
  check) test "$stage" = contract && test -e away && { rm away; echo connection refused; exit 1; }; left=; for file in $all; do test -e "$file.sql" && ! test -e "done/$file" && left="$left $file"; done
    test -z "$left" || { printf '2 left:\n\033[31m%s\n' "$left"; exit 1; } ;;
  apply) mkdir -p done; for file in $all; do
    test -e "$file.sql" || continue; test -e stuck && test "$file" = sharpen && exit 3; : > "done/$file"; done ;;
esac"#;

fn with_tool(desk: &Desk, version: &str) -> Value {
    let tool = desk.folder.path().join("target/release/tool.sh");
    std::fs::write(&tool, TOOL).unwrap();
    let said = |what: &str| json!(["sh", tool, what, "{stage}"]);
    let mut config = config(version, "");
    config["migrations"] =
        json!({ "database": { "command": { "apply": said("apply"), "check": said("check") } } });
    config
}

#[test]
fn what_a_tool_of_the_user_took_away_is_on_record() {
    let desk = Desk::new();
    let file = |name: &str| std::fs::write(desk.folder.path().join(name), "").unwrap();
    file("widen.sql");
    desk.deploy(1, with_tool(&desk, "0.1.0")).unwrap();
    desk.deploy(2, with_tool(&desk, "0.2.0")).unwrap();
    // The command ran each time, and its look said that nothing was pending.
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "nothing was taken away");
    file("narrow.sql");
    desk.deploy(3, with_tool(&desk, "0.3.0")).unwrap();
    assert_eq!(back(&desk), None, "0.2.0 may need what is gone");
    let told: Vec<Value> =
        all(&desk).iter().map(|kept| json!([kept.version, value(kept)["contracted"]])).collect();
    let what = json!(["2 left: [31m narrow"]);
    assert_eq!(told, [json!(["0.3.0", null]), json!(["0.2.0", what]), json!(["0.1.0", what])]);
    desk.deploy(4, with_tool(&desk, "0.4.0")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.3.0"));
}

#[test]
fn a_tool_that_was_cut_off_has_told_what_it_takes_away() {
    let desk = Desk::new();
    let file = |name: &str| std::fs::write(desk.folder.path().join(name), "").unwrap();
    desk.deploy(1, with_tool(&desk, "0.1.0")).unwrap();
    file("stuck");
    file("narrow.sql");
    file("sharpen.sql");
    // One of two is applied, then the tool fails: the version counts, and what is gone is on record.
    let failed = desk.deploy(2, with_tool(&desk, "0.2.0")).unwrap_err();
    assert!(failed.summary.contains("its last migrations failed"), "{}", failed.summary);
    assert!(
        desk.folder.path().join("done/narrow").exists() && !desk.folder.path().join("done/sharpen").exists()
    );
    assert_eq!(back(&desk), None, "0.1.0 may need what is gone");
    // Called again after the cut it goes on, under the same version.
    let input = contract_of(&desk);
    let again = desk.already(ApplyMigrations, input.clone(), &key(2, 9, 0));
    assert!(matches!(again, orchestrator_core::operation::Already::NotDone), "it was not done");
    std::fs::remove_file(desk.folder.path().join("stuck")).unwrap();
    desk.call(ApplyMigrations, input.clone(), &key(2, 9, 0)).unwrap();
    let again = desk.already(ApplyMigrations, input, &key(2, 9, 0));
    assert!(matches!(again, orchestrator_core::operation::Already::Done(_)), "nothing is pending any more");
    let what = json!(["2 left: [31m narrow sharpen", "2 left: [31m sharpen"]);
    assert_eq!((back(&desk), &value(&all(&desk)[1])["contracted"]), (None, &what));
}

#[test]
fn a_look_that_failed_once_took_nothing_away() {
    let desk = Desk::new();
    let file = |name: &str| std::fs::write(desk.folder.path().join(name), "").unwrap();
    desk.deploy(1, with_tool(&desk, "0.1.0")).unwrap();
    desk.deploy(2, with_tool(&desk, "0.2.0")).unwrap();
    file("away");
    desk.call(ApplyMigrations, contract_of(&desk), &key(2, 9, 0)).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "nothing was pending");
    // What failed as a whole took nothing away, either.
    file("stuck");
    file("sharpen.sql");
    let error = desk.call(ApplyMigrations, contract_of(&desk), &key(3, 9, 0)).unwrap_err();
    assert!(error.contains("failed"), "{error}");
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "all of it is still there");
    std::fs::remove_file(desk.folder.path().join("stuck")).unwrap();
    desk.call(ApplyMigrations, contract_of(&desk), &key(4, 9, 0)).unwrap();
    assert_eq!(back(&desk), None, "0.1.0 may need what is gone");
}

/// The contract step as a resumed run calls it.
fn contract_of(desk: &Desk) -> Value {
    json!({
        "environment": "production", "database": with_tool(desk, "0.2.0")["migrations"]["database"], "folder": "migrations",
        "files": [], "stage": "contract", "timeout": 10,
    })
}

#[test]
fn what_undoes_a_run_does_not_go_behind_what_was_contracted() {
    let desk = Desk::new();
    desk.deploy(1, with_tool(&desk, "0.1.0")).unwrap();
    let release = all(&desk)[0].release.clone();
    desk.deploy(2, with_tool(&desk, "0.2.0")).unwrap();
    std::fs::write(desk.folder.path().join("narrow.sql"), "").unwrap();
    desk.call(ApplyMigrations, contract_of(&desk), &key(2, 9, 0)).unwrap();
    let undo = json!({ "environment": "production", "release": release });
    let said = desk.call(Reinstate::default(), undo.clone(), &key(3, 0, 0)).unwrap_err();
    assert!(said.contains("what 0.1.0 may need in production (2 left: [31m narrow)"), "{said}");
    assert!(
        said.contains(&format!("`orchestrate deploy switch {release} --environment production`")),
        "{said}"
    );
    assert_eq!(desk.current().unwrap().0, "0.2.0", "nothing was changed");
    // A person named it: then it counts, and what undoes the run has nothing more to do.
    super::back_again::switch(&desk, 4, "0.1.0", usize::MAX).unwrap().unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    desk.call(Reinstate::default(), undo, &key(5, 0, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
}

/// What failed took nothing away; neither did what came after it.
#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_contract_that_failed_keeps_nobody_from_going_back() {
    let desk = Desk::new();
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let config = |version: &str| {
        let mut config = config(version, "");
        config["migrations"] = json!({ "database": { "sqlite": "data/{environment}.db" } });
        config
    };
    file("0001_a.sql", "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT, year INTEGER);");
    desk.deploy(1, config("0.1.0")).unwrap();
    file("0002_b.contract.sql", "ALTER TABLE nowhere DROP COLUMN name;");
    file("0003_c.contract.sql", "ALTER TABLE students DROP COLUMN year;");
    let failed = desk.deploy(2, config("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("its last migrations failed"), "{}", failed.summary);
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"));
    // Of several those are noted that were applied.
    file("0002_b.contract.sql", "ALTER TABLE students DROP COLUMN name;");
    file("0003_c.contract.sql", "ALTER TABLE nowhere DROP COLUMN year;");
    desk.deploy(3, config("0.3.0")).unwrap_err();
    assert_eq!(back(&desk), None);
    let told: Vec<Value> = all(&desk).iter().map(|kept| value(kept)["contracted"].clone()).collect();
    let file = json!(["0002_b.contract.sql"]);
    assert_eq!(told, [Value::Null, file.clone(), file]);
}

/// The second place finds all applied, and must know of it all the same.
#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_contract_counts_wherever_the_database_is_used() {
    let (one, two, three) = (Desk::new(), Desk::new(), Desk::new());
    let database = one.folder.path().join("shared.db");
    let file = |name: &str, text: &str| {
        for desk in [&one, &two, &three] {
            let folder = desk.folder.path().join("migrations");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), text).unwrap();
        }
    };
    let config = |version: &str| {
        let mut config = config(version, "");
        config["migrations"] = json!({ "database": { "sqlite": database } });
        config
    };
    file("0001_a.sql", "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT);");
    for desk in [&one, &two, &three] {
        desk.deploy(1, config("0.1.0")).unwrap();
    }
    file("0002_b.contract.sql", "ALTER TABLE students DROP COLUMN name;");
    for desk in [&one, &two] {
        desk.deploy(2, config("0.2.0")).unwrap();
        assert_eq!(back(desk), None, "0.1.0 may need the column");
    }
    // One that comes later: what it started before is behind, what it started since is not.
    three.deploy(3, config("0.3.0")).unwrap();
    assert_eq!(back(&three), None);
    three.deploy(4, config("0.4.0")).unwrap();
    let told: Vec<Value> = all(&three).iter().map(|kept| value(kept)["contracted"].clone()).collect();
    assert_eq!(told, [Value::Null, Value::Null, json!(["0002_b.contract.sql"])]);
    assert_eq!(back(&three).as_deref(), Some("0.3.0"));
}

#[test]
fn the_advice_of_a_contract_is_not_that_of_an_expand() {
    let operation = dyn_operation(ApplyMigrations).unwrap();
    let advice = |stage: &str| {
        let input = json!({
            "environment": "production", "database": { "sqlite": "app.db" }, "folder": "migrations", "files": [],
            "stage": stage, "timeout": 10,
        });
        operation.advice(&input.into()).unwrap()
    };
    assert!(advice("expand").contains("the version before works with them"), "{}", advice("expand"));
    for stage in ["contract", "all"] {
        let advice = advice(stage);
        assert!(!advice.contains("works with them"), "{advice}");
        assert!(advice.contains("`app.db`") && advice.contains("backup"), "{advice}");
    }
    assert!(advice("contract").contains("may not work without"), "{}", advice("contract"));
}
