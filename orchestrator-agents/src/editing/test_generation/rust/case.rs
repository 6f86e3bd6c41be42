//! Runs of a function that are kept, as tests.

use std::collections::{BTreeMap, BTreeSet};

use syn::{FnArg, ItemFn, ReturnType, Type};

use super::eval::{Items, Run, Stop, arguments, bare, kind, name};
use super::inputs::{Pool, inputs};
use super::value::Value;

const MOST_RUNS: usize = 400;
const MOST_CASES: usize = 12;

/// A test.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    /// The text that it panics with, as a literal.
    pub(super) panics: Option<String>,
    pub(super) line: String,
}

/// The tests of a function, what they import besides it, and why there may be none: the line and the reason.
#[derive(Default)]
pub(super) struct Cases {
    pub(super) kept: Vec<Case>,
    pub(super) enums: BTreeSet<String>,
    pub(super) unknown: BTreeMap<u32, String>,
}

/// The tests of a function.
pub(super) fn cases(function: &ItemFn, items: &Items<'_>) -> Cases {
    let mut all = Cases::default();
    let types: Vec<&Type> = function
        .sig
        .inputs
        .iter()
        .filter_map(|input| if let FnArg::Typed(input) = input { Some(&*input.ty) } else { None })
        .collect();
    let line = function.sig.ident.span().start().line as u32;
    if !super::followed(function) {
        let name = &function.sig.ident;
        let why = format!("`{name}` is async, unsafe, generic, long, or changed by an attribute");
        all.unknown.insert(line, why);
        return all;
    }
    let pool = Pool::of(function, items);
    let values: Vec<Vec<Value>> =
        types.iter().enumerate().map(|(at, ty)| inputs(ty, &pool, at, items)).collect();
    if let Some(at) = values.iter().position(Vec::is_empty) {
        all.unknown.insert(line, format!("nothing is known that its parameter {} could be", at + 1));
        return all;
    }
    let mut reached = BTreeSet::new();
    let mut ends = Vec::new();
    for choice in choices(&values) {
        let args: Vec<Value> = choice.iter().zip(&values).map(|(at, values)| values[*at].clone()).collect();
        let mut run = Run::new(items);
        let end = match run.call(function, args.clone()) {
            Err(Stop::Unknown { why, line: at }) => {
                all.unknown.entry(if at == 0 { line } else { at }).or_insert(why);
                continue;
            }
            end => end,
        };
        let told = format!("{end:?}");
        let fresh = run.reached.iter().any(|place| !reached.contains(place))
            || (ends.len() < 3 && !ends.contains(&told));
        if !fresh || all.kept.len() >= MOST_CASES {
            continue;
        }
        match case(function, &types, &args, &end, &mut all.enums) {
            Some(case) => {
                reached.extend(run.reached);
                ends.push(told);
                all.kept.push(case);
            }
            None => {
                all.unknown.entry(line).or_insert("what it gives cannot be compared in a test".into());
            }
        }
    }
    all
}

/// Which inputs are tried: the plainest, then one that differs, then two.
fn choices(values: &[Vec<Value>]) -> Vec<Vec<usize>> {
    let base = vec![0; values.len()];
    let mut all = vec![base.clone()];
    for (at, values) in values.iter().enumerate() {
        all.extend((1..values.len()).map(|value| {
            let mut choice = base.clone();
            choice[at] = value;
            choice
        }));
    }
    for one in 0..values.len() {
        for two in one + 1..values.len() {
            for first in 1..values[one].len() {
                for second in 1..values[two].len() {
                    let mut choice = base.clone();
                    (choice[one], choice[two]) = (first, second);
                    all.push(choice);
                    if all.len() > MOST_RUNS {
                        return all;
                    }
                }
            }
        }
    }
    all
}

fn case(
    function: &ItemFn,
    types: &[&Type],
    args: &[Value],
    end: &Result<Value, Stop>,
    enums: &mut BTreeSet<String>,
) -> Option<Case> {
    let ident = function.sig.ident.to_string();
    let shown: Option<Vec<String>> = args.iter().zip(types).map(|(value, ty)| given(value, ty)).collect();
    let call = format!("{ident}({})", shown?.join(", "));
    let (line, panics) = match end {
        Ok(value) => {
            let ReturnType::Type(_, ty) = &function.sig.output else { return None };
            (asserted(&call, value, ty)?, None)
        }
        Err(Stop::Panic(said)) => {
            let ends = if matches!(function.sig.output, ReturnType::Default) { ";" } else { "" };
            let line = if ends.is_empty() { format!("let _ = {call};") } else { format!("{call};") };
            (line, Some(format!("{said:?}")))
        }
        Err(_) => return None,
    };
    args.iter().chain(end.as_ref().ok()).for_each(|value| uses(value, enums));
    let slugs: Vec<String> = args.iter().map(slug).collect();
    let slugs = if slugs.is_empty() { "gives".to_owned() } else { format!("of_{}", slugs.join("_and_")) };
    let name: String = format!("{}_{slugs}", ident.trim_start_matches("r#")).chars().take(100).collect();
    Some(Case { name: name.trim_end_matches('_').to_owned(), panics, line })
}

fn uses(value: &Value, enums: &mut BTreeSet<String>) {
    match value {
        Value::Variant(of, _) => drop(enums.insert(of.clone())),
        Value::Some(inner) | Value::Ok(inner) | Value::Err(inner) => uses(inner, enums),
        Value::Many(items) | Value::Tuple(items) => items.iter().for_each(|item| uses(item, enums)),
        _ => {}
    }
}

/// A value as an argument of a type.
fn given(value: &Value, ty: &Type) -> Option<String> {
    let text = typed(value, ty)?;
    let refers =
        matches!(ty, Type::Reference(_)) && !matches!((name(ty).as_str(), value), ("str", Value::Text(_)));
    Some(if refers { format!("&{text}") } else { text })
}

