//! Properties on random plans, against a naive scheduler that rescans everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::id::{AgentName, GroupName, PhaseName, TaskId};
use crate::json::Json;
use crate::path::RelPath;
use crate::pipeline::{Execution, Kind, Resources, Retry};
use crate::plan::{PlanParts, PlannedGroup, PlannedPhase, PlannedTask, Rules};

fn id(at: usize) -> TaskId {
    TaskId::new(format!("t{at}")).unwrap()
}

fn task(at: usize, group: u32) -> PlannedTask {
    PlannedTask {
        id: id(at),
        agent: AgentName::new("a").unwrap(),
        config: Json::null(),
        group,
        needs: vec![],
        takes: vec![],
        follows: vec![],
        when: When::Needed,
        timeout: None,
        retry: Retry { attempts: 1, delay: Duration::ZERO, explicit: false },
        continue_on_error: false,
        priority: Priority::Medium,
        kind: Kind::Other,
        resources: Resources::default(),
        tags: vec![],
        inputs: vec![],
        outputs: vec![],
        touches: vec![],
        reuse: crate::pipeline::Reuse::default(),
        description: None,
        selection: Selection::Selected,
    }
}

fn rules(jobs: u32) -> Rules {
    let (grace, ceiling) = (Duration::ZERO, Effect::Publishes);
    Rules { jobs, fail_fast: false, ceiling, grace, cpu_milli: 0, memory: 0 }
}

#[derive(Debug, Clone)]
struct Seed {
    phase_deps: Vec<u8>,
    groups: Vec<(u8, bool, Option<u32>, u8)>,
    tasks: Vec<(u8, u8, u8, u8, u8, bool, u8)>,
    outcomes: Vec<u8>,
    jobs: u32,
    dry: bool,
}

fn seeds() -> impl Strategy<Value = Seed> {
    let phase_deps = prop::collection::vec(any::<u8>(), 1..4);
    let groups =
        prop::collection::vec((any::<u8>(), any::<bool>(), prop::option::of(1_u32..3), any::<u8>()), 1..6);
    let task = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>(), any::<u8>());
    let tasks = prop::collection::vec(task, 0..25);
    let outcomes = prop::collection::vec(any::<u8>(), 25);
    (phase_deps, groups, tasks, outcomes, 1_u32..6, any::<bool>()).prop_map(
        |(phase_deps, groups, tasks, outcomes, jobs, dry)| Seed {
            phase_deps,
            groups,
            tasks,
            outcomes,
            jobs,
            dry,
        },
    )
}

