//! TOML: a document that keeps comments, order and formatting.

use orchestrator_core::BoxError;
use serde_json::{Number, Value};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value as Written};

use super::value::{Op, as_opaque, deepest, find, opaque, same};
use super::way::{Part, Way};

fn parse(text: &str) -> Result<DocumentMut, BoxError> {
    text.parse().map_err(|error: toml_edit::TomlError| format!("it is not valid TOML: {error}").into())
}

/// What a text says.
pub(super) fn value(text: &str) -> Result<Value, BoxError> {
    Ok(table(parse(text)?.as_table()))
}

fn table(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_owned(), said(item))).collect())
}

fn said(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => plain(value),
        Item::Table(inner) => table(inner),
        Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(|inner| table(inner)).collect()),
    }
}

fn plain(value: &Written) -> Value {
    match value {
        Written::String(text) => Value::String(text.value().clone()),
        Written::Integer(number) => Value::from(*number.value()),
        Written::Float(number) => Number::from_f64(*number.value())
            .map_or_else(|| opaque(&number.value().to_string()), Value::Number),
        Written::Boolean(truth) => Value::Bool(*truth.value()),
        Written::Datetime(date) => opaque(&date.value().to_string()),
        Written::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Written::InlineTable(inner) => table(inner),
    }
}

/// A value as it stands behind `=`.
fn written(value: &Value) -> Result<Written, BoxError> {
    Ok(match value {
        Value::Null => return Err("TOML has no empty value; `remove` takes a key away".into()),
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number.into(),
            (None, Some(float)) if !number.is_u64() => float.into(),
            _ => return Err(format!("TOML cannot hold the number `{number}`").into()),
        },
        Value::String(text) => match as_opaque(value) {
            Some(text) => text.parse().map_err(|_| format!("`{text}` cannot be written"))?,
            None => text.as_str().into(),
        },
        Value::Array(items) => Written::Array(items.iter().map(written).collect::<Result<Array, _>>()?),
        Value::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| Ok::<_, BoxError>((key.as_str(), written(value)?)));
            Written::InlineTable(entries.collect::<Result<InlineTable, _>>()?)
        }
    })
}

/// A value below a header: maps become tables with headers of their own.
fn under_header(value: &Value) -> Result<Item, BoxError> {
    let Value::Object(entries) = value else { return Ok(Item::Value(written(value)?)) };
    let mut inner = Table::new();
    for (key, value) in entries {
        inner.insert(key, under_header(value)?);
    }
    // A header that has nothing but other headers below it need not stand there.
    inner.set_implicit(!entries.is_empty() && entries.values().all(Value::is_object));
    Ok(Item::Table(inner))
}

/// Makes a change that is known to change the value.
pub(super) fn write(text: &str, op: Op<'_>) -> Result<String, BoxError> {
    let mut document = parse(text)?;
    let before = table(document.as_table());
    match op {
        Op::Set(way, new) => set(&mut document, &before, way, new)?,
        Op::Append(way, new) => match place(&mut document, way.parts()) {
            Some(Place::List(list)) => {
                let at = list.len();
                insert(list, at, written(new)?);
            }
            Some(Place::Tables(tables)) => push(tables, new)?,
            _ => set(&mut document, &before, way, &Value::Array(vec![new.clone()]))?,
        },
        Op::Remove(way) => remove(&mut document, way.parts())?,
        Op::Drop(way, old) => {
            let items = find(&before, way.parts())?.and_then(Value::as_array).into_iter().flatten();
            let matching = items.enumerate().filter(|(_, item)| same(item, old));
            for (index, _) in matching.collect::<Vec<_>>().into_iter().rev() {
                remove(&mut document, way.with(Part::Index(index)).parts())?;
            }
        }
    }
    Ok(document.to_string())
}

