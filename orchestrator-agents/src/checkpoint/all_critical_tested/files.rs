//! Which files hold the tests, whether there are real ones in them, and what runs them.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::Critical;

/// What runs tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Vitest,
    Jest,
    Pytest,
    Cargo,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Vitest => "vitest",
            Self::Jest => "jest",
            Self::Pytest => "pytest",
            Self::Cargo => "cargo test",
        }
    }
}

/// What the survey gives.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Looked {
    /// One for each command.
    pub(super) batches: Vec<Batch>,
    /// What cannot pass whatever runs.
    pub(super) problems: Vec<String>,
}

/// Files that one command runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) kind: Kind,
    /// Where it runs.
    pub(super) folder: RelPath,
    pub(super) argv: Vec<String>,
    pub(super) files: Vec<TestFile>,
}

/// A file with tests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TestFile {
    /// Where it is.
    pub(super) path: RelPath,
    /// The same from where the command runs.
    pub(super) below: String,
    /// The tasks that it is for.
    pub(super) tasks: Vec<String>,
}

/// Finds the file of each task and what runs it.
pub(super) fn look(critical: &[Critical], look: &Workspace) -> Result<Looked, BoxError> {
    let mut looked = Looked::default();
    let mut files: BTreeMap<RelPath, Vec<String>> = BTreeMap::new();
    for Critical { task, target, test_file } in critical {
        let of_target = target
            .as_ref()
            .filter(|target| is_test_name(target))
            .and_then(|target| RelPath::new(target).ok());
        match test_file.clone().or(of_target) {
            Some(file) => files.entry(file).or_default().push(format!("task `{task}`")),
            None => looked.problems.push(format!("task `{task}` names no `test_file`")),
        }
    }
    let mut batches: BTreeMap<(Kind, RelPath, Vec<String>), Vec<TestFile>> = BTreeMap::new();
    for (path, tasks) in files {
        let named = tasks.join(", ");
        let Some(source) = look.read_text(&path)? else {
            looked.problems.push(format!("`{path}` of {named} does not exist"));
            continue;
        };
        let Some(language) = Language::of(&path) else {
            looked
                .problems
                .push(format!("`{path}` of {named}: not measured: no runner is known for such files"));
            continue;
        };
        if !language.has_test(&source) {
            looked.problems.push(format!("`{path}` of {named} has no test in it"));
            continue;
        }
        match language.runner(&path, look)? {
            Ok((kind, folder, argv)) => {
                let below =
                    path.as_str().strip_prefix(&format!("{folder}/")).unwrap_or(path.as_str()).to_owned();
                batches.entry((kind, folder, argv)).or_default().push(TestFile { path, below, tasks });
            }
            Err(why) => looked.problems.push(format!("`{path}` of {named}: not measured: {why}")),
        }
    }
    for ((kind, folder, mut argv), files) in batches {
        match kind {
            Kind::Cargo => {}
            // A name that begins with `-` is no option.
            _ => argv.extend(files.iter().map(|file| format!("./{}", file.below))),
        }
        looked.batches.push(Batch { kind, folder, argv, files });
    }
    Ok(looked)
}

fn is_test_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_python = name.strip_suffix(".py").is_some_and(|stem| stem.starts_with("test_"));
    is_python || name.contains(".test.") || name.contains(".spec.")
}

/// The language of a file of tests.
#[derive(Clone, Copy)]
enum Language {
    JavaScript,
    Python,
    Rust,
}

impl Language {
    fn of(path: &RelPath) -> Option<Self> {
        match path.as_str().rsplit_once('.')?.1 {
            "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" => Some(Self::JavaScript),
            "py" => Some(Self::Python),
            "rs" => Some(Self::Rust),
            _ => None,
        }
    }

    /// Whether a line begins a test. What stands in a comment is none; whether it runs is for the runner to say.
    fn has_test(self, source: &str) -> bool {
        source.lines().map(str::trim_start).any(|line| match self {
            Self::JavaScript => {
                ["it(", "test(", "it.each", "test.each", "it.concurrent(", "test.concurrent("]
                    .iter()
                    .any(|call| line.starts_with(call))
            }
            Self::Python => line.strip_prefix("async ").unwrap_or(line).starts_with("def test_"),
            Self::Rust => line.starts_with("#[test]") || (line.starts_with("#[") && line.contains("::test")),
        })
    }

    /// Which runner, where it runs, and how; or why there is none.
    fn runner(self, path: &RelPath, look: &Workspace) -> Result<Result<Found, String>, BoxError> {
        match self {
            Self::JavaScript => javascript(path, look),
            Self::Python => python(path, look),
            Self::Rust => Ok(rust(path, look)),
        }
    }
}

/// The runner, its folder and its command line without the files.
type Found = (Kind, RelPath, Vec<String>);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn javascript(path: &RelPath, look: &Workspace) -> Result<Result<Found, String>, BoxError> {
    for folder in path.above() {
        for (kind, name, args) in [
            (Kind::Vitest, "vitest", &["run", "--reporter=json"][..]),
            (Kind::Jest, "jest", &["--json", "--ci", "--runTestsByPath"]),
        ] {
            let program = format!("node_modules/.bin/{name}");
            if look.exists(&folder.join(&program)?) {
                return Ok(Ok((kind, folder, [words(&[&program]), words(args)].concat())));
            }
        }
    }
    Ok(Err("neither vitest nor jest is installed: run `npm install`".into()))
}

fn python(path: &RelPath, look: &Workspace) -> Result<Result<Found, String>, BoxError> {
    let flags = ["-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-rA"];
    let project = ["pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini"];
    let folders = path.above();
    let mut home = RelPath::root();
    for folder in &folders {
        let is_project =
            project.iter().filter_map(|name| folder.join(name).ok()).any(|file| look.exists(&file));
        if is_project || look.exists(&folder.join(".venv/bin/python")?) {
            home = folder.clone();
            break;
        }
    }
    for folder in &folders {
        if look.exists(&folder.join(".venv/bin/pytest")?) {
            // From where it runs up to where the environment is.
            let depth = if home == *folder || home.is_root() {
                0
            } else {
                let own = if folder.is_root() { 0 } else { folder.as_str().split('/').count() };
                home.as_str().split('/').count().saturating_sub(own)
            };
            let python = format!("{}.venv/bin/python", "../".repeat(depth));
            return Ok(Ok((Kind::Pytest, home, [vec![python], words(&flags)].concat())));
        }
    }
    if look.tool_version("pytest").is_none() {
        return Ok(Err("pytest is not installed: run `python3 -m pip install pytest`".into()));
    }
    Ok(Ok((Kind::Pytest, home, [words(&["pytest"]), words(&flags[2..])].concat())))
}

fn rust(path: &RelPath, look: &Workspace) -> Result<Found, String> {
    let is_package =
        |folder: &RelPath| folder.join("Cargo.toml").is_ok_and(|manifest| look.exists(&manifest));
    let folder = path.above().into_iter().find(is_package).ok_or("there is no `Cargo.toml` above it")?;
    if look.tool_version("cargo").is_none() {
        return Err("cargo is not installed: see https://rustup.rs".into());
    }
    let mut argv = words(&["cargo", "test", "--no-fail-fast"]);
    let below = path.as_str().strip_prefix(&format!("{folder}/")).unwrap_or(path.as_str());
    if let Some(name) = below.strip_prefix("tests/") {
        let name = name.split('/').next().unwrap_or(name);
        argv.extend(["--test".to_owned(), name.strip_suffix(".rs").unwrap_or(name).to_owned()]);
    }
    Ok((Kind::Cargo, folder, argv))
}
