//! Runs functions of a module on values, as Python would. What is not modelled exactly ends the run with why; nothing
//! is ever guessed.

mod arguments;
mod builtins;
mod call;
pub(super) mod errors;
mod expr;
mod format;
mod methods;
mod numbers;
mod ops;
mod stmt;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ruff_python_ast::{Expr, StmtFunctionDef};

use super::budget::take;
use super::class::{Class, Kind};
use super::module::{Global, Module};
use super::value::{Instance, Member, Raised, Value};

/// Steps of one run, and work: 100 for a step, 1 for each value inside what it gives.
const FUEL: u32 = 20_000;
const STEP: u64 = 100;
const WORK: u64 = 3_000_000;
/// Bytes that all values of a run take together.
const BYTES: u64 = 16 << 20;
/// What one value may hold: values, levels of them, and bytes of text.
const MOST_VALUES: usize = 600;
const MOST_LEVELS: u32 = 30;
const MOST_TEXT: usize = 20_000;
/// Calls of mocks in one run.
const MOST_CALLS: usize = 60;
/// Calls and expressions inside each other.
const DEEPEST: u32 = 90;

/// Why a run ended early.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// It is not modelled what happens here.
    Unknown { why: String, at: u32 },
    /// An exception.
    Raised(Rc<Raised>),
}

pub(super) type Eval<T = Value> = Result<T, Stop>;

/// A call of a mock.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) path: Rc<str>,
    pub(super) args: Vec<Value>,
    pub(super) keywords: Vec<(String, Value)>,
    pub(super) awaited: bool,
}

/// One run.
pub(super) struct Run<'a> {
    module: &'a Module<'a>,
    /// What mocks give, by their expression.
    pub(super) given: BTreeMap<String, Value>,
    /// The environment.
    pub(super) env: BTreeMap<String, String>,
    /// Variables that were looked up.
    pub(super) looked: BTreeSet<String>,
    /// Mocks whose truth was asked.
    pub(super) asked: BTreeSet<String>,
    /// Calls of mocks, in order.
    pub(super) calls: Vec<Called>,
    /// What was reached: places with what happened there.
    pub(super) reached: BTreeSet<(u32, i32)>,
    globals: BTreeMap<String, (Value, String)>,
    handling: Vec<Rc<Raised>>,
    fuel: u32,
    work: Cell<u64>,
    bytes: Cell<u64>,
    depth: u32,
    at: u32,
}

/// The names of a function while it runs.
#[derive(Default, Clone)]
pub(super) struct Scope {
    names: BTreeMap<String, Value>,
    bound: BTreeSet<String>,
    /// The class whose method it is, for `super()`.
    class: Option<Rc<str>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(module: &'a Module<'a>) -> Self {
        Self {
            module,
            given: BTreeMap::new(),
            env: BTreeMap::new(),
            looked: BTreeSet::new(),
            asked: BTreeSet::new(),
            calls: Vec::new(),
            reached: BTreeSet::new(),
            globals: BTreeMap::new(),
            handling: Vec::new(),
            fuel: FUEL,
            work: Cell::new(WORK),
            bytes: Cell::new(BYTES),
            depth: 0,
            at: 0,
        }
    }

    /// `on.name`.
    pub(super) fn attribute_of(&mut self, on: &Value, name: &str) -> Eval {
        self.attribute(on, name)
    }

    /// Calls a function of the module, or what a class makes.
    pub(super) fn call(
        &mut self,
        function: &Value,
        args: Vec<Value>,
        keywords: Vec<(String, Value)>,
        awaited: bool,
    ) -> Eval {
        let result = self.invoke(function, args, keywords, awaited)?;
        self.unchanged()?;
        self.small(result)
    }

    /// An error unless all that the module keeps is as it was: a test would depend on those before it.
    pub(super) fn unchanged(&self) -> Eval<()> {
        for (name, (value, before)) in &self.globals {
            self.weigh(value)?;
            if shape(value).as_ref() != Some(before) {
                return Err(self.stop(format!("it changes `{name}`, which the module keeps")));
            }
        }
        // What a collaborator was given may have grown since.
        for called in &self.calls {
            for value in called.args.iter().chain(called.keywords.iter().map(|(_, value)| value)) {
                self.weigh(value)?;
            }
        }
        Ok(())
    }

    /// Notes where an exception came from.
    pub(super) fn reached_end(&mut self) {
        self.reach(self.at, 50);
    }

    fn stop(&self, why: impl Into<String>) -> Stop {
        Stop::Unknown { why: why.into(), at: self.at }
    }

