use serde_json::{Map, Value, json};

use super::super::config::EditConfig;
use super::super::edited::Facts;
use super::super::work::{Done, work};

fn facts() -> Facts {
    let paths = |paths: &[&str]| paths.iter().map(|path| path.parse().unwrap()).collect();
    Facts {
        script_sources: paths(&["src", "web/app", "web/lib"]),
        python_sources: paths(&["app", "src"]),
        ..Facts::default()
    }
}

fn run(target: &str, text: &str, action: &str, rest: Value) -> Result<Done, String> {
    let mut config = json!({ "target": target, "action": action });
    config.as_object_mut().unwrap().extend(rest.as_object().unwrap_or(&Map::new()).clone());
    let config: EditConfig = serde_json::from_value(config).unwrap();
    work(&config, text, &facts()).map_err(|error| error.to_string())
}

fn after(target: &str, text: &str, action: &str, rest: Value) -> String {
    let new = run(target, text, action, rest.clone()).unwrap().text.expect("it changed");
    assert_eq!(run(target, &new, action, rest).unwrap().text, None);
    new
}

fn said(target: &str, text: &str, action: &str, rest: Value) -> String {
    let done = run(target, text, action, rest).unwrap();
    assert_eq!(done.text, None);
    done.said.join("\n")
}

fn refused(target: &str, text: &str, action: &str, rest: Value) -> String {
    run(target, text, action, rest).unwrap_err()
}

const VITEST: &str = "export default defineConfig({\n  test: {\n    coverage: {\n      include: ['src/a/**'], // i\n      thresholds: { lines: 70, branches: 90 },\n    },\n  },\n});\n";

#[test]
fn coverage_is_collected_from_more() {
    const EXPAND: &str = "expand_coverage_collection";
    let new = after("vitest.config.ts", VITEST, EXPAND, json!({}));
    assert_eq!(new, VITEST.replace("'src/a/**']", "'src/a/**', 'src/**/*.{ts,tsx,js,jsx}']"));
    let new = after("web/vite.config.ts", "export default { plugins: [] };\n", EXPAND, json!({}));
    let globs = "['app/**/*.{ts,tsx,js,jsx}', 'lib/**/*.{ts,tsx,js,jsx}']";
    assert_eq!(
        new.split_whitespace().collect::<String>(),
        format!("exportdefault{{plugins:[],test:{{coverage:{{include:{globs}}}}}}};").replace(' ', "")
    );
    let include = json!({ "options": { "include": ["src/a/**", "lib/**"] } });
    assert_eq!(
        after("vitest.config.ts", VITEST, EXPAND, include),
        VITEST.replace("'src/a/**']", "'src/a/**', 'lib/**']")
    );
    assert_eq!(
        after("jest.config.js", "module.exports = {\n  verbose: true\n};\n", EXPAND, json!({})),
        "module.exports = {\n  verbose: true,\n  collectCoverageFrom: ['src/**/*.{ts,tsx,js,jsx}']\n};\n"
    );
    let package = "{\n  \"jest\": {\n    \"collectCoverageFrom\": [\n      \"lib/**\"\n    ]\n  }\n}\n";
    let new = after("package.json", package, EXPAND, json!({}));
    assert_eq!(new, package.replace("\"lib/**\"", "\"lib/**\",\n      \"src/**/*.{ts,tsx,js,jsx}\""));
    let new = after("pyproject.toml", "# c\n[project]\nname = \"x\"\n", EXPAND, json!({}));
    assert_eq!(new, "# c\n[project]\nname = \"x\"\n\n[tool.coverage.run]\nsource = [\"app\", \"src\"]\n");

    let so = said(
        "vitest.config.ts",
        "export default { test: { coverage: { include: ['./src/**/*.ts'] } } }",
        EXPAND,
        json!({}),
    );
    assert_eq!(so, "`./src/**/*.ts` covers `src`");
    assert!(refused("package.json", "{}", EXPAND, json!({})).contains("no `jest` configuration"));
    assert!(refused("tsconfig.json", "{}", EXPAND, json!({})).contains("known: vitest.config.*"));
    assert!(
        refused("api/jest.config.js", "module.exports = {}", EXPAND, json!({}))
            .contains("no folder with sources was found in `api`")
    );
    assert!(
        refused("jest.config.js", "module.exports = {}", EXPAND, json!({ "options": { "glob": [] } }))
            .contains("unknown option `glob`; known: include")
    );
    for include in [json!("x"), json!([]), json!([1]), json!([""]), json!(["a\nb"])] {
        let why = refused(
            "jest.config.js",
            "module.exports = {}",
            EXPAND,
            json!({ "options": { "include": include } }),
        );
        assert!(why.contains("not a list of 1 to 100 globs"), "{why}");
    }
}