/// A plan without cycles: everything depends on earlier things only, and groups follow the order of their phases.
fn plan(seed: &Seed) -> Plan {
    let phases: Vec<PlannedPhase> = seed
        .phase_deps
        .iter()
        .enumerate()
        .map(|(at, deps)| PlannedPhase {
            name: PhaseName::new(format!("p{at}")).unwrap(),
            title: String::new(),
            depends_on: (0..at as u32).filter(|before| deps >> before & 1 == 1).collect(),
            checkpoint: None,
        })
        .collect();
    let count = phases.len();
    let mut groups: Vec<PlannedGroup> = seed
        .groups
        .iter()
        .enumerate()
        .map(|(at, (phase, sequential, max_parallel, _))| PlannedGroup {
            name: GroupName::new(format!("g{at}")).unwrap(),
            title: None,
            phase: u32::from(*phase) % count as u32,
            execution: if *sequential { Execution::Sequential } else { Execution::Parallel },
            fail_fast: false,
            max_parallel: *max_parallel,
            depends_on: vec![],
            checkpoint: false,
        })
        .collect();
    groups.sort_by_key(|group| group.phase);
    for at in 1..groups.len() {
        if seed.groups[at].3.is_multiple_of(4) && groups[at - 1].phase == groups[at].phase {
            groups[at].depends_on = vec![at as u32 - 1];
        }
    }
    let mut drafts: Vec<_> = seed.tasks.iter().collect();
    drafts.sort_by_key(|draft| usize::from(draft.0) % groups.len());
    let mut tasks: Vec<PlannedTask> = Vec::new();
    for (at, (group, need, take, when, priority, forgiven, selection)) in drafts.into_iter().enumerate() {
        let mut task = task(at, (usize::from(*group) % groups.len()) as u32);
        if at > 0 {
            let before = |pick: u8| id(usize::from(pick) % at);
            if need % 3 == 0 {
                task.needs.push(before(*need));
            }
            if take % 5 == 0 {
                task.takes.push(before(*take));
            }
            task.when = match when % 8 {
                0 => When::Always,
                1 => When::Failed(before(*when / 8)),
                2 => When::Passed(before(*when / 8)),
                _ => When::Needed,
            };
        }
        // Only a phase that comes earlier: one that waits for the task's own would be a cycle.
        let own = groups[task.group as usize].phase;
        if own > 0 && when % 8 > 5 {
            let name = phases[usize::from(*when / 8) % own as usize].name.clone();
            task.when = if when % 8 == 6 { When::PhasePassed(name) } else { When::PhaseFailed(name) };
        }
        task.priority =
            [Priority::Low, Priority::Medium, Priority::High, Priority::Critical][usize::from(priority % 4)];
        task.continue_on_error = *forgiven;
        task.selection = match selection % 9 {
            0 => Selection::LeftOut,
            1 => Selection::Carried {
                run: crate::id::RunId::new("20260101000000-00000000").unwrap(),
                output: Json::null(),
            },
            _ => Selection::Selected,
        };
        tasks.push(task);
    }
    let (pipeline, notes) = (String::new(), vec![]);
    Plan::new(PlanParts { version: 1, pipeline, rules: rules(seed.jobs), phases, groups, tasks, notes })
        .unwrap()
}

/// How a started task ends.
fn scripted(seed: &Seed, ix: TaskIx) -> Outcome {
    match seed.outcomes[ix.at()] % 6 {
        0 | 1 => Outcome::Failed,
        2 => Outcome::Withheld,
        3 => Outcome::Cancelled,
        _ => Outcome::Passed,
    }
}

type Ends = BTreeMap<TaskIx, (Outcome, Option<Reason>)>;

/// The naive scheduler: what has come of everything before a task, worked out afresh each time from the plan alone.
struct Naive<'a> {
    plan: &'a Plan,
    ends: &'a Ends,
    dry: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Fine,
    Withheld,
    Bad,
}

