//! What is to be done, the same for every tool: tasks, what they need, and one shell line for each.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Input files of a task of [`Work::files`].
pub(crate) const INPUTS: usize = 10;
/// Bytes of an input file.
const SIZE: usize = 2048;

/// What a task does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// `true`.
    Nothing,
    /// Says that it ran: to check, not to measure.
    Say,
    /// Makes one file of its [`INPUTS`] files, and says that it ran.
    Join,
}

/// A task, by its place in [`Work::tasks`].
pub(crate) struct Task {
    pub(crate) id: String,
    /// Places of the tasks that must be done before.
    pub(crate) needs: Vec<usize>,
}

/// Tasks and what each does.
pub(crate) struct Work {
    pub(crate) tasks: Vec<Task>,
    pub(crate) act: Act,
    /// Where the tasks say that they ran, a line each.
    pub(crate) said: PathBuf,
}

impl Work {
    fn new(count: usize, act: Act, said: PathBuf, needs: impl Fn(usize) -> Vec<usize>) -> Self {
        let tasks = (0..count).map(|at| Task { id: format!("t{at:04}"), needs: needs(at) }).collect();
        Self { tasks, act, said }
    }

    /// Tasks that need nothing.
    pub(crate) fn wide(count: usize, act: Act, said: PathBuf) -> Self {
        Self::new(count, act, said, |_| Vec::new())
    }

    /// Each needs the one before.
    pub(crate) fn chain(count: usize, act: Act, said: PathBuf) -> Self {
        Self::new(count, act, said, |at| at.checked_sub(1).into_iter().collect())
    }

    /// Each needs three of the layer before.
    pub(crate) fn layers(count: usize, layers: usize, act: Act, said: PathBuf) -> Self {
        let wide = count / layers;
        Self::new(count, act, said, |at| {
            let (layer, place) = (at / wide, at % wide);
            let before = |step: usize| (layer - 1) * wide + (place + step) % wide;
            if layer == 0 { Vec::new() } else { vec![before(0), before(7), before(19)] }
        })
    }

    /// Each joins files of its own.
    pub(crate) fn files(count: usize, said: PathBuf) -> Self {
        Self::new(count, Act::Join, said, |_| Vec::new())
    }

    /// The command of a task as a shell line, run at the top of the folder.
    pub(crate) fn line(&self, at: usize) -> String {
        let (id, said) = (&self.tasks[at].id, self.said.display());
        match self.act {
            Act::Nothing => "true".to_owned(),
            Act::Say => format!("echo {id} >> {said}"),
            Act::Join => format!("cat src/{id}/*.txt > out/{id}.txt && echo {id} >> {said}"),
        }
    }

    /// The ids of what a task needs.
    pub(crate) fn needs(&self, at: usize) -> impl Iterator<Item = &str> {
        self.tasks[at].needs.iter().map(|need| self.tasks[*need].id.as_str())
    }

    /// All ids, with spaces between.
    pub(crate) fn ids(&self) -> String {
        self.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether the tasks have files.
    pub(crate) fn joins(&self) -> bool {
        self.act == Act::Join
    }

    /// The input files of a task, from the top of the folder.
    pub(crate) fn inputs(&self, at: usize) -> Vec<String> {
        let id = &self.tasks[at].id;
        (0..INPUTS).map(|file| format!("src/{id}/f{file}.txt")).collect()
    }

    /// Writes the input files of all tasks.
    pub(crate) fn lay_out(&self, top: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(top.join("out"))?;
        for (at, task) in self.tasks.iter().enumerate().filter(|_| self.joins()) {
            std::fs::create_dir_all(top.join("src").join(&task.id))?;
            for path in self.inputs(at) {
                std::fs::write(top.join(&path), content(&path, 0))?;
            }
        }
        Ok(())
    }

    /// Changes one input file of a task: other content, as many bytes.
    pub(crate) fn edit(&self, top: &Path, at: usize, edition: usize) -> std::io::Result<()> {
        let path = self.inputs(at).swap_remove(INPUTS / 2);
        let mut file = std::fs::File::create(top.join(&path))?;
        file.write_all(&content(&path, edition))
    }
}

fn content(path: &str, edition: usize) -> Vec<u8> {
    let mut text = format!("{path} {edition:08}\n").repeat(SIZE / 20).into_bytes();
    text.truncate(SIZE);
    text
}
