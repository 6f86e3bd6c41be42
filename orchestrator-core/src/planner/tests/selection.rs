//! What was chosen to run.

use super::*;
use crate::pipeline::{Kind, When};

/// Three phases; the first and the last with checkpoints.
fn school() -> Pipeline {
    let tagged = |name: &str, tag: &str| TaskSpec { tags: vec![tag.into()], ..task(name) };
    let check = |name: &str| Checkpoint { name: name.into(), validations: vec![task(name)] };
    let mut build = PhaseSpec::new(PhaseName::new("build").unwrap())
        .group(group("group_a", vec![tagged("lint", "quick"), task("compile")]))
        .group(group("b", vec![tagged("test", "slow").needs([id("compile")])]));
    build.checkpoint = Some(check("built"));
    let second = phase("phase_2", vec![with("pack", json!({ "text": { "from": "compile/text" } }))]);
    let mut deploy = phase("deploy", vec![task("ship").needs([id("pack")]), task("tell")]);
    deploy.checkpoint = Some(check("up"));
    pipeline(vec![build, second, deploy])
}

fn words(names: &str) -> Vec<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

/// `+` selected, `-` left out, `=` carried.
fn marks(plan: &Plan) -> String {
    let marks = plan.tasks().iter().map(|task| match &task.selection {
        Selection::Selected => format!("+{}", task.id),
        Selection::LeftOut => format!("-{}", task.id),
        Selection::Carried { .. } => format!("={}", task.id),
    });
    marks.collect::<Vec<_>>().join(" ")
}

fn chosen(selector: &Selector, before: &[&str]) -> String {
    match select(&school(), selector, &Before::of(before)) {
        Ok(plan) => marks(&plan),
        Err(problems) => problems.to_string(),
    }
}

fn by_phase(names: &str) -> Selector {
    Selector { phases: words(names), ..Selector::default() }
}

const BUILD: [&str; 4] = ["lint", "compile", "test", "built"];

#[test]
fn a_phase_goes_by_name_number_and_short_name() {
    for name in ["build", "1"] {
        let said = chosen(&by_phase(name), &[]);
        assert_eq!(said, "+lint +compile +test +built -pack -ship -tell -up", "{name}");
    }
    for name in ["phase_2", "2"] {
        let said = chosen(&by_phase(name), &BUILD);
        assert_eq!(said, "=lint =compile =test =built +pack -ship -tell -up", "{name}");
    }
    assert_eq!(chosen(&by_phase("1 3"), &["pack"]), "+lint +compile +test +built =pack +ship +tell +up");
    assert_eq!(
        chosen(&by_phase("dploy 4"), &[]),
        "--phase: unknown phase `4`; known: build, phase_2, deploy\n\
         --phase: unknown phase `dploy`; did you mean `deploy`?"
    );
}

#[test]
fn a_phase_alone_says_what_it_lacks() {
    let said = chosen(&by_phase("deploy"), &BUILD);
    assert_eq!(
        said,
        "--phase: phase `deploy` depends on `phase_2`, which has not passed in an earlier run; run it too with \
         `--phase phase_2,deploy`, or leave it out on purpose with `--skip phase_2`"
    );
    let one_missing = chosen(&by_phase("2"), &["lint", "compile", "built"]);
    assert!(one_missing.contains("phase `phase_2` depends on `build`"), "{one_missing}");
    let skipped = Selector { skip: words("phase_2"), ..by_phase("deploy") };
    assert_eq!(chosen(&skipped, &BUILD), "=lint =compile =test =built -pack +ship +tell +up");
}

/// What its condition skipped, and what may fail, does not keep a phase from having passed.
#[test]
fn a_phase_that_passed_without_all_of_its_tasks_has_passed() {
    let mut all = school();
    let tasks = &mut all.phases[1].groups[0].tasks;
    tasks.push(task("on-failure").when(When::Failed(id("pack"))));
    tasks.push(TaskSpec { continue_on_error: true, ..task("shaky") });
    let selector = by_phase("deploy");
    let plan = select(&all, &selector, &Before::of(&["pack"])).unwrap();
    assert!(marks(&plan).contains("=pack -on-failure -shaky +ship"));
    assert!(select(&all, &selector, &Before::of(&["shaky"])).is_err());
    all.phases[1].groups[0].tasks.retain(|task| task.continue_on_error);
    all.phases[2].groups[0].tasks.retain(|task| task.needs.is_empty());
    assert!(select(&all, &selector, &Nothing).is_err(), "it never ran");
    assert!(select(&all, &selector, &Before::of(&["shaky"])).is_ok());
}

#[test]
fn a_phase_that_is_left_out_is_checked_all_the_same() {
    let skip = |names: &str| Selector { skip: words(names), ..Selector::default() };
    assert_eq!(chosen(&skip("deploy"), &[]), "+lint +compile +test +built +pack -ship -tell +up");
    assert_eq!(chosen(&skip("2,"), &[]), "--skip: unknown phase `2,`; known: build, phase_2, deploy");
    let said = chosen(&skip("1"), &[]);
    assert_eq!(
        said,
        "task `pack` takes the output of `compile`, which is left out and has not passed in an earlier run; select \
         it too"
    );
    assert_eq!(chosen(&skip("1 2"), &[]), "-lint -compile -test +built -pack +ship +tell +up");
}

