//! The built-in functions.

use super::super::class::Kind;
use super::super::value::{self, Value, exact};
use super::ops::order;
use super::{Eval, Run};

impl Run<'_> {
    pub(super) fn builtin(&mut self, name: &str, args: Vec<Value>, keywords: Vec<(String, Value)>) -> Eval {
        let wrong = format!("`{name}` of this is not modelled");
        for value in &args {
            self.weigh(value)?;
        }
        if let [(keyword, value)] = keywords.as_slice() {
            return match (name, args.as_slice(), keyword.as_str()) {
                ("sorted", [items], "reverse") => {
                    let items = self.unordered(items)?;
                    let reverse = self.truth(value)?;
                    self.sorted(items, reverse).map(Value::list)
                }
                ("min" | "max", [items], "default") => {
                    let items = self.unordered(items)?;
                    if items.is_empty() { Ok(value.clone()) } else { self.extreme(name, items) }
                }
                ("enumerate", [items], "start") => {
                    let start = self.known(value.int(), &wrong)?;
                    self.enumerate(items, start)
                }
                ("sum", [items], "start") => {
                    let items = self.unordered(items)?;
                    self.sum(&items, value.clone())
                }
                _ => self.unknown(wrong),
            };
        }
        if !keywords.is_empty() {
            return self.unknown(wrong);
        }
        Ok(match (name, args.as_slice()) {
            ("len", [value]) => Value::Int(self.length(value)? as i128),
            ("bool", [value]) => Value::Bool(self.truth(value)?),
            ("str", []) => Value::str(""),
            ("str", [value]) => {
                self.no_text_of_its_own(value)?;
                Value::str(self.known(value.said(), &wrong)?)
            }
            ("repr", [value]) => Value::str(self.known(value.repr(), &wrong)?),
            ("int", [value]) => self.int_of(value)?,
            ("float", [value]) => self.float_of(value)?,
            ("abs", [Value::Float(number)]) => Value::Float(number.abs()),
            ("abs", [value]) => Value::Int(self.known(value.int(), &wrong)?.abs()),
            ("round", [value]) if value.int().is_some() => Value::Int(value.int().unwrap_or_default()),
            ("round", [Value::Float(number)]) if number.abs() < 1e15 => {
                Value::Int(number.round_ties_even() as i128)
            }
            ("round", [Value::Float(number), Value::Int(places @ 0..=15)]) if number.abs() < 1e15 => {
                let text = format!("{number:.*}", *places as usize);
                Value::Float(self.known(text.parse().ok(), &wrong)?)
            }
            ("sum", [items]) => {
                let items = self.unordered(items)?;
                self.sum(&items, Value::Int(0))?
            }
            ("sum", [items, start]) => {
                let items = self.unordered(items)?;
                self.sum(&items, start.clone())?
            }
            ("min" | "max", [items]) => {
                let items = self.unordered(items)?;
                if items.is_empty() {
                    return Self::raise("ValueError", None);
                }
                self.extreme(name, items)?
            }
            ("min" | "max", [_, _, ..]) => self.extreme(name, args)?,
            ("sorted", [items]) => {
                let items = self.unordered(items)?;
                Value::list(self.sorted(items, false)?)
            }
            ("reversed", [items @ (Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Range(..))]) => {
                let mut items = self.walk(items)?;
                items.reverse();
                Value::iter(items)
            }
            ("list", []) => Value::list(Vec::new()),
            ("list", [items]) => Value::list(self.walk(items)?),
            ("tuple", [items]) => Value::tuple(self.walk(items)?),
            ("set" | "frozenset", []) if name == "set" => Value::set(Vec::new()),
            ("set", [items]) => {
                let items = self.unordered(items)?;
                self.distinct(items)?
            }
            ("dict", []) => Value::dict(Vec::new()),
            ("dict", [Value::Dict(items)]) => Value::dict(items.borrow().clone()),
            ("range", [stop]) => Value::Range(0, self.known(stop.int(), &wrong)?, 1),
            ("range", [start, stop]) => {
                Value::Range(self.known(start.int(), &wrong)?, self.known(stop.int(), &wrong)?, 1)
            }
            ("range", [start, stop, Value::Int(step)]) if *step != 0 => {
                Value::Range(self.known(start.int(), &wrong)?, self.known(stop.int(), &wrong)?, *step)
            }
            ("enumerate", [items]) => self.enumerate(items, 0)?,
            ("zip", [one, two]) => {
                let (one, two) = (self.walk(one)?, self.walk(two)?);
                Value::iter(one.into_iter().zip(two).map(|(one, two)| Value::tuple(vec![one, two])).collect())
            }
            ("any" | "all", [items]) => {
                let mut result = name == "all";
                for item in self.unordered(items)? {
                    if self.truth(&item)? != (name == "all") {
                        result = name == "any";
                        break;
                    }
                }
                Value::Bool(result)
            }
            ("isinstance", [value, kind]) => Value::Bool(self.is_instance(value, kind)?),
            ("print", _) => Value::None,
            _ => return self.unknown(wrong),
        })
    }

    fn length(&self, value: &Value) -> Eval<usize> {
        Ok(match value {
            Value::Str(text) => text.chars().count(),
            Value::List(items) | Value::Set(items) => items.borrow().len(),
            Value::Tuple(items) => items.len(),
            Value::Dict(items) => items.borrow().len(),
            _ => return self.unknown("the length of this is not modelled"),
        })
    }

    fn enumerate(&mut self, items: &Value, start: i128) -> Eval {
        let items = self.walk(items)?;
        let pairs = (start..).zip(items).map(|(at, item)| Value::tuple(vec![Value::Int(at), item]));
        Ok(Value::iter(pairs.collect()))
    }

    fn extreme(&mut self, name: &str, items: Vec<Value>) -> Eval {
        let mut items = items.into_iter();
        let mut best = self.known(items.next(), "the least of nothing is not modelled")?;
        for item in items {
            let order = self.known(order(&item, &best), "the order of these is not modelled")?;
            if if name == "min" { order.is_lt() } else { order.is_gt() } {
                best = item;
            }
        }
        Ok(best)
    }

    pub(super) fn sorted(&self, mut items: Vec<Value>, reverse: bool) -> Eval<Vec<Value>> {
        self.charge((items.len() * items.len()) as u64)?;
        let ordered = items.iter().all(|one| items.iter().all(|two| order(one, two).is_some()));
        if !ordered || items.iter().any(|item| matches!(item, Value::List(_) | Value::Tuple(_))) {
            return self.unknown("the order of these is not modelled");
        }
        let compare = |one: &Value, two: &Value| order(one, two).unwrap_or(std::cmp::Ordering::Equal);
        items.sort_by(|one, two| if reverse { compare(two, one) } else { compare(one, two) });
        Ok(items)
    }

    fn int_of(&mut self, value: &Value) -> Eval {
        Ok(Value::Int(match value {
            Value::Float(number) if number.abs() < 1e15 => number.trunc() as i128,
            Value::Str(text) => {
                if !text.chars().all(|letter| (' '..='~').contains(&letter)) {
                    return self.unknown("a number in such a text is not modelled");
                }
                let digits = text.trim_matches(' ');
                let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                let number = !bare.is_empty()
                    && bare
                        .split('_')
                        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
                if !number {
                    let said =
                        value.repr().map(|text| format!("invalid literal for int() with base 10: {text}"));
                    return Self::raise("ValueError", said);
                }
                let parsed = digits
                    .replace('_', "")
                    .parse()
                    .ok()
                    .filter(|number: &i128| number.unsigned_abs() < 1 << 100);
                self.known(parsed, "a number this large is not modelled")?
            }
            other => self.known(other.int(), "`int` of this is not modelled")?,
        }))
    }

    fn float_of(&mut self, value: &Value) -> Eval {
        Ok(Value::Float(match value {
            Value::Float(number) => *number,
            Value::Str(text) => {
                let digits = text.trim_matches(' ');
                let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                let (whole, places) = bare.split_once('.').unwrap_or((bare, "0"));
                let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                if !whole.is_empty() && !places.is_empty() && plain(whole) && plain(places) && bare.len() < 30
                {
                    return self.known(digits.parse().ok().map(Value::Float), "this number is not modelled");
                }
                let words = ["e", "inf", "nan", "_", "."];
                let lower = bare.to_lowercase();
                if !text.is_ascii()
                    || text.bytes().any(|byte| byte < b' ')
                    || words.iter().any(|word| lower.contains(word))
                {
                    return self.unknown("a number in such a text is not modelled");
                }
                let said = value.repr().map(|text| format!("could not convert string to float: {text}"));
                return Self::raise("ValueError", said);
            }
            other => self.known(other.int().and_then(exact), "`float` of this is not modelled")?,
        }))
    }

    fn is_instance(&self, value: &Value, kind: &Value) -> Eval<bool> {
        let unknown = "`isinstance` of this is not modelled";
        match kind {
            Value::Tuple(kinds) => {
                let mut any = false;
                for kind in kinds.iter() {
                    any = any || self.is_instance(value, kind)?;
                }
                Ok(any)
            }
            Value::Outside(name) => {
                const KINDS: [&str; 8] = ["bool", "int", "float", "str", "list", "tuple", "set", "dict"];
                let is = self.known(value.kind().filter(|_| KINDS.contains(&&**name)), unknown)?;
                Ok(is == &**name || (is == "bool" && &**name == "int"))
            }
            Value::Class(name) => match value {
                Value::Instance(instance) => {
                    let mut next = Some(instance.class.to_string());
                    for _ in 0..16 {
                        let Some(class) = next else { return Ok(false) };
                        if class == **name {
                            return Ok(true);
                        }
                        next = self.class(&class).and_then(|class| class.base.clone());
                    }
                    self.unknown(unknown)
                }
                Value::Member(member) => Ok(member.class == *name),
                value if value.kind().is_some() => {
                    let kind = self.class(name).map(|class| &class.kind);
                    match kind {
                        Some(Kind::Plain | Kind::Data { .. } | Kind::Enum { .. }) => Ok(false),
                        _ => self.unknown(unknown),
                    }
                }
                _ => self.unknown(unknown),
            },
            _ => self.unknown(unknown),
        }
    }
}

/// Adds what is not there yet.
pub(super) fn put(items: &mut Vec<Value>, item: Value) -> Option<()> {
    if !value::has(items, &item)? {
        items.push(item);
    }
    Some(())
}
