//! Which template is taken, where files go, and what is refused.

use super::*;

fn wrong(rig: &Rig, asked: Value) -> String {
    drafts(rig, asked).unwrap_err()
}

fn paths(rig: &Rig, asked: Value) -> String {
    let paths: Vec<String> =
        drafts(rig, asked).unwrap().files.iter().map(|draft| draft.path.to_string()).collect();
    paths.join(" ")
}

#[test]
fn files_go_where_the_target_says() {
    let rig = fastify();
    let to =
        |target: &str, templates: &[&str]| paths(&rig, json!({ "target": target, "templates": templates }));
    assert_eq!(to("tests/make/people.ts", &["users"]), "tests/make/people.ts");
    assert_eq!(to("tests/make", &["users", "communities"]), "tests/make/users.ts tests/make/communities.ts");
    assert_eq!(to(".github/workflows", &["rollback_workflow"]), ".github/workflows/rollback.yml");
    assert_eq!(to("tests/people.json", &["users"]), "tests/people.json");
    let python = json!({ "target": "tests", "templates": ["users"], "language": "python" });
    assert_eq!(paths(&rig, python), "tests/users.py");
}

#[test]
fn a_file_is_about_the_package_that_it_lies_in() {
    let rig = fastify();
    rig.write("api/pyproject.toml", "[project]\nname = \"marks\"\n");
    rig.write("web/package.json", r#"{"name": "pages"}"#);
    rig.write("own/name.j2", "{{ project.name }} {{ project.language }}");
    let name = |target: &str| text(&rig, json!({ "target": target, "templates": ["own/name.j2"] }));
    assert_eq!(name("docs/a.md"), "@school/api typescript\n");
    assert_eq!(name("api/docs/a.md"), "marks python\n");
    assert_eq!(
        (name("web/a.md"), name("webs/a.md")),
        ("pages javascript\n".into(), "@school/api typescript\n".into())
    );
}

#[test]
fn what_cannot_be_made_is_said() {
    let rig = fastify();
    rig.write("own/a.md.j2", "{{ vars.nme }}");
    rig.write("own/b.md.j2", "{% include '../package.json' %}");
    rig.write(
        "own/c.md.j2",
        "{% for a in range(90000) %}{% for b in range(90000) %}x{% endfor %}{% endfor %}",
    );
    let said =
        |target: &str, templates: &[&str]| wrong(&rig, json!({ "target": target, "templates": templates }));
    let all = [
        said("docs", &["nonsense"]),
        said("docs", &[]),
        said("docs/a.ts", &["runbook"]),
        said("docs/a.md", &["runbook", "testing_guide"]),
        said("docs", &["runbook", "runbook"]),
        said("docs", &["own/none.md.j2"]),
        said("docs", &["own/a.md.j2"]),
        said("docs", &["own/b.md.j2"]),
        said("docs", &["own/c.md.j2"]),
        wrong(&rig, json!({ "target": "a.ts", "templates": ["users"], "language": "python" })),
        wrong(&Rig::bare(), json!({ "target": "tests", "templates": ["users"] })),
        wrong(
            &rig,
            json!({ "target": "docs", "templates": ["runbook"], "variables": { "health_url": "x" } }),
        ),
        wrong(&rig, json!({ "target": "t", "templates": ["users"], "variables": { "roles": 7 } })),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    unknown template `nonsense`; known: assessments, communities, conftest, database_helper, deployment_guide, deployment_runbook, incident_runbook, integration_helper, rollback_runbook, rollback_workflow, runbook, testing_guide, users; one of the project's own is given as a path
    no template is named; give at least one in `templates`
    `runbook` is made as markdown, and `a.ts` is none of them
    `docs/a.md` is one file, and `runbook`, `testing_guide` make several; give a folder
    `docs/runbook.md` is made twice: of `runbook` and of `runbook`
    the template `own/none.md.j2` does not exist; give a path relative to the root of the repository
    `docs/a.md` of the template `a.md.j2`: undefined value: `vars.nme` is undefined (in a.md.j2:1)
    `docs/b.md` of the template `b.md.j2`: template not found: tried to include non-existing template '../package.json' (in b.md.j2:1)
    `docs/c.md` of the template `c.md.j2`: engine ran out of fuel (in c.md.j2:1)
    `a.ts` is typescript, and `language` says python; mend one of them
    nothing says in which language `users` is to be made; give `language`, one of: typescript, javascript, python, json
    `docs/runbook.md` of the template `runbook.md.j2`: could not render include: error in "parts/deploying.md.j2" (in runbook.md.j2:7): could not render include: error in "parts/health.md.j2" (in parts/deploying.md.j2:41): invalid operation: `x` is no http or https address (in parts/health.md.j2:19)
    `t/users.ts` of the template `users.ts.j2`: invalid operation: number is not iterable (in users.ts.j2:6)
    "#);
    let many: Vec<&str> = vec!["users"; 33];
    assert!(said("docs", &many).contains("33 templates are too many"));
    let large =
        json!({ "target": "docs", "templates": ["runbook"], "variables": { "x": "y".repeat(300_000) } });
    assert!(wrong(&rig, large).contains("which is too much"));
}

#[test]
fn helpers_for_what_is_not_used_are_refused() {
    let refused = |rig: &Rig, template: &str| {
        wrong(rig, json!({ "target": "tests", "templates": [template], "language": "typescript" }))
    };
    let bare = Rig::bare();
    assert!(refused(&bare, "database_helper").contains("none of `@prisma/client`, `knex`"));
    assert!(refused(&bare, "integration_helper").contains("does not depend on `fastify`"));
    let rig = fastify();
    rig.write(
        "src/app.ts",
        "import Fastify from 'fastify';\nexport function buildApp(db: Db) { return Fastify(); }\n",
    );
    assert!(refused(&rig, "integration_helper").contains("`app_module`"));
    let named = json!({ "target": "tests/app.ts", "templates": ["integration_helper"],
        "variables": { "app_module": "src/server.ts", "app_builder": "makeServer" } });
    assert!(text(&rig, named).contains("import { makeServer } from '../src/server.js';"));
    let none = wrong(&bare, json!({ "target": "a.yml", "templates": ["rollback_workflow"] }));
    assert!(none.contains("nothing deploys this project") && none.contains("`deploy_command`"), "{none}");
}

#[test]
fn a_project_has_templates_of_its_own() {
    let rig = fastify();
    let asked = json!({ "target": "docs", "templates": ["testing_guide"] });
    rig.write("orchestration/templates/testing_guide.j2", "ours: {{ project.name }}\n");
    assert_eq!(text(&rig, asked.clone()), "ours: @school/api\n");
    rig.write(
        "orchestration/templates/testing_guide.md.j2",
        "{% include 'part' %}{{ vars.who | default('we') }}\n",
    );
    rig.write("orchestration/templates/part", "a part of ");
    assert_eq!(text(&rig, asked), "a part of we\n");
    rig.write("own/NOTES.txt.j2", "{{ project.version }} {{ target.path }} {{ vars.who | js }}\n");
    let own = json!({ "target": "docs", "templates": ["own/NOTES.txt.j2"], "variables": { "who": "me" } });
    assert_eq!(paths(&rig, own.clone()), "docs/NOTES.txt");
    assert_eq!(text(&rig, own), "1.2.0 docs/NOTES.txt 'me'\n");
}

#[test]
fn python_compiles_and_json_parses() {
    for (rig, folder) in [(fastify(), "."), (fastapi(), "api")] {
        let python = json!({ "target": format!("{folder}/gen"), "language": "python",
            "templates": ["users", "communities", "assessments", "conftest"] });
        let mut files = drafts(&rig, python).unwrap().files;
        if folder == "api" {
            let asked = json!({ "target": "api/gen/database.py", "templates": ["database_helper"] });
            files.extend(drafts(&rig, asked).unwrap().files);
        }
        for draft in files {
            rig.write(draft.path.as_str(), &draft.now);
            let output = rig.command("python3", &["-m", "py_compile", draft.path.as_str()], &rig.root);
            assert!(output.status.success(), "{}: {}", draft.path, String::from_utf8_lossy(&output.stderr));
        }
        let asked = json!({ "target": "gen", "language": "json", "templates": ["users", "communities", "assessments"] });
        for draft in drafts(&rig, asked).unwrap().files {
            let items: Vec<Value> = serde_json::from_str(&draft.now).unwrap();
            assert_eq!(items.len(), 3, "{}", draft.path);
        }
    }
}

#[test]
fn python_fixtures_are_the_same_on_every_run_and_take_overrides() {
    let rig = fastapi();
    let asked = json!({ "target": "gen", "language": "python", "templates": ["users", "communities", "assessments"] });
    for draft in drafts(&rig, asked).unwrap().files {
        rig.write(draft.path.as_str(), &draft.now);
    }
    let script = "from users import *; from communities import *; from assessments import *\n\
        assert make_users(2) == make_users(2) and len({user.id for user in make_users(9)}) == 9\n\
        assert make_user(1, name='x').name == 'x' and make_user(1).role == 'admin'\n\
        assert make_community(2).owner_id == make_user(2).id\n\
        assert make_assessment(3).community_id == make_community(3).id\n";
    let output = rig.command("python3", &["-c", script], &rig.root.join("gen"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(feature = "editing")]
#[test]
fn typescript_and_javascript_parse() {
    let databases = ["@prisma/client", "knex", "pg", "better-sqlite3"];
    for (database, language) in databases.iter().flat_map(|db| [(db, "typescript"), (db, "javascript")]) {
        let rig = fastify();
        let manifest = json!({ "type": "module", "dependencies": { "fastify": "5", *database: "1" } });
        rig.write("package.json", &manifest.to_string());
        let templates = ["users", "communities", "assessments", "database_helper", "integration_helper"];
        let asked = json!({ "target": "gen", "language": language, "templates": templates });
        for draft in drafts(&rig, asked).unwrap().files {
            let allocator = oxc_allocator::Allocator::default();
            let kind = oxc_span::SourceType::from_path(draft.path.as_str()).unwrap();
            let parsed = oxc_parser::Parser::new(&allocator, &draft.now, kind).parse();
            assert!(!parsed.panicked, "{}: {:?}\n{}", draft.path, parsed.diagnostics, draft.now);
            assert!(parsed.diagnostics.is_empty(), "{}: {:?}\n{}", draft.path, parsed.diagnostics, draft.now);
            assert!(language == "typescript" || !draft.now.contains("<T>"), "{}", draft.now);
        }
    }
}
