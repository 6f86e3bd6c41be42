//! Structural merges with mergiraf itself: `ORCHESTRATE_TEST_MERGIRAF` names the folder that it is in.

use super::*;

/// What all start from, ours and theirs of a file, and its name.
fn rig(name: &str, sides: [&str; 3]) -> Rig {
    let mut rig = Rig::new();
    let mut path = std::env::var_os("ORCHESTRATE_TEST_MERGIRAF").expect("it names a folder");
    let own = rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
    path.push(":");
    path.push(&own.1);
    own.1 = path;
    rig.write(name, sides[0]);
    rig.commit("feat: start");
    rig.branch("feature", name, sides[2], "feat: theirs");
    rig.write(name, sides[1]);
    rig.commit("feat: ours");
    rig
}

/// Neighbouring lines of a function, where lines conflict and calls do not.
#[cfg(feature = "editing")]
#[tokio::test]
#[ignore = "needs mergiraf, which takes minutes to build: not part of tests/run"]
async fn needs_mergiraf_neighbours_in_a_function_are_merged() {
    let name = "src/a.rs";
    let text = |one: &str, two: &str| format!("fn a() {{\n    one({one});\n    two({two});\n}}\n");
    let rig = rig(name, [&text("", ""), &text("1", ""), &text("", "2")]);
    let before = all_of_the_user(&rig);
    let merged = merge(&rig, "feature").await.unwrap();
    let solved: Vec<(&str, &str)> = merged.solved.iter().map(|one| (&*one.path, &*one.rule)).collect();
    assert_eq!((merged.conflict, solved), (None, vec![(name, "mergiraf")]));
    assert_eq!(rig.git(&["show", &format!("{}:{name}", merged.commit)]), text("1", "2").trim_end());
    assert_eq!((all_of_the_user(&rig), worktrees(&rig)), (before, 1));
}

/// Formats that can be read without that feature.
#[tokio::test]
#[ignore = "needs mergiraf, which takes minutes to build: not part of tests/run"]
async fn needs_mergiraf_keys_of_a_file_are_merged() {
    let name = "a.json";
    let text = |one: u32, two: u32| format!("{{\n  \"one\": {one},\n  \"two\": {two}\n}}\n");
    let rig = rig(name, [&text(0, 0), &text(1, 0), &text(0, 2)]);
    let merged = merge(&rig, "feature").await.unwrap();
    assert_eq!(merged.conflict, None);
    assert_eq!(merged.solved[0].rule, "mergiraf");
    assert_eq!(rig.git(&["show", &format!("{}:{name}", merged.commit)]), text(1, 2).trim_end());
}

/// What is a conflict by its structure too is a person's, as git left it.
#[tokio::test]
#[ignore = "needs mergiraf, which takes minutes to build: not part of tests/run"]
async fn needs_mergiraf_one_value_changed_twice_is_left() {
    let text = |one: u32| format!("{{\n  \"one\": {one}\n}}\n");
    let rig = rig("a.json", [&text(0), &text(1), &text(2)]);
    let before = all_of_the_user(&rig);
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    assert_eq!(conflict.files[0].why, "mergiraf: it is a conflict by its structure too");
    let at = rig.root.join(&conflict.folder).join("a.json");
    assert!(std::fs::read_to_string(at).unwrap().contains("<<<<<<<"));
    assert_eq!(all_of_the_user(&rig), before);
}

/// A language that cannot be read here is not merged by its structure, since the result could not be checked.
#[tokio::test]
#[ignore = "needs mergiraf, which takes minutes to build: not part of tests/run"]
async fn needs_mergiraf_what_cannot_be_checked_is_left() {
    let text = |one: &str, two: &str| format!("class A {{\n    int one = {one};\n    int two = {two};\n}}\n");
    let rig = rig("A.java", [&text("0", "0"), &text("1", "0"), &text("0", "2")]);
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    assert_eq!(conflict.files[0].why, "no rule is about it");
}
