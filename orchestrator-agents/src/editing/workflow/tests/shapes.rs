//! Workflows of random shapes: no edit panics, none breaks a file, and a second time changes nothing.

use std::fmt::Write as _;

use orchestrator_core::path::RelPath;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ACTIONS, FIXTURES, Named, edit, fixture};
use crate::editing::config_edit::edited::{Edited, Facts};

fn facts() -> Facts {
    let path = |path: &str| RelPath::new(path).unwrap();
    let mut facts = Facts { package_manager: Some("pnpm".into()), ..Facts::default() };
    facts.migration_tools.insert(RelPath::root(), "alembic".into());
    facts.deploy_scripts = vec![path("deploy.sh")];
    facts.python_folders = vec![path("a"), path("b")];
    facts
}

fn options(action: &str) -> (Value, Value) {
    let url = "https://example.org/health";
    let options = match action {
        "implement_staging_deploy"
        | "implement_production_deploy"
        | "add_health_checks"
        | "add_perf_checks" => json!({"url": url}),
        "add_blue_green" => {
            json!({"idle": "i", "deploy": "d", "switch": "s", "url": "https://{colour}.example.org"})
        }
        "add_canary" => json!({"deploy": "d", "shift": "s", "url": url}),
        "add_container_scanning" => json!({"image": "app:ci"}),
        _ => json!({}),
    };
    (options, if action == "add_perf_checks" { json!({"p95_ms": 100}) } else { Value::Null })
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

/// A step, as lines below its dash; `{p}` is the indentation.
fn step() -> impl Strategy<Value = String> {
    one_of(&[
        "run: npm test",
        "name: Deploy to production\n{p}run: echo deploy",
        "name: \"Deploy\" # x\n{p}# y\n{p}run: |\n{p}  # z\n{p}  echo deploy staging",
        "continue-on-error: true\n{p}run: pytest",
        "run: cd a && pytest",
        "run: cd b && pytest # c",
        "working-directory: b\n{p}run: pytest\n{p}continue-on-error: true # d",
        "{run: make deploy, name: Deploy, continue-on-error: true}",
        "uses: aquasecurity/trivy-action@v1\n{p}with:\n{p}    exit-code: 0 # e\n{p}    format: sarif",
        "uses: aquasecurity/trivy-action@v1\n{p}with: {exit-code: '0'}\n{p}continue-on-error: true",
        "run: trivy image app || true",
        "run: >\n{p}  trivy image\n{p}  app",
        "uses: actions/setup-python@v5\n{p}with:\n{p}  python-version: 3.11",
        "run: |-\n{p}  docker build -t app .\n\n{p}   # f",
        "name: kubectl\n{p}run: kubectl apply -f x\n{p}env:\n{p}    A: 'b'",
        "uses: actions/upload-artifact@v4",
        "uses: github/codeql-action/upload-sarif@v3",
        "run: alembic upgrade head",
        "? run\n{p}: complex",
        "&anchor\n{p}run: b",
    ])
}

fn job() -> impl Strategy<Value = (String, Vec<String>, bool, bool, usize)> {
    let head = one_of(&[
        "runs-on: x",
        "runs-on: x\n{p}continue-on-error: true # g",
        "runs-on: x\n{p}environment: production",
        "runs-on: x # h\n{p}# i\n{p}strategy:\n{p}    fail-fast: true\n{p}    matrix: {python-version: ['3.11']}",
        "needs: []\n{p}runs-on: x\n{p}if: always()",
        "uses: ./.github/workflows/deploy.yml",
    ]);
    (head, prop::collection::vec(step(), 0..5), any::<bool>(), any::<bool>(), 0..3usize)
}

fn workflow() -> impl Strategy<Value = String> {
    let on = one_of(&[
        "on: push",
        "'on': [push, pull_request] # j",
        "\"on\":\n  push:\n    branches: [main]\n  # k\n  pull_request:",
        "on:\n- push\n- pull_request",
        "on: {push: {paths: ['a']}}",
        "on:\n    push:\n        paths: # l\n        - b/**\n",
        "on: workflow_dispatch",
    ]);
    let ids = prop::sample::subsequence(
        vec!["test", "build", "deploy-staging", "deploy-production", "\"quoted\"", "deploy"],
        1..5,
    );
    (
        on,
        ids,
        prop::collection::vec(job(), 5),
        prop::sample::select(vec![2usize, 4]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(on, ids, jobs, width, windows, open)| {
            let mut text = format!("{on}\njobs: # m\n");
            for (id, (head, steps, indented, blank, comment)) in ids.iter().zip(&jobs) {
                let (outer, inner) = (" ".repeat(width), " ".repeat(width * 2));
                let _ = writeln!(text, "{outer}{id}:\n{inner}{}", head.replace("{p}", &inner));
                let dash = if *indented { " ".repeat(width * 3) } else { inner.clone() };
                if !steps.is_empty() {
                    let _ = writeln!(text, "{inner}steps:");
                }
                for step in steps {
                    if *comment > 0 {
                        let _ = writeln!(text, "{}# about it", " ".repeat(dash.len() * (comment - 1)));
                    }
                    let _ = writeln!(text, "{dash}- {}", step.replace("{p}", &format!("{dash}  ")));
                    text += if *blank { "\n" } else { "" };
                }
            }
            let text = if open { text.trim_end().to_owned() } else { text };
            if windows { text.replace('\n', "\r\n") } else { text }
        })
}

fn holds(text: &str) {
    let facts = facts();
    for Named { name, .. } in ACTIONS {
        let (options, thresholds) = options(name);
        let Ok(Edited::Changed { text: after, said }) =
            edit(name, text, options.clone(), thresholds.clone(), &facts)
        else {
            continue;
        };
        assert_ne!(after, text, "{name}");
        assert!(!said.is_empty(), "{name}");
        match edit(name, &after, options, thresholds, &facts) {
            Ok(Edited::AlreadySo { .. }) => {}
            other => panic!("{name}: the second time: {other:?}\nbefore:\n{text}\nafter:\n{after}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_of_any_shape_is_whole_and_is_made_once(text in workflow()) {
        holds(&text);
    }

    #[test]
    fn a_damaged_file_is_edited_or_refused(which in 0..FIXTURES.len(), at in any::<prop::sample::Index>(), with in "[ -~\n\t]{0,6}", cut in 0..40usize) {
        let text = fixture(FIXTURES[which]);
        let at = at.index(text.len());
        let damaged = format!("{}{with}{}", &text[..at], text.get(at + cut..).unwrap_or_default());
        holds(&damaged);
    }
}
