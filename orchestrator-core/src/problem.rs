//! What is wrong with a pipeline: all of it at once, each with its place.

use std::fmt;

use crate::id::PhaseName;
use crate::pipeline::Place;

/// One thing that is wrong with a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where in the file.
    pub place: Option<Place>,
    /// The way to it: `phases[2].groups[0].tasks[1].with.tag`.
    pub way: String,
    /// What is wrong: lower case, no full stop, names in backticks, what is known instead.
    pub message: String,
    /// A phase that would have to run as well, where that is all that is missing.
    pub also: Option<PhaseName>,
}

impl Problem {
    /// A problem at a way, its line not known.
    pub fn new(way: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: None, way: way.into(), message: message.into(), also: None }
    }

    /// Says which phase would have to run as well.
    #[must_use]
    pub fn also(mut self, phase: PhaseName) -> Self {
        self.also = Some(phase);
        self
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

/// All that is wrong with a pipeline; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file, where there is one.
    pub file: Option<String>,
    /// In the order of the file.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Sorted by place; duplicates once.
    pub fn new(file: Option<String>, mut list: Vec<Problem>) -> Self {
        list.sort();
        list.dedup();
        Self { file, list }
    }

    /// The phases that would have to run as well, where that is all that is missing; in order.
    pub fn also(&self) -> Option<Vec<PhaseName>> {
        let phases: Option<std::collections::BTreeSet<_>> =
            self.list.iter().map(|problem| problem.also.clone()).collect();
        Some(phases?.into_iter().collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Problem { place, way, message, also: _ }) in self.list.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            // What is wrong with a flag is not in the file.
            let file = self.file.as_ref().filter(|_| !way.starts_with("--"));
            if let Some(file) = file {
                write!(f, "{file}:")?;
            }
            if let Some(Place { line, column }) = place {
                write!(f, "{line}:{column}:")?;
            }
            if file.is_some() || place.is_some() {
                write!(f, " ")?;
            }
            if !way.is_empty() {
                write!(f, "{way}: ")?;
            }
            write!(f, "{message}")?;
        }
        Ok(())
    }
}

/// The known name nearest to `name`, for "did you mean".
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |other: &str| strsim::damerau_levenshtein(name, other);
    let most = (name.len() / 3).max(1);
    known
        .into_iter()
        .map(|other| (near(other), other))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, other)| other)
}

/// "unknown `kind` `name`; did you mean `x`?" or what is known.
pub fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("unknown {kind} `{name}`; did you mean `{near}`?"),
        None => {
            let mut known: Vec<_> = known.into_iter().take(21).collect();
            if known.is_empty() {
                return format!("unknown {kind} `{name}`; there are none");
            }
            let more = if known.len() > 20 { known.pop().map_or("", |_| ", ...") } else { "" };
            format!("unknown {kind} `{name}`; known: {}{more}", known.join(", "))
        }
    }
}
