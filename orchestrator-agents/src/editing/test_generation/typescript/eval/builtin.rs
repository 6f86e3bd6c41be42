//! What the language itself gives: methods of texts, lists, maps and sets, and globals. What is not here is not known.

use std::rc::Rc;

use super::super::value::{Array, Eval, Kind, Object, Value, number, whole};
use super::budget::{ITEMS, fits, readable};
use super::expression::text_of;
use super::{Machine, unknown};

impl<'a> Machine<'a, '_> {
    /// A method of a primitive, a list or a global.
    pub(super) fn builtin(
        &mut self,
        of: &Value<'a>,
        name: &str,
        arguments: &[Value<'a>],
        at: u32,
    ) -> Eval<'a> {
        self.looked(of, at)?;
        let value = self.of_value(of, name, arguments, at)?;
        self.made(value, at)
    }

    fn of_value(&mut self, of: &Value<'a>, name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
        match of {
            Value::Text(text) => {
                let value = of_text(text, name, arguments, at)?;
                // Whether a text is changed, or found in another one, is worth a case of its own.
                match &value {
                    Value::Bool(yes) => drop(self.decide(at, *yes)),
                    Value::Text(made) => drop(self.decide(at, made != text)),
                    _ => {}
                }
                Ok(value)
            }
            Value::Number(n) => match (name, arguments) {
                ("toString", []) => match number(*n) {
                    Some(text) => Ok(Value::text(text)),
                    None => unknown("it makes text of a number", at),
                },
                ("toFixed", [Value::Number(digits)]) if n.fract() == 0.0 && (0.0..10.0).contains(digits) => {
                    Ok(Value::text(format!("{n:.*}", whole(*digits))))
                }
                _ => unknown(format!("it calls `{name}` of a number"), at),
            },
            Value::Array(array) => self.of_list(array, name, arguments, at),
            Value::Global(global) => self.of_global(global, name, arguments, at),
            Value::Imported(from) => {
                unknown(format!("it calls `{from}.{name}`, which another file gives"), at)
            }
            Value::Undefined | Value::Null => unknown(super::member::SILENT, at),
            _ => unknown(format!("it calls `{name}` of it"), at),
        }
    }

    fn of_list(&mut self, array: &Rc<Array<'a>>, name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
        let items = array.items.borrow().clone();
        let first = arguments.first().cloned().unwrap_or(Value::Undefined);
        match name {
            "map" | "filter" | "some" | "every" | "find" | "findIndex" | "forEach" | "flatMap" => {
                self.each(&items, name, &first, at)
            }
            "reduce" => {
                let mut items = items.into_iter().enumerate();
                let mut sum = match arguments.get(1) {
                    Some(start) => start.clone(),
                    None => match items.next() {
                        Some((_, item)) => item,
                        None => return unknown(super::member::SILENT, at),
                    },
                };
                for (n, item) in items {
                    self.step(at)?;
                    sum = self.call_value(&first, vec![sum, item, Value::Number(n as f64)], at)?;
                }
                Ok(sum)
            }
            "push" if array.key.is_none() => {
                fits(items.len() + arguments.len(), at)?;
                array.items.borrow_mut().extend(arguments.iter().cloned());
                Ok(Value::Number(array.items.borrow().len() as f64))
            }
            "pop" if array.key.is_none() => Ok(array.items.borrow_mut().pop().unwrap_or(Value::Undefined)),
            "includes" => {
                let found = items.iter().any(|item| item.same(&first));
                Ok(Value::Bool(self.decide(at, found)))
            }
            "indexOf" => {
                let found = items.iter().position(|item| item.same(&first));
                Ok(Value::Number(found.map_or(-1.0, |n| n as f64)))
            }
            "join" => {
                let between = match &first {
                    Value::Undefined => ",".into(),
                    Value::Text(text) => text.to_string(),
                    _ => return unknown("it joins a list", at),
                };
                let (mut texts, mut bytes) = (Vec::new(), 0);
                for item in &items {
                    readable(bytes, at)?;
                    let text = if item.nullish() { String::new() } else { text_of(item, at)? };
                    self.looked(item, at)?;
                    bytes += text.len() + between.len();
                    texts.push(text);
                }
                Ok(Value::text(texts.join(&between)))
            }
            "concat" => {
                let mut all = items;
                for argument in arguments {
                    fits(all.len(), at)?;
                    match argument {
                        Value::Array(other) => all.extend(other.items.borrow().iter().cloned()),
                        other => all.push(other.clone()),
                    }
                }
                Ok(Value::array(all))
            }
            "slice" => {
                let Some((from, to)) = range(arguments, items.len()) else {
                    return unknown("it slices a list", at);
                };
                Ok(Value::array(items.get(from..to).map(<[_]>::to_vec).unwrap_or_default()))
            }
            "at" => match first {
                Value::Number(n) if n.fract() == 0.0 => {
                    let n = if n < 0.0 { n + items.len() as f64 } else { n };
                    Ok(if n < 0.0 {
                        Value::Undefined
                    } else {
                        items.get(whole(n)).cloned().unwrap_or(Value::Undefined)
                    })
                }
                _ => unknown("it takes a part of a list", at),
            },
            _ => unknown(format!("it calls `{name}` of a list"), at),
        }
    }

    fn each(&mut self, items: &[Value<'a>], name: &str, function: &Value<'a>, at: u32) -> Eval<'a> {
        let mut made = Vec::new();
        for (n, item) in items.iter().enumerate() {
            self.step(at)?;
            fits(made.len(), at)?;
            let value = self.call_value(function, vec![item.clone(), Value::Number(n as f64)], at)?;
            match name {
                "map" => made.push(value),
                "flatMap" => match value {
                    Value::Array(inner) => made.extend(inner.items.borrow().iter().cloned()),
                    other => made.push(other),
                },
                "filter" => made.extend(self.decide(at, value.truthy()).then(|| item.clone())),
                "some" if self.decide(at, value.truthy()) => return Ok(Value::Bool(true)),
                "every" if !self.decide(at, value.truthy()) => return Ok(Value::Bool(false)),
                "find" if self.decide(at, value.truthy()) => return Ok(item.clone()),
                "findIndex" if self.decide(at, value.truthy()) => return Ok(Value::Number(n as f64)),
                _ => {}
            }
        }
        Ok(match name {
            "some" => Value::Bool(false),
            "every" => Value::Bool(true),
            "find" | "forEach" => Value::Undefined,
            "findIndex" => Value::Number(-1.0),
            _ => Value::array(made),
        })
    }

    fn of_global(&mut self, global: &str, name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
        let first = arguments.first().cloned().unwrap_or(Value::Undefined);
        let numbers: Option<Vec<f64>> = arguments.iter().map(Value::to_number).collect();
        Ok(match (global, name, numbers.as_deref()) {
            ("Math", "max", Some(them)) => {
                Value::Number(them.iter().copied().fold(f64::NEG_INFINITY, f64::max))
            }
            ("Math", "min", Some(them)) => Value::Number(them.iter().copied().fold(f64::INFINITY, f64::min)),
            ("Math", "floor", Some([n])) => Value::Number(n.floor()),
            ("Math", "ceil", Some([n])) => Value::Number(n.ceil()),
            ("Math", "trunc", Some([n])) => Value::Number(n.trunc()),
            ("Math", "round", Some([n])) => Value::Number((n + 0.5).floor()),
            ("Math", "abs", Some([n])) => Value::Number(n.abs()),
            ("Number", "isInteger" | "isSafeInteger", _) => {
                Value::Bool(matches!(first, Value::Number(n) if n.is_finite() && n.fract() == 0.0))
            }
            ("Number", "isNaN", _) => Value::Bool(matches!(first, Value::Number(n) if n.is_nan())),
            ("Number", "isFinite", _) => Value::Bool(matches!(first, Value::Number(n) if n.is_finite())),
            ("Number", "parseInt" | "parseFloat", _) => return global_function(name, arguments, at),
            ("Array", "isArray", _) => match first {
                Value::Object(object) if matches!(object.kind, Kind::StandIn { .. }) => {
                    return unknown("it asks whether something from outside is a list", at);
                }
                other => Value::Bool(matches!(other, Value::Array(_))),
            },
            ("Array", "from", _) if arguments.len() == 1 => Value::array(self.items(&first, at)?),
            ("Object", "freeze", _) => first,
            ("Object", "keys" | "values" | "entries", _) => {
                if !matches!(&first, Value::Object(object) if matches!(object.kind, Kind::Plain)) {
                    return unknown("it lists the properties of something from outside", at);
                }
                let entries = self.entries(&first, at)?;
                Value::array(match name {
                    "keys" => entries.iter().map(|(key, _)| Value::text(key)).collect(),
                    "values" => entries.into_iter().map(|(_, value)| value).collect(),
                    _ => entries
                        .into_iter()
                        .map(|(key, value)| Value::array(vec![Value::text(key), value]))
                        .collect(),
                })
            }
            // What is awaited is worked out at once.
            ("Promise", "all", _) => Value::array(self.items(&first, at)?),
            ("Promise", "resolve", _) => first,
            ("console", _, _) => Value::Undefined,
            _ => return unknown(format!("it uses `{global}.{name}`"), at),
        })
    }

    /// A method of a map or a set.
    pub(super) fn collection(
        &mut self,
        of: &Rc<Object<'a>>,
        name: &str,
        arguments: &[Value<'a>],
        at: u32,
    ) -> Eval<'a> {
        let key = arguments.first().cloned().unwrap_or(Value::Undefined);
        let count = of.entries.borrow().len();
        self.spend(1 + count / 4, at)?;
        fits(count, at)?;
        let place = of.entries.borrow().iter().position(|(own, _)| own.same(&key));
        Ok(match name {
            "get" => place.map_or(Value::Undefined, |n| of.entries.borrow()[n].1.clone()),
            "has" => Value::Bool(self.decide(at, place.is_some())),
            "set" | "add" => {
                let value = arguments.get(1).cloned().unwrap_or(Value::Undefined);
                match place {
                    Some(n) => of.entries.borrow_mut()[n].1 = value,
                    None => of.entries.borrow_mut().push((key, value)),
                }
                Value::Object(of.clone())
            }
            "delete" => {
                if let Some(n) = place {
                    of.entries.borrow_mut().remove(n);
                }
                Value::Bool(place.is_some())
            }
            "clear" => {
                of.entries.borrow_mut().clear();
                Value::Undefined
            }
            "values" if matches!(of.kind, Kind::Map) => {
                Value::array(of.entries.borrow().iter().map(|(_, value)| value.clone()).collect())
            }
            "keys" | "values" => {
                Value::array(of.entries.borrow().iter().map(|(key, _)| key.clone()).collect())
            }
            _ => return unknown(format!("it calls `{name}` of a map or set"), at),
        })
    }
}

