//! Calls: functions of the module, what the standard library makes of a value, macros that give or end.

use syn::punctuated::Punctuated;
use syn::{Expr, ExprCall, ExprMethodCall, Lit, Macro, Token};

use super::eval::{Eval, Run, Scope, Stop, kind, name};
use super::value::{Kind, Value};

impl Run<'_> {
    pub(super) fn call_expr(&mut self, scope: &mut Scope, call: &ExprCall) -> Eval {
        let Expr::Path(path) = &*call.func else { return self.unknown("calling this is not modelled") };
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let wraps = matches!(names.join("::").as_str(), "Some" | "Ok" | "Err");
        let own = names
            .first()
            .filter(|_| names.len() == 1)
            .and_then(|name| self.items.functions.get(name))
            .copied();
        let mut args = Vec::new();
        for (at, arg) in call.args.iter().enumerate() {
            let takes = own.and_then(|own| own.sig.inputs.get(at)).and_then(|input| match input {
                syn::FnArg::Typed(input) => kind(&input.ty),
                syn::FnArg::Receiver(_) => None,
            });
            match self.expr(scope, arg, takes) {
                // That there is something is certain, if making it cannot end the function.
                Err(Stop::Unknown { .. }) if wraps && harmless(arg) => args.push(Value::Opaque),
                value => args.push(value?),
            }
        }
        if let Some(function) = own {
            return self.call(function, args);
        }
        let joined = names.join("::");
        match (joined.as_str(), args.as_slice()) {
            ("Some", [value]) => Ok(Value::Some(value.clone().into())),
            ("Ok", [value]) => Ok(Value::Ok(value.clone().into())),
            ("Err", [value]) => {
                self.reach(call, 0);
                Ok(Value::Err(value.clone().into()))
            }
            ("String::from", [Value::Text(text)]) => Ok(Value::Text(text.clone())),
            ("String::new", []) => Ok(Value::Text(String::new())),
            ("Vec::new", []) => Ok(Value::Many(Vec::new())),
            _ => self.unknown(format!("what `{joined}` does is not in this file")),
        }
    }

    pub(super) fn macro_of(&mut self, scope: &mut Scope, mac: &Macro) -> Eval {
        let name = mac.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if self.items.macros {
            return self.unknown(format!("the file has macros, so `{name}!` is not modelled"));
        }
        self.reach(mac, 30);
        let args = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        let Ok(args) = args else {
            return self.unknown(format!("`{name}!` with these arguments is not modelled"));
        };
        let args: Vec<&Expr> = args.iter().collect();
        match (name.as_str(), args.as_slice()) {
            ("format", [pattern, rest @ ..]) => Ok(Value::Text(self.format(scope, pattern, rest)?)),
            ("panic", [pattern, rest @ ..]) => {
                let said = self.format(scope, pattern, rest)?;
                self.reach(mac, 0);
                Err(Stop::Panic(said))
            }
            ("vec", items) => {
                Ok(Value::Many(items.iter().map(|item| self.expr(scope, item, None)).collect::<Eval<_>>()?))
            }
            _ => self.unknown(format!("`{name}!` is not modelled")),
        }
    }

    /// `format!` with plain places: `{}`, `{name}` and `{:0N}` of numbers.
    fn format(&mut self, scope: &mut Scope, pattern: &Expr, args: &[&Expr]) -> Eval<String> {
        let Expr::Lit(pattern) = pattern else { return self.unknown("this text is not modelled") };
        let Lit::Str(pattern) = &pattern.lit else { return self.unknown("this text is not modelled") };
        let (pattern, mut args) = (pattern.value(), args.iter());
        let (mut text, mut letters) = (String::new(), pattern.chars().peekable());
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => {
                    letters.next();
                    text.push(letter);
                }
                '{' => {
                    let place: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                    let value = if place.is_empty() {
                        let Some(arg) = args.next() else { return self.unknown("this text is not modelled") };
                        self.expr(scope, arg, None)?
                    } else {
                        let found = scope
                            .iter()
                            .rev()
                            .find(|(name, _)| *name == place)
                            .map(|(_, value)| value.clone());
                        self.known(found, "this way of formatting is not modelled")?
                    };
                    match value {
                        Value::Int(number, _) => text += &number.to_string(),
                        Value::Text(part) => text += &part,
                        Value::Char(letter) => text.push(letter),
                        Value::Bool(is) => text += &is.to_string(),
                        _ => return self.unknown("the text of this value is not modelled"),
                    }
                }
                letter => text.push(letter),
            }
        }
        if args.next().is_some() {
            return self.unknown("this text is not modelled");
        }
        Ok(text)
    }

    pub(super) fn method(&mut self, scope: &mut Scope, call: &ExprMethodCall, want: Option<Kind>) -> Eval {
        let method = call.method.to_string();
        if matches!(method.as_str(), "push" | "push_str") {
            return self.push(scope, call);
        }
        if method == "map_err" {
            return match self.expr(scope, &call.receiver, None)? {
                Value::Err(_) if call.args.iter().all(makes) => Ok(Value::Err(Value::Opaque.into())),
                value @ Value::Ok(_) => Ok(value),
                _ => self.unknown("`map_err` of this is not modelled"),
            };
        }
        let on = match &*call.receiver {
            Expr::Paren(inner) if matches!(&*inner.expr, Expr::Range(_)) => {
                Value::Many(self.walk(scope, &inner.expr)?)
            }
            receiver => self.expr(scope, receiver, None)?,
        };
        let hint = if let Value::Int(_, kind) = on { kind } else { None };
        let mut args = Vec::new();
        for arg in &call.args {
            args.push(self.expr(scope, arg, hint)?);
        }
        let to = call.turbofish.as_ref().and_then(|turbofish| match turbofish.args.first() {
            Some(syn::GenericArgument::Type(ty)) => Some(ty),
            _ => None,
        });
        if method == "collect" && to.is_some_and(|ty| !matches!(name(ty).as_str(), "String" | "Vec")) {
            return self.unknown("collecting into this is not modelled");
        }
        let result = match (&on, method.as_str()) {
            (Value::Text(text), "parse") => to.and_then(kind).map(|kind| parsed(text, kind)),
            (Value::Many(items), "sum") => {
                let kind = to.and_then(kind).or(want);
                let mut total = Value::Int(0, kind);
                for item in items {
                    let (Value::Int(one, _), Value::Int(two, known)) = (&total, item) else {
                        return self.unknown("this sum is not modelled");
                    };
                    total = self.number(one.checked_add(*two), kind.or(*known))?;
                }
                Some(total)
            }
            (Value::Many(items), "collect") if to.is_some_and(|ty| name(ty) == "String") => {
                text_of(items).map(Value::Text)
            }
            (Value::Int(number, kind), _) => self.of_number(*number, *kind, &method, &args)?,
            (Value::Text(text), _) => of_text(text, &method, &args),
            (Value::Char(letter), _) => of_char(*letter, &method, &args),
            (Value::Many(items), _) => of_many(items, &method, &args),
            _ => of_wrapped(&on, &method, &args),
        };
        self.known(result, &format!("the method `{method}` of this is not modelled"))
    }

    fn push(&mut self, scope: &mut Scope, call: &ExprMethodCall) -> Eval {
        let value = match call.args.first() {
            Some(arg) => self.expr(scope, arg, None)?,
            None => return self.unknown("this `push` is not modelled"),
        };
        let Expr::Path(path) = &*call.receiver else { return self.unknown("this `push` is not modelled") };
        let name = path.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let place = scope.iter_mut().rev().find(|(known, _)| *known == name).map(|(_, value)| value);
        match (place, value) {
            (Some(Value::Text(text)), Value::Text(more)) if text.len() < 4_000 => text.push_str(&more),
            (Some(Value::Text(text)), Value::Char(letter)) if text.len() < 4_000 => text.push(letter),
            (Some(Value::Many(items)), value) if items.len() < 500 => items.push(value),
            _ => return self.unknown("this `push` is not modelled"),
        }
        Ok(Value::Unit)
    }

    fn of_number(&self, number: i128, of: Option<Kind>, method: &str, args: &[Value]) -> Eval<Option<Value>> {
        let Some(kind) = of else { return self.unknown("a method of a number whose type is not known") };
        let fits = |result: Option<i128>| result.filter(|result| kind.holds(*result));
        let some = |result: Option<i128>| {
            fits(result).map_or(Value::None, |result| Value::Some(Value::Int(result, of).into()))
        };
        let held =
            |result: Option<i128>| result.map(|result| Value::Int(result.clamp(kind.least, kind.most), of));
        let args: Option<Vec<i128>> = args
            .iter()
            .map(|arg| if let Value::Int(number, _) = arg { Some(*number) } else { None })
            .collect();
        let Some(args) = args else { return Ok(None) };
        Ok(match (method, args.as_slice()) {
            ("abs", []) => Some(self.number(number.checked_abs(), of)?),
            ("pow", [power]) => {
                let power = u32::try_from(*power).ok().filter(|power| *power < 200);
                Some(self.number(power.and_then(|power| number.checked_pow(power)), of)?)
            }
            ("signum", []) => Some(Value::Int(number.signum(), of)),
            ("is_positive", []) => Some(Value::Bool(number > 0)),
            ("is_negative", []) => Some(Value::Bool(number < 0)),
            ("min", [other]) => Some(Value::Int(number.min(*other), of)),
            ("max", [other]) => Some(Value::Int(number.max(*other), of)),
            ("clamp", [from, to]) if from <= to => Some(Value::Int(number.clamp(*from, *to), of)),
            ("checked_add", [other]) => Some(some(number.checked_add(*other))),
            ("checked_sub", [other]) => Some(some(number.checked_sub(*other))),
            ("checked_mul", [other]) => Some(some(number.checked_mul(*other))),
            ("checked_div", [other]) => Some(some(number.checked_div(*other))),
            ("saturating_add", [other]) => held(number.checked_add(*other)),
            ("saturating_sub", [other]) => held(number.checked_sub(*other)),
            ("saturating_mul", [other]) => held(number.checked_mul(*other)),
            ("rem_euclid", [other]) if *other > 0 => Some(Value::Int(number.rem_euclid(*other), of)),
            ("div_euclid", [other]) if *other > 0 => Some(Value::Int(number.div_euclid(*other), of)),
            ("to_string", []) => Some(Value::Text(number.to_string())),
            ("clone" | "to_owned", []) => Some(Value::Int(number, of)),
            _ => None,
        })
    }
}

