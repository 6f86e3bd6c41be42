//! What other files of the project say that a module imports from: types, and constants that are written out. Their code is
//! not followed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use oxc_allocator::Allocator;
use oxc_ast::ast::Expression;

use super::module::{Module, Type};
use super::parse;

/// How many imports lie between a module and the files that are read.
const DEPTH: usize = 2;
/// The most files.
const FILES: usize = 20;
/// The most bytes of them together.
const BYTES: usize = 1 << 20;

/// Adds what the files say to the module. What it declares itself goes before; a type that two files declare in their own
/// ways is not known.
pub(super) fn add<'a>(module: &mut Module<'a>, path: &RelPath, look: &Workspace, allocator: &'a Allocator) {
    let mut found: BTreeMap<&'a str, Option<Type<'a>>> = BTreeMap::new();
    let (mut seen, mut bytes) = (BTreeSet::from([path.clone()]), 0);
    let mut queue: VecDeque<(RelPath, usize)> = imported(module, path, look).map(|path| (path, 1)).collect();
    while let Some((own, depth)) = queue.pop_front() {
        if seen.len() > FILES || !seen.insert(own.clone()) {
            continue;
        }
        let Ok(Some(text)) = look.read_text(&own) else { continue };
        bytes += text.len();
        if bytes > BYTES {
            break;
        }
        let text: &'a str = allocator.alloc_str(&text);
        // A file that cannot be read says nothing here; its own tests will say why.
        let Ok(program) = parse::parse(allocator, &own, text) else { continue };
        let other = Module::of(allocator.alloc(program), text);
        for (name, ty) in &other.types {
            found.entry(name).and_modify(|there| *there = None).or_insert(Some(*ty));
        }
        if depth < DEPTH {
            queue.extend(imported(&other, &own, look).map(|path| (path, depth + 1)));
        }
        if depth == 1 {
            constants(module, path, &own, &other, look);
        }
    }
    for (name, ty) in found {
        if let Some(ty) = ty {
            module.types.entry(name).or_insert(ty);
        }
    }
}

/// Constants that the module imports from another one, where they are written out.
fn constants<'a>(
    module: &mut Module<'a>,
    path: &RelPath,
    own: &RelPath,
    other: &Module<'a>,
    look: &Workspace,
) {
    for (local, (from, name)) in &module.imports {
        let exported = other.exports.iter().any(|it| !it.default && it.name == Some(name.as_str()));
        let Some(init) = other.constants.get(name.as_str()).and_then(|one| one.init.as_ref()) else {
            continue;
        };
        let written = matches!(
            init.get_inner_expression(),
            Expression::StringLiteral(_) | Expression::NumericLiteral(_) | Expression::BooleanLiteral(_)
        );
        if exported && written && resolved(path, from, look).as_ref() == Some(own) {
            module.imported.insert(*local, init);
        }
    }
}

/// The files of the project that a module imports from.
fn imported(module: &Module<'_>, path: &RelPath, look: &Workspace) -> impl Iterator<Item = RelPath> {
    let names: BTreeSet<&str> = module.imports.values().map(|(from, _)| *from).collect();
    let files: Vec<RelPath> =
        names.into_iter().take(FILES).filter_map(|name| resolved(path, name, look)).collect();
    files.into_iter()
}

/// The file that a relative import names; none where it is none of the project.
fn resolved(path: &RelPath, name: &str, look: &Workspace) -> Option<RelPath> {
    if !name.starts_with('.') {
        return None;
    }
    let mut parts: Vec<&str> = path.as_str().split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let whole = parts.join("/");
    let stem = whole.strip_suffix(".js").or_else(|| whole.strip_suffix(".ts")).unwrap_or(&whole);
    [".ts", "/index.ts", ".js"].iter().find_map(|ending| {
        let path = RelPath::new(format!("{stem}{ending}")).ok()?;
        matches!(look.read_text(&path), Ok(Some(_))).then_some(path)
    })
}
