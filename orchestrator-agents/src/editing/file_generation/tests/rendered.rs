//! What templates give, as it is written.

use insta::assert_snapshot;

use super::*;

/// Every file of these templates one after the other, then what needs a person.
fn all(rig: &Rig, target: &str, templates: &[&str], variables: Value) -> String {
    let asked = json!({ "target": target, "templates": templates, "variables": variables });
    let drafts = drafts(rig, asked).unwrap();
    let files = drafts.files.iter().map(|draft| format!("=== {}\n{}", draft.path, draft.now));
    let needs = drafts.needs_person.iter().map(|need| format!("needs a person: {need}\n"));
    files.chain(needs).collect()
}

#[test]
fn fixtures() {
    let none = json!({});
    let three = ["users", "communities", "assessments"];
    assert_snapshot!("fixtures_ts", all(&fastify(), "tests/fixtures", &three, none.clone()));
    assert_snapshot!("fixtures_py", all(&fastapi(), "api/tests/fixtures", &three, none.clone()));
    assert_snapshot!("fixtures_js", all(&makefile(), "tests/fixtures", &three, none));
    let variables = json!({ "roles": ["it's", "\"x\"", "y"], "email_domain": "school.example", "count": 2 });
    let users = |target: &str| all(&fastify(), target, &["users"], variables.clone());
    assert_snapshot!("users_with_variables", users("a/u.ts") + &users("a/u.py") + &users("a/u.json"));
}

#[test]
fn helpers() {
    let none = json!({});
    let two = ["database_helper", "integration_helper"];
    assert_snapshot!("helpers_ts", all(&fastify(), "tests/helpers", &two, none.clone()));
    assert_snapshot!("database_js", all(&makefile(), "tests", &["database_helper"], none.clone()));
    let python = ["conftest", "database_helper"];
    assert_snapshot!("helpers_py", all(&fastapi(), "api/tests", &python, none));
}

#[test]
fn a_database_helper_for_each_library() {
    let texts = ["@prisma/client", "pg", "better-sqlite3"].map(|library| {
        let rig = Rig::bare();
        let manifest = json!({ "type": "module", "dependencies": { library: "1" }, "devDependencies": { "typescript": "5" } });
        rig.write("package.json", &manifest.to_string());
        all(&rig, &format!("{}.ts", library.trim_start_matches("@prisma/")), &["database_helper"], json!({}))
    });
    assert_snapshot!("databases_ts", texts.concat());
    let rig = Rig::bare();
    rig.write("requirements.txt", "psycopg[binary]>=3\n");
    let variables = json!({ "database_url_variable": "SHOP_TEST_DB" });
    assert_snapshot!("database_psycopg", all(&rig, "tests/database.py", &["database_helper"], variables));
}

#[test]
fn conftest_fits_what_is_depended_on() {
    let conftest = |dependencies: &str, options: &str| {
        let rig = Rig::bare();
        let manifest = format!("[project]\nname = \"a\"\ndependencies = [{dependencies}]\n{options}");
        rig.write("pyproject.toml", &manifest);
        rig.write("a/__init__.py", "import fastapi\n\napi: fastapi.FastAPI = fastapi.FastAPI()\n");
        all(&rig, "tests", &["conftest"], json!({}))
    };
    let auto = "[tool.pytest.ini_options]\nasyncio_mode = \"auto\"\n";
    let texts = [
        conftest("", ""),
        conftest("'pytest', 'anyio', 'httpx', 'fastapi'", ""),
        conftest("'pytest', 'pytest-asyncio', 'httpx', 'fastapi'", auto),
        conftest("'pytest', 'httpx', 'fastapi'", ""),
    ];
    assert_snapshot!("conftests", texts.join("\n"));
}

#[test]
fn guides() {
    let templates = ["runbook", "testing_guide", "deployment_guide"];
    let variables = json!({
        "health_urls": { "staging": "https://staging.school.example/health", "production": "https://school.example/health" },
        "contacts": ["the people on call"],
        "dashboards": ["https://logs.school.example"],
    });
    assert_snapshot!("guides_fastify", all(&fastify(), "docs", &templates, variables));
    assert_snapshot!("guides_fastapi", all(&fastapi(), "docs", &templates, json!({})));
    assert_snapshot!("guides_makefile", all(&makefile(), "docs", &templates, json!({})));
}

#[test]
fn a_guide_names_only_what_is_there() {
    let bare = Rig::bare();
    let asked = json!({ "target": "docs", "templates": ["testing_guide", "runbook", "incident_runbook"] });
    let drafts = drafts(&bare, asked).unwrap();
    assert_eq!(drafts.files[0].now, "# Tests of project\n");
    assert!(drafts.files.iter().all(|draft| !draft.now.contains("npm") && !draft.now.contains("make ")));
    let needs = drafts.needs_person.join("\n");
    for what in ["how tests are run", "how it is deployed", "how one goes back", "who is told", "where logs"]
    {
        assert!(needs.contains(what), "{what}: {needs}");
    }
}

#[test]
fn a_script_is_shown_with_its_own_words() {
    let rig = Rig::bare();
    rig.write(
        "scripts/deploy.sh",
        "#!/bin/sh\n# Releases `dist`:\n#   deploy.sh staging|production\nset -eu\n",
    );
    rig.write("scripts/rollback.sh", "true\n");
    let text = text(&rig, json!({ "target": "docs", "templates": ["deployment_guide"] }));
    insta::assert_snapshot!(text, @r"
    # Deployment of project

    ## Deploy

    By hand:

    - `bash scripts/deploy.sh`, which says of itself:

      ```text
      Releases `dist`:
        deploy.sh staging|production
      ```

    ## Roll back

    - `bash scripts/rollback.sh` (from `scripts/rollback.sh`)
    ");
}

#[test]
fn no_guide_has_two_blank_lines_or_ends_in_one() {
    for rig in [fastify(), fastapi(), makefile(), Rig::bare()] {
        for template in
            ["runbook", "testing_guide", "deployment_guide", "deployment_runbook", "rollback_runbook"]
        {
            let text = text(&rig, json!({ "target": "docs", "templates": [template] }));
            assert!(!text.contains("\n\n\n") && !text.ends_with("\n\n") && text.ends_with('\n'), "{text}");
        }
    }
}
