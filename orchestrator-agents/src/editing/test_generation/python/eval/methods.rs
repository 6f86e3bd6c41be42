//! The methods of built-in values.

use std::rc::Rc;

use ruff_python_ast::Operator;

use super::super::value::{self, Value};
use super::{Eval, Run};

impl Run<'_> {
    pub(super) fn method_of(
        &mut self,
        on: &Value,
        name: &str,
        args: Vec<Value>,
        keywords: Vec<(String, Value)>,
    ) -> Eval {
        self.weigh(on)?;
        for value in &args {
            self.pairs(on, value)?;
        }
        let result = match on {
            Value::Logger => return self.log(name),
            _ if !(keywords.is_empty() || name == "sort" && keywords.len() == 1) => None,
            Value::Str(text) => self.text_method(text, name, &args)?,
            Value::List(_) => self.list_method(on, name, args, &keywords)?,
            Value::Dict(_) => self.dict_method(on, name, args)?,
            Value::Set(_) => self.set_method(on, name, args)?,
            Value::Tuple(items) => match (name, args.as_slice()) {
                ("count", [item]) => self.count(items, item)?,
                _ => None,
            },
            _ => None,
        };
        let result =
            self.known(result, &format!("the method `{name}` with these arguments is not modelled"))?;
        self.small(on.clone())?;
        Ok(result)
    }

    fn log(&self, name: &str) -> Eval {
        match name {
            "debug" | "info" | "warning" | "error" | "exception" | "critical" => Ok(Value::None),
            _ => self.unknown(format!("`{name}` of a logger is not modelled")),
        }
    }

    fn count(&self, items: &[Value], item: &Value) -> Eval<Option<Value>> {
        let mut count = 0;
        for other in items {
            count += i128::from(self.known(other.equals(item), "whether these are equal is not modelled")?);
        }
        Ok(Some(Value::Int(count)))
    }

    fn text_method(&mut self, text: &str, name: &str, args: &[Value]) -> Eval<Option<Value>> {
        if matches!(name, "startswith" | "endswith")
            && let [Value::Tuple(ends)] = args
        {
            let mut any = false;
            for end in ends.iter() {
                let Value::Str(end) = end else { return Ok(None) };
                any = any
                    || if name == "startswith" { text.starts_with(&**end) } else { text.ends_with(&**end) };
            }
            return Ok(Some(Value::Bool(any)));
        }
        if let ("join", [items]) = (name, args) {
            let items = self.walk(items)?;
            let parts: Option<Vec<Rc<str>>> = items
                .iter()
                .map(|item| if let Value::Str(text) = item { Some(text.clone()) } else { None })
                .collect();
            return parts.map(|parts| self.text(parts.join(text))).transpose();
        }
        if !text.is_ascii()
            && !matches!(
                name,
                "startswith" | "endswith" | "replace" | "split" | "removeprefix" | "removesuffix"
            )
        {
            return Ok(None);
        }
        let words: Option<Vec<&str>> =
            args.iter().map(|arg| if let Value::Str(text) = arg { Some(&**text) } else { None }).collect();
        if let ("replace", Some([from, to])) = (name, words.as_deref()) {
            let longer = text.matches(from).count().saturating_mul(to.len());
            if text.len().saturating_add(longer) > 10_000 {
                return self.unknown("a text this long is not followed");
            }
        }
        match words {
            Some(words) => Ok(of_text(text, name, &words)),
            None => Ok(match (name, args) {
                ("zfill", [Value::Int(width @ 0..=1_000)]) => Some(zfill(text, *width as usize)),
                _ => None,
            }),
        }
    }

    fn list_method(
        &mut self,
        on: &Value,
        name: &str,
        mut args: Vec<Value>,
        keywords: &[(String, Value)],
    ) -> Eval<Option<Value>> {
        let Value::List(items) = on else { return Ok(None) };
        if name == "sort" && args.is_empty() {
            let reverse = match keywords {
                [] => false,
                [(key, value)] if key == "reverse" => self.truth(value)?,
                _ => return Ok(None),
            };
            let sorted = self.sorted(items.borrow().clone(), reverse)?;
            *items.borrow_mut() = sorted;
            return Ok(Some(Value::None));
        }
        Ok(match (name, args.len()) {
            ("append", 1) => {
                items.borrow_mut().extend(args.pop());
                Some(Value::None)
            }
            ("extend", 1) => {
                let more = self.walk(&args[0])?;
                items.borrow_mut().extend(more);
                Some(Value::None)
            }
            ("pop", 0) => match items.borrow_mut().pop() {
                Some(item) => Some(item),
                None => return Self::raise("IndexError", None),
            },
            ("pop", 1) => match (args[0].int(), items.borrow().is_empty()) {
                (Some(0), false) => Some(items.borrow_mut().remove(0)),
                _ => None,
            },
            ("copy", 0) => Some(Value::list(items.borrow().clone())),
            ("clear", 0) => {
                items.borrow_mut().clear();
                Some(Value::None)
            }
            ("reverse", 0) => {
                items.borrow_mut().reverse();
                Some(Value::None)
            }
            ("count", 1) => self.count(&items.borrow(), &args[0])?,
            ("remove" | "index", 1) => {
                let at = value::position(&items.borrow(), &args[0]);
                match self.known(at, "whether these are equal is not modelled")? {
                    Some(at) if name == "index" => Some(Value::Int(at as i128)),
                    Some(at) => {
                        items.borrow_mut().remove(at);
                        Some(Value::None)
                    }
                    None => return Self::raise("ValueError", None),
                }
            }
            _ => None,
        })
    }

    fn dict_method(&mut self, on: &Value, name: &str, mut args: Vec<Value>) -> Eval<Option<Value>> {
        let Value::Dict(items) = on else { return Ok(None) };
        let at = match args.first() {
            Some(key) if matches!(name, "get" | "pop" | "setdefault") => {
                if !key.is_key() {
                    return Ok(None);
                }
                let at = value::find(&items.borrow(), key);
                self.known(at, "whether these are equal is not modelled")?
            }
            _ => None,
        };
        Ok(match (name, args.len()) {
            ("get", 1 | 2) => Some(match at {
                Some(at) => items.borrow()[at].1.clone(),
                None => args.get(1).cloned().unwrap_or(Value::None),
            }),
            ("pop", 1 | 2) => match (at, args.get(1)) {
                (Some(at), _) => Some(items.borrow_mut().remove(at).1),
                (None, Some(default)) => Some(default.clone()),
                (None, None) => return Self::raise("KeyError", args[0].repr()),
            },
            ("setdefault", 2) => Some(match at {
                Some(at) => items.borrow()[at].1.clone(),
                None => {
                    let default = args.remove(1);
                    items.borrow_mut().push((args.remove(0), default.clone()));
                    default
                }
            }),
            ("keys", 0) => Some(Value::iter(items.borrow().iter().map(|(key, _)| key.clone()).collect())),
            ("values", 0) => {
                Some(Value::iter(items.borrow().iter().map(|(_, value)| value.clone()).collect()))
            }
            ("items", 0) => {
                let pairs = items
                    .borrow()
                    .iter()
                    .map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()]))
                    .collect();
                Some(Value::iter(pairs))
            }
            ("copy", 0) => Some(Value::dict(items.borrow().clone())),
            ("clear", 0) => {
                items.borrow_mut().clear();
                Some(Value::None)
            }
            ("update", 1) => {
                let Value::Dict(more) = &args[0] else { return Ok(None) };
                let more = more.borrow().clone();
                for (key, value) in more {
                    self.set_item(on, key, value)?;
                }
                Some(Value::None)
            }
            _ => None,
        })
    }

    fn set_method(&mut self, on: &Value, name: &str, mut args: Vec<Value>) -> Eval<Option<Value>> {
        let Value::Set(items) = on else { return Ok(None) };
        let op = match name {
            "union" => Operator::BitOr,
            "intersection" => Operator::BitAnd,
            "difference" => Operator::Sub,
            "add" if args.len() == 1 && args[0].is_key() => {
                let item = args.remove(0);
                let put = super::builtins::put(&mut items.borrow_mut(), item);
                return Ok(put.map(|()| Value::None));
            }
            "discard" if args.len() == 1 && args[0].is_key() => {
                let at = value::position(&items.borrow(), &args[0]);
                if let Some(at) = self.known(at, "whether these are equal is not modelled")? {
                    items.borrow_mut().remove(at);
                }
                return Ok(Some(Value::None));
            }
            _ => return Ok(None),
        };
        match args.as_slice() {
            [other @ Value::Set(_)] => self.binary(op, on, other).map(Some),
            _ => Ok(None),
        }
    }
}