/// Whether a function that is handed on can only give a value: a variant, or a closure that is harmless.
fn makes(expr: &Expr) -> bool {
    match expr {
        Expr::Closure(closure) => harmless(&closure.body),
        Expr::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident.to_string().starts_with(char::is_uppercase)),
        _ => false,
    }
}

/// Whether an expression can only give a value: it neither ends the function nor panics.
fn harmless(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Reference(inner) => harmless(&inner.expr),
        Expr::Paren(inner) => harmless(&inner.expr),
        Expr::Struct(made) => made.rest.is_none() && made.fields.iter().all(|field| harmless(&field.expr)),
        Expr::Call(call) => {
            let variant = matches!(&*call.func, Expr::Path(path) if path.path.segments.last()
                .is_some_and(|segment| segment.ident.to_string().starts_with(char::is_uppercase)));
            variant && call.args.iter().all(harmless)
        }
        Expr::MethodCall(call) => {
            let plain =
                matches!(call.method.to_string().as_str(), "to_string" | "to_owned" | "into" | "clone");
            plain && call.args.is_empty() && harmless(&call.receiver)
        }
        _ => false,
    }
}

fn parsed(text: &str, kind: Kind) -> Value {
    let digits = match text.strip_prefix('-') {
        Some(digits) if kind.least < 0 => digits,
        _ => text.strip_prefix('+').unwrap_or(text),
    };
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i128>() {
        Ok(value) if number && kind.holds(value) => Value::Ok(Value::Int(value, Some(kind)).into()),
        _ => Value::Err(Value::Opaque.into()),
    }
}

