//! The agents on a real project: their actions run as real processes, their outputs read.

use std::path::Path;

use orchestrator_core::agent::{Agent, Conclusion, Verdict};
use orchestrator_core::order::Artifacts;
use orchestrator_core::testkit::{Kept, task};

use crate::testing::{perform, ready};
use crate::validation::Check;
use crate::validation::cargo::{CargoBuild, CargoBuildConfig, CargoTest, CargoTestConfig};
use crate::validation::python::{PythonCompile, PythonCompileConfig};
use crate::validation::testing::look;

fn run<A: Agent>(agent: &A, config: A::Config, root: &Path) -> Verdict<A::Output> {
    let look = look(root);
    let mut task = task(config);
    task.carried = ready(agent.survey(&task, &look)).unwrap();
    let mut kept = Kept::default();
    let actions = ready(agent.plan(&task, &look)).unwrap();
    let receipts: Vec<_> = actions.iter().map(|action| perform(action, root, &mut kept)).collect();
    agent.conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap()
}

fn passed<O>(verdict: Verdict<O>) -> Conclusion<O> {
    match verdict {
        Verdict::Passed(conclusion) => conclusion,
        Verdict::Failed(conclusion) | Verdict::Skipped(conclusion) => panic!("{}", conclusion.summary),
        Verdict::More { .. } => panic!("tools run once"),
    }
}

#[test]
fn a_real_cargo_project() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir(root.join("src")).unwrap();
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    std::fs::write(root.join("Cargo.toml"), manifest).unwrap();
    let main = "fn main() {}\n\n#[test]\nfn works() {}\n\n#[test]\n#[ignore]\nfn slow() {}\n";
    std::fs::write(root.join("src/main.rs"), main).unwrap();

    let args = vec!["--offline".to_owned()];
    let config = CargoBuildConfig { args: args.clone(), ..CargoBuildConfig::default() };
    let built = passed(run(&Check(CargoBuild), config, root)).output.unwrap();
    assert_eq!(built.executables.len(), 1);
    assert_eq!(built.executables[0].path, "target/debug/tiny");

    let test = CargoTestConfig { args, ..CargoTestConfig::default() };
    let tested = passed(run(&Check(CargoTest), test.clone(), root));
    assert_eq!(tested.summary, "1 test passed, 1 ignored");
    assert!(tested.metrics[0].evidence.version.as_deref().unwrap().starts_with("cargo 1."));

    std::fs::write(root.join("src/main.rs"), main.replace("works() {}", "works() { panic!(\"boom\") }"))
        .unwrap();
    let Verdict::Failed(failed) = run(&Check(CargoTest), test, root) else { panic!("the test panics") };
    assert_eq!(failed.summary, "1 of 1 test failed: works");
    assert_eq!(failed.findings[0].message, "works: boom");
    assert_eq!((failed.findings[0].file.as_deref(), failed.findings[0].line), (Some("src/main.rs"), Some(4)));
}

#[test]
fn a_real_python_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("a.py"), "print('é')\n").unwrap();
    let compile = || run(&Check(PythonCompile), PythonCompileConfig::default(), root);
    assert_eq!(passed(compile()).summary, "1 file compiles");
    std::fs::write(root.join("b.py"), "def f(:\n").unwrap();
    let Verdict::Failed(failed) = compile() else { panic!("it does not parse") };
    assert_eq!(failed.summary, "1 of 2 files do not compile");
    assert_eq!(failed.findings[0].file.as_deref(), Some("b.py"));
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 2, "nothing is left behind");
}