impl Naive<'_> {
    fn of(&self, ix: TaskIx) -> Option<Before> {
        let (outcome, reason) = self.ends.get(&ix)?;
        Some(match outcome {
            Outcome::Passed | Outcome::Cached => Before::Fine,
            Outcome::Failed if self.plan.task(ix).continue_on_error => Before::Fine,
            Outcome::Skipped
                if matches!(reason, Some(Reason::Condition | Reason::Manual | Reason::ByHand)) =>
            {
                Before::Fine
            }
            Outcome::Withheld | Outcome::Deferred => Before::Withheld,
            _ => Before::Bad,
        })
    }

    fn tasks_of(&self, group: u32) -> impl Iterator<Item = TaskIx> + '_ {
        let tasks = self.plan.tasks().iter().enumerate();
        tasks.filter(move |(_, task)| task.group == group).map(|(at, _)| TaskIx(at as u32))
    }

    fn worst(mut all: impl Iterator<Item = Option<Before>>) -> Option<Before> {
        all.try_fold(Before::Fine, |worst, one| Some(worst.max(one?)))
    }

    fn group_start(&self, group: u32) -> Option<Before> {
        let planned = &self.plan.groups()[group as usize];
        let phase = self.phase_start(planned.phase);
        Self::worst(planned.depends_on.iter().map(|before| self.group_end(*before)).chain([phase]))
    }

    fn group_end(&self, group: u32) -> Option<Before> {
        Self::worst(self.tasks_of(group).map(|ix| self.of(ix)).chain([self.group_start(group)]))
    }

    fn phase_start(&self, phase: u32) -> Option<Before> {
        Self::worst(
            self.plan.phases()[phase as usize].depends_on.iter().map(|before| self.phase_end(*before)),
        )
    }

    fn phase_end(&self, phase: u32) -> Option<Before> {
        let groups =
            (0..self.plan.groups().len() as u32).filter(|at| self.plan.groups()[*at as usize].phase == phase);
        Self::worst(groups.map(|group| self.group_end(group)).chain([self.phase_start(phase)]))
    }

    /// None: it cannot be decided yet. Some(None): it starts. Some(Some): it ends so.
    #[expect(clippy::option_option, reason = "undecided, starts, or ends without a start")]
    fn fate(&self, ix: TaskIx) -> Option<Option<(Outcome, Option<Reason>)>> {
        let task = self.plan.task(ix);
        let find = |id: &TaskId| self.plan.find(id).unwrap();
        let gate = self.group_start(task.group)?;
        let needs = Self::worst(task.needs.iter().map(|id| self.of(find(id))))?;
        let takes: Vec<_> =
            task.takes.iter().map(|id| self.ends.get(&find(id)).copied()).collect::<Option<_>>()?;
        let condition = match task.when.task() {
            Some(id) => Some(self.ends.get(&find(id))?.0),
            None => None,
        };
        if self.plan.group_of(ix).execution == Execution::Sequential
            && self
                .tasks_of(task.group)
                .take_while(|before| *before != ix)
                .any(|before| !self.ends.contains_key(&before))
        {
            return None;
        }
        let worst = Self::worst(task.takes.iter().map(|id| self.of(find(id))))?.max(gate).max(needs);
        match task.selection {
            Selection::LeftOut => return Some(Some((Outcome::Skipped, Some(Reason::Manual)))),
            Selection::Carried { .. } => return Some(Some((Outcome::Passed, None))),
            Selection::Selected => {}
        }
        let deferred = Some(Some((Outcome::Deferred, Some(Reason::Withheld))));
        let skipped = |reason| Some(Some((Outcome::Skipped, Some(reason))));
        let of_phase = match task.when.phase() {
            Some(name) => {
                let at = self.plan.phases().iter().position(|phase| phase.name == *name).unwrap() as u32;
                let failed = self.ends.iter().any(|(ix, (outcome, _))| {
                    let task = self.plan.task(*ix);
                    self.plan.group_of(*ix).phase == at
                        && *outcome == Outcome::Failed
                        && !task.continue_on_error
                });
                Some((self.phase_end(at)?, failed))
            }
            None => None,
        };
        if !matches!(task.when, When::Always | When::Failed(_) | When::PhaseFailed(_)) {
            match worst {
                Before::Bad => return skipped(Reason::Upstream),
                Before::Withheld if !self.dry => return deferred,
                _ => {}
            }
        }
        let held_back = matches!(condition, Some(Outcome::Withheld | Outcome::Deferred));
        match &task.when {
            When::Failed(_) if held_back => return deferred,
            When::Failed(_) if condition != Some(Outcome::Failed) => return skipped(Reason::Condition),
            When::Passed(_) if held_back && !self.dry => return deferred,
            When::Passed(_) if !held_back && !condition.is_some_and(Outcome::is_success) => {
                return skipped(Reason::Condition);
            }
            When::PhasePassed(_) => match of_phase.unwrap() {
                (Before::Fine, _) => {}
                (Before::Withheld, _) if self.dry => {}
                (Before::Withheld, _) => return deferred,
                (Before::Bad, _) => return skipped(Reason::Condition),
            },
            When::PhaseFailed(_) => match of_phase.unwrap() {
                (_, true) => {}
                (Before::Withheld, false) => return deferred,
                (_, false) => return skipped(Reason::Condition),
            },
            _ => {}
        }
        if takes.iter().any(|(outcome, _)| {
            !outcome.is_success() && !matches!(outcome, Outcome::Withheld | Outcome::Deferred)
        }) {
            return skipped(Reason::NoOutput);
        }
        if takes.iter().any(|(outcome, _)| !outcome.is_success()) {
            return deferred;
        }
        Some(None)
    }
}

