//! Names and what they stand for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::value::Value;

/// The names of a block, and the block around it.
#[derive(Default)]
pub(super) struct Scope<'a> {
    names: RefCell<BTreeMap<&'a str, Value<'a>>>,
    around: Option<Rc<Scope<'a>>>,
}

impl<'a> Scope<'a> {
    pub(super) fn inside(around: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { names: RefCell::default(), around: Some(around.clone()) })
    }

    pub(super) fn declare(&self, name: &'a str, value: Value<'a>) {
        self.names.borrow_mut().insert(name, value);
    }

    /// Forgets all names.
    pub(super) fn clear(&self) {
        drop(self.names.take());
    }

    pub(super) fn find(&self, name: &str) -> Option<Value<'a>> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(value) = here.names.borrow().get(name) {
                return Some(value.clone());
            }
            scope = here.around.as_deref();
        }
        None
    }

    /// Gives a name that is there another value; says whether it was there.
    pub(super) fn assign(&self, name: &'a str, value: Value<'a>) -> bool {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(own) = here.names.borrow_mut().get_mut(name) {
                *own = value;
                return true;
            }
            scope = here.around.as_deref();
        }
        false
    }
}
