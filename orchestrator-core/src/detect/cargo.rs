//! Rust with Cargo.

use toml::{Table, Value};

use super::{Find, Members, Place, brought, word};
use crate::project::Stack;

const CONFIGURED: &[(&str, &str)] = &[
    ("clippy", "clippy.toml .clippy.toml"),
    ("deny", "deny.toml"),
    ("nextest", ".config/nextest.toml"),
    ("rustfmt", "rustfmt.toml .rustfmt.toml"),
];
const BROUGHT: &[(&str, &str)] =
    &[("criterion", "criterion codspeed-criterion-compat"), ("insta", "insta"), ("proptest", "proptest")];

pub(super) fn look(place: &Place) -> Option<Find> {
    if !place.has("Cargo.toml") {
        return None;
    }
    let mut find = place.find(Stack::Cargo, "Cargo.toml")?;
    let Some(manifest) = place.toml("Cargo.toml") else { return Some(find) };
    let text = |table: &str, key: &str| {
        let table = table.split('.').try_fold(&manifest, |table, part| table.get(part)?.as_table())?;
        table.get(key)?.as_str().and_then(word)
    };
    find.found.name = text("package", "name");
    find.found.version = text("package", "version").or_else(|| text("workspace.package", "version"));
    let rust = text("package", "rust-version").or_else(|| text("workspace.package", "rust-version"));
    find.found.requires.extend(rust.map(|least| ("rustc".into(), format!(">={least}"))));
    let mut depends = super::BTreeSet::new();
    for table in ["dependencies", "dev-dependencies"] {
        depends
            .extend(manifest.get(table).and_then(Value::as_table).into_iter().flat_map(Table::keys).cloned());
    }
    let workspace = manifest.get("workspace").and_then(Value::as_table);
    let shared = workspace.and_then(|workspace| workspace.get("dependencies")?.as_table());
    depends.extend(shared.into_iter().flat_map(Table::keys).cloned());
    find.found.tools = place.configured(CONFIGURED).chain(brought(BROUGHT, &depends)).collect();
    find.found.tools.sort();
    if let Some(workspace) = workspace {
        find.own_root = true;
        find.members = Some(members(workspace));
    }
    Some(find)
}

/// A package below a workspace that does not exclude it has to be a member, or Cargo refuses it.
fn members(workspace: &Table) -> Members {
    let excluded = workspace.get("exclude").and_then(Value::as_array).into_iter().flatten();
    let excluded: Vec<String> = excluded
        .filter_map(Value::as_str)
        .map(|path| path.trim_start_matches("./").trim_end_matches('/').to_owned())
        .collect();
    Box::new(move |folder| {
        let inside = |path: &String| {
            folder.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !excluded.iter().any(inside)
    })
}
