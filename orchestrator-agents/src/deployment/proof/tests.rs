//! Answers and what is wrong with them.

use orchestrator_core::effect::Effect;
use serde_json::{Value, json};

use super::*;
use crate::deployment::{Answer, Version};

fn answer(status: u16, body: &str) -> Answer {
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-version".to_owned(), "0.2.0".to_owned()),
    ];
    let at = "2026-11-20T23:44:33Z".parse().unwrap();
    Answer { status, headers, at, body: body.into(), cut: false, latency_ms: 12.0 }
}

fn health(config: Value) -> Health {
    serde_json::from_value(config).unwrap()
}

fn expect(config: Value) -> Expect {
    serde_json::from_value(config).unwrap()
}

#[test]
fn health_says_all_that_is_wrong() {
    let health = health(json!({ "json": { "/status": "healthy", "/n": 1 }, "version": "/version" }));
    let version = Version::new("0.2.0").unwrap();
    let good = answer(200, r#"{"status":"healthy","n":1.0,"version":"0.2.0"}"#);
    assert!(health.problems(&good, Some(&version)).is_empty());
    let huge = expect(json!({ "json": { "/n": 9_007_199_254_740_993_u64 } }));
    assert_eq!(huge.problems(&answer(200, r#"{"n":9007199254740992}"#), None).len(), 1);
    let bad = answer(503, r#"{"status":"starting","version":"0.1.0"}"#);
    assert_eq!(
        health.problems(&bad, Some(&version)),
        [
            "status 503 instead of 200",
            "/n is missing; it should be 1",
            "/status is \"starting\" instead of \"healthy\"",
            "/version is \"0.1.0\" instead of \"0.2.0\"",
        ]
    );
    assert!(health.problems(&answer(200, "<html>"), None)[0].starts_with("the body is no JSON"));
}

#[test]
fn the_usual_form_is_checked_whole_and_old_answers_are_found() {
    let standard = health(json!({ "standard": true }));
    let version = Version::new("0.2.0").unwrap();
    let problems = |body: Value| standard.problems(&answer(200, &body.to_string()), Some(&version));
    let none: [&str; 0] = [];
    for at in [
        json!("2026-11-20T23:44:30Z"),
        json!("2026-11-21T00:44:33+01:00"),
        json!(1_795_218_273),
        json!(1_795_218_273_500_u64),
    ] {
        assert_eq!(
            problems(json!({ "status": "healthy", "timestamp": at, "version": "0.2.0" })),
            none,
            "{at}"
        );
    }
    let at = |at: Value| problems(json!({ "status": "healthy", "timestamp": at, "version": "0.2.0" }));
    assert_eq!(
        at(json!("2026-11-20T23:40:00Z")),
        ["/timestamp is \"2026-11-20T23:40:00Z\", 273 s old, more than 60 s: does a cache answer?"]
    );
    assert!(at(json!("2026-11-20T23:50:00Z"))[0].contains("ahead, more than 60 s: do the clocks agree?"));
    for odd in [json!("yesterday"), json!(null), json!(-1), json!(1e300), json!([])] {
        assert!(at(odd.clone())[0].contains("which is no time"), "{odd}");
    }
    assert_eq!(
        problems(json!({ "status": "starting" })),
        [
            "/status is \"starting\" instead of \"healthy\"",
            "/version is missing; it should be \"0.2.0\"",
            "/timestamp is missing; it should be the time of the answer",
        ]
    );
    let own =
        health(json!({ "standard": true, "json": { "/status": "ok" }, "timestamp": "/now", "max_age": 600 }));
    let body = json!({ "status": "ok", "now": "2026-11-20T23:40:00Z", "version": "0.2.0" }).to_string();
    assert_eq!(own.problems(&answer(200, &body), Some(&version)), none);
    assert!(
        standard
            .problems(&answer(200, "<html>"), Some(&version))
            .iter()
            .any(|problem| problem.contains("no JSON"))
    );
}

#[test]
fn health_is_stored_as_it_was_where_nothing_new_is_said() {
    let old = serde_json::to_value(Health::default()).unwrap();
    let names: Vec<&String> = old.as_object().unwrap().keys().collect();
    assert_eq!(names, ["expect_status", "path", "request_timeout", "timeout"]);
}

#[test]
fn smoke_tests_say_all_that_is_wrong() {
    let expect =
        expect(json!({ "contains": "needle", "max_ms": 10.0, "headers": { "etag": { "present": true } } }));
    assert_eq!(
        expect.problems(&answer(404, "hay"), None),
        [
            "status 404 instead of 200",
            "header `etag` is missing",
            "the body does not hold `needle`",
            "it took 12.0 ms, more than 10 ms"
        ]
    );
}

#[test]
fn headers_are_compared_whatever_their_letters() {
    let problems = |wanted: Value| expect(json!({ "headers": wanted })).problems(&answer(200, ""), None);
    let none: [&str; 0] = [];
    assert_eq!(
        problems(
            json!({ "Content-Type": "application/json", "X-Version": { "matches": "^0\\." }, "a": { "present": false } })
        ),
        none
    );
    assert_eq!(
        problems(json!({ "content-type": "text/html", "x-version": { "matches": "^1" }, "b": "c" })),
        [
            "header `b` is missing instead of `c`",
            "header `content-type` is `application/json` instead of `text/html`",
            "header `x-version` is `0.2.0`, and must match `^1`"
        ]
    );
    assert_eq!(
        problems(json!({ "x-version": { "present": false } })),
        ["header `x-version` is `0.2.0`, and must not be there"]
    );
}

#[test]
fn queries_find_what_they_must() {
    let body = json!({ "courses": [{ "id": 1, "title": "Mathematics", "seats": 30 }, { "id": 2, "title": "Music", "seats": 2.0 }] }).to_string();
    let problems = |checks: Value| expect(json!({ "json_path": checks })).problems(&answer(200, &body), None);
    let none: [&str; 0] = [];
    assert_eq!(
        problems(json!([
            { "path": "$.courses[*].id", "all": [1, 2.0] },
            { "path": "$.courses[?@.seats < 10].title", "equals": "Music" },
            { "path": "$.courses[*]", "count": 2 },
            { "path": "$..title", "matches": "^M" },
            { "path": "$..seats", "at_least": 2, "at_most": 30 },
            { "path": "$.nothing", "count": 0 },
            { "path": "$.courses" },
        ])),
        none
    );
    assert_eq!(
        problems(json!([
            { "path": "$.courses[*].id", "equals": 1 },
            { "path": "$.courses[*].id", "count": 3, "at_most": 1 },
            { "path": "$..title", "matches": "^Ma" },
            { "path": "$.title" },
        ])),
        [
            "$.courses[*].id is (1, 2) instead of (1)",
            "$.courses[*].id finds 2 values instead of 3",
            "$.courses[*].id has 2, which is not 1 or less",
            "$..title has \"Music\", which does not match `^Ma`",
            "$.title finds nothing",
        ]
    );
    for bad in ["courses", "$.[", "", &"$".repeat(2000)] {
        assert!(serde_json::from_value::<JsonPath>(json!(bad)).is_err(), "{bad}");
    }
}

#[test]
fn schemas_are_kept_to_and_nothing_is_fetched() {
    let schema = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" }, "name": { "type": "string" } } });
    let expect = expect(json!({ "schema": schema }));
    let none: [&str; 0] = [];
    assert_eq!(expect.problems(&answer(200, r#"{"id":1,"name":"Ada"}"#), None), none);
    let wrong = expect.problems(&answer(200, r#"{"id":"1","name":2}"#), None);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong.iter().any(|problem| problem.starts_with("/name breaks the schema: ")), "{wrong:?}");
    assert!(expect.problems(&answer(200, "no"), None)[0].contains("no JSON"));
    for bad in [
        json!({ "$ref": "http://127.0.0.1:1/x.json" }),
        json!({ "type": 5 }),
        json!("schema.json"),
        json!({ "$ref": "file:///etc/hostname" }),
    ] {
        let error = serde_json::from_value::<AnswerSchema>(bad.clone());
        assert!(error.is_err(), "{bad}");
    }
}

#[test]
fn patterns_are_bounded() {
    for bad in ["(", "a{1000000}", &"a".repeat(2000)] {
        assert!(serde_json::from_value::<Pattern>(json!(bad)).is_err(), "{bad}");
    }
}

#[test]
fn methods_that_change_something_publish() {
    let test = |method: &str| -> SmokeTest {
        serde_json::from_value(json!({ "name": "x", "method": method, "path": "/" })).unwrap()
    };
    assert_eq!(test("GET").effect(), Effect::Reads);
    assert_eq!(test("POST").effect(), Effect::Publishes);
    for bad in [
        json!({ "name": "x", "path": "/", "expct": {} }),
        json!({ "name": "x", "path": "/", "save": { "Id": "/id" } }),
    ] {
        assert!(serde_json::from_value::<SmokeTest>(bad).is_err());
    }
}

#[test]
fn probes_stand_alone_and_come_before_what_changes_something() {
    let tests = |json: Value| -> Vec<SmokeTest> { serde_json::from_value(json).unwrap() };
    let names = |tests: &[SmokeTest]| -> Vec<String> {
        probes(tests).unwrap().into_iter().map(|test| test.name).collect()
    };
    let mut all = json!([
        { "name": "page", "path": "/" },
        { "name": "first course", "path": "/courses", "save": { "course": "/0/id" } },
        { "name": "that course", "path": "/courses/{course}" },
        { "name": "unlike", "method": "POST", "path": "/find", "effect": "reads", "body": { "id": ["{course}"] } },
        { "name": "added", "method": "POST", "path": "/students", "save": { "student": "/id" } },
        { "name": "shown", "path": "/students/{student}" },
        { "name": "listed", "path": "/students" },
        { "name": "gone", "path": "/nothing" },
    ]);
    assert_eq!(names(&tests(all.clone())), ["page", "first course"]);
    // What comes later is one where that is said, and what would be one is none.
    (all[0]["probe"], all[7]["probe"]) = (json!(false), json!(true));
    assert_eq!(names(&tests(all.clone())), ["first course", "gone"]);
    for (at, why) in [
        (4, "smoke test `added` can be no probe: it says `effect: publishes`; leave out its `probe: true`"),
        (
            5,
            "smoke test `shown` can be no probe: it needs {student}, which another test saves; leave out its `probe: true`",
        ),
    ] {
        let mut wrong = all.clone();
        wrong[at]["probe"] = json!(true);
        assert_eq!(probes(&tests(wrong)).unwrap_err(), why);
    }
}

/// Those of the demo: none that goes before or after its student.
#[test]
fn the_probes_of_the_demo_stand_alone() {
    fn smoke(value: &Value) -> Option<&Value> {
        match value {
            Value::Object(fields) => fields.get("smoke").or_else(|| fields.values().find_map(smoke)),
            Value::Array(items) => items.iter().find_map(smoke),
            _ => None,
        }
    }
    let demo = include_str!("../../../../orchestrator-cli/demo/orchestration.yaml");
    let demo: Value = serde_saphyr::from_str(demo).unwrap();
    let all: Vec<SmokeTest> = serde_json::from_value(smoke(&demo).unwrap().clone()).unwrap();
    let names: Vec<String> = probes(&all).unwrap().into_iter().map(|test| test.name).collect();
    assert!(names.len() >= 5 && names.len() < all.len(), "{names:?}");
    for not in
        ["the student is shown", "the student is listed", "attendance is listed", "the student is gone"]
    {
        assert!(all.iter().any(|test| test.name == not) && !names.iter().any(|name| name == not), "{not}");
    }
}

/// What the README shows is what is read.
#[test]
fn the_examples_of_the_readme_are_read() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Proofs {
        health: Option<Health>,
        smoke: Option<Vec<SmokeTest>>,
        log_watch: Option<crate::deployment::LogWatch>,
        migrations: Option<crate::deployment::migrations::Migrations>,
    }
    let readme = include_str!("../../../../README.md");
    let section = readme.split("## Proofs of a deployment").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks: Vec<Proofs> = section
        .split("```yml\n")
        .skip(1)
        .map(|block| serde_saphyr::from_str(block.split("\n```").next().unwrap()).unwrap())
        .collect();
    assert_eq!(blocks.len(), 3);
    assert!(blocks[0].health.as_ref().is_some_and(|health| health.standard));
    assert_eq!(blocks[0].smoke.as_ref().map(Vec::len), Some(5));
    assert!(blocks[1].migrations.is_some() && blocks[2].log_watch.is_some());
}
