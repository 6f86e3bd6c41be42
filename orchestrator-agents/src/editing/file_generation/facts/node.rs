//! A `package.json`, and what lies beside it.

use std::collections::BTreeMap;

use orchestrator_core::path::RelPath;
use serde::Serialize;
use serde_json::Value;

use super::{About, Files, word};

/// A package of npm, pnpm, yarn or bun.
#[derive(Debug, Clone, Serialize)]
pub(in super::super) struct Node {
    pub(super) folder: RelPath,
    #[serde(flatten)]
    pub(super) about: About,
    /// `npm`, `pnpm`, `yarn` or `bun`: by `packageManager`, or by the lockfile.
    pub(in super::super) manager: &'static str,
    /// Whether there is a lockfile of it.
    pub(super) locked: bool,
    /// Whether `packageManager` says which version of it.
    pub(super) pinned: bool,
    /// Names of scripts, and what they run.
    pub(super) scripts: BTreeMap<String, String>,
    /// All that it depends on, also for development.
    pub(in super::super) dependencies: BTreeMap<String, String>,
    pub(super) typescript: bool,
    /// Whether its files are ES modules by default.
    pub(in super::super) module: bool,
    /// `engines.node`.
    pub(super) engine: Option<String>,
    /// The function that builds its Fastify app.
    pub(in super::super) fastify: Option<Builder>,
}

/// An exported function that builds a Fastify app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Builder {
    /// The file that has it.
    pub(in super::super) path: RelPath,
    /// Its name.
    pub(in super::super) name: String,
}

pub(super) fn look(folder: &RelPath, files: &Files<'_>) -> Option<Node> {
    let manifest: Value = serde_json::from_str(&files.text_in(folder, "package.json")?).ok()?;
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).and_then(word);
    let map = |key: &str| -> BTreeMap<String, String> {
        let entries = manifest.get(key).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(name, value)| Some((word(name)?, value.as_str()?.to_owned()))).collect()
    };
    let mut dependencies = map("devDependencies");
    dependencies.extend(map("dependencies"));
    let (manager, locked) = manager(&manifest, folder, files);
    let typescript = dependencies.contains_key("typescript") || files.has(folder, "tsconfig.json");
    let mut node = Node {
        folder: folder.clone(),
        about: About { name: text("name"), version: text("version"), description: text("description") },
        manager,
        locked,
        pinned: manifest.get("packageManager").is_some(),
        scripts: map("scripts"),
        typescript,
        module: manifest.get("type").and_then(Value::as_str) == Some("module"),
        engine: manifest.pointer("/engines/node").and_then(Value::as_str).and_then(word),
        fastify: None,
        dependencies,
    };
    if node.dependencies.contains_key("fastify") {
        node.fastify = fastify(folder, files);
    }
    Some(node)
}

fn manager(manifest: &Value, folder: &RelPath, files: &Files<'_>) -> (&'static str, bool) {
    const LOCKS: [(&str, &str); 6] = [
        ("npm", "package-lock.json"),
        ("npm", "npm-shrinkwrap.json"),
        ("pnpm", "pnpm-lock.yaml"),
        ("yarn", "yarn.lock"),
        ("bun", "bun.lock"),
        ("bun", "bun.lockb"),
    ];
    let locked: Vec<&str> =
        LOCKS.iter().filter(|(_, lock)| files.has(folder, lock)).map(|(name, _)| *name).collect();
    let said = manifest.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let said = ["npm", "pnpm", "yarn", "bun"].into_iter().find(|name| said.split('@').next() == Some(name));
    let first = LOCKS.iter().map(|(name, _)| *name).find(|name| locked.contains(name));
    let manager = said.or(first).unwrap_or("npm");
    (manager, locked.contains(&manager))
}

/// The first exported function, by path, that its file says builds a Fastify app and that needs no arguments.
fn fastify(folder: &RelPath, files: &Files<'_>) -> Option<Builder> {
    let is_code = |path: &&RelPath| {
        let code = matches!(super::extension(path), "ts" | "mts" | "js" | "mjs");
        let path = path.as_str();
        let test = [".test.", ".spec.", ".d."].iter().any(|mark| path.contains(mark));
        code && !test && !path.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__"))
    };
    let mut paths: Vec<&RelPath> = files.below(folder).filter(is_code).collect();
    paths.sort_by_key(|path| (super::depth(path), (*path).clone()));
    paths.into_iter().take(500).find_map(|path| {
        let text = files.text(path)?;
        let builds = text.contains("from 'fastify'") || text.contains("from \"fastify\"");
        let calls = ["fastify(", "Fastify("].iter().any(|call| text.contains(call));
        let name = (builds && calls).then(|| exported(&text)).flatten()?;
        Some(Builder { path: path.clone(), name })
    })
}

/// The name of the exported function whose name says that it builds, if it can be called without arguments.
fn exported(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix("export ")?;
        let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("function ")?;
        let (name, rest) = rest.split_once('(')?;
        let known = ["build", "create", "make"].iter().any(|verb| name.starts_with(verb));
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let optional = match rest.split_once(')') {
            Some((arguments, _)) => {
                arguments.trim().is_empty()
                    || arguments.split(',').all(|argument| argument.contains('=') || argument.contains("?:"))
            }
            None => false,
        };
        (known && plain && optional).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::exported;

    #[test]
    fn a_builder_is_exported_and_needs_no_arguments() {
        let found = |text: &str| exported(text);
        assert_eq!(found("export async function buildApp(): Promise<App> {").as_deref(), Some("buildApp"));
        assert_eq!(found("export function createServer(options: O = {}) {").as_deref(), Some("createServer"));
        assert_eq!(found("export function buildApp(options?: O) {").as_deref(), Some("buildApp"));
        for none in
            ["function buildApp() {", "export function buildApp(db: Db) {", "export function health() {"]
        {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