/// Runs a plan to its end; checks on the way that limits hold and that nothing starts too early.
fn simulate(seed: &Seed, plan: &Plan) -> Ends {
    let ceiling = if seed.dry { Effect::Reads } else { Effect::Publishes };
    let mut scheduler = Scheduler::new(&RunState::new(Arc::new(plan.clone())), ceiling);
    let (mut ends, mut running, mut seen) = (Ends::new(), Vec::new(), Vec::new());
    let mut turn = 0;
    loop {
        let naive = Naive { plan, ends: &ends, dry: seed.dry };
        match scheduler.next(Timestamp::UNIX_EPOCH) {
            Next::Start(ix) => {
                assert!(!seen.contains(&ix), "a task starts once");
                assert_eq!(naive.fate(ix), Some(None), "{} starts although it may not", plan.task(ix).id);
                seen.push(ix);
                running.push(ix);
                assert!(running.len() <= seed.jobs as usize, "more tasks than jobs");
                let group = plan.task(ix).group;
                let together = running.iter().filter(|other| plan.task(**other).group == group).count();
                assert!(
                    plan.group_of(ix).max_parallel.is_none_or(|most| together <= most as usize),
                    "the group's limit"
                );
            }
            Next::End(ix, outcome, reason) => {
                assert_eq!(naive.fate(ix), Some(Some((outcome, reason))), "{}", plan.task(ix).id);
                assert!(
                    ends.insert(ix, (outcome, reason)).is_none() && !seen.contains(&ix),
                    "a task ends once"
                );
                scheduler.ended(ix, outcome, reason);
            }
            Next::Idle(_) => {
                assert!(!running.is_empty(), "stuck with {} of {} ended", ends.len(), plan.tasks().len());
                turn += 1;
                let ix = running.remove(turn % running.len());
                let outcome = scripted(seed, ix);
                let reason = (outcome == Outcome::Withheld).then_some(Reason::Withheld);
                ends.insert(ix, (outcome, reason));
                scheduler.release(ix);
                scheduler.ended(ix, outcome, reason);
            }
            Next::Done => return ends,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn each_task_ends_once_after_its_needs_within_limits_never_stuck(seed in seeds()) {
        let plan = plan(&seed);
        let ends = simulate(&seed, &plan);
        prop_assert_eq!(ends.len(), plan.tasks().len());
    }
}

fn flat(tasks: Vec<PlannedTask>, jobs: u32) -> Scheduler {
    let phases = vec![PlannedPhase {
        name: PhaseName::new("p").unwrap(),
        title: String::new(),
        depends_on: vec![],
        checkpoint: None,
    }];
    let groups = vec![PlannedGroup {
        name: GroupName::new("g").unwrap(),
        title: None,
        phase: 0,
        execution: Execution::Parallel,
        fail_fast: tasks.iter().any(|task| task.tags == ["fail-fast"]),
        max_parallel: None,
        depends_on: vec![],
        checkpoint: false,
    }];
    let mut rules = rules(jobs);
    rules.cpu_milli = 2000;
    let plan = Plan::new(PlanParts {
        version: 1,
        pipeline: String::new(),
        rules,
        phases,
        groups,
        tasks,
        notes: vec![],
    })
    .unwrap();
    Scheduler::new(&RunState::new(Arc::new(plan)), Effect::Publishes)
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

#[test]
fn urgent_tasks_and_long_ways_start_first() {
    let mut tasks: Vec<_> = (0..4).map(|at| task(at, 0)).collect();
    tasks[3].needs = vec![id(1)];
    tasks[2].priority = Priority::High;
    let mut scheduler = flat(tasks, 3);
    let order: Vec<_> = (0..3).map(|_| scheduler.next(NOW)).collect();
    assert_eq!(order, [2, 1, 0].map(|at| Next::Start(TaskIx(at))));
    assert_eq!(scheduler.next(NOW), Next::Idle(None));
}

#[test]
fn heavy_tasks_do_not_pile_up_and_one_too_heavy_runs_alone() {
    let mut tasks: Vec<_> = (0..3).map(|at| task(at, 0)).collect();
    tasks[0].resources.cpu_milli = 1500;
    tasks[1].resources.cpu_milli = 64_000;
    tasks[2].resources.cpu_milli = 500;
    let mut scheduler = flat(tasks, 8);
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(2)));
    assert_eq!(scheduler.next(NOW), Next::Idle(None));
    for at in [0, 2] {
        scheduler.release(TaskIx(at));
        scheduler.ended(TaskIx(at), Outcome::Passed, None);
    }
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(1)));
}

