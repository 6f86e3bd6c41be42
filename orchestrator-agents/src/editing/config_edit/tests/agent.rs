//! The agent, and runs of it by the real orchestrator.

use orchestrator_core::agent::{Agent as _, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::event::Event;
use orchestrator_core::id::{AgentName, GroupName, PhaseName, TaskId};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::order::Artifacts;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::store::Store as _;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::testkit::{Kept, task};
use serde_json::{Value, json};

use super::super::{ConfigEdit, EditOutput};
use super::set;
use crate::rig::Rig;
use crate::testing::{perform, ready, shown};

/// What was planned, and how it ended.
fn run(rig: &Rig, config: Value) -> (String, Result<EditOutput, String>) {
    let (look, mut kept) = (rig.look(), Kept::default());
    let mut task = task(serde_json::from_value(config).unwrap());
    task.carried = match ready(ConfigEdit.survey(&task, &look)) {
        Ok(seen) => seen,
        Err(error) => return (String::new(), Err(error.to_string())),
    };
    let actions = ready(ConfigEdit.plan(&task, &look)).unwrap();
    let receipts: Vec<_> = actions.iter().map(|action| perform(action, &rig.root, &mut kept)).collect();
    let ended = match ConfigEdit.conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap() {
        Verdict::Passed(conclusion) => {
            let output = conclusion.output.unwrap();
            let word = if output.changed { "changed `" } else { "already so: " };
            assert!(conclusion.summary.starts_with(word), "{}", conclusion.summary);
            Ok(output)
        }
        Verdict::Failed(conclusion) => Err(conclusion.summary),
        Verdict::More { .. } | Verdict::Skipped(_) => panic!("one round is enough, and nobody is asked"),
    };
    (if actions.is_empty() { String::new() } else { shown(&actions) }, ended)
}

#[test]
fn one_write_and_then_nothing() {
    let rig = Rig::bare();
    rig.write("a.yml", "a: 1 # c\n");
    let config = json!({ "target": "a.yml", "edits": [
        { "set": { "at": "a", "value": 2 } },
        { "append": { "at": "b", "value": "x" } },
        { "remove": { "at": "c" } },
    ]});
    let (planned, ended) = run(&rig, config.clone());
    assert!(planned.starts_with("write a.yml (18 bytes, replaces content "), "{planned}");
    let said = ["set `a` to `2` (was `1`)", "added `x` to `b`", "already so: there is no `c`"];
    assert_eq!(
        ended.unwrap(),
        EditOutput { path: "a.yml".parse().unwrap(), changed: true, said: said.map(str::to_owned).into() }
    );
    assert_eq!(rig.read("a.yml"), "a: 2 # c\nb:\n  - x\n");
    let (planned, ended) = run(&rig, config);
    assert_eq!(planned, "");
    assert!(!ended.unwrap().changed);
}

#[test]
fn a_file_that_cannot_be_edited_is_said() {
    let rig = Rig::bare();
    rig.write("real/a.yml", "a: 1\n");
    rig.write("broken.yml", "a: [\n");
    std::fs::write(rig.root.join("latin.yml"), b"a: caf\xe9\n").unwrap();
    std::fs::write(rig.root.join("large.yml"), vec![b'#'; (4 << 20) + 1]).unwrap();
    std::os::unix::fs::symlink("real/a.yml", rig.root.join("link.yml")).unwrap();
    std::fs::create_dir(rig.home.join("outside")).unwrap();
    std::fs::write(rig.home.join("outside/a.yml"), "a: 1\n").unwrap();
    std::os::unix::fs::symlink("../outside", rig.root.join("out")).unwrap();
    std::os::unix::fs::symlink("nowhere", rig.root.join("dangling.yml")).unwrap();
    for (path, why) in [
        ("none.yml", "`none.yml` is missing; `file_generation` makes files, this edits those that are there"),
        ("broken.yml", "`broken.yml`: line 1: it is not valid YAML: "),
        ("latin.yml", "`latin.yml` is not UTF-8 from byte 6 on; convert it first"),
        ("large.yml", "`large.yml` has 4194305 bytes; up to 4194304 are edited"),
        ("link.yml", "`link.yml` is a symbolic link; name the file that it leads to"),
        ("dangling.yml", "`dangling.yml` is a symbolic link; name the file that it leads to"),
        ("out/a.yml", "`out/a.yml` lies behind a symbolic link that leads out of the repository"),
        ("real", "`real` could not be read: "),
    ] {
        let (planned, ended) = run(&rig, json!({ "target": path, "edits": set("a", json!(2)) }));
        let error = ended.unwrap_err();
        assert!(planned.is_empty() && error.starts_with(why), "{error}");
    }
    assert_eq!(rig.read("real/a.yml"), "a: 1\n");
}

#[test]
fn a_named_action_is_told_what_the_project_has() {
    let rig = Rig::bare();
    rig.write("package.json", "{\"scripts\": {\"b\": \"\", \"a\": \"\"}}");
    rig.write("pnpm-lock.yaml", "");
    rig.write(".gitignore", "ignored\n");
    for path in [
        "src/a.ts",
        "tests/b.ts",
        "ignored/c.ts",
        "api/pyproject.toml",
        "api/app/main.py",
        "api/tests/t.py",
        "api/Dockerfile",
    ] {
        rig.write(path, "");
    }
    for path in [
        "api/alembic/versions/1.py",
        "compose.dev.yml",
        ".github/workflows/ci.yml",
        "web/package.json",
        "web/lib/deep/d.tsx",
    ] {
        rig.write(path, "");
    }
    let facts = super::super::facts::see(&rig.look());
    let paths = |paths: &[orchestrator_core::path::RelPath]| {
        paths.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(facts.package_manager.as_deref(), Some("pnpm"));
    assert_eq!(paths(&facts.node_folders), [".", "web"]);
    assert_eq!(facts.node_scripts.values().next().unwrap(), &["a", "b"]);
    assert_eq!(paths(&facts.python_folders), ["api"]);
    assert_eq!(paths(&facts.dockerfiles), ["api/Dockerfile"]);
    assert_eq!(paths(&facts.compose_files), ["compose.dev.yml"]);
    assert_eq!(paths(&facts.workflows), [".github/workflows/ci.yml"]);
    assert_eq!(paths(&facts.migration_folders), ["api/alembic"]);
    assert_eq!(paths(&facts.script_sources), ["src", "web/lib"]);
    assert_eq!(paths(&facts.python_sources), ["api/app"]);
    rig.write("vitest.config.ts", "export default {};\n");
    let (_, ended) =
        run(&rig, json!({ "target": "vitest.config.ts", "action": "expand_coverage_collection" }));
    assert!(ended.unwrap().said[0].contains("src/**/*"));
}

fn edit(id: &str, config: Value) -> TaskSpec {
    TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("config_edit").unwrap(), config)
}

/// Edits of several formats, and edits of what edits before them made.
fn tasks() -> Vec<TaskSpec> {
    let at = |target: &str, edits: Value| json!({ "target": target, "edits": edits });
    vec![
        edit("coverage", json!({ "target": "vitest.config.ts", "action": "expand_coverage_collection" })),
        edit(
            "thresholds",
            json!({ "target": "vitest.config.ts", "action": "add_directory_thresholds", "thresholds": { "src": { "lines": 80 } } }),
        ),
        edit("raise", at("vitest.config.ts", set("test.coverage.thresholds[\"src/**\"].lines", json!(90)))),
        edit(
            "workflow",
            at("ci.yml", json!([{ "set": { "at": "jobs.test.steps[0].run", "value": "a\nb\n" } }])),
        ),
        edit(
            "again",
            at("ci.yml", json!([{ "append": { "at": "jobs.test.steps", "value": { "run": "c" } } }])),
        ),
        edit(
            "python",
            json!({ "target": "pyproject.toml", "action": "add_directory_thresholds", "thresholds": { "global": { "lines": 80 } } }),
        ),
        edit("so", at("pyproject.toml", set("tool.coverage.report.fail_under", json!(80)))),
        edit(
            "code",
            at("src/a.ts", json!([{ "replace": { "pattern": "log($A)", "with": "logger.info($A)" } }])),
        ),
    ]
}

fn tree(rig: &Rig) -> Vec<String> {
    ["vitest.config.ts", "ci.yml", "pyproject.toml", "src/a.ts"].map(|path| rig.read(path)).into()
}

async fn planned(store: &JsonlStore, run: &RunRecord) -> Vec<String> {
    let records = store.load(&run.run).await.unwrap().records;
    let events = records.iter().filter_map(|record| match &record.event {
        Event::TaskPlanned { task, actions, carried, .. } => Some(format!(
            "{task} {} {}",
            serde_json::to_string(actions).unwrap(),
            serde_json::to_string(carried).unwrap()
        )),
        _ => None,
    });
    events.collect()
}

#[tokio::test]
async fn a_dry_run_shows_what_the_real_run_does() {
    let rig = Rig::new();
    rig.write("vitest.config.ts", "// c\r\nexport default defineConfig({\r\n  test: {}, // t\r\n});\r\n");
    rig.write("package.json", "{}\n");
    rig.write("ci.yml", "jobs:\n  test: # t\n    steps:\n      - run: x # r\n");
    rig.write("pyproject.toml", "# c\n[project]\nname = \"x\"");
    rig.write("src/a.ts", "log('é'); // c\n");
    rig.commit("feat: project");
    let state = rig.root.join(".orchestrate");
    let executor = Local::new(&rig.root).state(&state).environment(rig.env.clone());
    let orchestrator = Orchestrator::new(executor, JsonlStore::open(&state).unwrap())
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard());
    let mut group = GroupSpec::new(GroupName::new("all").unwrap()).sequential();
    group.tasks = tasks();
    let phase = PhaseSpec::new(PhaseName::new("edits").unwrap()).group(group);
    let plan = orchestrator.plan(&Pipeline::new("edits").phase(phase)).unwrap();
    let before = tree(&rig);

    let dry = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    assert_eq!(tree(&rig), before);
    assert_eq!(rig.git(&["status", "--porcelain"]), "");
    let real = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(real.state.count(Outcome::Passed), 8);
    let store = JsonlStore::open(&state).unwrap();
    assert_eq!(planned(&store, &dry).await, planned(&store, &real).await);

    let [vitest, ci, python, code] = <[String; 4]>::try_from(tree(&rig)).unwrap();
    assert!(
        vitest.starts_with("// c\r\nexport default defineConfig({\r\n  test: {")
            && vitest.contains("'src/**': "),
        "{vitest}"
    );
    assert_eq!(
        ci,
        "jobs:\n  test: # t\n    steps:\n      - run: | # r\n          a\n          b\n      - run: c\n"
    );
    assert_eq!(python, "# c\n[project]\nname = \"x\"\n\n[tool.coverage.report]\nfail_under = 80");
    assert_eq!(code, "logger.info('é'); // c\n");

    let again = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    assert!(again.withheld().is_empty(), "{}", again.withheld());
    assert_eq!(again.state.count(Outcome::Passed), 8);
}

