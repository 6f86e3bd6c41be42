//! What is tested: a function, a method with the instance that it is called on, or what a class makes.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::{Expr, ParameterWithDefault, Stmt, StmtFunctionDef};

use super::class::{Class, Kind};
use super::inputs::{MOST_FIELDS, Pool, pool, seeds};
use super::module::{Global, Module};
use super::seed::Seed;
use super::shape::{self, Shape};
use super::text::variable;

/// How it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// `name(..)`.
    Function,
    /// `subject.name(..)`.
    Method,
    /// `subject.name`.
    Property,
    /// `Class.name(..)`.
    OfClass,
    /// `Class(..)`.
    Make,
}

/// A unit.
pub(super) struct Unit<'a> {
    pub(super) name: String,
    pub(super) class: Option<&'a Class<'a>>,
    pub(super) def: Option<&'a StmtFunctionDef>,
    pub(super) how: How,
    /// What the instance is made with.
    pub(super) make: Rc<[Input<'a>]>,
    /// What the unit itself takes.
    pub(super) takes: Vec<Input<'a>>,
}

/// A parameter and what it may be given.
#[derive(Clone)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    /// The variable that a mock for it gets.
    pub(super) variable: String,
    pub(super) keyword: bool,
    pub(super) seeds: Vec<Seed>,
}

impl<'a> Unit<'a> {
    pub(super) fn function(def: &'a StmtFunctionDef, module: &'a Module<'a>) -> Self {
        let takes = inputs(def, false, None, module, 0);
        Self {
            name: def.name.to_string(),
            class: None,
            def: Some(def),
            how: How::Function,
            make: Rc::default(),
            takes,
        }
    }

    /// The units of a class: what it makes, its public methods and properties.
    pub(super) fn of_class(class: &'a Class<'a>, module: &'a Module<'a>) -> Vec<Self> {
        let name = class.def.name.as_str();
        let mut units = Vec::new();
        let init = || class.methods.get("__init__").copied();
        let made: Rc<[Input<'a>]> = match init() {
            Some(def) => inputs(def, true, Some(name), module, 0).into(),
            None => fields(class, module).into(),
        };
        if !matches!(class.kind, Kind::Enum { .. } | Kind::Error(_)) {
            units.push(Self {
                name: name.into(),
                class: Some(class),
                def: init(),
                how: How::Make,
                make: Rc::default(),
                takes: made.to_vec(),
            });
        }
        for (method, def) in class.methods.iter().take(super::MOST_UNITS) {
            if method.starts_with('_') {
                continue;
            }
            let decorators: Vec<String> = def
                .decorator_list
                .iter()
                .map(|decorator| module.outside(&decorator.expression).unwrap_or_default())
                .collect();
            let how = match decorators.first().map(String::as_str) {
                Some("property") => How::Property,
                Some("staticmethod" | "classmethod") => How::OfClass,
                _ => How::Method,
            };
            let of_instance =
                matches!(how, How::Method | How::Property) && !matches!(class.kind, Kind::Enum { .. });
            let make = if of_instance { made.clone() } else { Rc::default() };
            let bound = decorators.first().is_none_or(|name| name != "staticmethod");
            let takes = inputs(def, bound, Some(name), module, make.len());
            units.push(Self { name: method.clone(), class: Some(class), def: Some(def), how, make, takes });
        }
        units.sort_by_key(|unit| unit.def.map_or(0, super::module::offset));
        units
    }

    /// Where it begins.
    pub(super) fn offset(&self) -> u32 {
        match (self.def, self.class) {
            (Some(def), _) => super::module::offset(&def.name),
            (None, Some(class)) => super::module::offset(&class.def.name),
            (None, None) => 0,
        }
    }

    /// What it is called by people.
    pub(super) fn shown(&self) -> String {
        match (self.class, &self.how) {
            (Some(class), How::Make) => class.def.name.to_string(),
            (Some(class), _) => format!("{}.{}", class.def.name, self.name),
            (None, _) => self.name.clone(),
        }
    }

