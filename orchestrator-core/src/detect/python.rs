//! Python, by any of its manifests.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Find, Place, word};
use crate::project::Stack;

const MANIFESTS: [&str; 4] = ["pyproject.toml", "setup.cfg", "setup.py", "requirements.txt"];
const REQUIREMENTS: [&str; 6] = [
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
];
const CONFIGURED: &[(&str, &str)] = &[
    ("coverage", ".coveragerc"),
    ("flake8", ".flake8"),
    ("mypy", "mypy.ini .mypy.ini"),
    ("nox", "noxfile.py"),
    ("pdm", "pdm.lock"),
    ("pipenv", "Pipfile Pipfile.lock"),
    ("poetry", "poetry.lock"),
    ("pylint", ".pylintrc pylintrc"),
    ("pyright", "pyrightconfig.json"),
    ("pytest", "pytest.ini .pytest.ini"),
    ("ruff", "ruff.toml .ruff.toml"),
    ("tox", "tox.ini"),
    ("uv", "uv.lock uv.toml"),
];
const ENVIRONMENTS: [&str; 2] = [".venv", "venv"];
/// Tools whose table, section or package has their name.
const TOOLS: [&str; 17] = [
    "bandit", "black", "coverage", "flake8", "hatch", "isort", "mypy", "nox", "pdm", "poetry", "pylint",
    "pyright", "pytest", "ruff", "tox", "ty", "uv",
];

/// What the manifests of a folder say.
#[derive(Default)]
struct Said {
    name: Option<String>,
    version: Option<String>,
    python: Option<String>,
    tools: BTreeSet<String>,
}

pub(super) fn look(place: &Place) -> Option<Find> {
    let manifest = MANIFESTS.into_iter().find(|name| place.has(name))?;
    let mut find = place.find(Stack::Python, manifest)?;
    let mut said = Said::default();
    if let Some(manifest) = place.toml("pyproject.toml") {
        said.pyproject(&manifest);
    } else if manifest == "pyproject.toml" {
        return Some(find);
    }
    for text in ["setup.cfg", "tox.ini"].iter().filter_map(|name| place.text(name)) {
        said.sections(&text);
    }
    if let Some(text) = place.text("setup.py") {
        said.setup_py(&text);
    }
    for text in REQUIREMENTS.iter().filter_map(|name| place.text(name)) {
        text.lines().for_each(|line| said.requires(line));
    }
    said.tools.extend(place.configured(CONFIGURED));
    said.tools.extend(virtual_environment(place));
    find.found.name = said.name;
    find.found.version = said.version;
    find.found.requires.extend(said.python.map(|python| ("python".into(), python)));
    find.found.tools = said.tools.into_iter().collect();
    Some(find)
}

/// The virtual environment in the folder and its programs, by path: what is installed there is what the project uses.
/// One whose interpreter is gone still has its `pyvenv.cfg`.
fn virtual_environment(place: &Place) -> Vec<String> {
    let has = |folder: &&str| {
        place.has(&format!("{folder}/pyvenv.cfg")) || place.has(&format!("{folder}/bin/python3"))
    };
    let folder = ENVIRONMENTS.into_iter().find(has);
    let parts = ["pyvenv.cfg", "bin/python3", "bin/ruff"];
    let parts = folder.into_iter().flat_map(|folder| parts.map(|name| format!("{folder}/{name}")));
    parts.filter(|part| place.has(part)).collect()
}

fn table<'a>(from: &'a Table, path: &str) -> Option<&'a Table> {
    path.split('.').try_fold(from, |table, part| table.get(part)?.as_table())
}

