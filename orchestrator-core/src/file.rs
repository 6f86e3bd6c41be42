//! Pipeline files: YAML, TOML or JSON into a [`Pipeline`], with every problem at once and the place of each.
//! What a file means is said in one table (`keys`), which decoding and the published schema share.

mod cursor;
mod decode;
mod json;
mod keys;
mod roadmap;
mod schema;
mod task;
mod toml;
mod tree;
mod vars;
mod yaml;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use schema::schema;

use crate::pipeline::{Pipeline, Place};
use crate::problem::{Problem, Problems};
use tree::{Data, Plain};

/// The largest file that is taken, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// How a pipeline file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// TOML 1.
    Toml,
    /// JSON.
    Json,
}

impl Format {
    /// By the extension of a file; YAML where it says nothing.
    pub fn of(path: impl AsRef<Path>) -> Self {
        let extension = path.as_ref().extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("toml") => Self::Toml,
            Some("json") => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// A pipeline file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// There is no such file.
    #[error("there is no pipeline file `{}`", .0.display())]
    NotFound(PathBuf),
    /// It is there, but reading it fails.
    #[error("the pipeline file `{}` cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than [`MAX_BYTES`].
    #[error("the pipeline file `{}` is larger than {} MiB", .0.display(), MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// It is not text.
    #[error("the pipeline file `{}` is not UTF-8 text: line {line} holds a byte that does not belong there", path.display())]
    NotUtf8 {
        /// Which file.
        path: PathBuf,
        /// The line of the first such byte, from 1.
        line: usize,
    },
    /// There are several, and only one can count.
    #[error("several pipeline files: {}; keep one, or name the one to use", names(.0))]
    Several(Vec<PathBuf>),
    /// It is read, but what it says is wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

impl Pipeline {
    /// Reads a pipeline from a file; its extension says how it is written.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        let path = path.as_ref();
        let text = read(path)?;
        Ok(Self::parse(&text, Format::of(path), &path.display().to_string())?)
    }

    /// What can be read of a file that has problems, so that planning it finds the others. Nothing, where what is missing
    /// would make other parts look wrong: only keys of tasks may be, and not their ids.
    pub fn readable_part(path: impl AsRef<Path>, problems: &Problems) -> Option<Self> {
        let path = path.as_ref();
        let harmless = |problem: &Problem| match problem.way.rsplit_once(".tasks[") {
            Some((_, way)) => way.split_once("].").is_some_and(|(_, key)| key != "id"),
            None => false,
        };
        if !problems.list.iter().all(harmless) {
            return None;
        }
        let pipeline = parse(&read(path).ok()?, Format::of(path), &RefCell::default())?;
        Some(Self { file: Some(path.display().to_string()), ..pipeline })
    }

    /// Reads a pipeline from text. `file` is what messages call it. Every problem is in the error, sorted by place.
    pub fn parse(text: &str, format: Format, file: &str) -> Result<Self, Problems> {
        let wrong = RefCell::new(Vec::new());
        let pipeline = parse(text, format, &wrong);
        let wrong = wrong.into_inner();
        match pipeline {
            Some(pipeline) if wrong.is_empty() => Ok(Self { file: Some(file.to_owned()), ..pipeline }),
            _ => Err(Problems::new(Some(file.to_owned()), wrong)),
        }
    }
}

fn parse(text: &str, format: Format, wrong: &RefCell<Vec<Problem>>) -> Option<Pipeline> {
    if text.len() > MAX_BYTES {
        wrong.borrow_mut().push(Problem::new("", format!("the file is larger than {} MiB", MAX_BYTES >> 20)));
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        wrong.borrow_mut().push(empty());
        return None;
    }
    let tree = match format {
        Format::Yaml => yaml::parse(text, &mut wrong.borrow_mut()),
        Format::Toml => toml::parse(text, &mut wrong.borrow_mut()),
        Format::Json => json::parse(text, &mut wrong.borrow_mut()),
    };
    let mut tree = tree.map_err(|problem| wrong.borrow_mut().push(problem)).ok()?;
    if format == Format::Yaml && matches!(tree.data, Data::Plain(Plain::Null, _)) {
        wrong.borrow_mut().push(empty());
        return None;
    }
    vars::substitute(&mut tree, &mut wrong.borrow_mut());
    Some(decode::pipeline(&tree, wrong))
}

fn empty() -> Problem {
    let message = "the file is empty; a pipeline starts with `version: 1` and `phases:`";
    Problem::new("", message).at(Some(Place { line: 1, column: 1 }))
}

fn read(path: &Path) -> Result<String, PipelineError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => PipelineError::NotFound(path.to_owned()),
        _ => PipelineError::Unreadable { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(PipelineError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        PipelineError::NotUtf8 { path: path.to_owned(), line }
    })
}

/// The pipeline file of a folder: `orchestration.yaml`, `.yml`, `.toml` or `.json`; none where there is none.
/// More than one is an error that names them all.
pub fn discover(dir: impl AsRef<Path>) -> Result<Option<PathBuf>, PipelineError> {
    let names = ["yaml", "yml", "toml", "json"].map(|end| dir.as_ref().join(format!("orchestration.{end}")));
    let mut found: Vec<PathBuf> = names.into_iter().filter(|path| path.is_file()).collect();
    if found.len() > 1 { Err(PipelineError::Several(found)) } else { Ok(found.pop()) }
}
