//! Runs a unit on its inputs, and keeps the runs that reach something new: each branch, each side of a boundary, each
//! answer of a collaborator.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::eval::{Called, Eval, Run, Stop, shape};
use super::inputs::variables;
use super::module::Module;
use super::seed::Seed;
use super::unit::{How, Input, Unit};
use super::value::{Instance, Raised, Value};

/// Runs of one unit, and cases that are kept of them.
const MOST_RUNS: usize = 400;
const MOST_CASES: usize = 12;
const MOST_DIMENSIONS: usize = 24;

/// What may differ between runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Dimension {
    /// An input of `make` or, beyond those, of `takes`.
    Input { at: usize, count: usize },
    /// What a mock gives: something, or nothing.
    Mock(String),
    /// A variable of the environment.
    Variable { name: String, values: Vec<Option<String>> },
}

impl Dimension {
    fn count(&self) -> usize {
        match self {
            Self::Input { count, .. } => *count,
            Self::Mock(_) => 2,
            Self::Variable { values, .. } => values.len(),
        }
    }
}

/// A run that is kept.
pub(super) struct Ran {
    /// Which value each dimension has.
    pub(super) choice: Vec<usize>,
    /// Which values make the plainest run.
    pub(super) base: Vec<usize>,
    pub(super) end: End,
    pub(super) subject: Option<Rc<Instance>>,
    /// The fields of the subject that changed.
    pub(super) changed: BTreeSet<String>,
    pub(super) calls: Vec<Called>,
}

/// How a run ended.
pub(super) enum End {
    Gave(Value),
    Raised(Rc<Raised>),
}

/// What came of a unit.
pub(super) struct Explored {
    pub(super) dimensions: Vec<Dimension>,
    pub(super) kept: Vec<Ran>,
    /// Why runs ended early: the offset and the reason.
    pub(super) unknown: BTreeMap<u32, String>,
    /// All places that were reached.
    pub(super) reached: BTreeSet<(u32, i32)>,
    /// Paths of mocks that were called in any run, and whether each was awaited.
    pub(super) called: BTreeMap<String, BTreeSet<bool>>,
}

struct Search<'u, 'a> {
    unit: &'u Unit<'a>,
    module: &'a Module<'a>,
    explored: Explored,
    done: BTreeSet<Vec<usize>>,
    base: Vec<usize>,
    /// How runs ended so far.
    ends: BTreeSet<String>,
    /// What variables of the environment may be, once that is asked.
    values: Option<Vec<Option<String>>>,
}

/// Runs a unit.
pub(super) fn explore<'a>(unit: &Unit<'a>, module: &'a Module<'a>) -> Explored {
    let inputs = unit.make.iter().chain(&unit.takes);
    let dimensions = inputs
        .enumerate()
        .map(|(at, input)| Dimension::Input { at, count: input.seeds.len() })
        .collect::<Vec<_>>();
    let base = vec![0; dimensions.len()];
    let explored = Explored {
        dimensions,
        kept: Vec::new(),
        unknown: BTreeMap::new(),
        reached: BTreeSet::new(),
        called: BTreeMap::new(),
    };
    let mut search =
        Search { unit, module, explored, done: BTreeSet::new(), base, ends: BTreeSet::new(), values: None };
    module.budget.next_unit();
    if search.explored.dimensions.iter().all(|dimension| dimension.count() > 0) {
        search.all();
    }
    search.explored
}

impl Search<'_, '_> {
    fn all(&mut self) {
        self.run(self.base.clone());
        // Variables that are wanted show one after the other.
        for _ in 0..MOST_DIMENSIONS {
            let choice: Vec<usize> = self
                .explored
                .dimensions
                .iter()
                .map(|one| usize::from(matches!(one, Dimension::Variable { .. })))
                .collect();
            if self.done.contains(&choice) {
                break;
            }
            self.base.clone_from(&choice);
            self.run(choice);
        }
        self.singles();
        if self.explored.kept.iter().all(|ran| matches!(ran.end, End::Raised(_)))
            && let Some(choice) = self.plain_pair()
        {
            self.base = choice;
            self.singles();
        }
        self.pairs();
    }

