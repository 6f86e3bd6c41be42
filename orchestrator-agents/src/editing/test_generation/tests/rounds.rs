//! How a generated file gets to stand, with a runner that is a script.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use orchestrator_core::action::{Action, Expects};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::outcome::Failure;
use orchestrator_core::testkit::{Kept, task};
use serde_json::{Value, json};

use super::super::{GeneratedTests, TestGeneration, TestGenerationConfig};
use super::texts::project;
use crate::rig::Rig;
use crate::testing::{perform, ready, shown};

/// What became of a task.
pub(super) struct Ended {
    pub(super) rounds: Vec<Vec<Action>>,
    pub(super) verdict: Result<Conclusion<GeneratedTests>, Conclusion<()>>,
}

impl Ended {
    pub(super) fn summary(&self) -> &str {
        match &self.verdict {
            Ok(conclusion) => &conclusion.summary,
            Err(conclusion) => &conclusion.summary,
        }
    }

    pub(super) fn output(&self) -> &GeneratedTests {
        self.verdict.as_ref().unwrap_or_else(|failed| panic!("{}", failed.summary)).output.as_ref().unwrap()
    }
}

pub(super) fn run(rig: &Rig, config: Value) -> Result<Ended, String> {
    let look = rig.look();
    let mut asked: Task<TestGenerationConfig> =
        task(serde_json::from_value(config).map_err(|error| error.to_string())?);
    asked.carried = ready(TestGeneration.survey(&asked, &look)).map_err(|error| error.to_string())?;
    let mut rounds = vec![ready(TestGeneration.plan(&asked, &look)).map_err(|error| error.to_string())?];
    loop {
        let mut kept = Kept::default();
        let mut receipts = Vec::new();
        for action in rounds.last().unwrap() {
            receipts.push(perform(action, &rig.root, &mut kept));
        }
        match TestGeneration.conclude(&asked, &receipts, &Artifacts::new(&kept)).unwrap() {
            Verdict::Passed(conclusion) => return Ok(Ended { rounds, verdict: Ok(conclusion) }),
            Verdict::Failed(conclusion) => return Ok(Ended { rounds, verdict: Err(conclusion) }),
            Verdict::Skipped(_) => panic!("nobody is asked"),
            Verdict::More { actions, carried } => {
                asked.carried = carried;
                rounds.push(actions);
            }
        }
    }
}

