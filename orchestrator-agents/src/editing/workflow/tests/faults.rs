//! What cannot be edited is refused, and says why and what to do.

use serde_json::json;

use super::{ACTIONS, Named, already, edit, fixture, refused};
use crate::editing::config_edit::edited::Facts;

#[test]
fn no_workflow_no_edit() {
    let texts = [
        ("", "no `jobs`"),
        ("just text", "no `jobs`"),
        ("runs:\n  using: composite\n", "has: runs"),
        ("jobs: []\n", "no `jobs`"),
        ("jobs:\n  a: [\n", "cannot be read"),
        ("jobs:\n  a: 1\n---\njobs:\n  b: 1\n", "one YAML document"),
        ("jobs:\n  a: 1\n  a: 2\n", "duplicate"),
        ("jobs:\n  a: 1\r\n  b: 1\n", "line ends"),
        ("jobs:\r  a: 1\r", "line ends"),
        ("jobs: *nothing\n", "cannot be read"),
    ];
    for Named { name, .. } in ACTIONS {
        let options = match *name {
            "add_migration_step" | "add_deploy_migration" => json!({"command": "migrate"}),
            "implement_staging_deploy" | "implement_production_deploy" => json!({"command": "deploy"}),
            "parallelize_python_builds" => json!({"versions": ["3.12"]}),
            "add_path_filters" => json!({"paths": ["src"]}),
            "add_blue_green" => {
                json!({"idle": "a", "deploy": "a", "switch": "a", "url": "https://{colour}.a"})
            }
            "add_canary" => json!({"deploy": "a", "shift": "a", "url": "https://a"}),
            "add_perf_checks" => json!({"url": "https://a"}),
            _ => json!({}),
        };
        for (text, why) in texts {
            let said = refused(name, text, options.clone());
            assert!(said.contains(why), "{name} {text:?}: {said}");
        }
        let large = format!("# {}\njobs:\n  a: 1\n", "x".repeat(1 << 20));
        assert!(refused(name, &large, options).contains("not edited"), "{name}");
        let said = refused(name, fixture("ci"), json!({"colour": "red"}));
        assert!(said.contains("unknown option `colour`; known: "), "{name}: {said}");
    }
}

#[test]
fn what_is_not_there_is_named_and_so_is_what_there_is() {
    let ci = fixture("ci");
    let said = refused("remove_continue_on_error", ci, json!({"jobs": ["lnt"]}));
    assert_eq!(
        said,
        "there is no job `lnt`; jobs: lint, test, build, security, deploy-staging, deploy-production"
    );
    let said = refused("add_migration_step", fixture("small"), json!({"command": "x"}));
    assert!(said.contains("jobs: build") && said.contains("`jobs`") && said.contains("`before`"), "{said}");
    let said = refused("add_migration_step", ci, json!({"command": "x", "before": "Integration"}));
    assert!(
        said.contains("steps: 1 (actions/checkout), 2 (Install), 3 (Unit tests), 4 (Keep the report)"),
        "{said}"
    );
    let said = refused("add_migration_step", ci, json!({}));
    assert!(said.contains("prisma, knex, drizzle and alembic") && said.contains("`command`"), "{said}");
    let said = refused("implement_staging_deploy", ci, json!({}));
    assert!(said.contains("`deploy:staging`") && said.contains("`command`"), "{said}");
    let said = refused("add_approval_gates", fixture("small"), json!({}));
    assert!(said.contains("jobs: build"), "{said}");
    let said = refused("make_trivy_blocking", fixture("small"), json!({}));
    assert!(said.contains("add_container_scanning"), "{said}");
    let said = refused("add_container_scanning", fixture("python"), json!({}));
    assert!(said.contains("no step builds an image"), "{said}");
    let said = refused("add_health_checks", ci, json!({"url": "https://a.example"}));
    assert!(said.contains("only says that it deploys"), "{said}");
    let said = refused("add_health_checks", fixture("release"), json!({}));
    assert!(said.contains("option `url`"), "{said}");
    let said = refused("add_path_filters", fixture("release"), json!({"paths": ["a"]}));
    assert!(said.contains("runs on release"), "{said}");
    let said = refused("parallelize_python_builds", ci, json!({"versions": "3.12"}));
    assert!(said.contains("actions/setup-python"), "{said}");
    let said = refused("add_perf_checks", ci, json!({"url": "https://a.example"}));
    assert!(said.contains("p95_ms"), "{said}");
    let said = refused(
        "add_blue_green",
        fixture("release"),
        json!({"idle": "a", "deploy": "b", "switch": "c", "url": "https://{colour}.a"}),
    );
    assert!(said.contains("option `step`") || said.contains("option `job`"), "{said}");
}

#[test]
fn an_edit_through_an_anchor_is_refused() {
    // The steps of `again` are those of `publish`.
    let said = refused(
        "add_health_checks",
        fixture("release"),
        json!({"jobs": ["again"], "url": "https://a.example"}),
    );
    assert!(said.contains("alias"), "{said}");
    let said = refused(
        "add_health_checks",
        fixture("release"),
        json!({"jobs": ["publish"], "url": "https://a.example"}),
    );
    assert!(said.contains("`again` too") && said.contains("anchor"), "{said}");
}

