//! Where a source lies in its crate: the name that others use for it, and the place of its tests.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use syn::{Item, Visibility};

/// A source of a library crate.
pub(super) struct Place {
    /// How the module is named from outside.
    pub(super) module: String,
}

/// The crate that a path is in.
pub(super) fn root(path: &RelPath, look: &Workspace) -> Option<RelPath> {
    path.above()
        .into_iter()
        .find(|folder| manifest(folder, look).is_some_and(|table| table.contains_key("package")))
}

fn manifest(folder: &RelPath, look: &Workspace) -> Option<toml::Table> {
    let text = look.read_text(&folder.join("Cargo.toml").ok()?).ok().flatten()?;
    toml::from_str(&text).ok()
}

/// The path of a source inside its crate.
fn inside<'p>(path: &'p RelPath, root: &RelPath) -> &'p str {
    if root.is_root() {
        path.as_str()
    } else {
        path.as_str().strip_prefix(&format!("{root}/")).unwrap_or(path.as_str())
    }
}

/// The modules on the way to a source.
fn parts(inside: &str) -> Option<Vec<&str>> {
    let stem = inside.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Vec<&str> = stem.split('/').collect();
    if matches!(parts.last(), Some(&"mod")) || parts == ["lib"] {
        parts.pop();
    }
    Some(parts)
}

/// Where the tests of a source go.
pub(super) fn test_file(path: &RelPath, look: &Workspace) -> RelPath {
    let root = root(path, look).unwrap_or_default();
    let name = match parts(inside(path, &root)) {
        Some(parts) if !parts.is_empty() => parts.join("_"),
        _ => "lib".to_owned(),
    };
    root.join(format!("tests/{name}.rs")).unwrap_or_default()
}

impl Place {
    /// Finds it; an error says why no test outside the crate could reach it.
    pub(super) fn of(path: &RelPath, look: &Workspace) -> Result<Self, BoxError> {
        let Some(root) = root(path, look) else {
            return Err(
                format!("`{path}` is in no crate: there is no `Cargo.toml` with a package above it").into()
            );
        };
        let table = manifest(&root, look).unwrap_or_default();
        let inside = inside(path, &root);
        let Some(parts) =
            parts(inside).filter(|_| inside != "src/main.rs" && !inside.starts_with("src/bin/"))
        else {
            return Err(format!(
                "tests of `{path}` cannot import it: move what is to be tested into the library"
            )
            .into());
        };
        let lib = root.join("src/lib.rs")?;
        if !look.exists(&lib) {
            return Err(format!("the crate of `{path}` has no library: `{lib}` is missing").into());
        }
        let own = |section: &str| table.get(section)?.get("name")?.as_str().map(str::to_owned);
        let Some(name) = own("lib").or_else(|| own("package")) else {
            return Err(format!("the manifest of the crate of `{path}` gives it no name").into());
        };
        let mut module = name.replace('-', "_");
        let mut above = vec![lib];
        let mut folder = root.join("src")?;
        for part in &parts {
            declared(&above, part, look).map_err(|why| format!("tests cannot reach `{path}`: {why}"))?;
            above = vec![folder.join(format!("{part}.rs"))?, folder.join(format!("{part}/mod.rs"))?];
            folder = folder.join(part)?;
            module = format!("{module}::{part}");
        }
        Ok(Self { module })
    }
}

/// An error unless one of the files says `pub mod NAME;`.
fn declared(files: &[RelPath], name: &str, look: &Workspace) -> Result<(), String> {
    for file in files {
        let Ok(Some(text)) = look.read_text(file) else { continue };
        let tree = super::parse(file, &text).map_err(|error| error.to_string())?;
        let public = tree.items.iter().any(|item| match item {
            Item::Mod(item) => {
                item.ident == name && matches!(item.vis, Visibility::Public(_)) && super::plain(&item.attrs)
            }
            _ => false,
        });
        return if public { Ok(()) } else { Err(format!("`{file}` has no `pub mod {name};`")) };
    }
    Err(format!("the file that declares `mod {name}` is not there"))
}
