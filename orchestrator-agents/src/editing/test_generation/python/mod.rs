//! Tests for Python: what a module does is worked out from its text, and pytest is told to find it so. Only what is
//! certain is asserted; the rest is named for a person.
//!
//! Files are read in this order: `module` and `class` (what names mean), `value` and `eval` (what code does), `shape`,
//! `inputs` and `seed` (what to try), `unit` and `explore` (what was seen), `case` and `render` (the text).

#![expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "numbers are bounded before they are cast"
)]
#![expect(clippy::float_cmp, reason = "floats are compared as Python compares them")]
#![expect(clippy::option_option, reason = "whether it is known and whether it is there are two things")]

mod budget;
mod case;
mod class;
mod eval;
mod explore;
mod inputs;
mod layout;
mod module;
mod nesting;
mod render;
mod report;
mod seed;
mod shape;
#[cfg(test)]
mod tests;
mod text;
mod unit;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Stmt, StmtFunctionDef};

use super::config::Template;
use super::language::{Generated, Language, NeedsPerson, Printed, Ran, Runner, Source};
use case::{Case, Writer};
use explore::explore;
use layout::Layout;
use module::{Global, Module, offset};
use render::Group;
use text::Names;
use unit::Unit;

/// Cases of one file.
const MOST_CASES: usize = 300;
/// Functions and methods of one file, and bytes of their cases.
const MOST_UNITS: usize = 400;
const MOST_BYTES: usize = 1 << 20;
/// Ends of one function that are named for a person.
const MOST_ENDS: usize = 50;

/// Trees are walked by recursion; within the bounds of `nesting` this stack is enough.
const STACK: usize = 64 << 20;

/// Python.
pub(super) struct Python;

impl Language for Python {
    fn read_and_write(source: &Source<'_>) -> Result<Generated, BoxError> {
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            let made = builder.spawn_scoped(scope, || generate(source))?;
            made.join().map_err(|_| format!("reading `{}` failed in a way that is a bug", source.path))?
        })
    }

    fn test_file(path: &RelPath, look: &Workspace) -> RelPath {
        Layout::of(path, look).test_file(path, look)
    }

    fn runner(test_file: &RelPath, look: &Workspace) -> Option<Runner> {
        Layout::of(test_file, look).runner(test_file, look)
    }

    fn missing(test_file: &RelPath, look: &Workspace) -> String {
        let folder = Layout::of(test_file, look).root;
        let place = if folder.is_root() { "the project".to_owned() } else { format!("`{folder}`") };
        format!("pytest is not installed in {place}; install it in its `.venv` and run `{test_file}`")
    }

    fn ran(_tool: &str, printed: &Printed<'_>) -> Ran {
        report::read(printed)
    }

    fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
        report::find(path, text, cases)
    }

    const COMMENT: &'static str = "#";
    const TEMPLATES: &'static [Template] = &[Template::Python];
}

/// The tests of a source. An error where the source cannot be read or imported.
fn generate(source: &Source<'_>) -> Result<Generated, BoxError> {
    if !source.templates.contains(&Template::Python) {
        return Err(format!("`{}` is Python, and `templates` does not name `python`", source.path).into());
    }
    let layout = Layout::of(source.path, source.look);
    let name = layout.module(source.path)?;
    let tree = module::parse(source.path, source.text)?;
    let module = Module::of(&tree, source.text);
    let mark =
        ["pytest-asyncio", "anyio"].into_iter().find(|package| layout.depends_on(package, source.look));
    let mark = mark.map(|package| package.trim_start_matches("pytest-"));
    let mut file = File {
        module: &module,
        marked: mark.is_some(),
        names: Names::default(),
        person: Vec::new(),
        taken: BTreeSet::new(),
        units: 0,
        bytes: 0,
    };
    let groups = file.groups();
    let cases: Vec<String> = groups
        .iter()
        .flat_map(|group| group.cases.iter().map(|case| full_name(group.class.as_deref(), &case.name)))
        .collect();
    let text = if cases.is_empty() {
        String::new()
    } else {
        render::render(source, &name, &file.names.imports(), mark.unwrap_or_default(), &groups)?
    };
    file.person.sort_by_key(|person| person.line);
    Ok(Generated { text, cases, person: file.person })
}

fn full_name(class: Option<&str>, name: &str) -> String {
    class.map_or_else(|| name.to_owned(), |class| format!("{class}::{name}"))
}