fn zfill(text: &str, width: usize) -> Value {
    let missing = "0".repeat(width.saturating_sub(text.len()));
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    Value::str(format!("{sign}{missing}{digits}"))
}

/// Methods of text that take only text. The text is plain ASCII, except for those that do not look at letters.
fn of_text(text: &str, name: &str, words: &[&str]) -> Option<Value> {
    let space = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1f');
    let list = |parts: Vec<&str>| Value::list(parts.into_iter().map(Value::str).collect());
    let every = |is: fn(&u8) -> bool| Value::Bool(!text.is_empty() && text.as_bytes().iter().all(is));
    Some(match (name, words) {
        ("upper", []) => Value::str(text.to_ascii_uppercase()),
        ("lower" | "casefold", []) => Value::str(text.to_ascii_lowercase()),
        ("capitalize", []) => {
            let lower = text.to_ascii_lowercase();
            Value::str(lower.get(..1).map_or(String::new(), |first| first.to_ascii_uppercase() + &lower[1..]))
        }
        ("title", []) => {
            let mut inside = false;
            let titled = text.chars().map(|letter| {
                let shown = if inside { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() };
                inside = letter.is_ascii_alphabetic();
                shown
            });
            Value::str(titled.collect::<String>())
        }
        ("strip", []) => Value::str(text.trim_matches(space)),
        ("lstrip", []) => Value::str(text.trim_start_matches(space)),
        ("rstrip", []) => Value::str(text.trim_end_matches(space)),
        ("strip", [letters]) => Value::str(text.trim_matches(|letter| letters.contains(letter))),
        ("lstrip", [letters]) => Value::str(text.trim_start_matches(|letter| letters.contains(letter))),
        ("rstrip", [letters]) => Value::str(text.trim_end_matches(|letter| letters.contains(letter))),
        ("startswith", [start]) => Value::Bool(text.starts_with(start)),
        ("endswith", [end]) => Value::Bool(text.ends_with(end)),
        ("removeprefix", [start]) => Value::str(text.strip_prefix(start).unwrap_or(text)),
        ("removesuffix", [end]) => Value::str(text.strip_suffix(end).unwrap_or(text)),
        ("replace", [from, to]) if !from.is_empty() => Value::str(text.replace(from, to)),
        ("split", []) if text.is_ascii() => list(text.split(space).filter(|part| !part.is_empty()).collect()),
        ("split", [by]) if !by.is_empty() => list(text.split(by).collect()),
        ("partition", [by]) if !by.is_empty() => {
            let (one, by, two) = match text.split_once(by) {
                Some((one, two)) => (one, *by, two),
                None => (text, "", ""),
            };
            Value::tuple(vec![Value::str(one), Value::str(by), Value::str(two)])
        }
        ("find", [part]) => Value::Int(text.find(part).map_or(-1, |at| at as i128)),
        ("count", [part]) if !part.is_empty() => Value::Int(text.matches(part).count() as i128),
        ("isdigit" | "isdecimal" | "isnumeric", []) => every(u8::is_ascii_digit),
        ("isalpha", []) => every(u8::is_ascii_alphabetic),
        ("isalnum", []) => every(u8::is_ascii_alphanumeric),
        ("isspace", []) => Value::Bool(!text.is_empty() && text.chars().all(space)),
        ("isupper", []) => {
            let letters = text.bytes().filter(u8::is_ascii_alphabetic);
            Value::Bool(letters.clone().count() > 0 && letters.clone().all(|byte| byte.is_ascii_uppercase()))
        }
        ("islower", []) => {
            let letters = text.bytes().filter(u8::is_ascii_alphabetic);
            Value::Bool(letters.clone().count() > 0 && letters.clone().all(|byte| byte.is_ascii_lowercase()))
        }
        _ => return None,
    })
}
