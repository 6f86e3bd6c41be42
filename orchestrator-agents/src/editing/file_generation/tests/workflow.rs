//! The workflow that rolls back.

use insta::assert_snapshot;

use super::*;

fn asked(variables: Value) -> Value {
    json!({ "target": ".github/workflows/rollback.yml", "templates": ["rollback_workflow"], "variables": variables })
}

#[test]
fn it_deploys_the_way_the_project_does() {
    let health = json!({ "health_url": "https://school.example/health" });
    assert_snapshot!("rollback_npm", text(&fastify(), asked(health)));
    assert_snapshot!("rollback_pnpm", text(&scripted("pnpm@9.0.0", "pnpm-lock.yaml"), asked(json!({}))));
    assert_snapshot!("rollback_make", text(&makefile(), asked(json!({}))));
}

#[test]
fn the_environment_reaches_what_deploys() {
    let deploys = |files: &[(&str, &str)]| {
        let rig = Rig::bare();
        for (path, text) in files {
            rig.write(path, text);
        }
        let workflow: Value = serde_saphyr::from_str(&text(&rig, asked(json!({})))).unwrap();
        let steps = workflow["jobs"]["rollback"]["steps"].as_array().unwrap().clone();
        let step = steps.into_iter().find(|step| step["name"] == "Deploy it").unwrap();
        assert!(step["env"]["DEPLOY_ENVIRONMENT"].is_string());
        step["run"].as_str().unwrap().to_owned()
    };
    let script = ("scripts/deploy.sh", "#!/bin/sh\n# deploy.sh ENVIRONMENT\n");
    assert_eq!(deploys(&[script]), "bash scripts/deploy.sh \"$DEPLOY_ENVIRONMENT\"");
    let each = r#"{"scripts": {"deploy:staging": "x", "deploy:production": "y"}}"#;
    let run = "cd web && npm run \"deploy:$DEPLOY_ENVIRONMENT\"";
    assert_eq!(deploys(&[("web/package.json", each), script]), run);
    assert_eq!(deploys(&[("Makefile", "deploy:\n\t./x\n")]), "make deploy");
}

#[test]
fn no_input_is_pasted_into_a_script() {
    for rig in [fastify(), makefile()] {
        let text = text(&rig, asked(json!({})));
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        let steps = workflow["jobs"]["rollback"]["steps"].as_array().unwrap();
        assert!(steps.len() > 3);
        for step in steps {
            let run = step.get("run").and_then(Value::as_str).unwrap_or_default();
            assert!(!run.contains("${{"), "{run}");
            let uses = step.get("uses").and_then(Value::as_str);
            let pinned = |uses: &str| uses.split_once('@').is_some_and(|(_, commit)| commit.len() == 40);
            assert!(uses.is_none_or(pinned), "{uses:?}");
        }
        assert_eq!(workflow["permissions"], json!({}));
    }
    let sneaky = asked(json!({ "deploy_command": "deploy ${{ github.event.issue.title }}" }));
    assert!(drafts(&fastify(), sneaky).unwrap_err().contains("holds an expression"));
    let lines = asked(json!({ "deploy_command": "deploy\nrun: x" }));
    assert!(drafts(&fastify(), lines).unwrap_err().contains("no command on one line"));
}

/// What is asked for is checked by the very script of the workflow.
#[test]
fn only_versions_are_taken() {
    let rig = fastify();
    let workflow: Value = serde_saphyr::from_str(&text(&rig, asked(json!({})))).unwrap();
    let step = &workflow["jobs"]["rollback"]["steps"][0];
    let script = step["run"].as_str().unwrap();
    let takes = |version: &str, reason: &str| {
        let mut command = std::process::Command::new("bash");
        command.args(["-e", "-c", script]).env("VERSION", version).env("REASON", reason);
        command.output().unwrap().status.success()
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";
    for version in ["v1.2.3", "1.2.3-rc.1", commit] {
        assert!(takes(version, "it is slow"), "{version}");
    }
    for version in ["main", "v1", "v1.2.3; id", "--help", "$(id)", "v1.2.3\nx", "", &commit[1..]] {
        assert!(!takes(version, "it is slow"), "{version}");
    }
    assert!(!takes("v1.2.3", "") && !takes("v1.2.3", "two\nlines"));
}

/// A package in a folder, with the lockfile of a package manager, deployed by a shell script.
fn scripted(manager: &str, lock: &str) -> Rig {
    let rig = Rig::bare();
    rig.write(
        "web/package.json",
        &json!({ "packageManager": manager, "scripts": { "build": "tsc" } }).to_string(),
    );
    rig.write(&format!("web/{lock}"), "");
    rig.write("scripts/deploy.sh", "#!/bin/sh\n# Deploys: deploy.sh ENVIRONMENT\n");
    rig
}

/// `ORCHESTRATE_TEST_TOOLS` names the folder of the two programs.
#[test]
#[ignore = "needs zizmor and check-jsonschema"]
fn needs_workflow_linters_for_the_workflow() {
    let tools = std::env::var("ORCHESTRATE_TEST_TOOLS").expect("`ORCHESTRATE_TEST_TOOLS` names a folder");
    for (rig, variables) in [
        (fastify(), json!({ "health_url": "https://school.example/health" })),
        (makefile(), json!({})),
        (scripted("pnpm@9.0.0", "pnpm-lock.yaml"), json!({})),
        (scripted("yarn@4.0.0", "yarn.lock"), json!({})),
        (scripted("bun@1.2.0", "bun.lock"), json!({})),
        (fastapi(), json!({ "deploy_command": "./ship \"a b\" && echo 'done'" })),
    ] {
        rig.write("w/rollback.yml", &text(&rig, asked(variables)));
        let tool = |name: &str, args: &[&str]| {
            let output = rig.command(&format!("{tools}/{name}"), args, &rig.root);
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{name}: {said}");
        };
        tool("zizmor", &["--offline", "--no-progress", "--persona=pedantic", "w/rollback.yml"]);
        tool("check-jsonschema", &["--builtin-schema", "vendor.github-workflows", "w/rollback.yml"]);
    }
}