    fn singles(&mut self) {
        let mut at = 0;
        while at < self.explored.dimensions.len() {
            for value in 0..self.explored.dimensions[at].count() {
                let mut choice = self.padded();
                choice[at] = value;
                self.run(choice);
            }
            at += 1;
        }
    }

    /// A run of two changed values that raises nothing.
    fn plain_pair(&mut self) -> Option<Vec<usize>> {
        self.pairs();
        self.explored.kept.iter().find(|ran| matches!(ran.end, End::Gave(_))).map(|ran| ran.choice.clone())
    }

    fn pairs(&mut self) {
        let count = self.explored.dimensions.len();
        for one in 0..count {
            for two in one + 1..count {
                for first in 0..self.explored.dimensions[one].count() {
                    for second in 0..self.explored.dimensions[two].count() {
                        let mut choice = self.padded();
                        (choice[one], choice[two]) = (first, second);
                        self.run(choice);
                        if self.done.len() > MOST_RUNS {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn padded(&self) -> Vec<usize> {
        let mut choice = self.base.clone();
        choice.resize(self.explored.dimensions.len(), 0);
        choice
    }

    fn run(&mut self, mut choice: Vec<usize>) {
        choice.resize(self.explored.dimensions.len(), 0);
        if let Some(why) = self.module.budget.spent() {
            self.explored.unknown.entry(self.unit.offset()).or_insert_with(|| why.to_owned());
            return;
        }
        if self.done.len() > MOST_RUNS || !self.done.insert(choice.clone()) {
            return;
        }
        let mut run = Run::new(self.module);
        let result = perform(self.unit, &self.explored.dimensions, &choice, &mut run);
        self.discover(&run);
        choice.resize(self.explored.dimensions.len(), 0);
        self.done.insert(choice.clone());
        let Done { end, subject, changed } = match result {
            Err(Stop::Unknown { why, at }) => {
                self.explored.unknown.entry(at).or_insert(why);
                return;
            }
            // What it is called on, or with, cannot be made.
            Err(Stop::Raised(_)) => return,
            Ok(done) => done,
        };
        for call in &run.calls {
            self.explored.called.entry(call.path.to_string()).or_default().insert(call.awaited);
        }
        let said = match &end {
            End::Gave(value) => shape(value),
            End::Raised(raised) => Some(format!("raises {}", raised.class)),
        };
        let told = said.is_some_and(|said| self.ends.insert(said));
        let fresh = (told && self.explored.kept.len() < 3)
            || run.reached.iter().any(|place| !self.explored.reached.contains(place));
        let first = self.explored.kept.is_empty();
        if (fresh || first) && self.explored.kept.len() < MOST_CASES {
            self.explored.reached.extend(&run.reached);
            let base = self.padded();
            self.explored.kept.push(Ran { choice, base, end, subject, changed, calls: run.calls });
        }
    }

    /// Mocks whose truth was asked, and variables that were looked up, may be different next time.
    fn discover(&mut self, run: &Run<'_>) {
        let known = &mut self.explored.dimensions;
        let mocks = run
            .asked
            .iter()
            .filter(|path| path.ends_with(".return_value"))
            .map(|path| Dimension::Mock(path.clone()));
        if self.values.is_none() && !run.looked.is_empty() {
            self.values = Some(variables(&self.unit.pool(self.module)));
        }
        let values = self.values.clone().unwrap_or_default();
        let looked = run.looked.iter().filter(|name| plain_name(name));
        let variables = looked.map(|name| Dimension::Variable { name: name.clone(), values: values.clone() });
        for dimension in mocks.chain(variables) {
            if !known.contains(&dimension) && known.len() < MOST_DIMENSIONS {
                known.push(dimension);
            }
        }
    }
}

fn plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

struct Done {
    end: End,
    subject: Option<Rc<Instance>>,
    changed: BTreeSet<String>,
}

fn perform(unit: &Unit<'_>, dimensions: &[Dimension], choice: &[usize], run: &mut Run<'_>) -> Eval<Done> {
    for (dimension, value) in dimensions.iter().zip(choice) {
        match dimension {
            Dimension::Input { .. } => {}
            Dimension::Mock(path) if *value == 1 => drop(run.given.insert(path.clone(), Value::None)),
            Dimension::Mock(_) => {}
            Dimension::Variable { name, values } => {
                if let Some(value) = &values[*value] {
                    run.env.insert(name.clone(), value.clone());
                }
            }
        }
    }
    let (make, takes) = choice.split_at(unit.make.len());
    let (args, keywords) = arguments(&unit.make, make, run)?;
    let class = || unit.class.map_or("", |class| class.def.name.as_str());
    let function = match unit.how {
        How::Function => Value::Function { class: None, name: unit.name.as_str().into() },
        How::Make => Value::Class(class().into()),
        How::OfClass => run.attribute_of(&Value::Class(class().into()), &unit.name)?,
        How::Method | How::Property => {
            let made = run.call(&Value::Class(class().into()), args, keywords, false)?;
            return of_instance(unit, &made, takes, run);
        }
    };
    let (args, keywords) = arguments(&unit.takes, takes, run)?;
    let end = {
        let result = run.call(&function, args, keywords, unit.is_async());
        ended(result, run)?
    };
    Ok(Done { end, subject: None, changed: BTreeSet::new() })
}

fn of_instance(unit: &Unit<'_>, made: &Value, takes: &[usize], run: &mut Run<'_>) -> Eval<Done> {
    let Value::Instance(subject) = made else {
        return Err(Stop::Unknown { why: "its class makes something else".into(), at: unit.offset() });
    };
    let shapes = || -> Eval<BTreeMap<String, String>> {
        let large = || Stop::Unknown { why: "a value this large is not followed".into(), at: unit.offset() };
        let fields = subject.fields.borrow();
        fields.iter().map(|(name, value)| Ok((name.clone(), shape(value).ok_or_else(large)?))).collect()
    };
    let before = shapes()?;
    run.reached.clear();
    let end = if unit.how == How::Property {
        {
            let result = run.attribute_of(made, &unit.name);
            ended(result, run)?
        }
    } else {
        let (args, keywords) = arguments(&unit.takes, takes, run)?;
        let method = run.attribute_of(made, &unit.name)?;
        {
            let result = run.call(&method, args, keywords, unit.is_async());
            ended(result, run)?
        }
    };
    let changed =
        shapes()?.into_iter().filter(|(name, shape)| before.get(name) != Some(shape)).map(|(name, _)| name);
    Ok(Done { end, subject: Some(subject.clone()), changed: changed.collect() })
}

fn ended(result: Eval, run: &mut Run<'_>) -> Eval<End> {
    match result {
        Ok(value) => Ok(End::Gave(value)),
        Err(Stop::Raised(raised)) => {
            run.reached_end();
            run.unchanged().map(|()| End::Raised(raised))
        }
        Err(stop) => Err(stop),
    }
}

type Arguments = (Vec<Value>, Vec<(String, Value)>);

fn arguments(inputs: &[Input<'_>], choice: &[usize], run: &mut Run<'_>) -> Eval<Arguments> {
    let (mut args, mut keywords) = (Vec::new(), Vec::new());
    for (input, value) in inputs.iter().zip(choice) {
        let seed = &input.seeds[*value];
        if *seed == Seed::Omit {
            continue;
        }
        let value = seed.make(run, &input.variable)?;
        if input.keyword { keywords.push((input.name.to_owned(), value)) } else { args.push(value) }
    }
    Ok((args, keywords))
}
