//! How much a run may take. Steps, sizes of values and what is asked of the outside are all counted, and all runs for one
//! source share one account: so no source takes more than a fraction of a second, or more than some megabytes.

use std::rc::Rc;

use super::super::value::{Eval, Kind, Object, Value};
use super::{Machine, unknown};

/// The most steps of one run.
pub(super) const FUEL: usize = 20_000;
/// The most steps of all runs for one source.
pub(in super::super) const WORK: usize = 400_000;
/// The most bytes of a text.
const TEXT: usize = 8 << 10;
/// The most items of a list, a map or a set.
pub(super) const ITEMS: usize = 2_000;
/// The most properties of an object.
const PROPERTIES: usize = 400;
/// How deep statements and expressions may nest, calls included.
const NESTED: u32 = 1_500;
/// How deep calls may nest.
const DEPTH: u32 = 40;
/// The most inputs and calls of a run that come from outside.
const OUTSIDE: usize = 150;
/// The most bytes of the name of such an input.
const KEY: usize = 160;

const LONG_LIST: &str = "a list grows too long to be followed";
const LONG_TEXT: &str = "a text grows too long to be followed";

impl<'a> Machine<'a, '_> {
    pub(super) fn step(&mut self, at: u32) -> Eval<'a, ()> {
        self.spend(1, at)
    }

    /// Takes so many steps.
    pub(in super::super) fn spend(&mut self, steps: usize, at: u32) -> Eval<'a, ()> {
        let left = self.module.work.get();
        self.module.work.set(left.saturating_sub(steps));
        if left <= steps {
            return unknown("the file takes too much work to be followed", at);
        }
        if self.fuel <= steps {
            self.fuel = 0;
            return unknown("it takes too many steps", at);
        }
        self.fuel -= steps;
        Ok(())
    }

    /// Runs something inside of what runs.
    pub(super) fn nested<T>(&mut self, at: u32, run: impl FnOnce(&mut Self) -> Eval<'a, T>) -> Eval<'a, T> {
        self.step(at)?;
        if self.nest >= NESTED {
            return unknown("it nests too deep", at);
        }
        self.nest += 1;
        let value = run(self);
        self.nest -= 1;
        value
    }

    /// Runs a body of the program that is elsewhere in the source.
    pub(super) fn deeper<T>(&mut self, at: u32, run: impl FnOnce(&mut Self) -> Eval<'a, T>) -> Eval<'a, T> {
        if self.depth >= DEPTH {
            return unknown("calls nest too deep", at);
        }
        self.depth += 1;
        let value = run(self);
        self.depth -= 1;
        value
    }

    /// Counts a value that is looked through.
    pub(super) fn looked(&mut self, value: &Value<'a>, at: u32) -> Eval<'a, ()> {
        self.spend(1 + weight(value), at)
    }

    /// Counts a value that was made, and stops where it is too large.
    pub(super) fn made(&mut self, value: Value<'a>, at: u32) -> Eval<'a> {
        match &value {
            Value::Text(text) if text.len() > TEXT => return unknown(LONG_TEXT, at),
            Value::Array(array) if array.items.borrow().len() > ITEMS => return unknown(LONG_LIST, at),
            _ => self.looked(&value, at)?,
        }
        Ok(value)
    }

    /// Gives an object a property.
    pub(super) fn put(
        &mut self,
        object: &Rc<Object<'a>>,
        name: &str,
        value: Value<'a>,
        at: u32,
    ) -> Eval<'a, ()> {
        let count = object.props.borrow().len();
        if count >= PROPERTIES {
            return unknown("an object grows too large to be followed", at);
        }
        self.spend(1 + count / 8 + name.len() / 64, at)?;
        object.set(name, value);
        Ok(())
    }

    /// Counts something that is asked of the outside.
    pub(in super::super) fn asks(&mut self, key: &str, at: u32) -> Eval<'a, ()> {
        self.spend(8, at)?;
        if key.len() > KEY || self.choices.seen.len() >= OUTSIDE || self.calls.len() >= OUTSIDE {
            return unknown("it asks too much of what comes from outside", at);
        }
        Ok(())
    }

    /// What iterating over a value gives.
    pub(super) fn items(&mut self, value: &Value<'a>, at: u32) -> Eval<'a, Vec<Value<'a>>> {
        self.looked(value, at)?;
        match value {
            Value::Array(array) => Ok(array.items.borrow().clone()),
            Value::Text(text) => {
                fits(text.len(), at)?;
                self.spend(text.len(), at)?;
                Ok(text.chars().map(|c| Value::text(c.to_string())).collect())
            }
            Value::Object(object) => match object.kind {
                Kind::Set => Ok(object.entries.borrow().iter().map(|(key, _)| key.clone()).collect()),
                Kind::Map => {
                    let entries = object.entries.borrow();
                    self.spend(4 * entries.len(), at)?;
                    Ok(entries.iter().map(|(k, v)| Value::array(vec![k.clone(), v.clone()])).collect())
                }
                _ => unknown("it iterates over something that may be no list", at),
            },
            _ => unknown("it iterates over something that may be no list", at),
        }
    }
}

/// Stops where a list that is being made grows too long.
pub(super) fn fits<'a>(items: usize, at: u32) -> Eval<'a, ()> {
    if items > ITEMS { unknown(LONG_LIST, at) } else { Ok(()) }
}

/// Stops where a text that is being made grows too long.
pub(super) fn readable<'a>(bytes: usize, at: u32) -> Eval<'a, ()> {
    if bytes > TEXT { unknown(LONG_TEXT, at) } else { Ok(()) }
}

/// How many steps it takes to look through a value.
fn weight(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len() / 64,
        Value::Array(array) => array.items.borrow().len() / 4,
        Value::Object(object) => object.props.borrow().len() / 4 + object.entries.borrow().len() / 4,
        _ => 0,
    }
}
