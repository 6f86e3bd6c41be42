//! What the user chose to run: phases, groups, tasks and tags; the rest is left out or carried from earlier runs.

use std::collections::BTreeSet;

use super::Planner;
use crate::id::{PhaseName, RunId, TaskId};
use crate::json::Json;
use crate::pipeline::{Kind, PhaseSpec};
use crate::plan::{PlannedGroup, PlannedPhase, PlannedTask, Selection};
use crate::problem::{Problem, unknown};

/// What the user chose to run. Empty: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Phases by name or number; empty for all.
    pub phases: Vec<String>,
    /// Phases left out.
    pub skip: Vec<String>,
    /// Groups, as `group` or `phase/group`; empty for all.
    pub groups: Vec<String>,
    /// Tasks, with all that they need; empty for all.
    pub tasks: Vec<String>,
    /// Tasks that have one of these tags; empty for all.
    pub tags: Vec<String>,
    /// What passed earlier counts, everywhere.
    pub carry: bool,
    /// One task at a time.
    pub sequential: bool,
    /// Without full gates, and without the phases that back up, merge and deploy unless they are named.
    pub fast: bool,
    /// Without tests.
    pub skip_tests: bool,
    /// Only tasks that depend on files that differ from this git revision, and those that follow them.
    pub affected: Option<String>,
}

/// Phases that a fast run leaves out: they take what full gates have passed.
const SLOW_PHASES: [&str; 3] = ["restart_backup", "merge_integration", "deployment"];

/// What passed in earlier runs.
pub trait Earlier {
    /// The latest run in which the task passed, and what it gave.
    fn passed(&self, task: &TaskId) -> Option<(RunId, Json)>;

    /// Whether a person left it out by hand in the latest run that says something of it.
    fn skipped(&self, _task: &TaskId) -> bool {
        false
    }

    /// Whether the config that it passed with was this one.
    fn passed_with(&self, _task: &TaskId, _config: &Json) -> bool {
        false
    }
}

/// No earlier runs.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Earlier for Nothing {
    fn passed(&self, _task: &TaskId) -> Option<(RunId, Json)> {
        None
    }
}

/// What a selection left out by what it is, apart from what was chosen by name.
#[derive(Debug, Default)]
pub(super) struct Without {
    phases: Vec<PhaseName>,
    gates: usize,
    tests: usize,
}

impl Without {
    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Gate => self.gates += 1,
            Kind::Test => self.tests += 1,
            Kind::Static | Kind::Other => {}
        }
    }

    /// The same for people: ``fast: without the phase deployment and 2 gates``.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self { phases, gates, tests } = self;
        let counted = |count: usize, one: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {one}s")),
        };
        let names: Vec<&str> = phases.iter().map(PhaseName::as_str).collect();
        let named = match names.len() {
            0 => None,
            1 => Some(format!("the phase {}", names[0])),
            _ => Some(format!("the phases {}", names.join(", "))),
        };
        let fast: Vec<String> = named.into_iter().chain(counted(*gates, "gate")).collect();
        let fast = (!fast.is_empty()).then(|| format!("fast: without {}", fast.join(" and ")));
        let tests = counted(*tests, "test").map(|tests| format!("skip-tests: without {tests}"));
        fast.into_iter().chain(tests).collect()
    }
}

/// What is being decided about, in one place.
struct Scope<'a> {
    phases: &'a [PlannedPhase],
    groups: &'a [PlannedGroup],
    problems: &'a mut Vec<Problem>,
}

