//! What is generated for the roadmap of the example, under its own vitest, TypeScript and prettier.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::node::with_modules;
use super::rounds::run;
use crate::rig::Rig;

/// The tasks of the roadmap: source, test file, template, and how many cases there are at least.
const TASKS: [(&str, &str, &str, usize); 15] = [
    ("src/services/rbac.service.ts", "tests/unit/services/rbac.service.test.ts", "service", 5),
    ("src/services/user.service.ts", "tests/unit/services/user.service.test.ts", "service", 7),
    ("src/services/audit.service.ts", "tests/unit/services/audit.service.test.ts", "service", 3),
    ("src/services/scoring.service.ts", "tests/unit/services/scoring.service.test.ts", "service", 5),
    ("src/services/community.service.ts", "tests/unit/services/community.service.test.ts", "service", 6),
    ("src/services/assessment.service.ts", "tests/unit/services/assessment.service.test.ts", "service", 2),
    (
        "src/services/notification.service.ts",
        "tests/unit/services/notification.service.test.ts",
        "service",
        3,
    ),
    ("src/services/report.service.ts", "tests/unit/services/report.service.test.ts", "service", 2),
    ("src/routes/health.ts", "tests/integration/health.test.ts", "route", 1),
    ("src/routes/users.ts", "tests/integration/users.test.ts", "route", 5),
    ("src/routes/communities.ts", "tests/integration/communities.test.ts", "route", 4),
    ("src/routes/assessments.ts", "tests/integration/assessments.test.ts", "route", 5),
    ("src/config/env.ts", "tests/unit/config/env.test.ts", "config", 6),
    ("src/db/repository.ts", "tests/unit/db/repository.test.ts", "service", 2),
    ("src/lib/pagination.ts", "tests/unit/lib/pagination.test.ts", "service", 5),
];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let own = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
        } else if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &own);
        } else {
            std::fs::copy(entry.path(), own).unwrap();
        }
    }
}

#[test]
#[ignore = "needs examples/roadmap/node_modules"]
fn needs_node_the_example_is_generated_whole() {
    let rig = Rig::bare();
    copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/roadmap"), &rig.root);
    with_modules(&rig);
    let (mut wrong, mut files) = (Vec::new(), Vec::new());
    for (target, test_file, template, least) in TASKS {
        let config = json!({ "target": target, "test_file": test_file, "templates": [template] });
        let ended = run(&rig, config).unwrap();
        println!("==== {target}: {}", ended.summary());
        let Ok(conclusion) = &ended.verdict else {
            wrong.push(format!("{target}: {}", ended.summary()));
            continue;
        };
        let output = conclusion.output.as_ref().unwrap();
        println!("{}", rig.read(test_file));
        for it in &output.needs_person {
            println!("-- {} needs a person, line {}: {}", it.what, it.line, it.why);
        }
        if !output.ran || output.cases.len() < least {
            wrong.push(format!("{target}: {}", ended.summary()));
        }
        // What did not pass was not true of the source.
        wrong.extend(
            output
                .needs_person
                .iter()
                .filter(|it| it.why.starts_with("it did not pass"))
                .map(|it| format!("{target}: {it:?}")),
        );
        files.push(test_file);
    }
    let mut check = vec!["--check"];
    check.extend(&files);
    for (tool, arguments) in [("tsc", &["--noEmit"][..]), ("prettier", &check)] {
        let output = rig.command(&format!("node_modules/.bin/{tool}"), arguments, &rig.root);
        if !output.status.success() {
            wrong.push(format!(
                "{tool}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
