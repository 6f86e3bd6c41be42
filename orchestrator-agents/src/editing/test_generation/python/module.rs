//! A source file: what its names mean, as far as that is certain from its text alone.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, ModModule, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::budget::Budget;
use super::class::Class;
use super::nesting::too_deep;

/// The largest source that is read, bytes.
const LARGEST: usize = 1 << 20;

/// What a name of the module means.
pub(super) enum Global<'a> {
    Function(&'a StmtFunctionDef),
    Class(Class<'a>),
    /// A name that is bound once, to this.
    Constant(&'a Expr),
    /// A name of another module, in full.
    Outside(String),
    /// It is not certain, for this reason.
    Unsure(String),
}

/// A module and its names.
pub(super) struct Module<'a> {
    pub(super) names: BTreeMap<String, Global<'a>>,
    /// The names in the order of the text.
    pub(super) order: Vec<String>,
    /// Whether names may come from `import *`.
    pub(super) star: bool,
    /// What following it may still cost.
    pub(super) budget: Budget,
    lines: Lines,
}

/// Where lines begin.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// Line and the offset at which it begins; the line counts from 1.
    pub(super) fn at(&self, offset: usize) -> (u32, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        (line as u32, self.0[line.saturating_sub(1)])
    }
}

/// Reads a source; an error names line and column.
pub(super) fn parse(path: &RelPath, text: &str) -> Result<ModModule, BoxError> {
    if text.len() > LARGEST {
        let size = text.len();
        return Err(format!("`{path}` has {size} bytes; no more than {LARGEST} are read: split it").into());
    }
    if let Some(line) = too_deep(text) {
        return Err(format!("`{path}` nests too deep at line {line}: split that expression or block").into());
    }
    ruff_python_parser::parse_module(text).map(ruff_python_parser::Parsed::into_syntax).map_err(|error| {
        let at = error.location.start().to_usize().min(text.len());
        let (line, start) = Lines::of(text).at(at);
        let column = text.get(start..at).map_or(0, |before| before.chars().count()) + 1;
        format!(
            "`{path}` is not valid Python at line {line}, column {column}: {}; mend it first",
            error.error
        )
        .into()
    })
}

impl<'a> Module<'a> {
    /// The names of a module.
    pub(super) fn of(tree: &'a ModModule, text: &str) -> Self {
        let lines = Lines::of(text);
        let mut module =
            Self { names: BTreeMap::new(), order: Vec::new(), star: false, budget: Budget::default(), lines };
        for stmt in &tree.body {
            module.take(stmt);
        }
        for name in changed(&tree.body) {
            if matches!(module.names.get(&name), Some(Global::Constant(_))) {
                let why = format!("`{name}` of the module is changed while it runs");
                module.names.insert(name, Global::Unsure(why));
            }
        }
        module
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: u32) -> u32 {
        self.lines.at(offset as usize).0
    }

    /// The full name of what an expression names in another module.
    pub(super) fn outside(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => match self.names.get(name.id.as_str()) {
                Some(Global::Outside(full)) => Some(full.clone()),
                Some(_) => None,
                None => (!self.star).then(|| name.id.to_string()),
            },
            Expr::Attribute(attribute) => {
                Some(format!("{}.{}", self.outside(&attribute.value)?, attribute.attr))
            }
            _ => None,
        }
    }

    fn take(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => self.bind(def.name.as_str(), Global::Function(def)),
            Stmt::ClassDef(def) => self.class(def),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let full = alias.name.as_str();
                    let (name, full) = match &alias.asname {
                        Some(name) => (name.as_str(), full),
                        None => {
                            let first = full.split('.').next().unwrap_or(full);
                            (first, first)
                        }
                    };
                    let again = matches!(self.names.get(name), Some(Global::Outside(known)) if known == full);
                    if !again {
                        self.bind(name, Global::Outside(full.to_owned()));
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let dots = ".".repeat(import.level as usize);
                let from = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    if alias.name.as_str() == "*" {
                        self.star = true;
                        continue;
                    }
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bind(name.as_str(), Global::Outside(format!("{dots}{from}.{}", alias.name)));
                }
            }
            Stmt::Assign(assign) => match assign.targets.as_slice() {
                [Expr::Name(name)] => self.bind(name.id.as_str(), Global::Constant(&assign.value)),
                _ => self.unsure(stmt),
            },
            Stmt::AnnAssign(assign) => match (&*assign.target, &assign.value) {
                (Expr::Name(name), Some(value)) => self.bind(name.id.as_str(), Global::Constant(value)),
                (Expr::Name(_), None) => {}
                _ => self.unsure(stmt),
            },
            Stmt::Pass(_) => {}
            Stmt::Expr(_) => self.unsure(stmt),
            Stmt::If(test)
                if self.outside(&test.test).is_some_and(|name| name.ends_with("TYPE_CHECKING")) =>
            {
                for stmt in &test.body {
                    self.take(stmt);
                }
            }
            Stmt::If(test) if is_main(&test.test) => {}
            _ => self.unsure(stmt),
        }
    }

    fn class(&mut self, def: &'a StmtClassDef) {
        let class = Class::of(def, self);
        self.bind(def.name.as_str(), Global::Class(class));
    }

    fn bind(&mut self, name: &str, global: Global<'a>) {
        let global = if self.names.contains_key(name) {
            Global::Unsure(format!("`{name}` is bound more than once"))
        } else {
            self.order.push(name.to_owned());
            global
        };
        self.names.insert(name.to_owned(), global);
    }

    fn unsure(&mut self, stmt: &'a Stmt) {
        for name in bound(std::slice::from_ref(stmt)) {
            self.names.insert(
                name.clone(),
                Global::Unsure(format!("`{name}` depends on how the module is loaded")),
            );
        }
    }
}

