//! Plans of pipeline files, kept: a file that did not change is neither read as YAML nor planned again.
//!
//! A plan follows from the pipeline, the program, the settings, the project and what was selected; all of them are in the key.
//! What is kept lies in the cache and may be lost at any time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::path::Digest;
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::plan::Plan;
use orchestrator_core::planner::Selector;
use orchestrator_core::settings::Settings;
use serde_json::Value;

use crate::here::Here;

/// A pipeline file, and what is kept of it.
pub(crate) struct Compiled {
    path: PathBuf,
    /// The pipeline file as it was read.
    file: PathBuf,
    digest: Digest,
    kept: Option<(Kept, String)>,
}

/// What is kept of a pipeline file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    /// The `settings:` of the file.
    settings: Value,
    /// Whether a phase is drafted for the project, so that the plan follows from all that is known of it.
    drafts: bool,
    /// Names what else the plan follows from.
    key: Digest,
}

impl Compiled {
    /// What is kept of the pipeline file of a project; none where there is no file.
    pub(crate) fn open(here: &Here) -> Option<Self> {
        let bytes = fs::read(here.file.as_ref()?).ok()?;
        let program = std::env::current_exe().ok()?.metadata().ok()?;
        let program = [
            program.len(),
            program.ino(),
            program.mtime().cast_unsigned(),
            program.mtime_nsec().cast_unsigned(),
        ];
        let (file, digest) = (here.file.clone()?, Digest::of(&bytes));
        let name = Digest::of(format!("{program:?} {} {digest}", file.display()).as_bytes());
        let path = here.layout.cache().join("plans").join(name.to_string());
        let kept = fs::read(&path).ok().and_then(read);
        Some(Self { path, file, digest, kept })
    }

    /// The settings of the file, if they are kept.
    pub(crate) fn settings(&self) -> Option<&Value> {
        Some(&self.kept.as_ref()?.0.settings)
    }

    /// The kept plan, if it is the one that would be made now.
    pub(crate) fn plan(
        &self,
        orchestrator: &Orchestrator,
        settings: &Settings,
        selector: &Selector,
    ) -> Option<Plan> {
        let (kept, plan) = self.kept.as_ref()?;
        let is_same = kept.key == key(orchestrator, kept.drafts, settings, selector)?;
        if is_same { Plan::from_json(plan).ok() } else { None }
    }

    /// Keeps a plan. One that cannot be kept is made again, and nobody is told.
    pub(crate) fn keep(
        &self,
        orchestrator: &Orchestrator,
        pipeline: &Pipeline,
        settings: &Settings,
        selector: &Selector,
        plan: &Plan,
    ) {
        // The file may have been edited after it was looked at here, and before the pipeline was read.
        if !fs::read(&self.file).is_ok_and(|bytes| Digest::of(&bytes) == self.digest) {
            return;
        }
        let drafts = pipeline.phases.iter().any(|phase| phase.uses.is_some());
        let Some(key) = key(orchestrator, drafts, settings, selector) else { return };
        let Ok(plan) = plan.json() else { return };
        let kept = Kept { settings: pipeline.settings.clone(), drafts, key };
        let Ok(head) = serde_json::to_string(&kept) else { return };
        let body = format!("{head}\n{plan}");
        let bytes = format!("{}{body}", Digest::of(body.as_bytes())).into_bytes();
        let _ = write(&self.path, &bytes);
    }
}

/// What else a plan follows from; none where it also follows from earlier runs or from git.
fn key(
    orchestrator: &Orchestrator,
    drafts: bool,
    settings: &Settings,
    selector: &Selector,
) -> Option<Digest> {
    if !selector.is_simple() || selector.affected.is_some() {
        return None;
    }
    let project =
        if drafts { format!("{:?}", orchestrator.project().ok()?) } else { names(orchestrator.root()) };
    Some(Digest::of(format!("{settings:?} {project} {selector:?}").as_bytes()))
}

/// What the name of a project follows from: its folder and its manifests.
fn names(root: &Path) -> String {
    let stamp = |name: &&str| {
        let meta = root.join(name).metadata().ok()?;
        Some((meta.len(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
    };
    let manifests =
        ["Cargo.toml", "package.json", "pyproject.toml", "setup.cfg", "setup.py", "composer.json", "go.mod"];
    format!("{} {:?}", root.display(), manifests.iter().map(stamp).collect::<Vec<_>>())
}

fn read(bytes: Vec<u8>) -> Option<(Kept, String)> {
    let mut text = String::from_utf8(bytes).ok()?;
    let (sum, body) = text.split_at_checked(64)?;
    let (head, plan) = body.split_once('\n').filter(|_| sum == Digest::of(body.as_bytes()).to_string())?;
    let (kept, from) = (serde_json::from_str(head).ok()?, text.len() - plan.len());
    text.drain(..from);
    Some((kept, text))
}

/// Writes beside the file, then renames; older plans go.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().expect("it lies in the cache");
    // Only where results are kept anyway is a plan kept.
    fs::create_dir_all(folder)?;
    for other in fs::read_dir(folder)?.flatten().filter(|other| other.path() != path) {
        let _ = fs::remove_file(other.path());
    }
    let beside = folder.join(format!(".{}.new", std::process::id()));
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}