/// A runner that prints this and ends with that code.
fn runner(rig: &Rig, code: u8, report: &Value) {
    rig.write("report.json", &report.to_string());
    rig.write("node_modules/.bin/vitest", &format!("#!/bin/sh\ncat report.json\necho no >&2\nexit {code}\n"));
    let path = rig.root.join("node_modules/.bin/vitest");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn pricing() -> Value {
    json!({ "target": "src/pricing.ts", "estimated_cases": 12 })
}

fn stands(rig: &Rig) -> Option<String> {
    std::fs::read_to_string(rig.root.join("tests/pricing.test.ts")).ok()
}

#[test]
fn without_a_runner_it_is_written_and_said_to_be_not_run() {
    let rig = project();
    let ended = run(&rig, pricing()).unwrap();
    assert_snapshot!(ended.summary(), @"12 cases in `tests/pricing.test.ts`; not run: vitest is not installed in the project; install its packages and run `tests/pricing.test.ts`; 12 were estimated; 1 needs a person");
    assert_eq!(ended.rounds.len(), 1);
    assert!(!ended.output().ran);
    assert_eq!(ended.output().estimated, Some(12));
    let findings = &ended.verdict.as_ref().unwrap().findings;
    assert_eq!((findings[0].rule.as_str(), findings[0].line), ("needs-a-person", Some(31)));

    let again = run(&rig, pricing()).unwrap();
    assert_eq!(again.rounds, [Vec::new()]);
    assert!(again.summary().starts_with("already so: "), "{}", again.summary());
}

#[test]
fn what_passes_is_kept() {
    let rig = project();
    runner(&rig, 0, &json!({ "numPassedTests": 40, "testResults": [] }));
    let ended = run(&rig, pricing()).unwrap();
    let text: String = shown(&ended.rounds[0])
        .lines()
        .map(|line| line.split(" (").next().unwrap().to_owned() + "\n")
        .collect();
    assert_snapshot!(text, @r"
    write tests/pricing.test.ts
    write .orchestrate/generated/tests/pricing.test.ts.base
    run CI=1 NO_COLOR=1 node_modules/.bin/vitest run tests/pricing.test.ts --reporter=json --coverage.enabled=false [reads]
    ");
    assert!(ended.output().ran);
    assert!(ended.summary().contains("they pass under vitest"), "{}", ended.summary());
    assert_eq!(run(&rig, pricing()).unwrap().rounds, [Vec::new()], "it is not run again");
}

#[test]
fn a_case_that_fails_is_left_out_and_stays_so() {
    let rig = project();
    let failed = json!({ "ancestorTitles": ["slug"], "title": "gives \"title-1\"", "status": "failed", "failureMessages": ["it is odd\nat x"] });
    runner(&rig, 1, &json!({ "numPassedTests": 40, "testResults": [{ "assertionResults": [failed] }] }));
    // The second run of the runner passes.
    let path = rig.root.join("node_modules/.bin/vitest");
    let script = "#!/bin/sh\nif grep -q 'title-1' tests/pricing.test.ts; then cat report.json; exit 1; fi\necho '{\"numPassedTests\": 40}'\n";
    std::fs::write(&path, script.replace("'title-1'", "\"slug('title-1')\"")).unwrap();
    let ended = run(&rig, pricing()).unwrap();
    assert_eq!(ended.rounds.len(), 2, "{}", ended.summary());
    let output = ended.output();
    assert!(!output.cases.iter().any(|case| case.contains("title-1")), "{:?}", output.cases);
    let last = output.needs_person.last().unwrap();
    assert_eq!(
        (last.what.as_str(), last.why.as_str()),
        ("slug gives \"title-1\"", "it did not pass when it was run: it is odd")
    );
    let text = stands(&rig).unwrap();
    assert!(text.lines().last().unwrap().starts_with("// did not pass, so it was left out: "), "{text}");
    assert!(!text.contains("slug('title-1')"), "{text}");

    let again = run(&rig, pricing()).unwrap();
    assert_eq!(again.rounds, [Vec::new()], "what did not pass is known");
    assert!(again.output().needs_person.iter().any(|it| it.what == "slug gives \"title-1\""));
}

#[test]
fn a_file_that_does_not_pass_is_put_back() {
    let rig = project();
    runner(
        &rig,
        1,
        &json!({ "numPassedTests": 0, "testResults": [{ "message": "Cannot find package 'x'", "assertionResults": [] }] }),
    );
    let ended = run(&rig, pricing()).unwrap();
    assert_eq!(
        ended.summary(),
        "`tests/pricing.test.ts` is not kept, so it was removed; vitest says: Cannot find package 'x'"
    );
    assert!(stands(&rig).is_none());
    assert!(!rig.root.join(".orchestrate/generated/tests/pricing.test.ts.base").exists());
    assert!(!ended.verdict.unwrap_err().findings.is_empty());

    // A file that was generated before stands as it stood.
    runner(&rig, 0, &json!({ "numPassedTests": 40 }));
    run(&rig, pricing()).unwrap();
    let before = stands(&rig);
    rig.write("src/pricing.ts", "export const one = () => 1;\n");
    runner(&rig, 1, &json!({ "numPassedTests": 0, "testResults": [{ "message": "no" }] }));
    let ended = run(&rig, pricing()).unwrap();
    assert!(ended.summary().contains("so what stood was put back"), "{}", ended.summary());
    assert_eq!(stands(&rig), before);
}

#[test]
fn what_was_written_meanwhile_is_not_put_back() {
    let rig = project();
    runner(&rig, 1, &json!({ "numPassedTests": 0, "testResults": [{ "message": "no" }] }));
    let look = rig.look();
    let mut asked: Task<TestGenerationConfig> = task(serde_json::from_value(pricing()).unwrap());
    asked.carried = ready(TestGeneration.survey(&asked, &look)).unwrap();
    let mut kept = Kept::default();
    let actions = ready(TestGeneration.plan(&asked, &look)).unwrap();
    let receipts: Vec<Receipt> = actions.iter().map(|action| perform(action, &rig.root, &mut kept)).collect();
    let wrote = stands(&rig).unwrap();
    let verdict = TestGeneration.conclude(&asked, &receipts, &Artifacts::new(&kept)).unwrap();
    let Verdict::More { actions, carried } = verdict else { panic!("{verdict:?}") };
    let Action::Remove(remove) = &actions[0] else { panic!("{actions:?}") };
    assert_eq!(remove.expects, Expects::exactly(Some(wrote.as_bytes())));
    // Somebody wrote while the runner ran, so the executor refuses.
    asked.carried = carried;
    let failure = Failure::new("it is not what it was");
    let refused = Receipt::new(Status::Failed { failure, transient: false });
    let Verdict::Failed(conclusion) =
        TestGeneration.conclude(&asked, &[refused], &Artifacts::new(&kept)).unwrap()
    else {
        panic!("it failed");
    };
    let said =
        "`tests/pricing.test.ts` is not kept, but it was left as it is, since it could not be put back: ";
    assert!(conclusion.summary.starts_with(said), "{}", conclusion.summary);
}

#[test]
fn a_run_that_ran_nothing_proves_nothing() {
    let rig = project();
    runner(&rig, 0, &json!({ "numPassedTests": 0, "testResults": [] }));
    let ended = run(&rig, pricing()).unwrap();
    assert!(ended.verdict.is_err());
    assert!(ended.summary().contains("vitest ran 0 of "), "{}", ended.summary());
    assert!(stands(&rig).is_none());
}

#[test]
fn what_a_person_wrote_is_never_overwritten() {
    let rig = project();
    rig.write("tests/pricing.test.ts", "// mine\n");
    let ended = run(&rig, pricing()).unwrap();
    assert!(ended.summary().contains("was not generated here"), "{}", ended.summary());
    assert_eq!(stands(&rig).as_deref(), Some("// mine\n"));
}

#[test]
fn what_cannot_be_done_is_said() {
    let rig = project();
    rig.write("src/none.ts", "export const now = () => new Date();\n");
    rig.write("src/a.txt", "");
    let said = |config: Value| match run(&rig, config) {
        Ok(ended) => {
            assert!(ended.verdict.is_err());
            ended.summary().to_owned()
        }
        Err(error) => error,
    };
    let all = [
        said(json!({ "target": "src/none.ts" })),
        said(json!({ "target": "src/errors.ts" })),
        said(json!({ "target": "src/missing.ts" })),
        said(json!({ "target": "src/a.txt" })),
        said(json!({ "target": "src/pricing.ts", "test_file": "src/pricing.ts" })),
        said(json!({ "target": "src/pricing.ts", "test_type": "integration", "templates": ["service"] })),
        said(json!({ "target": "src/pricing.ts", "test_type": "e2e" })),
    ];
    assert_snapshot!(all.join("\n"), @r"
    no case could be made for `src/none.ts`; 1 thing in it needs a person; nothing was written
    `src/errors.ts` has nothing that tests are generated for; nothing was written
    there is no `src/missing.ts` to generate tests for; name a source file that is there
    the language of `src/a.txt` is not known by its extension; say `language: typescript`, `javascript`, `python` or `rust`
    `test_file` is `src/pricing.ts`, the target itself; name another file
    none of `templates` makes tests of that `test_type`: `route` is for `integration`, the others are for `unit`
    unknown variant `e2e`, expected `unit` or `integration`
    ");
    assert!(stands(&rig).is_none());
}

#[test]
fn a_project_has_its_own_template_and_formatter() {
    let rig = project();
    rig.write(
        "orchestration/templates/service.ts.j2",
        "{% for block in blocks %}{% for case in block.cases %}\nit({{ case.name }}, async () => { {{ case.act | join(' ') }} {{ case.then | join(' ') }} });\n{% endfor %}{% endfor %}",
    );
    rig.write(".prettierrc", "{}");
    rig.write("node_modules/.bin/prettier", "#!/bin/sh\necho '// formatted'\ncat\n");
    let path = rig.root.join("node_modules/.bin/prettier");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = run(&rig, pricing()).unwrap();
    assert!(matches!(&ended.rounds[0][..], [Action::Run(_)]), "the formatter alone");
    let text = stands(&rig).unwrap();
    assert!(text.starts_with("// formatted\n// Generated from src/pricing.ts."), "{text}");
    assert!(text.contains("async () => { const result = shipping(3); expect(result).toBe(5); });"), "{text}");
    rig.write("orchestration/templates/service.ts.j2", "{{ nothing }}");
    let said = run(&rig, pricing()).err().unwrap();
    assert!(
        said.contains("the template `orchestration/templates/service.ts.j2` could not be rendered"),
        "{said}"
    );
}

#[test]
fn a_cut_between_rounds_ends_the_same() {
    // What is carried is all that the next round needs: it survives being written down.
    let rig = project();
    runner(&rig, 1, &json!({ "numPassedTests": 0, "testResults": [{ "message": "no" }] }));
    let look = rig.look();
    let mut asked: Task<TestGenerationConfig> = task(serde_json::from_value(pricing()).unwrap());
    asked.carried = ready(TestGeneration.survey(&asked, &look)).unwrap();
    let actions = ready(TestGeneration.plan(&asked, &look)).unwrap();
    let recorded = serde_json::to_string(&(&actions, &asked.carried)).unwrap();
    let mut kept = Kept::default();
    // The file is written; then the process dies. The recorded actions are continued.
    perform(&actions[0], &rig.root, &mut kept);
    let (actions, carried): (Vec<Action>, _) = serde_json::from_str(&recorded).unwrap();
    asked.carried = carried;
    let mut receipts =
        vec![orchestrator_core::order::Receipt::new(orchestrator_core::order::Status::AlreadySo)];
    receipts.extend(actions[1..].iter().map(|action| perform(action, &rig.root, &mut kept)));
    let verdict = TestGeneration.conclude(&asked, &receipts, &Artifacts::new(&kept)).unwrap();
    let Verdict::More { actions, carried: _ } = verdict else { panic!("{verdict:?}") };
    for action in &actions {
        perform(action, &rig.root, &mut kept);
    }
    assert!(stands(&rig).is_none());
}
