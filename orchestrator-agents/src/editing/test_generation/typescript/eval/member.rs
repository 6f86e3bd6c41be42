//! Members of values.

use std::rc::Rc;

use oxc_ast::ast::{ClassElement, Expression, MemberExpression, MethodDefinitionKind, TSSignature, TSType};
use oxc_span::GetSpan;

use super::super::scope::Scope;
use super::super::value::{Closure, Code, Eval, Kind, Object, Shape, Value};
use super::super::world::{Origin, member_key};
use super::budget::fits;
use super::expression::text_of;
use super::{Machine, unknown};

/// Why a path is passed over without a word: the program would fail on a value that its types rule out.
pub(in super::super) const SILENT: &str = "";

type Names<'a> = Rc<Scope<'a>>;

impl<'a> Machine<'a, '_> {
    /// A part of a chain; none where the chain ended early.
    pub(super) fn link(&mut self, it: &'a Expression<'a>, names: &Names<'a>) -> Eval<'a, Option<Value<'a>>> {
        match it {
            Expression::CallExpression(it) => self.call(it, names),
            Expression::TSNonNullExpression(it) => self.link(&it.expression, names),
            other => match other.as_member_expression() {
                Some(member) => self.member(member, names),
                None => self.expression(it, names).map(Some),
            },
        }
    }

    pub(super) fn member(
        &mut self,
        it: &'a MemberExpression<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, Option<Value<'a>>> {
        let at = it.span().start;
        let Some(object) = self.link(it.object(), names)? else { return Ok(None) };
        if it.optional() && self.decide(at, object.nullish()) {
            return Ok(None);
        }
        let name = self.member_name(it, names)?;
        self.get(&object, &name, at).map(Some)
    }

    pub(super) fn member_name(
        &mut self,
        it: &'a MemberExpression<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, String> {
        match it {
            MemberExpression::StaticMemberExpression(it) => Ok(it.property.name.to_string()),
            MemberExpression::PrivateFieldExpression(it) => Ok(format!("#{}", it.field.name)),
            MemberExpression::ComputedMemberExpression(it) => {
                let value = self.expression(&it.expression, names)?;
                text_of(&value, it.span.start)
            }
        }
    }

    pub(super) fn set_member(
        &mut self,
        it: &'a MemberExpression<'a>,
        value: Value<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, ()> {
        let at = it.span().start;
        let object = self.expression(it.object(), names)?;
        let name = self.member_name(it, names)?;
        match &object {
            Value::Object(object) => {
                if matches!(object.kind, Kind::StandIn { .. }) {
                    return unknown("it changes something that it was given", at);
                }
                if matches!(object.kind, Kind::App | Kind::Reply | Kind::Map | Kind::Set) {
                    return unknown("it sets a property of something special", at);
                }
                self.put(object, &name, value, at)
            }
            Value::Array(array) if array.key.is_none() => match name.parse::<usize>() {
                Ok(n) if n <= array.items.borrow().len() => {
                    fits(n, at)?;
                    let mut items = array.items.borrow_mut();
                    if n == items.len() {
                        items.push(value);
                    } else {
                        items[n] = value;
                    }
                    Ok(())
                }
                _ => unknown("it sets a property of a list", at),
            },
            _ => unknown("it sets a property of something that is no object", at),
        }
    }

    /// A property of a value.
    pub(in super::super) fn get(&mut self, value: &Value<'a>, name: &str, at: u32) -> Eval<'a> {
        match value {
            Value::Text(text) => match (name, name.parse::<usize>()) {
                _ if self.looked(value, at).is_err() => unknown("it takes too many steps", at),
                ("length", _) => Ok(Value::Number(text.encode_utf16().count() as f64)),
                (_, Ok(n)) if text.is_ascii() => Ok(text.get(n..=n).map_or(Value::Undefined, Value::text)),
                _ => unknown(format!("it takes `{name}` of a text"), at),
            },
            Value::Array(array) => match (name, name.parse::<usize>()) {
                ("length", _) => Ok(Value::Number(array.items.borrow().len() as f64)),
                (_, Ok(n)) => Ok(array.items.borrow().get(n).cloned().unwrap_or(Value::Undefined)),
                _ => unknown(format!("it takes `{name}` of a list"), at),
            },
            Value::Object(object) => self.get_of(object, name, at),
            Value::Global("process") if name == "env" => self.stand_in("process.env", Shape::Environment, at),
            Value::Global(global) => match (*global, name) {
                ("Math", "PI") => Ok(Value::Number(std::f64::consts::PI)),
                ("Number", "MAX_SAFE_INTEGER") => Ok(Value::Number(9_007_199_254_740_991.0)),
                _ => unknown(format!("it uses `{global}.{name}`"), at),
            },
            Value::Class(class) => {
                let found = class.body.body.iter().find_map(|element| match element {
                    ClassElement::PropertyDefinition(it) if it.r#static && it.key.name()? == name => {
                        it.value.as_ref()
                    }
                    _ => None,
                });
                let globals = self.globals.clone();
                match found {
                    Some(value) => self.deeper(at, |machine| machine.expression(value, &globals)),
                    None => unknown(format!("it takes `{name}` of a class"), at),
                }
            }
            Value::Imported(from) => {
                unknown(format!("it uses `{from}.{name}`, which another file gives"), at)
            }
            Value::Undefined | Value::Null => unknown(SILENT, at),
            Value::Bool(_) | Value::Number(_) | Value::Function(_) => {
                unknown(format!("it takes `{name}` of it"), at)
            }
        }
    }

    fn get_of(&mut self, object: &Rc<Object<'a>>, name: &str, at: u32) -> Eval<'a> {
        if let Some((_, value)) = object.props.borrow().iter().find(|(own, _)| own == name) {
            return Ok(value.clone());
        }
        match &object.kind {
            Kind::StandIn { key, shape } => self.asked(object, key, *shape, name, at),
            Kind::Instance(class) => self.of_instance(object, class, name, at),
            Kind::Plain | Kind::Error { own: true, .. } => Ok(Value::Undefined),
            Kind::Error { .. } => unknown(format!("it takes `{name}` of an error of another file"), at),
            Kind::Map | Kind::Set if name == "size" => {
                Ok(Value::Number(object.entries.borrow().len() as f64))
            }
            Kind::App if name == "log" => Ok(Value::Global("console")),
            Kind::App => {
                self.decorations.insert(name.to_owned());
                self.stand_in(name, Shape::Unknown, at)
            }
            Kind::Map | Kind::Set | Kind::Reply => unknown(format!("it takes `{name}` of it"), at),
        }
    }

    /// A stand-in is asked for a property that it did not have yet: from now on it has it.
    fn asked(
        &mut self,
        object: &Rc<Object<'a>>,
        key: &str,
        shape: Shape<'a>,
        name: &str,
        at: u32,
    ) -> Eval<'a> {
        if matches!(name, "then" | "catch" | "finally" | "constructor" | "toString" | "valueOf") {
            return unknown(format!("it uses `{name}` of something from outside"), at);
        }
        let (ty, optional, origin) = match shape {
            Shape::Environment => (None, true, Origin::Environment),
            Shape::Unknown => (None, false, Origin::Property),
            Shape::Members(members) => match signature(members, name) {
                Some(Signature::Value(ty, optional)) => (ty, optional, Origin::Property),
                Some(Signature::Method(_)) => {
                    return unknown(format!("it takes the method `{name}` of something"), at);
                }
                None => (None, false, Origin::Property),
            },
        };
        let own = member_key(key, name);
        let Ok(value) = self.choose(&own, name, ty, optional, origin, at)? else {
            return unknown(SILENT, at);
        };
        object.props.borrow_mut().push((name.to_owned(), value.clone()));
        object.given.borrow_mut().push((name.to_owned(), value.clone()));
        self.choices.has(key, name);
        Ok(value)
    }

    fn of_instance(
        &mut self,
        object: &Rc<Object<'a>>,
        class: &'a oxc_ast::ast::Class<'a>,
        name: &str,
        at: u32,
    ) -> Eval<'a> {
        for element in &class.body.body {
            let ClassElement::MethodDefinition(it) = element else { continue };
            if it.r#static || method_name(&it.key).as_deref() != Some(name) {
                continue;
            }
            let (code, scope) = (Code::Function(&it.value), self.globals.clone());
            let closure = Rc::new(Closure { code, scope, this: Value::Object(object.clone()) });
            return match it.kind {
                MethodDefinitionKind::Get => self.invoke(&closure, Vec::new(), at),
                _ => Ok(Value::Function(closure)),
            };
        }
        Ok(Value::Undefined)
    }
}

