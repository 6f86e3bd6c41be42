//! How near to the floor commands are run: 1,000 `true`, 8 at once, bare and through the executor, in pairs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use orchestrator_core::bench::Commands;

const COMMANDS: usize = 1_000;
const WIDTH: usize = 8;
const PAIRS: usize = 15;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be had");
    let commands = Arc::new(Commands::new(std::env::temp_dir()));
    let program = ["/usr/bin/true", "/bin/true"].into_iter().find(|path| Path::new(path).exists());
    let program = program.expect("every system has it");
    let mut pairs: Vec<(Duration, Duration)> = (0..=PAIRS)
        .map(|_| (bare(program), runtime.block_on(executor(Arc::clone(&commands)))))
        .skip(1) // the first fills caches and starts threads
        .collect();
    pairs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    for (bare, executor) in &pairs {
        println!("bare {bare:>9.2?}   executor {executor:>9.2?}   ratio {:.3}", ratio(&(*bare, *executor)));
    }
    println!("median ratio {:.3}", ratio(&pairs[PAIRS / 2]));
}

fn ratio((bare, executor): &(Duration, Duration)) -> f64 {
    executor.as_secs_f64() / bare.as_secs_f64()
}

/// The floor: spawn and wait, nothing captured.
fn bare(program: &str) -> Duration {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WIDTH {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < COMMANDS {
                    let mut command = Command::new(program);
                    command
                        .env_clear()
                        .env("PATH", "/usr/bin:/bin")
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .stderr(Stdio::null());
                    assert!(command.status().expect("it can be spawned").success());
                }
            });
        }
    });
    start.elapsed()
}

/// The same through the executor, driven from a task as the runner does it.
async fn executor(commands: Arc<Commands>) -> Duration {
    let start = Instant::now();
    let all = async move {
        let mut running: FuturesUnordered<_> = (0..WIDTH).map(|_| commands.run_true()).collect();
        for _ in WIDTH..COMMANDS {
            assert!(running.next().await.expect("there are some"));
            running.push(commands.run_true());
        }
        while let Some(succeeded) = running.next().await {
            assert!(succeeded);
        }
    };
    tokio::spawn(all).await.expect("no command fails");
    start.elapsed()
}
