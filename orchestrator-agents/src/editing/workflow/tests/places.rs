//! Odd places in a text: comments around, keys after a dash, lists without indentation, values of many lines.

use serde_json::json;

use super::{changed, yaml};

#[test]
fn a_key_after_a_dash_gives_its_place_to_the_next() {
    let text = "on: push\njobs:\n  a:\n    steps:\n      - continue-on-error: true # slow\n\n        # why\n        run: make\n      - run: b\n";
    let after = changed("remove_continue_on_error", text, json!({}));
    let expected =
        "on: push\njobs:\n  a:\n    steps:\n      # slow\n      # why\n      - run: make\n      - run: b\n";
    assert_eq!(after, expected);
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let text = "on: push\njobs:\n  test:\n    services: {db: {image: x}}\n    steps:\n      # first\n      - run: npm ci\n      # the tests\n      # all of them\n      - run: npm test\n      # last\n  # of b\n  b:\n    runs-on: x\n";
    let after = changed("add_migration_step", text, json!({"command": "npx knex migrate:latest"}));
    let expected = "      - run: npm ci\n      - name: Apply database migrations\n        run: npx knex migrate:latest\n      # the tests\n      # all of them\n      - run: npm test\n      # last\n  # of b\n";
    assert!(after.contains(expected), "{after}");
}

#[test]
fn a_script_that_looks_like_yaml_is_a_script() {
    let text = "on: push\njobs:\n  test:\n    steps:\n    - run: |\n        cat <<EOF\n        # - run: npm test\n        jobs:\n          x: 1\n        EOF\n\n        # done\n    - run: |+\n        npm test\n\n\n  # next\n  b:\n    runs-on: x\n";
    let after = changed("add_migration_step", text, json!({"command": "a\n\nb"}));
    let steps = yaml(&after)["jobs"]["test"]["steps"].clone();
    assert_eq!(steps[1]["run"], "a\n\nb\n");
    assert_eq!(steps[0], yaml(text)["jobs"]["test"]["steps"][0]);
    assert_eq!(steps[2], yaml(text)["jobs"]["test"]["steps"][1]);
}

#[test]
fn words_of_people_stay_words() {
    let options = json!({"command": "echo 'it''s: #1' && deploy: now", "environment": "yes", "needs": ["true"], "env": {"A": "no", "B": "#"}});
    let text = "on: push\njobs:\n  'true':\n    runs-on: x\n    steps:\n      - run: make\n";
    let after = changed("implement_staging_deploy", text, options);
    let job = &yaml(&after)["jobs"]["deploy-staging"];
    assert_eq!(job["environment"]["name"], "yes", "{after}");
    assert_eq!(job["steps"][1]["run"], "echo 'it''s: #1' && deploy: now");
    assert_eq!(job["steps"][1]["env"], json!({"A": "no", "B": "#"}));
    assert_eq!(job["needs"], json!(["true"]), "{after}");
}

#[test]
fn a_trivy_command_blocks() {
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          trivy image \\\n            --exit-code=0 \\\n            app || true\n          echo ok\n      - run: trivy config .\n";
    let after = changed("make_trivy_blocking", text, json!({}));
    let steps = yaml(&after)["jobs"]["a"]["steps"].clone();
    assert_eq!(
        steps[0]["run"],
        "trivy image --severity CRITICAL,HIGH \\\n  --exit-code=1 \\\n  app\necho ok\n"
    );
    assert_eq!(steps[1]["run"], "trivy config --exit-code 1 --severity CRITICAL,HIGH .");
}

#[test]
fn a_matrix_grows() {
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    strategy:\n      max-parallel: 1 # slow\n      matrix:\n        python-version: [3.9, '3.10'] # old\n    steps:\n      - uses: actions/setup-python@v5\n        with:\n          python-version: ${{ matrix.python-version }}\n";
    let after = changed("parallelize_python_builds", text, json!({"versions": ["3.10", "3.12"]}));
    let job = &yaml(&after)["jobs"]["a"];
    assert_eq!(
        job["strategy"],
        json!({"fail-fast": false, "matrix": {"python-version": ["3.9", "3.10", "3.12"]}})
    );
    assert!(after.contains("# slow") && after.contains("'3.12'] # old"), "{after}");
}

#[test]
fn folders_that_differ_are_not_merged() {
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cd a && pytest\n      - run: cd b && pytest -x\n";
    let said = super::refused("parallelize_python_builds", text, json!({"folders": ["a", "b"]}));
    assert!(said.contains("does not do the same in `a` and `b`"), "{said}");
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cd a && pytest a/tests\n      - run: cd b && pytest b/tests\n";
    let said = super::refused("parallelize_python_builds", text, json!({"folders": ["a", "b"]}));
    assert!(said.contains("in its script too"), "{said}");
}