pub(super) fn text_of(items: &[Value]) -> Option<String> {
    let mut text = String::new();
    for item in items {
        match item {
            Value::Char(letter) => text.push(*letter),
            Value::Text(part) => text.push_str(part),
            _ => return None,
        }
    }
    Some(text)
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Option<Value> {
    let some = |found: Option<&str>| {
        found.map_or(Value::None, |found| Value::Some(Value::Text(found.into()).into()))
    };
    let many =
        |parts: Vec<&str>| Value::Many(parts.into_iter().map(|part| Value::Text(part.into())).collect());
    let word = match args.first() {
        Some(Value::Text(word)) => Some(word.clone()),
        Some(Value::Char(letter)) => Some(letter.to_string()),
        _ => None,
    };
    Some(match (method, word.as_deref(), args.len()) {
        ("to_string" | "to_owned" | "as_str" | "clone" | "as_ref", _, 0) => Value::Text(text.into()),
        ("len", _, 0) => Value::Int(text.len() as i128, Kind::of("usize")),
        ("is_empty", _, 0) => Value::Bool(text.is_empty()),
        ("trim", _, 0) if text.is_ascii() => Value::Text(text.trim().into()),
        ("to_uppercase", _, 0) if text.is_ascii() => Value::Text(text.to_ascii_uppercase()),
        ("to_lowercase", _, 0) if text.is_ascii() => Value::Text(text.to_ascii_lowercase()),
        ("to_ascii_uppercase", _, 0) => Value::Text(text.to_ascii_uppercase()),
        ("to_ascii_lowercase", _, 0) => Value::Text(text.to_ascii_lowercase()),
        ("chars", _, 0) => Value::Many(text.chars().map(Value::Char).collect()),
        ("split_whitespace", _, 0) if text.is_ascii() => many(text.split_whitespace().collect()),
        ("starts_with", Some(word), 1) => Value::Bool(text.starts_with(word)),
        ("ends_with", Some(word), 1) => Value::Bool(text.ends_with(word)),
        ("contains", Some(word), 1) => Value::Bool(text.contains(word)),
        ("eq_ignore_ascii_case", Some(word), 1) => Value::Bool(text.eq_ignore_ascii_case(word)),
        ("split", Some(by), 1) if !by.is_empty() => many(text.split(by).collect()),
        ("strip_prefix", Some(word), 1) => some(text.strip_prefix(word)),
        ("strip_suffix", Some(word), 1) => some(text.strip_suffix(word)),
        ("replace", Some(from), 2) if !from.is_empty() => match &args[1] {
            Value::Text(to) if text.len() < 1_000 && to.len() < 1_000 => Value::Text(text.replace(from, to)),
            _ => return None,
        },
        ("repeat", None, 1) => match args[0] {
            Value::Int(count @ 0..=100, _) if text.len() < 100 => {
                Value::Text(text.repeat(usize::try_from(count).ok()?))
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn of_char(letter: char, method: &str, args: &[Value]) -> Option<Value> {
    let ascii = letter.is_ascii();
    Some(match (method, args) {
        ("is_ascii_digit", []) => Value::Bool(letter.is_ascii_digit()),
        ("is_ascii_alphabetic", []) => Value::Bool(letter.is_ascii_alphabetic()),
        ("is_ascii_alphanumeric", []) => Value::Bool(letter.is_ascii_alphanumeric()),
        ("is_ascii_uppercase", []) => Value::Bool(letter.is_ascii_uppercase()),
        ("is_ascii_lowercase", []) => Value::Bool(letter.is_ascii_lowercase()),
        ("is_alphabetic", []) if ascii => Value::Bool(letter.is_ascii_alphabetic()),
        ("is_alphanumeric", []) if ascii => Value::Bool(letter.is_ascii_alphanumeric()),
        ("is_numeric", []) if ascii => Value::Bool(letter.is_ascii_digit()),
        ("is_whitespace", []) if ascii => Value::Bool(letter.is_whitespace()),
        ("to_ascii_uppercase", []) => Value::Char(letter.to_ascii_uppercase()),
        ("to_ascii_lowercase", []) => Value::Char(letter.to_ascii_lowercase()),
        ("to_string", []) => Value::Text(letter.to_string()),
        _ => return None,
    })
}

fn of_many(items: &[Value], method: &str, args: &[Value]) -> Option<Value> {
    let size = Kind::of("usize");
    let some = |item: Option<&Value>| item.map_or(Value::None, |item| Value::Some(item.clone().into()));
    Some(match (method, args) {
        ("iter" | "into_iter" | "copied" | "cloned" | "to_vec" | "clone" | "as_slice" | "collect", []) => {
            Value::Many(items.to_vec())
        }
        ("len" | "count", []) => Value::Int(items.len() as i128, size),
        ("is_empty", []) => Value::Bool(items.is_empty()),
        ("rev", []) => Value::Many(items.iter().rev().cloned().collect()),
        ("first", []) => some(items.first()),
        ("last", []) => some(items.last()),
        ("contains", [item]) => {
            let mut found = false;
            for other in items {
                found = found || other.equals(item)?;
            }
            Value::Bool(found)
        }
        ("join", [Value::Text(by)]) => {
            let parts: Option<Vec<&str>> = items
                .iter()
                .map(|item| if let Value::Text(part) = item { Some(part.as_str()) } else { None })
                .collect();
            Value::Text(parts?.join(by))
        }
        ("take", [Value::Int(count, _)]) => {
            Value::Many(items.iter().take(usize::try_from(*count).ok()?).cloned().collect())
        }
        _ => return None,
    })
}

fn of_wrapped(on: &Value, method: &str, args: &[Value]) -> Option<Value> {
    Some(match (method, on, args) {
        ("is_some", Value::Some(_), []) | ("is_none", Value::None, []) => Value::Bool(true),
        ("is_some", Value::None, []) | ("is_none", Value::Some(_), []) => Value::Bool(false),
        ("is_ok", Value::Ok(_), []) | ("is_err", Value::Err(_), []) => Value::Bool(true),
        ("is_ok", Value::Err(_), []) | ("is_err", Value::Ok(_), []) => Value::Bool(false),
        ("unwrap_or", Value::Some(value) | Value::Ok(value), [_]) => (**value).clone(),
        ("unwrap_or", Value::None | Value::Err(_), [other]) => other.clone(),
        ("unwrap" | "expect", Value::Some(value) | Value::Ok(value), _) => (**value).clone(),
        ("ok_or", Value::Some(value), [_]) => Value::Ok(value.clone()),
        ("ok_or", Value::None, [error]) => Value::Err(error.clone().into()),
        ("ok", Value::Ok(value), []) => Value::Some(value.clone()),
        ("ok", Value::Err(_), []) => Value::None,
        (
            "copied" | "cloned" | "as_deref" | "as_ref" | "clone",
            value @ (Value::Some(_) | Value::None),
            [],
        ) => value.clone(),
        ("clone", value, []) if !matches!(value, Value::Variant(..)) => value.clone(),
        _ => return None,
    })
}
