//! Runs functions of a module on values, as Rust would. What is not modelled exactly ends the run with why.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::{Block, Expr, ExprIf, ExprMatch, ItemConst, ItemEnum, ItemFn, Lit, Pat, Stmt, Type, UnOp};

use super::value::{Kind, Value};

const FUEL: u32 = 5_000;
const DEEPEST: u32 = 60;
/// What one value holds, and all values of a run: values, and 32 bytes of text as one.
const LARGEST: usize = 1_000;
const ALL: usize = 100_000;
/// The same for all runs of a file.
const FILE: usize = 40_000_000;

/// Why an expression gave no value.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    Unknown {
        why: String,
        line: u32,
    },
    Return(Value),
    Break,
    Continue,
    /// `panic!` with this text.
    Panic(String),
}

pub(super) type Eval<T = Value> = Result<T, Stop>;

/// The items of a module.
#[derive(Default)]
pub(super) struct Items<'a> {
    pub(super) functions: BTreeMap<String, &'a ItemFn>,
    pub(super) consts: BTreeMap<String, &'a ItemConst>,
    pub(super) enums: BTreeMap<String, &'a ItemEnum>,
    /// Whether the file has macros of its own, so that none is known.
    pub(super) macros: bool,
    /// What all runs made so far.
    pub(super) made: Cell<usize>,
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) items: &'a Items<'a>,
    /// Places that were reached, with what happened there.
    pub(super) reached: BTreeSet<(usize, usize, i32)>,
    fuel: u32,
    left: usize,
    depth: u32,
    line: u32,
    /// What it costs to find a place.
    span: usize,
}

/// Names of a function, the newest last.
pub(super) type Scope = Vec<(String, Value)>;

impl<'a> Run<'a> {
    pub(super) fn new(items: &'a Items<'a>) -> Self {
        Self {
            items,
            reached: BTreeSet::new(),
            fuel: FUEL,
            left: ALL,
            depth: 0,
            line: 0,
            span: super::LONGEST_BODY / 4,
        }
    }

    pub(super) fn unknown<T>(&self, why: impl Into<String>) -> Eval<T> {
        Err(Stop::Unknown { why: why.into(), line: self.line })
    }

    pub(super) fn known<T>(&self, value: Option<T>, why: &str) -> Eval<T> {
        value.ok_or_else(|| Stop::Unknown { why: why.to_owned(), line: self.line })
    }

    pub(super) fn reach(&mut self, node: &impl Spanned, what: i32) {
        self.items.made.set(self.items.made.get().saturating_add(self.span));
        let start = node.span().start();
        self.reached.insert((start.line, start.column, what));
    }

    /// Calls a function.
    pub(super) fn call(&mut self, function: &ItemFn, args: Vec<Value>) -> Eval {
        if function.sig.inputs.len() != args.len() {
            return self.unknown("this call is not modelled");
        }
        let mut scope = Scope::new();
        for (input, value) in function.sig.inputs.iter().zip(args) {
            let syn::FnArg::Typed(input) = input else { return self.unknown("methods are not modelled") };
            let Pat::Ident(name) = &*input.pat else { return self.unknown("this parameter is not modelled") };
            scope.push((name.ident.to_string(), self.coerce(value, &input.ty)?));
        }
        let gives = match &function.sig.output {
            syn::ReturnType::Default => None,
            syn::ReturnType::Type(_, ty) => Some(&**ty),
        };
        let value = match self.block(&mut scope, &function.block, gives.and_then(kind)) {
            Err(Stop::Return(value)) => Ok(value),
            other => other,
        }?;
        gives.map_or(Ok(Value::Unit), |ty| self.coerce(value, ty))
    }

