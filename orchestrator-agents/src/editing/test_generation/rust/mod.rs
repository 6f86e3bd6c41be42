//! Tests for Rust: what public functions of a library give is worked out from their text, and an integration test
//! asserts it. Only what is certain is asserted; the rest is named for a person.

mod case;
mod eval;
mod inputs;
mod methods;
mod operators;
mod place;
mod report;
#[cfg(test)]
pub(super) mod tests;
mod value;

use std::collections::BTreeSet;
use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use serde::Serialize;
use syn::{Attribute, Item, Visibility};

use super::config::Template;
use super::language::{Generated, Language, NeedsPerson, Printed, Ran, Runner, Source};
use super::template;
use case::{Case, cases};
use eval::Items;
use place::Place;

/// The template of this crate.
const TEMPLATE: &str = include_str!("../templates/rust.rs.j2");

/// The largest source that is read, bytes.
const LARGEST: usize = 1 << 20;
/// Public functions of one file that are followed.
const MOST_FUNCTIONS: usize = 200;
/// Brackets in each other, and operators in a row.
const DEEPEST: usize = 50;
const LONGEST: usize = 200;

/// Tokens of one function that is followed.
const LONGEST_BODY: usize = 1_500;

/// Trees are walked by recursion; within the bounds of `too_deep` this stack is enough.
const STACK: usize = 64 << 20;

/// Rust.
pub(super) struct Rust;

impl Language for Rust {
    fn read_and_write(source: &Source<'_>) -> Result<Generated, BoxError> {
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            let made = builder.spawn_scoped(scope, || generate(source))?;
            made.join().map_err(|_| format!("reading `{}` failed in a way that is a bug", source.path))?
        })
    }

    fn test_file(path: &RelPath, look: &Workspace) -> RelPath {
        place::test_file(path, look)
    }

    fn runner(test_file: &RelPath, look: &Workspace) -> Option<Runner> {
        let root = place::root(test_file, look)?;
        look.tool_version("cargo")?;
        let name = test_file.as_str().rsplit('/').next()?.strip_suffix(".rs")?;
        let argv = ["cargo", "test", "--test", name].map(str::to_owned).to_vec();
        Some(Runner { tool: "cargo", argv, cwd: root })
    }

    fn missing(test_file: &RelPath, look: &Workspace) -> String {
        match place::root(test_file, look) {
            Some(_) => format!("cargo is not installed; install it and run `{test_file}`"),
            None => format!("`{test_file}` is in no crate; name a file in the `tests` of one"),
        }
    }

    fn ran(_tool: &str, printed: &Printed<'_>) -> Ran {
        report::read(printed)
    }

    fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
        report::find(path, text, cases)
    }

    const COMMENT: &'static str = "//";
    const TEMPLATES: &'static [Template] = &[Template::Rust];
}

/// The tests of a source. An error where the source cannot be read, or not be reached from outside.
fn generate(source: &Source<'_>) -> Result<Generated, BoxError> {
    if !source.templates.contains(&Template::Rust) {
        return Err(format!("`{}` is Rust, and `templates` does not name `rust`", source.path).into());
    }
    let tree = parse(source.path, source.text)?;
    let place = Place::of(source.path, source.look)?;
    let items = items(&tree);
    let (mut all, mut person, mut imports) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut taken: BTreeSet<String> = tree.items.iter().filter_map(function_name).collect();
    let mut functions = 0;
    for item in &tree.items {
        if let Item::Impl(block) = item {
            person.extend(methods(block));
        }
        let Item::Fn(function) = item else { continue };
        if !matches!(function.vis, Visibility::Public(_)) {
            continue;
        }
        let name = function.sig.ident.to_string();
        let line = function.sig.ident.span().start().line as u32;
        functions += 1;
        if functions > MOST_FUNCTIONS {
            let why = format!("the file has more than {MOST_FUNCTIONS} public functions: split it");
            person.push(NeedsPerson { what: name, line, why });
            break;
        }
        let found = cases(function, &items);
        if found.kept.is_empty() {
            let (line, why) =
                found.unknown.into_iter().next().unwrap_or((line, "it gives nothing to compare".into()));
            person.push(NeedsPerson { what: name.clone(), line, why });
        }
        for mut case in found.kept {
            case.name = distinct(&case.name, &mut taken);
            imports.insert(name.clone());
            imports.extend(found.enums.iter().cloned());
            all.push(case);
        }
    }
    let names: Vec<String> = all.iter().map(|case: &Case| case.name.clone()).collect();
    let text = if all.is_empty() { String::new() } else { render(source, &place.module, &imports, &all)? };
    person.sort_by_key(|person| person.line);
    Ok(Generated { text, cases: names, person })
}

