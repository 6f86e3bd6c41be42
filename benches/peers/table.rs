//! The table for a terminal: everything that was measured.

use crate::peer::Peer;
use crate::result::{Outcome, Series, Table};

/// A table as text.
pub(crate) fn show(table: &Table, peers: &[Box<dyn Peer>]) -> String {
    let workload = table.workload;
    let mut lines = vec![
        format!("\n{} ({})", workload.title(), workload.name()),
        format!("  {:<42} {:>10} {:>8} {:>9} {:>7}", "", "median", "of ours", "of floor", "rounds"),
    ];
    let floor = table.floors.first().map(|(_, series)| series);
    let ratio = |series: &Series, to: Option<&Series>| {
        to.and_then(|to| series.over(to)).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    let mut row = |name: &str, series: &Series| {
        let median = series.median().map_or("-".to_owned(), |median| workload.show(median));
        let (ours, floor) = (ratio(series, table.ours()), ratio(series, floor));
        lines.push(format!("  {name:<42} {median:>10} {ours:>8} {floor:>9} {:>7}", series.rounds()));
    };
    for (title, series) in &table.floors {
        row(&format!("floor: {title}"), series);
    }
    for (peer, outcome) in peers.iter().zip(&table.outcomes) {
        if let Outcome::Measured(series) = outcome {
            row(peer.name(), series);
        }
    }
    for (peer, outcome) in peers.iter().zip(&table.outcomes) {
        match outcome {
            Outcome::NotRun => lines.push(format!("  {:<42} not run (not asked for)", peer.name())),
            Outcome::NotInstalled => lines.push(format!("  {:<42} not installed", peer.name())),
            Outcome::Failed(why) => lines.push(format!("  {:<42} failed: {why}", peer.name())),
            Outcome::Measured(_) => {}
        }
    }
    lines.join("\n") + "\n"
}
