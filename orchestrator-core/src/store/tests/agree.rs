//! The stores agree on every sequence of operations.

use proptest::prelude::*;

use super::*;
use crate::store::{Journal, MemoryStore};

#[derive(Debug, Clone)]
enum Operation {
    Create(u32),
    Append(u32, u64),
    Finish(u32),
    Load(u32),
    Signal(u32, u8),
    SeeFirst(u32),
    Sync(u32),
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let run = 0..3_u32;
    prop_oneof![
        2 => run.clone().prop_map(Operation::Create),
        6 => (run.clone(), 0..5_u64).prop_map(|(run, count)| Operation::Append(run, count)),
        1 => run.clone().prop_map(Operation::Finish),
        2 => run.clone().prop_map(Operation::Load),
        2 => (run.clone(), any::<u8>()).prop_map(|(run, payload)| Operation::Signal(run, payload)),
        1 => run.clone().prop_map(Operation::SeeFirst),
        1 => run.prop_map(Operation::Sync),
        1 => Just(Operation::Reopen),
    ]
}

/// What an operation gave, to compare. Tokens differ, so they are left out.
#[derive(Debug, Default, PartialEq)]
struct Given {
    journal: Option<Journal>,
    signals: Vec<Signal>,
    error: Option<String>,
    runs: Vec<RunId>,
}

async fn perform(store: &dyn Store, operation: &Operation, counts: &[u64; 3]) -> Given {
    let mut given = Given::default();
    given.error = attempt(store, operation, counts, &mut given).await.err().map(|error| error.to_string());
    given.runs = store.list().await.unwrap();
    given
}

async fn attempt(
    store: &dyn Store,
    operation: &Operation,
    counts: &[u64; 3],
    given: &mut Given,
) -> Result<(), StoreError> {
    let next = |of: u32| counts[of as usize] + 1;
    match *operation {
        Operation::Create(of) => store.create(&run(of), &[of as u8]).await?,
        Operation::Append(of, count) => {
            let batch: Vec<Record> = (next(of)..next(of) + count).map(record).collect();
            store.append(&run(of), &batch).await?;
        }
        Operation::Finish(of) => store.append(&run(of), &[the_end(next(of))]).await?,
        Operation::Load(of) => given.journal = Some(store.load(&run(of)).await?),
        Operation::Signal(of, payload) => {
            store.signal(&run(of), &signal("s", &payload.to_string())).await?;
        }
        Operation::SeeFirst(of) => {
            let signals = store.inbox(&run(of)).await?;
            if let Some((token, _)) = signals.first() {
                store.seen(&run(of), token).await?;
            }
            given.signals = signals.into_iter().map(|(_, signal)| signal).collect();
        }
        Operation::Sync(of) => store.sync(&run(of)).await?,
        Operation::Reopen => {}
    }
    Ok(())
}

async fn check(operations: Vec<Operation>) {
    let temp = tempfile::tempdir().unwrap();
    let open = || JsonlStore::open(temp.path()).unwrap();
    let (memory, mut jsonl) = (MemoryStore::new(), open());
    let mut counts = [0; 3];
    for operation in operations {
        let expected = perform(&memory, &operation, &counts).await;
        assert_eq!(perform(&jsonl, &operation, &counts).await, expected, "{operation:?}");
        match operation {
            Operation::Append(of, count) if expected.error.is_none() => counts[of as usize] += count,
            Operation::Finish(of) if expected.error.is_none() => counts[of as usize] += 1,
            Operation::Reopen => {
                drop(jsonl);
                jsonl = open();
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stores_agree(operations in prop::collection::vec(operation(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(check(operations));
    }
}
