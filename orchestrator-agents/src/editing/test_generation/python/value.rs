//! A value as Python has it, as far as it is modelled exactly.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A value that others may hold too.
pub(super) type Shared<T> = Rc<RefCell<T>>;

/// A value; what Python knows besides is not modelled.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    List(Shared<Vec<Value>>),
    Tuple(Rc<[Value]>),
    Set(Shared<Vec<Value>>),
    Dict(Shared<Vec<(Value, Value)>>),
    /// `range(start, stop, step)`.
    Range(i128, i128, i128),
    /// Something that is walked once; none when it was.
    Iter(Shared<Option<Vec<Value>>>),
    /// A member of an enum.
    Member(Rc<Member>),
    Instance(Rc<Instance>),
    Error(Rc<Raised>),
    /// A mock, by the expression that names it in a test.
    Mock(Rc<str>),
    /// A function of the module, or a method of one of its classes.
    Function {
        class: Option<Rc<str>>,
        name: Rc<str>,
    },
    /// A method with what it is called on.
    Bound {
        on: Box<Value>,
        class: Rc<str>,
        name: Rc<str>,
    },
    /// A method of a built-in value.
    Method {
        on: Box<Value>,
        name: Rc<str>,
    },
    Class(Rc<str>),
    /// A name of another module, or a built-in one (without a dot).
    Outside(Rc<str>),
    /// A logger: what it is told has no effect here.
    Logger,
}

/// A member of an enum.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) class: Rc<str>,
    pub(super) name: Rc<str>,
    pub(super) value: Value,
    /// Whether it is its value too (`class A(str, Enum)`).
    pub(super) mixed: bool,
}

/// An instance of a class of the module.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) class: Rc<str>,
    /// Whether it is equal to others by its fields.
    pub(super) data: bool,
    pub(super) frozen: bool,
    /// Whether its class makes it again from its fields.
    pub(super) shown: bool,
    pub(super) fields: RefCell<BTreeMap<String, Value>>,
}

/// An exception.
#[derive(Debug, Clone)]
pub(super) struct Raised {
    pub(super) class: Rc<str>,
    /// Its text where that is known.
    pub(super) said: Option<String>,
    /// What the class keeps besides.
    pub(super) fields: BTreeMap<String, Value>,
}