    /// A value as a type has it: numbers without a kind get one.
    fn coerce(&self, value: Value, ty: &Type) -> Eval {
        let inner = arguments(ty);
        Ok(match (value, bare(ty)) {
            (Value::Int(number, None), ty) => match kind(ty) {
                Some(kind) if kind.holds(number) => Value::Int(number, Some(kind)),
                _ => return self.unknown("the type of a number is not modelled"),
            },
            (Value::Some(value), _) if inner.len() == 1 => Value::Some(self.coerce(*value, inner[0])?.into()),
            (Value::Ok(value), _) if !inner.is_empty() => Value::Ok(self.coerce(*value, inner[0])?.into()),
            (Value::Err(value), _) if inner.len() == 2 => match *value {
                Value::Int(..) => Value::Err(self.coerce(*value, inner[1])?.into()),
                value => Value::Err(value.into()),
            },
            (Value::Many(items), ty) if name(ty) == "String" => {
                Value::Text(self.known(super::methods::text_of(&items), "collecting this is not modelled")?)
            }
            (Value::Many(items), ty) if inner.len() == 1 && matches!(name(ty).as_str(), "Vec" | "[]") => {
                Value::Many(items.into_iter().map(|item| self.coerce(item, inner[0])).collect::<Eval<_>>()?)
            }
            (Value::Tuple(items), Type::Tuple(tuple)) if items.len() == tuple.elems.len() => {
                let items = items.into_iter().zip(&tuple.elems).map(|(item, ty)| self.coerce(item, ty));
                Value::Tuple(items.collect::<Eval<_>>()?)
            }
            (Value::Many(_), _) => return self.unknown("collecting into this is not modelled"),
            (value, _) => value,
        })
    }

    fn block(&mut self, scope: &mut Scope, block: &Block, want: Option<Kind>) -> Eval {
        let length = scope.len();
        let value = self.stmts(scope, &block.stmts, want);
        scope.truncate(length);
        value
    }

    fn stmts(&mut self, scope: &mut Scope, stmts: &[Stmt], want: Option<Kind>) -> Eval {
        let mut last = Value::Unit;
        for stmt in stmts {
            self.items.made.set(self.items.made.get().saturating_add(self.span));
            self.line = stmt.span().start().line as u32;
            last = Value::Unit;
            match stmt {
                Stmt::Local(local) => {
                    let Some(init) = local.init.as_ref().filter(|init| init.diverge.is_none()) else {
                        return self.unknown("this `let` is not modelled");
                    };
                    let (pat, ty) = match &local.pat {
                        Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
                        pat => (pat, None),
                    };
                    let mut value = self.expr(scope, &init.expr, ty.and_then(kind))?;
                    if let Some(ty) = ty {
                        value = self.coerce(value, ty)?;
                    }
                    if !self.matches(scope, pat, &value)? {
                        return self.unknown("this `let` is not modelled");
                    }
                }
                Stmt::Expr(expr, None) => last = self.expr(scope, expr, want)?,
                Stmt::Expr(expr, Some(_)) => drop(self.expr(scope, expr, None)?),
                Stmt::Macro(stmt) => last = self.macro_of(scope, &stmt.mac)?,
                Stmt::Item(_) => return self.unknown("items in functions are not modelled"),
            }
        }
        Ok(last)
    }

    pub(super) fn expr(&mut self, scope: &mut Scope, expr: &Expr, want: Option<Kind>) -> Eval {
        if self.fuel == 0 || self.depth >= DEEPEST {
            return self.unknown("it runs too long or too deep to be followed");
        }
        self.fuel -= 1;
        self.depth += 1;
        let value = self.of(scope, expr, want);
        self.depth -= 1;
        let Ok(given) = &value else { return value };
        let held = given.held(0);
        self.items.made.set(self.items.made.get().saturating_add(held));
        if self.items.made.get() > FILE {
            return self.unknown("the file takes too long to be followed as a whole: split it");
        }
        if held > LARGEST {
            return self.unknown("a value this large is not followed");
        }
        self.left =
            self.known(self.left.checked_sub(held), "all its values together are too large to be followed")?;
        value
    }

