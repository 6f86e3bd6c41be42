//! What is seen of the project before a named action edits a file.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde_json::Value;

use super::edited::Facts;

/// The most files that are looked at; a project with more is seen in part.
const MOST_FILES: usize = 50_000;
/// Folders whose sources are not the project's own code, or are not there to be covered.
const NOT_SOURCES: [&str; 22] = [
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "e2e",
    "spec",
    "fixtures",
    "node_modules",
    "dist",
    "build",
    "coverage",
    "out",
    "public",
    "scripts",
    "docs",
    "examples",
    "migrations",
    "prisma",
    "alembic",
    "venv",
    "types",
    "mocks",
];

/// Looks at the project.
pub(super) fn see(look: &Workspace) -> Facts {
    let mut files = look.files(&RelPath::root());
    files.truncate(MOST_FILES);
    let mut facts = Facts { package_manager: package_manager(&files), ..Facts::default() };
    let folders = |wanted: fn(&str) -> bool| -> Vec<RelPath> {
        let found = files.iter().map(split).filter(|(_, name)| wanted(name)).map(|(folder, _)| folder);
        found.collect::<BTreeSet<_>>().into_iter().collect()
    };
    facts.node_folders = folders(|name| name == "package.json");
    facts.python_folders =
        folders(|name| matches!(name, "pyproject.toml" | "setup.py" | "setup.cfg" | "requirements.txt"));
    for folder in &facts.node_folders {
        facts.node_scripts.insert(folder.clone(), scripts(folder, look));
    }
    let named = |wanted: fn(&str) -> bool| -> Vec<RelPath> {
        files.iter().filter(|path| wanted(split(path).1)).cloned().collect()
    };
    facts.dockerfiles =
        named(|name| name == "Dockerfile" || name.starts_with("Dockerfile.") || ends(name, &["dockerfile"]));
    facts.compose_files = named(|name| {
        (name.starts_with("docker-compose") || name.starts_with("compose.")) && ends(name, &["yml", "yaml"])
    });
    let workflow = |path: &&RelPath| {
        split(path).0.as_str() == ".github/workflows" && ends(path.as_str(), &["yml", "yaml"])
    };
    facts.workflows = files.iter().filter(workflow).cloned().collect();
    facts.migration_folders = migrations(&files);
    facts.script_sources =
        sources(&files, &facts.node_folders, &["ts", "tsx", "js", "jsx", "mts", "mjs", "cts", "cjs"]);
    facts.python_sources = python_sources(&files, &facts.python_folders);
    facts.migration_tools = migration_tools(&files);
    facts.deploy_scripts = files.iter().filter(|path| deploys(path)).cloned().collect();
    facts
}

/// The tools that apply migrations, by the folder that they run in: the one that holds their configuration.
fn migration_tools(files: &[RelPath]) -> BTreeMap<RelPath, String> {
    let mut tools = BTreeMap::new();
    for path in files {
        let (folder, name) = split(path);
        let tool = match name.split_once('.') {
            Some(("schema", "prisma")) => "prisma",
            Some(("knexfile", _)) => "knex",
            Some(("drizzle", rest)) if rest.starts_with("config.") => "drizzle",
            Some(("alembic", "ini")) => "alembic",
            _ => continue,
        };
        // Prisma runs where its folder lies.
        let folder =
            if folder.as_str().rsplit('/').next() == Some("prisma") { parent(&folder) } else { folder };
        tools.entry(folder).or_insert_with(|| tool.to_owned());
    }
    tools
}

/// `deploy.sh`, or `deploy*.sh` among scripts.
fn deploys(path: &RelPath) -> bool {
    let (folder, name) = split(path);
    let among = folder.is_root() || matches!(folder.as_str().rsplit('/').next(), Some("scripts" | "bin"));
    among && name.starts_with("deploy") && ends(name, &["sh"])
}

fn parent(folder: &RelPath) -> RelPath {
    split(folder).0
}

fn package_manager(files: &[RelPath]) -> Option<String> {
    const LOCKS: [(&str, &str); 5] = [
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
        ("package-lock.json", "npm"),
    ];
    let depth = |path: &RelPath| path.as_str().matches('/').count();
    let locks = files.iter().filter_map(|path| {
        let (_, manager) = LOCKS.iter().find(|(name, _)| *name == split(path).1)?;
        Some((depth(path), *manager))
    });
    let nearest = locks.min_by_key(|(depth, _)| *depth).map(|(_, manager)| manager.to_owned());
    nearest.or_else(|| files.iter().any(|path| split(path).1 == "package.json").then(|| "npm".to_owned()))
}

fn scripts(folder: &RelPath, look: &Workspace) -> Vec<String> {
    let manifest = folder.join("package.json").ok().and_then(|path| look.read_text(&path).ok().flatten());
    let manifest: Option<Value> = manifest.and_then(|text| serde_json::from_str(&text).ok());
    let scripts = manifest.as_ref().and_then(|manifest| manifest.get("scripts")?.as_object());
    scripts.map(|scripts| scripts.keys().cloned().collect()).unwrap_or_default()
}

fn migrations(files: &[RelPath]) -> Vec<RelPath> {
    let mut found = BTreeSet::new();
    for path in files {
        let parts: Vec<_> = path.as_str().split('/').collect();
        let folders = &parts[..parts.len() - 1];
        if let Some(at) = folders.iter().position(|part| matches!(*part, "prisma" | "migrations" | "alembic"))
        {
            found.extend(RelPath::new(folders[..=at].join("/")));
        }
    }
    found.into_iter().collect()
}

/// The folders right below those of manifests that hold sources.
fn sources(files: &[RelPath], manifests: &[RelPath], extensions: &[&str]) -> Vec<RelPath> {
    let mut found = BTreeSet::new();
    for path in files.iter().filter(|path| ends(path.as_str(), extensions)) {
        let Some((manifest, below)) = nearest(path, manifests) else { continue };
        let Some((folder, _)) = below.split_once('/') else { continue };
        if is_source(folder) {
            found.extend(join(manifest, folder));
        }
    }
    found.into_iter().collect()
}

/// Folders with Python files: packages, or `src` with packages in it.
fn python_sources(files: &[RelPath], manifests: &[RelPath]) -> Vec<RelPath> {
    sources(files, manifests, &["py"])
}

/// The innermost of the folders that a file lies below, and the file's path from there.
fn nearest<'a>(path: &'a RelPath, folders: &'a [RelPath]) -> Option<(&'a RelPath, &'a str)> {
    let below = |folder: &'a RelPath| {
        if folder.is_root() {
            return Some((folder, path.as_str()));
        }
        Some((folder, path.as_str().strip_prefix(folder.as_str())?.strip_prefix('/')?))
    };
    folders.iter().filter_map(below).min_by_key(|(_, below)| below.len())
}

fn is_source(folder: &str) -> bool {
    !folder.starts_with('.') && !NOT_SOURCES.contains(&folder)
}

fn ends(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

fn split(path: &RelPath) -> (RelPath, &str) {
    match path.as_str().rsplit_once('/') {
        Some((folder, name)) => (RelPath::new(folder).unwrap_or_default(), name),
        None => (RelPath::root(), path.as_str()),
    }
}

fn join(folder: &RelPath, name: &str) -> Option<RelPath> {
    folder.join(name).ok()
}
