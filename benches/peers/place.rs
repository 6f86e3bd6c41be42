//! A folder for one tool and one shape of work: a git repository, as real ones are, with nothing uncommitted.

use crate::measure;
use crate::peer::Peer;
use crate::tools::Tools;
use crate::work::{Act, Work};
use crate::workload::Shape;
use std::path::{Path, PathBuf};
use std::process::Command;

const IGNORED: &str = "out\n.orchestrate\n.ninja_*\n.justcache\n.turbo\nnode_modules\n.moon/cache\n.nx\n.task\n\
    .doit.json*\n__pycache__\n.snakemake\nbazel-*\n";

/// Where one tool works.
pub(crate) struct Place {
    pub(crate) top: PathBuf,
    pub(crate) work: Work,
}

impl Place {
    /// Lays out the work and what the tool calls a pipeline.
    pub(crate) fn new(
        tools: &Tools,
        root: &Path,
        shape: Shape,
        act: Act,
        name: &str,
        peer: Option<&dyn Peer>,
    ) -> Result<Self, String> {
        let inner = if act == Act::Say { "check" } else { "bench" };
        let folder = root.join(format!("{shape:?}-{inner}-{name}").to_lowercase());
        let top = folder.join("top");
        let lay_out = || {
            let work = shape.work(act, folder.join("said"));
            std::fs::create_dir_all(&top)?;
            work.lay_out(&top)?;
            std::fs::write(top.join(".gitignore"), IGNORED)?;
            peer.map_or(Ok(()), |peer| peer.write(&top, &work))?;
            Ok(work)
        };
        let work =
            lay_out().map_err(|wrong: std::io::Error| format!("the pipeline was not written: {wrong}"))?;
        let git = tools.find("git").ok_or("git is not installed")?;
        // Without its housekeeping, which would go on beside what is measured.
        for line in [
            "init -q -b main",
            "config gc.auto 0",
            "config maintenance.auto false",
            "add -A",
            "-c user.name=bench -c user.email=bench@localhost commit -q -m bench",
        ] {
            measure::run(tools.command(&git, &top).args(line.split(' ')))?;
        }
        Ok(Self { top, work })
    }

    /// The tool, to be called here.
    pub(crate) fn command(&self, tools: &Tools, peer: &dyn Peer) -> Command {
        tools.command(peer.program().unwrap_or(Path::new("")), &self.top)
    }

    /// The tool doing all the work.
    pub(crate) fn run(&self, tools: &Tools, peer: &dyn Peer) -> Result<measure::Took, String> {
        let mut command = self.command(tools, peer);
        peer.run(&mut command, &self.work);
        measure::run(&mut command)
    }
}
