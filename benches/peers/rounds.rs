//! Rounds of one workload: the floors, then each tool in turn, again and again; what a tool did is checked each time.

use crate::check;
use crate::floor::Floor;
use crate::measure::{self, Took};
use crate::options::Options;
use crate::peer::Peer;
use crate::place::Place;
use crate::places::Places;
use crate::result::{Outcome, Series, Table};
use crate::tools::Tools;
use crate::work::Act;
use crate::workload::{Shape, Workload};

/// The task whose input is changed.
const EDITED: usize = 500;

/// Measures a workload.
pub(crate) fn measure(
    tools: &Tools,
    places: &mut Places<'_>,
    peers: &[Box<dyn Peer>],
    workload: Workload,
    options: &Options,
) -> Result<Table, String> {
    let floors = Floor::of(workload);
    let mut floor_series = vec![Series::default(); floors.len()];
    let mut outcomes: Vec<Outcome> = Vec::new();
    for peer in peers {
        let taken = options.takes(peer.as_ref());
        outcomes.push(if taken { ready(tools, places, peer.as_ref(), workload) } else { Outcome::NotRun });
    }
    // The first round is for the caches of the machine.
    for round in 0..=options.rounds {
        let place = places.get(workload.shape(), Act::Nothing, None)?;
        for (floor, series) in floors.iter().zip(&mut floor_series) {
            series.push(round, floor.measure(place));
        }
        for (peer, outcome) in peers.iter().zip(&mut outcomes) {
            let Outcome::Measured(series) = outcome else { continue };
            // A slow one is warm from its check, unless a process that it leaves running has to start.
            let warm = peer.rounds() != usize::MAX && peer.stop().is_none();
            if round > peer.rounds() || (round == 0 && warm) {
                continue;
            }
            let act = if workload == Workload::List { Act::Say } else { Act::Nothing };
            let took = places
                .get(workload.shape(), act, Some(peer.as_ref()))
                .and_then(|place| attempt(tools, place, peer.as_ref(), workload, round));
            match took {
                Ok(took) if workload == Workload::Memory => series.push(round, took.peak),
                Ok(took) => series.push(round, took.seconds),
                Err(why) => *outcome = Outcome::Failed(why),
            }
        }
    }
    places.quiet();
    let floors = floors.iter().map(|floor| floor.title).zip(floor_series).collect();
    Ok(Table { workload, floors, outcomes })
}

/// Whether a tool can take part; where there are files, a first run lies behind it then.
fn ready(tools: &Tools, places: &mut Places<'_>, peer: &dyn Peer, workload: Workload) -> Outcome {
    if peer.program().is_none() {
        return Outcome::NotInstalled;
    }
    let checked = match workload {
        Workload::Version | Workload::List => Ok(()),
        _ => places.check(workload.shape(), peer),
    };
    let settled = checked.and_then(|()| match workload {
        // The first look at a set may differ from the next: what is measured is the steady state.
        Workload::Unchanged | Workload::Changed | Workload::Memory => {
            let place = places.get(Shape::Files, Act::Join, Some(peer))?;
            place.run(tools, peer).map(|_| drop(check::take(&place.work)))
        }
        _ => Ok(()),
    });
    settled.map_or_else(Outcome::Failed, |()| Outcome::Measured(Series::default()))
}

fn attempt(
    tools: &Tools,
    place: &Place,
    peer: &dyn Peer,
    workload: Workload,
    round: usize,
) -> Result<Took, String> {
    let (top, work) = (&place.top, &place.work);
    let in_words = |wrong: std::io::Error| wrong.to_string();
    match workload {
        Workload::Wide | Workload::Chain | Workload::Layers => {
            peer.renew(top, place.command(tools, peer)).map_err(in_words)?;
            place.run(tools, peer)
        }
        Workload::First => {
            peer.forget(top, place.command(tools, peer)).map_err(in_words)?;
            let took = place.run(tools, peer)?;
            check::all_ran(work)?;
            check::made(work, top, &peer.made(top), EDITED).map(|()| took)
        }
        Workload::Unchanged | Workload::Memory => {
            let took = place.run(tools, peer)?;
            check::only(work, &[])?;
            check::made(work, top, &peer.made(top), EDITED).map(|()| took)
        }
        Workload::Changed => {
            work.edit(top, EDITED, edition(round)).map_err(in_words)?;
            let took = place.run(tools, peer)?;
            check::only(work, &[&work.tasks[EDITED].id])?;
            check::made(work, top, &peer.made(top), EDITED).map(|()| took)
        }
        Workload::Version => measure::run(place.command(tools, peer).arg(peer.version_argument())),
        Workload::List => {
            let mut command = place.command(tools, peer);
            peer.list(&mut command, work);
            let took = measure::run(&mut command)?;
            check::only(work, &[]).map(|()| took)
        }
    }
}

/// Content that never was before, also not in an earlier workload of this folder.
fn edition(round: usize) -> usize {
    round + 1
}
