//! Runs that go on in another checkout: brought there whole and checked, by one machine at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::{files, sharing};
use crate::support::{Folder, Said, ended, kill, output, until};

const WAITS: &str = "\
version: 1
phases:
  - name: p
    groups:
      - name: g
        execution: sequential
        tasks:
          - {id: before, run: 'echo ran | tee -a before.txt'}
          - {id: gate, uses: ask, needs: [before], with: {signal: yes-please}}
          - {id: behind, needs: [gate], run: 'touch behind.txt'}
";

/// Says that it began, then waits for a file.
const SLOW: &str = "\
version: 1
phases:
  - name: p
    groups:
      - name: g
        execution: sequential
        tasks:
          - {id: quick, run: 'echo ran >> quick.txt'}
          - {id: slow, needs: [quick], run: 'touch begun; until [ -e go ]; do sleep 0.05; done'}
";

fn say(checkout: &Folder, team: &Folder, args: &str) -> Said {
    output(sharing(checkout, team.path(), args))
}

fn start(checkout: &Folder, team: &Folder, args: &str) -> Child {
    let mut command = sharing(checkout, team.path(), args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn id(team: &Folder) -> String {
    let mut runs = fs::read_dir(team.path().join("runs")).unwrap();
    runs.next().expect("a run is shared").unwrap().file_name().into_string().unwrap()
}

fn exists(checkout: &Folder, name: &str) -> bool {
    checkout.path().join(name).exists()
}

/// A shared run that was stopped while `slow` ran.
fn stopped() -> (Folder, String) {
    let (team, one) = (Folder::new(), Folder::git(SLOW));
    let run = start(&one, &team, "run");
    until("it begins", || exists(&one, "begun"));
    kill(run.id(), rustix::process::Signal::TERM);
    ended(run).exits(143);
    let id = id(&team);
    (team, id)
}

/// The lease that counts.
fn lease(team: &Folder, id: &str) -> PathBuf {
    let mut all = files(&team.path().join("runs").join(id).join("leases"));
    all.sort_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap());
    all.pop().unwrap()
}

#[test]
fn a_run_that_waits_goes_on_in_another_checkout() {
    let (team, one, two) = (Folder::new(), Folder::git(WAITS), Folder::git(WAITS));
    say(&one, &team, "run").exits(4);
    let id = id(&team);
    say(&two, &team, "runs").exits(0).says(&[&id, "waiting for a person (shared by"]);
    let line = say(&two, &team, "runs --format json").exits(0).json();
    assert_eq!((&line[0]["run"], &line[0]["shared"]["pipeline"].is_string()), (&id.as_str().into(), &true));
    say(&two, &team, &format!("status {id}")).exits(0).says(&["Shall it go on?"]);
    let logs = say(&two, &team, &format!("logs {} before", &id[15..])).exits(0);
    assert!(logs.out.contains("ran"), "{}", logs.out);
    say(&two, &team, &format!("signal {id} yes-please")).exits(0);
    say(&two, &team, &format!("resume {id}")).exits(0).says(&["somebody said yes"]);
    assert!(exists(&two, "behind.txt") && !exists(&two, "before.txt"), "what had passed did not run again");
    // The first one sees how it went on, and cannot go on with what is over.
    say(&one, &team, &format!("status {id}")).exits(0).says(&["3 passed"]);
    say(&one, &team, &format!("resume {id}")).exits(2).says(&["is over"]);
    assert!(!exists(&one, "behind.txt"));
}

#[test]
fn a_run_that_was_stopped_goes_on_and_back_again() {
    let (team, id) = stopped();
    let (two, three) = (Folder::git(SLOW), Folder::git(SLOW));
    let run = start(&two, &team, &format!("resume {id}"));
    until("it begins", || exists(&two, "begun"));
    kill(run.id(), rustix::process::Signal::INT);
    ended(run).exits(130);
    three.write("go", "");
    say(&three, &team, &format!("resume {id}")).exits(0).says(&["2 passed"]);
    assert!(!exists(&three, "quick.txt"));
    say(&two, &team, &format!("status {id}")).exits(0).says(&["2 passed"]);
}

#[test]
fn a_run_that_is_cancelled_is_over_everywhere() {
    let (team, one, two) = (Folder::new(), Folder::git(WAITS), Folder::git(WAITS));
    say(&one, &team, "run").exits(4);
    let id = id(&team);
    say(&one, &team, "cancel").exits(0).says(&["is cancelled"]);
    say(&two, &team, &format!("resume {id}")).exits(2).says(&["is over"]);
}

#[test]
fn of_many_who_resume_one_gets_the_run() {
    for round in 0..3 {
        let (team, id) = stopped();
        let checkouts: Vec<Folder> = (0..4).map(|_| Folder::git(SLOW)).collect();
        let mut runs: Vec<(&Folder, Child)> =
            checkouts.iter().map(|folder| (folder, start(folder, &team, &format!("resume {id}")))).collect();
        let mut refused = Vec::new();
        until("all but one are refused", || {
            let over = runs.iter_mut().position(|(_, run)| run.try_wait().unwrap().is_some());
            refused.extend(over.map(|at| runs.swap_remove(at)));
            refused.len() == 3
        });
        for (folder, run) in refused {
            ended(run).exits(5).says(&["is being carried out elsewhere", "--take-over"]);
            assert!(!exists(folder, "begun"), "round {round}");
        }
        let (folder, run) = runs.pop().unwrap();
        folder.write("go", "");
        ended(run).exits(0);
    }
}

#[test]
fn a_lease_is_taken_over_or_runs_out() {
    let (team, id) = stopped();
    let (two, three) = (Folder::git(SLOW), Folder::git(SLOW));
    let second = start(&two, &team, &format!("resume {id}"));
    until("it begins", || exists(&two, "begun"));
    three.write("go", "");
    let resume = format!("resume {id}");
    say(&three, &team, &resume).exits(5).says(&["process", &second.id().to_string()]);
    say(&three, &team, &format!("{resume} --take-over")).exits(0).says(&["2 passed"]);
    two.write("go", "");
    // It ends here, and does not undo what the other one shared.
    let said = ended(second).exits(0);
    assert_eq!(said.err.matches("WARN").count(), 1, "{}", said.err);
    let said = say(&two, &team, &format!("status {id}")).exits(0);
    assert!(said.err.contains("do not continue each other"), "{}", said.err);
    say(&two, &team, &resume).exits(7).says(&["do not continue each other"]);

    let (team, id) = stopped();
    let (four, five) = (Folder::git(SLOW), Folder::git(SLOW));
    four.write("go", "");
    let mut held = start(&five, &team, &format!("resume {id}"));
    until("it begins", || exists(&five, "begun"));
    held.kill().unwrap();
    held.wait().unwrap();
    say(&four, &team, &format!("resume {id}")).exits(5);
    let path = lease(&team, &id);
    let mut seen: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    seen["until"] = "2020-01-01T00:00:00Z".into();
    fs::write(&path, seen.to_string()).unwrap();
    say(&four, &team, &format!("resume {id}")).exits(0).says(&["2 passed"]);
    // What is no lease keeps the run, too.
    fs::write(lease(&team, &id), "garbage").unwrap();
    say(&four, &team, &format!("resume {id}")).exits(5).says(&["cannot be read"]);
}

#[test]
fn a_damaged_run_is_not_brought() {
    let (team, id) = stopped();
    let folder = team.path().join("runs").join(&id);
    let all: Vec<PathBuf> =
        files(&folder.join("files")).into_iter().chain([folder.join("manifest")]).collect();
    assert!(all.len() >= 3, "{all:?}");
    for path in all {
        let whole = fs::read(&path).unwrap();
        let damages: [&dyn Fn(&Path); 3] = [
            &|path| {
                let mut bytes = whole.clone();
                match bytes.last_mut() {
                    Some(last) => *last ^= 1,
                    None => bytes.push(1),
                }
                fs::write(path, bytes).unwrap();
            },
            &|path| fs::write(path, [whole.as_slice(), b"more"].concat()).unwrap(),
            &|path| fs::write(path, "x").unwrap(),
        ];
        for damage in damages {
            damage(&path);
            let two = Folder::git(SLOW);
            say(&two, &team, &format!("resume {id}")).exits(7).says(&["is damaged and is not used"]);
            say(&two, &team, &format!("status {id}")).exits(7);
            let runs = two.path().join(".orchestrate/runs");
            assert!(!runs.exists() || files(&runs).is_empty(), "{}", path.display());
        }
        fs::write(&path, &whole).unwrap();
    }
    let two = Folder::git(SLOW);
    two.write("go", "");
    say(&two, &team, &format!("resume {id}")).exits(0);
}

#[test]
fn who_may_not_write_looks_and_does_not_resume() {
    let (team, id) = stopped();
    let two = Folder::git(&SLOW.replace("version: 1", "version: 1\nsettings: {shared: {write: false}}"));
    say(&two, &team, &format!("status {id}")).exits(0).says(&["slow"]);
    say(&two, &team, &format!("resume {id}")).exits(2).says(&["shared.write", "lease"]);
}

#[test]
fn runs_here_are_seen_when_the_shared_folder_is_not() {
    let (team, one) = (Folder::new(), Folder::git(WAITS));
    say(&one, &team, "run").exits(4);
    let id = id(&team);
    let gone = Folder::new();
    let away = gone.path().join("not-mounted");
    let said = |args: &str| output(sharing(&one, &away, args));
    for args in ["runs", "status", &format!("status {id}")] {
        let said = said(args).exits(0).says(&[&id]);
        assert_eq!(said.err.matches("does not exist").count(), 1, "{}", said.err);
    }
    // Whether another machine goes on with it cannot be told.
    said("resume").exits(7).says(&["does not exist"]);
    one.orchestrate("signal latest yes-please").exits(0);
    said("resume --take-over").exits(0).says(&["goes on without a lease", "3 passed"]);
    // A dry run is nobody else's business.
    let other = Folder::new();
    say(&one, &other, "run --dry-run").exits(3);
    assert!(!other.path().join("runs").exists());
}
