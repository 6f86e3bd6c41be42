//! Observers can neither fail nor slow a run, and see everything.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::event::{Event, Record};
use crate::observer::Observer;
use crate::progress::Progress;
use crate::state::RunState;
use crate::store::Store;

/// Panics at its third event.
struct Panics(u32);

impl Observer for Panics {
    fn event(&mut self, _record: &Record, _state: &RunState) {
        self.0 += 1;
        assert!(self.0 < 3, "an observer that panics");
    }
}

/// Sees nothing before it is let, and notes what it sees.
struct Late {
    wait: Option<mpsc::Receiver<()>>,
    seen: Arc<Mutex<Vec<Record>>>,
    nap: Duration,
}

impl Observer for Late {
    fn event(&mut self, record: &Record, state: &RunState) {
        if let Some(wait) = self.wait.take() {
            wait.recv_timeout(Duration::from_mins(1)).expect("the run went on without this observer");
        }
        std::thread::sleep(self.nap);
        assert_eq!(state.records(), record.n, "its state has the record applied");
        self.seen.lock().unwrap().push(record.clone());
    }
    fn progress(&mut self, _progress: &Progress) {
        std::thread::sleep(self.nap);
    }
}

fn tasks() -> Vec<TaskSpec> {
    (0..5).map(|at| acts(&format!("t{at}"), vec![shell("echo a; echo b").into()])).collect()
}

#[tokio::test]
async fn a_slow_and_a_panicking_observer_change_nothing() {
    let bench = Bench::new();
    let seen = Arc::<Mutex<Vec<Record>>>::default();
    let late = Late { wait: None, seen: seen.clone(), nap: Duration::from_millis(50) };
    let orchestrator = bench.orchestrator().observer(Panics(0)).observer(late);
    let plan = orchestrator.plan(&pipeline(tasks())).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(record.state.count(Outcome::Passed), 5);
    let journal = bench.store().load(&record.run).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), journal.records, "everything, in order");
    // The observer that is left is told of the next run as well.
    seen.lock().unwrap().clear();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(seen.lock().unwrap().len() as u64, record.upto);
}

/// The observer is let go only once the run is over and its locks are free: a run that waited for it would never end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_does_not_wait_for_those_who_watch() {
    let bench = Bench::new();
    let (go, wait) = mpsc::channel();
    let seen = Arc::<Mutex<Vec<Record>>>::default();
    let late = Late { wait: Some(wait), seen: seen.clone(), nap: Duration::ZERO };
    let orchestrator = Arc::new(bench.orchestrator().observer(late));
    let plan = orchestrator.plan(&pipeline(tasks())).unwrap();
    let running = tokio::spawn({
        let orchestrator = orchestrator.clone();
        async move { orchestrator.run(&plan, Effect::Writes).await }
    });
    let store = bench.store();
    let run = loop {
        if let Some(run) = store.list().await.unwrap().pop()
            && let Ok(journal) = store.load(&run).await
            && matches!(journal.records.last().map(|record| &record.event), Some(Event::RunFinished { .. }))
        {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let lock = store.layout().checkout_lock();
    while crate::lock::Lock::is_held(&lock) {
        assert!(!running.is_finished(), "the checkout was held until the observer had seen everything");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    go.send(()).unwrap();
    running.await.unwrap().unwrap();
    let records = store.load(&run).await.unwrap().records;
    assert_eq!(*seen.lock().unwrap(), records);
}