#[test]
fn fail_fast_lets_the_running_end_and_starts_nothing_but_those_that_insist() {
    let mut tasks: Vec<_> = (0..4).map(|at| task(at, 0)).collect();
    tasks[0].tags = vec!["fail-fast".into()];
    tasks[3].when = When::Always;
    let mut scheduler = flat(tasks, 1);
    // The one that insists is on no longer way than the others: order decides.
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
    scheduler.release(TaskIx(0));
    scheduler.ended(TaskIx(0), Outcome::Failed, None);
    for at in [1, 2] {
        assert_eq!(scheduler.next(NOW), Next::End(TaskIx(at), Outcome::Skipped, Some(Reason::FailFast)));
        scheduler.ended(TaskIx(at), Outcome::Skipped, Some(Reason::FailFast));
    }
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(3)));
}

/// Who writes the same file goes one after the other, in the order of the plan as far as needs allow.
#[test]
fn tasks_that_touch_the_same_file_go_one_after_the_other() {
    let mut tasks: Vec<_> = (0..4).map(|at| task(at, 0)).collect();
    for at in [0, 1, 3] {
        tasks[at].touches = vec![RelPath::new("a.yml").unwrap()];
    }
    tasks[0].needs = vec![id(3)];
    let mut scheduler = flat(tasks, 4);
    let mut order = Vec::new();
    while let Next::Start(ix) = scheduler.next(NOW) {
        order.push(ix.0);
        if ix.0 != 2 {
            assert!(!matches!(scheduler.next(NOW), Next::Start(TaskIx(0 | 1 | 3))), "two at once");
        }
        scheduler.release(ix);
        scheduler.ended(ix, Outcome::Failed, None);
    }
    assert_eq!(order.iter().filter(|ix| **ix != 2).collect::<Vec<_>>(), [&1, &3], "{order:?}");
}

#[test]
fn a_retry_waits_for_its_time_and_holds_no_slot() {
    let mut scheduler = flat((0..2).map(|at| task(at, 0)).collect(), 1);
    let later = NOW + jiff::SignedDuration::from_secs(5);
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
    scheduler.release(TaskIx(0));
    scheduler.retry(TaskIx(0), later);
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(1)));
    scheduler.release(TaskIx(1));
    scheduler.ended(TaskIx(1), Outcome::Passed, None);
    assert_eq!(scheduler.next(NOW), Next::Idle(Some(later)));
    assert_eq!(scheduler.next(later), Next::Start(TaskIx(0)));
}

