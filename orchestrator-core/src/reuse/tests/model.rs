//! Random edits and reruns against a model: whatever was reused, outputs and files are what they would be without.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What may happen to the tree between two runs.
#[derive(Debug, Clone)]
enum Edit {
    /// A file of that number gets that content.
    Write(usize, u8),
    /// The same, and size and times stay as they were.
    Sneak(usize, u8),
    Remove(usize),
    Touch(usize),
    /// A folder is renamed and back, with all in it.
    Rename,
    /// What a task made is removed or spoilt.
    RemoveMade(usize),
    SpoilMade(usize),
    /// The memo of what was looked at is lost.
    Forget,
    Nothing,
}

const FILES: [&str; 6] = ["a/1.txt", "a/2.txt", "b/1.txt", "b/deep/2.txt", "c.txt", "a/3.md"];
const MADE: [&str; 3] = ["out/a", "out/b", "out/all"];

fn tasks() -> Vec<TaskSpec> {
    let cat = |what: &str| format!("mkdir -p out; cat {what} 2>/dev/null");
    let mut last = shell("last", "", &["c.txt"], &[]);
    last.with = json!({ "line": { "from": "line" }, "effect": "reads" });
    vec![
        shell("a", &format!("{} > out/a || true", cat("a/*.txt")), &["a/*.txt"], &["out/a"]),
        shell("b", &format!("{} > out/b || true", cat("$(find b -type f | sort)")), &["b"], &["out/b"]),
        shell(
            "all",
            "cat out/a out/b c.txt > out/all 2>/dev/null || true",
            &["out/*", "!out/all", "c.txt"],
            &["out/all"],
        ),
        shell("line", "printf 'echo '; cat a/3.md 2>/dev/null || true", &["a/3.md"], &[]),
        last,
    ]
}

/// What the tasks give, by the files alone.
fn expected(files: &BTreeMap<usize, u8>) -> [String; 4] {
    let of = |numbers: &[usize]| -> String {
        numbers.iter().filter_map(|at| files.get(at)).map(|content| (*content as char).to_string()).collect()
    };
    let (a, b) = (of(&[0, 1]), of(&[2, 3]));
    let all = format!("{a}{b}{}", of(&[4]));
    [a, b, all, format!("{}\n", of(&[5]))]
}

fn perform(root: &Path, edit: &Edit, files: &mut BTreeMap<usize, u8>) {
    match edit {
        Edit::Write(at, content) => {
            put(root, FILES[*at], &(*content as char).to_string());
            files.insert(*at, *content);
        }
        Edit::Sneak(at, content) => {
            let path = root.join(FILES[*at]);
            if let Ok(meta) = path.metadata() {
                std::fs::write(&path, [*content]).unwrap();
                std::fs::File::open(&path).unwrap().set_modified(meta.modified().unwrap()).unwrap();
                files.insert(*at, *content);
            }
        }
        Edit::Remove(at) => {
            let _ = std::fs::remove_file(root.join(FILES[*at]));
            files.remove(at);
        }
        Edit::Touch(at) => {
            if let Ok(file) = std::fs::File::open(root.join(FILES[*at])) {
                file.set_modified(std::time::SystemTime::now()).unwrap();
            }
        }
        Edit::Rename => {
            let _ = std::fs::rename(root.join("b"), root.join("z"));
            let _ = std::fs::rename(root.join("z"), root.join("b"));
        }
        Edit::RemoveMade(at) => drop(std::fs::remove_file(root.join(MADE[*at]))),
        Edit::SpoilMade(at) => {
            if root.join(MADE[*at]).exists() {
                put(root, MADE[*at], "spoilt");
            }
        }
        Edit::Forget => drop(std::fs::remove_file(root.join(".orchestrate/cache/look"))),
        Edit::Nothing => {}
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let file = 0..FILES.len();
    let content = prop_oneof![Just(b'x'), Just(b'y')];
    prop_oneof![
        4 => (file.clone(), content.clone()).prop_map(|(at, content)| Edit::Write(at, content)),
        2 => (file.clone(), content).prop_map(|(at, content)| Edit::Sneak(at, content)),
        2 => file.clone().prop_map(Edit::Remove),
        1 => file.prop_map(Edit::Touch),
        1 => Just(Edit::Rename),
        1 => (0..MADE.len()).prop_map(Edit::RemoveMade),
        1 => (0..MADE.len()).prop_map(Edit::SpoilMade),
        1 => Just(Edit::Forget),
        1 => Just(Edit::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_reused_result_is_never_a_stale_one(
        rounds in proptest::collection::vec((proptest::collection::vec(edit(), 0..3), any::<bool>()), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("b/deep")).unwrap();
        std::fs::create_dir_all(root.join("a")).unwrap();
        let mut files = BTreeMap::new();
        for (edits, wait) in rounds {
            // Edits right after a run, and edits that leave a trace in the times of files.
            if wait {
                settle();
            }
            for edit in &edits {
                perform(root, edit, &mut files);
            }
            let record = runtime.block_on(run(root, tasks()));
            prop_assert!(record.state.tasks().iter().all(|task| task.outcome().is_some_and(Outcome::is_success)));
            let made = MADE.map(|path| read(root, path));
            let last = record.state.tasks()[4].output().unwrap().parse::<String>().unwrap();
            let [a, b, all, line] = expected(&files);
            prop_assert_eq!((&made[0], &made[1], &made[2], &last), (&a, &b, &all, &line));
            // What nothing happened to is not done again.
            let again = runtime.block_on(run(root, tasks()));
            prop_assert_eq!(outcomes(&again), vec!["cached"; 5]);
        }
    }
}
