//! Inputs that are worth a test: values on both sides of what the code compares with, what it looks for, what counts
//! as false.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, Stmt};

use super::class::Kind;
use super::eval::Run;
use super::module::{Global, Module};
use super::seed::Seed;
use super::shape::{Shape, annotated, plain};

/// Inputs of one parameter.
const MOST: usize = 16;
/// Values that one input holds, and fields of a class that is made up.
const MOST_HELD: u64 = 200;
pub(super) const MOST_FIELDS: usize = 40;

/// What a function compares things with.
#[derive(Debug, Default, Clone)]
pub(super) struct Pool {
    numbers: BTreeSet<i128>,
    floats: Vec<f64>,
    texts: BTreeSet<String>,
    lengths: BTreeSet<i128>,
    keys: Vec<String>,
    /// Whether text is read as JSON.
    json: bool,
    /// The same for comparisons that name the parameter, where there are any.
    own: bool,
}

/// Collects what a function, and the functions of the module that it calls, compare with.
pub(super) fn pool(body: &[Stmt], parameter: &str, module: &Module<'_>, class: Option<&str>) -> Pool {
    let mut direct = Collect::new(module, class, Some(parameter));
    for stmt in body {
        direct.visit_stmt(stmt);
    }
    let found =
        !(direct.pool.numbers.is_empty() && direct.pool.floats.is_empty() && direct.pool.texts.is_empty());
    let mut all = Collect::new(module, class, None);
    for stmt in body {
        all.visit_stmt(stmt);
    }
    let lengths = direct.pool.lengths.clone();
    let keys = if direct.pool.keys.is_empty() { all.pool.keys.clone() } else { direct.pool.keys.clone() };
    let json = all.pool.json;
    let pool = if found { direct.pool } else { all.pool };
    Pool { own: found, lengths, keys, json, ..pool }
}

struct Collect<'m, 'a> {
    module: &'m Module<'a>,
    class: Option<&'m str>,
    parameter: Option<&'m str>,
    pool: Pool,
    seen: BTreeSet<String>,
}

impl<'m, 'a> Collect<'m, 'a> {
    fn new(module: &'m Module<'a>, class: Option<&'m str>, parameter: Option<&'m str>) -> Self {
        Self { module, class, parameter, pool: Pool::default(), seen: BTreeSet::new() }
    }

    fn about(&self, expr: &Expr) -> bool {
        self.parameter.is_none_or(|parameter| mentions(expr, parameter))
    }

    fn literal(&mut self, expr: &Expr, length: bool) {
        let values = match expr {
            Expr::Tuple(tuple) => tuple.elts.as_slice(),
            Expr::List(list) => list.elts.as_slice(),
            Expr::Set(set) => set.elts.as_slice(),
            Expr::Dict(dict) => {
                dict.items
                    .iter()
                    .filter_map(|item| item.key.as_ref())
                    .for_each(|key| self.literal(key, false));
                return;
            }
            other => std::slice::from_ref(other),
        };
        for value in values.iter().take(32) {
            match value {
                Expr::StringLiteral(literal) => {
                    self.pool.texts.insert(literal.value.to_str().to_owned());
                }
                Expr::NumberLiteral(literal) => match &literal.value {
                    ruff_python_ast::Number::Int(int) => self.number(int.as_i64().map(i128::from), length),
                    ruff_python_ast::Number::Float(float) => self.pool.floats.push(*float),
                    ruff_python_ast::Number::Complex { .. } => {}
                },
                Expr::UnaryOp(unary) if unary.op == ruff_python_ast::UnaryOp::USub => {
                    if let Expr::NumberLiteral(literal) = &*unary.operand
                        && let ruff_python_ast::Number::Int(int) = &literal.value
                    {
                        self.number(int.as_i64().map(|int| -i128::from(int)), length);
                    }
                }
                Expr::Name(name) => {
                    let constant = self.module.names.get(name.id.as_str());
                    if let Some(Global::Constant(value)) = constant
                        && self.seen.insert(name.id.to_string())
                    {
                        self.literal(value, length);
                    }
                }
                _ => {}
            }
        }
    }

    fn number(&mut self, number: Option<i128>, length: bool) {
        let Some(number) = number else { return };
        if length {
            self.pool.lengths.insert(number)
        } else {
            self.pool.numbers.insert(number)
        };
    }