    fn of(&mut self, scope: &mut Scope, expr: &Expr, want: Option<Kind>) -> Eval {
        Ok(match expr {
            Expr::Paren(inner) => self.expr(scope, &inner.expr, want)?,
            Expr::Group(inner) => self.expr(scope, &inner.expr, want)?,
            Expr::Reference(inner) if inner.mutability.is_none() => self.expr(scope, &inner.expr, want)?,
            Expr::Lit(lit) => self.lit(&lit.lit, want)?,
            Expr::Path(path) => self.path(scope, &path.path)?,
            Expr::Block(inner) if inner.label.is_none() => self.block(scope, &inner.block, want)?,
            Expr::Tuple(tuple) => Value::Tuple(
                tuple.elems.iter().map(|item| self.expr(scope, item, None)).collect::<Eval<_>>()?,
            ),
            Expr::Array(array) => {
                Value::Many(array.elems.iter().map(|item| self.expr(scope, item, want)).collect::<Eval<_>>()?)
            }
            Expr::If(choice) => self.choose(scope, choice, want)?,
            Expr::Match(choice) => self.select(scope, choice, want)?,
            Expr::Return(end) => {
                self.reach(end, 0);
                let value =
                    end.expr.as_ref().map_or(Ok(Value::Unit), |value| self.expr(scope, value, None))?;
                return Err(Stop::Return(value));
            }
            Expr::Break(end) if end.label.is_none() && end.expr.is_none() => return Err(Stop::Break),
            Expr::Continue(end) if end.label.is_none() => return Err(Stop::Continue),
            Expr::Try(tried) => match self.expr(scope, &tried.expr, None)? {
                Value::Ok(value) | Value::Some(value) => *value,
                Value::None => return Err(Stop::Return(Value::None)),
                // What `?` makes of an error depends on its types.
                Value::Err(_) => {
                    self.reach(tried, 0);
                    return Err(Stop::Return(Value::Err(Value::Opaque.into())));
                }
                _ => return self.unknown("`?` on this is not modelled"),
            },
            Expr::Unary(unary) => {
                let value = self.expr(scope, &unary.expr, want)?;
                match (&unary.op, value) {
                    (UnOp::Not(_), Value::Bool(is)) => Value::Bool(!is),
                    (UnOp::Neg(_), Value::Int(number, kind)) => self.number(Some(-number), kind)?,
                    (UnOp::Deref(_), value) => value,
                    _ => return self.unknown("this operator is not modelled"),
                }
            }
            Expr::Binary(binary) => self.binary(scope, binary, want)?,
            Expr::Cast(cast) => {
                let value = self.expr(scope, &cast.expr, None)?;
                let to = self.known(kind(&cast.ty), "a cast to this is not modelled")?;
                let number = match value {
                    Value::Int(number, _) => Some(number),
                    Value::Bool(is) => Some(i128::from(is)),
                    Value::Char(letter) => Some(i128::from(u32::from(letter))),
                    _ => None,
                };
                let fits = number.filter(|number| to.holds(*number));
                Value::Int(self.known(fits, "a cast that loses something is not modelled")?, Some(to))
            }
            Expr::Assign(assign) => {
                let Expr::Path(path) = &*assign.left else {
                    return self.unknown("assigning to this is not modelled");
                };
                let value = self.expr(scope, &assign.right, None)?;
                self.set(scope, &path.path, value)?
            }
            Expr::While(repeat) if repeat.label.is_none() => {
                loop {
                    self.fuel =
                        self.known(self.fuel.checked_sub(1), "it runs too long or too deep to be followed")?;
                    let length = scope.len();
                    let truth = self.condition(scope, &repeat.cond)?;
                    let ended = if truth { self.block(scope, &repeat.body, None) } else { Err(Stop::Break) };
                    scope.truncate(length);
                    match ended {
                        Ok(_) | Err(Stop::Continue) => {}
                        Err(Stop::Break) => break,
                        Err(stop) => return Err(stop),
                    }
                }
                Value::Unit
            }
            Expr::ForLoop(each) if each.label.is_none() => {
                let items = self.walk(scope, &each.expr)?;
                self.reach(each, i32::from(!items.is_empty()) + i32::from(items.len() > 1));
                for item in items {
                    let length = scope.len();
                    if !self.matches(scope, &each.pat, &item)? {
                        return self.unknown("this `for` is not modelled");
                    }
                    let ended = self.block(scope, &each.body, None);
                    scope.truncate(length);
                    match ended {
                        Ok(_) | Err(Stop::Continue) => {}
                        Err(Stop::Break) => break,
                        Err(stop) => return Err(stop),
                    }
                }
                Value::Unit
            }
            Expr::Call(call) => self.call_expr(scope, call)?,
            Expr::MethodCall(call) => self.method(scope, call, want)?,
            Expr::Macro(call) => self.macro_of(scope, &call.mac)?,
            _ => return self.unknown("an expression of this kind is not modelled"),
        })
    }

