//! The first look at a tree: 10,000 small files found by a glob and fingerprinted, beside reading and hashing the same files
//! on all processors.
//!
//! `cargo bench -p orchestrator-core --features testkit --bench look [ROUNDS]`. Prints medians, in turn, in one run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

// As the command line does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FOLDERS: usize = 1000;
const FILES: usize = 10;

fn tree(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in 0..FOLDERS {
        let folder = root.join(format!("src/t{folder:04}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..FILES {
            let path = folder.join(format!("f{file}.txt"));
            std::fs::write(&path, format!("{} {file}\n", folder.display()).repeat(40)).unwrap();
            all.push(path);
        }
    }
    all
}

/// Reads and hashes files whose names are known, on as many threads as there are processors.
fn floor(files: &[PathBuf]) -> usize {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut done = 0;
        loop {
            let from = next.fetch_add(64, Ordering::Relaxed);
            if from >= files.len() {
                return done;
            }
            for file in &files[from..(from + 64).min(files.len())] {
                std::hint::black_box(blake3::hash(&std::fs::read(file).unwrap()));
                done += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        others.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(15);
    let temp = tempfile::tempdir().unwrap();
    let files = tree(temp.path());
    let (mut ours, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let start = Instant::now();
        assert_eq!(floor(&files), files.len());
        let floor = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let (found, _) = orchestrator_core::bench::first_look(temp.path(), "src/**/*.txt").unwrap();
        let own = start.elapsed().as_secs_f64();
        assert_eq!(found, files.len());
        // The first round warms the page cache.
        if round > 0 {
            floors.push(floor);
            ours.push(own);
            ratios.push(own / floor);
        }
    }
    let (own, floor, ratio) = (median(ours) * 1e3, median(floors) * 1e3, median(ratios));
    println!(
        "first look at {} files   {own:6.1} ms   read + blake3 {floor:6.1} ms   ratio {ratio:.2}",
        files.len()
    );
}
