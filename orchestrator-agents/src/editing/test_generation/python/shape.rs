//! What a parameter takes: by its annotation, else by how it is used.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Operator, ParameterWithDefault, Stmt};

use super::class::{Class, Kind};
use super::module::{Global, Module};
use super::seed::Seed;
use super::value::Value;

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Int,
    Float,
    Str,
    Bool,
    None,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    Set(Box<Shape>),
    Dict(Box<Shape>, Box<Shape>),
    Either(Vec<Shape>),
    Exactly(Vec<Seed>),
    /// A dataclass or an enum of the module.
    Class(String),
    /// A number or a text; nothing says which.
    Any,
    /// Something that is called and asked.
    Collaborator,
}

/// The shape of a parameter of a function.
pub(super) fn of(parameter: &ParameterWithDefault, body: &[Stmt], module: &Module<'_>) -> Shape {
    let used = || used(parameter.name().as_str(), body);
    match parameter.annotation() {
        Some(annotation) => match annotated(annotation, module) {
            Shape::Any => used(),
            Shape::Dict(key, value) if *value == Shape::Any && *key == Shape::Any => {
                Shape::Dict(Shape::Str.into(), value)
            }
            shape => shape,
        },
        None => match parameter.default().map(default) {
            Some(shape) if shape != Shape::Any => shape,
            _ => used(),
        },
    }
}

fn default(expr: &Expr) -> Shape {
    match expr {
        Expr::StringLiteral(_) => Shape::Str,
        Expr::BooleanLiteral(_) => Shape::Bool,
        Expr::NumberLiteral(literal) if matches!(literal.value, ruff_python_ast::Number::Float(_)) => {
            Shape::Float
        }
        Expr::NumberLiteral(_) => Shape::Int,
        _ => Shape::Any,
    }
}

/// The shape that an annotation names.
pub(super) fn annotated(annotation: &Expr, module: &Module<'_>) -> Shape {
    match annotation {
        Expr::NoneLiteral(_) => Shape::None,
        Expr::StringLiteral(literal) => named(literal.value.to_str(), module),
        Expr::Name(name) => named(name.id.as_str(), module),
        Expr::Attribute(_) => by_name(&module.outside(annotation).unwrap_or_default()),
        Expr::BinOp(binary) if binary.op == Operator::BitOr => {
            Shape::Either(vec![annotated(&binary.left, module), annotated(&binary.right, module)])
        }
        Expr::Subscript(subscript) => {
            let arguments: Vec<&Expr> = match &*subscript.slice {
                Expr::Tuple(tuple) => tuple.elts.iter().collect(),
                other => vec![other],
            };
            let name = module.outside(&subscript.value).unwrap_or_default();
            generic(name.rsplit('.').next().unwrap_or_default(), &arguments, module)
        }
        _ => Shape::Collaborator,
    }
}

fn generic(name: &str, arguments: &[&Expr], module: &Module<'_>) -> Shape {
    let at = |index: usize| arguments.get(index).map_or(Shape::Any, |argument| annotated(argument, module));
    match name {
        "Optional" => Shape::Either(vec![at(0), Shape::None]),
        "Union" => Shape::Either((0..arguments.len()).map(at).collect()),
        "list" | "List" | "Sequence" | "Iterable" | "Collection" => Shape::List(at(0).into()),
        "set" | "Set" => Shape::Set(at(0).into()),
        "dict" | "Dict" | "Mapping" | "MutableMapping" => Shape::Dict(at(0).into(), at(1).into()),
        "tuple" | "Tuple" if !arguments.iter().any(|argument| argument.is_ellipsis_literal_expr()) => {
            Shape::Tuple((0..arguments.len()).map(at).collect())
        }
        "Literal" => {
            let seeds = arguments.iter().filter_map(|argument| match argument {
                Expr::StringLiteral(literal) => Some(Seed::Str(literal.value.to_str().to_owned())),
                Expr::NumberLiteral(literal) => match &literal.value {
                    ruff_python_ast::Number::Int(int) => Some(Seed::Int(int.as_i64()?.into())),
                    _ => None,
                },
                Expr::BooleanLiteral(literal) => Some(Seed::Bool(literal.value)),
                _ => None,
            });
            Shape::Exactly(seeds.collect())
        }
        "Annotated" | "Final" => at(0),
        _ => Shape::Collaborator,
    }
}

fn named(name: &str, module: &Module<'_>) -> Shape {
    match module.names.get(name) {
        Some(Global::Class(class)) => match class.kind {
            Kind::Data { .. } | Kind::Enum { .. } => Shape::Class(name.to_owned()),
            _ => Shape::Collaborator,
        },
        Some(Global::Outside(full)) => by_name(full),
        Some(_) => Shape::Collaborator,
        None => by_name(name),
    }
}