#[test]
fn cancelling_ends_everything_that_is_not_running() {
    let mut tasks: Vec<_> = (0..3).map(|at| task(at, 0)).collect();
    tasks[2].needs = vec![id(0)];
    let mut scheduler = flat(tasks, 1);
    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
    scheduler.cancel();
    scheduler.release(TaskIx(0));
    scheduler.ended(TaskIx(0), Outcome::Cancelled, Some(Reason::Cancelled));
    let mut left = vec![];
    loop {
        match scheduler.next(NOW) {
            Next::End(ix, outcome, reason) => {
                left.push((ix.0, outcome, reason));
                scheduler.ended(ix, outcome, reason);
            }
            Next::Done => break,
            other => panic!("{other:?}"),
        }
    }
    left.sort();
    assert_eq!(left[0], (1, Outcome::Skipped, Some(Reason::Cancelled)));
    assert_eq!(left[1].0, 2);
}

/// The table of `when` against all eight outcomes, for a real run and for a dry one.
#[test]
fn when_against_all_outcomes() {
    let mut table = String::new();
    for when in ["needed", "always", "passed(t0)", "failed(t0)"] {
        for dry in [false, true] {
            let mut row = format!("{when:<11}{}", if dry { "dry  " } else { "real " });
            for outcome in Outcome::ALL {
                let mut tasks = vec![task(0, 0), task(1, 0)];
                tasks[1].when = if when == "needed" { When::Needed } else { When::parse(when).unwrap() };
                if when == "needed" {
                    tasks[1].needs = vec![id(0)];
                }
                let mut scheduler = flat(tasks, 1);
                scheduler.dry = dry;
                if when == "always" {
                    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
                    scheduler.release(TaskIx(0));
                    scheduler.ended(TaskIx(0), outcome, None);
                } else {
                    assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
                    scheduler.release(TaskIx(0));
                    scheduler.ended(TaskIx(0), outcome, Some(Reason::Upstream));
                }
                let cell = match scheduler.next(NOW) {
                    Next::Start(_) => "runs",
                    Next::End(_, outcome, _) => outcome.as_str(),
                    other => panic!("{other:?}"),
                };
                write!(row, "{cell:<9}").unwrap();
            }
            table.push_str(row.trim_end());
            table.push('\n');
        }
    }
    // passed cached failed skipped cancelled withheld deferred waiting
    let expected = "\
needed     real runs     runs     skipped  skipped  skipped  deferred deferred skipped
needed     dry  runs     runs     skipped  skipped  skipped  runs     runs     skipped
always     real runs     runs     runs     runs     runs     runs     runs     runs
always     dry  runs     runs     runs     runs     runs     runs     runs     runs
passed(t0) real runs     runs     skipped  skipped  skipped  deferred deferred skipped
passed(t0) dry  runs     runs     skipped  skipped  skipped  runs     runs     skipped
failed(t0) real skipped  skipped  runs     skipped  skipped  deferred deferred skipped
failed(t0) dry  skipped  skipped  runs     skipped  skipped  deferred deferred skipped
";
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn only_a_skip_that_somebody_wanted_lets_what_needs_it_go_on() {
    for (reason, goes_on) in [
        (Reason::Condition, true),
        (Reason::Manual, true),
        (Reason::ByHand, true),
        (Reason::Upstream, false),
        (Reason::FailFast, false),
        (Reason::NoOutput, false),
    ] {
        for takes in [false, true] {
            let mut tasks = vec![task(0, 0), task(1, 0)];
            let before = if takes { &mut tasks[1].takes } else { &mut tasks[1].needs };
            before.push(id(0));
            let mut scheduler = flat(tasks, 1);
            assert_eq!(scheduler.next(NOW), Next::Start(TaskIx(0)));
            scheduler.release(TaskIx(0));
            scheduler.ended(TaskIx(0), Outcome::Skipped, Some(reason));
            let started = matches!(scheduler.next(NOW), Next::Start(_));
            assert_eq!(started, goes_on && !takes, "{reason:?} takes: {takes}");
        }
    }
}