/// A test file as it is made.
struct File<'a> {
    module: &'a Module<'a>,
    marked: bool,
    names: Names,
    person: Vec<NeedsPerson>,
    taken: BTreeSet<String>,
    /// Functions and methods so far, and bytes of their cases.
    units: usize,
    bytes: usize,
}

impl<'a> File<'a> {
    fn groups(&mut self) -> Vec<Group> {
        let module = self.module;
        let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
        let mut count = 0;
        for (at, name) in module.order.iter().enumerate() {
            if self.units > MOST_UNITS {
                let why = format!("the file has more than {MOST_UNITS} functions and methods: split it");
                self.person.push(NeedsPerson { what: name.clone(), line: 0, why });
                break;
            }
            let (class, units) = match module.names.get(name) {
                _ if name.starts_with('_') => continue,
                Some(Global::Function(def)) => (None, vec![Unit::function(def, module)]),
                Some(Global::Class(class)) => (Some(format!("Test{name}")), Unit::of_class(class, module)),
                _ => continue,
            };
            let mut cases = Vec::new();
            self.units += units.len();
            for unit in &units {
                let most = MOST_CASES.saturating_sub(count + cases.len());
                cases.extend(self.unit(unit, class.as_deref(), most));
            }
            count += cases.len();
            if !cases.is_empty() {
                groups.insert(at, Group { class, cases });
            }
        }
        groups.into_values().collect()
    }

    /// The cases of a unit; what has none, or is not reached, needs a person.
    fn unit(&mut self, unit: &Unit<'a>, class: Option<&str>, most: usize) -> Vec<Case> {
        let explored = explore(unit, self.module);
        let mut cases = Vec::new();
        let mut why = explored.unknown.first_key_value().map(|(at, why)| (*at, why.clone()));
        for ran in &explored.kept {
            let mut writer =
                Writer { unit, explored: &explored, names: &mut self.names, marked: self.marked };
            match writer.case(ran) {
                Ok(mut case) => {
                    case.name = self.distinct(class, &case.name);
                    let bytes: usize = case.lines.iter().map(String::len).sum();
                    if self.bytes.saturating_add(bytes) > MOST_BYTES {
                        why = why.or(Some((unit.offset(), "its cases are too long to be written".into())));
                    } else if cases.len() < most {
                        self.bytes += bytes;
                        cases.push(case);
                    }
                }
                Err(said) => why = why.or(Some((unit.offset(), said))),
            }
        }
        let trivial = unit.how == unit::How::Make && unit.def.is_none();
        if explored.kept.is_empty() || (cases.is_empty() && why.is_some()) {
            let (at, why) =
                why.unwrap_or((unit.offset(), "nothing is known that it could be called with".into()));
            if !(trivial || unit.how == unit::How::Make && why.contains("only keeps")) {
                self.needs(unit, at, why);
            }
        } else if !cases.is_empty() {
            self.missed(unit, &explored);
        }
        cases
    }

    /// Ends of a unit that no run came to.
    fn missed(&mut self, unit: &Unit<'a>, explored: &explore::Explored) {
        let Some(def) = unit.def else { return };
        for (at, what) in ends(def).into_iter().take(MOST_ENDS) {
            if !explored.reached.contains(&(at, 0)) {
                let why = explored.unknown.get(&at).cloned();
                self.needs(
                    unit,
                    at,
                    why.unwrap_or_else(|| format!("no input was found that comes to this `{what}`")),
                );
            }
        }
    }

    fn needs(&mut self, unit: &Unit<'_>, at: u32, why: String) {
        let at = if at == 0 { unit.offset() } else { at };
        self.person.push(NeedsPerson { what: unit.shown(), line: self.module.line(at), why });
    }

    fn distinct(&mut self, class: Option<&str>, name: &str) -> String {
        let mut distinct = name.to_owned();
        let mut next = 2;
        while !self.taken.insert(full_name(class, &distinct)) {
            distinct = format!("{name}_{next}");
            next += 1;
        }
        distinct
    }
}

/// Where a function ends by its own words.
fn ends(def: &StmtFunctionDef) -> Vec<(u32, &'static str)> {
    struct Ends(Vec<(u32, &'static str)>);
    impl<'a> Visitor<'a> for Ends {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            match stmt {
                Stmt::Return(_) => self.0.push((offset(stmt), "return")),
                Stmt::Raise(_) => self.0.push((offset(stmt), "raise")),
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
                _ => {}
            }
            walk_stmt(self, stmt);
        }
    }
    let mut ends = Ends(Vec::new());
    for stmt in &def.body {
        ends.visit_stmt(stmt);
    }
    ends.0
}
