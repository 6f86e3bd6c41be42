//! Expressions.

use std::rc::Rc;

use oxc_ast::ast::{
    ArrayExpressionElement, AssignmentExpression, ChainElement, Expression, ObjectExpression,
    ObjectPropertyKind, PropertyKey, PropertyKind, SimpleAssignmentTarget, TSSignature, TSType,
    TemplateLiteral, UpdateExpression,
};
use oxc_ast::ast::{AssignmentOperator, LogicalOperator, UnaryOperator, UpdateOperator};
use oxc_span::GetSpan;

use super::super::module::code;
use super::super::scope::Scope;
use super::super::value::{Closure, Eval, Kind, Shape, Value};
use super::budget::{fits, readable};
use super::{Machine, operator, unknown};

type Names<'a> = Rc<Scope<'a>>;

impl<'a> Machine<'a, '_> {
    pub(in super::super) fn expression(&mut self, it: &'a Expression<'a>, names: &Names<'a>) -> Eval<'a> {
        let at = it.span().start;
        self.nested(at, |machine| machine.evaluated(it, at, names))
    }

    fn evaluated(&mut self, it: &'a Expression<'a>, at: u32, names: &Names<'a>) -> Eval<'a> {
        match it {
            Expression::BooleanLiteral(it) => Ok(Value::Bool(it.value)),
            Expression::NullLiteral(_) => Ok(Value::Null),
            Expression::NumericLiteral(it) => Ok(Value::Number(it.value)),
            Expression::StringLiteral(it) => self.made(Value::text(it.value), at),
            Expression::TemplateLiteral(it) => self.template(it, names),
            Expression::Identifier(it) => self.named(it.name.as_str(), at, names),
            Expression::ThisExpression(_) => {
                names.find("this").map_or_else(|| unknown("it uses `this` outside a class", at), Ok)
            }
            Expression::ArrayExpression(it) => self.list(&it.elements, at, names),
            Expression::ObjectExpression(it) => self.literal(it, names),
            Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_) => {
                let code = code(it).expect("it is a function");
                let this = names.find("this").unwrap_or(Value::Undefined);
                self.spend(2, at)?;
                self.held.push(names.clone());
                Ok(Value::Function(Rc::new(Closure { code, scope: names.clone(), this })))
            }
            Expression::AwaitExpression(it) => self.awaited(&it.argument, names),
            Expression::ParenthesizedExpression(it) => self.expression(&it.expression, names),
            Expression::TSAsExpression(it) => self.expression(&it.expression, names),
            Expression::TSSatisfiesExpression(it) => self.expression(&it.expression, names),
            Expression::TSTypeAssertion(it) => self.expression(&it.expression, names),
            Expression::TSNonNullExpression(it) => self.expression(&it.expression, names),
            Expression::ConditionalExpression(it) => {
                let test = self.expression(&it.test, names)?;
                let yes = self.decide(it.test.span().start, test.truthy());
                self.expression(if yes { &it.consequent } else { &it.alternate }, names)
            }
            Expression::LogicalExpression(it) => {
                let left = self.expression(&it.left, names)?;
                if self.goes_on(it.operator, &left, it.right.span().start) {
                    self.expression(&it.right, names)
                } else {
                    Ok(left)
                }
            }
            Expression::BinaryExpression(it) => {
                let left = self.expression(&it.left, names)?;
                let right = self.expression(&it.right, names)?;
                let value = operator::binary(it.operator, &left, &right, at)?;
                self.made(value, at)
            }
            Expression::UnaryExpression(it) => {
                if it.operator == UnaryOperator::Delete {
                    return unknown("it deletes a property", at);
                }
                let value = self.expression(&it.argument, names)?;
                operator::unary(it.operator, &value, at)
            }
            Expression::CallExpression(it) => Ok(self.call(it, names)?.unwrap_or(Value::Undefined)),
            Expression::NewExpression(it) => self.construct(it, names),
            Expression::ChainExpression(it) => {
                Ok(self.chain(&it.expression, names)?.unwrap_or(Value::Undefined))
            }
            Expression::AssignmentExpression(it) => self.assignment(it, names),
            Expression::UpdateExpression(it) => self.update(it, names),
            Expression::ClassExpression(it) => Ok(Value::Class(it)),
            Expression::SequenceExpression(it) => {
                let mut last = Value::Undefined;
                for one in &it.expressions {
                    last = self.expression(one, names)?;
                }
                Ok(last)
            }
            other => match other.as_member_expression() {
                Some(member) => Ok(self.member(member, names)?.unwrap_or(Value::Undefined)),
                None => unknown(format!("`{}` is not followed", shown(self.module.text, it)), at),
            },
        }
    }

    /// A call that is awaited is noted as such: what it gives is a promise then.
    fn awaited(&mut self, argument: &'a Expression<'a>, names: &Names<'a>) -> Eval<'a> {
        let value = self.expression(argument, names);
        let called = matches!(
            argument.get_inner_expression(),
            Expression::CallExpression(_) | Expression::ChainExpression(_)
        );
        if called && let Some(last) = self.calls.last_mut() {
            let same = match (&value, &last.gives) {
                (Ok(value), Ok(gives)) => value.same(gives),
                (Err(_), gives) => gives.is_err(),
                (Ok(_), Err(_)) => false,
            };
            last.awaited |= same;
        }
        value
    }

    fn named(&mut self, name: &'a str, at: u32, names: &Names<'a>) -> Eval<'a> {
        if let Some(value) = names.find(name) {
            return Ok(value);
        }
        let value = match name {
            "undefined" => Value::Undefined,
            "NaN" => Value::Number(f64::NAN),
            "Infinity" => Value::Number(f64::INFINITY),
            "Math" => Value::Global("Math"),
            "Object" => Value::Global("Object"),
            "Array" => Value::Global("Array"),
            "Number" => Value::Global("Number"),
            "String" => Value::Global("String"),
            "Boolean" => Value::Global("Boolean"),
            "JSON" => Value::Global("JSON"),
            "Promise" => Value::Global("Promise"),
            "process" => Value::Global("process"),
            "parseInt" => Value::Global("parseInt"),
            "parseFloat" => Value::Global("parseFloat"),
            "isNaN" => Value::Global("isNaN"),
            "Map" => Value::Global("Map"),
            "Set" => Value::Global("Set"),
            "Error" => Value::Global("Error"),
            "TypeError" => Value::Global("TypeError"),
            "RangeError" => Value::Global("RangeError"),
            "console" => Value::Global("console"),
            _ => return self.declared(name, at),
        };
        Ok(value)
    }

    /// What the module declares under a name; constants are worked out when they are first asked for.
    fn declared(&mut self, name: &'a str, at: u32) -> Eval<'a> {
        if let Some(function) = self.module.functions.get(name) {
            let code = super::super::value::Code::Function(function);
            let closure = Closure { code, scope: self.globals.clone(), this: Value::Undefined };
            return Ok(Value::Function(Rc::new(closure)));
        }
        if let Some(class) = self.module.classes.get(name) {
            return Ok(Value::Class(class));
        }
        if let Some(init) = self.module.imported.get(name).copied() {
            let globals = self.globals.clone();
            return self.expression(init, &globals);
        }
        if self.module.imports.contains_key(name) {
            return Ok(Value::Imported(name.to_owned()));
        }
        if let Some(one) = self.module.constants.get(name).copied()
            && let Some(init) = &one.init
        {
            let globals = self.globals.clone();
            let value = self.deeper(at, |machine| machine.expression(init, &globals))?;
            globals.declare(name, value.clone());
            return Ok(value);
        }
        unknown(format!("it uses `{name}`, which is not of this file"), at)
    }

    fn goes_on(&mut self, operator: LogicalOperator, left: &Value<'a>, at: u32) -> bool {
        let on = match operator {
            LogicalOperator::And => left.truthy(),
            LogicalOperator::Or => !left.truthy(),
            LogicalOperator::Coalesce => left.nullish(),
        };
        self.decide(at, on)
    }

    fn template(&mut self, it: &'a TemplateLiteral<'a>, names: &Names<'a>) -> Eval<'a> {
        let mut text = String::new();
        for (n, part) in it.quasis.iter().enumerate() {
            let Some(cooked) = &part.value.cooked else {
                return unknown("a text is malformed", it.span.start);
            };
            text += cooked.as_str();
            readable(text.len(), it.span.start)?;
            if let Some(expression) = it.expressions.get(n) {
                let value = self.expression(expression, names)?;
                text += &text_of(&value, expression.span().start)?;
            }
        }
        self.made(Value::text(text), it.span.start)
    }

    fn list(&mut self, elements: &'a [ArrayExpressionElement<'a>], at: u32, names: &Names<'a>) -> Eval<'a> {
        let mut all = Vec::new();
        self.spend(2, at)?;
        for element in elements {
            fits(all.len(), at)?;
            match element {
                ArrayExpressionElement::SpreadElement(it) => {
                    let value = self.expression(&it.argument, names)?;
                    all.extend(self.items(&value, it.span.start)?);
                }
                ArrayExpressionElement::Elision(_) => all.push(Value::Undefined),
                other => all.push(self.expression(other.to_expression(), names)?),
            }
        }
        self.made(Value::array(all), at)
    }

    fn literal(&mut self, it: &'a ObjectExpression<'a>, names: &Names<'a>) -> Eval<'a> {
        self.spend(4, it.span.start)?;
        let object = Value::plain(Vec::new());
        let Value::Object(made) = &object else { return unknown("no object", it.span.start) };
        for property in &it.properties {
            match property {
                ObjectPropertyKind::SpreadProperty(it) => {
                    let value = self.expression(&it.argument, names)?;
                    for (name, value) in self.entries(&value, it.span.start)? {
                        self.put(made, &name, value, it.span.start)?;
                    }
                }
                ObjectPropertyKind::ObjectProperty(it) => {
                    if it.kind != PropertyKind::Init {
                        return unknown("it has a getter or setter", it.span.start);
                    }
                    let name = self.key(&it.key, names)?;
                    let value = self.expression(&it.value, names)?;
                    self.put(made, &name, value, it.span.start)?;
                }
            }
        }
        Ok(object)
    }

    pub(super) fn key(&mut self, key: &'a PropertyKey<'a>, names: &Names<'a>) -> Eval<'a, String> {
        if let Some(name) = key.name() {
            return Ok(if key.is_private_identifier() { format!("#{name}") } else { name.into_owned() });
        }
        let value = self.expression(key.to_expression(), names)?;
        text_of(&value, key.span().start)
    }

    /// The properties that a spread copies.
    pub(super) fn entries(&mut self, value: &Value<'a>, at: u32) -> Eval<'a, Vec<(String, Value<'a>)>> {
        self.looked(value, at)?;
        if let Value::Object(object) = value
            && let Kind::StandIn { shape: Shape::Members(members), .. } = &object.kind
        {
            // What is copied whole has all that its type says.
            for member in *members {
                if let TSSignature::TSPropertySignature(it) = member
                    && !it.optional
                    && let Some(name) = it.key.name()
                    && !matches!(
                        it.type_annotation.as_ref().map(|ty| &ty.type_annotation),
                        Some(TSType::TSFunctionType(_))
                    )
                {
                    self.get(value, &name, at)?;
                }
            }
        }
        match value {
            Value::Undefined | Value::Null => Ok(Vec::new()),
            Value::Object(object) => match object.kind {
                Kind::Plain | Kind::StandIn { .. } => Ok(object.props.borrow().clone()),
                _ => unknown("it copies the properties of something that is no plain object", at),
            },
            Value::Array(array) => {
                let items = array.items.borrow();
                Ok(items.iter().enumerate().map(|(n, item)| (n.to_string(), item.clone())).collect())
            }
            _ => unknown("it copies the properties of something that is no object", at),
        }
    }

    /// Gives what comes from outside properties where it has none, so that it can be told from another one.
    pub(in super::super) fn fill(&mut self, value: &Value<'a>, at: u32) -> Eval<'a, ()> {
        match value {
            Value::Array(array) if array.key.is_some() => {
                for item in array.given.clone() {
                    self.fill(&item, at)?;
                }
                Ok(())
            }
            Value::Object(object) => {
                let Kind::StandIn { key, shape } = &object.kind else { return Ok(()) };
                self.entries(value, at)?;
                let called = format!("{key}.");
                let used = self.calls.iter().any(|call| call.key == *key || call.key.starts_with(&called));
                if matches!(shape, Shape::Unknown) && object.given.borrow().is_empty() && !used {
                    self.get(value, "id", at)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn assignment(&mut self, it: &'a AssignmentExpression<'a>, names: &Names<'a>) -> Eval<'a> {
        let at = it.span.start;
        let Some(target) = it.left.as_simple_assignment_target() else {
            return unknown("it assigns by a pattern", at);
        };
        let operator = it.operator;
        if operator == AssignmentOperator::Assign {
            let value = self.expression(&it.right, names)?;
            self.assign(target, value.clone(), names)?;
            return Ok(value);
        }
        let was = self.target(target, names)?;
        let value = match operator.to_logical_operator() {
            Some(logical) => {
                if !self.goes_on(logical, &was, at) {
                    return Ok(was);
                }
                self.expression(&it.right, names)?
            }
            None => {
                let Some(binary) = operator.to_binary_operator() else { return unknown("it assigns", at) };
                let right = self.expression(&it.right, names)?;
                let value = operator::binary(binary, &was, &right, at)?;
                self.made(value, at)?
            }
        };
        self.assign(target, value.clone(), names)?;
        Ok(value)
    }

    fn update(&mut self, it: &'a UpdateExpression<'a>, names: &Names<'a>) -> Eval<'a> {
        let Value::Number(was) = self.target(&it.argument, names)? else {
            return unknown("it counts something that is no number", it.span.start);
        };
        let now = if it.operator == UpdateOperator::Increment { was + 1.0 } else { was - 1.0 };
        self.assign(&it.argument, Value::Number(now), names)?;
        Ok(Value::Number(if it.prefix { now } else { was }))
    }

    fn target(&mut self, it: &'a SimpleAssignmentTarget<'a>, names: &Names<'a>) -> Eval<'a> {
        match it {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
                self.named(id.name.as_str(), id.span.start, names)
            }
            other => match other.as_member_expression() {
                Some(member) => Ok(self.member(member, names)?.unwrap_or(Value::Undefined)),
                None => unknown("it assigns to something", it.span().start),
            },
        }
    }

    fn assign(
        &mut self,
        it: &'a SimpleAssignmentTarget<'a>,
        value: Value<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, ()> {
        let at = it.span().start;
        match it {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
                let name = id.name.as_str();
                if !names.assign(name, value.clone()) {
                    self.named(name, at, names)?;
                    self.globals.declare(name, value);
                }
                Ok(())
            }
            other => match other.as_member_expression() {
                Some(member) => self.set_member(member, value, names),
                None => unknown("it assigns to something", at),
            },
        }
    }

    /// A chain with `?.` in it; none where it ends early.
    pub(super) fn chain(
        &mut self,
        it: &'a ChainElement<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, Option<Value<'a>>> {
        match it {
            ChainElement::CallExpression(it) => self.call(it, names),
            ChainElement::TSNonNullExpression(it) => Ok(Some(self.expression(&it.expression, names)?)),
            other => match other.as_member_expression() {
                Some(member) => self.member(member, names),
                None => unknown("it is not followed", it.span().start),
            },
        }
    }
}

/// The source of an expression, cut short.
pub(super) fn shown(text: &str, it: &Expression<'_>) -> String {
    let span = it.span();
    let source = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let line = source.lines().next().unwrap_or_default();
    line.chars().take(40).collect()
}

pub(super) fn text_of<'a>(value: &Value<'a>, at: u32) -> Eval<'a, String> {
    match value.to_text() {
        Some(text) => Ok(text),
        None => unknown("it makes text of something that is none", at),
    }
}
