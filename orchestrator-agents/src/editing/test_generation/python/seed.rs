//! An input of a test: made anew for each run, and written into the test as Python.

use super::eval::{Eval, Run};
use super::text::Names;
use super::value::Value;

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seed {
    /// It is not given: the default holds.
    Omit,
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    List(Vec<Seed>),
    Tuple(Vec<Seed>),
    Set(Vec<Seed>),
    Dict(Vec<(Seed, Seed)>),
    Member {
        class: String,
        name: String,
    },
    Data {
        class: String,
        fields: Vec<(String, Seed)>,
    },
    Mock,
}

impl Seed {
    /// How many values it is made of.
    pub(super) fn count(&self) -> u64 {
        let all = |items: &[Self]| items.iter().map(Self::count).sum::<u64>();
        1 + match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => all(items),
            Self::Dict(items) => items.iter().map(|(key, value)| key.count() + value.count()).sum(),
            Self::Data { fields, .. } => fields.iter().map(|(_, seed)| seed.count()).sum(),
            _ => 0,
        }
    }

    /// The value; a mock has the name that it gets in the test.
    pub(super) fn make(&self, run: &mut Run<'_>, name: &str) -> Eval {
        let mut all =
            |seeds: &[Self]| seeds.iter().map(|seed| seed.make(run, name)).collect::<Eval<Vec<_>>>();
        Ok(match self {
            Self::Omit | Self::None => Value::None,
            Self::Bool(is) => Value::Bool(*is),
            Self::Int(number) => Value::Int(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Str(text) => Value::str(text),
            Self::List(items) => Value::list(all(items)?),
            Self::Tuple(items) => Value::tuple(all(items)?),
            Self::Set(items) => Value::set(all(items)?),
            Self::Dict(items) => {
                let mut pairs = Vec::new();
                for (key, value) in items {
                    pairs.push((key.make(run, name)?, value.make(run, name)?));
                }
                Value::dict(pairs)
            }
            Self::Member { class, name } => run.attribute_of(&Value::Class(class.as_str().into()), name)?,
            Self::Data { class, fields } => {
                let mut keywords = Vec::new();
                for (field, seed) in fields {
                    keywords.push((field.clone(), seed.make(run, name)?));
                }
                run.call(&Value::Class(class.as_str().into()), Vec::new(), keywords, false)?
            }
            Self::Mock => Value::Mock(name.into()),
        })
    }

    /// As Python.
    pub(super) fn text(&self, names: &mut Names, name: &str) -> String {
        let mut all =
            |seeds: &[Self]| seeds.iter().map(|seed| seed.text(names, name)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Omit | Self::None => "None".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Str(text) => super::text::quoted(text),
            Self::List(items) => format!("[{}]", all(items)),
            Self::Tuple(items) if items.len() == 1 => format!("({},)", all(items)),
            Self::Tuple(items) => format!("({})", all(items)),
            Self::Set(items) if items.is_empty() => "set()".into(),
            Self::Set(items) => format!("{{{}}}", all(items)),
            Self::Dict(items) => {
                let pair = |(key, value): &(Self, Self)| {
                    let (key, value) = (key.text(names, name), value.text(names, name));
                    format!("{key}: {value}")
                };
                format!("{{{}}}", items.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
            Self::Member { class, name } => format!("{}.{name}", names.of(class)),
            Self::Data { class, fields } => {
                let class = names.of(class);
                let field = |(field, seed): &(String, Self)| format!("{field}={}", seed.text(names, name));
                format!("{class}({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Self::Mock => name.to_owned(),
        }
    }

    /// As a part of the name of a case.
    pub(super) fn slug(&self) -> String {
        match self {
            Self::Omit => "default".into(),
            Self::None => "none".into(),
            Self::Bool(is) => is.to_string(),
            Self::Int(number) => number.to_string().replace('-', "minus_"),
            Self::Float(number) => format!("{number:?}").replace('-', "minus_").replace('.', "_"),
            Self::Str(text) => super::text::slug(text),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => many(items.len()),
            Self::Dict(items) => many(items.len()),
            Self::Member { name, .. } => super::text::slug(name),
            Self::Data { fields, .. } => {
                let slugs = fields.iter().map(|(_, seed)| seed.slug()).collect::<Vec<_>>().join("_");
                super::text::slug(&slugs)
            }
            Self::Mock => "there".into(),
        }
    }
}

fn many(count: usize) -> String {
    match count {
        0 => "empty".into(),
        1 => "1_item".into(),
        count => format!("{count}_items"),
    }
}
