//! What every kind of shared place keeps to; with the feature, against real servers on loopback.

#[cfg(feature = "shared")]
mod servers;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;

use super::folder::Folder;
use super::place::Place;
use super::timed::Timed;
use super::{About, Renewed, SharedError, Team};

fn team(place: impl Place, timeout: u64) -> Team {
    Team { place: Timed::new(Arc::new(place), "test".into(), Duration::from_secs(timeout)), write: true }
}

/// Bytes under names: put, taken whole or in part, replaced.
fn names_have_bytes(place: &Timed) {
    let get = |name: &str, most| {
        let mut bytes = Vec::new();
        place.get(name, most, &mut bytes).unwrap().then_some(bytes)
    };
    assert_eq!((get("a/b", 9), place.size("a/b").unwrap()), (None, None));
    place.put_bytes("a/b", b"one".to_vec()).unwrap();
    assert_eq!((get("a/b", 9), place.size("a/b").unwrap()), (Some(b"one".to_vec()), Some(3)));
    place.put_bytes("a/b", b"other".to_vec()).unwrap();
    assert_eq!(
        (get("a/b", 2), place.bytes("a/b", 5).unwrap()),
        (Some(b"ot".to_vec()), Some(b"other".to_vec()))
    );
    assert!(place.bytes("a/b", 4).unwrap_err().to_string().contains("more than 4"));
    place.put_bytes("a/none", Vec::new()).unwrap();
    assert_eq!((get("a/none", 9), place.size("a/none").unwrap()), (Some(Vec::new()), Some(0)));
    let temp = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..20_000_003_u32).map(|n| (n % 251) as u8).collect();
    fs::write(temp.path().join("large"), &large).unwrap();
    place.put("a/large", &temp.path().join("large")).unwrap();
    assert!(get("a/large", u64::MAX) == Some(large), "what goes in parts comes back whole");
}

/// Of many who create a name, one does.
fn names_are_created_once(place: &Timed) {
    assert_eq!(place.list("many").unwrap(), [""; 0]);
    for round in 0..3 {
        let name = format!("many/{round}");
        let created: Vec<bool> = std::thread::scope(|scope| {
            let one = |n: u8| place.create(&name, vec![n]).unwrap();
            let all: Vec<_> = (0..8).map(|n| scope.spawn(move || one(n))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(created.iter().filter(|created| **created).count(), 1, "{created:?}");
        let winner = created.iter().position(|created| *created).unwrap();
        assert_eq!(place.bytes(&name, 9).unwrap(), Some(vec![winner as u8]));
    }
    assert_eq!(place.list("many").unwrap(), ["0", "1", "2"]);
}

fn about() -> About {
    About { pipeline: "p".into(), ceiling: "writes".into(), state: "waiting".into(), host: "h".into() }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A run goes from one machine to another and back, under leases.
fn runs_go_to_and_fro(team: &Team) {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (Layout::new(temp.path().join("one")), Layout::new(temp.path().join("two")));
    let run = RunId::new("20261120234433-00ff00ff").unwrap();
    write(&one.plan(&run), "plan");
    write(&one.journal(&run), "first\n");
    write(&one.logs(&run).join("a-1.0.0.out"), "printed");
    write(&one.inbox(&run).join("x"), "not shared");
    assert!(team.lease(&run, false).unwrap().is_none(), "what is not shared needs no lease");
    assert!(!team.bring(&two, &run).unwrap());
    team.publish(&one, &run, about(), None).unwrap();
    assert_eq!(team.runs().unwrap(), std::slice::from_ref(&run));

    let lease = team.lease(&run, false).unwrap().unwrap();
    assert!(matches!(team.lease(&run, false), Err(SharedError::Held { .. })));
    assert_eq!(lease.renew().unwrap(), Renewed::Held);
    assert!(team.bring(&two, &run).unwrap());
    assert_eq!(fs::read_to_string(two.logs(&run).join("a-1.0.0.out")).unwrap(), "printed");
    assert!(!two.inbox(&run).exists());
    write(&two.journal(&run), "first\nsecond\n");
    team.publish(&two, &run, about(), Some(&lease)).unwrap();
    lease.release();

    // A torn line here is no difference.
    write(&one.journal(&run), "first\nsec");
    let lease = team.lease(&run, false).unwrap().unwrap();
    assert!(team.bring(&one, &run).unwrap());
    assert_eq!(fs::read_to_string(one.journal(&run)).unwrap(), "first\nsecond\n");
    let taken = team.lease(&run, true).unwrap().unwrap();
    assert_eq!(lease.renew().unwrap(), Renewed::Lost);
    write(&one.journal(&run), "first\nsecond\nthird\n");
    assert!(matches!(team.publish(&one, &run, about(), Some(&lease)), Err(SharedError::Lost(_))));
    taken.release();
    write(&one.journal(&run), "first\nsecund\nthird\n");
    for done in [team.bring(&one, &run).map(|_| ()), team.publish(&one, &run, about(), None)] {
        assert!(matches!(done, Err(SharedError::Diverged { .. })), "{done:?}");
    }
    write(&one.journal(&run), "fi?\n");
    assert!(matches!(team.bring(&one, &run), Err(SharedError::Diverged { .. })));
    assert_eq!(fs::read_to_string(one.journal(&run)).unwrap(), "fi?\n", "it is as it was");
}

#[test]
fn a_folder_keeps_to_it() {
    let temp = tempfile::tempdir().unwrap();
    let team = team(Folder::new(temp.path().to_owned()), 60);
    names_have_bytes(&team.place);
    names_are_created_once(&team.place);
    runs_go_to_and_fro(&team);
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let temp = tempfile::tempdir().unwrap();
    let away = team(Folder::new(temp.path().join("not-mounted")), 60);
    assert!(away.place.size("a").is_err() && away.place.list("a").is_err());
    assert!(away.place.put_bytes("a", Vec::new()).is_err() && away.place.create("a", Vec::new()).is_err());
    assert!(away.place.is_away() && !temp.path().join("not-mounted").exists());
}

#[test]
fn manifests_of_others_are_checked() {
    use super::Manifest;
    use orchestrator_core::path::Digest;
    let run = RunId::new("20261120234433-00ff00ff").unwrap();
    let content = serde_json::json!({ "digest": Digest::of(b""), "bytes": 0 });
    let read = |files: &[&str], of: &str, v: u32| {
        let files: serde_json::Map<_, _> =
            files.iter().map(|file| ((*file).to_owned(), content.clone())).collect();
        let body = serde_json::json!({ "v": v, "run": of, "pipeline": "p", "ceiling": "writes", "state": "s", "host": "h",
            "at": "2026-11-20T00:00:00Z", "files": files })
        .to_string();
        Manifest::read(format!("{}\n{body}", Digest::of(body.as_bytes())).as_bytes(), &run).map(|_| ())
    };
    let good = ["plan.json", "journal.jsonl", "logs/a"];
    assert_eq!(read(&good, run.as_str(), 1), Ok(()));
    assert!(read(&good, "20261120234433-11111111", 1).is_err() && read(&good, run.as_str(), 2).is_err());
    assert!(read(&good[..1], run.as_str(), 1).is_err(), "no journal");
    for hostile in ["../../x", "/etc/x", "run.lock", "inbox/x", "logs/../../x", "logs", "other/x"] {
        assert!(read(&["plan.json", "journal.jsonl", hostile], run.as_str(), 1).is_err(), "{hostile}");
    }
    for bytes in [&b""[..], b"x", &[b'0'; 70]] {
        assert!(Manifest::read(bytes, &run).is_err());
    }
}