    fn unknown<T>(&self, why: impl Into<String>) -> Eval<T> {
        Err(self.stop(why))
    }

    /// A value, or an end because it is not modelled.
    fn known<T>(&self, value: Option<T>, what: &str) -> Eval<T> {
        value.ok_or_else(|| self.stop(what))
    }

    fn raise<T>(class: &str, said: Option<String>) -> Eval<T> {
        Err(Stop::Raised(Rc::new(Raised { class: class.into(), said, fields: BTreeMap::new() })))
    }

    /// The same value, where it is not too large to be followed.
    fn small(&self, value: Value) -> Eval {
        self.weigh(&value)?;
        Ok(value)
    }

    /// How much a value holds; an end where that is too much to be followed. Work and bytes are taken for it.
    fn weigh(&self, value: &Value) -> Eval<u64> {
        let Some((values, text)) = held(value) else {
            return self.unknown("a value this large is not followed");
        };
        let (values, text) = (values as u64, text as u64);
        self.charge(values + text / 64)?;
        if !take(&self.bytes, 64 * values + text) {
            return self.unknown("all its values together are too large to be followed");
        }
        Ok(values + text / 64)
    }

    /// Work for comparing everything of one value with everything of another.
    fn pairs(&self, one: &Value, two: &Value) -> Eval<()> {
        let (one, two) = (self.weigh(one)?, self.weigh(two)?);
        self.charge(one * two)
    }

    /// Takes work.
    fn charge(&self, work: u64) -> Eval<()> {
        if !take(&self.work, work) {
            return self.unknown("it runs for too long to be followed");
        }
        self.module.budget.work(work).or_else(|why| self.unknown(why))
    }

    /// A variable of the environment; that it was looked up is noted.
    fn variable(&mut self, name: &str) -> Option<String> {
        self.looked.insert(name.to_owned());
        self.env.get(name).cloned()
    }

    fn step(&mut self) -> Eval<()> {
        self.fuel = match self.fuel.checked_sub(1) {
            Some(fuel) => fuel,
            None => return self.unknown("it runs for too long to be followed"),
        };
        self.charge(STEP)
    }

    fn reach(&mut self, at: u32, what: i32) {
        self.reached.insert((at, what));
    }

    pub(super) fn class(&self, name: &str) -> Option<&'a Class<'a>> {
        match self.module.names.get(name) {
            Some(Global::Class(class)) => Some(class),
            _ => None,
        }
    }

    /// A method of a class or of those that it inherits from, with the class that has it.
    pub(super) fn method(&self, class: &str, name: &str) -> Option<(&'a StmtFunctionDef, Rc<str>)> {
        let mut next = self.class(class);
        for _ in 0..16 {
            let class = next?;
            if let Some(method) = class.methods.get(name) {
                return Some((method, class.def.name.as_str().into()));
            }
            next = class.base.as_deref().and_then(|base| self.class(base));
        }
        None
    }

    /// The full name of what an expression names outside.
    fn outside(&self, expr: &Expr) -> Option<String> {
        self.module.outside(expr)
    }

    fn global(&mut self, name: &str) -> Eval {
        let module = self.module;
        match module.names.get(name) {
            Some(Global::Function(_)) => Ok(Value::Function { class: None, name: name.into() }),
            Some(Global::Class(_)) => Ok(Value::Class(name.into())),
            Some(Global::Outside(full)) => Ok(Value::Outside(full.as_str().into())),
            Some(Global::Unsure(why)) => self.unknown(why.clone()),
            Some(Global::Constant(expr)) => self.kept(name, expr),
            None if module.star => self.unknown(format!("`{name}` may come from an `import *`")),
            None => Ok(Value::Outside(name.into())),
        }
    }

    /// A value that the module keeps: made once, and looked at after the run.
    fn kept(&mut self, key: &str, expr: &'a Expr) -> Eval {
        if let Some((value, _)) = self.globals.get(key) {
            return Ok(value.clone());
        }
        let at = std::mem::replace(&mut self.at, super::module::offset(expr));
        let (env, looked) = (self.env.clone(), self.looked.len());
        let calls = self.calls.len();
        self.deeper()?;
        let value = self.expr(&mut Scope::default(), expr);
        self.depth -= 1;
        let value = match value {
            Ok(value) => value,
            Err(Stop::Raised(raised)) => {
                return self.unknown(format!("loading the module raises `{}`", raised.class));
            }
            Err(stop) => return Err(stop),
        };
        if self.looked.len() != looked || self.env != env || self.calls.len() != calls {
            return self.unknown(format!("`{key}` is read from the environment when the module is loaded"));
        }
        self.at = at;
        let before = self.known(shape(&value), "a value this large is not followed")?;
        self.globals.insert(key.to_owned(), (value.clone(), before));
        Ok(value)
    }