impl Value {
    pub(super) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(text.as_ref().into())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(items.into())
    }

    pub(super) fn set(items: Vec<Self>) -> Self {
        Self::Set(Rc::new(RefCell::new(items)))
    }

    pub(super) fn dict(items: Vec<(Self, Self)>) -> Self {
        Self::Dict(Rc::new(RefCell::new(items)))
    }

    pub(super) fn iter(items: Vec<Self>) -> Self {
        Self::Iter(Rc::new(RefCell::new(Some(items))))
    }

    /// Whether it counts as true; none where that is not modelled.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::None => false,
            Self::Bool(is) => *is,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) | Self::Set(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Dict(items) => !items.borrow().is_empty(),
            Self::Member(member) if !member.mixed => true,
            Self::Member(member) => member.value.truth()?,
            Self::Error(_) | Self::Mock(_) | Self::Function { .. } | Self::Bound { .. } | Self::Class(_) => {
                true
            }
            _ => return None,
        })
    }

    /// As a number that fits, where it is one; `True` is 1.
    pub(super) fn int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(is) => Some(i128::from(*is)),
            _ => None,
        }
    }

    /// The name of its built-in type.
    pub(super) fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::Dict(_) => "dict",
            _ => return None,
        })
    }

    /// `==`; none where that is not modelled.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        if let (Some(one), Some(two)) = (self.int(), other.int()) {
            return Some(one == two);
        }
        Some(match (self, other) {
            (Self::Float(one), Self::Float(two)) => one == two,
            (Self::Float(float), number) | (number, Self::Float(float)) if number.int().is_some() => {
                exact(number.int()?)? == *float
            }
            (Self::Member(one), Self::Member(two)) => one.class == two.class && one.name == two.name,
            (Self::Member(member), value) | (value, Self::Member(member)) => {
                member.mixed && member.value.equals(value)?
            }
            (Self::Str(one), Self::Str(two)) => one == two,
            (Self::None, Self::None) => true,
            (Self::List(one), Self::List(two)) => same(&one.borrow(), &two.borrow())?,
            (Self::Tuple(one), Self::Tuple(two)) => same(one, two)?,
            (Self::Set(one), Self::Set(two)) => {
                let (one, two) = (one.borrow(), two.borrow());
                one.len() == two.len() && all(&one, |item| has(&two, item))?
            }
            (Self::Dict(one), Self::Dict(two)) => {
                let (one, two) = (one.borrow(), two.borrow());
                let mut equal = one.len() == two.len();
                for (key, value) in one.iter() {
                    let Some(other) = find(&two, key)? else { return Some(false) };
                    equal = equal && two[other].1.equals(value)?;
                }
                equal
            }
            (Self::Mock(one), Self::Mock(two)) => one == two,
            (Self::Class(one), Self::Class(two)) => one == two,
            (Self::Instance(one), Self::Instance(two)) if Rc::ptr_eq(one, two) => true,
            (Self::Instance(one), Self::Instance(two)) => {
                if !one.data || !two.data || one.class != two.class {
                    return (!one.data && !two.data).then_some(false);
                }
                let (one, two) = (one.fields.borrow(), two.fields.borrow());
                all(&one.keys().collect::<Vec<_>>(), |name| one[*name].equals(two.get(*name)?))?
            }
            (one, two) if one.kind().is_some() && two.kind().is_some() => false,
            (Self::None, Self::Mock(_) | Self::Instance(_) | Self::Class(_))
            | (Self::Mock(_) | Self::Instance(_) | Self::Class(_), Self::None) => false,
            _ => return None,
        })
    }

    /// `is`, where Python promises the answer.
    pub(super) fn is(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::None, other) | (other, Self::None) => matches!((self, other), (Self::None, Self::None)),
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Bool(_), _) | (_, Self::Bool(_)) => false,
            (Self::Member(_), Self::Member(_))
            | (Self::Mock(_), Self::Mock(_))
            | (Self::Class(_), Self::Class(_)) => {
                return self.equals(other);
            }
            _ => return None,
        })
    }

    /// Whether it may be a key.
    pub(super) fn is_key(&self) -> bool {
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) => true,
            Self::Member(member) => !member.mixed,
            Self::Tuple(items) => items.iter().all(Self::is_key),
            _ => false,
        }
    }

    /// What `str()` says, where that is the same in every version of Python.
    pub(super) fn said(&self) -> Option<String> {
        match self {
            Self::Str(text) => Some(text.to_string()),
            Self::Member(member) if !member.mixed => Some(format!("{}.{}", member.class, member.name)),
            Self::Error(raised) => raised.said.clone(),
            _ => self.repr(),
        }
    }

    /// What `repr()` says of plain values.
    pub(super) fn repr(&self) -> Option<String> {
        let list = |items: &[Self]| -> Option<String> {
            Some(items.iter().map(Self::repr).collect::<Option<Vec<_>>>()?.join(", "))
        };
        Some(match self {
            Self::None => "None".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float(*number)?,
            Self::Str(text)
                if text.chars().all(|c| (' '..='~').contains(&c) && !matches!(c, '\'' | '\\')) =>
            {
                format!("'{text}'")
            }
            Self::List(items) => format!("[{}]", list(&items.borrow())?),
            Self::Tuple(items) if items.len() == 1 => format!("({},)", list(items)?),
            Self::Tuple(items) => format!("({})", list(items)?),
            Self::Dict(items) => {
                let pair = |(key, value): &(Self, Self)| Some(format!("{}: {}", key.repr()?, value.repr()?));
                format!("{{{}}}", items.borrow().iter().map(pair).collect::<Option<Vec<_>>>()?.join(", "))
            }
            _ => return None,
        })
    }
}

/// A whole number as a float, where nothing is lost.
pub(super) fn exact(number: i128) -> Option<f64> {
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

/// What `repr()` says of a float without an exponent.
fn float(number: f64) -> Option<String> {
    let plain = number == 0.0 || (1e-4..1e16).contains(&number.abs());
    (number.is_finite() && plain).then(|| format!("{number:?}"))
}

/// Where an item is in a list of pairs.
pub(super) fn find(items: &[(Value, Value)], key: &Value) -> Option<Option<usize>> {
    for (at, (other, _)) in items.iter().enumerate() {
        if other.equals(key)? {
            return Some(Some(at));
        }
    }
    Some(None)
}

/// Whether a list has an item.
pub(super) fn has(items: &[Value], item: &Value) -> Option<bool> {
    Some(position(items, item)?.is_some())
}

/// Where a list has an item.
pub(super) fn position(items: &[Value], item: &Value) -> Option<Option<usize>> {
    for (at, other) in items.iter().enumerate() {
        if other.equals(item)? {
            return Some(Some(at));
        }
    }
    Some(None)
}

fn same(one: &[Value], two: &[Value]) -> Option<bool> {
    if one.len() != two.len() {
        return Some(false);
    }
    for (one, two) in one.iter().zip(two) {
        if !one.equals(two)? {
            return Some(false);
        }
    }
    Some(true)
}

fn all<T>(items: &[T], holds: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    for item in items {
        if !holds(item)? {
            return Some(false);
        }
    }
    Some(true)
}
