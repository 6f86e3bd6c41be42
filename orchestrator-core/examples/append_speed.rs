//! How fast records are appended and loaded, beside a plain write of the same bytes.
//!
//! `cargo run --release -p orchestrator-core --example append_speed [RECORDS]`

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use jiff::Timestamp;
use orchestrator_core::event::{Event, Record};
use orchestrator_core::id::{RunId, TaskId};
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::store::{JsonlStore, MemoryStore, Store};

type Error = Box<dyn std::error::Error>;

/// The events of many small tasks.
fn records(count: u64) -> Result<Vec<Record>, Error> {
    let start = Timestamp::now();
    let record = |n: u64| {
        let task = TaskId::new(format!("task-{}", n / 3))?;
        let event = match n % 3 {
            0 => Event::TaskStarted { task, attempt: 1 },
            1 => Event::ActionStarted { task, index: 0, undo: Vec::new() },
            _ => {
                let mut receipt = Receipt::new(Status::Exited(0));
                receipt.took_ms = 1.25;
                Event::ActionFinished { task, index: 0, receipt: Box::new(receipt) }
            }
        };
        Ok(Record { n, at: start + std::time::Duration::from_nanos(n * 977), event })
    };
    (1..=count).map(record).collect()
}

async fn appended(store: &dyn Store, run: &RunId, records: &[Record], batch: usize) -> Result<f64, Error> {
    store.create(run, b"{}").await?;
    let start = Instant::now();
    for batch in records.chunks(batch) {
        store.append(run, batch).await?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Writes the lines of a journal again, so many at once.
fn plain_write(text: &[u8], to: &std::path::Path, batch: usize) -> Result<f64, Error> {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let batches: Vec<Vec<u8>> = lines.chunks(batch).map(<[&[u8]]>::concat).collect();
    let mut file = File::create_new(to)?;
    let start = Instant::now();
    for batch in &batches {
        file.write_all(batch)?;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn main() -> Result<(), Error> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(600_000), |count| count.parse())?;
    let records = records(count)?;
    let folder = tempfile::tempdir()?;
    let store = JsonlStore::open(folder.path().join("state"))?;
    let memory = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let rate = |seconds: f64| count as f64 / seconds / 1e6;
    println!("{count} records; millions a second");
    println!("batch    jsonl    plain write    ratio    memory");
    for (round, batch) in [1_usize, 8, 64].into_iter().enumerate() {
        let run = RunId::at(Timestamp::now(), round as u32);
        let jsonl = runtime.block_on(appended(&store, &run, &records, batch))?;
        let text = std::fs::read(store.layout().journal(&run))?;
        let plain = plain_write(&text, &folder.path().join(format!("plain-{batch}")), batch)?;
        let in_memory = runtime.block_on(appended(&memory, &run, &records, batch))?;
        println!(
            "{batch:>5} {:>8.2} {:>14.2} {:>8.2} {:>9.2}",
            rate(jsonl),
            rate(plain),
            jsonl / plain,
            rate(in_memory)
        );
        if batch == 64 {
            let start = Instant::now();
            black_box(runtime.block_on(store.load(&run))?);
            let seconds = start.elapsed().as_secs_f64();
            let megabytes = text.len() as f64 / 1e6;
            println!("load  {:>8.2}, {:.0} MB/s of {megabytes:.0} MB", rate(seconds), megabytes / seconds);
        }
    }
    Ok(())
}
