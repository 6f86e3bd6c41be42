//! What a module declares: its exports, classes, functions, types and imports.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::ast::{
    Class, Declaration, ExportDefaultDeclarationKind, Expression, Function, ImportDeclarationSpecifier,
    Program, Statement, TSSignature, TSType, VariableDeclarator,
};
use oxc_ast_visit::Visit;
use oxc_span::{GetSpan, Span};

use super::eval::budget::WORK;
use super::value::Code;

/// A module.
pub(super) struct Module<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) text: &'a str,
    /// What it exports, in order.
    pub(super) exports: Vec<Export<'a>>,
    pub(super) functions: BTreeMap<&'a str, &'a Function<'a>>,
    pub(super) classes: BTreeMap<&'a str, &'a Class<'a>>,
    /// Of a name that is declared twice, the first.
    pub(super) constants: BTreeMap<&'a str, &'a VariableDeclarator<'a>>,
    pub(super) types: BTreeMap<&'a str, Type<'a>>,
    /// Where names come from that other files give; the second is the name there.
    pub(super) imports: BTreeMap<&'a str, (&'a str, String)>,
    /// Imported constants that are written out where they are declared.
    pub(super) imported: BTreeMap<&'a str, &'a Expression<'a>>,
    /// Names of what is taken members of, as of an object.
    pub(super) objects: BTreeSet<&'a str>,
    /// Names of what is used as a list.
    pub(super) lists: BTreeSet<&'a str>,
    /// Whether it reads `process.env`.
    pub(super) reads_environment: bool,
    /// How many steps are left for all runs.
    pub(super) work: Cell<usize>,
    /// Where lines begin.
    lines: Vec<u32>,
}

/// A type that the module declares.
#[derive(Clone, Copy)]
pub(super) enum Type<'a> {
    Alias(&'a TSType<'a>),
    Members(&'a [TSSignature<'a>]),
}

/// Something exported.
pub(super) struct Export<'a> {
    /// Its name; of a default export without one, none.
    pub(super) name: Option<&'a str>,
    pub(super) default: bool,
    pub(super) what: Exported<'a>,
    pub(super) span: Span,
}

/// What is exported.
#[derive(Clone, Copy)]
pub(super) enum Exported<'a> {
    Function(Code<'a>),
    Class(&'a Class<'a>),
    Constant,
}

/// Methods that text has.
const OF_TEXT: [&str; 24] = [
    "length",
    "trim",
    "toLowerCase",
    "toUpperCase",
    "startsWith",
    "endsWith",
    "includes",
    "split",
    "slice",
    "substring",
    "replace",
    "replaceAll",
    "padStart",
    "padEnd",
    "repeat",
    "charAt",
    "indexOf",
    "concat",
    "at",
    "toString",
    "toFixed",
    "match",
    "test",
    "localeCompare",
];

/// Methods that only lists have.
const OF_LISTS: [&str; 13] = [
    "map",
    "filter",
    "some",
    "every",
    "find",
    "push",
    "forEach",
    "reduce",
    "join",
    "flatMap",
    "findIndex",
    "sort",
    "pop",
];

impl<'a> Module<'a> {
    pub(super) fn of(program: &'a Program<'a>, text: &'a str) -> Self {
        let mut module = Self {
            program,
            text,
            exports: Vec::new(),
            functions: BTreeMap::new(),
            classes: BTreeMap::new(),
            constants: BTreeMap::new(),
            types: BTreeMap::new(),
            imports: BTreeMap::new(),
            imported: BTreeMap::new(),
            objects: BTreeSet::new(),
            lists: BTreeSet::new(),
            reads_environment: false,
            work: Cell::new(WORK),
            lines: text.match_indices('\n').filter_map(|(at, _)| u32::try_from(at).ok()).collect(),
        };
        for statement in &program.body {
            module.statement(statement);
        }
        let mut named = Vec::new();
        for statement in &program.body {
            if let Statement::ExportNamedDeclaration(export) = statement {
                for it in &export.specifiers {
                    named.push((it.local.name().as_str(), it.exported.name().as_str(), it.span));
                }
            }
            if let Statement::ExportDefaultDeclaration(export) = statement
                && let ExportDefaultDeclarationKind::Identifier(it) = &export.declaration
            {
                named.push((it.name.as_str(), "default", it.span));
            }
        }
        for (local, exported, span) in named {
            let default = exported == "default";
            let name = Some(if default { local } else { exported });
            if let Some(what) = module.declared(local) {
                module.exports.push(Export { name, default, what, span });
            }
        }
        let mut uses = Uses { objects: BTreeSet::new(), lists: BTreeSet::new(), environment: false };
        uses.visit_program(program);
        module.objects = uses.objects;
        module.lists = uses.lists;
        module.reads_environment = uses.environment;
        module
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, at: u32) -> u32 {
        u32::try_from(self.lines.partition_point(|end| *end < at)).unwrap_or(0) + 1
    }