impl Selector {
    /// Marks each task as selected, left out or carried. Gives what was left out by what it is.
    pub(super) fn apply(
        &self,
        planner: &Planner<'_>,
        phases: &[PlannedPhase],
        groups: &[PlannedGroup],
        tasks: &mut [PlannedTask],
        problems: &mut Vec<Problem>,
    ) -> Without {
        let mut scope = Scope { phases, groups, problems };
        let mut skipped: BTreeSet<usize> =
            self.skip.iter().filter_map(|name| scope.phase("--skip", name)).collect();
        skipped.extend((0..phases.len()).filter(|at| !enabled(planner, phases[*at].name.as_str())));
        let chosen: BTreeSet<usize> =
            self.phases.iter().filter_map(|name| scope.phase("--phase", name)).collect();
        let in_groups: BTreeSet<u32> =
            self.groups.iter().flat_map(|name| scope.group(name, &chosen)).collect();
        let is_slow = |at: &usize| SLOW_PHASES.contains(&phases[*at].name.as_str());
        let slow = (0..phases.len()).filter(|at| self.fast && is_slow(at) && !chosen.contains(at));
        let slow: BTreeSet<usize> = slow.collect();
        let mut without = Without::default();
        if chosen.is_empty() {
            let phases = slow.difference(&skipped).map(|at| phases[*at].name.clone());
            without.phases.extend(phases);
        }
        skipped.extend(&slow);
        let named = self.named(tasks, scope.problems);
        for tag in &self.tags {
            if !tasks.iter().any(|task| task.tags.contains(tag)) {
                let known: BTreeSet<&str> =
                    tasks.iter().flat_map(|task| &task.tags).map(String::as_str).collect();
                scope.problems.push(Problem::new("--tag", unknown("tag", tag, known)));
            }
        }
        let taken: BTreeSet<TaskId> = tasks.iter().flat_map(|task| &task.takes).cloned().collect();
        for (at, task) in tasks.iter_mut().enumerate() {
            let group = &groups[task.group as usize];
            let phase = group.phase as usize;
            let by_phase = (chosen.is_empty() || chosen.contains(&phase)) && !skipped.contains(&phase);
            let by_group = in_groups.is_empty() || in_groups.contains(&task.group);
            let by_name = named.as_ref().is_none_or(|named| named.contains(&at));
            let by_tag = self.tags.is_empty() || task.tags.iter().any(|tag| self.tags.contains(tag));
            // Validations of a checkpoint look at the world: leaving tasks out does not make them hold.
            let partial = !(self.groups.is_empty() && self.tasks.is_empty() && self.tags.is_empty());
            let selected = if group.checkpoint {
                !partial
                    && (chosen.is_empty() || chosen.contains(&phase))
                    && !slow.contains(&phase)
                    && enabled(planner, phases[phase].name.as_str())
            } else {
                let wanted = by_phase && by_group && by_name && by_tag;
                if wanted && !self.has_kind(task.kind) {
                    without.count(task.kind);
                }
                wanted && self.has_kind(task.kind)
            };
            if !selected {
                task.selection = match planner.earlier.passed(&task.id).filter(|_| !skipped.contains(&phase))
                {
                    Some((run, output)) => Selection::Carried { run, output },
                    None => Selection::LeftOut,
                };
            } else if self.carry
                && !group.checkpoint
                && let Some((run, output)) = planner.earlier.passed(&task.id)
            {
                task.selection = Selection::Carried { run, output };
            } else if self.carry && planner.earlier.skipped(&task.id) && !taken.contains(&task.id) {
                task.selection = Selection::LeftOut;
            }
        }
        tell_of_phases(&skipped, tasks, &scope);
        let by_hand = |task: &TaskId| planner.earlier.skipped(task);
        check_phases(&chosen, &skipped, tasks, &by_hand, &mut scope);
        check_outputs(tasks, scope.problems);
        without
    }

