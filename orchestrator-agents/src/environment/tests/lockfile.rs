use orchestrator_core::path::RelPath;

use super::{Machine, has};
use crate::environment::{CheckLockfile, CheckLockfileConfig, Manager, Probing};

fn of(manager: Manager) -> CheckLockfileConfig {
    CheckLockfileConfig { manager, cwd: RelPath::root(), require_lockfile: false }
}

#[tokio::test]
async fn a_lockfile_that_is_missing_is_said_with_what_makes_one() {
    let mut machine = Machine::bare();
    for (manager, lockfile, makes) in [
        (Manager::Uv, "uv.lock", "uv lock"),
        (Manager::Poetry, "poetry.lock", "poetry lock"),
        (Manager::Npm, "package-lock.json", "npm install --package-lock-only"),
        (Manager::Pnpm, "pnpm-lock.yaml", "pnpm install --lockfile-only"),
        (Manager::Cargo, "Cargo.lock", "cargo generate-lockfile"),
        (Manager::Composer, "composer.lock", "composer update --lock"),
    ] {
        let came = machine.check(Probing(CheckLockfile), of(manager)).await.passes();
        assert!(came.rounds[0].is_empty(), "nothing was run");
        came.says(&["not run: ", lockfile, makes, "output null"]);
        let required = CheckLockfileConfig { require_lockfile: true, ..of(manager) };
        machine.check(Probing(CheckLockfile), required).await.fails().says(&[lockfile, makes]);
    }
    machine
        .check(Probing(CheckLockfile), of(Manager::Pip))
        .await
        .passes()
        .says(&["not run: pip has no lockfile"]);
    machine.rig.write("yarn.lock", "");
    machine.check(Probing(CheckLockfile), of(Manager::Yarn)).await.passes().says(&["not run: ", "yarn"]);
}

#[tokio::test]
async fn a_check_that_cannot_run_has_not_passed() {
    let mut machine = Machine::bare();
    for (manager, lockfile) in
        [(Manager::Uv, "uv.lock"), (Manager::Npm, "package-lock.json"), (Manager::Cargo, "Cargo.lock")]
    {
        machine.rig.write(lockfile, "{}");
        machine
            .check(Probing(CheckLockfile), of(manager))
            .await
            .fails()
            .says(&["is not known", "not found on PATH"]);
    }
    machine.program("npm", "echo 'npm error code EBROKEN' >&2; echo '{\"error\": {\"code\": \"EBROKEN\", \"summary\": \"no luck\"}}'; exit 1");
    machine
        .check(Probing(CheckLockfile), of(Manager::Npm))
        .await
        .fails()
        .says(&["is not known", "EBROKEN no luck"]);
    machine.program("npm", "echo '{\"version\": \"1.0.0\"'; exit 0");
    machine.check(Probing(CheckLockfile), of(Manager::Npm)).await.fails().says(&["is not known"]);
}

#[tokio::test]
async fn exit_codes_are_told_apart() {
    let mut machine = Machine::bare();
    // Exit codes as the tools document them: out of sync, and anything else.
    for (manager, program, lockfile, out_of_sync, other) in [
        (Manager::Uv, "uv", "uv.lock", 1, 2),
        (Manager::Poetry, "poetry", "poetry.lock", 1, 2),
        (Manager::Pnpm, "pnpm", "pnpm-lock.yaml", 1, 127),
        (Manager::Composer, "composer", "composer.lock", 2, 3),
    ] {
        machine.rig.write(lockfile, "");
        machine.program(program, "exit 0");
        machine
            .check(Probing(CheckLockfile), of(manager))
            .await
            .passes()
            .says(&["is in sync", "lockfile.problems = 0"]);
        machine.program(program, &format!("echo 'it differs' >&2; exit {out_of_sync}"));
        machine
            .check(Probing(CheckLockfile), of(manager))
            .await
            .fails()
            .says(&["is not in sync", "it differs"]);
        machine.program(program, &format!("echo 'no network' >&2; exit {other}"));
        machine
            .check(Probing(CheckLockfile), of(manager))
            .await
            .fails()
            .says(&["is not known", "no network"]);
    }
}

#[tokio::test]
async fn cargo_says_for_itself() {
    let mut machine = Machine::new();
    machine.rig.write("Cargo.toml", "[package]\nname = 'x'\nversion = '0.1.0'\nedition = '2024'\n");
    machine.rig.write("src/lib.rs", "");
    machine.rig.write("dep/Cargo.toml", "[package]\nname = 'dep'\nversion = '0.1.0'\nedition = '2024'\n");
    machine.rig.write("dep/src/lib.rs", "");
    machine.set("CARGO_NET_OFFLINE", "true");
    assert!(machine.rig.command("cargo", &["generate-lockfile"], &machine.rig.root).status.success());
    let before = machine.rig.read("Cargo.lock");
    machine
        .check(Probing(CheckLockfile), of(Manager::Cargo))
        .await
        .passes()
        .says(&["`Cargo.lock` is in sync"]);
    let manifest = machine.rig.read("Cargo.toml") + "[dependencies]\ndep = { path = 'dep' }\n";
    machine.rig.write("Cargo.toml", &manifest);
    machine
        .check(Probing(CheckLockfile), of(Manager::Cargo))
        .await
        .fails()
        .says(&["not in sync", "cargo generate-lockfile"]);
    assert_eq!(machine.rig.read("Cargo.lock"), before, "a check changes nothing");
}

#[tokio::test]
async fn npm_says_for_itself() {
    if !has("npm") {
        return;
    }
    let mut machine = Machine::new();
    machine.rig.write("package.json", r#"{"name":"x","version":"1.0.0","dependencies":{"dep":"file:dep"}}"#);
    machine.rig.write("dep/package.json", r#"{"name":"dep","version":"1.0.0"}"#);
    let lock = ["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"];
    assert!(machine.rig.command("npm", &lock, &machine.rig.root).status.success());
    let before = machine.rig.read("package-lock.json");
    machine.check(Probing(CheckLockfile), of(Manager::Npm)).await.passes().says(&["is in sync"]);
    machine.rig.write(
        "package.json",
        r#"{"name":"x","version":"1.0.0","dependencies":{"dep":"file:dep","left-pad":"^1"}}"#,
    );
    machine
        .check(Probing(CheckLockfile), of(Manager::Npm))
        .await
        .fails()
        .says(&["not in sync", "missing: left-pad@^1"]);
    // npm ends with 0 here, and says so in its JSON.
    machine.rig.write("package.json", r#"{"name":"x","version":"1.0.0"}"#);
    machine
        .check(Probing(CheckLockfile), of(Manager::Npm))
        .await
        .fails()
        .says(&["not in sync", "extraneous: dep@1.0.0"]);
    assert_eq!(machine.rig.read("package-lock.json"), before, "a check changes nothing");
}