    fn called(&mut self, call: &Expr) {
        if self.parameter.is_some() || self.seen.len() > 40 {
            return;
        }
        let module = self.module;
        let body = match call {
            Expr::Name(name) => match module.names.get(name.id.as_str()) {
                Some(Global::Function(def)) => Some((name.id.to_string(), &def.body)),
                _ => None,
            },
            Expr::Attribute(attribute) => {
                let class = self.class.and_then(|class| match module.names.get(class) {
                    Some(Global::Class(class)) => Some(class),
                    _ => None,
                });
                let method = class.and_then(|class| class.methods.get(attribute.attr.as_str()));
                method.map(|def| (format!(".{}", attribute.attr), &def.body))
            }
            _ => None,
        };
        if let Some((name, body)) = body
            && self.seen.insert(name)
        {
            for stmt in body {
                self.visit_stmt(stmt);
            }
        }
    }
}

impl<'e> Visitor<'e> for Collect<'_, '_> {
    fn visit_expr(&mut self, expr: &'e Expr) {
        if !self.module.budget.read() {
            return;
        }
        match expr {
            Expr::Compare(compare) => {
                let sides: Vec<&Expr> = std::iter::once(&*compare.left).chain(&compare.comparators).collect();
                if sides.iter().any(|side| self.about(side)) {
                    let length = sides.iter().any(|side| is_length(side));
                    for side in sides {
                        self.literal(side, length);
                    }
                }
            }
            Expr::Call(call) => {
                if let Expr::Attribute(attribute) = &*call.func {
                    let on = self.about(&attribute.value);
                    match attribute.attr.as_str() {
                        "get" | "pop" | "setdefault" if on => {
                            if let Some(Expr::StringLiteral(key)) = call.arguments.args.first() {
                                self.key(key.value.to_str());
                            }
                        }
                        "get" => {
                            if let Expr::Name(name) = &*attribute.value
                                && call.arguments.args.iter().any(|argument| self.about(argument))
                                && let Some(Global::Constant(value)) = self.module.names.get(name.id.as_str())
                            {
                                self.literal(value, false);
                            }
                        }
                        _ if on => {
                            for argument in &call.arguments.args {
                                self.literal(argument, false);
                            }
                        }
                        _ => {}
                    }
                }
                self.pool.json |= self.module.outside(&call.func).as_deref() == Some("json.loads");
                self.called(&call.func);
            }
            Expr::Subscript(subscript) => match &*subscript.slice {
                Expr::StringLiteral(key) if self.about(&subscript.value) => self.key(key.value.to_str()),
                key if self.about(key) => {
                    if let Expr::Name(name) = &*subscript.value
                        && let Some(Global::Constant(value)) = self.module.names.get(name.id.as_str())
                    {
                        self.literal(value, false);
                    }
                }
                _ => {}
            },
            Expr::BinOp(binary)
                if binary.op == ruff_python_ast::Operator::Mod && self.about(&binary.left) =>
            {
                self.literal(&binary.right, false);
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

impl Collect<'_, '_> {
    fn key(&mut self, key: &str) {
        if !self.pool.keys.iter().any(|known| known == key) {
            self.pool.keys.push(key.to_owned());
        }
    }
}

fn is_length(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "len"))
}

fn mentions(expr: &Expr, name: &str) -> bool {
    struct Find<'n>(&'n str, bool);
    impl<'a> Visitor<'a> for Find<'_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.1 = self.1 || matches!(expr, Expr::Name(found) if found.id.as_str() == self.0);
            walk_expr(self, expr);
        }
    }
    let mut find = Find(name, false);
    find.visit_expr(expr);
    find.1
}

/// Inputs of a shape, the plainest first. `index` makes the plain ones of different parameters differ.
pub(super) fn seeds(shape: &Shape, pool: &Pool, index: usize, module: &Module<'_>, depth: u32) -> Vec<Seed> {
    if depth == 0 {
        module.budget.next_parameter();
    }
    let mut seeds = Vec::new();
    if depth < 4 && module.budget.seeds(1) {
        fill(&mut seeds, shape, pool, index, module, depth);
    }
    let mut distinct: Vec<Seed> = Vec::new();
    for seed in seeds {
        if distinct.len() == MOST {
            break;
        }
        let count = seed.count();
        if count <= MOST_HELD && module.budget.seeds(count) && !distinct.contains(&seed) {
            distinct.push(seed);
        }
    }
    distinct
}