#[test]
fn thresholds_are_added_and_none_is_lowered() {
    const ADD: &str = "add_directory_thresholds";
    let thresholds = json!({ "thresholds": { "global": { "lines": 80, "branches": 80 }, "src/services": { "lines": 90 } } });
    let new = after("vitest.config.ts", VITEST, ADD, thresholds.clone());
    assert_eq!(
        new,
        VITEST.replace(
            "{ lines: 70, branches: 90 }",
            "{ lines: 80, branches: 90, 'src/services/**': { lines: 90 } }"
        )
    );
    let new = after("jest.config.js", "module.exports = {};\n", ADD, thresholds.clone());
    for line in ["'./src/services/': {", "global: {", "branches: 80", "lines: 90"] {
        assert!(new.contains(line), "{new}");
    }
    let new = after("package.json", "{\"jest\": {}}", ADD, json!({ "thresholds": { "src/*.ts": 50 } }));
    let value: Value = serde_json::from_str(&new).unwrap();
    let all = json!({ "lines": 50, "functions": 50, "branches": 50, "statements": 50 });
    assert_eq!(value, json!({ "jest": { "coverageThreshold": { "./src/*.ts": all } } }));
    let new = after(
        "pyproject.toml",
        "[tool.coverage.report]\nfail_under = 60 # c\n",
        ADD,
        json!({ "thresholds": { "lines": 75.5 } }),
    );
    assert_eq!(new, "[tool.coverage.report]\nfail_under = 75.5 # c\n");

    assert_eq!(
        said("vitest.config.ts", VITEST, ADD, json!({ "thresholds": { "lines": 60 } })),
        "`test.coverage.thresholds.lines` is `70`"
    );
    assert!(
        refused("pyproject.toml", "", ADD, json!({ "thresholds": { "app": 80 } }))
            .contains("one threshold for all files")
    );
    assert!(
        refused("pyproject.toml", "", ADD, json!({ "thresholds": { "branches": 80 } }))
            .contains("no threshold of `branches`")
    );
    assert!(
        refused("jest.config.js", "module.exports = {}", ADD, json!({})).contains("no thresholds are given")
    );
    for wrong in [json!(101), json!(-1), json!("80"), json!(null), json!({})] {
        let why =
            refused("jest.config.js", "module.exports = {}", ADD, json!({ "thresholds": { "src": wrong } }));
        assert!(why.contains("not a number from 0 to 100"), "{why}");
    }
    assert!(
        refused(
            "jest.config.js",
            "module.exports = {}",
            ADD,
            json!({ "thresholds": { "src": { "line": 1 } } })
        )
        .contains("unknown metric `line` of `src`")
    );
    let spread = "export default { test: { coverage: { thresholds: { ...base } } } }";
    assert!(
        refused("vitest.config.ts", spread, ADD, json!({ "thresholds": { "lines": 60 } }))
            .contains("takes keys from `...base`")
    );
}

#[test]
fn audits_become_stricter_and_never_laxer() {
    const UPGRADE: &str = "upgrade_audit_level";
    let package = "{\n  \"scripts\": {\n    \"audit\": \"npm audit --audit-level=critical || true\",\n    \"test\": \"vitest\"\n  }\n}\n";
    assert_eq!(after("package.json", package, UPGRADE, json!({})), package.replace("critical", "high"));
    assert_eq!(
        after("package.json", package, UPGRADE, json!({ "options": { "level": "low" } })),
        package.replace("critical", "low")
    );
    let so = said("package.json", &package.replace("critical", "moderate"), UPGRADE, json!({}));
    assert_eq!(so, "`scripts.audit` audits from `moderate` on");
    assert_eq!(
        after(".npmrc", "# c\r\naudit-level = critical\r\nx=1", UPGRADE, json!({})),
        "# c\r\naudit-level=high\r\nx=1"
    );
    assert_eq!(after(".npmrc", "audit-level=none\n", UPGRADE, json!({})), "audit-level=high\n");
    assert_eq!(
        said("web/.npmrc", "x=1\n", UPGRADE, json!({})),
        "no `audit-level`: audits fail at any severity"
    );
    assert_eq!(said(".npmrc", "audit-level=low\n", UPGRADE, json!({})), "`audit-level` is `low`");
    let ci = "jobs:\n  a:\n    steps:\n      - run: npm audit # c\n      - run: |\n          npm ci\n          # why\n          npm audit --audit-level=critical\n";
    let new = ci.replace("critical", "high");
    assert_eq!(after(".github/workflows/ci.yml", ci, UPGRADE, json!({})), new);

    assert!(
        refused("package.json", "{\"scripts\": {\"test\": \"x\"}}", UPGRADE, json!({}))
            .ends_with("`\"audit\": \"npm audit --audit-level=high\"`")
    );
    assert!(refused("ci.yml", "jobs: {}", UPGRADE, json!({})).contains("no step of it audits"));
    assert!(
        refused("package.json", "{\"scripts\": {\"a\": \"npm audit --audit-level=$L\"}}", UPGRADE, json!({}))
            .contains("takes its level from `$L`")
    );
    assert!(
        refused("package.json", package, UPGRADE, json!({ "options": { "level": "none" } }))
            .contains("is none of critical, high")
    );
}

#[test]
fn an_action_that_there_is_not_is_refused_with_those_that_there_are() {
    let config = json!({ "target": "a.yml", "action": "x" });
    let error = serde_json::from_value::<EditConfig>(config).unwrap_err().to_string();
    assert!(error.starts_with("unknown action `x`; known: add_approval_gates, "), "{error}");
}