    pub(super) fn is_async(&self) -> bool {
        self.def.is_some_and(|def| def.is_async)
    }

    pub(super) fn body(&self) -> &'a [Stmt] {
        self.def.map_or(&[], |def| &def.body)
    }

    pub(super) fn pool(&self, module: &Module<'_>) -> Pool {
        pool(self.body(), "", module, self.class.map(|class| class.def.name.as_str()))
    }
}

fn inputs<'a>(
    def: &'a StmtFunctionDef,
    skip_first: bool,
    class: Option<&str>,
    module: &'a Module<'a>,
    from: usize,
) -> Vec<Input<'a>> {
    let parameters = &*def.parameters;
    let positional = parameters.posonlyargs.iter().map(|parameter| (parameter, false));
    let plain = parameters.args.iter().map(|parameter| (parameter, parameter.default.is_some()));
    let only = parameters.kwonlyargs.iter().map(|parameter| (parameter, true));
    let all = positional.chain(plain).skip(usize::from(skip_first)).chain(only);
    let taken: BTreeSet<&str> = module.names.keys().map(String::as_str).collect();
    all.take(MOST_FIELDS)
        .enumerate()
        .map(|(at, (parameter, keyword))| {
            let name = parameter.name().as_str();
            let inputs = of_parameter(parameter, def, class, module, from + at);
            Input { name, variable: variable(name, &taken), keyword, seeds: inputs }
        })
        .collect()
}

fn of_parameter(
    parameter: &ParameterWithDefault,
    def: &StmtFunctionDef,
    class: Option<&str>,
    module: &Module<'_>,
    index: usize,
) -> Vec<Seed> {
    let pool = pool(&def.body, parameter.name().as_str(), module, class);
    let mut shape = shape::of(parameter, &def.body, module);
    if shape == Shape::Any
        && def.name.as_str() == "__init__"
        && let Some(attribute) = keeps(def, parameter.name().as_str())
        && let Some(Global::Class(class)) = class.and_then(|class| module.names.get(class))
    {
        shape = shape::kept(&attribute, class);
    }
    let inputs = seeds(&shape, &pool, index, module, 0);
    let omit = parameter.default.is_some().then_some(Seed::Omit);
    omit.into_iter().chain(inputs).collect()
}

/// The attribute of `self` that keeps a parameter.
fn keeps(def: &StmtFunctionDef, parameter: &str) -> Option<String> {
    def.body.iter().find_map(|stmt| {
        let (target, value) = match stmt {
            Stmt::Assign(assign) => (assign.targets.first()?, &*assign.value),
            Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_deref()?),
            _ => return None,
        };
        let kept = matches!(value, Expr::Name(name) if name.id.as_str() == parameter);
        let Expr::Attribute(attribute) = target else { return None };
        kept.then(|| attribute.attr.to_string())
    })
}

/// The fields of a dataclass, as what makes it.
fn fields<'a>(class: &'a Class<'a>, module: &'a Module<'a>) -> Vec<Input<'a>> {
    if !matches!(class.kind, Kind::Data { .. }) {
        return Vec::new();
    }
    let body = class.methods.values().flat_map(|method| method.body.iter().cloned()).collect::<Vec<_>>();
    let taken: BTreeSet<&str> = module.names.keys().map(String::as_str).collect();
    let annotated = class.fields.iter().filter_map(|field| Some((field, field.annotation?)));
    annotated
        .take(MOST_FIELDS)
        .enumerate()
        .map(|(at, (field, annotation))| {
            let pool = pool(&body, &field.name, module, Some(class.def.name.as_str()));
            let shape = shape::annotated(annotation, module);
            let inputs = seeds(&shape, &pool, at, module, 0);
            let omit = field.value.is_some().then_some(Seed::Omit);
            let seeds = omit.into_iter().chain(inputs).collect();
            Input { name: &field.name, variable: variable(&field.name, &taken), keyword: true, seeds }
        })
        .collect()
}