fn texts(of: Option<&Value>) -> impl Iterator<Item = &str> {
    of.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

impl Said {
    fn pyproject(&mut self, manifest: &Table) {
        for at in ["project", "tool.poetry"] {
            let text = |key: &str| table(manifest, at)?.get(key)?.as_str().and_then(word);
            self.name = self.name.take().or_else(|| text("name"));
            self.version = self.version.take().or_else(|| text("version"));
        }
        let python = |at: &str, key: &str| table(manifest, at)?.get(key)?.as_str().and_then(word);
        self.python =
            python("project", "requires-python").or_else(|| python("tool.poetry.dependencies", "python"));
        // `tool.hatch` alone says how packages are built, not that its environments are used.
        let tools = table(manifest, "tool").into_iter().flat_map(Table::keys).map(String::as_str);
        let tools = tools.filter(|tool| *tool != "hatch" || table(manifest, "tool.hatch.envs").is_some());
        self.tools.extend(tools.filter(|tool| TOOLS.contains(tool)).map(str::to_owned));
        let lists = ["project.optional-dependencies", "dependency-groups", "tool.pdm.dev-dependencies"];
        let groups = lists.into_iter().filter_map(|path| table(manifest, path)).flat_map(Table::values);
        let project = table(manifest, "project").and_then(|project| project.get("dependencies"));
        let uv = table(manifest, "tool.uv").and_then(|uv| uv.get("dev-dependencies"));
        for line in groups.map(Some).chain([project, uv]).flat_map(texts) {
            self.requires(line);
        }
        let groups = table(manifest, "tool.poetry.group").into_iter().flat_map(Table::values);
        let groups = groups.filter_map(|group| table(group.as_table()?, "dependencies"));
        let poetry = ["tool.poetry.dependencies", "tool.poetry.dev-dependencies"];
        let poetry = poetry.into_iter().filter_map(|path| table(manifest, path)).chain(groups);
        poetry.flat_map(Table::keys).for_each(|name| self.requires(name));
    }

    /// Sections name tools; lines of the options name packages.
    fn sections(&mut self, text: &str) {
        let mut section = "";
        for line in text.lines() {
            if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
                let tool = name.strip_prefix("tool:").unwrap_or(name).split([':', '-', '.']).next();
                self.tools.extend(tool.filter(|tool| TOOLS.contains(tool)).map(str::to_owned));
            } else if section == "metadata"
                && let Some((key, value)) = line.split_once('=')
            {
                // `attr:` and `file:` say where to look, not what it is.
                let value =
                    word(value).filter(|value| !value.starts_with("attr:") && !value.starts_with("file:"));
                match key.trim() {
                    "name" => self.name = self.name.take().or(value),
                    "version" => self.version = self.version.take().or(value),
                    _ => {}
                }
            } else if section == "options"
                && let Some(("python_requires", value)) =
                    line.split_once('=').map(|(key, value)| (key.trim(), value))
            {
                self.python = self.python.take().or_else(|| word(value));
            } else if section.starts_with("options") {
                self.requires(
                    line.split_once('=').filter(|_| !line.starts_with(' ')).map_or(line, |(_, last)| last),
                );
            }
        }
    }

    /// Arguments that are plain strings; what is computed stays unknown.
    fn setup_py(&mut self, text: &str) {
        let argument = |key: &str| {
            let at = text.match_indices(key).find(|(at, _)| {
                let before = text[..*at].chars().next_back();
                let after = text[at + key.len()..].trim_start();
                after.starts_with('=')
                    && !after.starts_with("==")
                    && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            });
            let value = text[at?.0 + key.len()..].trim_start().strip_prefix('=')?.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            value[1..].split_once(quote).and_then(|(value, _)| word(value))
        };
        self.name = self.name.take().or_else(|| argument("name"));
        self.version = self.version.take().or_else(|| argument("version"));
    }

    /// A line of requirements: the package comes first.
    fn requires(&mut self, line: &str) {
        let line = line.trim();
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        let name = line[..end.unwrap_or(line.len())].to_ascii_lowercase();
        let plugin = name.split_once(['-', '_']).map(|(tool, _)| tool).filter(|tool| *tool == "pytest");
        let tool = plugin.unwrap_or(&name);
        if TOOLS.contains(&tool) {
            self.tools.insert(tool.to_owned());
        }
    }
}