fn by_name(name: &str) -> Shape {
    let any = || Box::new(Shape::Any);
    match name.rsplit('.').next().unwrap_or_default() {
        "int" => Shape::Int,
        "float" => Shape::Float,
        "str" => Shape::Str,
        "bool" => Shape::Bool,
        "list" | "List" | "Sequence" | "Iterable" => Shape::List(any()),
        "set" | "Set" => Shape::Set(any()),
        "dict" | "Dict" | "Mapping" => Shape::Dict(any(), any()),
        "Any" | "object" => Shape::Any,
        _ => Shape::Collaborator,
    }
}

/// A plain value as an input.
pub(super) fn plain(value: &Value) -> Option<Seed> {
    Some(match value {
        Value::None => Seed::None,
        Value::Bool(is) => Seed::Bool(*is),
        Value::Int(number) => Seed::Int(*number),
        Value::Float(number) => Seed::Float(*number),
        Value::Str(text) => Seed::Str(text.to_string()),
        Value::Member(member) => {
            Seed::Member { class: member.class.to_string(), name: member.name.to_string() }
        }
        _ => return None,
    })
}

fn used(name: &str, body: &[Stmt]) -> Shape {
    let mut uses = Uses { name, kept: false, found: None };
    for stmt in body {
        uses.visit_stmt(stmt);
    }
    uses.found.unwrap_or(Shape::Any)
}

/// The shape of what an instance keeps, by how its methods use it.
pub(super) fn kept(attribute: &str, class: &Class<'_>) -> Shape {
    let mut uses = Uses { name: attribute, kept: true, found: None };
    class.methods.values().flat_map(|method| &method.body).for_each(|stmt| uses.visit_stmt(stmt));
    uses.found.unwrap_or(Shape::Any)
}

struct Uses<'n> {
    name: &'n str,
    /// Whether it is an attribute of `self`.
    kept: bool,
    found: Option<Shape>,
}

impl Uses<'_> {
    fn is(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) if !self.kept => name.id.as_str() == self.name,
            Expr::Attribute(attribute) if self.kept => {
                let own = matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "self");
                own && attribute.attr.as_str() == self.name
            }
            _ => false,
        }
    }

    fn note(&mut self, shape: Shape) {
        self.found.get_or_insert(shape);
    }
}

impl<'a> Visitor<'a> for Uses<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::For(each) = stmt
            && self.is(&each.iter)
        {
            self.note(Shape::List(Shape::Any.into()));
        }
        walk_stmt(self, stmt);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ruff_python_ast::Comprehension) {
        if self.is(&comprehension.iter) {
            self.note(Shape::List(Shape::Any.into()));
        }
        ruff_python_ast::visitor::walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        let dict = || Shape::Dict(Shape::Str.into(), Shape::Any.into());
        match expr {
            Expr::Attribute(attribute) if self.is(&attribute.value) => {
                self.note(match attribute.attr.as_str() {
                    "upper" | "lower" | "strip" | "lstrip" | "rstrip" | "startswith" | "endswith"
                    | "split" | "replace" | "title" | "capitalize" | "isdigit" | "isalpha" | "isalnum"
                    | "find" | "zfill" | "removeprefix" | "removesuffix" | "partition" | "casefold" => {
                        Shape::Str
                    }
                    "items" | "keys" | "values" => dict(),
                    "append" | "extend" | "sort" | "reverse" => Shape::List(Shape::Any.into()),
                    _ => Shape::Collaborator,
                });
            }
            Expr::Call(call) if self.is(&call.func) => self.note(Shape::Collaborator),
            Expr::Call(call) => {
                let function = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    _ => "",
                };
                let given = call.arguments.args.iter().any(|argument| self.is(argument));
                match function {
                    "sum" | "sorted" | "min" | "max" | "any" | "all"
                        if given && call.arguments.args.len() == 1 =>
                    {
                        self.note(Shape::List(Shape::Any.into()));
                    }
                    "len" if given => {
                        self.note(Shape::Either(vec![Shape::Str, Shape::List(Shape::Any.into())]));
                    }
                    _ => {}
                }
            }
            Expr::Subscript(subscript) if self.is(&subscript.value) => {
                self.note(if subscript.slice.is_string_literal_expr() {
                    dict()
                } else {
                    Shape::List(Shape::Any.into())
                });
            }
            Expr::Compare(compare) => {
                let sides = || std::iter::once(&*compare.left).chain(&compare.comparators);
                if self.is(&compare.left) && sides().any(Expr::is_string_literal_expr) {
                    self.note(Shape::Str);
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