#[test]
fn options_are_checked() {
    let ci = fixture("ci");
    let bad = [
        ("implement_staging_deploy", json!({"command": "deploy ${{ github.head_ref }}"}), "run as code"),
        ("implement_staging_deploy", json!({"command": ""}), "empty"),
        ("implement_staging_deploy", json!({"command": 3}), "no text"),
        ("implement_staging_deploy", json!({"command": "a\u{1b}[2J"}), "control character"),
        ("implement_staging_deploy", json!({"command": "x".repeat(20_000)}), "bytes"),
        ("implement_staging_deploy", json!({"command": "x", "url": "ftp://a"}), "no http address"),
        ("implement_staging_deploy", json!({"command": "x", "url": "https://a\" ; rm"}), "no http address"),
        ("implement_staging_deploy", json!({"command": "x", "job": "a b"}), "id of a job"),
        (
            "implement_staging_deploy",
            json!({"command": "x", "job": "new", "needs": ["nope"]}),
            "no job `nope`",
        ),
        (
            "implement_staging_deploy",
            json!({"command": "x", "job": "new", "branch": "a' || true"}),
            "name of a branch",
        ),
        ("implement_staging_deploy", json!({"command": "x", "env": {"A B": "x"}}), "`A B`"),
        ("implement_staging_deploy", json!({"command": "x", "timeout_minutes": 0}), "1 to 360"),
        ("make_trivy_blocking", json!({"severity": "BAD"}), "none of"),
        ("add_path_filters", json!({"paths": []}), "entries"),
        ("add_path_filters", json!({"paths": ["!a"]}), "takes everything out"),
        ("add_path_filters", json!({"paths": ["a"], "events": ["schedule"]}), "cannot be limited"),
        ("parallelize_python_builds", json!({"versions": [3]}), "quote them"),
        ("parallelize_python_builds", json!({"versions": ["3.1"], "folders": ["a"]}), "one edit does one"),
        (
            "add_canary",
            json!({"deploy": "a", "shift": "b", "url": "https://a", "percentages": [50, 10]}),
            "do not rise",
        ),
        ("add_canary", json!({"deploy": "a", "url": "https://a"}), "`shift` is missing"),
        (
            "add_blue_green",
            json!({"idle": "a", "deploy": "b", "switch": "c", "url": "https://a"}),
            "{colour}",
        ),
        ("add_perf_checks", json!({"url": "https://a.example", "script": "a; b"}), "plain path"),
        ("add_sbom_generation", json!({"format": "xml"}), "neither"),
        ("add_sbom_generation", json!({"image": "a"}), "option `job`"),
    ];
    for (action, options, why) in bad {
        let said = refused(action, ci, options.clone());
        assert!(said.contains(why), "{action} {options}: {said}");
    }
    let limits = [
        (json!({"p50_ms": 1}), "unknown threshold"),
        (json!({"p95_ms": -1}), "above 0"),
        (json!({"error_rate": 2}), "up to 1"),
    ];
    for (thresholds, why) in limits {
        let said =
            edit("add_perf_checks", ci, json!({"url": "https://a.example"}), thresholds, &Facts::default());
        let said = said.unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn expressions_are_left_and_named() {
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n        continue-on-error: ${{ matrix.may }}\n";
    let said = already("remove_continue_on_error", text, json!({}));
    assert!(said.contains("left as it is: `${{ matrix.may }}`") && said.contains("jobs.a.steps.0"), "{said}");
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: aquasecurity/trivy-action@v1\n        continue-on-error: ${{ x }}\n";
    assert!(refused("make_trivy_blocking", text, json!({})).contains("by hand"));
}

#[test]
fn a_deployment_that_is_real_is_not_overwritten() {
    let text = "on: push\njobs:\n  deploy-staging:\n    runs-on: x\n    environment: staging\n    concurrency: s\n    timeout-minutes: 5\n    \
                steps:\n      - name: Deploy\n        run: kubectl apply -f k8s\n";
    let said = already("implement_staging_deploy", text, json!({"command": "kubectl apply -f k8s"}));
    assert!(said.contains("deploys to staging"), "{said}");
    let said = refused("implement_staging_deploy", text, json!({"command": "helm upgrade app"}));
    assert!(said.contains("`Deploy`") && said.contains("helm upgrade app"), "{said}");
}

#[test]
fn a_migration_after_the_tests_is_not_hidden() {
    let text = "on: push\njobs:\n  test:\n    runs-on: x\n    steps:\n      - run: npm test\n      - run: npx prisma migrate deploy\n";
    let said = refused("add_migration_step", text, json!({"command": "npx prisma migrate deploy"}));
    assert!(said.contains("after its tests") && said.contains("move it up"), "{said}");
}
