//! JavaScript and TypeScript with npm, pnpm, yarn or bun.

use std::collections::BTreeSet;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::Value;

use super::{Find, Place, brought, word};
use crate::project::Stack;

/// The package manager by its lock file. There is none among the tools where nothing says which it is.
const MANAGERS: [(&str, &str); 4] = [
    ("pnpm", "pnpm-lock.yaml pnpm-workspace.yaml"),
    ("yarn", "yarn.lock .yarnrc.yml"),
    ("bun", "bun.lock bun.lockb"),
    ("npm", "package-lock.json npm-shrinkwrap.json"),
];
const CONFIGURED: &[(&str, &str)] = &[
    ("biome", "biome.json biome.jsonc"),
    ("cypress", "cypress.config.js cypress.config.ts"),
    (
        "eslint",
        ".eslintrc .eslintrc.json .eslintrc.js .eslintrc.cjs .eslintrc.yml .eslintrc.yaml eslint.config.js \
         eslint.config.mjs eslint.config.cjs eslint.config.ts",
    ),
    ("jest", "jest.config.js jest.config.ts jest.config.mjs jest.config.cjs jest.config.json"),
    ("playwright", "playwright.config.ts playwright.config.js"),
    (
        "prettier",
        ".prettierrc .prettierrc.json .prettierrc.yml .prettierrc.yaml .prettierrc.js .prettierrc.cjs \
         .prettierrc.mjs .prettierrc.toml prettier.config.js prettier.config.mjs prettier.config.cjs",
    ),
    ("typescript", "tsconfig.json"),
    ("vitest", "vitest.config.ts vitest.config.js vitest.config.mts vitest.config.mjs"),
];
const BROUGHT: &[(&str, &str)] = &[
    ("ava", "ava"),
    ("biome", "@biomejs/biome"),
    ("c8", "c8"),
    ("cypress", "cypress"),
    ("eslint", "eslint"),
    ("jest", "jest"),
    ("mocha", "mocha"),
    ("nx", "nx"),
    ("oxlint", "oxlint"),
    ("playwright", "@playwright/test"),
    ("prettier", "prettier"),
    ("stylelint", "stylelint"),
    ("turbo", "turbo"),
    ("typescript", "typescript"),
    ("vite", "vite"),
    ("vitest", "vitest"),
    ("webpack", "webpack"),
];

/// The programs that `engines` may speak of; editors and frameworks put their own there.
const ENGINES: [&str; 4] = ["node", "npm", "pnpm", "yarn"];

pub(super) fn look(place: &Place) -> Option<Find> {
    if !place.has("package.json") {
        return None;
    }
    let mut find = place.find(Stack::Npm, "package.json")?;
    let Some(Value::Object(manifest)) = place.json("package.json") else { return Some(find) };
    let text = |key: &str| manifest.get(key).and_then(Value::as_str);
    find.found.name = text("name").and_then(word);
    find.found.version = text("version").and_then(word);
    let engines = manifest.get("engines").and_then(Value::as_object).into_iter().flatten();
    let engines = engines.filter(|(tool, _)| ENGINES.contains(&tool.as_str()));
    find.found.requires =
        engines.filter_map(|(tool, range)| Some((tool.clone(), word(range.as_str()?)?))).collect();
    let scripts = manifest.get("scripts").and_then(Value::as_object).into_iter().flatten();
    find.found.scripts =
        scripts.filter_map(|(name, line)| Some((name.clone(), line.as_str()?.to_owned()))).collect();
    let mut depends = BTreeSet::new();
    for table in ["dependencies", "devDependencies", "optionalDependencies"] {
        let table = manifest.get(table).and_then(Value::as_object);
        depends.extend(table.into_iter().flat_map(serde_json::Map::keys).cloned());
    }
    let mut tools: BTreeSet<String> =
        place.configured(CONFIGURED).chain(brought(BROUGHT, &depends)).collect();
    for (tool, key) in [("eslint", "eslintConfig"), ("jest", "jest"), ("prettier", "prettier")] {
        if manifest.contains_key(key) {
            tools.insert(tool.to_owned());
        }
    }
    let named = text("packageManager").and_then(|text| text.split('@').next());
    let named = MANAGERS.iter().find(|(manager, _)| Some(*manager) == named);
    let manager = named.map(|(manager, _)| (*manager).to_owned());
    tools.extend(manager.or_else(|| place.configured(&MANAGERS).next()));
    find.found.tools = tools.into_iter().collect();
    let workspaces = manifest.get("workspaces");
    let globs =
        workspaces.map(|given| given.get("packages").unwrap_or(given).clone()).or_else(|| pnpm(place));
    if let Some(globs) = globs.as_ref().and_then(members) {
        find.own_root = true;
        find.members = Some(Box::new(move |folder| globs.is_match(folder)));
    }
    Some(find)
}

fn pnpm(place: &Place) -> Option<Value> {
    let text = place.text("pnpm-workspace.yaml")?;
    let read: Result<Value, _> = serde_saphyr::from_str(&text);
    let read = read.map_or_else(|error| place.unusable("pnpm-workspace.yaml", &error), Some);
    read?.get("packages").cloned()
}

fn members(globs: &Value) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs.as_array()?.iter().filter_map(Value::as_str).filter(|glob| !glob.starts_with('!')) {
        let glob = glob.trim_start_matches("./").trim_end_matches('/');
        if let Ok(glob) = Glob::new(glob) {
            set.add(glob);
        }
    }
    set.build().ok()
}