/// The name of a method; private ones with `#`.
pub(in super::super) fn method_name(key: &oxc_ast::ast::PropertyKey<'_>) -> Option<String> {
    let name = key.name()?;
    Some(if key.is_private_identifier() { format!("#{name}") } else { name.into_owned() })
}

/// What a type says of a member.
pub(super) enum Signature<'a> {
    /// A value of this type; second: whether it may be missing.
    Value(Option<&'a TSType<'a>>, bool),
    /// A function that gives this type.
    Method(Option<&'a TSType<'a>>),
}

pub(super) fn signature<'a>(members: &'a [TSSignature<'a>], name: &str) -> Option<Signature<'a>> {
    members.iter().find_map(|member| match member {
        TSSignature::TSPropertySignature(it) if it.key.name()? == name => {
            let ty = it.type_annotation.as_ref().map(|ty| &ty.type_annotation);
            match ty {
                Some(TSType::TSFunctionType(it)) => {
                    Some(Signature::Method(Some(&it.return_type.type_annotation)))
                }
                _ => Some(Signature::Value(ty, it.optional)),
            }
        }
        TSSignature::TSMethodSignature(it) if it.key.name()? == name => {
            Some(Signature::Method(it.return_type.as_ref().map(|ty| &ty.type_annotation)))
        }
        _ => None,
    })
}