    /// The registered phases of which all tasks are chosen, as far as that is known before any is drafted.
    pub(super) fn drafting<'p>(
        &'p self,
        planner: &'p Planner<'p>,
        phases: &'p [PhaseSpec],
    ) -> impl Iterator<Item = &'p str> {
        let partial =
            !(self.groups.is_empty() && self.tasks.is_empty() && self.tags.is_empty()) || self.carry;
        let named = move |names: &[String], at: usize, name: &str| {
            let number = (at + 1).to_string();
            names.iter().any(|given| *given == name || *given == number || format!("phase_{given}") == name)
        };
        phases.iter().enumerate().filter_map(move |(at, phase)| {
            let name = phase.name.as_str();
            let chosen = named(&self.phases, at, name);
            let slow = self.fast && SLOW_PHASES.contains(&name) && !chosen;
            let left_out = named(&self.skip, at, name) || slow || !enabled(planner, name);
            let drafts =
                if phase.uses.as_deref() == Some("standard") { name } else { phase.uses.as_deref()? };
            (!partial && !left_out && (self.phases.is_empty() || chosen)).then_some(drafts)
        })
    }

    fn has_kind(&self, kind: Kind) -> bool {
        match kind {
            Kind::Gate => !self.fast,
            Kind::Test => !self.skip_tests,
            Kind::Static | Kind::Other => true,
        }
    }

    /// Whether what it chooses can be told without looking at earlier runs, in most cases.
    pub fn is_simple(&self) -> bool {
        let Self {
            phases,
            skip,
            groups,
            tasks,
            tags,
            carry,
            sequential: _,
            fast: _,
            skip_tests: _,
            affected: _,
        } = self;
        let nothing = |lists: [&Vec<String>; 5]| lists.iter().all(|list| list.is_empty());
        nothing([phases, skip, groups, tasks, tags]) && !carry
    }

    /// The tasks named, with all that they need; none where none is named.
    fn named(&self, tasks: &[PlannedTask], problems: &mut Vec<Problem>) -> Option<BTreeSet<usize>> {
        if self.tasks.is_empty() {
            return None;
        }
        let find = |id: &str| tasks.iter().position(|task| task.id.as_str() == id);
        let mut open = Vec::new();
        for name in &self.tasks {
            match find(name) {
                Some(at) => open.push(at),
                None => {
                    let message = unknown("task", name, tasks.iter().map(|task| task.id.as_str()));
                    problems.push(Problem::new("--task", message));
                }
            }
        }
        let mut found = BTreeSet::new();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                let task = &tasks[at];
                let before =
                    task.needs.iter().chain(&task.takes).chain(&task.follows).chain(task.when.task());
                open.extend(before.filter_map(|id| find(id.as_str())));
            }
        }
        Some(found)
    }
}

/// A task that tells how a phase ended goes with that phase: it is chosen where all of the phase runs, or is carried.
fn tell_of_phases(skipped: &BTreeSet<usize>, tasks: &mut [PlannedTask], scope: &Scope<'_>) {
    let phase_of = |task: &PlannedTask| scope.groups[task.group as usize].phase as usize;
    for at in 0..tasks.len() {
        let Some(name) = tasks[at].when.phase() else { continue };
        let of = scope.phases.iter().position(|phase| phase.name == *name);
        let own = tasks.iter().filter(|task| {
            Some(phase_of(task)) == of
                && !scope.groups[task.group as usize].checkpoint
                && task.when.phase().is_none()
        });
        let (mut runs, mut whole) = (false, true);
        for task in own {
            runs |= task.selection == Selection::Selected;
            whole &= task.selection != Selection::LeftOut;
        }
        let told = runs && whole && !skipped.contains(&phase_of(&tasks[at]));
        tasks[at].selection = if told { Selection::Selected } else { Selection::LeftOut };
    }
}

