//! Inputs of functions: values on both sides of what the code compares with, and the edges of each type.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ItemFn, Lit, Type};

use super::eval::{Items, arguments, bare, kind, name};
use super::value::Value;

const MOST: usize = 14;

/// The literals of a function and of the constants that it names.
#[derive(Default)]
pub(super) struct Pool {
    numbers: BTreeSet<i128>,
    texts: BTreeSet<String>,
    letters: BTreeSet<char>,
}

impl Pool {
    pub(super) fn of(function: &ItemFn, items: &Items<'_>) -> Self {
        let mut pool = Self::default();
        let mut seen = BTreeSet::new();
        pool.take(function.block.to_token_stream(), items, &mut seen);
        pool
    }

    fn take(&mut self, tokens: TokenStream, items: &Items<'_>, seen: &mut BTreeSet<String>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.take(group.stream(), items, seen),
                TokenTree::Literal(literal) => match Lit::new(literal) {
                    Lit::Int(lit) => self.numbers.extend(lit.base10_parse::<u64>().map(i128::from).ok()),
                    Lit::Str(lit) if lit.value().len() < 60 => drop(self.texts.insert(lit.value())),
                    Lit::Char(lit) => drop(self.letters.insert(lit.value())),
                    _ => {}
                },
                TokenTree::Ident(ident) => {
                    let ident = ident.to_string();
                    let constant = items.consts.get(&ident).map(|item| item.expr.to_token_stream());
                    let function = items.functions.get(&ident).map(|item| item.block.to_token_stream());
                    if let Some(tokens) = constant.or(function)
                        && seen.len() < 20
                        && seen.insert(ident)
                    {
                        self.take(tokens, items, seen);
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
}

/// Inputs of a type, the plainest first; none where the type is not modelled.
pub(super) fn inputs(ty: &Type, pool: &Pool, index: usize, items: &Items<'_>) -> Vec<Value> {
    nested(ty, pool, index, items, 0)
}

/// Types in each other that inputs are made for.
const DEEPEST: usize = 3;

fn nested(ty: &Type, pool: &Pool, index: usize, items: &Items<'_>, depth: usize) -> Vec<Value> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let mut all = Vec::new();
    if let Some(kind) = kind(ty) {
        let number = |number: i128| Value::Int(number, Some(kind));
        all.push(number([7, 3, 12, 5][index % 4]));
        all.extend(pool.numbers.iter().flat_map(|one| [*one, one - 1, one + 1, -one]).map(number));
        all.extend([0, -1].map(number));
        all.retain(|value| matches!(value, Value::Int(number, _) if kind.holds(*number)));
        all.truncate(MOST * 2);
        all.extend([number(kind.most), number(kind.least)]);
    }
    let inner = arguments(ty);
    match (name(ty).as_str(), bare(ty)) {
        ("bool", _) => all.extend([true, false].map(Value::Bool)),
        ("str" | "String", _) => {
            let text = |text: &str| Value::Text(text.to_owned());
            all.extend([["abc", "xyz", "lmn"][index % 3], " Two Words ", ""].map(text));
            all.extend(pool.texts.iter().take(8).map(|one| text(one)));
            all.extend(["42", "-7"].map(text));
            all.extend(
                pool.texts.iter().filter(|one| !one.is_empty()).take(3).map(|one| text(&format!("{one}abc"))),
            );
            let lengths = pool
                .numbers
                .iter()
                .flat_map(|one| [*one, one - 1, one + 1])
                .filter(|one| (0..=100).contains(one));
            all.extend(lengths.take(9).map(|length| text(&"a".repeat(usize::try_from(length).unwrap_or(0)))));
        }
        ("char", _) => {
            all.extend(['a', 'Z', '7', ' '].map(Value::Char));
            all.extend(pool.letters.iter().copied().map(Value::Char));
        }
        ("Option", _) if inner.len() == 1 => {
            let values = nested(inner[0], pool, index, items, depth + 1);
            all.extend(values.into_iter().map(|value| Value::Some(value.into())));
            all.insert(all.len().min(1), Value::None);
        }
        ("Vec" | "[]", _) if inner.len() == 1 => {
            let values = nested(inner[0], pool, index, items, depth + 1);
            all.extend([Value::Many(values.iter().take(3).cloned().collect()), Value::Many(Vec::new())]);
            all.extend(values.into_iter().take(6).map(|value| Value::Many(vec![value])));
        }
        (of, _) => {
            if let Some(item) = items.enums.get(of)
                && matches!(item.vis, syn::Visibility::Public(_))
            {
                let plain = item.variants.iter().filter(|one| one.fields.is_empty());
                all.extend(plain.map(|one| Value::Variant(of.to_owned(), one.ident.to_string())));
            }
        }
    }
    let mut distinct: Vec<Value> = Vec::new();
    for value in all {
        if !distinct.contains(&value) && distinct.len() < MOST * 2 {
            distinct.push(value);
        }
    }
    distinct
}