/// Messages are chosen with the phase that they tell of, and only where it runs whole.
#[test]
fn what_tells_of_a_phase_goes_with_it() {
    let mut all = school();
    let tell = |name: &str, when: &str| task(name).when(When::parse(when).unwrap());
    let mut told =
        phase("told", vec![tell("good", "passed(phase build)"), tell("bad", "failed(phase phase_2)")]);
    told.depends_on = Some(Vec::new());
    all.phases.push(told);
    let ends = |selector: &Selector| {
        let said = marks(&select(&all, selector, &Before::of(&BUILD)).unwrap());
        said.split(' ').rev().take(2).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ends(&Selector::default()), "+bad +good");
    assert_eq!(ends(&by_phase("build")), "-bad +good");
    assert_eq!(ends(&by_phase("2")), "+bad -good");
    let part = Selector { groups: words("build/a"), ..Selector::default() };
    assert_eq!(ends(&part), "-bad +good", "the rest of it passed before");
    let alone = marks(&select(&all, &part, &Nothing).unwrap());
    assert!(alone.ends_with("-good -bad"), "{alone}");
    assert_eq!(ends(&Selector { skip: words("told"), ..Selector::default() }), "-bad -good");
    all.phases[3].groups[0].tasks.push(tell("nobody", "passed(phase bild)"));
    let problems = select(&all, &Selector::default(), &Nothing).unwrap_err().to_string();
    assert!(problems.contains("unknown phase `bild`; did you mean `build`?"), "{problems}");
}

#[test]
fn groups_tasks_and_tags_choose_within() {
    let groups = |names: &str| Selector { groups: words(names), ..Selector::default() };
    for name in ["group_a", "a", "build/a", "build/group_a"] {
        let said = chosen(&groups(name), &[]);
        assert_eq!(said, "+lint +compile -test -built -pack -ship -tell -up", "{name}");
    }
    assert_eq!(chosen(&groups("c"), &[]), "--group: unknown group `c`; did you mean `b`?");
    assert!(chosen(&groups("deploy/b"), &[]).starts_with("--group: unknown group `deploy/b`"));
    let tasks = |names: &str| Selector { tasks: words(names), ..Selector::default() };
    assert_eq!(chosen(&tasks("ship"), &[]), "-lint +compile -test -built +pack +ship -tell -up");
    assert_eq!(chosen(&tasks("test tell"), &[]), "-lint +compile +test -built -pack -ship +tell -up");
    assert_eq!(chosen(&tasks("shipp"), &[]), "--task: unknown task `shipp`; did you mean `ship`?");
    let tags = |names: &str| Selector { tags: words(names), ..Selector::default() };
    assert_eq!(chosen(&tags("quick slow"), &[]), "+lint -compile +test -built -pack -ship -tell -up");
    assert_eq!(chosen(&tags("quik"), &[]), "--tag: unknown tag `quik`; did you mean `quick`?");
}

#[test]
fn what_passed_before_is_carried_and_checked_again() {
    let carry = Selector { carry: true, ..Selector::default() };
    let before: Vec<_> = BUILD.into_iter().chain(["pack"]).collect();
    assert_eq!(chosen(&carry, &before), "=lint =compile =test +built =pack +ship +tell +up");
    let plan = select(&school(), &carry, &Before::of(&before)).unwrap();
    let Selection::Carried { run, output } = &find(&plan, "compile").selection else { panic!("carried") };
    assert_eq!((run.as_str(), &output.value()["text"]), ("20260101000000-00000000", &json!("x")));
}

#[test]
fn what_a_fast_run_leaves_out_is_said() {
    let kind = |name: &str, kind| TaskSpec { kind, ..task(name) };
    let mut deployment = phase("deployment", vec![task("ship")]);
    deployment.checkpoint = Some(Checkpoint { name: "up".into(), validations: vec![task("answers")] });
    let pipeline = pipeline(vec![
        phase("restart_backup", vec![task("backup")]),
        phase("checks", vec![kind("lint", Kind::Static), kind("all", Kind::Gate), kind("unit", Kind::Test)]),
        phase("more", vec![kind("audit", Kind::Gate), task("other")]),
        deployment,
    ]);
    let made = |fast, skip_tests, phases: &str| {
        let selector = Selector { fast, skip_tests, phases: words(phases), ..Selector::default() };
        let plan = select(&pipeline, &selector, &Nothing).unwrap();
        (marks(&plan), plan.parts().notes.join("; "))
    };
    assert_eq!(made(false, false, "").1, "");
    let (marks, notes) = made(true, false, "");
    assert_eq!(marks, "-backup +lint -all +unit -audit +other -ship -answers");
    assert_eq!(notes, "fast: without the phases restart_backup, deployment and 2 gates");
    let (marks, notes) = made(true, true, "");
    assert_eq!(marks, "-backup +lint -all -unit -audit +other -ship -answers");
    assert_eq!(
        notes,
        "fast: without the phases restart_backup, deployment and 2 gates; skip-tests: without 1 test"
    );
    let (marks, notes) = made(true, false, "restart_backup checks more deployment");
    assert_eq!(marks, "+backup +lint -all +unit -audit +other +ship +answers", "they were named");
    assert_eq!(notes, "fast: without 2 gates");
    assert_eq!(made(false, true, "restart_backup").1, "", "nothing that was chosen is left out");
}
