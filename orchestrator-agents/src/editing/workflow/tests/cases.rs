//! Every action on workflows of several styles.

use orchestrator_core::path::RelPath;
use serde_json::{Value, json};

use crate::editing::config_edit::edited::{Edited, Facts};

/// An action on a fixture. The jobs that it is to change; `on` for the events.
pub(super) struct Case {
    pub name: &'static str,
    pub action: &'static str,
    pub fixture: &'static str,
    pub options: Value,
    pub thresholds: Value,
    pub facts: Facts,
    pub touches: &'static [&'static str],
}

impl Case {
    pub(super) fn apply(&self, text: &str) -> Result<Edited, orchestrator_core::BoxError> {
        super::edit(self.action, text, self.options.clone(), self.thresholds.clone(), &self.facts)
    }
}

fn case(
    name: &'static str,
    action: &'static str,
    fixture: &'static str,
    options: Value,
    touches: &'static [&'static str],
) -> Case {
    Case { name, action, fixture, options, thresholds: Value::Null, facts: Facts::default(), touches }
}

fn path(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

fn project() -> Facts {
    let mut facts = Facts { package_manager: Some("npm".into()), ..Facts::default() };
    facts.migration_tools.insert(RelPath::root(), "prisma".into());
    facts.node_scripts.insert(path("web"), vec!["build".into(), "deploy:staging".into()]);
    facts.deploy_scripts = vec![path("scripts/deploy-staging.sh"), path("scripts/deploy.sh")];
    facts.python_folders = vec![RelPath::root(), path("services/api"), path("services/worker")];
    facts.script_sources = vec![path("src"), path("web/src")];
    facts
}

fn known(case: Case) -> Case {
    Case { facts: project(), ..case }
}

pub(super) fn cases() -> Vec<Case> {
    let staging = json!({"command": "kubectl set image deployment/app app=\"example/app:$TAG\"\nkubectl rollout status deployment/app",
        "url": "https://staging.example.org/health", "env": {"TAG": "${{ github.sha }}"}});
    let production =
        json!({"command": "./scripts/deploy.sh production", "url": "https://example.org/health"});
    let colours = json!({"idle": "./colours.sh idle", "deploy": "./colours.sh deploy \"$COLOUR\"",
        "switch": "./colours.sh switch \"$COLOUR\"", "url": "https://{colour}.example.org/health"});
    let canary = json!({"deploy": "./canary.sh up", "shift": "./canary.sh weight \"$PERCENT\"", "percentages": [5, 25, 100],
        "url": "https://example.org/health", "rollback": "./canary.sh down", "wait_seconds": 30});
    let limits = json!({"p95_ms": 300, "p99_ms": 800, "error_rate": 0.01});
    let measured = |case: Case| Case { thresholds: limits.clone(), ..case };
    vec![
        case("errors ci", "remove_continue_on_error", "ci", json!({}), &["lint", "test", "security"]),
        case("errors four", "remove_continue_on_error", "four", json!({"jobs": "python"}), &["python"]),
        case("errors flow", "remove_continue_on_error", "flow", json!({}), &["test", "deploy-production"]),
        known(case("migration ci", "add_migration_step", "ci", json!({}), &["test"])),
        case(
            "migration four",
            "add_migration_step",
            "four",
            json!({"command": "alembic upgrade head"}),
            &["python"],
        ),
        case(
            "migration flow",
            "add_migration_step",
            "flow",
            json!({"command": "npx knex migrate:latest"}),
            &["test"],
        ),
        known(case(
            "deploy migration ci",
            "add_deploy_migration",
            "ci",
            json!({"env": {"DATABASE_URL": "${{ secrets.DATABASE_URL }}"}, "jobs": ["deploy-production"]}),
            &["deploy-production"],
        )),
        case(
            "deploy migration release",
            "add_deploy_migration",
            "release",
            json!({"command": "alembic upgrade head", "jobs": ["rollout-prod"]}),
            &["rollout-prod"],
        ),
        case("staging ci", "implement_staging_deploy", "ci", staging.clone(), &["deploy-staging"]),
        known(case("staging four", "implement_staging_deploy", "four", json!({}), &[])),
        case("staging python", "implement_staging_deploy", "python", staging, &[]),
        case(
            "production ci",
            "implement_production_deploy",
            "ci",
            production.clone(),
            &["deploy-production"],
        ),
        known(case(
            "production small",
            "implement_production_deploy",
            "small",
            json!({"branch": "trunk"}),
            &[],
        )),
        case(
            "production flow",
            "implement_production_deploy",
            "flow",
            json!({"url": "https://example.org/up"}),
            &["deploy-production"],
        ),
        case("gates ci", "add_approval_gates", "ci", json!({}), &["deploy-production"]),
        case("gates release", "add_approval_gates", "release", json!({}), &["rollout-prod"]),
        case("trivy ci", "make_trivy_blocking", "ci", json!({}), &["security"]),
        case("trivy four", "make_trivy_blocking", "four", json!({"severity": "critical, high"}), &["image"]),
        case(
            "versions four",
            "parallelize_python_builds",
            "four",
            json!({"versions": ["3.11", "3.12", "3.13"]}),
            &["python"],
        ),
        known(case("folders python", "parallelize_python_builds", "python", json!({}), &["services"])),
        case("paths ci", "add_path_filters", "ci", json!({"paths": ["src/**", "package.json"]}), &["on"]),
        known(case("paths four", "add_path_filters", "four", json!({}), &["on"])),
        known(case("paths python", "add_path_filters", "python", json!({}), &["on"])),
        case("paths flow", "add_path_filters", "flow", json!({"paths": "src/**"}), &["on"]),
        case("sbom ci", "add_sbom_generation", "ci", json!({"retention_days": 30}), &[]),
        case(
            "sbom four",
            "add_sbom_generation",
            "four",
            json!({"job": "image", "image": "example/backend:ci", "format": "cyclonedx-json"}),
            &["image"],
        ),
        case("sbom small", "add_sbom_generation", "small", json!({}), &[]),
        case("scan ci", "add_container_scanning", "ci", json!({}), &["build"]),
        case("scan four", "add_container_scanning", "four", json!({"ignore_unfixed": true}), &["image"]),
        case(
            "health release",
            "add_health_checks",
            "release",
            json!({"jobs": ["rollout-prod"], "url": "${{ vars.HEALTH_URL }}"}),
            &["rollout-prod"],
        ),
        case("health flow", "add_health_checks", "flow", json!({}), &["deploy-production"]),
        case("colours ci", "add_blue_green", "ci", colours.clone(), &["deploy-production"]),
        case("colours python", "add_blue_green", "python", colours, &[]),
        case("canary ci", "add_canary", "ci", canary.clone(), &["deploy-production"]),
        case("canary four", "add_canary", "four", canary, &[]),
        measured(case(
            "performance ci",
            "add_perf_checks",
            "ci",
            json!({"url": "https://staging.example.org"}),
            &[],
        )),
        measured(case(
            "performance four",
            "add_perf_checks",
            "four",
            json!({"url": "https://staging.example.org"}),
            &[],
        )),
    ]
}

#[test]
fn every_action_has_cases() {
    let cases = cases();
    for super::Named { name, .. } in super::ACTIONS {
        assert!(cases.iter().filter(|case| case.action == *name).count() >= 2, "{name}");
    }
}

/// Texts as other systems write them: Windows line ends, a byte order mark, no line end at the end.
fn dressed(text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("as it is", text.to_owned()),
        ("windows", text.replace('\n', "\r\n")),
        ("marked", format!("\u{feff}{text}")),
        ("open", text.trim_end_matches('\n').to_owned()),
    ]
}

