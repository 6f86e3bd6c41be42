//! What is generated, under the real vitest and Fastify: every case passes, and every case can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::rounds::run;
use super::texts::{FIXTURES, generated, project};
use crate::rig::Rig;

/// Changes of the fixtures besides those of every `return` and `throw`.
const CHANGES: [(&str, &str, &str); 25] = [
    ("src/rbac.service.ts", "{ ...user, role: 'editor' as const }", "{ ...user, role: 'viewer' as const }"),
    ("src/rbac.service.ts", "record('promoted', id)", "record('demoted', id)"),
    (
        "src/rbac.service.ts",
        "findById(id);\n    if (!user) throw new NotFoundError(`user ${id} was not found`);\n    return",
        "findById(id + id);\n    return",
    ),
    ("src/rbac.service.ts", "actor.role !== 'admin'", "actor.role === 'admin'"),
    ("src/rbac.service.ts", "name.length > 20", "name.length > 2"),
    ("src/pricing.ts", "title.trim()", "title"),
    ("src/pricing.ts", ".toLowerCase()", ".toUpperCase()"),
    ("src/pricing.ts", "await action()", "await (action(), action(), 7 as never)"),
    ("src/pricing.ts", "catch {", "catch (error) { throw error;"),
    ("src/pricing.ts", ">= FREE_SHIPPING", "> FREE_SHIPPING"),
    ("src/pricing.ts", "case 0:", "case 7:"),
    ("src/communities.routes.ts", "status: 'ok'", "status: 'no'"),
    ("src/communities.routes.ts", "code(404)", "code(410)"),
    ("src/communities.routes.ts", "status(201)", "status(200)"),
    ("src/communities.routes.ts", "code(204)", "code(202)"),
    ("src/communities.routes.ts", "required: ['name', 'size']", "required: []"),
    ("src/communities.routes.ts", "minLength: 3", "minLength: 0"),
    ("src/communities.routes.ts", "size: { type: 'integer', minimum: 1 }", "size: { type: 'integer' }"),
    ("src/communities.routes.ts", "enum: ['open', 'closed']", "enum: ['none-of-these']"),
    ("src/communities.routes.ts", "minimum: 1, default: 20", "default: 21"),
    ("src/communities.routes.ts", "find(id)", "find(`${id}x`)"),
    ("src/env.ts", "'3000'", "'3001'"),
    ("src/env.ts", "?? 'development'", "?? 'production'"),
    ("src/settings.ts", "?? 3", "?? 4"),
    ("src/settings.ts", "required('API_TOKEN')", "required('API_KEY')"),
];

fn modules() -> PathBuf {
    match std::env::var_os("ORCHESTRATE_TEST_NODE_MODULES") {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/roadmap/node_modules"),
    }
}

pub(super) fn with_modules(rig: &Rig) {
    let modules = modules()
        .canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}; run `npm ci` there", modules().display()));
    std::os::unix::fs::symlink(modules, rig.root.join("node_modules")).unwrap();
}

/// Runs every test below the root: for each file, the names of cases that passed and that failed.
fn vitest(rig: &Rig) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let output = rig.command("node_modules/.bin/vitest", &["run", "--reporter=json"], &rig.root);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {stdout}{}", String::from_utf8_lossy(&output.stderr)));
    let mut files = BTreeMap::new();
    for file in report["testResults"].as_array().unwrap() {
        let path = file["name"].as_str().unwrap().strip_prefix(rig.root.to_str().unwrap()).unwrap();
        let (mut passed, mut failed) = (BTreeSet::new(), BTreeSet::new());
        for one in file["assertionResults"].as_array().unwrap() {
            let name = one["fullName"].as_str().unwrap().trim().to_owned();
            if one["status"] == "passed" {
                passed.insert(name)
            } else {
                failed.insert(name)
            };
        }
        let at = path.trim_start_matches('/').to_owned();
        assert!(!passed.is_empty() || !failed.is_empty() || file["message"] != "", "{at}");
        files.insert(at, (passed, failed));
    }
    files
}

