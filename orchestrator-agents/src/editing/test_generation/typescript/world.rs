//! What comes from outside: for each input a few values that are worth a try, and which of them a run takes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oxc_ast::ast::{Expression, TSLiteral, TSType, TSTypeName};

use super::eval::{Machine, unknown};
use super::module::Type;
use super::value::{Array, Eval, Kind, Object, Shape, Value, number};
use std::cell::RefCell;

/// Parts of names of variables that hold a number.
const COUNTS: [&str; 9] = ["PORT", "RETRIES", "TIMEOUT", "LIMIT", "COUNT", "SIZE", "MAX", "MIN", "MS"];
/// The most values that one input is tried with.
const MOST: usize = 14;
/// How deep lists from outside may nest.
const LISTS: usize = 3;

/// Which value each input has, and what was asked for.
#[derive(Default, Clone)]
pub(super) struct Choices<'a> {
    /// Which of its values an input has, by the key of the input; the first by default.
    pub(super) picked: BTreeMap<String, usize>,
    /// The inputs that a run asked for, in order: key, how many values it has, and the value that it got.
    pub(super) seen: Vec<Seen<'a>>,
    /// The properties that stand-ins were asked for in runs before.
    pub(super) known: BTreeMap<String, BTreeSet<String>>,
    /// Whether a property was asked for that was not known before.
    pub(super) grew: bool,
}

/// An input that a run asked for.
#[derive(Clone)]
pub(super) struct Seen<'a> {
    pub(super) key: String,
    pub(super) of: usize,
    pub(super) at: usize,
    pub(super) value: Result<Value<'a>, Value<'a>>,
    /// What people call it: `users.findById`, `input.name`.
    pub(super) label: String,
    /// It is what a call gives.
    pub(super) call: bool,
}

/// Where an input comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    Parameter,
    /// A parameter without a type and with a value by default, which tells its type.
    Default(&'a Expression<'a>),
    Property,
    Environment,
    /// What a call gives; the name that it gets, if it gets one.
    Call {
        named: Option<&'a str>,
    },
}

/// A value that is worth a try.
#[derive(Clone)]
enum Choice<'a> {
    Is(Value<'a>),
    StandIn(Shape<'a>),
    List(Option<&'a TSType<'a>>),
    Fails,
}

impl Choices<'_> {
    pub(super) fn has(&mut self, key: &str, name: &str) {
        self.grew |= self.known.entry(key.to_owned()).or_default().insert(name.to_owned());
    }
}

