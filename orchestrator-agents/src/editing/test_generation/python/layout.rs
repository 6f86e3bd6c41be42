//! Where a Python project has its things: the folder of the project, the name of a module, the folder of its tests.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::super::language::Runner;
use super::text::is_name;

/// The layout around one source.
pub(super) struct Layout {
    /// The folder of the project.
    pub(super) root: RelPath,
    /// The folder that modules are named from, below the project's.
    base: String,
}

impl Layout {
    pub(super) fn of(path: &RelPath, look: &Workspace) -> Self {
        let folders = path.above();
        let is_root = |folder: &&RelPath| {
            ["pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini"]
                .iter()
                .any(|name| look.exists(&at(folder, name)))
        };
        let root = folders.iter().find(is_root).cloned().unwrap_or_else(|| {
            let tests = |folder: &&RelPath| {
                look.exists(&at(folder, "tests")) || look.exists(&at(folder, "requirements.txt"))
            };
            folders.iter().find(tests).cloned().unwrap_or_default()
        });
        let inside = below(path, &root);
        let paths = told(&root, look);
        let named = paths.iter().filter(|folder| *folder != "." && inside.starts_with(&format!("{folder}/")));
        if let Some(base) = named.max_by_key(|folder| folder.len()) {
            return Self { root, base: base.clone() };
        }
        let base = if inside.starts_with("src/") && !look.exists(&at(&root, "src/__init__.py")) {
            "src".to_owned()
        } else {
            String::new()
        };
        Self { root, base }
    }

    /// The full name of a module.
    pub(super) fn module(&self, path: &RelPath) -> Result<String, BoxError> {
        let inside = below(path, &self.root);
        let named = inside.strip_prefix(&format!("{}/", self.base)).unwrap_or(inside);
        let Some(stem) = named.strip_suffix(".py") else {
            return Err(format!("`{path}` is no Python file: its name must end with `.py`").into());
        };
        let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
        if let Some(wrong) = stem.split('/').find(|part| !is_name(part)) {
            return Err(
                format!("`{path}` cannot be imported: `{wrong}` is no name in Python; rename it").into()
            );
        }
        Ok(stem.replace('/', "."))
    }

    /// Where the tests of a module go.
    pub(super) fn test_file(&self, path: &RelPath, look: &Workspace) -> RelPath {
        let inside = below(path, &self.root);
        let mut parts: Vec<&str> = inside.trim_end_matches(".py").split('/').collect();
        if parts.len() > 1 && parts.last() == Some(&"__init__") {
            parts.pop();
        }
        let stem = parts.pop().unwrap_or("module");
        let folder =
            ["tests", "test"].into_iter().find(|name| look.exists(&at(&self.root, name))).unwrap_or("tests");
        let twins = look
            .files(&self.root)
            .iter()
            .filter(|file| {
                let text = file.as_str();
                text.rsplit('/').next() == Some(&format!("{stem}.py")) && *file != path
            })
            .count();
        let name = match parts.last() {
            Some(package) if twins > 0 => format!("test_{package}_{stem}.py"),
            _ => format!("test_{stem}.py"),
        };
        at(&self.root, &format!("{folder}/{name}"))
    }

    /// How a test file is run: with the project's own Python, else with a pytest that is installed.
    pub(super) fn runner(&self, test: &RelPath, look: &Workspace) -> Option<Runner> {
        let up = depth(&self.root);
        let own = at(&self.root, "x").above().into_iter().find_map(|folder| {
            ["venv", ".venv"].into_iter().rev().find_map(|name| {
                let python = at(&folder, &format!("{name}/bin/python"));
                let pytest = at(&folder, &format!("{name}/bin/pytest"));
                (look.exists(&pytest) && look.exists(&python)).then_some(python)
            })
        });
        let mut argv = match own {
            Some(python) => {
                let program = match python.as_str().strip_prefix(&format!("{}/", self.root)) {
                    Some(inside) => inside.to_owned(),
                    None => format!("{}{python}", "../".repeat(up)),
                };
                vec![program, "-B".to_owned(), "-m".to_owned(), "pytest".to_owned()]
            }
            None => {
                look.tool_version("pytest")?;
                vec!["pytest".to_owned()]
            }
        };
        if told(&self.root, look).is_empty() {
            let base = if look.exists(&at(&self.root, "src")) { ". src" } else { "." };
            argv.extend(["-o".to_owned(), format!("pythonpath={base}")]);
        }
        argv.extend(["-p", "no:cacheprovider", "-q", "-rf"].map(str::to_owned));
        argv.push(below(test, &self.root).to_owned());
        Some(Runner { tool: "pytest", argv, cwd: self.root.clone() })
    }

    /// Whether the project depends on a package, by what it says of itself.
    pub(super) fn depends_on(&self, package: &str, look: &Workspace) -> bool {
        const FILES: [&str; 8] = [
            "pyproject.toml",
            "requirements.txt",
            "requirements-dev.txt",
            "requirements-test.txt",
            "dev-requirements.txt",
            "requirements/dev.txt",
            "requirements/test.txt",
            "setup.cfg",
        ];
        let says = |text: String| {
            text.lines()
                .map(|line| line.split('#').next().unwrap_or(line).replace('_', "-").to_lowercase())
                .any(|line| {
                    let name = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
                    line.split(name).any(|word| word == package)
                })
        };
        FILES.iter().any(|name| look.read_text(&at(&self.root, name)).ok().flatten().is_some_and(says))
    }
}

/// The folders that the project tells pytest to import from.
fn told(root: &RelPath, look: &Workspace) -> Vec<String> {
    let text = look.read_text(&at(root, "pyproject.toml")).ok().flatten().unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let options = table.get("tool").and_then(|tool| tool.get("pytest"));
    let options = options.map(|pytest| pytest.get("ini_options").unwrap_or(pytest));
    let clean = |path: &str| {
        let path = path.trim().trim_start_matches("./").trim_end_matches('/');
        if path.is_empty() { ".".to_owned() } else { path.to_owned() }
    };
    match options.and_then(|options| options.get("pythonpath")) {
        Some(toml::Value::String(path)) => path.split_whitespace().map(clean).collect(),
        Some(toml::Value::Array(paths)) => paths.iter().filter_map(toml::Value::as_str).map(clean).collect(),
        _ => ini(root, look).iter().map(|path| clean(path)).collect(),
    }
}

fn ini(root: &RelPath, look: &Workspace) -> Vec<String> {
    let text = look.read_text(&at(root, "pytest.ini")).ok().flatten().unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("pythonpath")?.trim().strip_prefix('='));
    line.map_or(Vec::new(), |paths| paths.split_whitespace().map(str::to_owned).collect())
}

fn at(folder: &RelPath, name: &str) -> RelPath {
    folder.join(name).unwrap_or_default()
}

fn below<'p>(path: &'p RelPath, root: &RelPath) -> &'p str {
    if root.is_root() {
        path.as_str()
    } else {
        path.as_str().strip_prefix(&format!("{root}/")).unwrap_or(path.as_str())
    }
}

fn depth(folder: &RelPath) -> usize {
    if folder.is_root() { 0 } else { folder.as_str().split('/').count() }
}
