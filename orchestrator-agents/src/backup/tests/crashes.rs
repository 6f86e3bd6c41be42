//! The phase, cut off at every boundary of its journal and resumed: one snapshot, verified, with its script.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{Record, RunOutcome};
use orchestrator_core::id::{PhaseName, RunId};
use orchestrator_core::layout::Layout;
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, RunOptions};
use orchestrator_core::order::Signal;
use orchestrator_core::pipeline::{PhaseSpec, Pipeline};
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::store::{Journal, Store, StoreError};

use super::*;

/// A journal whose process dies at an append: before it is stored, or right after.
struct Dying {
    journal: JsonlStore,
    left: AtomicUsize,
    stores_the_last: bool,
}

#[async_trait]
impl Store for Dying {
    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
        match left.unwrap() {
            0 => return Err(died()),
            1 if self.stores_the_last => {
                self.journal.append(run, records).await?;
                return Err(died());
            }
            1 => return Err(died()),
            _ => {}
        }
        self.journal.append(run, records).await
    }
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        self.journal.create(run, plan).await
    }
    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        self.journal.sync(run).await
    }
    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.journal.load(run).await
    }
    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        self.journal.list().await
    }
    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
        self.journal.signal(run, signal).await
    }
    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError> {
        self.journal.inbox(run).await
    }
    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError> {
        self.journal.seen(run, token).await
    }
    fn layout(&self) -> Option<&Layout> {
        Some(self.journal.layout())
    }
    fn is_live(&self, run: &RunId) -> bool {
        self.journal.is_live(run)
    }
}

fn died() -> StoreError {
    StoreError::Io { what: "the journal".into(), source: std::io::Error::other("the process died here") }
}

fn orchestrator(rig: &Rig, store: impl Store + 'static) -> Orchestrator {
    let state = rig.root.join(".orchestrate");
    Orchestrator::new(Local::new(&rig.root).state(state).environment(rig.env.clone()), store)
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard())
}

/// Runs the phase with a process that dies at that append, then goes on. Whether it died.
async fn cut_off(at: usize, stores_the_last: bool) -> bool {
    let rig = Rig::new();
    rig.write("src/main.rs", "fn main() {}\n");
    rig.write(".gitignore", "cache/\n");
    rig.commit("feat: main");
    rig.write("cache/x", "x\n");
    let head = rig.git(&["rev-parse", "HEAD"]);
    let mut phase = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    phase.uses = Some("standard".into());
    phase.with = serde_json::json!({ "caches": ["cache"] });
    let pipeline = Pipeline::new("backup").phase(phase);
    let journal = || JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let dying = Dying { journal: journal(), left: AtomicUsize::new(at), stores_the_last };
    let first = orchestrator(&rig, dying);
    let plan = first.plan(&pipeline).unwrap();
    let died = first.run(&plan, Effect::Writes).await.is_err();
    drop(first);
    let second = orchestrator(&rig, journal());
    let run = second.runs().await.unwrap().pop();
    let record = match run {
        _ if !died => None,
        Some(run) => match second.resume(&run, RunOptions::new(Effect::Writes)).await {
            // It died before its first record: there is nothing to go on with.
            Err(error) if error.to_string().contains("never began") => None,
            // With its last record it was over.
            Err(error) if error.to_string().contains("is over") => Some(second.status(&run).await.unwrap()),
            resumed => Some(resumed.unwrap_or_else(|error| panic!("append {at}: {error}"))),
        },
        None => None,
    };
    let record = match record {
        Some(record) => record,
        None if died => second.run(&plan, Effect::Writes).await.unwrap(),
        None => return false,
    };
    let status = record.state.status();
    assert_eq!(status, RunStatus::Finished(RunOutcome::Passed), "append {at}, stored: {stores_the_last}");
    let backups = rig.root.join("backups");
    let mut names: Vec<String> = fs::read_dir(&backups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!((names.len(), &*names[0]), (2, ".gitignore"), "append {at}: {names:?}");
    for file in ["verification.json", "rollback.sh", "manifest.json"] {
        assert!(backups.join(&names[1]).join(file).exists(), "append {at}: {file}");
    }
    assert!(!rig.root.join("cache").exists());
    assert_eq!((rig.git(&["rev-parse", "HEAD"]), rig.git(&["status", "--porcelain"])), (head, String::new()));
    assert_eq!(fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count(), 0, "append {at}");
    true
}

async fn cut_off_at_every_boundary(stores_the_last: bool) {
    let mut at = 1;
    while cut_off(at, stores_the_last).await {
        at += 1;
    }
    assert!(at > 10, "{at} boundaries: that is not the whole phase");
}

#[tokio::test]
async fn cut_off_before_every_boundary_and_resumed_there_is_one_verified_snapshot() {
    cut_off_at_every_boundary(false).await;
}

#[tokio::test]
async fn cut_off_after_every_boundary_and_resumed_there_is_one_verified_snapshot() {
    cut_off_at_every_boundary(true).await;
}
