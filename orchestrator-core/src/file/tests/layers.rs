//! Settings in layers.

use serde_json::{Value, json};

use crate::effect::Effect;
use crate::settings::{EnabledPhases, Settings};

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn later_layers_win() {
    let layered = |file: Value, pairs: &[(&str, &str)], flags: Value| {
        Settings::layered(&file, &env(pairs), &flags).unwrap().timeout
    };
    assert_eq!(Settings::layered(&Value::Null, &[], &Value::Null).unwrap(), Settings::default());
    assert_eq!(layered(json!({ "timeout": "1m" }), &[], Value::Null), 60);
    assert_eq!(layered(json!({ "timeout": "1m" }), &[("ORCHESTRATION_TIMEOUT", "70")], json!({})), 70);
    assert_eq!(layered(json!({ "timeout": "1m" }), &[("ORCHESTRATION_TIMEOUT", " ")], json!({})), 60);
    let flags = json!({ "timeout": 80 });
    assert_eq!(layered(json!({ "timeout": "1m" }), &[("ORCHESTRATION_TIMEOUT", "70")], flags), 80);
}

#[test]
fn groups_of_settings_merge() {
    let file = json!({ "phases": { "reports": false, "deployment": false } });
    let settings = Settings::layered(
        &file,
        &env(&[("ENABLE_REPORTS", "on")]),
        &json!({ "phases": { "code_generation": false } }),
    )
    .unwrap();
    let expected = EnabledPhases { deployment: false, code_generation: false, ..EnabledPhases::default() };
    assert_eq!(settings.phases, expected);
}

#[test]
fn readable_forms_are_taken() {
    let file = json!({ "timeout": "1h30m", "retry_delay": "500ms", "grace": 2, "min_free_disk": "1GiB", "ceiling": "publishes" });
    let settings = Settings::layered(&file, &[], &Value::Null).unwrap();
    assert_eq!(
        (settings.timeout, settings.min_free_disk, settings.ceiling),
        (5_400, 1 << 30, Effect::Publishes)
    );
    assert!((settings.retry_delay - 0.5).abs() < 1e-9 && (settings.grace - 2.0).abs() < 1e-9);
}

#[test]
fn every_variable_is_read() {
    let on = Settings::default();
    let read = |name: &str, value: &str| {
        Settings::layered(&Value::Null, &env(&[(name, value)]), &Value::Null).unwrap()
    };
    assert_eq!(read("ORCHESTRATION_ENABLED", "false"), Settings { enabled: false, ..on.clone() });
    assert_eq!(read("ORCHESTRATION_TIMEOUT", "7"), Settings { timeout: 7, ..on.clone() });
    assert_eq!(read("ORCHESTRATION_RETRY_COUNT", "2"), Settings { retries: 2, ..on.clone() });
    assert_eq!(read("LOG_LEVEL", "DEBUG"), Settings { log_level: "debug".into(), ..on.clone() });
    assert_eq!(read("DEPLOY_TO_STAGING", "0"), Settings { deploy_to_staging: false, ..on.clone() });
    assert_eq!(read("DEPLOY_TO_PRODUCTION", "Yes"), Settings { deploy_to_production: true, ..on.clone() });
    assert_eq!(read("ORCHESTRATE_SHARED", "file:///srv/team").shared.url, "file:///srv/team");
    let all = EnabledPhases::default();
    for (name, phases) in [
        ("ENABLE_BACKUP_PHASE", EnabledPhases { restart_backup: false, ..all.clone() }),
        ("ENABLE_CODE_GENERATION", EnabledPhases { code_generation: false, ..all.clone() }),
        ("ENABLE_BUILD_VALIDATION", EnabledPhases { build_validation: false, ..all.clone() }),
        ("ENABLE_MERGE_INTEGRATION", EnabledPhases { merge_integration: false, ..all.clone() }),
        ("ENABLE_DEPLOYMENT", EnabledPhases { deployment: false, ..all.clone() }),
        ("ENABLE_REPORTS", EnabledPhases { reports: false, ..all.clone() }),
    ] {
        for off in ["false", "0", "no", "off", "OFF"] {
            assert_eq!(read(name, off), Settings { phases: phases.clone(), ..on.clone() }, "{name}");
        }
    }
    assert_eq!(read("SOMETHING_ELSE", "x"), on);
}

#[test]
fn wrong_settings_are_named_all_at_once() {
    let variables = env(&[
        ("ENABLE_REPORTS", "maybe"),
        ("ORCHESTRATION_TIMEOUT", "-3"),
        ("ORCHESTRATION_RETRY_COUNT", "x"),
        ("LOG_LEVEL", "loud"),
    ]);
    let file = json!({ "jobs": 2000, "grase": 1, "phases": { "x": true } });
    let error = Settings::layered(&file, &variables, &json!({ "ceiling": 3 })).unwrap_err().to_string();
    let expected = "\
ENABLE_REPORTS: `maybe` is not one of true, false, 1, 0, yes, no, on, off
LOG_LEVEL: `loud` is not one of off, error, warn, info, debug, trace
ORCHESTRATION_RETRY_COUNT: `x` is not a whole number from 0 to 99
ORCHESTRATION_TIMEOUT: `-3` is not a duration; write it like `10m`, `1h30m`, `90s` or `500ms`, or as a number of seconds
flags.ceiling: `3` is not one of reads, writes, publishes
settings.grase: unknown setting `grase`; did you mean `grace`?
settings.jobs: `2000` is not a whole number from 1 to 1024
settings.phases.x: unknown phase setting `x`; known: restart_backup, code_generation, build_validation, merge_integration, deployment, reports";
    assert_eq!(error, expected);
    assert!(Settings::layered(&json!([]), &[], &Value::Null).is_err());
}