/// Reads a source; an error names line and column.
fn parse(path: &RelPath, text: &str) -> Result<syn::File, BoxError> {
    if text.len() > LARGEST {
        let size = text.len();
        return Err(format!("`{path}` has {size} bytes; no more than {LARGEST} are read: split it").into());
    }
    let wrong = |span: proc_macro2::Span, said: String| -> BoxError {
        let at = span.start();
        format!(
            "`{path}` is not valid Rust at line {}, column {}: {said}; mend it first",
            at.line,
            at.column + 1
        )
        .into()
    };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tokens: TokenStream =
        body.parse().map_err(|error: proc_macro2::LexError| wrong(error.span(), error.to_string()))?;
    if let Some(line) = too_deep(tokens.clone(), DEEPEST) {
        return Err(format!("`{path}` nests too deep at line {line}: split that expression").into());
    }
    syn::parse2(tokens).map_err(|error| wrong(error.span(), error.to_string()))
}

/// Where brackets or operators nest too deep: trees are walked by recursion.
fn too_deep(tokens: TokenStream, left: usize) -> Option<usize> {
    let (mut chain, mut others, mut attribute) = (0, 0, false);
    for token in tokens {
        let line = token.span().start().line;
        match token {
            // Attributes, doc comments too, stand in a row.
            TokenTree::Punct(punct) if punct.as_char() == '#' => attribute = true,
            TokenTree::Punct(punct) if attribute && punct.as_char() == '!' => {}
            TokenTree::Group(group) if attribute && group.delimiter() == Delimiter::Bracket => {
                attribute = false;
                if left == 0 {
                    return Some(line);
                }
                if let Some(line) = too_deep(group.stream(), left - 1) {
                    return Some(line);
                }
            }
            TokenTree::Group(group) => {
                if left == 0 {
                    return Some(line);
                }
                if let Some(line) = too_deep(group.stream(), left - 1) {
                    return Some(line);
                }
                chain = if group.delimiter() == Delimiter::Brace { 0 } else { chain + 1 };
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => (chain, others) = (0, 0),
                ',' => chain = 0,
                _ => chain += 1,
            },
            TokenTree::Ident(ident) => match ident.to_string().as_str() {
                "else" => others += 1,
                "fn" | "impl" => (chain, others) = (0, 0),
                "return" | "break" | "move" | "let" | "async" | "unsafe" | "await" | "dyn" | "mut" | "as" => {
                    chain += 1;
                }
                _ => {}
            },
            TokenTree::Literal(_) => {}
        }
        if chain > LONGEST || others > LONGEST {
            return Some(line);
        }
    }
    None
}

/// Whether attributes change nothing about what an item does.
fn plain(attrs: &[Attribute]) -> bool {
    const PLAIN: [&str; 8] = ["doc", "inline", "must_use", "allow", "expect", "warn", "deny", "derive"];
    attrs.iter().all(|attr| PLAIN.iter().any(|name| attr.path().is_ident(name)))
}