#[test]
#[ignore = "needs examples/roadmap/node_modules"]
fn needs_node_every_case_passes_and_can_fail() {
    let rig = project();
    with_modules(&rig);
    let mut cases: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut mutants: Vec<(String, &str)> = Vec::new();
    for (path, text) in FIXTURES.into_iter().filter(|(path, _)| *path != "src/errors.ts") {
        let made = generated(&rig, path).unwrap();
        cases.insert(path, made.cases.iter().cloned().collect());
        assert_eq!(cases[path].len(), made.cases.len(), "names are unlike");
        let test = path.replace("src/", "tests/").replace(".ts", ".test.ts");
        rig.write(&test, &made.text);
        let mut changed: Vec<String> = Vec::new();
        for (from, to) in [("return ", "return 'changed' as never ?? "), ("throw new", "void new")] {
            for (at, _) in text.match_indices(from) {
                changed.push(format!("{}{to}{}", &text[..at], &text[at + from.len()..]));
            }
        }
        for (_, from, to) in CHANGES.iter().filter(|(of, _, _)| *of == path) {
            assert!(text.contains(from), "{path}: {from}");
            changed.push(text.replacen(from, to, 1));
        }
        for change in changed {
            let folder = format!("mutants/m{}", mutants.len());
            rig.write(&format!("{folder}/src/errors.ts"), FIXTURES[0].1);
            rig.write(&format!("{folder}/{path}"), &change);
            rig.write(&format!("{folder}/{test}"), &made.text);
            mutants.push((format!("{folder}/{test}"), path));
        }
    }
    let ran = vitest(&rig);
    let mut alive = cases.clone();
    for (path, own) in &cases {
        let (passed, failed) = &ran[&path.replace("src/", "tests/").replace(".ts", ".test.ts")];
        assert_eq!((passed, failed), (own, &BTreeSet::new()), "{path}");
    }
    for (test, path) in &mutants {
        let (passed, _) = &ran[test];
        alive.get_mut(path).unwrap().retain(|case| passed.contains(case));
    }
    alive.retain(|_, cases| !cases.is_empty());
    assert_eq!(alive, BTreeMap::new(), "cases that no change of the source makes fail");
}

#[test]
#[ignore = "needs examples/roadmap/node_modules"]
fn needs_node_the_agent_keeps_what_passes() {
    let rig = project();
    with_modules(&rig);
    for (target, template) in
        [("src/rbac.service.ts", "service"), ("src/communities.routes.ts", "route"), ("src/env.ts", "config")]
    {
        let ended = run(&rig, json!({ "target": target, "templates": [template] })).unwrap();
        assert!(ended.output().ran, "{}", ended.summary());
        assert_eq!(
            run(&rig, json!({ "target": target, "templates": [template] })).unwrap().rounds,
            [Vec::<orchestrator_core::action::Action>::new()]
        );
    }
    // What the interpreter cannot know of: another file patches what the language gives.
    rig.write("src/odd.ts", "import './patch.js';\nexport const safe = (n: number) => Number.isSafeInteger(n);\nexport const twice = (n: number) => n * 2;\n");
    rig.write("src/patch.ts", "Number.isSafeInteger = () => 'patched' as never;\n");
    let ended = run(&rig, json!({ "target": "src/odd.ts" })).unwrap();
    assert!(ended.output().cases.iter().all(|case| case.starts_with("twice ")), "{:?}", ended.output().cases);
    assert!(ended.output().needs_person.iter().any(|it| it.why.contains("patched")), "{:?}", ended.output());
    rig.write("src/broken.ts", "import 'no-such-package';\nexport const one = () => 1;\n");
    let ended = run(&rig, json!({ "target": "src/broken.ts" })).unwrap();
    assert!(ended.verdict.is_err());
    assert!(ended.summary().contains("no-such-package"), "{}", ended.summary());
    assert!(!rig.root.join("tests/broken.test.ts").exists());
}
