//! Calls: of functions of the program, and of what stands in for the outside.

use std::rc::Rc;

use oxc_ast::ast::{
    Argument, ArrowFunctionBody, CallExpression, Class, ClassElement, Expression, FormalParameters,
    MethodDefinitionKind, NewExpression, TSType,
};

use super::super::scope::Scope;
use super::super::value::{Closure, Code, Eval, Halt, Kind, Object, Shape, Value};
use super::super::world::{Origin, result_key};
use super::budget::fits;
use super::expression::text_of;
use super::fastify::reply;
use super::member::{SILENT, Signature, signature};
use super::statement::Flow;
use super::{Called, Machine, unknown};

type Names<'a> = Rc<Scope<'a>>;

impl<'a> Machine<'a, '_> {
    pub(super) fn call(
        &mut self,
        it: &'a CallExpression<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, Option<Value<'a>>> {
        let at = it.span.start;
        self.step(at)?;
        if let Expression::Super(_) = it.callee {
            return self.call_super(it, names).map(Some);
        }
        let callee = it.callee.get_inner_expression();
        if let Some(member) = callee.as_member_expression() {
            let Some(object) = self.link(member.object(), names)? else { return Ok(None) };
            if member.optional() && self.decide(at, object.nullish()) {
                return Ok(None);
            }
            let name = self.member_name(member, names)?;
            let arguments = self.arguments(&it.arguments, names)?;
            return self.method(&object, &name, arguments, at).map(Some);
        }
        let Some(callee) = self.link(callee, names)? else { return Ok(None) };
        if it.optional && self.decide(at, callee.nullish()) {
            return Ok(None);
        }
        let arguments = self.arguments(&it.arguments, names)?;
        self.call_value(&callee, arguments, at).map(Some)
    }

    pub(super) fn arguments(
        &mut self,
        them: &'a [Argument<'a>],
        names: &Names<'a>,
    ) -> Eval<'a, Vec<Value<'a>>> {
        let mut values = Vec::new();
        for argument in them {
            match argument {
                Argument::SpreadElement(it) => {
                    let value = self.expression(&it.argument, names)?;
                    values.extend(self.items(&value, it.span.start)?);
                    fits(values.len(), it.span.start)?;
                }
                other => values.push(self.expression(other.to_expression(), names)?),
            }
        }
        Ok(values)
    }

    pub(in super::super) fn call_value(
        &mut self,
        callee: &Value<'a>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        match callee {
            Value::Function(closure) => self.invoke(closure, arguments, at),
            Value::Global(name) => super::builtin::global_function(name, &arguments, at),
            Value::Object(object) => match &object.kind {
                Kind::StandIn { key, .. } => self.outside(&key.clone(), None, None, arguments, at),
                _ => unknown("it calls something that is no function", at),
            },
            Value::Imported(name) => unknown(format!("it calls `{name}`, which another file gives"), at),
            _ => unknown(SILENT, at),
        }
    }

    /// A method of a value.
    pub(super) fn method(
        &mut self,
        object: &Value<'a>,
        name: &str,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        match object {
            Value::Object(it) => match &it.kind {
                Kind::StandIn { key, shape } => {
                    let (ty, known) = match shape {
                        Shape::Members(members) => match signature(members, name) {
                            Some(Signature::Method(ty)) => (ty, true),
                            _ => (None, false),
                        },
                        _ => (None, false),
                    };
                    if !known && matches!(name, "then" | "catch" | "finally" | "map" | "filter") {
                        return unknown(
                            format!("it uses `{name}` of something whose type is not known here"),
                            at,
                        );
                    }
                    let key = format!("{key}.{name}");
                    self.outside(&key, Some(name), ty, arguments, at)
                }
                Kind::App => self.app(it, name, arguments, at),
                Kind::Reply => reply(it, name, &arguments, at),
                Kind::Map | Kind::Set => self.collection(it, name, &arguments, at),
                Kind::Plain | Kind::Instance(_) | Kind::Error { .. } => {
                    match self.get(object, name, at)? {
                        // A function of an object literal knows the object.
                        Value::Function(closure) => {
                            let this = match closure.this {
                                Value::Undefined => object.clone(),
                                ref this => this.clone(),
                            };
                            let closure = Closure { code: closure.code, scope: closure.scope.clone(), this };
                            self.invoke(&Rc::new(closure), arguments, at)
                        }
                        Value::Undefined => {
                            unknown(format!("it calls `{name}`, which is not declared here"), at)
                        }
                        other => self.call_value(&other, arguments, at),
                    }
                }
            },
            Value::Class(class) => {
                let found = class.body.body.iter().find_map(|element| match element {
                    ClassElement::MethodDefinition(it) if it.r#static && it.key.name()? == name => {
                        Some(&*it.value)
                    }
                    _ => None,
                });
                let Some(function) = found else {
                    return unknown(format!("it calls `{name}` of a class"), at);
                };
                let (code, scope) = (Code::Function(function), self.globals.clone());
                self.invoke(&Rc::new(Closure { code, scope, this: object.clone() }), arguments, at)
            }
            _ => self.builtin(object, name, &arguments, at),
        }
    }

    /// Something from outside is called: noted, and it gives what the test lets it give.
    fn outside(
        &mut self,
        key: &str,
        name: Option<&str>,
        ty: Option<&'a TSType<'a>>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        if key.starts_with("process.env") {
            return unknown("it calls a part of the environment", at);
        }
        for argument in &arguments {
            self.fill(argument, at)?;
        }
        self.asks(key, at)?;
        let before = self.calls.iter().filter(|call| call.key == key).count();
        let own = result_key(key, before);
        let used = self.naming.take().filter(|(of, _)| *of == at).map(|(_, name)| name);
        let origin = Origin::Call { named: used };
        key.clone_into(&mut self.calling);
        let called = used.or(name).unwrap_or(key);
        let gives = self.choose(&own, called, ty, false, origin, at)?;
        let awaited = ty.is_some_and(is_promise);
        self.calls.push(Called { key: key.to_owned(), arguments, gives: gives.clone(), awaited });
        gives.map_err(Halt::Throw)
    }

    /// Runs a function of the program.
    pub(in super::super) fn invoke(
        &mut self,
        closure: &Rc<Closure<'a>>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        let names = Scope::inside(&closure.scope);
        self.spend(4, at)?;
        self.deeper(at, |machine| machine.body(closure, &names, arguments, at))
    }

    fn body(
        &mut self,
        closure: &Closure<'a>,
        names: &Names<'a>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        match closure.code {
            Code::Function(it) => {
                if it.generator {
                    return unknown("it is a generator", it.span.start);
                }
                names.declare("this", closure.this.clone());
                self.parameters(&it.params, arguments, names, at)?;
                let Some(body) = &it.body else { return unknown("it has no body", it.span.start) };
                match self.block(&body.statements, names)? {
                    Flow::Return(value) => Ok(value),
                    _ => Ok(Value::Undefined),
                }
            }
            Code::Arrow(it) => {
                self.parameters(&it.params, arguments, names, at)?;
                match &it.body {
                    ArrowFunctionBody::FunctionBody(body) => match self.block(&body.statements, names)? {
                        Flow::Return(value) => Ok(value),
                        _ => Ok(Value::Undefined),
                    },
                    other => self.expression(other.to_expression(), names),
                }
            }
        }
    }

    fn parameters(
        &mut self,
        them: &'a FormalParameters<'a>,
        arguments: Vec<Value<'a>>,
        names: &Names<'a>,
        _at: u32,
    ) -> Eval<'a, ()> {
        let count = them.items.len();
        let rest = arguments.get(count..).map(<[_]>::to_vec).unwrap_or_default();
        let mut arguments = arguments.into_iter();
        for item in &them.items {
            let mut value = arguments.next().unwrap_or(Value::Undefined);
            if let Some(default) = &item.initializer
                && self.decide(item.span.start, matches!(value, Value::Undefined))
            {
                value = self.expression(default, names)?;
            }
            self.bind(&item.pattern, value, names)?;
        }
        match &them.rest {
            Some(it) => self.bind(&it.rest.argument, Value::array(rest), names),
            None => Ok(()),
        }
    }

    pub(super) fn construct(&mut self, it: &'a NewExpression<'a>, names: &Names<'a>) -> Eval<'a> {
        let at = it.span.start;
        let class = self.expression(&it.callee, names)?;
        let arguments = self.arguments(&it.arguments, names)?;
        match class {
            Value::Class(class) => self.instance(class, arguments, at),
            Value::Global(name @ ("Error" | "TypeError" | "RangeError")) => {
                let message = arguments.first().cloned().unwrap_or(Value::text(""));
                let message = Value::text(text_of(&message, at)?);
                let kind = Kind::Error { class: name.into(), own: true };
                Ok(Value::object(kind, vec![("message".into(), message), ("name".into(), Value::text(name))]))
            }
            Value::Global(name @ ("Map" | "Set")) => {
                let entries = match arguments.first() {
                    None => Vec::new(),
                    Some(from) => self.items(from, at)?,
                };
                let map = name == "Map";
                let made = Value::object(if map { Kind::Map } else { Kind::Set }, Vec::new());
                if let Value::Object(object) = &made {
                    for entry in entries {
                        let (key, value) = if map {
                            (self.get(&entry, "0", at)?, self.get(&entry, "1", at)?)
                        } else {
                            (entry, Value::Undefined)
                        };
                        self.collection(object, if map { "set" } else { "add" }, &[key, value], at)?;
                    }
                }
                Ok(made)
            }
            // What is thrown from another file is known by its class.
            Value::Imported(name) if name.ends_with("Error") || name.ends_with("Exception") => {
                Ok(Value::object(Kind::Error { class: name, own: false }, Vec::new()))
            }
            Value::Imported(name) => unknown(format!("it makes a `{name}`, which another file gives"), at),
            _ => unknown("it makes something that is not known", at),
        }
    }

    /// A new object of a class of this file.
    pub(in super::super) fn instance(
        &mut self,
        class: &'a Class<'a>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        let kind = if self.is_error(class) {
            let name = class.id.as_ref().map_or("Error", |id| id.name.as_str());
            Kind::Error { class: name.to_owned(), own: true }
        } else {
            Kind::Instance(class)
        };
        let made = Value::object(kind, Vec::new());
        self.construct_into(class, &made, arguments, at)?;
        Ok(made)
    }

    /// Whether a class is an error.
    pub(in super::super) fn is_error(&self, class: &Class<'a>) -> bool {
        let mut class = class;
        for _ in 0..8 {
            let Some(heritage) = &class.heritage else { return false };
            let Expression::Identifier(name) = &heritage.expression else { return false };
            match self.module.classes.get(name.name.as_str()) {
                Some(above) => class = above,
                None => return matches!(name.name.as_str(), "Error" | "TypeError" | "RangeError"),
            }
        }
        false
    }

    fn construct_into(
        &mut self,
        class: &'a Class<'a>,
        made: &Value<'a>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a, ()> {
        let Value::Object(object) = made else { return unknown("no object", at) };
        self.spend(4 + class.body.body.len(), at)?;
        if class.heritage.is_some() && !matches!(object.kind, Kind::Error { .. }) {
            return unknown("it extends another class", class.span.start);
        }
        let names = Scope::inside(&self.globals);
        names.declare("this", made.clone());
        let constructor = class.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(it) if it.kind == MethodDefinitionKind::Constructor => {
                it.value.body.as_ref().map(|body| (&it.value.params, body))
            }
            _ => None,
        });
        let outer = self.constructing.replace((class, object.clone()));
        let done = self.deeper(at, |machine| {
            if constructor.is_none() && class.heritage.is_some() {
                machine.above(class, object, arguments.clone(), at)?;
            }
            machine.fields(class, object, &names)?;
            let Some((parameters, body)) = constructor else { return Ok(()) };
            machine.parameters(parameters, arguments.clone(), &names, at)?;
            for (n, item) in parameters.items.iter().enumerate() {
                if item.accessibility.is_some() || item.readonly {
                    let Some(name) = item.pattern.get_identifier_name() else { continue };
                    let value = names.find(name.as_str()).or_else(|| arguments.get(n).cloned());
                    object.set(name.as_str(), value.unwrap_or(Value::Undefined));
                }
            }
            machine.block(&body.statements, &names).map(|_| ())
        });
        self.constructing = outer;
        done
    }

    fn fields(&mut self, class: &'a Class<'a>, object: &Rc<Object<'a>>, names: &Names<'a>) -> Eval<'a, ()> {
        for element in &class.body.body {
            let ClassElement::PropertyDefinition(it) = element else { continue };
            let (false, false, Some(value)) = (it.r#static, it.declare, &it.value) else { continue };
            let name = self.key(&it.key, names)?;
            let value = self.expression(value, names)?;
            self.put(object, &name, value, it.span.start)?;
        }
        Ok(())
    }

    fn call_super(&mut self, it: &'a CallExpression<'a>, names: &Names<'a>) -> Eval<'a> {
        let at = it.span.start;
        let arguments = self.arguments(&it.arguments, names)?;
        let Some((class, object)) = self.constructing.clone() else { return unknown("it calls `super`", at) };
        self.above(class, &object, arguments, at)?;
        Ok(Value::Undefined)
    }

    /// The constructor of the class above, which is an error.
    fn above(
        &mut self,
        class: &'a Class<'a>,
        object: &Rc<Object<'a>>,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a, ()> {
        let Some(heritage) = &class.heritage else { return Ok(()) };
        if let Expression::Identifier(name) = &heritage.expression
            && let Some(above) = self.module.classes.get(name.name.as_str()).copied()
        {
            return self.construct_into(above, &Value::Object(object.clone()), arguments, at);
        }
        let message = arguments.first().cloned().unwrap_or(Value::text(""));
        let message = text_of(&message, at)?;
        object.set("message", Value::text(message));
        object.set("name", Value::text("Error"));
        Ok(())
    }
}

/// Whether a type is a promise.
pub(in super::super) fn is_promise(ty: &TSType<'_>) -> bool {
    matches!(ty, TSType::TSTypeReference(it) if it.type_name.get_identifier_reference().is_some_and(|id| id.name == "Promise"))
}
