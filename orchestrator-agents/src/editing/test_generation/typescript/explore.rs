//! Finds the ways through a function: it is run for its first inputs, then with one input changed, and so on. Each way is
//! told once, with the inputs that lead there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::eval::member::SILENT;
use super::eval::{Called, Machine};
use super::module::{Literals, Module};
use super::value::{Eval, Halt, Value};
use super::world::{Choices, Seen};

/// The most runs for one function.
const RUNS: usize = 1200;
/// The most ways that are looked at.
const WAYS: usize = 80;
/// The most ways that are told.
const TOLD: usize = 12;
/// How often a run is repeated until no more is asked of what comes from outside.
const ROUNDS: usize = 8;
/// How many steps it takes to begin a run.
const PER_RUN: usize = 40;

/// A way through a function.
pub(super) struct Way<'a, T> {
    /// What comes of it; a thrown value otherwise.
    pub(super) outcome: Result<T, Value<'a>>,
    pub(super) calls: Vec<Called<'a>>,
    pub(super) seen: Vec<Seen<'a>>,
    /// The environment, where it was read.
    pub(super) environment: Option<Value<'a>>,
    /// What a plugin uses of its instance.
    pub(super) decorations: BTreeSet<String>,
}

/// What was found.
pub(super) struct Explored<'a, T> {
    pub(super) ways: Vec<Way<'a, T>>,
    /// What is not known, by offset.
    pub(super) unknown: BTreeMap<u32, String>,
}

pub(super) fn explore<'a, T>(
    module: &Module<'a>,
    literals: &Literals<'a>,
    run: impl Fn(&mut Machine<'a, '_>) -> Eval<'a, T>,
) -> Explored<'a, T> {
    let mut covered: BTreeSet<Vec<u32>> = BTreeSet::new();
    let mut looked = 0;
    let mut found = Explored { ways: Vec::new(), unknown: BTreeMap::new() };
    let mut queue = VecDeque::from([BTreeMap::new()]);
    let mut tried: BTreeSet<BTreeMap<String, usize>> = BTreeSet::new();
    let mut paths: BTreeSet<Vec<u32>> = BTreeSet::new();
    while let Some(picked) = queue.pop_front() {
        if module.work.get() == 0 && !tried.is_empty()
            || tried.len() >= RUNS
            || looked >= WAYS
            || found.ways.len() >= TOLD
        {
            break;
        }
        if !tried.insert(picked.clone()) {
            continue;
        }
        let mut choices = Choices { picked, ..Choices::default() };
        let (outcome, calls, path, environment, decorations) = settled(module, literals, &mut choices, &run);
        // Another input may go on where this way is not known any more.
        let mut way = path.clone();
        way.extend(matches!(outcome, Err(Halt::Unknown { .. })).then_some(u32::MAX));
        if !paths.insert(way) {
            continue;
        }
        looked += 1;
        for seen in &choices.seen {
            for other in (0..seen.of).filter(|other| *other != seen.at) {
                let mut next = choices.picked.clone();
                next.insert(seen.key.clone(), other);
                if queue.len() < RUNS {
                    queue.push_back(next);
                }
            }
        }
        let seen = choices.seen;
        let outcome = match outcome {
            Ok(value) => Ok(value),
            Err(Halt::Throw(value)) => Err(value),
            Err(Halt::Unknown { why, at }) => {
                if why != SILENT {
                    found.unknown.entry(at).or_insert(why);
                }
                continue;
            }
        };
        // A way is told where it decides something as no way before it.
        if !fresh(&path, outcome.is_ok(), &mut covered) && !found.ways.is_empty() {
            continue;
        }
        found.ways.push(Way { outcome, calls, seen, environment, decorations });
    }
    found
}

/// Whether a way decides something as no way before it. What throws is known by its last decisions alone: what came before
/// them did not matter.
fn fresh(path: &[u32], gives: bool, covered: &mut BTreeSet<Vec<u32>>) -> bool {
    if gives {
        return path.iter().filter(|at| covered.insert(vec![**at])).count() > 0 || path.is_empty();
    }
    covered.insert(path[path.len().saturating_sub(3)..].iter().map(|at| at + u32::MAX / 2).collect())
}

type Run<'a, T> = (Eval<'a, T>, Vec<Called<'a>>, Vec<u32>, Option<Value<'a>>, BTreeSet<String>);

/// Runs until what comes from outside has all that is asked of it from the beginning, as it has in a test.
fn settled<'a, T>(
    module: &Module<'a>,
    literals: &Literals<'a>,
    choices: &mut Choices<'a>,
    run: &impl Fn(&mut Machine<'a, '_>) -> Eval<'a, T>,
) -> Run<'a, T> {
    let mut rounds = 0;
    loop {
        choices.seen.clear();
        choices.grew = false;
        let mut machine = Machine::new(module, literals, choices);
        let outcome = machine.spend(PER_RUN, 0).and_then(|()| run(&mut machine));
        let environment = machine.stand_ins.get("process.env").cloned().map(Value::Object);
        let (calls, path) = (std::mem::take(&mut machine.calls), std::mem::take(&mut machine.path));
        let decorations = std::mem::take(&mut machine.decorations);
        drop(machine);
        rounds += 1;
        if !choices.grew {
            return (outcome, calls, path, environment, decorations);
        }
        if rounds >= ROUNDS {
            let why = "it asks too much of what comes from outside".to_owned();
            return (Err(Halt::Unknown { why, at: 0 }), calls, path, environment, decorations);
        }
    }
}
