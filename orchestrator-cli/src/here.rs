//! Where the command works: the root of the project, its pipeline file, its state folder.

use std::path::{Path, PathBuf};

use orchestrator_core::file::discover;
use orchestrator_core::layout::Layout;

use crate::args::Global;
use crate::error::CliError;

/// Where the command works.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    /// The root of the project.
    pub(crate) root: PathBuf,
    /// The pipeline file; none where there is none.
    pub(crate) file: Option<PathBuf>,
    /// The state folder.
    pub(crate) layout: Layout,
}

impl Here {
    /// The root is the top of the git checkout where a pipeline file lies there, else the folder itself.
    pub(crate) fn find(global: &Global) -> Result<Self, CliError> {
        let Global { dir, state, config } = global;
        let dir = dir.canonicalize().map_err(|source| {
            CliError::io(format!("`{}` cannot be used as folder", dir.display()), source)
        })?;
        if !dir.is_dir() {
            return Err(CliError::usage(format!("`{}` is no folder", dir.display())));
        }
        let (root, found) = root(&dir);
        let file = match config {
            Some(config) => Some(dir.join(config)),
            None => found.map_err(CliError::from)?,
        };
        let state = state.as_ref().map_or_else(|| root.join(".orchestrate"), |state| dir.join(state));
        Ok(Self { root, file, layout: Layout::new(state) })
    }
}

type Found = Result<Option<PathBuf>, orchestrator_core::file::PipelineError>;

fn root(dir: &Path) -> (PathBuf, Found) {
    let own = discover(dir);
    if !matches!(own, Ok(None)) {
        return (dir.to_owned(), own);
    }
    if let Some(top) = toplevel(dir) {
        let found = discover(top);
        if !matches!(found, Ok(None)) {
            return (top.to_owned(), found);
        }
    }
    (dir.to_owned(), Ok(None))
}

/// The top of the git checkout: the nearest folder with a `.git`.
fn toplevel(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|folder| folder.join(".git").exists())
}

/// A path as people would type it from where they are.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(dir: &Path) -> Here {
        Here::find(&Global { dir: dir.to_owned(), state: None, config: None }).unwrap()
    }

    #[test]
    fn the_nearest_pipeline_file_decides() {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap();
        let sub = top.join("a/b");
        std::fs::create_dir_all(&sub).unwrap();
        std::fs::create_dir(top.join(".git")).unwrap();
        assert_eq!(find(&sub).root, sub);
        assert_eq!(find(&sub).file, None);
        std::fs::write(top.join("orchestration.yaml"), "version: 1\n").unwrap();
        let here = find(&sub);
        assert_eq!((here.root, here.file), (top.clone(), Some(top.join("orchestration.yaml"))));
        assert_eq!(here.layout.state(), top.join(".orchestrate"));
        std::fs::write(sub.join("orchestration.toml"), "version = 1\n").unwrap();
        assert_eq!(find(&sub).root, sub);
    }
}