fn fill(seeds: &mut Vec<Seed>, shape: &Shape, pool: &Pool, index: usize, module: &Module<'_>, depth: u32) {
    let inner = |shape: &Shape, index: usize| self::seeds(shape, pool, index, module, depth + 1);
    match shape {
        Shape::Int => {
            seeds.push(Seed::Int([7, 3, 12, 5][index % 4]));
            seeds.extend(
                pool.numbers.iter().flat_map(|number| [*number, number - 1, number + 1]).map(Seed::Int),
            );
            seeds.extend(
                pool.floats.iter().filter(|float| float.abs() < 1e9).map(|float| Seed::Int(*float as i128)),
            );
            seeds.extend([Seed::Int(0), Seed::Int(-1)]);
        }
        Shape::Float => {
            seeds.push(Seed::Float([2.5, 0.5, 8.0, 1.25][index % 4]));
            let near =
                pool.numbers.iter().filter(|number| number.abs() < 1 << 40).map(|number| *number as f64);
            let near = near.chain(pool.floats.iter().copied());
            seeds.extend(near.flat_map(|float| [float, float - 0.5, float + 0.5]).map(Seed::Float));
            seeds.extend([Seed::Float(0.0), Seed::Float(-1.0)]);
        }
        Shape::Str => texts(seeds, pool, index),
        Shape::Bool => seeds.extend([Seed::Bool(true), Seed::Bool(false)]),
        Shape::None => seeds.push(Seed::None),
        Shape::List(item) => {
            let items = inner(item, index);
            lists(seeds, &items, pool);
        }
        Shape::Set(item) => {
            let items = inner(item, index);
            seeds.push(Seed::Set(items.iter().take(2).cloned().collect()));
            seeds.push(Seed::Set(Vec::new()));
        }
        Shape::Tuple(shapes) => {
            let all: Vec<Vec<Seed>> =
                shapes.iter().enumerate().map(|(at, shape)| inner(shape, index + at)).collect();
            let first = |skip: usize| {
                all.iter().map(|seeds| seeds.get(skip).or(seeds.first()).cloned()).collect::<Option<_>>()
            };
            seeds.extend((0..4).filter_map(first).map(Seed::Tuple));
        }
        Shape::Dict(key, value) => dicts(seeds, &inner(key, index), &inner(value, index), pool),
        Shape::Either(shapes) => {
            let all: Vec<Vec<Seed>> = shapes.iter().map(|shape| inner(shape, index)).collect();
            let longest = all.iter().map(Vec::len).max().unwrap_or(0);
            seeds.extend(
                (0..longest).flat_map(|at| all.iter().filter_map(move |seeds| seeds.get(at).cloned())),
            );
        }
        Shape::Exactly(known) => {
            seeds.extend(known.iter().cloned());
        }
        Shape::Class(name) => classes(seeds, name, pool, index, module, depth),
        Shape::Any => {
            let (numbers, words) = (inner(&Shape::Int, index), inner(&Shape::Str, index));
            if pool.own && pool.numbers.is_empty() && pool.floats.is_empty() {
                seeds.extend(words);
                seeds.extend(numbers.into_iter().take(2));
            } else {
                seeds.extend(numbers.into_iter().take(MOST - 4));
                seeds.extend(words.into_iter().take(4));
            }
        }
        Shape::Collaborator => seeds.push(Seed::Mock),
    }
}

