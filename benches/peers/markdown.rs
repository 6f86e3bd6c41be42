//! The README's table: a row for each tool, a column for each workload, and where we lose.

use crate::options::Options;
use crate::peer::Peer;
use crate::result::{Outcome, Table};
use std::fmt::Write as _;

/// The text between the markers. `versions` are in the order of `peers`.
pub(crate) fn show(
    tables: &[Table],
    peers: &[Box<dyn Peer>],
    versions: &[Option<String>],
    shape: &str,
    options: &Options,
) -> String {
    let rounds = options.rounds;
    let today = jiff::Zoned::now().date();
    let mut text = format!(
        "Measured on {today}: {shape}. Medians of {rounds} interleaved rounds of whole processes, each checked for what it ran \
         and made; in brackets the median of the ratios to orchestrate, round by round (above 1: slower than orchestrate).\n\n",
    );
    let titles: Vec<_> = tables.iter().map(|table| table.workload.title()).collect();
    let _ = writeln!(text, "| tool | {} |\n|---|{}", titles.join(" | "), "--:|".repeat(titles.len()));
    for (at, peer) in peers.iter().enumerate() {
        let cells: Vec<String> = tables.iter().map(|table| cell(table, at)).collect();
        let version = versions[at].as_deref().map_or("not installed", |version| version);
        let fewer =
            if peer.rounds() < rounds { format!(", {} rounds", peer.rounds()) } else { String::new() };
        let _ = writeln!(text, "| {} {version}{fewer} | {} |", peer.name(), cells.join(" | "));
    }
    let floors: Vec<String> = tables.iter().map(floor).collect();
    let _ = writeln!(text, "| floor, and ours to it | {} |\n", floors.join(" | "));
    floor_notes(&mut text, tables);
    losses(&mut text, tables, peers);
    text
}

fn cell(table: &Table, at: usize) -> String {
    match &table.outcomes[at] {
        Outcome::NotRun => "not run".to_owned(),
        Outcome::NotInstalled => "not installed".to_owned(),
        Outcome::Failed(why) => format!("failed: {}", why.replace('|', "/").replace('`', "")),
        Outcome::Measured(series) => {
            let median = series.median().map_or("-".to_owned(), |median| table.workload.show(median));
            let ratio = table.ours().filter(|_| at > 0).and_then(|ours| series.over(ours));
            median + &ratio.map(|ratio| format!(" ({ratio:.2})")).unwrap_or_default()
        }
    }
}

fn floor(table: &Table) -> String {
    let Some((_, series)) = table.floors.first() else { return "-".to_owned() };
    let median = series.median().map_or("-".to_owned(), |median| table.workload.show(median));
    let ratio = table.ours().and_then(|ours| ours.over(series));
    median + &ratio.map(|ratio| format!(" (ours {ratio:.2})")).unwrap_or_default()
}

fn floor_notes(text: &mut String, tables: &[Table]) {
    text.push_str("Floors, the least that the work takes here: ");
    let notes = tables.iter().flat_map(|table| {
        let name = table.workload.title();
        table.floors.iter().map(move |(title, series)| {
            let median = series.median().map_or("-".to_owned(), |median| table.workload.show(median));
            format!("{name}: {title}, {median}")
        })
    });
    let _ = writeln!(text, "{}.\n", notes.collect::<Vec<_>>().join("; "));
}

/// Every tool that was faster or smaller, workload by workload.
fn losses(text: &mut String, tables: &[Table], peers: &[Box<dyn Peer>]) {
    let mut lines = Vec::new();
    for table in tables {
        let Some(ours) = table.ours() else {
            lines.push(format!("- {}: orchestrate has no number", table.workload.title()));
            continue;
        };
        let ahead = peers.iter().zip(&table.outcomes).skip(1).filter_map(|(peer, outcome)| match outcome {
            Outcome::Measured(series) if !peer.is_ours() => {
                let ratio = series.over(ours).filter(|ratio| *ratio < 1.0)?;
                Some(format!("{} ({ratio:.2})", peer.name()))
            }
            _ => None,
        });
        let ahead: Vec<String> = ahead.collect();
        if !ahead.is_empty() {
            lines.push(format!("- {}: {}", table.workload.title(), ahead.join(", ")));
        }
    }
    if lines.is_empty() {
        text.push_str("No tool that was measured was ahead of orchestrate in any column.\n");
    } else {
        let _ = writeln!(text, "Where orchestrate loses:\n\n{}", lines.join("\n"));
    }
}