fn is_main(test: &Expr) -> bool {
    matches!(test, Expr::Compare(compare) if matches!(&*compare.left, Expr::Name(name) if name.id.as_str() == "__name__"))
}

/// The names that statements bind, those in functions and classes inside aside.
pub(super) fn bound(stmts: &[Stmt]) -> BTreeSet<String> {
    let mut names = Names { names: BTreeSet::new(), inner: false };
    for stmt in stmts {
        names.visit_stmt(stmt);
    }
    names.names
}

struct Names {
    names: BTreeSet<String>,
    inner: bool,
}

impl<'a> Visitor<'a> for Names {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => drop(self.names.insert(def.name.to_string())),
            Stmt::ClassDef(def) => drop(self.names.insert(def.name.to_string())),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.names.insert(name.split('.').next().unwrap_or(name).to_owned());
                }
            }
            Stmt::ImportFrom(import) => {
                let names =
                    import.names.iter().map(|alias| alias.asname.as_ref().unwrap_or(&alias.name).to_string());
                self.names.extend(names);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if !matches!(name.ctx, ExprContext::Load) && !self.inner => {
                self.names.insert(name.id.to_string());
            }
            Expr::Lambda(_) => {}
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                let before = std::mem::replace(&mut self.inner, true);
                walk_expr(self, expr);
                self.inner = before;
            }
            Expr::Named(named) => {
                if let Expr::Name(name) = &*named.target {
                    self.names.insert(name.id.to_string());
                }
                walk_expr(self, &named.value);
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ruff_python_ast::ExceptHandler) {
        let ruff_python_ast::ExceptHandler::ExceptHandler(inner) = handler;
        self.names.extend(inner.name.as_ref().map(ToString::to_string));
        ruff_python_ast::visitor::walk_except_handler(self, handler);
    }
}

/// Names whose value something in the module changes: by `global`, by an item or attribute that is set, by a method
/// that changes what it is called on.
fn changed(stmts: &[Stmt]) -> BTreeSet<String> {
    let mut changes = Changes(BTreeSet::new());
    for stmt in stmts {
        changes.visit_stmt(stmt);
    }
    changes.0
}

struct Changes(BTreeSet<String>);

impl Changes {
    fn root(&mut self, expr: &Expr) {
        match expr {
            Expr::Name(name) => drop(self.0.insert(name.id.to_string())),
            Expr::Attribute(attribute) => self.root(&attribute.value),
            Expr::Subscript(subscript) => self.root(&subscript.value),
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Changes {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Global(global) => self.0.extend(global.names.iter().map(ToString::to_string)),
            Stmt::AugAssign(assign) => self.root(&assign.target),
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        const CHANGING: [&str; 15] = [
            "add",
            "append",
            "appendleft",
            "clear",
            "difference_update",
            "discard",
            "extend",
            "insert",
            "pop",
            "popitem",
            "remove",
            "reverse",
            "setdefault",
            "sort",
            "update",
        ];
        match expr {
            Expr::Subscript(subscript) if !matches!(subscript.ctx, ExprContext::Load) => {
                self.root(&subscript.value);
            }
            Expr::Attribute(attribute) if !matches!(attribute.ctx, ExprContext::Load) => {
                self.root(&attribute.value);
            }
            Expr::Call(call) => {
                if let Expr::Attribute(attribute) = &*call.func
                    && CHANGING.contains(&attribute.attr.as_str())
                {
                    self.root(&attribute.value);
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// The line of anything, for people.
pub(super) fn offset(node: &impl Ranged) -> u32 {
    node.start().to_u32()
}
