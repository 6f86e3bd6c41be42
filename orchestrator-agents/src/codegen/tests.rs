use std::path::Path;

use insta::assert_snapshot;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::order::Artifacts;
use orchestrator_core::testkit::{Kept, task};
use orchestrator_core::workspace::Workspace;
use serde_json::{Value, json};

use super::{RenderConfig, RenderTemplates, Rendered};
use crate::testing::{perform, ready, shown};

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn look(root: &Path) -> Workspace {
    Workspace::new(root, "2026-11-20T23:44:33Z".parse().unwrap())
}

fn asked(config: Value) -> Task<RenderConfig> {
    task(serde_json::from_value(config).unwrap())
}

/// Runs a task to its end; says what was performed in each round.
fn run(config: Value, root: &Path) -> (Vec<Vec<Action>>, Result<Rendered, String>) {
    let (look, mut task, mut kept) = (look(root), asked(config), Kept::default());
    task.carried = match ready(RenderTemplates.survey(&task, &look)) {
        Ok(carried) => carried,
        Err(error) => return (Vec::new(), Err(error.to_string())),
    };
    let mut rounds = vec![ready(RenderTemplates.plan(&task, &look)).unwrap()];
    loop {
        let actions = rounds.last().unwrap();
        let receipts: Vec<_> = actions.iter().map(|action| perform(action, root, &mut kept)).collect();
        match RenderTemplates.conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap() {
            Verdict::Passed(conclusion) => return (rounds, Ok(conclusion.output.unwrap())),
            Verdict::Failed(conclusion) | Verdict::Skipped(conclusion) => {
                return (rounds, Err(conclusion.summary));
            }
            Verdict::More { actions, carried } => {
                task.carried = carried;
                rounds.push(actions);
            }
        }
    }
}

fn error(config: Value, root: &Path) -> String {
    run(config, root).1.unwrap_err()
}