/// A phase chosen without those that it depends on needs them to have passed before.
fn check_phases(
    chosen: &BTreeSet<usize>,
    skipped: &BTreeSet<usize>,
    tasks: &[PlannedTask],
    by_hand: &dyn Fn(&TaskId) -> bool,
    scope: &mut Scope<'_>,
) {
    for at in chosen {
        for before in &scope.phases[*at].depends_on {
            let before = *before as usize;
            if chosen.contains(&before) || skipped.contains(&before) {
                continue;
            }
            let of_it =
                || tasks.iter().filter(|task| scope.groups[task.group as usize].phase as usize == before);
            // What a person left out by hand lets what follows go on.
            let left_out = |task: &PlannedTask| task.selection == Selection::LeftOut && !by_hand(&task.id);
            // A phase passes without what its condition skipped and what may fail; but not without having run at all.
            let must = |task: &&PlannedTask| {
                !task.continue_on_error && task.when.task().is_none() && task.when.phase().is_none()
            };
            let never_ran = of_it().next().is_some() && of_it().all(left_out);
            if never_ran || of_it().filter(must).any(left_out) {
                let (name, before) = (&scope.phases[*at].name, &scope.phases[before].name);
                let message = format!(
                    "phase `{name}` depends on `{before}`, which has not passed in an earlier run; run it too with \
                     `--phase {before},{name}`, or leave it out on purpose with `--skip {before}`"
                );
                let also = before.clone();
                scope.problems.push(Problem::new("--phase", message).also(also));
            }
        }
    }
}

/// A selected task that takes the output of one that is left out has nothing to take.
fn check_outputs(tasks: &[PlannedTask], problems: &mut Vec<Problem>) {
    let gone: BTreeSet<&TaskId> =
        tasks.iter().filter(|task| task.selection == Selection::LeftOut).map(|task| &task.id).collect();
    for task in tasks.iter().filter(|task| task.selection == Selection::Selected) {
        for source in task.takes.iter().filter(|source| gone.contains(source)) {
            let (id, message) =
                (&task.id, "which is left out and has not passed in an earlier run; select it too");
            problems.push(Problem::new("", format!("task `{id}` takes the output of `{source}`, {message}")));
        }
    }
}

impl Scope<'_> {
    /// A phase by name, by `phase_NAME`, or by number from 1.
    fn phase(&mut self, flag: &str, name: &str) -> Option<usize> {
        let exact = |name: &str| self.phases.iter().position(|phase| phase.name.as_str() == name);
        let by_number = || name.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < self.phases.len());
        let found = exact(name).or_else(|| exact(&format!("phase_{name}"))).or_else(by_number);
        if found.is_none() {
            let message = unknown("phase", name, self.phases.iter().map(|phase| phase.name.as_str()));
            self.problems.push(Problem::new(flag, message));
        }
        found
    }

    /// Groups by `group`, `group_NAME` or `phase/group`, within the chosen phases.
    fn group(&mut self, name: &str, chosen: &BTreeSet<usize>) -> Vec<u32> {
        let (phase, group) = name.split_once('/').map_or((None, name), |(phase, group)| (Some(phase), group));
        let matches = |planned: &PlannedGroup| {
            let own = planned.name.as_str();
            let phase_at = planned.phase as usize;
            !planned.checkpoint
                && (own == group || own == format!("group_{group}"))
                && (chosen.is_empty() || chosen.contains(&phase_at))
                && phase.is_none_or(|phase| {
                    let own = self.phases[phase_at].name.as_str();
                    own == phase || own == format!("phase_{phase}")
                })
        };
        let found: Vec<u32> =
            (0..self.groups.len()).filter(|at| matches(&self.groups[*at])).map(|at| at as u32).collect();
        if found.is_empty() {
            let known: BTreeSet<&str> = self
                .groups
                .iter()
                .filter(|group| !group.checkpoint)
                .map(|group| group.name.as_str())
                .collect();
            self.problems.push(Problem::new("--group", unknown("group", name, known)));
        }
        found
    }
}

/// Whether the settings let a standard phase run.
fn enabled(planner: &Planner<'_>, phase: &str) -> bool {
    let phases = &planner.settings.phases;
    match phase {
        "restart_backup" => phases.restart_backup,
        "code_generation" => phases.code_generation,
        "build_validation" => phases.build_validation,
        "merge_integration" => phases.merge_integration,
        "deployment" => phases.deployment,
        "reports" => phases.reports,
        _ => true,
    }
}