    fn lit(&self, lit: &Lit, want: Option<Kind>) -> Eval {
        Ok(match lit {
            Lit::Bool(lit) => Value::Bool(lit.value),
            Lit::Str(lit) => Value::Text(lit.value()),
            Lit::Char(lit) => Value::Char(lit.value()),
            Lit::Int(lit) => {
                let number =
                    self.known(lit.base10_parse::<i64>().ok(), "a number this large is not modelled")?;
                let kind = if lit.suffix().is_empty() { want } else { Kind::of(lit.suffix()) };
                if !lit.suffix().is_empty() && kind.is_none() {
                    return self.unknown("a number of this type is not modelled");
                }
                Value::Int(number.into(), kind)
            }
            _ => return self.unknown("a literal of this kind is not modelled"),
        })
    }

    fn path(&mut self, scope: &Scope, path: &syn::Path) -> Eval {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let items = self.items;
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [name] => {
                if let Some((_, value)) = scope.iter().rev().find(|(known, _)| known == name) {
                    return Ok(value.clone());
                }
                match (*name, items.consts.get(*name)) {
                    (_, Some(item)) => {
                        let line = self.line;
                        let value = self.expr(&mut Scope::new(), &item.expr, kind(&item.ty))?;
                        self.line = line;
                        self.coerce(value, &item.ty)
                    }
                    ("None", None) => Ok(Value::None),
                    _ => self.unknown(format!("`{name}` is not in this file")),
                }
            }
            [of, "MAX"] if Kind::of(of).is_some() && !of.ends_with("size") => {
                Ok(Value::Int(Kind::of(of).map_or(0, |kind| kind.most), Kind::of(of)))
            }
            [of, "MIN"] if Kind::of(of).is_some() && !of.ends_with("size") => {
                Ok(Value::Int(Kind::of(of).map_or(0, |kind| kind.least), Kind::of(of)))
            }
            [of, variant] => {
                let found = items
                    .enums
                    .get(*of)
                    .and_then(|item| item.variants.iter().find(|one| one.ident == *variant));
                match found {
                    Some(found) if found.fields.is_empty() => {
                        Ok(Value::Variant((*of).into(), (*variant).into()))
                    }
                    _ => self.unknown(format!("`{of}::{variant}` is not modelled")),
                }
            }
            _ => self.unknown("this path is not modelled"),
        }
    }

    pub(super) fn set(&mut self, scope: &mut Scope, path: &syn::Path, value: Value) -> Eval {
        let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
        let place = scope.iter_mut().rev().find(|(known, _)| *known == name);
        match place {
            Some((_, Value::Int(before, kind))) => {
                let Value::Int(number, new) = value else {
                    return self.unknown("assigning this is not modelled");
                };
                let kind = kind.or(new);
                if kind.is_some_and(|kind| !kind.holds(number)) {
                    return self.unknown("a number that does not fit its type");
                }
                *before = number;
                if let Some((_, place)) = scope.iter_mut().rev().find(|(known, _)| *known == name) {
                    *place = Value::Int(number, kind);
                }
            }
            Some((_, place)) => *place = value,
            None => return self.unknown("assigning to this is not modelled"),
        }
        Ok(Value::Unit)
    }

    fn choose(&mut self, scope: &mut Scope, choice: &ExprIf, want: Option<Kind>) -> Eval {
        let length = scope.len();
        let truth = self.condition(scope, &choice.cond)?;
        self.reach(&choice.cond, 10 + i32::from(truth));
        if truth {
            let value = self.block(scope, &choice.then_branch, want);
            scope.truncate(length);
            return value;
        }
        scope.truncate(length);
        choice.else_branch.as_ref().map_or(Ok(Value::Unit), |(_, other)| self.expr(scope, other, want))
    }

    pub(super) fn condition(&mut self, scope: &mut Scope, cond: &Expr) -> Eval<bool> {
        if let Expr::Let(cond) = cond {
            let value = self.expr(scope, &cond.expr, None)?;
            return self.matches(scope, &cond.pat, &value);
        }
        match self.expr(scope, cond, None)? {
            Value::Bool(is) => Ok(is),
            _ => self.unknown("this condition is not modelled"),
        }
    }

    fn select(&mut self, scope: &mut Scope, choice: &ExprMatch, want: Option<Kind>) -> Eval {
        let value = self.expr(scope, &choice.expr, None)?;
        for arm in &choice.arms {
            let length = scope.len();
            if self.matches(scope, &arm.pat, &value)? {
                self.reach(&arm.pat, 5);
                let value = self.expr(scope, &arm.body, want);
                scope.truncate(length);
                return value;
            }
            scope.truncate(length);
        }
        self.unknown("no arm of this `match` is known to be taken")
    }

    /// Whether a pattern matches; what it binds is in scope then.
    fn matches(&mut self, scope: &mut Scope, pat: &Pat, value: &Value) -> Eval<bool> {
        Ok(match (pat, value) {
            (Pat::Wild(_), _) => true,
            (Pat::Guard(guarded), _) => {
                let taken =
                    self.matches(scope, &guarded.pat, value)? && self.condition(scope, &guarded.guard)?;
                self.reach(&*guarded.guard, i32::from(taken));
                taken
            }
            (Pat::Paren(inner), _) => self.matches(scope, &inner.pat, value)?,
            (Pat::Reference(inner), _) => self.matches(scope, &inner.pat, value)?,
            (Pat::Ident(name), _) if name.subpat.is_none() && name.ident == "None" => *value == Value::None,
            (Pat::Ident(name), _) if name.subpat.is_none() && name.by_ref.is_none() => {
                let ident = name.ident.to_string();
                if self.items.consts.contains_key(&ident) || ident.starts_with(char::is_uppercase) {
                    return self.unknown("a constant as a pattern is not modelled");
                }
                scope.push((ident, value.clone()));
                true
            }
            (Pat::Lit(lit), _) => {
                let lit = self.lit(&lit.lit, None)?;
                self.near(pat, &lit, value);
                self.known(lit.equals(value), "this pattern is not modelled")?
            }
            (Pat::Or(or), _) => {
                for case in &or.cases {
                    if self.matches(scope, case, value)? {
                        self.reach(case, 1);
                        return Ok(true);
                    }
                }
                false
            }
            (Pat::Range(range), Value::Int(number, _)) => {
                let mut end = |expr: &Option<Box<Expr>>| -> Eval<Option<i128>> {
                    let Some(expr) = expr else { return Ok(None) };
                    match self.expr(&mut Scope::new(), expr, None)? {
                        Value::Int(number, _) => Ok(Some(number)),
                        _ => self.unknown("this range is not modelled"),
                    }
                };
                let (from, to) = (end(&range.start)?, end(&range.end)?);
                for (expr, end) in [(&range.start, from), (&range.end, to)] {
                    if let (Some(expr), Some(end)) = (expr, end) {
                        self.near(&**expr, &Value::Int(end, None), value);
                    }
                }
                let closed = matches!(range.limits, syn::RangeLimits::Closed(_));
                from.is_none_or(|from| from <= *number)
                    && to.is_none_or(|to| *number < to || closed && *number == to)
            }
            (Pat::Tuple(tuple), Value::Tuple(items)) if tuple.elems.len() == items.len() => {
                for (pat, item) in tuple.elems.iter().zip(items) {
                    if !self.matches(scope, pat, item)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Pat::TupleStruct(tuple), _) if tuple.elems.len() == 1 && tuple.path.get_ident().is_some() => {
                let name = tuple.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let inner = match (name.as_str(), value) {
                    ("Some", Value::Some(inner)) | ("Ok", Value::Ok(inner)) | ("Err", Value::Err(inner)) => {
                        inner
                    }
                    ("Some" | "Ok" | "Err", Value::None | Value::Some(_) | Value::Ok(_) | Value::Err(_)) => {
                        return Ok(false);
                    }
                    _ => return self.unknown("this pattern is not modelled"),
                };
                self.matches(scope, &tuple.elems[0], inner)?
            }
            (Pat::Path(path), Value::Variant(..)) => self.path(&Scope::new(), &path.path)? == *value,
            _ => return self.unknown("this pattern is not modelled"),
        })
    }

    /// Notes how close two numbers are.
    pub(super) fn near(&mut self, node: &impl Spanned, one: &Value, two: &Value) {
        if let (Value::Int(one, _), Value::Int(two, _)) = (one, two) {
            self.reach(node, 20 + one.saturating_sub(*two).clamp(-2, 2) as i32);
        }
    }

    pub(super) fn walk(&mut self, scope: &mut Scope, expr: &Expr) -> Eval<Vec<Value>> {
        if let Expr::Paren(inner) = expr {
            return self.walk(scope, &inner.expr);
        }
        let Expr::Range(range) = expr else {
            return match self.expr(scope, expr, None)? {
                Value::Many(items) => Ok(items),
                _ => self.unknown("walking over this is not modelled"),
            };
        };
        let (Some(from), Some(to)) = (&range.start, &range.end) else {
            return self.unknown("an open range is not modelled");
        };
        let (from, to) = (self.expr(scope, from, None)?, self.expr(scope, to, None)?);
        let (Value::Int(from, one), Value::Int(to, two)) = (from, to) else {
            return self.unknown("this range is not modelled");
        };
        let to = if matches!(range.limits, syn::RangeLimits::Closed(_)) { to + 1 } else { to };
        if to - from > 500 {
            return self.unknown("a range this long is not followed");
        }
        Ok((from..to).map(|number| Value::Int(number, one.or(two))).collect())
    }
}

