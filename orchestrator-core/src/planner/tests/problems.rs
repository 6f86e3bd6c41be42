//! What is wrong with a pipeline, word for word.

use super::*;
use crate::pipeline::{Place, When};

fn tasks(tasks: Vec<TaskSpec>) -> Pipeline {
    pipeline(vec![phase("p", tasks)])
}

#[test]
fn each_problem_says_where_and_what_is_known() {
    let agent = |name: &str| TaskSpec { agent: AgentName::new(name).unwrap(), ..task("t") };
    let at = "phases[0].groups[0].tasks[0]";
    let cases = [
        (pipeline(vec![]), "phases: a pipeline needs at least one phase".to_owned()),
        (tasks(vec![agent("bth")]), format!("{at}.uses: unknown agent `bth`; did you mean `both`?")),
        (tasks(vec![agent("docker")]), format!("{at}.uses: unknown agent `docker`; known: both")),
        (
            tasks(vec![with("t", json!({ "list": ["a", 7] }))]),
            format!("{at}.with.list.1: invalid type: integer `7`, expected a string"),
        ),
        (
            tasks(vec![with("t", json!({ "txt": "a" }))]),
            format!("{at}.with.txt: unknown field `txt`, expected one of `text`, `number`, `list`"),
        ),
        (tasks(vec![task("t").needs([id("u")])]), format!("{at}.needs: unknown task `u`; did you mean `t`?")),
        (
            tasks(vec![task("t").when(When::Failed(id("other")))]),
            format!("{at}.when: unknown task `other`; known: t"),
        ),
        (
            tasks(vec![with("t", json!({ "text": { "from": "other/text" } }))]),
            format!("{at}.with.text.from: unknown task `other`; known: t"),
        ),
        (
            tasks(vec![with("t", json!({ "text": { "from": "u/texts" } })), task("u")]),
            format!("{at}.with.text.from: unknown output of `u` field `texts`; did you mean `text`?"),
        ),
        (
            tasks(vec![with("t", json!({ "text": { "from": "u/inner/depth" } })), task("u")]),
            format!("{at}.with.text.from: unknown output of `u` field `depth`; known: deep"),
        ),
        (
            tasks(vec![with("t", json!({ "text": { "from": "u/number" } })), task("u")]),
            format!("{at}.with.text.from: `u/number` is integer, and string is wanted here"),
        ),
        (
            tasks(vec![with("t", json!({ "text": { "from": "u" } })), task("u")]),
            format!("{at}.with.text.from: `u` is object, and string is wanted here"),
        ),
        (
            tasks(vec![task("t"), task("t")]),
            "phases[0].groups[0].tasks[1].id: two tasks are called `t`".to_owned(),
        ),
        (
            tasks(vec![task("t").retry(0, std::time::Duration::ZERO)]),
            format!("{at}.retry: needs at least 1 attempt"),
        ),
        (
            pipeline(vec![PhaseSpec { uses: Some("bild".into()), ..phase("p", vec![]) }]),
            "phases[0].use: unknown phase `bild`; there are none".to_owned(),
        ),
    ];
    for (pipeline, expected) in cases {
        assert_eq!(wrong(&pipeline), expected);
    }
    let bad = wrong(&tasks(vec![with("t", json!({ "text": { "from": "/x" } }))]));
    assert!(bad.starts_with(&format!("{at}.with.text.from: `` is not a valid task id")), "{bad}");
}

#[test]
fn groups_and_phases_are_checked_as_well() {
    let mut one = group("a", vec![task("t")]);
    one.max_parallel = Some(0);
    one.depends_on = vec!["bb".into(), "p/b".into(), "q/main".into(), "x/y".into()];
    let first = PhaseSpec::new(PhaseName::new("p").unwrap())
        .group(one)
        .group(group("b", vec![]))
        .group(group("b", vec![]));
    let mut second = phase("q", vec![]);
    second.depends_on = Some(phases(&["pp", "r"]));
    second.parallel_with = phases(&["s"]);
    let third = phase("r", vec![]);
    let said = wrong(&pipeline(vec![
        PhaseSpec { depends_on: Some(vec![]), ..first },
        second,
        PhaseSpec { parallel_with: phases(&["q"]), depends_on: Some(vec![]), ..third.clone() },
        third,
    ]));
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "phases[0].groups[0].depends_on: unknown group `bb`; did you mean `b`?",
            "phases[0].groups[0].depends_on: unknown group `x/y`; known: a, b, b",
            "phases[0].groups[0].max_parallel: must be at least 1",
            "phases[0].groups[2]: two groups of this phase are called `b`",
            "phases[1].depends_on: `r` cannot be waited for and run at the same time",
            "phases[1].depends_on: unknown phase `pp`; did you mean `p`?",
            "phases[1].parallel_with: unknown phase `s`; did you mean `p`?",
            "phases[3]: two phases are called `r`",
        ]
    );
}

