use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;

use super::{Machine, has};
use crate::environment::{
    CheckDependencies, CheckDependenciesConfig, CheckVenv, CheckVenvConfig, Manager, Probing,
};

fn of(manager: Manager, remedy: Remedies) -> CheckDependenciesConfig {
    CheckDependenciesConfig { remedy, ..CheckDependenciesConfig::new(manager, RelPath::root()) }
}

#[tokio::test]
async fn npm_installs_what_is_locked() {
    if !has("npm") {
        return;
    }
    let mut machine = Machine::new();
    machine.rig.write(".gitignore", "node_modules\n");
    machine.rig.write("package.json", r#"{"name":"x","version":"1.0.0","dependencies":{"dep":"file:dep"}}"#);
    machine.rig.write("dep/package.json", r#"{"name":"dep","version":"1.0.0"}"#);
    let lock = ["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"];
    assert!(machine.rig.command("npm", &lock, &machine.rig.root).status.success());
    let before = machine.rig.read("package-lock.json");
    let check = || Probing(CheckDependencies);
    machine
        .check(check(), of(Manager::Npm, Remedies::Off))
        .await
        .fails()
        .says(&["missing: dep@file:dep", "would help: `npm ci --no-audit --no-fund`"]);
    assert!(!machine.rig.root.join("node_modules").exists());
    let came = machine.check(check(), of(Manager::Npm, Remedies::Auto)).await.passes();
    assert_eq!(came.rounds.len(), 2);
    came.says(&["the dependencies were installed (`npm ci", "dependencies.problems = 0"]);
    assert!(machine.rig.root.join("node_modules/dep").exists());
    assert_eq!(machine.rig.read("package-lock.json"), before);
    assert_eq!(machine.check(check(), of(Manager::Npm, Remedies::Auto)).await.passes().rounds.len(), 1);
}

/// A wheel of a package that has nothing in it.
fn wheel(machine: &Machine, name: &str, version: &str) -> String {
    let file = format!("wheels/{name}-{version}-py3-none-any.whl");
    let script = format!(
        "import os, zipfile\nos.makedirs('wheels', exist_ok=True)\nw = zipfile.ZipFile('{file}', 'w')\n\
         i = '{name}-{version}.dist-info/'\nw.writestr('{name}.py', '')\n\
         w.writestr(i + 'METADATA', 'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n')\n\
         w.writestr(i + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         w.writestr(i + 'RECORD', '')\nw.close()\n"
    );
    let made = machine.rig.command("python3", &["-c", &script], &machine.rig.root);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    file
}

#[tokio::test]
async fn pip_installs_what_is_required() {
    if !has("python3") {
        return;
    }
    let mut machine = Machine::new();
    machine.set("PIP_CONFIG_FILE", "/dev/null");
    wheel(&machine, "tiny", "1.0");
    machine.rig.write("requirements.txt", "# ours\ntiny>=1.0\n");
    machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.passes();
    let links = machine.rig.root.join("wheels").display().to_string();
    let check = || Probing(CheckDependencies);
    machine
        .check(check(), of(Manager::Pip, Remedies::Off))
        .await
        .fails()
        .says(&["tiny", "would help: `.venv/bin/python -I -m pip"]);
    // Where it may be installed from, without a network; isolated, pip takes this from a file.
    machine.set("PIP_NO_INDEX", "1");
    machine.set("PIP_FIND_LINKS", &links);
    let came = machine.check(check(), of(Manager::Pip, Remedies::Auto)).await;
    let came = came.passes();
    assert_eq!(came.rounds.len(), 2);
    came.says(&["the dependencies were installed", "dependencies.problems = 0"]);
    machine.rig.write("requirements.txt", "tiny>=2\n");
    machine.check(check(), of(Manager::Pip, Remedies::Auto)).await.fails().says(&["the remedy did not work"]);
    machine.rig.write("requirements.txt", "-e .\n");
    machine
        .check(check(), of(Manager::Pip, Remedies::Auto))
        .await
        .passes()
        .says(&["not run: the requirements name folders"]);
}

#[tokio::test]
async fn uv_and_composer_are_read_by_code_and_json() {
    let mut machine = Machine::bare();
    machine.set("PATH", &format!("{}/bin:/usr/bin:/bin", machine.rig.home.display()));
    // As uv does: 1 where the environment would change.
    machine.program("uv", "case $* in *--check*) test -e synced;; *) touch synced;; esac");
    let check = || Probing(CheckDependencies);
    let came = machine.check(check(), of(Manager::Uv, Remedies::Auto)).await.passes();
    assert_eq!(came.rounds[1][0], "run uv sync --locked --inexact [writes]");
    machine.program("uv", "echo 'error: unexpected argument' >&2; exit 2");
    let came = machine.check(check(), of(Manager::Uv, Remedies::Auto)).await.fails();
    assert_eq!(came.rounds.len(), 1, "what is not known is not mended");
    // As Composer does: two lists.
    let composer = r#"case $* in
      *--locked*) echo '{"locked": [{"name": "a/b", "version": "1.0.0"}, {"name": "c/d", "version": "v2"}]}';;
      show*) test -e vendor && echo '{"installed": [{"name": "a/b", "version": "1.0.0"}, {"name": "c/d", "version": "v2"}]}' || echo '{"installed": [{"name": "a/b", "version": "0.9"}]}';;
      install*) mkdir vendor;;
    esac"#;
    machine.program("composer", composer);
    machine.check(check(), of(Manager::Composer, Remedies::Off)).await.fails().says(&[
        "a/b 1.0.0 is wanted, 0.9 is installed",
        "c/d v2 is not installed",
        "dependencies.problems = 2",
    ]);
    machine.check(check(), of(Manager::Composer, Remedies::Auto)).await.passes().says(&["were installed"]);
    machine.program("composer", "echo 'no composer.json' >&2; exit 1");
    machine.check(check(), of(Manager::Composer, Remedies::Auto)).await.fails().says(&["is not known"]);
}

#[tokio::test]
async fn managers_without_a_check_are_said_to_have_none() {
    let mut machine = Machine::bare();
    machine.set("PATH", &format!("{}/bin:/usr/bin:/bin", machine.rig.home.display()));
    let check = || Probing(CheckDependencies);
    for manager in [Manager::Cargo, Manager::Poetry] {
        machine
            .check(check(), of(manager, Remedies::Auto))
            .await
            .passes()
            .says(&["not run: ", "output null"]);
    }
    machine.program("pnpm", "mkdir -p node_modules && touch node_modules/.modules.yaml");
    machine
        .check(check(), of(Manager::Pnpm, Remedies::Off))
        .await
        .fails()
        .says(&["pnpm has installed nothing yet"]);
    let came = machine.check(check(), of(Manager::Pnpm, Remedies::Auto)).await.passes();
    came.says(&["not run: packages are installed", "mended: the dependencies were installed"]);
    machine.rig.write(".pnp.cjs", "");
    machine
        .check(check(), of(Manager::Yarn, Remedies::Auto))
        .await
        .passes()
        .says(&["not run: packages are installed"]);
}
