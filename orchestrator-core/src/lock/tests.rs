use std::io::BufRead;
use std::process::{Command, Stdio};

use super::*;

fn owner(command: &str) -> Owner {
    Owner::here(RunId::new("20261120234433-00ff00ff").unwrap(), command)
}

#[test]
fn one_holds_it_and_the_other_is_told_who() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("locks/a.lock");
    assert!(!Lock::is_held(&path) && !path.exists());
    let first = owner("orchestrate run");
    let lock = Lock::acquire(&path, &first).unwrap();
    assert!(Lock::is_held(&path));
    assert_eq!(Lock::owner(&path).as_ref(), Some(&first));
    let error = Lock::acquire(&path, &owner("other")).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("held by run `20261120234433-00ff00ff` (process ")
            && said.contains("`orchestrate run`")
    );
    assert!(matches!(error, LockError::Held { owner: Some(holder), .. } if holder == first));
    assert_eq!(Lock::owner(&path).as_ref(), Some(&first), "a failed try leaves it be");
    drop(lock);
    assert_eq!(std::fs::read(&path).unwrap(), b"", "the owner is cleared");
    assert!(!Lock::is_held(&path));
    drop(Lock::acquire(&path, &first).unwrap());
}

#[test]
fn a_corrupt_owner_does_not_matter() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.lock");
    std::fs::write(&path, b"{\"run\": \xff torn").unwrap();
    let lock = Lock::acquire(&path, &owner("a")).unwrap();
    std::fs::write(&path, b"{\"run\": \xff torn").unwrap();
    let error = Lock::acquire(&path, &owner("b")).unwrap_err();
    assert!(error.to_string().ends_with("is held by another process"), "{error}");
    drop(lock);
}

#[test]
fn a_lock_that_outlives_its_owner_for_a_moment_is_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.lock");
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let write = |pid| {
        let text = serde_json::to_vec(&Owner { pid, ..owner("a") }).unwrap();
        std::fs::write(&path, text).unwrap();
        let file = File::open(&path).unwrap();
        file.lock().unwrap();
        file
    };
    let held = write(gone.id());
    let child = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        held.unlock().unwrap();
    });
    drop(Lock::acquire(&path, &owner("b")).unwrap());
    child.join().unwrap();
    // Whoever lives keeps it, and so does one who died while somebody goes on holding it.
    let held = write(std::process::id());
    assert!(matches!(Lock::acquire(&path, &owner("b")), Err(LockError::Held { .. })));
    held.unlock().unwrap();
    let _held = write(gone.id());
    assert!(matches!(Lock::acquire(&path, &owner("b")), Err(LockError::Held { .. })));
}

#[test]
fn a_folder_in_its_place_is_set_aside() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.lock");
    std::fs::create_dir_all(path.join("full/of")).unwrap();
    let lock = Lock::acquire(&path, &owner("a")).unwrap();
    assert!(Lock::is_held(&path));
    drop(lock);
    let aside = std::fs::read_dir(temp.path().join("set-aside")).unwrap().next().unwrap().unwrap();
    assert!(aside.path().join("full/of").is_dir());
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Lock::acquire(&file.join("a.lock"), &owner("a")).unwrap_err();
    assert!(error.to_string().contains("file/a.lock` could not be locked"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn waiting_tells_and_can_be_stopped() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.lock");
    let held = Lock::acquire(&path, &owner("first")).unwrap();
    let stop = Stop::new();
    let waiter = tokio::spawn({
        let (path, stop) = (path.clone(), stop.clone());
        async move {
            let mut told = Vec::new();
            let mut on_wait =
                |holder: Option<&Owner>| told.extend(holder.map(|holder| holder.command.clone()));
            let got = Lock::wait(&path, &owner("second"), &mut on_wait, &stop).await;
            (told, got)
        }
    });
    tokio::time::sleep(POLL * 5).await;
    drop(held);
    let (told, got) = waiter.await.unwrap();
    assert_eq!(told, ["first"]);
    let held = got.unwrap();
    stop.raise(StopLevel::Graceful);
    let error = Lock::wait(&path, &owner("third"), &mut |_| {}, &stop).await.unwrap_err();
    assert!(matches!(error, LockError::Stopped { .. }));
    drop(held);
    drop(Lock::wait(&path, &owner("fourth"), &mut |_| panic!("it is free"), &stop).await.unwrap());
}

const CHILD: &str = "ORCHESTRATE_TEST_LOCK";

/// Not a test of its own: what the child of the next one does.
#[test]
#[ignore = "started by `a_lock_dies_with_its_owner`"]
fn hold_a_lock_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let _lock = Lock::acquire(Path::new(&path), &owner("child")).unwrap();
    println!("\nheld");
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn a_lock_dies_with_its_owner() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.lock");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lock::tests::hold_a_lock_until_killed", "--ignored", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"), "the child never got the lock");
    match Lock::acquire(&path, &owner("parent")).unwrap_err() {
        LockError::Held { owner: Some(holder), .. } => assert_eq!(holder.pid, child.id()),
        other => panic!("{other}"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!std::fs::read(&path).unwrap().is_empty(), "the dead owner is still written there");
    assert!(!Lock::is_held(&path));
    drop(Lock::acquire(&path, &owner("parent")).unwrap());
}