/// Where something stands.
enum Place<'d> {
    Table(&'d mut Table),
    Tables(&'d mut ArrayOfTables),
    Inline(&'d mut InlineTable),
    List(&'d mut Array),
}

impl<'d> Place<'d> {
    fn of(item: &'d mut Item) -> Option<Self> {
        match item {
            Item::Table(inner) => Some(Self::Table(inner)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
            Item::Value(value) => Self::of_value(value),
            Item::None => None,
        }
    }

    fn of_value(value: &'d mut Written) -> Option<Self> {
        match value {
            Written::InlineTable(inner) => Some(Self::Inline(inner)),
            Written::Array(list) => Some(Self::List(list)),
            _ => None,
        }
    }
}

/// The table or list at a way.
fn place<'d>(document: &'d mut DocumentMut, way: &[Part]) -> Option<Place<'d>> {
    let mut here = Place::Table(document.as_table_mut());
    for part in way {
        here = match (here, part) {
            (Place::Table(inner), Part::Key(key)) => Place::of(inner.get_mut(key)?)?,
            (Place::Inline(inner), Part::Key(key)) => Place::of_value(inner.get_mut(key)?)?,
            (Place::List(list), Part::Index(index)) => Place::of_value(list.get_mut(*index)?)?,
            (Place::Tables(tables), Part::Index(index)) => Place::Table(tables.get_mut(*index)?),
            _ => return None,
        };
    }
    Some(here)
}

fn set(document: &mut DocumentMut, before: &Value, way: &Way, new: &Value) -> Result<(), BoxError> {
    let (depth, nested) = deepest(before, way, new);
    let (parents, part) = (&way.parts()[..depth], &way.parts()[depth]);
    let parent =
        place(document, parents).ok_or_else(|| format!("`{way}` leads through what is not written here"))?;
    match (parent, part) {
        (Place::Table(inner), Part::Key(key)) => {
            let dotted = inner.is_dotted();
            match inner.get_mut(key) {
                Some(Item::Value(there)) => replace(there, written(&nested)?),
                Some(there) => *there = under_header(&nested)?,
                // A header below dotted keys would not belong to them.
                None if dotted => drop(inner.insert(key, Item::Value(written(&nested)?))),
                None => drop(inner.insert(key, under_header(&nested)?)),
            }
        }
        (Place::Inline(inner), Part::Key(key)) => match inner.get_mut(key) {
            Some(there) => replace(there, written(&nested)?),
            None => insert_inline(inner, key, written(&nested)?),
        },
        (Place::List(list), Part::Index(index)) => {
            replace(list.get_mut(*index).ok_or("the item is missing")?, written(&nested)?);
        }
        _ => return Err(format!("`{way}` cannot be set here; edit it by hand").into()),
    }
    Ok(())
}

/// Puts a value in place of another; what stands around it stays.
fn replace(there: &mut Written, new: Written) {
    let decor = there.decor().clone();
    *there = new;
    *there.decor_mut() = decor;
}

/// Puts a value into a table on one line; the blank in front of `}` stays there.
fn insert_inline(inner: &mut InlineTable, key: &str, mut new: Written) {
    if let Some((_, last)) = inner.iter_mut().last()
        && let Some(suffix) = last.decor().suffix().and_then(|suffix| suffix.as_str()).map(str::to_owned)
    {
        last.decor_mut().set_suffix("");
        new.decor_mut().set_prefix(" ");
        new.decor_mut().set_suffix(suffix);
    }
    inner.insert(key, new);
}

/// Puts an item into a list as its neighbours stand.
fn insert(list: &mut Array, at: usize, new: Written) {
    let prefix = list.iter().last().and_then(|last| last.decor().prefix()?.as_str().map(str::to_owned));
    // Comments in front of the last item are about that one.
    let prefix = prefix.map(|prefix| match (prefix.find('#'), prefix.rfind('\n')) {
        (Some(_), Some(line)) => prefix[line..].to_owned(),
        _ => prefix,
    });
    let first = list.is_empty();
    let multiline = prefix.as_ref().is_some_and(|prefix| prefix.contains('\n'));
    if let Some(last) = list.iter_mut().last().filter(|_| multiline)
        && let Some(suffix) = last.decor().suffix().and_then(|suffix| suffix.as_str()).map(str::to_owned)
        && !list.trailing_comma()
    {
        // Without a comma behind it, the line end before `]` belongs to the last item.
        let index = list.len() - 1;
        list.get_mut(index).expect("it is there").decor_mut().set_suffix("");
        list.insert_formatted(at, new);
        let new = list.get_mut(at).expect("it was put there");
        new.decor_mut().set_prefix(prefix.unwrap_or_default());
        new.decor_mut().set_suffix(suffix);
        return;
    }
    list.insert_formatted(at, new);
    let new = list.get_mut(at).expect("it was put there");
    new.decor_mut().set_prefix(match prefix {
        Some(prefix) if multiline => prefix,
        _ if first => String::new(),
        _ => " ".into(),
    });
    new.decor_mut().set_suffix("");
}

/// Takes an item out of a list. A comment behind the item before it stands in front of this one, and stays.
fn take(list: &mut Array, index: usize) {
    let removed = list.remove(index);
    let prefix = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let comments = prefix.rfind('\n').map_or("", |line| &prefix[..line]);
    if !comments.contains('#') {
        return;
    }
    match list.get_mut(index) {
        Some(next) => {
            let own = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let both = format!("{comments}{own}");
            next.decor_mut().set_prefix(both);
        }
        None => {
            let both = format!("{comments}{}", list.trailing().as_str().unwrap_or_default());
            list.set_trailing(both);
        }
    }
}

fn push(tables: &mut ArrayOfTables, new: &Value) -> Result<(), BoxError> {
    let Item::Table(mut inner) = under_header(new)? else { return Err("a list of tables takes maps".into()) };
    inner.set_implicit(false);
    tables.push(inner);
    Ok(())
}

fn remove(document: &mut DocumentMut, way: &[Part]) -> Result<(), BoxError> {
    let (last, parents) = way.split_last().ok_or("a way has a part")?;
    let parent = place(document, parents).ok_or("the parent is missing")?;
    match (parent, last) {
        (Place::Table(inner), Part::Key(key)) => {
            inner.remove(key);
            // An implicit table with nothing in it says nothing; with a header it is an empty map.
            if inner.is_empty() && inner.is_implicit() {
                inner.set_implicit(false);
            }
        }
        (Place::Inline(inner), Part::Key(key)) => drop(inner.remove(key)),
        (Place::List(list), Part::Index(index)) => {
            take(list, *index);
        }
        (Place::Tables(tables), Part::Index(index)) => drop(tables.remove(*index)),
        _ => return Err("it cannot be removed here; edit it by hand".into()),
    }
    Ok(())
}
