//! Floors: the least that the work takes on this machine, whoever does it.

use crate::place::Place;
use crate::work::Work;
use crate::workload::Workload;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// As many as the tools may run at once.
const SPAWNERS: usize = 8;

/// One floor.
#[derive(Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) title: &'static str,
    measure: fn(&Place) -> f64,
}

impl Floor {
    /// Those of a workload; ratios are to the first.
    pub(crate) fn of(workload: Workload) -> Vec<Self> {
        let floor = |title, measure| Self { title, measure };
        match workload {
            Workload::Wide | Workload::Layers => vec![floor("bare spawn loop, 8 threads", |place| {
                on_threads(SPAWNERS, place.work.tasks.len(), |_| spawn(&["true"], &place.top))
            })],
            Workload::Chain => vec![floor("bare spawn loop, one at a time", |place| {
                on_threads(1, place.work.tasks.len(), |_| spawn(&["true"], &place.top))
            })],
            Workload::First => vec![
                floor("the same commands, bare, 8 threads", commands),
                floor("read and blake3 of the files, all cores", hash),
            ],
            Workload::Unchanged => vec![floor("lstat of the files and folders, all cores", stat)],
            Workload::Changed => {
                vec![floor("the lstat, then the one command", |place| stat(place) + one(place))]
            }
            Workload::Version | Workload::List => {
                vec![floor("one `true`", |place| on_threads(1, 1, |_| spawn(&["true"], &place.top)))]
            }
            Workload::Memory => Vec::new(),
        }
    }

    /// Seconds.
    pub(crate) fn measure(&self, place: &Place) -> f64 {
        let took = (self.measure)(place);
        let _ = std::fs::remove_file(&place.work.said);
        took
    }
}

fn on_threads(threads: usize, count: usize, each: impl Fn(usize) + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    each(at);
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}

fn spawn(argv: &[&str], top: &Path) {
    let mut command = Command::new(argv[0]);
    command
        .args(&argv[1..])
        .current_dir(top)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status().expect("a shell and `true` are everywhere");
    assert!(status.success(), "{argv:?}: {status}");
}

fn commands(place: &Place) -> f64 {
    let lines: Vec<String> = (0..place.work.tasks.len()).map(|at| place.work.line(at)).collect();
    on_threads(SPAWNERS, lines.len(), |at| spawn(&["sh", "-c", &lines[at]], &place.top))
}

fn one(place: &Place) -> f64 {
    let line = place.work.line(0);
    on_threads(1, 1, |_| spawn(&["sh", "-c", &line], &place.top))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn files(work: &Work) -> Vec<Vec<String>> {
    (0..work.tasks.len()).map(|at| work.inputs(at)).collect()
}

fn hash(place: &Place) -> f64 {
    let files = files(&place.work);
    on_threads(cores(), files.len(), |at| {
        for path in &files[at] {
            let content = std::fs::read(place.top.join(path)).expect("it was written before");
            std::hint::black_box(blake3::hash(&content));
        }
    })
}

/// Each file and its folder, relative to one open folder.
fn stat(place: &Place) -> f64 {
    let mut paths = files(&place.work);
    for (task, paths) in place.work.tasks.iter().zip(&mut paths) {
        paths.push(format!("src/{}", task.id));
    }
    let top = openat(CWD, &place.top, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())
        .expect("it was made before");
    on_threads(cores(), paths.len(), |at| {
        for path in &paths[at] {
            let stat = statat(&top, path, AtFlags::SYMLINK_NOFOLLOW).expect("it was written before");
            std::hint::black_box(stat.st_mtime);
        }
    })
}
