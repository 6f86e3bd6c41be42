//! What two checkouts share through a folder: results of tasks. Each checkout stands for a machine of its own.

mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Folder, Said, ended, output};

const PIPELINE: &str = "\
version: 1
settings: {shared: {timeout: 1s}}
phases:
  - name: only
    tasks:
      - id: make
        run: 'mkdir -p out && cat src/*.txt > out/all && chmod 755 out/all && echo printed'
        inputs: ['src/*.txt']
        outputs: [out/all]
      - {id: count, run: 'wc -c < out/all', effect: reads, inputs: [out/all]}
";

/// A checkout of the pipeline.
fn checkout() -> Folder {
    let folder = Folder::git(PIPELINE);
    folder.write("src/a.txt", "a\n");
    folder.write("src/b.txt", "b\n");
    folder
}

/// The program in a checkout, sharing that folder.
fn sharing(checkout: &Folder, shared: &Path, args: &str) -> Command {
    let mut command = checkout.program(args);
    command.env("ORCHESTRATE_SHARED", format!("file://{}", shared.display()));
    command
}

fn run(checkout: &Folder, shared: &Path) -> Said {
    output(sharing(checkout, shared, "run --format json")).exits(0)
}

/// How many tasks ended so.
#[track_caller]
fn count(said: &Said, outcome: &str) -> u64 {
    said.json().last().unwrap()["result"]["counts"][outcome].as_u64().unwrap_or(0)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// How often the shared cache was given up.
fn given_up(said: &Said) -> usize {
    said.err.matches("the shared cache does not answer").count()
}

#[test]
fn what_one_checkout_did_another_reuses() {
    let (team, one, two) = (Folder::new(), checkout(), checkout());
    let first = run(&one, team.path());
    assert_eq!((count(&first, "passed"), count(&first, "cached")), (2, 0));
    let second = run(&two, team.path());
    assert_eq!((count(&second, "passed"), count(&second, "cached")), (0, 2), "{}", second.out);
    assert_eq!(two.read("out/all"), "a\nb\n");
    let mode = fs::metadata(two.path().join("out/all")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o755);
    assert!(two.orchestrate("logs latest make").exits(0).out.contains("printed"));
    two.write("src/b.txt", "c\n");
    let third = run(&two, team.path());
    assert_eq!((count(&third, "passed"), count(&third, "cached")), (2, 0), "another input, another result");
    assert!(first.err.is_empty() && second.err.is_empty() && third.err.is_empty());
    // What was fetched is kept here: without the shared folder it is reused as well.
    two.write("src/b.txt", "b\n");
    let alone = two.orchestrate("run --format json").exits(0);
    assert_eq!(count(&alone, "cached"), 2);
}

#[test]
fn without_leave_to_write_nothing_is_put() {
    let (team, one) = (Folder::new(), checkout());
    one.write("orchestration.yaml", &PIPELINE.replace("timeout: 1s", "write: false"));
    let said = run(&one, team.path());
    assert_eq!(count(&said, "passed"), 2);
    assert_eq!(files(team.path()), Vec::<PathBuf>::new());
}

#[test]
fn damaged_results_are_reported_and_replaced() {
    let team = Folder::new();
    run(&checkout(), team.path());
    let whole = files(&team.path().join("cache"));
    assert!(whole.len() >= 4, "two entries and what they name: {whole:?}");
    for kind in ["entries", "blobs"] {
        for damage in ["flipped", "cut", "swapped", "empty"] {
            let broken = files(&team.path().join("cache").join(kind));
            let before: Vec<Vec<u8>> = broken.iter().map(|path| fs::read(path).unwrap()).collect();
            for (at, path) in broken.iter().enumerate() {
                let mut bytes = before[at].clone();
                match damage {
                    "flipped" => *bytes.last_mut().unwrap() ^= 1,
                    "cut" => bytes.truncate(bytes.len() - 1),
                    // Sound by itself, and not what was asked for.
                    "swapped" => bytes.clone_from(&before[(at + 1) % before.len()]),
                    _ => bytes.clear(),
                }
                fs::write(path, bytes).unwrap();
            }
            let one = checkout();
            let said = run(&one, team.path());
            let what = format!("{kind} {damage}\n{}", said.err);
            assert!(said.err.contains("damaged"), "{what}");
            assert_eq!((count(&said, "passed"), given_up(&said)), (2, 0), "{what}");
            assert_eq!(one.read("out/all"), "a\nb\n", "{what}");
            let healed = run(&checkout(), team.path());
            assert_eq!((count(&healed, "cached"), healed.err.as_str()), (2, ""), "{what}");
        }
    }
}

#[test]
fn a_folder_that_goes_away_is_told_once() {
    let (team, one) = (Folder::new(), checkout());
    let gone = team.path().join("mounted");
    fs::create_dir(&gone).unwrap();
    one.write("away.sh", &format!("rm -rf '{}'", gone.display()));
    let pipeline = PIPELINE.replace("run: 'mkdir", "run: 'sh away.sh && mkdir");
    one.write("orchestration.yaml", &pipeline);
    let said = run(&one, &gone);
    assert_eq!((count(&said, "passed"), given_up(&said)), (2, 1), "{}", said.err);
    assert!(!gone.exists(), "a folder that is not mounted is not made");
    let again = run(&one, &gone);
    assert_eq!(count(&again, "cached"), 2, "what is kept here is enough");
    // A file in its place.
    fs::write(&gone, "").unwrap();
    let other = checkout();
    let said = run(&other, &gone);
    assert_eq!((count(&said, "passed"), given_up(&said)), (2, 1), "{}", said.err);
}

/// A FIFO that nobody writes to hangs whoever opens it, like a server that does not answer.
#[test]
fn a_folder_that_hangs_is_told_once() {
    let team = Folder::new();
    run(&checkout(), team.path());
    for path in files(&team.path().join("cache/entries")) {
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    }
    let one = checkout();
    let said = run(&one, team.path());
    assert_eq!((count(&said, "passed"), given_up(&said)), (2, 1), "{}", said.err);
    assert!(said.err.contains("no answer within 1 s"), "{}", said.err);
    assert_eq!(one.read("out/all"), "a\nb\n");
}

#[test]
fn machines_race_for_one_result() {
    let (team, one, two) = (Folder::new(), checkout(), checkout());
    for round in 0..12 {
        let content = format!("round {round}\n").repeat(20_000);
        let started: Vec<_> = [&one, &two]
            .into_iter()
            .map(|checkout| {
                checkout.write("src/a.txt", &content);
                let mut command = sharing(checkout, team.path(), "run --format json");
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in started {
            let said = ended(child).exits(0);
            assert_eq!(said.err, "", "round {round}");
        }
        let third = checkout();
        third.write("src/a.txt", &content);
        let said = run(&third, team.path());
        assert_eq!((count(&said, "cached"), said.err.as_str()), (2, ""), "round {round}");
        assert_eq!(third.read("out/all"), format!("{content}b\n"));
    }
    let left: Vec<_> =
        files(team.path()).into_iter().filter(|path| path.to_string_lossy().ends_with(".new")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn addresses_that_cannot_be_used_are_said_before_anything_starts() {
    let one = checkout();
    let with = |url: &str| {
        let mut command = one.program("run");
        command.env("ORCHESTRATE_SHARED", url);
        output(command).exits(2)
    };
    with("s3://bucket/x").says(&["s3://bucket/x", "feature `shared`"]);
    with("redis://h/0").says(&["feature `shared`"]);
    with("team").says(&["shared.url", "file:///srv/team"]);
    let refused = with("redis://:hunter2@h/0").says(&["credentials"]);
    assert!(!refused.err.contains("hunter2"));
    assert!(!one.path().join(".orchestrate/runs").exists());
}