#[test]
fn an_edit_twice_is_an_edit_once_and_nothing_else_changes() {
    for case in cases() {
        let text = super::fixture(case.fixture);
        for (dress, before) in dressed(text) {
            let place = format!("{} {dress}", case.name);
            let Edited::Changed { text: after, said } =
                case.apply(&before).unwrap_or_else(|error| panic!("{place}: {error}"))
            else {
                panic!("{place}: nothing changed");
            };
            assert!(!said.is_empty() && said.iter().all(|line| !line.is_empty()), "{place}");
            match case.apply(&after) {
                Ok(Edited::AlreadySo { .. }) => {}
                other => panic!("{place}: the second time: {other:?}\n{after}"),
            }
            assert_eq!(after.contains("\r\n"), before.contains("\r\n"), "{place}");
            assert_eq!(
                after.matches('\n').count() == after.matches("\r\n").count(),
                dress == "windows",
                "{place}"
            );
            assert_eq!(after.starts_with('\u{feff}'), dress == "marked", "{place}");
            assert_eq!(after.ends_with('\n'), before.ends_with('\n'), "{place}");
            comments_survive(&place, &before, &after);
            the_rest_is_the_same(&place, &before, &after, case.touches);
        }
    }
}

/// Comments in lines of their own and at line ends, the shell's included.
fn comments_survive(place: &str, before: &str, after: &str) {
    for line in before
        .lines()
        .filter(|line| line.trim_start().starts_with('#') || line.contains(" # ") || line.contains("  # "))
    {
        let comment = &line[line.find('#').unwrap()..];
        let count = |text: &str| text.matches(comment.trim_end()).count();
        assert!(count(after) >= count(before), "{place}: `{comment}` is lost\n{after}");
    }
}

/// The text of each job, by its id.
fn jobs(text: &str) -> Vec<(String, String)> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let below = text.split_once("\njobs:\n").unwrap().1;
    let indent = below.len() - below.trim_start_matches([' ', '\n']).len();
    let indent = below
        .lines()
        .find(|line| !line.trim().is_empty() && !line.trim().starts_with('#'))
        .map_or(indent, |line| line.len() - line.trim_start().len());
    let mut jobs: Vec<(String, String)> = Vec::new();
    for line in below.lines() {
        let begins = line.len() - line.trim_start().len() == indent
            && !line.trim().is_empty()
            && !line.trim().starts_with(['#', '-']);
        if begins {
            jobs.push((line.trim().split(':').next().unwrap().to_owned(), String::new()));
        }
        if let Some((_, text)) =
            jobs.last_mut().filter(|_| !line.trim().is_empty() && !line.trim().starts_with('#'))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    jobs
}

fn the_rest_is_the_same(place: &str, before: &str, after: &str, touches: &[&str]) {
    let (was, is) = (super::yaml(before), super::yaml(after));
    for (key, value) in was.as_object().unwrap().iter().filter(|(key, _)| *key != "jobs") {
        assert_eq!(&is[key] == value, !touches.contains(&key.as_str()), "{place}: {key}");
    }
    let after = jobs(after);
    for (id, text) in jobs(before) {
        let now = after.iter().find(|(other, _)| *other == id).map(|(_, text)| text);
        assert_eq!(
            now == Some(&text),
            !touches.contains(&id.as_str()),
            "{place}: job {id}\n{text}\nnow\n{now:?}"
        );
    }
}
