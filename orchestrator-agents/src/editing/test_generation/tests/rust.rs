//! The whole task for Rust, with the real cargo.

use serde_json::json;

use super::super::rust::tests::rig;
use super::rounds::run;
use crate::rig::Rig;

const SOURCE: &str = "pub fn half(number: i32) -> Option<i32> {\n    if number % 2 == 0 { Some(number / 2) } else { None }\n}\n\n\
                      pub fn today() -> u64 {\n    clock()\n}\n\nfn clock() -> u64 {\n    std::process::id().into()\n}\n";
const FILE: &str = "crates/halves/tests/half.rs";

fn halves(extra: &str) -> Rig {
    let rig = rig();
    let manifest =
        "[package]\nname = \"the-halves\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";
    rig.write("crates/halves/Cargo.toml", manifest);
    rig.write("crates/halves/src/lib.rs", &format!("pub mod half;\n{extra}"));
    rig.write("crates/halves/src/half.rs", SOURCE);
    rig
}

#[test]
fn what_cargo_passes_is_kept() {
    let rig = halves("");
    let config = json!({ "target": "crates/halves/src/half.rs" });
    let ended = run(&rig, config.clone()).unwrap();
    let output = ended.output();
    assert!(output.ran && output.cases.len() > 1, "{}", ended.summary());
    assert!(ended.summary().contains("they pass under cargo"), "{}", ended.summary());
    assert_eq!(output.needs_person.len(), 1, "{:?}", output.needs_person);
    assert_eq!(output.needs_person[0].what, "today");
    let text = rig.read(FILE);
    assert!(
        text.contains("use the_halves::half::half;\n") && text.contains("assert_eq!(half(7), None);"),
        "{text}"
    );
    let again = run(&rig, config).unwrap();
    assert!(again.summary().starts_with("already so: "), "{}", again.summary());
}

#[test]
fn a_crate_that_does_not_build_keeps_nothing() {
    let rig = halves("pub fn broken() -> u8 { \"text\" }\n");
    let ended = run(&rig, json!({ "target": "crates/halves/src/half.rs" })).unwrap();
    assert!(ended.verdict.is_err());
    let said = "`crates/halves/tests/half.rs` is not kept, so it was removed; cargo says: error[E0308]";
    assert!(ended.summary().starts_with(said), "{}", ended.summary());
    assert!(!rig.root.join(FILE).exists());
}
