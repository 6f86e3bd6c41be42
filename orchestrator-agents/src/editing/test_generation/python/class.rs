//! A class of the module: what it is, its fields and its methods.

use std::collections::BTreeMap;

use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};

use super::module::{Global, Module};

/// A class.
pub(super) struct Class<'a> {
    pub(super) def: &'a StmtClassDef,
    pub(super) kind: Kind,
    /// Names in the class that have a value, and annotated ones, in order.
    pub(super) fields: Vec<Field<'a>>,
    pub(super) methods: BTreeMap<String, &'a StmtFunctionDef>,
    /// A class of the module that it inherits from.
    pub(super) base: Option<String>,
}

/// A field of a dataclass, a member of an enum, or an attribute of the class.
pub(super) struct Field<'a> {
    pub(super) name: String,
    pub(super) annotation: Option<&'a Expr>,
    pub(super) value: Option<&'a Expr>,
}

/// What a class is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Data {
        frozen: bool,
        keywords: bool,
    },
    /// `mixed`: members are values of `str` or `int` too.
    Enum {
        mixed: bool,
    },
    /// An exception, and the built-in one that it is.
    Error(String),
    /// It cannot be told what it does.
    Unsure(String),
}

/// Methods that change what a class is.
const HOOKS: [&str; 6] =
    ["__new__", "__getattr__", "__getattribute__", "__setattr__", "__init_subclass__", "__set_name__"];

impl<'a> Class<'a> {
    pub(super) fn of(def: &'a StmtClassDef, module: &Module<'a>) -> Self {
        let (mut fields, mut methods) = (Vec::new(), BTreeMap::new());
        let mut unsure = None;
        for stmt in &def.body {
            match stmt {
                Stmt::FunctionDef(method) => {
                    if methods.insert(method.name.to_string(), method).is_some() {
                        unsure = Some(format!("`{}` is there twice", method.name));
                    }
                }
                Stmt::Assign(assign) => match assign.targets.as_slice() {
                    [Expr::Name(name)] => {
                        let name = name.id.to_string();
                        fields.push(Field { name, annotation: None, value: Some(&assign.value) });
                    }
                    _ => unsure = Some("it assigns more than one name at once".into()),
                },
                Stmt::AnnAssign(assign) => {
                    if let Expr::Name(name) = &*assign.target {
                        let (name, value) = (name.id.to_string(), assign.value.as_deref());
                        fields.push(Field { name, annotation: Some(&assign.annotation), value });
                    }
                }
                Stmt::Pass(_) => {}
                Stmt::Expr(expr)
                    if matches!(&*expr.value, Expr::StringLiteral(_) | Expr::EllipsisLiteral(_)) => {}
                _ => unsure = Some("its body does more than define fields and methods".into()),
            }
        }
        let (mut kind, base) = kind(def, module);
        if let Some(hook) = HOOKS.iter().find(|hook| methods.contains_key(**hook)) {
            unsure = Some(format!("it has `{hook}`"));
        }
        if let Some(why) = unsure {
            kind = Kind::Unsure(why);
        }
        Self { def, kind, fields, methods, base }
    }
}

fn kind(def: &StmtClassDef, module: &Module<'_>) -> (Kind, Option<String>) {
    let unsure = |why: String| (Kind::Unsure(why), None);
    let mut data = None;
    for decorator in &def.decorator_list {
        match dataclass(&decorator.expression, module) {
            Some(kind) => data = Some(kind),
            None => return unsure("its decorator may change it".into()),
        }
    }
    let arguments = def.arguments.as_deref();
    if arguments.is_some_and(|arguments| !arguments.keywords.is_empty()) {
        return unsure("it has a metaclass or other keywords".into());
    }
    let bases: &[Expr] = arguments.map_or(&[], |arguments| &arguments.args);
    let (mut kind, mut local, mut mixed) = (data.clone().unwrap_or(Kind::Plain), None, false);
    for base in bases {
        if let Expr::Name(name) = base
            && let Some(Global::Class(class)) = module.names.get(name.id.as_str())
        {
            if bases.len() > 1 || data.is_some() || !matches!(class.kind, Kind::Plain | Kind::Error(_)) {
                return unsure(format!("it inherits from `{}` in a way that is not modelled", name.id));
            }
            kind = class.kind.clone();
            local = Some(name.id.to_string());
            continue;
        }
        match module.outside(base).as_deref() {
            Some("object") => {}
            Some("str" | "int") if bases.len() == 2 => mixed = true,
            Some("enum.Enum") => kind = Kind::Enum { mixed },
            Some("enum.IntEnum" | "enum.StrEnum") => kind = Kind::Enum { mixed: true },
            Some(name) if super::eval::errors::is_error(name) && bases.len() == 1 => {
                kind = Kind::Error(name.to_owned());
            }
            Some(name) => return unsure(format!("its base `{name}` is not in this file")),
            None => return unsure("its base is not certain".into()),
        }
    }
    if mixed && !matches!(kind, Kind::Enum { .. }) {
        return unsure("it inherits from a built-in type".into());
    }
    (kind, local)
}

fn dataclass(decorator: &Expr, module: &Module<'_>) -> Option<Kind> {
    let is = |expr: &Expr| module.outside(expr).as_deref() == Some("dataclasses.dataclass");
    if is(decorator) {
        return Some(Kind::Data { frozen: false, keywords: false });
    }
    let Expr::Call(call) = decorator else { return None };
    if !is(&call.func) || !call.arguments.args.is_empty() {
        return None;
    }
    let (mut frozen, mut keywords) = (false, false);
    for keyword in &call.arguments.keywords {
        let Expr::BooleanLiteral(literal) = &keyword.value else { return None };
        match keyword.arg.as_ref()?.as_str() {
            "frozen" => frozen = literal.value,
            "kw_only" => keywords = literal.value,
            "slots" => {}
            _ => return None,
        }
    }
    Some(Kind::Data { frozen, keywords })
}