    fn statement(&mut self, statement: &'a Statement<'a>) {
        match statement {
            Statement::ExportDeclaration(export) => self.declaration(&export.declaration, true),
            Statement::ExportDefaultDeclaration(export) => self.default(&export.declaration),
            Statement::ImportDeclaration(import) => {
                let from = import.source.value.as_str();
                for it in import.specifiers.iter().flatten() {
                    let name = match it {
                        ImportDeclarationSpecifier::ImportSpecifier(it) => it.imported.name().to_string(),
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => "default".into(),
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => "*".into(),
                    };
                    self.imports.insert(it.local().name.as_str(), (from, name));
                }
            }
            _ => {
                if let Some(declaration) = statement.as_declaration() {
                    self.declaration(declaration, false);
                }
            }
        }
    }

    fn default(&mut self, declaration: &'a ExportDefaultDeclarationKind<'a>) {
        let (name, what) = match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(it) => {
                if let Some(id) = &it.id {
                    self.functions.insert(id.name.as_str(), it);
                }
                (it.id.as_ref().map(|id| id.name.as_str()), Exported::Function(Code::Function(it)))
            }
            ExportDefaultDeclarationKind::ClassDeclaration(it) => {
                if let Some(id) = &it.id {
                    self.classes.insert(id.name.as_str(), it);
                }
                (it.id.as_ref().map(|id| id.name.as_str()), Exported::Class(it))
            }
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_)
            | ExportDefaultDeclarationKind::Identifier(_) => {
                return;
            }
            other => match other.as_expression().and_then(code) {
                Some(code) => (None, Exported::Function(code)),
                None => (None, Exported::Constant),
            },
        };
        self.exports.push(Export { name, default: true, what, span: declaration.span() });
    }

    fn declaration(&mut self, declaration: &'a Declaration<'a>, exported: bool) {
        let export = |module: &mut Self, name: &'a str, what| {
            if exported {
                let span = declaration.span();
                module.exports.push(Export { name: Some(name), default: false, what, span });
            }
        };
        match declaration {
            Declaration::FunctionDeclaration(it) if it.body.is_some() => {
                if let Some(id) = &it.id {
                    self.functions.insert(id.name.as_str(), it);
                    export(self, id.name.as_str(), Exported::Function(Code::Function(it)));
                }
            }
            Declaration::ClassDeclaration(it) => {
                if let Some(id) = &it.id {
                    self.classes.insert(id.name.as_str(), it);
                    export(self, id.name.as_str(), Exported::Class(it));
                }
            }
            Declaration::VariableDeclaration(it) => {
                for one in &it.declarations {
                    if let Some(id) = one.id.get_identifier_name() {
                        self.constants.entry(id.as_str()).or_insert(one);
                        let what = one.init.as_ref().and_then(code);
                        export(self, id.as_str(), what.map_or(Exported::Constant, Exported::Function));
                    }
                }
            }
            Declaration::TSInterfaceDeclaration(it) if it.extends.is_empty() => {
                self.types.insert(it.id.name.as_str(), Type::Members(&it.body.body));
            }
            Declaration::TSTypeAliasDeclaration(it) => {
                self.types.insert(it.id.name.as_str(), Type::Alias(&it.type_annotation));
            }
            _ => {}
        }
    }

    fn declared(&self, name: &str) -> Option<Exported<'a>> {
        if let Some(class) = self.classes.get(name) {
            return Some(Exported::Class(class));
        }
        if let Some(function) = self.functions.get(name) {
            return Some(Exported::Function(Code::Function(function)));
        }
        let one = self.constants.get(name)?;
        Some(one.init.as_ref().and_then(code).map_or(Exported::Constant, Exported::Function))
    }
}

