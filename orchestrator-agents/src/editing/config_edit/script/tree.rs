//! The object that a module exports, from a real parser.

use std::ops::Range;

use orchestrator_core::BoxError;
use oxc_allocator::Allocator;
use oxc_ast::ast::{ArrayExpressionElement, Expression, ObjectPropertyKind, PropertyKind, UnaryOperator};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use serde_json::{Number, Value};

use super::super::braces::{Entry, Kind, Node};
use super::super::frame::nesting;
use super::super::value::opaque;

mod exported;

/// The largest script that is edited, in bytes: the parser calls itself, and its stack must hold the worst of that.
const LARGEST: usize = 256 << 10;
/// The deepest nesting of brackets that is read.
const DEEPEST: usize = 200;
/// Stack for the parser: what any text takes, and what each byte may take, in bytes.
const STACK: (usize, usize) = (8 << 20, 4 << 10);

/// A language of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Dialect {
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// JavaScript, JSX included.
    JavaScript,
}

/// Reads a text.
pub(super) fn read(text: &str, dialect: Dialect) -> Result<Node, BoxError> {
    if text.len() > LARGEST {
        return Err(format!("it has {} bytes; scripts of up to {LARGEST} are edited", text.len()).into());
    }
    if nesting(text) > DEEPEST {
        return Err(format!("it is nested deeper than {DEEPEST} levels").into());
    }
    // Without a bracket there are prefixes that nest too (`!!!a`): the stack is as large as they can need.
    let (least, each) = STACK;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(least + each * text.len());
        let parser = thread.spawn_scoped(scope, || parse(text, dialect).map_err(|error| error.to_string()));
        let parsed = parser.map_err(|error| format!("no thread for the parser: {error}"))?.join();
        Ok(parsed.map_err(|_| "the parser failed on this text; edit it by hand")??)
    })
}

fn parse(text: &str, dialect: Dialect) -> Result<Node, BoxError> {
    let allocator = Allocator::default();
    let source = SourceType::from_extension(match dialect {
        Dialect::TypeScript => "ts",
        Dialect::Tsx => "tsx",
        Dialect::JavaScript => "jsx",
    })?;
    let parsed = Parser::new(&allocator, text, source).parse();
    if let Some(wrong) = parsed.diagnostics.iter().next() {
        return Err(format!("it could not be parsed: {wrong}").into());
    }
    let root = exported::exported(&parsed.program, text)?;
    let node = node(root, text);
    if let Some(key) = node.twice() {
        return Err(format!("the key `{}` stands twice", key.escape_debug()).into());
    }
    match node.kind {
        Kind::Map(_) | Kind::List(_) => Ok(node),
        Kind::Plain(_) => Err("what it exports is not an object that is written out; edit it by hand".into()),
    }
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// Without parentheses and types around it.
fn bare<'e, 'a>(expression: &'e Expression<'a>) -> &'e Expression<'a> {
    match expression {
        Expression::ParenthesizedExpression(inner) => bare(&inner.expression),
        Expression::TSAsExpression(inner) => bare(&inner.expression),
        Expression::TSSatisfiesExpression(inner) => bare(&inner.expression),
        Expression::TSTypeAssertion(inner) => bare(&inner.expression),
        Expression::TSNonNullExpression(inner) => bare(&inner.expression),
        other => other,
    }
}

fn node(expression: &Expression<'_>, text: &str) -> Node {
    let expression = bare(expression);
    let span = range(expression.span());
    let source = &text[span.clone()];
    let kind = match expression {
        Expression::StringLiteral(said) if !said.lone_surrogates => {
            Kind::Plain(Value::String(said.value.to_string()))
        }
        Expression::NumericLiteral(number) => Kind::Plain(number_of(number.value, source)),
        Expression::BooleanLiteral(truth) => Kind::Plain(Value::Bool(truth.value)),
        Expression::NullLiteral(_) => Kind::Plain(Value::Null),
        Expression::TemplateLiteral(said) => {
            let single = said.single_quasi().map(|said| Value::String(said.to_string()));
            Kind::Plain(single.unwrap_or_else(|| opaque(source)))
        }
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::UnaryNegation => {
            match bare(&unary.argument) {
                Expression::NumericLiteral(number) => Kind::Plain(number_of(-number.value, source)),
                _ => Kind::Plain(opaque(source)),
            }
        }
        Expression::ArrayExpression(list) => {
            Kind::List(list.elements.iter().map(|item| element(item, text)).collect())
        }
        Expression::ObjectExpression(object) => {
            Kind::Map(object.properties.iter().map(|property| entry(property, text)).collect())
        }
        _ => Kind::Plain(opaque(source)),
    };
    Node { span, kind }
}

fn number_of(number: f64, source: &str) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or_else(|| opaque(source), Value::Number)
}

fn element(item: &ArrayExpressionElement<'_>, text: &str) -> Node {
    match item.as_expression() {
        Some(expression) => node(expression, text),
        None => computed(range(item.span()), text),
    }
}

fn computed(span: Range<usize>, text: &str) -> Node {
    let kind = Kind::Plain(opaque(&text[span.clone()]));
    Node { span, kind }
}

fn entry(property: &ObjectPropertyKind<'_>, text: &str) -> Entry {
    let span = range(property.span());
    let ObjectPropertyKind::ObjectProperty(property) = property else {
        return Entry { key: None, node: computed(span.clone(), text), span };
    };
    let key = property.key.static_name().filter(|_| !property.computed).map(std::borrow::Cow::into_owned);
    let plain =
        !property.method && !property.shorthand && property.kind == PropertyKind::Init && key.is_some();
    let node = if plain { node(&property.value, text) } else { computed(span.clone(), text) };
    Entry { key, span, node }
}
