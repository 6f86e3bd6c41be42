//! A small interpreter of TypeScript. It runs a function for chosen inputs and tells what comes of it; where it does not know
//! for certain what the program does, it stops and says so. Nothing of the outside is ever touched.

mod binding;
pub(super) mod budget;
mod builtin;
pub(super) mod call;
mod expression;
mod fastify;
pub(super) mod member;
mod operator;
pub(super) mod statement;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oxc_ast::ast::Class;

use super::module::{Literals, Module};
use super::scope::Scope;
use super::value::{Eval, Halt, Object, Value};
use super::world::Choices;

/// A call of something from outside.
pub(super) struct Called<'a> {
    /// How a test refers to the function: `users.findById`.
    pub(super) key: String,
    pub(super) arguments: Vec<Value<'a>>,
    /// What it gives; an error where it fails.
    pub(super) gives: Result<Value<'a>, Value<'a>>,
    pub(super) awaited: bool,
}

/// A route that was registered.
pub(super) struct Registered<'a> {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) schema: Value<'a>,
    pub(super) handler: Value<'a>,
    pub(super) at: u32,
    /// Hooks that run before the handler; where there are some, little is certain.
    pub(super) hooked: bool,
}

/// One run of the interpreter.
pub(super) struct Machine<'a, 'w> {
    pub(super) module: &'w Module<'a>,
    pub(super) literals: &'w Literals<'a>,
    pub(super) choices: &'w mut Choices<'a>,
    pub(super) globals: Rc<Scope<'a>>,
    /// Stand-ins that were made, by key.
    pub(super) stand_ins: BTreeMap<String, Rc<Object<'a>>>,
    pub(super) calls: Vec<Called<'a>>,
    /// Which way each decision went.
    pub(super) path: Vec<u32>,
    pub(super) routes: Vec<Registered<'a>>,
    /// What a plugin uses of its instance that somebody else gives.
    pub(super) decorations: BTreeSet<String>,
    /// Whether a hook was registered.
    pub(super) hooked: bool,
    /// How many steps are left.
    pub(super) fuel: usize,
    /// How deep calls nest.
    pub(super) depth: u32,
    /// How deep statements and expressions nest.
    pub(super) nest: u32,
    /// Scopes that functions hold on to, which may hold the functions.
    pub(super) held: Vec<Rc<Scope<'a>>>,
    /// How many `try` are around.
    pub(super) trying: u32,
    /// The function from outside that is called.
    pub(super) calling: String,
    /// The name that the result of the call at an offset gets.
    pub(super) naming: Option<(u32, &'a str)>,
    /// The object that is being made, and of which class.
    pub(super) constructing: Option<(&'a Class<'a>, Rc<Object<'a>>)>,
}

impl<'a, 'w> Machine<'a, 'w> {
    pub(super) fn new(
        module: &'w Module<'a>,
        literals: &'w Literals<'a>,
        choices: &'w mut Choices<'a>,
    ) -> Self {
        Self {
            module,
            literals,
            choices,
            globals: Rc::new(Scope::default()),
            stand_ins: BTreeMap::new(),
            calls: Vec::new(),
            path: Vec::new(),
            routes: Vec::new(),
            decorations: BTreeSet::new(),
            hooked: false,
            fuel: budget::FUEL,
            depth: 0,
            nest: 0,
            held: Vec::new(),
            trying: 0,
            calling: String::new(),
            naming: None,
            constructing: None,
        }
    }

    /// Notes which way a decision on a value goes.
    pub(super) fn decide(&mut self, at: u32, yes: bool) -> bool {
        self.path.push(at * 2 + u32::from(yes));
        yes
    }
}

/// Scopes and the functions in them hold each other: without this they would stay for ever.
impl Drop for Machine<'_, '_> {
    fn drop(&mut self) {
        self.globals.clear();
        for scope in &self.held {
            scope.clear();
        }
    }
}

/// Stops, since it is not known what the program does here.
pub(super) fn unknown<'a, T>(why: impl Into<String>, at: u32) -> Eval<'a, T> {
    Err(Halt::Unknown { why: why.into(), at })
}