/// A value as an expression of a type.
fn typed(value: &Value, ty: &Type) -> Option<String> {
    let inner = arguments(ty);
    let list = |items: &[Value]| -> Option<String> {
        Some(items.iter().map(|item| given(item, inner.first()?)).collect::<Option<Vec<_>>>()?.join(", "))
    };
    Some(match (value, name(ty).as_str()) {
        (Value::Unit, _) => "()".into(),
        (Value::Bool(is), "bool") => is.to_string(),
        (Value::Int(number, _), _) if kind(ty).is_some() => number.to_string(),
        (Value::Char(letter), "char") => format!("{letter:?}"),
        (Value::Text(text), "str") => format!("{text:?}"),
        (Value::Text(text), "String") => format!("{text:?}.to_owned()"),
        (Value::None, "Option") => "None".into(),
        (Value::Some(value), "Option") => format!("Some({})", given(value, inner.first()?)?),
        (Value::Ok(value), "Result") => format!("Ok({})", given(value, inner.first()?)?),
        (Value::Err(value), "Result") => format!("Err({})", given(value, inner.get(1)?)?),
        (Value::Many(items), "Vec") => format!("vec![{}]", list(items)?),
        (Value::Many(items), "[]") => format!("[{}]", list(items)?),
        (Value::Variant(of, variant), known) if of == known => format!("{of}::{variant}"),
        (Value::Tuple(items), _) => {
            let Type::Tuple(tuple) = bare(ty) else { return None };
            let shown = items
                .iter()
                .zip(&tuple.elems)
                .map(|(item, ty)| given(item, ty))
                .collect::<Option<Vec<_>>>()?;
            if shown.len() == 1 { format!("({},)", shown[0]) } else { format!("({})", shown.join(", ")) }
        }
        _ => return None,
    })
}

/// Whether values of a type can be compared and shown, whoever defined it.
fn comparable(ty: &Type) -> bool {
    let known =
        matches!(name(ty).as_str(), "bool" | "char" | "str" | "String" | "Option" | "Result" | "Vec" | "[]");
    let tuple = matches!(bare(ty), Type::Tuple(tuple) if tuple.elems.iter().all(comparable));
    let whole = name(ty) != "Result" || arguments(ty).len() == 2;
    tuple || whole && (known || kind(ty).is_some()) && arguments(ty).into_iter().all(comparable)
}

/// What is asserted of a call.
fn asserted(call: &str, value: &Value, ty: &Type) -> Option<String> {
    let inner = arguments(ty);
    Some(match value {
        Value::Unit => return None,
        Value::Bool(true) => format!("assert!({call});"),
        Value::Bool(false) => format!("assert!(!{call});"),
        Value::Err(inside) if inside.is_opaque() => format!("assert!({call}.is_err());"),
        Value::Ok(inside) if inside.is_opaque() => format!("assert!({call}.is_ok());"),
        Value::Some(inside) if inside.is_opaque() => format!("assert!({call}.is_some());"),
        value if value.is_opaque() => return None,
        Value::Ok(inside) if inner.len() == 2 && **inside == Value::Unit => {
            format!("assert!({call}.is_ok());")
        }
        Value::Text(text) if matches!(name(ty).as_str(), "str" | "String") => {
            format!("assert_eq!({call}, {text:?});")
        }
        value if comparable(ty) => format!("assert_eq!({call}, {});", given(value, ty)?),
        Value::Ok(inside) if inner.first().is_some_and(|ty| comparable(ty)) => {
            format!("assert_eq!({call}.ok(), Some({}));", given(inside, inner[0])?)
        }
        value => format!("assert!(matches!({call}, {}));", pattern(value)?),
    })
}

/// A value as a pattern, where no text is in it.
fn pattern(value: &Value) -> Option<String> {
    Some(match value {
        Value::Bool(is) => is.to_string(),
        Value::Int(number, _) => number.to_string(),
        Value::Char(letter) => format!("{letter:?}"),
        Value::None => "None".into(),
        Value::Variant(of, variant) => format!("{of}::{variant}"),
        Value::Some(inner) => format!("Some({})", pattern(inner)?),
        Value::Ok(inner) => format!("Ok({})", pattern(inner)?),
        Value::Err(inner) => format!("Err({})", pattern(inner)?),
        _ => return None,
    })
}

fn slug(value: &Value) -> String {
    match value {
        Value::Int(number, Some(kind)) if *number == kind.most => "most".into(),
        Value::Int(number, Some(kind)) if *number == kind.least && *number != 0 => "least".into(),
        Value::Int(number, _) => number.to_string().replace('-', "minus_"),
        Value::Bool(is) => is.to_string(),
        Value::Char(letter) if letter.is_ascii_uppercase() => {
            format!("capital_{}", letter.to_ascii_lowercase())
        }
        Value::Char(letter) if letter.is_ascii_alphanumeric() => letter.to_string(),
        Value::Char(_) => "sign".into(),
        Value::Text(text) => word(text),
        Value::None => "none".into(),
        Value::Some(inner) => format!("some_{}", slug(inner)),
        Value::Variant(_, name) => word(name),
        Value::Many(items) => format!("{}_items", items.len()),
        _ => "it".into(),
    }
}

fn word(text: &str) -> String {
    let letters = text.chars().take(20);
    let word: String = letters
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .collect();
    let parts: Vec<&str> = word.split('_').filter(|part| !part.is_empty()).collect();
    match (text.is_empty(), parts.is_empty()) {
        (true, _) => "empty".into(),
        (_, true) => "signs".into(),
        _ => parts.join("_"),
    }
}