    fn deeper(&mut self) -> Eval<()> {
        if self.depth >= DEEPEST {
            return self.unknown("it nests too deep to be followed");
        }
        self.depth += 1;
        Ok(())
    }

    /// A member of an enum by its name.
    pub(super) fn member(&mut self, class: &'a Class<'a>, name: &str) -> Eval<Option<Value>> {
        let Kind::Enum { mixed } = class.kind else { return Ok(None) };
        if ["__init__", "_missing_", "__eq__", "__hash__", "__str__", "__format__"]
            .iter()
            .any(|hook| class.methods.contains_key(*hook))
        {
            return self.unknown(format!("`{}` changes what its members are", class.def.name));
        }
        let Some(field) = class.fields.iter().find(|field| field.name == name) else { return Ok(None) };
        let Some(expr) = field.value.filter(|_| !name.starts_with('_')) else { return Ok(None) };
        let value = self.enum_value(class, name, expr)?;
        for other in class.fields.iter().take_while(|other| other.name != name) {
            let Some(expr) = other.value.filter(|_| !other.name.starts_with('_')) else { continue };
            if self.enum_value(class, &other.name, expr)?.equals(&value) == Some(true) {
                return self.unknown(format!("`{name}` is another name of a member"));
            }
        }
        if matches!(value, Value::Outside(_)) && mixed {
            return self.unknown("the values of its members are chosen by Python");
        }
        let class = class.def.name.as_str().into();
        Ok(Some(Value::Member(Rc::new(Member { class, name: name.into(), value, mixed }))))
    }

    fn enum_value(&mut self, class: &'a Class<'a>, name: &str, expr: &'a Expr) -> Eval {
        self.charge(5)?;
        let auto =
            matches!(expr, Expr::Call(call) if self.outside(&call.func).as_deref() == Some("enum.auto"));
        if auto {
            return Ok(Value::Outside("enum.auto".into()));
        }
        self.kept(&format!("{}.{name}", class.def.name), expr)
    }

    /// All members of an enum.
    pub(super) fn members(&mut self, class: &'a Class<'a>) -> Eval<Vec<Value>> {
        let mut members = Vec::new();
        for field in &class.fields {
            members.extend(self.member(class, &field.name)?);
        }
        Ok(members)
    }

    fn instance(class: &str, data: bool, frozen: bool, shown: bool) -> Rc<Instance> {
        Rc::new(Instance { class: class.into(), data, frozen, shown, fields: RefCell::new(BTreeMap::new()) })
    }
}

/// How many values a value holds, itself too, and how many bytes of text; none where that is too much, as it is for what
/// holds itself.
fn held(value: &Value) -> Option<(usize, usize)> {
    fn within(value: &Value, depth: u32, values: &mut usize, text: &mut usize) -> Option<()> {
        if depth == 0 || *values == 0 {
            return None;
        }
        *values -= 1;
        let mut each = |value: &Value| within(value, depth - 1, values, text);
        let long = match value {
            Value::List(items) | Value::Set(items) => return items.borrow().iter().try_for_each(each),
            Value::Tuple(items) => return items.iter().try_for_each(each),
            Value::Dict(items) => {
                return items
                    .borrow()
                    .iter()
                    .try_for_each(|(key, value)| each(key).and_then(|()| each(value)));
            }
            Value::Instance(instance) => return instance.fields.borrow().values().try_for_each(each),
            Value::Iter(items) => return items.borrow().iter().flatten().try_for_each(each),
            Value::Bound { on, .. } | Value::Method { on, .. } => return each(on),
            Value::Member(member) => return each(&member.value),
            Value::Error(raised) => {
                raised.fields.values().try_for_each(each)?;
                raised.said.as_ref().map_or(0, String::len)
            }
            Value::Str(words) | Value::Mock(words) | Value::Outside(words) | Value::Class(words) => {
                words.len()
            }
            _ => 0,
        };
        *text = text.checked_sub(long)?;
        Some(())
    }
    let (mut values, mut text) = (MOST_VALUES, MOST_TEXT);
    within(value, MOST_LEVELS, &mut values, &mut text)?;
    Some((MOST_VALUES - values, MOST_TEXT - text))
}

/// A value as text, to see whether it changed; none where it is too large.
pub(super) fn shape(value: &Value) -> Option<String> {
    held(value).map(|_| format!("{value:?}"))
}
