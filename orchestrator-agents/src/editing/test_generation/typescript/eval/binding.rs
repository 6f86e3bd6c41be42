//! Patterns: giving names to values and parts of them.

use std::rc::Rc;

use oxc_ast::ast::BindingPattern;
use oxc_span::GetSpan;

use super::super::scope::Scope;
use super::super::value::{Eval, Value};
use super::{Machine, unknown};

impl<'a> Machine<'a, '_> {
    pub(in super::super) fn bind(
        &mut self,
        pattern: &'a BindingPattern<'a>,
        value: Value<'a>,
        names: &Rc<Scope<'a>>,
    ) -> Eval<'a, ()> {
        let at = pattern.span().start;
        match pattern {
            BindingPattern::BindingIdentifier(it) => {
                names.declare(it.name.as_str(), value);
                Ok(())
            }
            BindingPattern::AssignmentPattern(it) => {
                let missing = matches!(value, Value::Undefined);
                let value = if self.decide(at, missing) { self.expression(&it.right, names)? } else { value };
                self.bind(&it.left, value, names)
            }
            BindingPattern::ObjectPattern(it) => {
                let mut taken = Vec::new();
                for property in &it.properties {
                    let name = self.key(&property.key, names)?;
                    let part = self.get(&value, &name, property.span.start)?;
                    taken.push(name);
                    self.bind(&property.value, part, names)?;
                }
                if let Some(rest) = &it.rest {
                    let mut rest_of = self.entries(&value, at)?;
                    rest_of.retain(|(name, _)| !taken.contains(name));
                    self.bind(&rest.argument, Value::plain(rest_of), names)?;
                }
                Ok(())
            }
            BindingPattern::ArrayPattern(it) => {
                if it.rest.is_some() {
                    return unknown("it takes the rest of a list", at);
                }
                let items = self.items(&value, at)?;
                for (n, element) in it.elements.iter().enumerate() {
                    let Some(element) = element else { continue };
                    self.bind(element, items.get(n).cloned().unwrap_or(Value::Undefined), names)?;
                }
                Ok(())
            }
        }
    }
}
