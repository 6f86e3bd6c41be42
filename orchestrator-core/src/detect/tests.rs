use std::fs;
use std::process::Command;

use super::*;

/// Lays files out.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = temp.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    temp
}

fn git(root: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
    ]);
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// One line for each stack: kind, manifest, name, version, tools.
fn lines(root: &Path) -> Vec<String> {
    let project = detect(root).unwrap();
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let line = |found: &Found| {
        let Found { stack, folder: _, manifest, name, version, scripts: _, requires: _, tools } = found;
        format!("{stack:?} {manifest} {} {} {}", word(name), word(version), tools.join(","))
    };
    project.stacks.iter().map(line).collect()
}

#[test]
fn every_stack_is_found_in_order() {
    let temp = tree(&[
        (".gitignore", "ignored/\n"),
        (
            "package.json",
            r#"{"name":"web","version":"1.2.3","scripts":{"test":"vitest","odd":1},
            "devDependencies":{"eslint":"9","@playwright/test":"1"},"packageManager":"pnpm@9.1.0"}"#,
        ),
        ("package-lock.json", "{}"),
        ("tsconfig.json", "{}"),
        ("api/go.mod", "// first\nmodule example.com/api // last\n\ngo 1.22\n"),
        ("api/.golangci.yml", ""),
        (
            "shop/app/composer.json",
            r#"{"name":"a/shop","require-dev":{"PHPUnit/phpunit":"^11","phpstan/phpstan":"*"},
            "scripts":{"test":["phpunit","phpstan"],"fix":"php-cs-fixer fix"}}"#,
        ),
        ("shop/app/.php-cs-fixer.dist.php", ""),
        ("deep/er/still/Cargo.toml", "[package]\nname = 'too-deep'"),
        ("ignored/package.json", "{}"),
        ("node_modules/x/package.json", "{}"),
        (".hidden/go.mod", "module hidden"),
    ]);
    let expected = [
        "Npm package.json web 1.2.3 eslint,playwright,pnpm,typescript",
        "Go api/go.mod example.com/api - golangci-lint",
        "Php shop/app/composer.json a/shop - php-cs-fixer,phpstan,phpunit",
    ];
    assert_eq!(lines(temp.path()), expected);
    let project = detect(temp.path()).unwrap();
    assert_eq!((project.name.as_str(), &project.git), ("web", &None));
    assert_eq!(project.stacks[0].scripts, BTreeMap::from([("test".into(), "vitest".into())]));
    assert_eq!(project.stacks[2].scripts["test"], "phpunit && phpstan");
}

