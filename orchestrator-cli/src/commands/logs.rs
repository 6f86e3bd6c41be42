//! `logs`: what the commands of a run printed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use orchestrator_core::plan::Plan;
use orchestrator_core::problem::unknown;

use super::share;
use crate::args::LogsArgs;
use crate::console::Paint;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::out::{Out, note};

const PAUSE: Duration = Duration::from_millis(200);
/// The most bytes that are read of a file at a time.
const CHUNK: u64 = 1 << 20;

pub(super) async fn logs(front: Front, args: LogsArgs) -> Result<Exit, CliError> {
    let LogsArgs { run, task, follow } = args;
    let orchestrator = front.look()?;
    let run = share::look(&front, &orchestrator, Some(&run)).await?;
    let record = orchestrator.status(&run).await?;
    if let Some(task) = &task {
        known(task, record.plan()).map_err(CliError::Usage)?;
    }
    let mut reader = Reader::new(front.here.layout.logs(&run), task);
    loop {
        // Looked at before reading: what a run prints last is read in the round after its end.
        let live = orchestrator.is_live(&run);
        reader.read().map_err(|source| CliError::io("a log could not be read", source))?;
        if !follow || !live || reader.out.is_gone() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if reader.read.is_empty() {
        let log = front.here.layout.run_log(&run);
        let what = if log.is_file() { format!("; what happened: {}", shown(&log)) } else { String::new() };
        note(&format!("nothing was printed{what}"));
    }
    Ok(Exit::Passed)
}

fn known(task: &str, plan: &Plan) -> Result<(), String> {
    if plan.tasks().iter().any(|planned| planned.id.as_str() == task) {
        return Ok(());
    }
    Err(unknown("task", task, plan.tasks().iter().map(|planned| planned.id.as_str())))
}

/// Reads the files of a folder as far as they have grown.
struct Reader {
    folder: PathBuf,
    task: Option<String>,
    read: BTreeMap<PathBuf, u64>,
    last: Option<PathBuf>,
    out: Out,
    paint: Paint,
}

impl Reader {
    fn new(folder: PathBuf, task: Option<String>) -> Self {
        let (out, paint) = (Out::stdout(), Paint::stdout());
        Self { folder, task, read: BTreeMap::new(), last: None, out, paint }
    }

    fn read(&mut self) -> io::Result<()> {
        for path in self.files()? {
            let mut file = File::open(&path)?;
            let from = self.read.get(&path).copied().unwrap_or(0);
            let mut at = file.seek(SeekFrom::Start(from))?;
            loop {
                let mut bytes = Vec::new();
                (&mut file).take(CHUNK).read_to_end(&mut bytes)?;
                if bytes.is_empty() || self.out.is_gone() {
                    break;
                }
                at += bytes.len() as u64;
                self.head(&path);
                self.out.bytes(&bytes);
            }
            self.read.insert(path, at);
        }
        Ok(())
    }

    /// Says whose output follows, where that changes.
    fn head(&mut self, path: &Path) {
        if self.last.as_deref() == Some(path) {
            return;
        }
        if let Some((task, attempt, stream)) = parts(path) {
            let line = self.paint.dim(&format!("── {task} · attempt {attempt} · {stream} ──"));
            self.out.line(&line);
        }
        self.last = Some(path.to_owned());
    }

    /// The files of interest, the oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let Some((task, ..)) = parts(&path) else { continue };
            if self.task.as_deref().is_none_or(|wanted| wanted == task) {
                let changed = fs::metadata(&path).and_then(|meta| meta.modified())?;
                files.push((changed, path));
            }
        }
        // Both streams of an order together, standard output first.
        let mut orders: BTreeMap<PathBuf, SystemTime> = BTreeMap::new();
        for (changed, path) in &files {
            let order = orders.entry(path.with_extension("")).or_insert(*changed);
            *order = (*order).max(*changed);
        }
        files.sort_by_cached_key(|(_, path)| {
            let order = path.with_extension("");
            (orders.get(&order).copied(), order, Reverse(path.clone()))
        });
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }
}

/// Task, attempt and stream of a log file: `TASK-1.0.0.out`.
fn parts(path: &Path) -> Option<(&str, &str, &str)> {
    let name = path.file_name()?.to_str()?;
    let (stem, stream) = name.rsplit_once('.')?;
    let (task, order) = stem.rsplit_once('-')?;
    let stream = match stream {
        "out" => "stdout",
        "err" => "stderr",
        _ => return None,
    };
    Some((task, order.split('.').next()?, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_files_name_their_order() {
        assert_eq!(parts(Path::new("/l/a-b.c-2.0.1.err")), Some(("a-b.c", "2", "stderr")));
        assert_eq!(parts(Path::new("/l/notes.txt")), None);
    }

    #[test]
    fn only_what_is_new_is_read() {
        let temp = tempfile::tempdir().unwrap();
        let (mut pipe, writer) = io::pipe().unwrap();
        let mut reader = Reader::new(temp.path().to_owned(), Some("a".into()));
        (reader.out, reader.paint) = (Out::new(writer), Paint::OFF);
        fs::write(temp.path().join("a-1.0.0.out"), "one\n").unwrap();
        fs::write(temp.path().join("b-1.0.0.out"), "other\n").unwrap();
        reader.read().unwrap();
        fs::write(temp.path().join("a-1.0.0.out"), "one\ntwo\n").unwrap();
        reader.read().unwrap();
        drop(reader);
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "── a · attempt 1 · stdout ──\none\ntwo\n");
    }
}