impl<'a> Machine<'a, '_> {
    /// The value of an input; an error where it is a call that fails.
    pub(super) fn choose(
        &mut self,
        key: &str,
        name: &str,
        ty: Option<&'a TSType<'a>>,
        optional: bool,
        origin: Origin<'a>,
        at: u32,
    ) -> Eval<'a, Result<Value<'a>, Value<'a>>> {
        self.asks(key, at)?;
        let mut them = self.candidates(name, ty, origin, 0);
        self.spend(them.len(), at)?;
        if optional && !them.iter().any(|choice| matches!(choice, Choice::Is(Value::Undefined))) {
            them.insert(1.min(them.len()), Choice::Is(Value::Undefined));
        }
        let mut unlike: Vec<Choice<'a>> = Vec::new();
        for one in them {
            let same =
                |other: &Choice<'a>| matches!((other, &one), (Choice::Is(a), Choice::Is(b)) if a.same(b));
            if !unlike.iter().any(same) {
                unlike.push(one);
            }
        }
        unlike.truncate(MOST);
        let call = matches!(origin, Origin::Call { .. });
        if call && self.trying > 0 {
            unlike.push(Choice::Fails);
        }
        let of = unlike.len();
        let picked = self.choices.picked.get(key).copied().unwrap_or(0).min(of - 1);
        let slot = self.choices.seen.len();
        let nothing = Ok(Value::Undefined);
        let label = if call { self.calling.clone() } else { key.to_owned() };
        self.choices.seen.push(Seen { key: key.to_owned(), of, at: picked, value: nothing, label, call });
        let value = match unlike.swap_remove(picked) {
            Choice::Is(value) => Ok(value),
            Choice::StandIn(shape) => Ok(self.stand_in(key, shape, at)?),
            Choice::List(element) => {
                if key.ends_with(&"[0]".repeat(LISTS)) {
                    return unknown("lists nest too deep", at);
                }
                // Without an `s` at its end the name is that of the list, not of what is in it.
                let name = name.strip_suffix('s').unwrap_or("item");
                let first = self.choose(&format!("{key}[0]"), name, element, false, Origin::Property, at)?;
                let given = vec![first.unwrap_or(Value::Undefined)];
                let items = RefCell::new(given.clone());
                Ok(Value::Array(Rc::new(Array { key: Some(key.to_owned()), given, items })))
            }
            Choice::Fails => {
                let kind = Kind::Error { class: "Error".into(), own: true };
                Err(Value::object(kind, vec![("message".into(), Value::text(format!("{key} fails")))]))
            }
        };
        self.choices.seen[slot].value.clone_from(&value);
        Ok(value)
    }

    /// The stand-in with that key: it is made once in a run, with all that it was asked for in runs before.
    pub(super) fn stand_in(&mut self, key: &str, shape: Shape<'a>, at: u32) -> Eval<'a> {
        if let Some(there) = self.stand_ins.get(key) {
            return Ok(Value::Object(there.clone()));
        }
        self.spend(4, at)?;
        let kind = Kind::StandIn { key: key.to_owned(), shape };
        let (props, given, entries) = (RefCell::default(), RefCell::default(), RefCell::default());
        let made = Value::Object(Rc::new(Object { kind, props, given, entries }));
        if let Value::Object(object) = &made {
            self.stand_ins.insert(key.to_owned(), object.clone());
        }
        for name in self.choices.known.get(key).cloned().unwrap_or_default() {
            self.get(&made, &name, at)?;
        }
        Ok(made)
    }

    /// A stand-in for an input, noted as one.
    pub(super) fn stand_in_for(&mut self, key: &str, shape: Shape<'a>, at: u32) -> Eval<'a> {
        self.asks(key, at)?;
        let slot = self.choices.seen.len();
        let (value, label) = (Ok(Value::Undefined), key.to_owned());
        self.choices.seen.push(Seen { key: key.to_owned(), of: 1, at: 0, value, label, call: false });
        let value = self.stand_in(key, shape, at)?;
        self.choices.seen[slot].value = Ok(value.clone());
        Ok(value)
    }

    fn candidates(
        &self,
        name: &str,
        ty: Option<&'a TSType<'a>>,
        origin: Origin<'a>,
        depth: usize,
    ) -> Vec<Choice<'a>> {
        if matches!(origin, Origin::Environment) {
            return self.environment(name);
        }
        if let Origin::Default(default) = origin {
            return match default.get_inner_expression() {
                Expression::NumericLiteral(_) | Expression::UnaryExpression(_) => self.numbers(),
                Expression::BooleanLiteral(_) => {
                    vec![Choice::Is(Value::Bool(true)), Choice::Is(Value::Bool(false))]
                }
                Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => self.texts(name),
                Expression::ArrayExpression(_) => {
                    vec![Choice::List(None), Choice::Is(Value::array(Vec::new()))]
                }
                Expression::ObjectExpression(_) => vec![Choice::StandIn(Shape::Unknown)],
                // Its type is that of an expression: what it is by default is all that is known to fit.
                _ => vec![Choice::Is(Value::Undefined)],
            };
        }
        let Some(ty) = ty.filter(|_| depth < 8) else { return self.untyped(name, origin) };
        let is = |value| vec![Choice::Is(value)];
        match ty {
            TSType::TSStringKeyword(_) => self.texts(name),
            TSType::TSNumberKeyword(_) => self.numbers(),
            TSType::TSBooleanKeyword(_) => {
                vec![Choice::Is(Value::Bool(true)), Choice::Is(Value::Bool(false))]
            }
            TSType::TSUndefinedKeyword(_) | TSType::TSVoidKeyword(_) | TSType::TSNeverKeyword(_) => {
                is(Value::Undefined)
            }
            TSType::TSNullKeyword(_) => is(Value::Null),
            TSType::TSLiteralType(it) => match &it.literal {
                TSLiteral::StringLiteral(it) => is(Value::text(it.value)),
                TSLiteral::NumericLiteral(it) => is(Value::Number(it.value)),
                TSLiteral::BooleanLiteral(it) => is(Value::Bool(it.value)),
                _ => self.untyped(name, origin),
            },
            TSType::TSUnionType(it) => {
                let them =
                    it.types.iter().flat_map(|one| self.candidates(name, Some(one), origin, depth + 1));
                them.take(4 * MOST).collect()
            }
            TSType::TSArrayType(it) => {
                vec![Choice::List(Some(&it.element_type)), Choice::Is(Value::array(Vec::new()))]
            }
            TSType::TSTypeOperatorType(it) => {
                self.candidates(name, Some(&it.type_annotation), origin, depth + 1)
            }
            TSType::TSParenthesizedType(it) => {
                self.candidates(name, Some(&it.type_annotation), origin, depth + 1)
            }
            TSType::TSTypeLiteral(it) => vec![Choice::StandIn(Shape::Members(&it.members))],
            TSType::TSFunctionType(_) => vec![Choice::StandIn(Shape::Unknown)],
            TSType::TSTypeReference(it) => {
                let first = it.type_arguments.as_ref().and_then(|them| them.params.first());
                match &it.type_name {
                    TSTypeName::IdentifierReference(id) => {
                        match (id.name.as_str(), self.module.types.get(id.name.as_str())) {
                            (_, Some(Type::Alias(ty))) => self.candidates(name, Some(ty), origin, depth + 1),
                            (_, Some(Type::Members(them))) => vec![Choice::StandIn(Shape::Members(them))],
                            ("Promise" | "Readonly" | "Partial" | "Required" | "NonNullable", _) => {
                                self.candidates(name, first, origin, depth + 1)
                            }
                            ("Array" | "ReadonlyArray", _) => {
                                vec![Choice::List(first), Choice::Is(Value::array(Vec::new()))]
                            }
                            ("Record", _) if is_environment(it) => vec![Choice::StandIn(Shape::Environment)],
                            _ => vec![Choice::StandIn(Shape::Unknown)],
                        }
                    }
                    TSTypeName::QualifiedName(it) if it.right.name == "ProcessEnv" => {
                        vec![Choice::StandIn(Shape::Environment)]
                    }
                    _ => vec![Choice::StandIn(Shape::Unknown)],
                }
            }
            _ => self.untyped(name, origin),
        }
    }

    /// What is not typed is known by how its name is used.
    fn untyped(&self, name: &str, origin: Origin<'a>) -> Vec<Choice<'a>> {
        let nothing = Choice::Is(Value::Undefined);
        let (list, object) = (self.module.lists.contains(name), self.module.objects.contains(name));
        let object_or_none = || vec![Choice::StandIn(Shape::Unknown), nothing.clone()];
        match origin {
            _ if list => vec![Choice::List(None), Choice::Is(Value::array(Vec::new())), nothing],
            _ if object => object_or_none(),
            Origin::Call { named: None } => object_or_none(),
            Origin::Call { named: Some(_) } => {
                let mut them = vec![Choice::Is(Value::Bool(true)), Choice::Is(Value::Bool(false)), nothing];
                them.push(Choice::StandIn(Shape::Unknown));
                them.extend(self.numbers());
                them
            }
            _ => {
                let mut them = self.texts(name);
                them.insert(1, nothing);
                them.extend(self.literals.numbers.iter().map(|n| Choice::Is(Value::Number(*n))));
                them
            }
        }
    }

    fn texts(&self, name: &str) -> Vec<Choice<'a>> {
        let mut them = vec![Choice::Is(Value::text(format!("{name}-1"))), Choice::Is(Value::text(""))];
        them.push(Choice::Is(Value::text(format!(" {} Two ", capital(name)))));
        them.extend(self.literals.texts.iter().map(|text| Choice::Is(Value::text(text))));
        them
    }

    fn numbers(&self) -> Vec<Choice<'a>> {
        let mut them = vec![3.0, 0.0, -1.0];
        for n in &self.literals.numbers {
            them.extend([*n, *n + 1.0, *n - 1.0]);
        }
        them.into_iter().map(|n| Choice::Is(Value::Number(n))).collect()
    }

    fn environment(&self, name: &str) -> Vec<Choice<'a>> {
        let (text, count) = (Value::text(format!("{}-1", name.to_lowercase())), Value::text("8080"));
        let counts = name.split('_').any(|part| COUNTS.contains(&part));
        let (first, other) = if counts { (count, text) } else { (text, count) };
        let mut them = vec![Choice::Is(first), Choice::Is(Value::Undefined), Choice::Is(other)];
        them.push(Choice::Is(Value::text("")));
        them.extend(self.literals.texts.iter().map(|text| Choice::Is(Value::text(text))));
        let numbers = self.literals.numbers.iter().filter_map(|n| number(*n));
        them.extend(numbers.map(|n| Choice::Is(Value::text(n))));
        them
    }
}

/// `Record<string, string | undefined>`.
fn is_environment(it: &oxc_ast::ast::TSTypeReference<'_>) -> bool {
    let second = it.type_arguments.as_ref().and_then(|them| them.params.get(1));
    matches!(second, Some(TSType::TSUnionType(it)) if it.types.iter().any(|ty| matches!(ty, TSType::TSStringKeyword(_)))
        && it.types.iter().any(|ty| matches!(ty, TSType::TSUndefinedKeyword(_))))
}

/// How a test refers to a member.
pub(super) fn member_key(key: &str, name: &str) -> String {
    if is_identifier(name) {
        format!("{key}.{name}")
    } else {
        format!("{key}[{}]", super::render::text(name))
    }
}

pub(super) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// The name of what a call gives: `usersFindById`, and the second time `usersFindById2`.
pub(super) fn result_key(key: &str, before: usize) -> String {
    let parts: Vec<&str> =
        key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let mut name = String::new();
    for part in &parts[parts.len().saturating_sub(2)..] {
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if !name.is_empty() => name.push(first.to_ascii_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.extend(chars);
    }
    if parts.len() < 2 {
        name.push_str("Result");
    }
    if before > 0 { format!("{name}{}", before + 1) } else { name }
}
