//! Where tests go, how they name the module that they are about, and how they are run.

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde_json::Value as Json;

use super::super::language::Runner;

/// The nearest folder above that has a `package.json`, and what that holds.
pub(super) fn package(path: &RelPath, look: &Workspace) -> (RelPath, Json) {
    for folder in path.above() {
        if let Ok(manifest) = folder.join("package.json")
            && let Ok(Some(text)) = look.read_text(&manifest)
        {
            return (folder, serde_json::from_str(&text).unwrap_or_default());
        }
    }
    (RelPath::root(), Json::Null)
}

/// Where the project keeps the tests of a file: in a folder of tests where it has one, else beside the file.
pub(super) fn test_file(path: &RelPath, look: &Workspace) -> RelPath {
    let (folder, _) = package(path, look);
    let below = below(&folder, path.as_str());
    let (stem, extension) = below.rsplit_once('.').unwrap_or((below, "ts"));
    let folders = ["tests", "test", "__tests__"].into_iter().filter_map(|name| folder.join(name).ok());
    let own = folders.into_iter().find(|tests| look.exists(tests));
    let place = match own {
        Some(tests) => tests.join(format!("{}.test.{extension}", stem.strip_prefix("src/").unwrap_or(stem))),
        None => folder.join(format!("{stem}.test.{extension}")),
    };
    place.unwrap_or_else(|_| path.clone())
}

/// How a test in `from` names the module `to`. The ending follows what the project does: what the module itself writes, then
/// `moduleResolution`, then whether the package is a module.
pub(super) fn specifier(from: &RelPath, to: &RelPath, own_imports: &[&str], look: &Workspace) -> String {
    let stem = to.as_str().rsplit_once('.').map_or(to.as_str(), |(stem, _)| stem);
    let extension = to.as_str().rsplit_once('.').map_or("", |(_, extension)| extension);
    let ending = match extension {
        "mts" | "mjs" => ".mjs",
        "cts" | "cjs" => ".cjs",
        "js" if is_module(to, look) => ".js",
        _ if own_imports.iter().any(|name| name.rsplit_once('.').is_some_and(|(_, end)| end == "js")) => {
            ".js"
        }
        _ if own_imports.iter().any(|name| !has_ending(name)) => "",
        _ => match resolution(to, look).as_deref() {
            Some("bundler" | "node" | "node10" | "classic") => "",
            Some("node16" | "nodenext") | None if is_module(to, look) => ".js",
            _ => "",
        },
    };
    format!("{}{ending}", relative(from, stem))
}

/// The way from one file to another: `../src/a`.
pub(super) fn relative(from: &RelPath, to: &str) -> String {
    let from: Vec<&str> = from.as_str().split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let folders = &from[..from.len() - 1];
    let shared = folders.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let ups = "../".repeat(folders.len() - shared);
    let start = if ups.is_empty() { "./" } else { &ups };
    format!("{start}{}", to[shared..].join("/"))
}

/// How a test names what the module imports: a relative name is seen from the test.
pub(super) fn import_of(test: &RelPath, module: &RelPath, name: &str) -> String {
    if !name.starts_with('.') {
        return name.to_owned();
    }
    let mut folders: Vec<&str> = module.as_str().split('/').collect();
    folders.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(folders.pop()),
            part => folders.push(part),
        }
    }
    relative(test, &folders.join("/"))
}

fn has_ending(name: &str) -> bool {
    [".js", ".mjs", ".cjs", ".ts", ".json"].iter().any(|ending| name.ends_with(ending))
}

fn is_module(path: &RelPath, look: &Workspace) -> bool {
    package(path, look).1["type"] == "module"
}

/// `compilerOptions.moduleResolution` of the nearest `tsconfig.json`, or what `module` implies.
fn resolution(path: &RelPath, look: &Workspace) -> Option<String> {
    let text = path
        .above()
        .iter()
        .find_map(|folder| look.read_text(&folder.join("tsconfig.json").ok()?).ok().flatten())?;
    let config = jsonc_parser::parse_to_value(&text, &jsonc_parser::ParseOptions::default()).ok()??;
    let jsonc_parser::JsonValue::Object(config) = config else { return None };
    let options = config.get_object("compilerOptions")?;
    let said = options.get_string("moduleResolution").or_else(|| options.get_string("module"))?;
    Some(said.to_lowercase())
}

/// Which mocks the project's tests use: `jest` where that is its runner, else `vi`.
pub(super) fn mock(path: &RelPath, look: &Workspace) -> &'static str {
    let (_, manifest) = package(path, look);
    if uses(&manifest, "jest") && !uses(&manifest, "vitest") { "jest" } else { "vi" }
}

fn uses(manifest: &Json, tool: &str) -> bool {
    ["devDependencies", "dependencies"].iter().any(|kind| !manifest[*kind][tool].is_null())
}

/// How a test file is run. A failing threshold of coverage is not about this file, so coverage is off.
pub(super) fn runner(test_file: &RelPath, look: &Workspace) -> Option<Runner> {
    let (cwd, _) = package(test_file, look);
    let jest = mock(test_file, look) == "jest";
    let tool = if jest { "jest" } else { "vitest" };
    let folder = test_file
        .above()
        .into_iter()
        .find(|folder| folder.join(format!("node_modules/.bin/{tool}")).is_ok_and(|bin| look.exists(&bin)))?;
    let ups = if cwd == folder { 0 } else { below(&folder, cwd.as_str()).split('/').count() };
    let program = format!("{}node_modules/.bin/{tool}", "../".repeat(ups));
    let file = below(&cwd, test_file.as_str()).to_owned();
    let argv = if jest {
        vec![program, "--runTestsByPath".into(), file, "--json".into(), "--coverage=false".into()]
    } else {
        vec![program, "run".into(), file, "--reporter=json".into(), "--coverage.enabled=false".into()]
    };
    Some(Runner { tool, argv, cwd })
}

pub(super) fn missing(test_file: &RelPath, look: &Workspace) -> String {
    let (folder, _) = package(test_file, look);
    let tool = if mock(test_file, look) == "jest" { "jest" } else { "vitest" };
    let place = if folder.is_root() { "the project".to_owned() } else { format!("`{folder}`") };
    format!("{tool} is not installed in {place}; install its packages and run `{test_file}`")
}

/// A path seen from a folder that it is in.
fn below<'a>(folder: &RelPath, path: &'a str) -> &'a str {
    if folder.is_root() {
        return path;
    }
    path.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}
