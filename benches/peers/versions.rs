//! The versions of the tools.

use crate::measure::answer;
use crate::peer::Peer;
use crate::tools::Tools;
use std::path::Path;

/// The first thing in the answer that looks like a version, where the tool is installed.
pub(crate) fn of(tools: &Tools, peer: &dyn Peer) -> Option<String> {
    let mut command = tools.command(peer.program()?, Path::new("/"));
    let text = answer(command.arg(peer.version_argument())).unwrap_or_default();
    let words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    let mut versions =
        words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    Some(versions.next().unwrap_or("of unknown version").to_owned())
}
