mod agree;
mod faults;
mod inbox;

use jiff::Timestamp;

use crate::action::{Action, Run};
use crate::effect::Effect;
use crate::event::{Event, Process, Record, RunOutcome, RunStarted};
use crate::id::{RunId, SignalName, TaskId};
use crate::json::Json;
use crate::order::{Receipt, Signal, Status};
use crate::path::Digest;
use crate::store::{JsonlStore, Store, StoreError};

fn run(random: u32) -> RunId {
    RunId::at("2026-11-20T23:44:33Z".parse().unwrap(), random)
}

fn signal(name: &str, payload: &str) -> Signal {
    Signal {
        name: SignalName::new(name).unwrap(),
        payload: serde_json::from_str(payload).unwrap(),
        from: "é\n\"quoted\"".into(),
    }
}

/// The `n`th record of a journal with some of everything.
fn record(n: u64) -> Record {
    let task = TaskId::new(format!("task-{}", n / 4)).unwrap();
    let event = match n % 5 {
        _ if n == 1 => Event::RunStarted(Box::new(RunStarted {
            journal: 1,
            run: run(0),
            pipeline: "main".into(),
            plan: Digest::of(b"plan"),
            ceiling: Effect::Writes,
            parent: None,
            process: Process { version: "0.1.0".into(), pid: 7, host: String::new() },
        })),
        0 => Event::TaskStarted { task, attempt: 1 },
        1 => {
            let actions: Vec<Action> = vec![Run::new(Effect::Writes, ["printf", "a\nb\tc\u{2028}é"]).into()];
            Event::TaskPlanned { task, round: 0, actions, carried: Json::null() }
        }
        2 => Event::ActionStarted { task, index: 0, undo: vec![Run::new(Effect::Writes, ["undo"]).into()] },
        3 => {
            let mut receipt = Receipt::new(Status::Exited(3));
            receipt.tail = "last\nlines\n".into();
            Event::ActionFinished { task, index: 0, receipt: Box::new(receipt) }
        }
        _ => Event::SignalReceived(Box::new(signal("approve", "{\n  \"by\": [1,\r\n 2]\n}"))),
    };
    let at = Timestamp::new(1_795_000_000 + n.cast_signed(), 123_456_000).unwrap();
    Record { n, at, event }
}

fn records(numbers: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    numbers.map(record).collect()
}

fn the_end(n: u64) -> Record {
    Record { event: Event::RunFinished { outcome: RunOutcome::Passed }, ..record(n) }
}

struct Folder {
    temp: tempfile::TempDir,
    run: RunId,
}

impl Folder {
    /// A state folder with one run of so many records, and nobody who holds it.
    async fn with(count: u64) -> Self {
        let folder = Self { temp: tempfile::tempdir().unwrap(), run: run(1) };
        let store = folder.store();
        store.create(&folder.run, b"{}").await.unwrap();
        store.append(&folder.run, &records(1..=count)).await.unwrap();
        folder
    }

    fn store(&self) -> JsonlStore {
        JsonlStore::open(self.temp.path()).unwrap()
    }

    fn journal(&self) -> std::path::PathBuf {
        self.store().layout().journal(&self.run)
    }
}

#[tokio::test]
async fn records_come_back_as_they_were() {
    let folder = Folder::with(30).await;
    let journal = folder.store().load(&folder.run).await.unwrap();
    assert_eq!((journal.plan.as_slice(), journal.torn), (b"{}".as_slice(), 0));
    assert_eq!(journal.records, records(1..=30));
    let text = std::fs::read_to_string(folder.journal()).unwrap();
    assert_eq!(text.lines().count(), 30, "JSON that was passed on with line breaks stays on its line");
}

#[tokio::test]
async fn runs_are_created_once_and_listed_latest_first() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let store = JsonlStore::open(&state).unwrap();
    assert!(store.list().await.unwrap().is_empty());
    assert!(!state.exists(), "looking makes nothing");
    for random in [3, 1, 2] {
        store.create(&run(random), b"{}").await.unwrap();
    }
    assert!(matches!(store.create(&run(1), b"other").await, Err(StoreError::Exists(id)) if id == run(1)));
    assert_eq!(std::fs::read(store.layout().plan(&run(1))).unwrap(), b"{}");
    std::fs::create_dir(store.layout().runs().join("not-a-run")).unwrap();
    std::fs::write(store.layout().runs().join(run(9).as_str()), "a file").unwrap();
    assert_eq!(store.list().await.unwrap(), [run(3), run(2), run(1)]);
    assert!(matches!(store.load(&run(8)).await, Err(StoreError::Unknown(_))));
    assert!(matches!(store.append(&run(8), &records(1..=1)).await, Err(StoreError::Unknown(_))));
    store.sync(&run(1)).await.unwrap();
    assert!(matches!(store.sync(&run(8)).await, Err(StoreError::Unknown(_))));
}

#[tokio::test]
async fn one_process_appends_at_a_time() {
    let folder = Folder::with(3).await;
    let (first, second) = (folder.store().command("orchestrate resume"), folder.store());
    assert!(!second.is_live(&folder.run));
    first.append(&folder.run, &records(4..=4)).await.unwrap();
    assert!(second.is_live(&folder.run) && first.is_live(&folder.run));
    let error = second.append(&folder.run, &records(5..=5)).await.unwrap_err();
    assert!(error.to_string().contains("`orchestrate resume`"), "{error}");
    assert!(matches!(error, StoreError::Busy { owner: Some(owner), .. } if owner.pid == std::process::id()));
    assert_eq!(second.load(&folder.run).await.unwrap().records.len(), 4, "reading needs no lock");

    first.append(&folder.run, &[the_end(5)]).await.unwrap();
    assert!(!second.is_live(&folder.run), "the end of the run lets go of it");
    first.sync(&folder.run).await.unwrap();
    // What was loaded before the first store went on is no ground to go on from.
    let error = second.append(&folder.run, &records(5..=5)).await.unwrap_err();
    assert!(matches!(error, StoreError::Moved { records: 5, next: 5, .. }), "{error}");
    assert!(!second.is_live(&folder.run));
    second.append(&folder.run, &records(6..=6)).await.unwrap();
    drop(second);
    assert!(!first.is_live(&folder.run));
}