/// The type behind references.
pub(super) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Reference(inner) if inner.mutability.is_none() => bare(&inner.elem),
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        other => other,
    }
}

/// Whether a path is a name, or one of the standard library.
fn near_by(path: &syn::Path) -> bool {
    let first = path.segments.first().map(|segment| segment.ident.to_string()).unwrap_or_default();
    path.segments.len() == 1 || matches!(first.as_str(), "std" | "core" | "alloc")
}

/// The name of a type, without its arguments.
pub(super) fn name(ty: &Type) -> String {
    match bare(ty) {
        Type::Path(path) if path.qself.is_none() && near_by(&path.path) => {
            path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
        }
        Type::Slice(_) => "[]".into(),
        _ => String::new(),
    }
}

/// The types that a type takes; of a slice, its items.
pub(super) fn arguments(ty: &Type) -> Vec<&Type> {
    match bare(ty) {
        Type::Path(path) => match path.path.segments.last().map(|segment| &segment.arguments) {
            Some(syn::PathArguments::AngleBracketed(arguments)) => arguments
                .args
                .iter()
                .filter_map(
                    |argument| if let syn::GenericArgument::Type(ty) = argument { Some(ty) } else { None },
                )
                .collect(),
            _ => Vec::new(),
        },
        Type::Slice(slice) => vec![&slice.elem],
        _ => Vec::new(),
    }
}

/// The kind of number that a type is.
pub(super) fn kind(ty: &Type) -> Option<Kind> {
    Kind::of(&name(ty)).filter(|_| arguments(ty).is_empty())
}