#[test]
fn cycles_are_named_whatever_they_go_through() {
    let needs = |name: &str, before: &str| task(name).needs([id(before)]);
    let from = |name: &str, before: &str| with(name, json!({ "text": { "from": format!("{before}/text") } }));
    let cycle = |pipeline: &Pipeline| {
        let said = wrong(pipeline);
        let (way, names) =
            said.split_once(": tasks wait for each other: ").unwrap_or_else(|| panic!("{said}"));
        (way.to_owned(), names.to_owned())
    };
    let at = |task: usize| format!("phases[0].groups[0].tasks[{task}]");
    assert_eq!(cycle(&tasks(vec![needs("a", "a")])), (at(0), "a -> a".into()));
    assert_eq!(
        cycle(&tasks(vec![task("z"), needs("a", "c"), needs("b", "a"), needs("c", "b")])),
        (at(1), "a -> b -> c -> a".into())
    );
    assert_eq!(cycle(&tasks(vec![from("a", "b"), from("b", "a")])), (at(0), "a -> b -> a".into()));
    let mixed = tasks(vec![needs("a", "b"), task("b").when(When::Passed(id("a")))]);
    assert_eq!(cycle(&mixed), (at(0), "a -> b -> a".into()));
    let files = |name: &str, input: &str, output: &str| TaskSpec {
        inputs: vec![input.into()],
        outputs: vec![output.into()],
        ..task(name)
    };
    assert_eq!(cycle(&tasks(vec![files("a", "y", "x"), files("b", "x", "y")])).1, "a -> b -> a");
    // Sequential tasks wait in their order.
    let sequence = group("main", vec![needs("a", "b"), task("b")]).sequential();
    let sequence = pipeline(vec![PhaseSpec::new(PhaseName::new("p").unwrap()).group(sequence)]);
    assert_eq!(cycle(&sequence).1, "a -> b -> a");
    let depends = |name: &str, on: &str| PhaseSpec { depends_on: Some(phases(&[on])), ..phase(name, vec![]) };
    let (way, names) = cycle(&pipeline(vec![depends("p", "r"), depends("q", "p"), depends("r", "q")]));
    assert_eq!((way.as_str(), names.as_str()), ("phases[0]", "phase p -> phase q -> phase r -> phase p"));
    assert_eq!(cycle(&pipeline(vec![depends("p", "p")])).1, "phase p -> phase p");
    let groups = |name: &str, on: &str| GroupSpec { depends_on: vec![on.into()], ..group(name, vec![]) };
    let circle = PhaseSpec::new(PhaseName::new("p").unwrap()).group(groups("a", "b")).group(groups("b", "a"));
    let (way, names) = cycle(&pipeline(vec![circle]));
    assert_eq!((way.as_str(), names.as_str()), ("phases[0]", "group p/a -> group p/b -> group p/a"));
    // A task that needs one of a later phase, which waits for its own.
    let later = pipeline(vec![phase("p", vec![needs("a", "b")]), phase("q", vec![task("b")])]);
    let (way, names) = cycle(&later);
    assert_eq!(way, at(0));
    for part in ["a", "b", "phase p", "phase q", "group p/main", "group q/main"] {
        assert!(names.split(" -> ").any(|name| name == part), "{part}: {names}");
    }
    assert_eq!(names.split(" -> ").count(), 7, "nothing is said twice: {names}");
}

#[test]
fn everything_is_said_at_once_with_its_place() {
    let place = |line| Some(Place { line, column: 3 });
    let mut wrong_config = with("c", json!({ "number": "x", "text": { "from": "a/number" } }));
    wrong_config.place = place(9);
    wrong_config.places.insert("number".into(), Place { line: 10, column: 7 });
    let specs = vec![
        TaskSpec { place: place(4), ..task("a").needs([id("b")]) },
        TaskSpec { place: place(6), ..task("b").needs([id("a"), id("nobody")]) },
        wrong_config,
        TaskSpec { place: place(12), ..task("a") },
    ];
    let mut all = tasks(specs);
    all.file = Some("orchestration.yaml".into());
    all.phases[0].groups[0].depends_on = vec!["other".into()];
    all.phases[0].groups[0].place = place(3);
    let said = wrong(&all);
    let starts: Vec<_> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(starts.iter().all(|start| start.starts_with("orchestration.yaml:")), "{said}");
    for part in [
        "3:3: phases[0].groups[0].depends_on: unknown group `other`",
        "6:3: phases[0].groups[0].tasks[1].needs: unknown task `nobody`",
        "10:7: phases[0].groups[0].tasks[2].with.number: ",
        "9:3: phases[0].groups[0].tasks[2].with.text.from: `a/number` is integer",
        "12:3: phases[0].groups[0].tasks[3].id: two tasks are called `a`; the first is on line 4",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert_eq!(said.lines().count(), 5);
    // A cycle is found although there is more.
    let both = wrong(&tasks(vec![task("a").needs([id("b")]), task("b").needs([id("a"), id("nobody")])]));
    assert!(both.contains("unknown task `nobody`") && both.contains("a -> b -> a"), "{both}");
}

/// What the planner finds in a roadmap is said by the roadmap's own keys.
#[test]
fn problems_of_roadmaps_are_said_in_their_words() {
    let text = r"orchestrator: {name: r}
phase_1:
  groups:
    group_a:
      depends_on: [group_z]
      tasks:
        - {id: a, type: both, requires_manual: true}
        - {id: b, type: nobody, needs: [zzz]}
        - {id: c, type: both, list: [a, 7]}
phase_2: {depends_on: [phase_9], groups: {}}
checkpoints:
  after_phase_1: {validations: [{type: nobody}]}
";
    let pipeline = crate::pipeline::Pipeline::parse(text, crate::file::Format::Yaml, "r.yaml").unwrap();
    let said = plan(&pipeline).unwrap_err().to_string();
    for expected in [
        "phase_1.groups.group_a.depends_on: unknown group `group_z`",
        "r.yaml:7:11: phase_1.groups.group_a.tasks[0].type: unknown agent `manual`",
        "r.yaml:8:11: phase_1.groups.group_a.tasks[1].type: unknown agent `nobody`",
        "r.yaml:8:11: phase_1.groups.group_a.tasks[1].needs: unknown task `zzz`",
        "r.yaml:9:41: phase_1.groups.group_a.tasks[2].list.1: invalid type: integer `7`",
        "phase_2.depends_on: unknown phase `phase_9`",
        "checkpoints.after_phase_1.validations[0].type: unknown agent `nobody`",
    ] {
        assert!(said.contains(expected), "{expected}\n\n{said}");
    }
}
