//! Plans and their problems.

mod problems;
mod selection;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Earlier, Nothing, Planner, Selector};
use crate::BoxError;
use crate::action::Action;
use crate::agent::{Agent, Task, Verdict};
use crate::id::{AgentName, GroupName, PhaseName, RunId, TaskId};
use crate::input::Input;
use crate::json::Json;
use crate::order::{Artifacts, Receipt};
use crate::pipeline::{Checkpoint, GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use crate::plan::{Plan, PlannedTask, Selection};
use crate::problem::Problems;
use crate::project::Project;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::workspace::Workspace;

/// Takes a text and a number, and gives both.
struct Both;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BothConfig {
    text: Input<String>,
    number: Input<u32>,
    list: Vec<Input<String>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BothOutput {
    text: String,
    number: u32,
    inner: Inner,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Inner {
    deep: Vec<u32>,
}

impl Agent for Both {
    const NAME: &'static str = "both";
    type Config = BothConfig;
    type Output = BothOutput;

    async fn plan(&self, _task: &Task<BothConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn conclude(
        &self,
        _task: &Task<BothConfig>,
        _receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<BothOutput>, BoxError> {
        Ok(Verdict::failed("only planned"))
    }
}

fn id(id: &str) -> TaskId {
    TaskId::new(id).unwrap()
}

fn task(name: &str) -> TaskSpec {
    TaskSpec::new(id(name), AgentName::new("both").unwrap(), Value::Null)
}

fn with(name: &str, with: Value) -> TaskSpec {
    TaskSpec { with, ..task(name) }
}

fn group(name: &str, tasks: Vec<TaskSpec>) -> GroupSpec {
    GroupSpec { tasks, ..GroupSpec::new(GroupName::new(name).unwrap()) }
}

/// A phase of one group, `main`.
fn phase(name: &str, tasks: Vec<TaskSpec>) -> PhaseSpec {
    PhaseSpec::new(PhaseName::new(name).unwrap()).group(group("main", tasks))
}

fn phases(names: &[&str]) -> Vec<PhaseName> {
    names.iter().map(|name| PhaseName::new(name).unwrap()).collect()
}

fn pipeline(phases: Vec<PhaseSpec>) -> Pipeline {
    Pipeline { phases, ..Pipeline::new("test") }
}

/// What passed before, and what it gave.
#[derive(Default)]
struct Before(BTreeMap<String, Value>);

impl Before {
    fn of(tasks: &[&str]) -> Self {
        let output = json!({ "text": "x", "number": 1, "inner": { "deep": [] } });
        Self(tasks.iter().map(|name| ((*name).to_owned(), output.clone())).collect())
    }
}

impl Earlier for Before {
    fn passed(&self, task: &TaskId) -> Option<(RunId, Json)> {
        let output = self.0.get(task.as_str())?.clone();
        Some((RunId::new("20260101000000-00000000").unwrap(), output.into()))
    }
}

fn select(pipeline: &Pipeline, selector: &Selector, earlier: &dyn Earlier) -> Result<Plan, Problems> {
    let (registry, settings) = (Registry::new().agent(Both), Settings::default());
    let project = Project { name: "project".into(), ..Project::default() };
    let planner = Planner { registry: &registry, settings: &settings, project: &project, selector, earlier };
    planner.plan(pipeline)
}

fn plan(pipeline: &Pipeline) -> Result<Plan, Problems> {
    select(pipeline, &Selector::default(), &Nothing)
}

/// The problems, one a line.
fn wrong(pipeline: &Pipeline) -> String {
    plan(pipeline).expect_err("it has problems").to_string()
}

fn find<'p>(plan: &'p Plan, name: &str) -> &'p PlannedTask {
    plan.task(plan.find(&id(name)).unwrap())
}

#[test]
fn phases_follow_each_other_unless_they_say_otherwise() {
    let mut parts: Vec<_> =
        ["a", "b", "c", "d", "e"].map(|name| phase(name, vec![task(&format!("t{name}"))])).to_vec();
    let order = |parts: &[PhaseSpec]| {
        let made = plan(&pipeline(parts.to_vec())).unwrap();
        made.phases().iter().map(|phase| phase.depends_on.clone()).collect::<Vec<_>>()
    };
    assert_eq!(order(&parts), [vec![], vec![0], vec![1], vec![2], vec![3]]);
    parts[2].parallel_with = phases(&["b"]);
    assert_eq!(order(&parts), [vec![], vec![0], vec![0], vec![1, 2], vec![3]], "d waits for both");
    (parts[1].parallel_with, parts[2].parallel_with) = (phases(&["c"]), Vec::new());
    assert_eq!(order(&parts), [vec![], vec![0], vec![0], vec![1, 2], vec![3]], "said on either side");
    parts[1].parallel_with = phases(&["a"]);
    assert_eq!(order(&parts), [vec![], vec![], vec![0, 1], vec![2], vec![3]]);
    parts[4].depends_on = Some(phases(&["a", "c"]));
    parts[3].depends_on = Some(Vec::new());
    assert_eq!(order(&parts), [vec![], vec![], vec![0, 1], vec![], vec![0, 2]]);
}

#[test]
fn names_and_titles_have_defaults() {
    let made = plan(&Pipeline { name: None, ..pipeline(vec![phase("build_it-all", vec![task("t")])]) });
    let made = made.unwrap();
    assert_eq!((made.pipeline(), made.phases()[0].title.as_str()), ("project", "BUILD IT ALL"));
}

#[test]
fn outputs_that_are_inputs_make_edges() {
    let files = |name: &str, inputs: &[&str], outputs: &[&str]| TaskSpec {
        inputs: inputs.iter().map(|file| (*file).to_owned()).collect(),
        outputs: outputs.iter().map(|file| (*file).to_owned()).collect(),
        ..task(name)
    };
    let made = plan(&pipeline(vec![
        phase(
            "one",
            vec![
                files("uses", &["gen/*.rs", "./report.json"], &[]),
                files("gen", &["spec.yaml"], &["gen/a.rs"]),
                files("report", &[], &["report.json"]),
                files("own", &["x"], &["x"]),
                files("early", &["late.txt"], &[]),
                files("dist", &[], &["dist/js/"]),
                files("inside", &["dist/js/app.js"], &[]),
                files("matches", &["dist/js/**/*.js"], &[]),
                files("beside", &["dist/jst/x", "dist/*.css"], &[]),
                files("without", &["gen", "!gen/*.rs", "report.json", "!report.json"], &[]),
            ],
        ),
        phase("two", vec![files("late", &["gen/**"], &["late.txt"])]),
    ]))
    .unwrap();
    assert_eq!(find(&made, "uses").follows, [id("gen"), id("report")]);
    assert_eq!(find(&made, "late").follows, [id("gen")]);
    assert_eq!(find(&made, "inside").follows, [id("dist")], "what lies in a folder is made with it");
    assert_eq!(find(&made, "matches").follows, [id("dist")]);
    for name in ["gen", "own", "early", "beside", "without"] {
        assert!(find(&made, name).follows.is_empty(), "{name}");
    }
}

#[test]
fn references_make_edges_wherever_they_stand() {
    let made = plan(&pipeline(vec![phase(
        "p",
        vec![
            task("a"),
            with(
                "b",
                json!({
                    "text": { "from": "a/text" }, "number": { "from": "a/inner/deep/0" },
                    "list": ["x", { "from": "c/text" }]
                }),
            ),
            task("c"),
        ],
    )]))
    .unwrap();
    assert_eq!(find(&made, "b").takes, [id("a"), id("c")]);
}

proptest::proptest! {
    /// The same pipeline gives the same digest, and another one another.
    #[test]
    fn the_same_inputs_give_the_same_digest(
        tasks in proptest::collection::vec((0_usize..20, 0_u8..4, proptest::bool::ANY), 1..20)
    ) {
        let specs: Vec<_> = tasks.iter().enumerate().map(|(at, (before, kind, retried))| {
            let name = format!("t{at}");
            let before = format!("t{}", before % at.max(1));
            let spec = match (at, kind) {
                (0, _) | (_, 0) => task(&name),
                (_, 1) => task(&name).needs([id(&before)]),
                (_, 2) => with(&name, json!({ "text": { "from": format!("{before}/text") } })),
                _ => TaskSpec { inputs: vec![before], ..task(&name) },
            };
            let spec = TaskSpec { outputs: vec![name], ..spec };
            if *retried { spec.retry(3, std::time::Duration::from_secs(1)) } else { spec }
        }).collect();
        let one = pipeline(vec![phase("p", specs.clone()), phase("q", vec![task("end")])]);
        let (first, second) = (plan(&one).unwrap(), plan(&one.clone()).unwrap());
        proptest::prop_assert_eq!(first.digest(), second.digest());
        let read: Plan = serde_json::from_slice(&serde_json::to_vec(&first).unwrap()).unwrap();
        proptest::prop_assert_eq!(first.digest(), read.digest());
        let mut changed = one;
        changed.phases[0].groups[0].tasks[0].description = Some("another".into());
        proptest::prop_assert_ne!(first.digest(), plan(&changed).unwrap().digest());
    }
}

/// Knows a remedy.
struct Mends;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MendsConfig {
    text: String,
    remedy: crate::settings::Remedies,
}

impl Agent for Mends {
    const NAME: &'static str = "mends";
    type Config = MendsConfig;
    type Output = ();

    async fn plan(&self, _task: &Task<MendsConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn conclude(
        &self,
        _task: &Task<MendsConfig>,
        _receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        Ok(Verdict::passed("", ()))
    }
}

/// Means something else by the same word.
struct Cures;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CuresConfig {
    remedy: u32,
}

impl Agent for Cures {
    const NAME: &'static str = "cures";
    type Config = CuresConfig;
    type Output = ();

    async fn plan(&self, _task: &Task<CuresConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn conclude(
        &self,
        _task: &Task<CuresConfig>,
        _receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        Ok(Verdict::passed("", ()))
    }
}

#[test]
fn agents_that_know_remedies_are_told_what_the_settings_say() {
    let task = |id: &str, agent: &str, with: Value| {
        TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new(agent).unwrap(), with)
    };
    let group = GroupSpec::new(GroupName::new("main").unwrap())
        .task(task("a", "mends", Value::Null))
        .task(task("b", "mends", json!({"text": "x"})))
        .task(task("c", "mends", json!({"remedy": "ask"})))
        .task(task("d", "cures", Value::Null));
    let pipeline = Pipeline::new("p").phase(PhaseSpec::new(PhaseName::new("one").unwrap()).group(group));
    let registry = Registry::new().agent(Mends).agent(Cures);
    let settings = Settings { remedies: crate::settings::Remedies::Off, ..Settings::default() };
    let (project, selector) = (Project::default(), Selector::default());
    let planner = Planner {
        registry: &registry,
        settings: &settings,
        project: &project,
        selector: &selector,
        earlier: &Nothing,
    };
    let plan = planner.plan(&pipeline).unwrap();
    let configs: Vec<&str> = plan.tasks().iter().map(|task| task.config.text()).collect();
    assert_eq!(
        configs,
        [r#"{"remedy":"off"}"#, r#"{"remedy":"off","text":"x"}"#, r#"{"remedy":"ask"}"#, "{}"]
    );
}