/// The items that are certain: those that are there once, whatever is built.
fn items(tree: &syn::File) -> Items<'_> {
    let mut items = Items::default();
    let mut twice = BTreeSet::new();
    for item in &tree.items {
        let known = match item {
            Item::Fn(item) if followed(item) => items
                .functions
                .insert(item.sig.ident.to_string(), item)
                .map(|item| item.sig.ident.to_string()),
            Item::Const(item) if plain(&item.attrs) => {
                items.consts.insert(item.ident.to_string(), item).map(|item| item.ident.to_string())
            }
            Item::Enum(item) if is_certain(item) => {
                items.enums.insert(item.ident.to_string(), item).map(|item| item.ident.to_string())
            }
            _ => None,
        };
        twice.extend(known);
    }
    for name in twice {
        items.functions.remove(&name);
        items.consts.remove(&name);
        items.enums.remove(&name);
    }
    // Macros and traits of the file may mean anything by names that are known here.
    if tree.items.iter().any(|item| matches!(item, Item::Macro(_) | Item::Trait(_))) {
        return Items { macros: true, ..Items::default() };
    }
    items
}

fn function_name(item: &Item) -> Option<String> {
    if let Item::Fn(item) = item { Some(item.sig.ident.to_string()) } else { None }
}

/// Whether what a function does is known by its text alone, and it may be called from anywhere.
fn followed(function: &syn::ItemFn) -> bool {
    let sig = &function.sig;
    let bare = sig.asyncness.is_none() && matches!(sig.safety, syn::Safety::Default) && sig.abi.is_none();
    let mut left = LONGEST_BODY;
    let mut tokens = sig.to_token_stream();
    function.block.to_tokens(&mut tokens);
    bare && plain(&function.attrs) && sig.generics.params.is_empty() && unchanged(tokens, &mut left)
}

/// Whether tokens are few and no attribute is among them.
fn unchanged(tokens: TokenStream, left: &mut usize) -> bool {
    tokens.into_iter().all(|token| {
        let more = left.checked_sub(1);
        *left = more.unwrap_or(0);
        more.is_some()
            && match token {
                TokenTree::Punct(punct) => punct.as_char() != '#',
                TokenTree::Group(group) => unchanged(group.stream(), left),
                _ => true,
            }
    })
}

/// Whether an enum is public and has the same variants whatever is built.
fn is_certain(item: &syn::ItemEnum) -> bool {
    let always =
        |one: &syn::Variant| plain(&one.attrs) || one.attrs.iter().all(|it| it.path().is_ident("default"));
    matches!(item.vis, Visibility::Public(_)) && plain(&item.attrs) && item.variants.iter().all(always)
}

/// Public methods: instances are not modelled.
fn methods(block: &syn::ItemImpl) -> Vec<NeedsPerson> {
    let of = eval::name(&block.self_ty);
    let public = block.items.iter().filter_map(|item| match item {
        syn::ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) => Some(&method.sig.ident),
        _ => None,
    });
    public
        .map(|ident| NeedsPerson {
            what: format!("{of}::{ident}"),
            line: ident.span().start().line as u32,
            why: "methods are not modelled, only functions".into(),
        })
        .collect()
}

fn distinct(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut distinct = name.to_owned();
    let mut next = 2;
    while !taken.insert(distinct.clone()) {
        distinct = format!("{name}_{next}");
        next += 1;
    }
    distinct
}

/// What the template gets: `imports` is what follows `use`.
#[derive(Debug, Serialize)]
struct Values<'a> {
    module: &'a str,
    imports: &'a str,
    cases: &'a [Case],
}

fn render(
    source: &Source<'_>,
    module: &str,
    imports: &BTreeSet<String>,
    cases: &[Case],
) -> Result<String, BoxError> {
    let names: Vec<&str> = imports.iter().map(String::as_str).collect();
    let imports = match names.as_slice() {
        [one] => format!("{module}::{one}"),
        many => format!("{module}::{{{}}}", many.join(", ")),
    };
    template::render(source, "rust.rs.j2", TEMPLATE, Values { module, imports: &imports, cases })
}
