//! The program as its users run it.

use std::process::Command;

#[test]
fn broken_links_fail_the_run_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("orchestration.yaml", include_str!("../orchestration.yaml"));
    write("a.md", "[b](b.md#part) and [the web](https://example.org)\n\n[c](./c.md) [out](../x.md)\n");
    write("b.md", "[a](a.md)\n");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_own-agent"));
        let output = command.args(["run", "--dry-run", "-C"]).arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("2 of 4 links lead nowhere"), "{said}");
    assert!(said.contains("a.md:3") && said.contains("there is no `./c.md`"), "{said}");
    write("a.md", "[b](b.md)\n");
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 links lead to files"), "{said}");
}