fn texts(seeds: &mut Vec<Seed>, pool: &Pool, index: usize) {
    seeds.push(Seed::Str(["abc", "xyz", "lmn", "pqr"][index % 4].into()));
    if pool.json {
        let keys: serde_json::Map<String, serde_json::Value> =
            pool.texts.iter().take(12).map(|key| (key.clone(), 1.into())).collect();
        let without = |key: &String| {
            let rest = keys.iter().filter(|(other, _)| *other != key);
            rest.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let missing = keys.keys().take(4).map(without).collect::<Vec<serde_json::Map<_, _>>>();
        let all = std::iter::once(keys.clone()).chain(missing);
        seeds.extend(all.map(|keys| Seed::Str(serde_json::Value::Object(keys).to_string())));
        seeds.extend(["42", "null"].map(|text| Seed::Str(text.into())));
    }
    seeds.push(Seed::Str(" Two Words ".into()));
    let exact = pool.texts.iter().filter(|text| text.len() <= 200);
    seeds.extend(exact.clone().take(8).map(|text| Seed::Str(text.clone())));
    let lengths = pool.lengths.iter().flat_map(|length| [*length, length - 1, length + 1]);
    seeds.extend(
        lengths
            .filter(|length| (0..=200).contains(length))
            .map(|length| Seed::Str("a".repeat(length as usize))),
    );
    seeds.push(Seed::Str(String::new()));
    for text in exact.filter(|text| !text.is_empty()).take(3) {
        seeds.extend([format!("{text}abc"), format!("abc{text}"), format!("abc{text}xyz")].map(Seed::Str));
    }
    seeds.push(Seed::Str("42".into()));
}

fn lists(seeds: &mut Vec<Seed>, items: &[Seed], pool: &Pool) {
    let Some(first) = items.first() else { return };
    seeds.push(Seed::List(items.iter().take(3).cloned().collect()));
    seeds.push(Seed::List(Vec::new()));
    let lengths = pool.lengths.iter().flat_map(|length| [*length, length - 1, length + 1]);
    for length in lengths.filter(|length| (0..=50).contains(length)) {
        seeds.push(Seed::List(vec![first.clone(); length as usize]));
    }
    seeds.extend(items.iter().take(8).map(|item| Seed::List(vec![item.clone()])));
}

fn dicts(seeds: &mut Vec<Seed>, keys: &[Seed], values: &[Seed], pool: &Pool) {
    let keys: Vec<Seed> = match pool.keys.as_slice() {
        [] => keys.iter().take(1).cloned().collect(),
        known => known.iter().take(12).map(|key| Seed::Str(key.clone())).collect(),
    };
    let all = |value: &Seed| Seed::Dict(keys.iter().map(|key| (key.clone(), value.clone())).collect());
    seeds.extend(values.first().map(all));
    seeds.push(Seed::Dict(Vec::new()));
    if let Some(value) = values.first().filter(|_| keys.len() > 1) {
        for missing in 0..keys.len() {
            let kept = keys.iter().enumerate().filter(|(at, _)| *at != missing);
            seeds.push(Seed::Dict(kept.map(|(_, key)| (key.clone(), value.clone())).collect()));
        }
    }
    seeds.extend(values.iter().skip(1).map(all));
}

fn classes(seeds: &mut Vec<Seed>, name: &str, pool: &Pool, index: usize, module: &Module<'_>, depth: u32) {
    let Some(Global::Class(class)) = module.names.get(name) else { return };
    match class.kind {
        Kind::Enum { .. } => {
            let members = Run::new(module).members(class).unwrap_or_default();
            seeds.extend(members.iter().filter_map(plain));
        }
        Kind::Data { .. } if class.fields.len() > MOST_FIELDS => {}
        Kind::Data { .. } => {
            let mut fields: Vec<(String, Vec<Seed>)> = Vec::new();
            for (at, field) in class.fields.iter().enumerate() {
                let Some(annotation) = field.annotation else { continue };
                let shape = annotated(annotation, module);
                let inputs = self::seeds(&shape, pool, index + at, module, depth + 1);
                if inputs.is_empty() || shape == Shape::Collaborator {
                    return seeds.extend((shape == Shape::Collaborator && depth == 0).then_some(Seed::Mock));
                }
                fields.push((field.name.clone(), inputs));
            }
            // One of them is as long as all its fields: too many of too long ones are not even made.
            let long: u64 = fields.iter().map(|(_, inputs)| inputs[0].count()).sum();
            if long > MOST_HELD || !module.budget.seeds(long * MOST as u64) {
                return;
            }
            let made = |vary: usize, to: usize| Seed::Data {
                class: name.to_owned(),
                fields: fields
                    .iter()
                    .enumerate()
                    .map(|(at, (name, inputs))| {
                        (name.clone(), inputs[if at == vary { to } else { 0 }].clone())
                    })
                    .collect(),
            };
            seeds.push(made(usize::MAX, 0));
            let all = (1..MOST).flat_map(|to| {
                fields
                    .iter()
                    .enumerate()
                    .filter(move |(_, (_, inputs))| to < inputs.len())
                    .map(move |(at, _)| (at, to))
            });
            seeds.extend(all.take(2 * MOST).map(|(at, to)| made(at, to)));
        }
        _ => {}
    }
}

/// What a variable of the environment may be; none: it is not set.
pub(super) fn variables(pool: &Pool) -> Vec<Option<String>> {
    let mut values = vec![
        None,
        Some("8080".to_owned()),
        Some("abc".to_owned()),
        Some(String::new()),
        Some("true".to_owned()),
    ];
    for text in pool.texts.iter().filter(|text| text.len() <= 60 && !text.contains('\0')) {
        let text = Some(text.clone());
        if !values.contains(&text) {
            values.push(text);
        }
    }
    for number in pool.numbers.iter().flat_map(|number| [*number, number - 1, number + 1]) {
        let text = Some(number.to_string());
        if !values.contains(&text) {
            values.push(text);
        }
    }
    values.truncate(MOST);
    values
}