#[test]
fn renders_what_differs_and_nothing_twice() {
    let folder = tree(&[
        (
            "spec.yaml",
            "name: school\nentities:\n  - name: pupil\n    fields: [id, age]\n  - name: room\n    fields: []\n",
        ),
        (
            "t/entity.rs",
            "{% include 'head' %}\npub struct {{ item.name | title }} {\n{% for field in item.fields %}\n    {{ field }}: u32,\n{% endfor %}\n}\n",
        ),
        ("t/head", "// {{ spec.name }} <&>\n"),
        ("src/room.rs", "old"),
    ]);
    let config = json!({ "spec": "spec.yaml", "templates": [
        { "template": "t/entity.rs", "to": "src/{{ item.name }}.rs", "for_each": "entities" },
        { "template": "t/head", "to": "HEAD", "mode": 0o755 },
    ]});
    let (rounds, rendered) = run(config.clone(), folder.path());
    let text = shown(rounds.iter().flatten());
    assert_snapshot!(text, @r"
    write src/pupil.rs (62 bytes, replaces no file) [writes]
    write src/room.rs (34 bytes, replaces content 96a4257289f9) [writes]
    write HEAD (14 bytes, mode 755, replaces no file) [writes]
    ");
    assert_eq!(rendered.unwrap().written.len(), 3);
    let pupil = std::fs::read_to_string(folder.path().join("src/pupil.rs")).unwrap();
    assert_snapshot!(pupil, @r"
    // school <&>
    pub struct Pupil {
        id: u32,
        age: u32,
    }
    ");
    assert!(pupil.ends_with("}\n"));

    let (rounds, rendered) = run(config, folder.path());
    assert_eq!(rounds, [Vec::new()]);
    assert_eq!(rendered.unwrap().unchanged.len(), 3);
}

#[test]
fn formatted_files_stay_in_step() {
    let folder = tree(&[("t.rs", "fn  {{ spec.name }}( ) { }\n"), ("plain.txt", "{{ spec.name }}")]);
    let config = json!({
        "spec": { "name": "go" },
        "templates": [
            { "template": "t.rs", "to": "src/lib.rs" },
            { "template": "plain.txt", "to": "NAME", "format": { "stdin": [] } },
        ],
        "format": { "stdin": ["rustfmt", "--edition", "2021"] },
    });
    let (rounds, rendered) = run(config.clone(), folder.path());
    let text: Vec<String> = rounds.iter().map(shown).collect();
    assert_snapshot!(text.join("--\n"), @r"
    run rustfmt --edition 2021 < 14 bytes [reads]
    --
    write src/lib.rs (11 bytes, replaces no file) [writes]
    write NAME (2 bytes, replaces no file) [writes]
    ");
    assert_eq!(rendered.unwrap().written.len(), 2);
    assert_eq!(std::fs::read_to_string(folder.path().join("src/lib.rs")).unwrap(), "fn go() {}\n");

    let (rounds, rendered) = run(config, folder.path());
    assert_eq!(rounds.len(), 1, "the formatter reads only, and nothing is written");
    assert_eq!(rendered.unwrap().unchanged.len(), 2);
}

#[test]
fn a_formatter_that_fails_writes_nothing() {
    let folder = tree(&[("t", "fn (")]);
    let with = |format: Value| json!({ "templates": [{ "template": "t", "to": "a.rs" }], "format": { "stdin": format } });
    let text = error(with(json!(["rustfmt"])), folder.path());
    assert!(text.starts_with("`a.rs`: `rustfmt` ended with exit code 1: error: "), "{text}");
    let text = error(with(json!(["true"])), folder.path());
    assert!(text.contains("printed nothing"), "{text}");
    assert!(!folder.path().join("a.rs").exists());
}

#[test]
fn errors_name_template_line_and_variable() {
    let folder = tree(&[
        ("t/a", "line\n{{ spec.nme }}\n"),
        ("t/b", "{% include '../secret' %}"),
        ("t/c", "{% if %}"),
        ("t/d", "{% include 'a' %}"),
        ("secret", "x"),
        ("bad.yaml", "a: [1\n"),
        ("spec.ini", ""),
    ]);
    let one =
        |template: &str| json!({ "spec": { "name": 1 }, "templates": [{ "template": template, "to": "x" }] });
    let mut all = Vec::new();
    for template in ["t/a", "t/b", "t/c", "t/d", "t/none"] {
        all.push(error(one(template), folder.path()));
    }
    for (to, each) in
        [("{{ spec.x }}", Value::Null), ("../x", Value::Null), ("x", json!("name")), ("x", json!("list"))]
    {
        let template = json!({ "template": "secret", "to": to, "for_each": each });
        all.push(error(json!({ "spec": { "name": 1 }, "templates": [template] }), folder.path()));
    }
    let twice = json!([{ "template": "secret", "to": "x" }, { "template": "spec.ini", "to": "./x" }]);
    all.push(error(json!({ "templates": twice }), folder.path()));
    for spec in ["none.yaml", "spec.ini"] {
        all.push(error(json!({ "spec": spec, "templates": [] }), folder.path()));
    }
    assert_snapshot!(all.join("\n"), @r#"
    `t/a` could not be rendered: undefined value: `spec.nme` is undefined (in a:2)
    `t/b` could not be rendered: template not found: tried to include non-existing template '../secret' (in b:1)
    `t/c` could not be rendered: syntax error: unexpected end of block (in c:1)
    `t/d` could not be rendered: could not render include: error in "a" (in d:1): undefined value: `spec.nme` is undefined (in a:2)
    `t/none` could not be rendered: template not found: template "none" does not exist
    `to` of `secret`: undefined value: `spec.x` is undefined (in to:1)
    `to` of `secret`: path `../x` leads out of the checkout with `..`; give a path relative to the root of the repository
    `for_each: name`: the spec has neither a list nor a map there
    `for_each: list`: the spec has no `list` there; known: name
    `x` is made twice: of `secret` and of `spec.ini`
    the spec `none.yaml` does not exist
    the spec `spec.ini` is no .yaml, .yml, .json or .toml file
    "#);
    let text = error(json!({ "spec": "bad.yaml", "templates": [] }), folder.path());
    assert!(text.starts_with("the spec `bad.yaml` could not be read: "), "{text}");
}

#[test]
fn configs_are_checked() {
    let agent = orchestrator_core::agent::dyn_agent(RenderTemplates).unwrap();
    let check = |config: Value| agent.check(&config.into()).unwrap_err().to_string();
    assert_eq!(
        check(json!({ "spec": 1, "templates": [] })),
        "a spec is the path of a file or a map of values"
    );
    assert!(check(json!({ "spec": "/etc/passwd", "templates": [] })).contains("is absolute"));
    assert!(check(json!({ "templates": [{ "template": "a", "too": "b" }] })).contains("unknown field `too`"));
    agent.check(&json!({ "spec": { "from": "model/spec" }, "templates": [] }).into()).unwrap();
}
