//! The engine alone: tasks that do nothing, with the journal on disk and in memory, and plans of ten thousand tasks.
//!
//! `cargo bench -p orchestrator-tests --bench engine`. Each line gives a rate, and its ratio to a floor measured in the
//! same run: writing the same journal's bytes with one write for each eight records.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{AgentName, GroupName, OrderKey, PhaseName, TaskId};
use orchestrator_core::local::Local;
use orchestrator_core::operation::{Operation, Site};
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::registry::Registry;
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunState;
use orchestrator_core::store::{JsonlStore, MemoryStore, Store};

#[derive(Clone, Copy)]
struct Nothing;

#[async_trait]
impl Operation for Nothing {
    const NAME: &'static str = "nothing";
    const EFFECT: Effect = Effect::Reads;
    const BLOCKS: bool = false;
    type Input = ();
    type Output = ();

    async fn call(&self, _input: (), _order: &OrderKey, _site: &Site<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn pipeline(tasks: usize, chain: bool) -> Pipeline {
    let mut group = GroupSpec::new(GroupName::new("all").unwrap());
    for at in 0..tasks {
        let id = |at: usize| TaskId::new(format!("task-{at}")).unwrap();
        let mut task =
            TaskSpec::of::<orchestrator_core::perform::Perform<Nothing>>(id(at).as_str(), &()).unwrap();
        task.agent = AgentName::new("nothing").unwrap();
        if chain && at > 0 {
            task = task.needs([id(at - 1)]);
        }
        group.tasks.push(task);
    }
    Pipeline::new("bench").phase(PhaseSpec::new(PhaseName::new("only").unwrap()).group(group))
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) * 1024.0
}

fn orchestrator(folder: &std::path::Path, store: impl Store + 'static) -> Orchestrator {
    let settings = Settings { jobs: 8, ..Settings::default() };
    Orchestrator::new(Local::new(folder), store).agents(Registry::new().operation(Nothing)).settings(settings)
}

async fn on_disk(tasks: usize, chain: bool) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".orchestrate");
    let orchestrator = orchestrator(folder.path(), JsonlStore::open(&state).unwrap());
    let pipeline = pipeline(tasks, chain);
    let before = resident();
    let planning = Instant::now();
    let plan = orchestrator.plan(&pipeline).unwrap();
    let planned = planning.elapsed();
    let running = Instant::now();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    let took = running.elapsed().as_secs_f64();
    let after = resident();
    let store = JsonlStore::open(&state).unwrap();
    let journal = store.load(&record.run).await.unwrap();
    let records = journal.records.len();
    let refolded = RunState::fold(Arc::new(plan), journal.records).unwrap();
    assert!(refolded == record.state, "the refold differs from the live state");
    let bytes = std::fs::read(state.join(format!("runs/{}/journal.jsonl", record.run))).unwrap();
    let mut file = std::fs::File::create(folder.path().join("floor")).unwrap();
    let writing = Instant::now();
    for chunk in bytes.chunks(bytes.len().div_ceil(records.div_ceil(8)).max(1)) {
        file.write_all(chunk).unwrap();
    }
    let floor = writing.elapsed().as_secs_f64();
    println!(
        "{:<15}{tasks:>7} tasks {:>9.0} tasks/s {:>6.2} us/task {records:>7} records, refold equal, {:>5.2} KB/task, \
         {:>5.1} x raw write, planned in {:.1} ms",
        if chain { "journal, chain" } else { "journal, wide" },
        tasks as f64 / took,
        took * 1e6 / tasks as f64,
        (after - before) / 1e3 / tasks as f64,
        took / floor,
        planned.as_secs_f64() * 1e3,
    );
}

async fn in_memory(tasks: usize) {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = orchestrator(folder.path(), MemoryStore::new());
    let plan = orchestrator.plan(&pipeline(tasks, false)).unwrap();
    let running = Instant::now();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    let took = running.elapsed().as_secs_f64();
    let (rate, each) = (tasks as f64 / took, took * 1e6 / tasks as f64);
    println!(
        "memory, wide   {tasks:>7} tasks {rate:>9.0} tasks/s {each:>6.2} us/task {:>7} records",
        record.upto
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for tasks in [1000, 10_000, 100_000] {
            on_disk(tasks, false).await;
        }
        on_disk(10_000, true).await;
        for tasks in [10_000, 100_000] {
            in_memory(tasks).await;
        }
    });
}
