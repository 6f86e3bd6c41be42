//! Values of the small interpreter, and why it stops.

use std::cell::RefCell;
use std::rc::Rc;

use oxc_ast::ast::{ArrowFunctionExpression, Class, Function, TSSignature};

use super::scope::Scope;

/// The most bytes of the text of a list.
const LONGEST: usize = 4 << 10;

/// A value.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    Object(Rc<Object<'a>>),
    Array(Rc<Array<'a>>),
    Function(Rc<Closure<'a>>),
    Class(&'a Class<'a>),
    /// A global of the language, such as `Math`.
    Global(&'static str),
    /// Something of another file.
    Imported(String),
}

/// An object.
pub(super) struct Object<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) props: RefCell<Vec<(String, Value<'a>)>>,
    /// Of a stand-in, what the test gives it.
    pub(super) given: RefCell<Vec<(String, Value<'a>)>>,
    /// Of a map or a set.
    pub(super) entries: RefCell<Vec<(Value<'a>, Value<'a>)>>,
}

/// What an object is.
#[derive(Clone)]
pub(super) enum Kind<'a> {
    Plain,
    /// It comes from outside; what is asked of it is what it has. The key is how a test refers to it.
    StandIn {
        key: String,
        shape: Shape<'a>,
    },
    Instance(&'a Class<'a>),
    /// An error, of a class of the language, of this file, or of another one.
    Error {
        class: String,
        own: bool,
    },
    Map,
    Set,
    /// A Fastify instance.
    App,
    /// A Fastify reply.
    Reply,
}

/// What is known of the type of a stand-in.
#[derive(Clone, Copy)]
pub(super) enum Shape<'a> {
    Unknown,
    Members(&'a [TSSignature<'a>]),
    /// The environment: every value is text or missing.
    Environment,
}

/// An array; one that comes from outside has a key.
pub(super) struct Array<'a> {
    pub(super) key: Option<String>,
    pub(super) given: Vec<Value<'a>>,
    pub(super) items: RefCell<Vec<Value<'a>>>,
}

/// The code of a function.
#[derive(Clone, Copy)]
pub(super) enum Code<'a> {
    Function(&'a Function<'a>),
    Arrow(&'a ArrowFunctionExpression<'a>),
}

/// A function and what it sees.
pub(super) struct Closure<'a> {
    pub(super) code: Code<'a>,
    pub(super) scope: Rc<Scope<'a>>,
    pub(super) this: Value<'a>,
}

/// Why the interpreter stops.
pub(super) enum Halt<'a> {
    /// The program throws.
    Throw(Value<'a>),
    /// The interpreter does not know what the program does at this offset.
    Unknown { why: String, at: u32 },
}

pub(super) type Eval<'a, T = Value<'a>> = Result<T, Halt<'a>>;

impl<'a> Value<'a> {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    pub(super) fn array(items: Vec<Self>) -> Self {
        Self::Array(Rc::new(Array { key: None, given: Vec::new(), items: RefCell::new(items) }))
    }

    pub(super) fn plain(props: Vec<(String, Self)>) -> Self {
        Self::object(Kind::Plain, props)
    }

    pub(super) fn object(kind: Kind<'a>, props: Vec<(String, Self)>) -> Self {
        let (props, given, entries) = (RefCell::new(props), RefCell::default(), RefCell::default());
        Self::Object(Rc::new(Object { kind, props, given, entries }))
    }

    pub(super) fn truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(is) => *is,
            Self::Number(n) => *n != 0.0 && !n.is_nan(),
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    pub(super) fn nullish(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// `===`.
    #[expect(clippy::float_cmp, reason = "it is what the language does")]
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Rc::ptr_eq(a, b),
            (Self::Array(a), Self::Array(b)) => Rc::ptr_eq(a, b),
            (Self::Function(a), Self::Function(b)) => Rc::ptr_eq(a, b),
            (Self::Class(a), Self::Class(b)) => std::ptr::eq(*a, *b),
            (Self::Global(a), Self::Global(b)) => a == b,
            _ => false,
        }
    }

    pub(super) fn type_of(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Function(_) | Self::Class(_) | Self::Imported(_) => "function",
            _ => "object",
        }
    }

    /// The text of a primitive; none for what is no primitive, and for numbers that are written with an exponent.
    pub(super) fn to_text(&self) -> Option<String> {
        self.to_text_of(4)
    }

    /// A list is no tree: what it holds may hold it.
    fn to_text_of(&self, depth: usize) -> Option<String> {
        match self {
            Self::Undefined => Some("undefined".into()),
            Self::Null => Some("null".into()),
            Self::Bool(is) => Some(is.to_string()),
            Self::Number(n) => number(*n),
            Self::Text(text) => Some(text.to_string()),
            Self::Array(array) => {
                let depth = depth.checked_sub(1)?;
                let mut text = String::new();
                for (n, item) in array.items.borrow().iter().enumerate() {
                    if n > 0 {
                        text.push(',');
                    }
                    if !item.nullish() {
                        text += &item.to_text_of(depth)?;
                    }
                    if text.len() > LONGEST {
                        return None;
                    }
                }
                Some(text)
            }
            _ => None,
        }
    }

    /// The number of a primitive, as `Number(x)` gives it.
    pub(super) fn to_number(&self) -> Option<f64> {
        match self {
            Self::Undefined => Some(f64::NAN),
            Self::Null => Some(0.0),
            Self::Bool(is) => Some(f64::from(u8::from(*is))),
            Self::Number(n) => Some(*n),
            Self::Text(text) => {
                let text = text.trim();
                let plain =
                    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
                match text {
                    "" => Some(0.0),
                    "Infinity" => Some(f64::INFINITY),
                    _ if text.starts_with("0x") || text.starts_with("0b") || text.starts_with("0o") => None,
                    _ if !plain => Some(f64::NAN),
                    _ => Some(text.parse().unwrap_or(f64::NAN)),
                }
            }
            _ => None,
        }
    }

    pub(super) fn prop(&self, name: &str) -> Option<Self> {
        let Self::Object(object) = self else { return None };
        object.props.borrow().iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }
}

impl<'a> Object<'a> {
    pub(super) fn set(&self, name: &str, value: Value<'a>) {
        let mut props = self.props.borrow_mut();
        match props.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => props.push((name.to_owned(), value)),
        }
    }
}

/// A number as JavaScript prints it; none where it would use an exponent.
pub(super) fn number(n: f64) -> Option<String> {
    let size = n.abs();
    match n {
        _ if n.is_nan() => Some("NaN".into()),
        _ if n.is_infinite() => Some(if n > 0.0 { "Infinity".into() } else { "-Infinity".into() }),
        _ if size == 0.0 => Some("0".into()),
        _ if (1e-6..1e21).contains(&size) => Some(n.to_string()),
        _ => None,
    }
}

/// The whole part of a number as a size: 0 for what is below.
#[expect(clippy::cast_sign_loss, reason = "a cast of what is below 0 gives 0")]
pub(super) fn whole(n: f64) -> usize {
    n.max(0.0) as usize
}