/// The code of a function expression.
pub(super) fn code<'a>(expression: &'a Expression<'a>) -> Option<Code<'a>> {
    match expression.get_inner_expression() {
        Expression::ArrowFunctionExpression(it) => Some(Code::Arrow(it)),
        Expression::FunctionExpression(it) => Some(Code::Function(it)),
        // `fp(async (app) => ..)`: the wrapper of plugins gives the function back.
        Expression::CallExpression(it) => {
            let Expression::Identifier(callee) = &it.callee else { return None };
            let wraps = matches!(callee.name.as_str(), "fp" | "fastifyPlugin");
            it.arguments.first().filter(|_| wraps)?.as_expression().and_then(code)
        }
        _ => None,
    }
}

/// How names are used: without types, that tells what is an object and what a list.
struct Uses<'a> {
    objects: BTreeSet<&'a str>,
    lists: BTreeSet<&'a str>,
    environment: bool,
}

impl<'a> Uses<'a> {
    fn of(&mut self, object: &Expression<'a>, member: &str) {
        let name = match object.get_inner_expression() {
            Expression::Identifier(it) => it.name.as_str(),
            Expression::StaticMemberExpression(it) => it.property.name.as_str(),
            Expression::AwaitExpression(it) => return self.of(&it.argument, member),
            _ => return,
        };
        if name == "process" && member == "env" {
            self.environment = true;
        }
        if !OF_TEXT.contains(&member) && !OF_LISTS.contains(&member) {
            self.objects.insert(name);
        }
    }

    /// A call of a method that lists have: of a list where it is given a function, or where only lists have it.
    fn call(&mut self, it: &oxc_ast::ast::CallExpression<'a>) {
        let Expression::StaticMemberExpression(callee) = it.callee.get_inner_expression() else { return };
        let member = callee.property.name.as_str();
        if !OF_LISTS.contains(&member) {
            return;
        }
        let function = it.arguments.first().and_then(|it| it.as_expression()).is_some_and(|it| code_of(it));
        let name = match callee.object.get_inner_expression() {
            Expression::Identifier(it) => it.name.as_str(),
            Expression::StaticMemberExpression(it) => it.property.name.as_str(),
            _ => return,
        };
        if function || matches!(member, "push" | "pop" | "join" | "sort") {
            self.lists.insert(name);
        } else {
            self.objects.insert(name);
        }
    }
}

fn code_of(it: &Expression<'_>) -> bool {
    matches!(
        it,
        Expression::ArrowFunctionExpression(_)
            | Expression::FunctionExpression(_)
            | Expression::Identifier(_)
    ) && !matches!(it, Expression::Identifier(id) if !matches!(id.name.as_str(), "Boolean" | "String" | "Number"))
}

impl<'a> Visit<'a> for Uses<'a> {
    fn visit_static_member_expression(&mut self, it: &oxc_ast::ast::StaticMemberExpression<'a>) {
        self.of(&it.object, it.property.name.as_str());
        oxc_ast_visit::walk::walk_static_member_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &oxc_ast::ast::CallExpression<'a>) {
        self.call(it);
        oxc_ast_visit::walk::walk_call_expression(self, it);
    }

    fn visit_for_of_statement(&mut self, it: &oxc_ast::ast::ForOfStatement<'a>) {
        match it.right.get_inner_expression() {
            Expression::Identifier(it) => drop(self.lists.insert(it.name.as_str())),
            Expression::StaticMemberExpression(it) => drop(self.lists.insert(it.property.name.as_str())),
            _ => {}
        }
        oxc_ast_visit::walk::walk_for_of_statement(self, it);
    }
}

/// The literals of a part of the source, which make good inputs: each once, in order.
#[derive(Default)]
pub(super) struct Literals<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) numbers: Vec<f64>,
}

impl<'a> Visit<'a> for Literals<'a> {
    fn visit_string_literal(&mut self, it: &oxc_ast::ast::StringLiteral<'a>) {
        if self.texts.len() < 16 && it.value.len() < 60 && !self.texts.contains(&it.value.as_str()) {
            self.texts.push(it.value.as_str());
        }
    }

    fn visit_numeric_literal(&mut self, it: &oxc_ast::ast::NumericLiteral<'a>) {
        if self.numbers.len() < 12 && !self.numbers.contains(&it.value) {
            self.numbers.push(it.value);
        }
    }

    fn visit_throw_statement(&mut self, _: &oxc_ast::ast::ThrowStatement<'a>) {}
    fn visit_import_declaration(&mut self, _: &oxc_ast::ast::ImportDeclaration<'a>) {}
}