/// A global that is a function.
pub(super) fn global_function<'a>(name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
    let first = arguments.first().cloned().unwrap_or(Value::Undefined);
    let n = |value: &Value<'a>| match value.to_number() {
        Some(n) => Ok(n),
        None => unknown("it makes a number of an object", at),
    };
    Ok(match name {
        "Number" => Value::Number(if arguments.is_empty() { 0.0 } else { n(&first)? }),
        "String" => Value::text(text_of(&first, at)?),
        "Boolean" => Value::Bool(first.truthy()),
        "isNaN" => Value::Bool(n(&first)?.is_nan()),
        "parseInt" | "parseFloat" => {
            let Some(text) = first.to_text() else {
                return unknown("it makes a number of an object", at);
            };
            if arguments.get(1).is_some_and(|base| !base.same(&Value::Number(10.0))) {
                return unknown("it reads a number in another base", at);
            }
            Value::Number(leading(&text, name == "parseFloat"))
        }
        "Error" | "TypeError" | "RangeError" => return unknown("it makes an error without `new`", at),
        _ => return unknown(format!("it calls `{name}`"), at),
    })
}

/// A method of a text. Where letters are no ASCII, only what is the same in every language of text is known.
fn of_text<'a>(text: &str, name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
    let text_at = |n: usize| match arguments.get(n) {
        Some(Value::Text(text)) => Some(&**text),
        _ => None,
    };
    let first = text_at(0);
    let ascii = text.is_ascii();
    Ok(match (name, first) {
        ("trim", _) => Value::text(text.trim()),
        ("toString", _) => Value::text(text),
        ("toLowerCase", _) if ascii => Value::text(text.to_ascii_lowercase()),
        ("toUpperCase", _) if ascii => Value::text(text.to_ascii_uppercase()),
        ("startsWith", Some(what)) if arguments.len() == 1 => Value::Bool(text.starts_with(what)),
        ("endsWith", Some(what)) if arguments.len() == 1 => Value::Bool(text.ends_with(what)),
        ("includes", Some(what)) if arguments.len() == 1 => Value::Bool(text.contains(what)),
        ("indexOf", Some(what)) if ascii && arguments.len() == 1 => {
            Value::Number(text.find(what).map_or(-1.0, |n| n as f64))
        }
        ("split", Some(_)) if text.len() > ITEMS => return unknown("it splits a long text", at),
        ("split", Some("")) => Value::array(text.chars().map(|c| Value::text(c.to_string())).collect()),
        ("split", Some(what)) if arguments.len() == 1 => {
            Value::array(text.split(what).map(Value::text).collect())
        }
        ("replaceAll", Some(what)) => match text_at(1) {
            Some(with) if !with.contains('$') && !what.is_empty() && with.len() <= what.len() + 20 => {
                Value::text(text.replace(what, with))
            }
            _ => return unknown("it replaces in a text", at),
        },
        ("replace", Some(what)) => match text_at(1) {
            Some(with) if !with.contains('$') => Value::text(text.replacen(what, with, 1)),
            _ => return unknown("it replaces in a text", at),
        },
        ("slice" | "substring", _) if ascii => {
            let negative = arguments.iter().any(|n| matches!(n, Value::Number(n) if *n < 0.0));
            match range(arguments, text.len()) {
                Some((from, to)) if name == "slice" || (!negative && from <= to) => {
                    Value::text(text.get(from..to).unwrap_or_default())
                }
                _ => return unknown("it takes a part of a text", at),
            }
        }
        ("charAt", _) if ascii => match arguments.first() {
            Some(Value::Number(n)) if *n >= 0.0 => {
                let n = whole(*n);
                Value::text(text.get(n..=n).unwrap_or_default())
            }
            _ => return unknown("it takes a part of a text", at),
        },
        ("repeat", _) => match arguments.first() {
            Some(Value::Number(n)) if (0.0..=100.0).contains(n) && text.len() < 100 => {
                Value::text(text.repeat(whole(*n)))
            }
            _ => return unknown("it repeats a text", at),
        },
        ("padStart" | "padEnd", _) if ascii => {
            let (Some(Value::Number(width)), with) = (arguments.first(), text_at(1).unwrap_or(" ")) else {
                return unknown("it pads a text", at);
            };
            if !(0.0..=200.0).contains(width) || with.len() != 1 {
                return unknown("it pads a text", at);
            }
            let more = with.repeat(whole(*width).saturating_sub(text.len()));
            Value::text(if name == "padStart" { more + text } else { text.to_owned() + &more })
        }
        _ => return unknown(format!("it calls `{name}` of a text"), at),
    })
}

/// Start and end of a slice of `len`.
fn range(arguments: &[Value<'_>], len: usize) -> Option<(usize, usize)> {
    let bound = |n: usize, default: usize| match arguments.get(n) {
        None | Some(Value::Undefined) => Some(default),
        Some(Value::Number(at)) if at.fract() == 0.0 => {
            let at = if *at < 0.0 { (at + len as f64).max(0.0) } else { *at };
            Some(whole(at).min(len))
        }
        _ => None,
    };
    let (from, to) = (bound(0, 0)?, bound(1, len)?);
    Some((from, to.max(from)))
}

/// The number that a text begins with, as `parseInt` and `parseFloat` read it.
fn leading(text: &str, fraction: bool) -> f64 {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let mut point = !fraction;
    let mut end = sign;
    for c in text[sign..].chars() {
        match c {
            '.' if !point => point = true,
            c if c.is_ascii_digit() => {}
            _ => break,
        }
        end += 1;
    }
    text[..end].parse().unwrap_or(f64::NAN)
}
