//! Variables of a pipeline file: `${vars.NAME}` in any text. No environment; any other `${...}` is left to the shell.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::file::cursor::Way;
use crate::file::tree::{Budget, Data, MAX_DEPTH, Node};
use crate::pipeline::Place;
use crate::problem::{self, Problem};

const START: &str = "${vars.";

/// Replaces variables in the whole file. `$${` stands for `${`; text that is nothing but a variable takes its type.
pub(super) fn substitute(root: &mut Node<'_>, wrong: &mut Vec<Problem>) {
    let Data::Map(entries) = &mut root.data else { return };
    let mut vars = Vars { known: HashMap::new(), budget: Budget::new(), wrong };
    if let Some(at) = entries.iter().position(|entry| entry.key == "vars") {
        vars.declare(&mut entries[at].node);
    }
    for entry in entries.iter_mut().filter(|entry| entry.key != "vars") {
        vars.node(&mut entry.node, Way::Key(&Way::Root, &entry.key), 2);
    }
}

struct Vars<'t, 'p> {
    known: HashMap<Cow<'t, str>, Node<'t>>,
    budget: Budget,
    wrong: &'p mut Vec<Problem>,
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-'))
}

impl<'t> Vars<'t, '_> {
    fn declare(&mut self, vars: &mut Node<'t>) {
        let (place, kind) = (vars.place, vars.kind());
        let Data::Map(entries) = &mut vars.data else {
            let way = Way::Key(&Way::Root, "vars");
            return self.problem(place, &way, format!("expected a map of names to values, found {kind}"));
        };
        for entry in entries {
            let above = Way::Key(&Way::Root, "vars");
            let way = Way::Key(&above, &entry.key);
            if !is_name(&entry.key) {
                let message = format!("`{}` is not a valid name: it must match [a-z][a-z0-9_-]*", entry.key);
                self.problem(entry.place, &way, message);
            }
            self.node(&mut entry.node, way, 3);
            let (weight, _) = entry.node.weight();
            if self.pays(weight, entry.place, &way) {
                self.known.insert(entry.key.clone(), entry.node.clone());
            }
        }
    }

    fn problem(&mut self, place: Place, way: &Way<'_>, message: impl Into<String>) {
        self.wrong.push(Problem::new(way.to_string(), message).at(Some(place)));
    }

    fn pays(&mut self, weight: usize, place: Place, way: &Way<'_>) -> bool {
        let paid = self.budget.take(weight);
        if !paid {
            self.problem(place, way, "variables expand to too much; 64 MiB are taken");
        }
        paid
    }

    fn node(&mut self, node: &mut Node<'t>, way: Way<'_>, depth: usize) {
        match &mut node.data {
            Data::Plain(..) => {}
            Data::Text(text) if !text.contains("${") => {}
            Data::Text(text) => {
                let replaced = match text.strip_prefix(START).and_then(|rest| rest.strip_suffix('}')) {
                    Some(name) if !name.contains('}') => self.whole(name, node.place, &way, depth),
                    _ => self.within(text, node.place, &way).map(|text| Data::Text(text.into())),
                };
                if let Some(data) = replaced {
                    node.data = data;
                }
            }
            Data::List(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.node(item, Way::Index(&way, at), depth + 1);
                }
            }
            Data::Map(entries) => {
                for entry in entries {
                    self.node(&mut entry.node, Way::Key(&way, &entry.key), depth + 1);
                }
            }
        }
    }

    /// Text that is nothing but a variable.
    fn whole(&mut self, name: &str, place: Place, way: &Way<'_>, depth: usize) -> Option<Data<'t>> {
        let Some(value) = self.known.get(name) else {
            self.unknown(name, place, way);
            return None;
        };
        let ((weight, deep), data) = (value.weight(), value.data.clone());
        if depth + deep - 1 > MAX_DEPTH {
            self.problem(place, way, format!("nested too deep; {MAX_DEPTH} levels are taken"));
            return None;
        }
        self.pays(weight, place, way).then_some(data)
    }

    /// Variables within text.
    fn within(&mut self, text: &str, place: Place, way: &Way<'_>) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &rest[at + 2..];
            } else if let Some(after) = rest[at..].strip_prefix(START) {
                out.push_str(before);
                let Some((name, after)) = after.split_once('}') else {
                    self.problem(place, way, "`${vars.` is not closed by `}`");
                    return None;
                };
                out.push_str(&self.written(name, place, way)?);
                rest = after;
            } else {
                out.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
            }
        }
        out.push_str(rest);
        Some(out)
    }

    fn written(&mut self, name: &str, place: Place, way: &Way<'_>) -> Option<String> {
        let Some(value) = self.known.get(name) else {
            self.unknown(name, place, way);
            return None;
        };
        let (kind, text) = (value.kind(), value.written().map(str::to_owned));
        if let Some(text) = text {
            return self.pays(text.len(), place, way).then_some(text);
        }
        self.problem(place, way, format!("`vars.{name}` is {kind}, so it cannot stand within text"));
        None
    }

    fn unknown(&mut self, name: &str, place: Place, way: &Way<'_>) {
        let mut known: Vec<&str> = self.known.keys().map(AsRef::as_ref).collect();
        known.sort_unstable();
        let message = if known.is_empty() {
            format!("unknown variable `{name}`; none are declared above it")
        } else {
            problem::unknown("variable", name, known)
        };
        self.problem(place, way, message);
    }
}