#[test]
fn the_examples_of_the_readme_work() {
    let readme = include_str!("../../../../../README.md");
    let section = readme.split("### Editing configuration").nth(1).unwrap();
    let block = section.split("```yml\n").nth(1).unwrap().split("\n```").next().unwrap();
    let tasks: Value = serde_saphyr::from_str(block).unwrap();
    let rig = Rig::bare();
    let ci = "on:\n  push:\n    branches: [main, old] # b\njobs:\n  test:\n    continue-on-error: true\n    steps: []\n";
    rig.write(".github/workflows/ci.yml", ci);
    rig.write("vitest.config.ts", "export default {};\n");
    rig.write("src/server.ts", "console.log('a', 1);\n");
    for task in tasks.as_array().unwrap() {
        assert!(run(&rig, task["with"].clone()).1.unwrap().changed);
        assert!(!run(&rig, task["with"].clone()).1.unwrap().changed);
    }
    let ci = "on:\n  push:\n    branches: [main, develop] # b\njobs:\n  test:\n    steps: []\n    env:\n      CI: \"true\"\n";
    assert_eq!(rig.read(".github/workflows/ci.yml"), ci);
    assert_eq!(rig.read("src/server.ts"), "logger.info('a', 1);\n");
    let shown = |name: &str| section.contains(&format!("`{name}`"));
    let missing = super::super::actions::all().map(|action| action.name).filter(|name| !shown(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new(), "not in the README");
}
