//! The folders in use, each made when it is first needed. When they go, so does what tools left running in them.

use crate::check;
use crate::peer::Peer;
use crate::place::Place;
use crate::tools::Tools;
use crate::work::Act;
use crate::workload::Shape;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

type Key = (Shape, bool, &'static str);

/// Folders by shape, whether they are for checks, and tool.
pub(crate) struct Places<'t> {
    tools: &'t Tools,
    root: PathBuf,
    all: BTreeMap<Key, Result<Place, String>>,
    checked: BTreeMap<(Shape, &'static str), Result<(), String>>,
    /// How to end what may run in them.
    live: BTreeMap<Key, Command>,
}

impl<'t> Places<'t> {
    pub(crate) fn new(tools: &'t Tools, root: PathBuf) -> Self {
        Self { tools, root, all: BTreeMap::new(), checked: BTreeMap::new(), live: BTreeMap::new() }
    }

    /// The folder of a tool, or of the floors.
    pub(crate) fn get(&mut self, shape: Shape, act: Act, peer: Option<&dyn Peer>) -> Result<&Place, String> {
        let name = peer.map_or("floor", Peer::name);
        let act = if shape == Shape::Files { Act::Join } else { act };
        let key = (shape, act == Act::Say, name);
        if !self.all.contains_key(&key) {
            let place = Place::new(self.tools, &self.root, shape, act, name, peer);
            self.all.insert(key, place);
        }
        let place = self.all[&key].as_ref().map_err(Clone::clone)?;
        if let Some((peer, stop)) = peer.and_then(|peer| Some((peer, peer.stop()?))) {
            let mut command = place.command(self.tools, peer);
            command.args(stop);
            self.live.insert(key, command);
        }
        Ok(place)
    }

    /// Ends what tools left running, so that it does not disturb what is measured next.
    pub(crate) fn quiet(&mut self) {
        for mut stop in std::mem::take(&mut self.live).into_values() {
            if let Err(wrong) = crate::measure::run(&mut stop) {
                eprintln!("{stop:?}: {wrong}");
            }
        }
    }

    /// Whether the tool does what the workload means: it runs each task once and in order, and where there are no files
    /// again in the next run; where there are, it makes them. The run is not measured.
    pub(crate) fn check(&mut self, shape: Shape, peer: &dyn Peer) -> Result<(), String> {
        let key = (shape, peer.name());
        if let Some(known) = self.checked.get(&key) {
            return known.clone();
        }
        let tools = self.tools;
        let result = self.get(shape, Act::Say, Some(peer)).and_then(|place| {
            let twice = shape != Shape::Files && peer.rounds() == usize::MAX;
            for _ in 0..=usize::from(twice) {
                place.run(tools, peer)?;
                check::all_ran(&place.work)?;
            }
            if shape == Shape::Files {
                check::made(&place.work, &place.top, &peer.made(&place.top), 0)
            } else {
                Ok(())
            }
        });
        self.quiet();
        self.checked.insert(key, result.clone());
        result
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        self.quiet();
    }
}