#[test]
fn what_manifests_ask_of_tools_is_found() {
    let temp = tree(&[
        ("package.json", r#"{"engines":{"node":">=18 <23","npm":"^10","vscode":"^1.80","yarn":7}}"#),
        ("api/go.mod", "module a\n\ngo 1.22.1 // least\ntoolchain go1.23.0\n"),
        ("shop/composer.json", r#"{"require":{"php":"^8.1 || ~8.2.0","ext-json":"*"}}"#),
        ("tool/pyproject.toml", "[project]\nname = 't'\nrequires-python = '>=3.9,<4'\n"),
        ("poet/pyproject.toml", "[tool.poetry]\nname = 'p'\n[tool.poetry.dependencies]\npython = '^3.10'\n"),
        ("old/setup.cfg", "[metadata]\nname = old\n[options]\npython_requires = >=3.6\n"),
        ("rust/Cargo.toml", "[workspace.package]\nrust-version = '1.85'\n"),
        ("bare/Cargo.toml", "[package]\nname = 'bare'\nrust-version.workspace = true\n"),
    ]);
    let project = detect(temp.path()).unwrap();
    let asked: Vec<String> = project
        .stacks
        .iter()
        .flat_map(|found| {
            found.requires.iter().map(|(tool, range)| format!("{}: {tool} {range}", found.manifest))
        })
        .collect();
    let expected = [
        "package.json: node >=18 <23",
        "package.json: npm ^10",
        "api/go.mod: go >=1.22.1",
        "old/setup.cfg: python >=3.6",
        "poet/pyproject.toml: python ^3.10",
        "rust/Cargo.toml: rustc >=1.85",
        "shop/composer.json: php ^8.1 || ~8.2.0",
        "tool/pyproject.toml: python >=3.9,<4",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_workspace_counts_once() {
    let temp = tree(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = ['a']\nexclude = ['./fuzz/']\n[workspace.package]\nversion = '0.3.0'",
        ),
        ("clippy.toml", ""),
        ("a/Cargo.toml", "[package]\nname = 'a'\nversion.workspace = true"),
        ("crates/b/Cargo.toml", "[package]\nname = 'b'"),
        (
            "fuzz/Cargo.toml",
            "[package]\nname = 'fuzz'\nversion = '0.0.1'\n[dev-dependencies]\nproptest = '1'",
        ),
        ("other/Cargo.toml", "[workspace]\n[package]\nname = 'other'"),
        ("site/package.json", r#"{"name":"site","workspaces":["packages/*"],"private":true}"#),
        ("site/packages/package.json", r#"{"name":"not-a-member"}"#),
        ("site/yarn.lock", ""),
        ("web/pnpm-workspace.yaml", "packages:\n  - 'ui'\n  - '!x'\n"),
        ("web/package.json", "{}"),
        ("web/ui/package.json", "{}"),
        ("web/x/package.json", "{}"),
    ]);
    let expected = [
        "Cargo Cargo.toml - 0.3.0 clippy",
        "Cargo fuzz/Cargo.toml fuzz 0.0.1 proptest",
        "Cargo other/Cargo.toml other - ",
        "Npm site/package.json site - yarn",
        "Npm web/package.json - - pnpm",
        "Npm site/packages/package.json not-a-member - ",
        "Npm web/x/package.json - - ",
    ];
    assert_eq!(lines(temp.path()), expected);
    let folder = temp.path().canonicalize().unwrap();
    assert_eq!(detect(&folder).unwrap().name, folder.file_name().unwrap().to_str().unwrap());
}

#[test]
fn python_in_all_its_ways() {
    let temp = tree(&[
        (
            "a/pyproject.toml",
            "[project]\nname = 'a'\nversion = '1.0'\ndependencies = ['httpx>=0.2']\n\
            [project.optional-dependencies]\ndev = ['pytest-cov[x]>=1', 'Black==24']\n\
            [tool.ruff.lint]\nselect = ['E']\n[tool.hatch.build]\nx = 1\n[dependency-groups]\nlint = ['mypy', {include-group = 'x'}]",
        ),
        ("a/uv.lock", ""),
        (
            "b/pyproject.toml",
            "[tool.poetry]\nname = 'b'\nversion = '2.0'\n[tool.poetry.group.dev.dependencies]\npytest = '^8'",
        ),
        (
            "c/setup.cfg",
            "[metadata]\nname = c\nversion = attr: c.VERSION\n[options.extras_require]\ndev =\n    flake8\n[tool:pytest]\n[mypy-x.*]\n",
        ),
        (
            "d/setup.py",
            "if __name__ == '__main__':\n  setup(project_name=1, name = \"d\", python_version='3', version=v)",
        ),
        ("d/tox.ini", "[pytest]\n"),
        ("e/requirements.txt", "# all\n-r other.txt\nruff\nisort~=5\n"),
        ("e/requirements-dev.txt", "pyright"),
        ("f/requirements.txt", "pytest"),
        ("f/.venv/bin/python3", ""),
        ("f/.venv/bin/ruff", ""),
    ]);
    let expected = [
        "Python a/pyproject.toml a 1.0 black,mypy,pytest,ruff,uv",
        "Python b/pyproject.toml b 2.0 poetry,pytest",
        "Python c/setup.cfg c - flake8,mypy,pytest",
        "Python d/setup.py d - pytest,tox",
        "Python e/requirements.txt - - isort,pyright,ruff",
        "Python f/requirements.txt - - .venv/bin/python3,.venv/bin/ruff,pytest",
    ];
    assert_eq!(lines(temp.path()), expected);
}

#[test]
fn malformed_manifests_fail_nothing() {
    let temp = tree(&[
        ("Cargo.toml", "[package\nname"),
        ("package.json", "{\"name\": "),
        ("package-lock.json", "{}"),
        ("pyproject.toml", "= ="),
        ("composer.json", "[1, 2]"),
        ("go.mod", "no module here"),
        (
            "a/package.json",
            r#"{"name":7,"version":[],"scripts":[],"workspaces":{"packages":"x"},"devDependencies":"y"}"#,
        ),
        ("b/package.json", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("c/Cargo.toml", "package = 1\nworkspace = 2\ndependencies = []"),
        ("e/Cargo.toml", &format!("a = {}", "[".repeat(100_000))),
        ("d/pyproject.toml", "project = []\ntool = 1\ndependency-groups = {a = 'b'}"),
    ]);
    fs::write(temp.path().join("b/composer.json"), b"\xff\xfe{}").unwrap();
    fs::write(temp.path().join("c/package.json"), vec![b' '; 5 << 20]).unwrap();
    fs::create_dir_all(temp.path().join("d/package.json")).unwrap();
    std::os::unix::fs::symlink("loop", temp.path().join("loop")).unwrap();
    let expected = [
        "Cargo Cargo.toml - - ",
        "Npm package.json - - ",
        "Python pyproject.toml - - ",
        "Php composer.json - - ",
        "Go go.mod - - ",
        "Npm a/package.json - - ",
        "Npm b/package.json - - ",
        "Php b/composer.json - - ",
        "Cargo c/Cargo.toml - - ",
        "Npm c/package.json - - ",
        "Python d/pyproject.toml - - ",
        "Cargo e/Cargo.toml - - ",
    ];
    assert_eq!(lines(temp.path()), expected);
    assert!(
        detect(&temp.path().join("absent")).unwrap_err().to_string().contains("absent` could not be read")
    );
    assert!(detect(&temp.path().join("go.mod")).is_err());
}

#[test]
fn a_large_tree_is_bounded() {
    let temp = tree(&[]);
    for n in 0..300 {
        fs::create_dir(temp.path().join(format!("{n:03}"))).unwrap();
        fs::write(temp.path().join(format!("{n:03}/go.mod")), format!("module m{n}")).unwrap();
    }
    assert_eq!(detect(temp.path()).unwrap().stacks.len(), 199, "the root is one of 200 folders");
}

#[test]
fn the_state_of_git() {
    let temp = tree(&[("sub/go.mod", "module sub")]);
    let root = temp.path();
    git(root, &["init", "-q", "-b", "main"]);
    let look = |at: &Path| detect(at).unwrap().git.unwrap();
    let unborn = look(root);
    assert_eq!((unborn.branch.as_deref(), unborn.head), (Some("main"), None));
    assert_eq!(unborn.main.as_deref(), Some("main"));

    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "first"]);
    git(root, &["checkout", "-qb", "feature/x"]);
    git(root, &["remote", "add", "origin", "https://me:hunter2@example.com/a.git"]);
    git(root, &["remote", "add", "up.stream", "../other"]);
    let found = look(&root.join("sub"));
    assert_eq!(found.branch.as_deref(), Some("feature/x"));
    assert_eq!(found.head, Some(git(root, &["rev-parse", "HEAD"])));
    assert_eq!(found.main.as_deref(), Some("main"));
    let expected = [("origin", "https://***@example.com/a.git"), ("up.stream", "../other")];
    assert_eq!(found.remotes, BTreeMap::from(expected.map(|(name, url)| (name.into(), url.into()))));

    git(root, &["update-ref", "refs/remotes/origin/trunk", "HEAD"]);
    git(root, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    git(root, &["checkout", "-q", "--detach"]);
    let found = look(root);
    assert_eq!((found.branch, found.main.as_deref()), (None, Some("trunk")));
    assert!(found.head.is_some());
}
