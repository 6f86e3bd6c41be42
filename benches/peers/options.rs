//! What was asked for on the command line.

use crate::ours::OURS;
use crate::peer::Peer;
use crate::workload::Workload;

/// How to call it.
pub(crate) const USAGE: &str = "usage: cargo bench -p orchestrator-cli --bench peers -- [OPTIONS]

  --rounds N            rounds of each workload [default: 7]; slow tools take part in fewer, the table says so
  --only WORKLOAD,..    wide, chain, layers, first, unchanged, changed, version, list, memory
  --peers NAME,..       only these beside ours; the others are listed as not run
  --markdown            print the table of the README as well
  --write-readme        put it into the README, between its markers

environment: PEERS=DIR, where `benches/peers/install.sh DIR` put them; ORCHESTRATE=FILE, the program to measure
";

/// The options.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) only: Vec<Workload>,
    /// All where empty.
    pub(crate) peers: Vec<String>,
    pub(crate) markdown: bool,
    pub(crate) write_readme: bool,
}

impl Options {
    /// Reads the arguments; an error is for people.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 7,
            only: Workload::ALL.to_vec(),
            peers: Vec::new(),
            markdown: false,
            write_readme: false,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value"));
            match arg.as_str() {
                // From cargo.
                "--bench" => {}
                "--rounds" => options.rounds = rounds(&value()?)?,
                "--only" => options.only = value()?.split(',').map(workload).collect::<Result<_, _>>()?,
                "--peers" => options.peers = value()?.split(',').map(str::to_owned).collect(),
                "--markdown" => options.markdown = true,
                "--write-readme" => options.write_readme = true,
                _ => return Err(format!("unknown argument `{arg}`")),
            }
        }
        Ok(options)
    }
}

impl Options {
    /// Whether a tool was asked for.
    pub(crate) fn takes(&self, peer: &dyn Peer) -> bool {
        self.peers.is_empty() || peer.name() == OURS || self.peers.iter().any(|name| name == peer.name())
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|rounds| *rounds > 0)
        .ok_or_else(|| format!("`{text}` is not a number of rounds"))
}

fn workload(name: &str) -> Result<Workload, String> {
    let known = || Workload::ALL.map(Workload::name).join(", ");
    let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
    found.ok_or_else(|| format!("unknown workload `{name}`; known: {}", known()))
}
