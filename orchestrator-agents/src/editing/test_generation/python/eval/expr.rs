//! Expressions.

use std::rc::Rc;

use ruff_python_ast::{
    BoolOp, Comprehension, ConversionFlag, Expr, ExprCall, ExprSubscript, FStringPart,
    InterpolatedStringElement, Number,
};

use super::super::class::Kind;
use super::super::module::offset;
use super::super::value::{self, Value};
use super::{Eval, Run, Scope, Stop};

/// Arguments by place and by name.
pub(super) type Given = (Vec<Value>, Vec<(String, Value)>);

impl<'a> Run<'a> {
    pub(super) fn expr(&mut self, scope: &mut Scope, expr: &'a Expr) -> Eval {
        self.step()?;
        self.deeper()?;
        let value = self.of(scope, expr);
        self.depth -= 1;
        self.small(value?)
    }

    fn of(&mut self, scope: &mut Scope, expr: &'a Expr) -> Eval {
        Ok(match expr {
            Expr::NoneLiteral(_) => Value::None,
            Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(int) => Value::Int(
                    self.known(int.as_i64().map(i128::from), "a number this large is not modelled")?,
                ),
                Number::Float(float) if float.is_finite() => Value::Float(*float),
                _ => return self.unknown("this number is not modelled"),
            },
            Expr::StringLiteral(literal) => {
                let text = literal.value.to_str();
                if text.contains('\u{fffd}') {
                    return self.unknown("a text with half a character is not modelled");
                }
                self.text(text.to_owned())?
            }
            Expr::FString(string) => {
                let mut text = String::new();
                for part in &string.value {
                    match part {
                        FStringPart::Literal(literal) => text.push_str(literal.as_str()),
                        FStringPart::FString(string) => {
                            for element in &string.elements {
                                self.element(scope, element, &mut text)?;
                            }
                        }
                    }
                }
                self.text(text)?
            }
            Expr::Name(name) => self.name(scope, name.id.as_str())?,
            Expr::Attribute(attribute) => {
                let on = self.expr(scope, &attribute.value)?;
                self.attribute(&on, attribute.attr.as_str())?
            }
            Expr::Subscript(subscript) => self.subscript(scope, subscript)?,
            Expr::List(list) => Value::list(self.items(scope, &list.elts)?),
            Expr::Tuple(tuple) => Value::tuple(self.items(scope, &tuple.elts)?),
            Expr::Set(set) => {
                let items = self.items(scope, &set.elts)?;
                self.distinct(items)?
            }
            Expr::Dict(dict) => {
                let made = Value::dict(Vec::new());
                for item in &dict.items {
                    let Some(key) = &item.key else { return self.unknown("`**` in a dict is not modelled") };
                    let key = self.expr(scope, key)?;
                    let value = self.expr(scope, &item.value)?;
                    self.set_item(&made, key, value)?;
                }
                made
            }
            Expr::UnaryOp(unary) => {
                let value = self.expr(scope, &unary.operand)?;
                self.unary(unary.op, &value)?
            }
            Expr::BinOp(binary) => {
                let left = self.expr(scope, &binary.left)?;
                let right = self.expr(scope, &binary.right)?;
                self.binary(binary.op, &left, &right)?
            }
            Expr::BoolOp(bool) => {
                let mut last = Value::None;
                for value in &bool.values {
                    last = self.expr(scope, value)?;
                    let truth = self.truth(&last)?;
                    self.reach(offset(value), i32::from(truth));
                    if truth == (bool.op == BoolOp::Or) {
                        break;
                    }
                }
                last
            }
            Expr::Compare(compare) => {
                let mut left = self.expr(scope, &compare.left)?;
                for (op, right) in compare.ops.iter().zip(&compare.comparators) {
                    let right_at = offset(right);
                    let right = self.expr(scope, right)?;
                    if !self.compare(right_at, *op, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            Expr::If(choice) => {
                let test = self.expr(scope, &choice.test)?;
                let truth = self.truth(&test)?;
                self.reach(offset(&*choice.body), i32::from(truth));
                self.expr(scope, if truth { &choice.body } else { &choice.orelse })?
            }
            Expr::Call(call) => self.call_expr(scope, call, false)?,
            Expr::Await(wait) => match &*wait.value {
                Expr::Call(call) => self.call_expr(scope, call, true)?,
                _ => return self.unknown("`await` of anything but a call is not modelled"),
            },
            Expr::ListComp(comp) => {
                let items = self.comprehension(scope, &comp.generators, &comp.elt, None)?;
                Value::list(items.into_iter().map(|(item, _)| item).collect())
            }
            Expr::SetComp(comp) => {
                let items = self.comprehension(scope, &comp.generators, &comp.elt, None)?;
                self.distinct(items.into_iter().map(|(item, _)| item).collect())?
            }
            Expr::DictComp(comp) => {
                let Some(key) = &comp.key else { return self.unknown("`**` in a dict is not modelled") };
                let made = Value::dict(Vec::new());
                for (key, value) in self.comprehension(scope, &comp.generators, key, Some(&comp.value))? {
                    self.set_item(&made, key, value)?;
                }
                made
            }
            Expr::Generator(comp) => {
                let calls = self.calls.len();
                let items = match self.comprehension(scope, &comp.generators, &comp.elt, None) {
                    Err(Stop::Raised(_)) => {
                        return self.unknown("a generator that may raise is not modelled");
                    }
                    items => items?,
                };
                if self.calls.len() != calls {
                    return self.unknown("a generator that calls a collaborator is not modelled");
                }
                Value::iter(items.into_iter().map(|(item, _)| item).collect())
            }
            _ => return self.unknown("an expression of this kind is not modelled"),
        })
    }

    fn element(
        &mut self,
        scope: &mut Scope,
        element: &'a InterpolatedStringElement,
        text: &mut String,
    ) -> Eval<()> {
        if text.len() > 10_000 {
            return self.unknown("a text this long is not followed");
        }
        let element = match element {
            InterpolatedStringElement::Literal(literal) => {
                text.push_str(&literal.value);
                return Ok(());
            }
            InterpolatedStringElement::Interpolation(element) => element,
        };
        let mut spec = String::new();
        for part in element.format_spec.iter().flat_map(|spec| &spec.elements) {
            match part {
                InterpolatedStringElement::Literal(literal) => spec.push_str(&literal.value),
                InterpolatedStringElement::Interpolation(_) => {
                    return self.unknown("a computed format is not modelled");
                }
            }
        }
        let value = self.expr(scope, &element.expression)?;
        let value = match element.conversion {
            _ if element.debug_text.is_some() => {
                return self.unknown("`=` in a formatted text is not modelled");
            }
            ConversionFlag::None => value,
            ConversionFlag::Str => {
                Value::str(self.known(value.said(), "the text of this value is not modelled")?)
            }
            ConversionFlag::Repr => {
                Value::str(self.known(value.repr(), "the text of this value is not modelled")?)
            }
            ConversionFlag::Ascii => return self.unknown("`!a` is not modelled"),
        };
        self.no_text_of_its_own(&value)?;
        text.push_str(
            &self.known(super::format::format(&value, &spec), "the text of this value is not modelled")?,
        );
        Ok(())
    }

    /// An end where a class of the module decides what its text is.
    pub(super) fn no_text_of_its_own(&self, value: &Value) -> Eval<()> {
        match value {
            Value::Error(raised) if self.method(&raised.class, "__str__").is_some() => {
                self.unknown("an exception that defines its text is not modelled")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn name(&mut self, scope: &Scope, name: &str) -> Eval {
        if let Some(value) = scope.names.get(name) {
            return Ok(value.clone());
        }
        if scope.bound.contains(name) {
            return self.unknown(format!("`{name}` may not be set yet"));
        }
        self.global(name)
    }

    fn items(&mut self, scope: &mut Scope, exprs: &'a [Expr]) -> Eval<Vec<Value>> {
        let mut items = Vec::new();
        for expr in exprs {
            match expr {
                Expr::Starred(starred) => {
                    let value = self.expr(scope, &starred.value)?;
                    items.extend(self.walk(&value)?);
                }
                expr => items.push(self.expr(scope, expr)?),
            }
        }
        Ok(items)
    }

    /// A set of what is there.
    pub(super) fn distinct(&mut self, items: Vec<Value>) -> Eval {
        let mut kept: Vec<Value> = Vec::new();
        for item in items {
            if !item.is_key() {
                return self.unknown("this cannot be in a set, or is not modelled there");
            }
            self.charge(kept.len() as u64)?;
            if !self.known(value::has(&kept, &item), "whether these are equal is not modelled")? {
                kept.push(item);
            }
        }
        Ok(Value::set(kept))
    }

    fn comprehension(
        &mut self,
        scope: &Scope,
        generators: &'a [Comprehension],
        element: &'a Expr,
        second: Option<&'a Expr>,
    ) -> Eval<Vec<(Value, Value)>> {
        let [generator] = generators else {
            return self.unknown("a comprehension of more than one `for` is not modelled");
        };
        if generator.is_async {
            return self.unknown("`async for` is not modelled");
        }
        self.charge((scope.names.len() + scope.bound.len()) as u64)?;
        let mut scope = scope.clone();
        let over = self.expr(&mut scope, &generator.iter)?;
        let mut made = Vec::new();
        'items: for item in self.walk(&over)? {
            self.step()?;
            self.assign(&mut scope, &generator.target, item)?;
            for test in &generator.ifs {
                let value = self.expr(&mut scope, test)?;
                let truth = self.truth(&value)?;
                self.reach(offset(test), i32::from(truth));
                if !truth {
                    continue 'items;
                }
            }
            let first = self.expr(&mut scope, element)?;
            let second = second.map_or(Ok(Value::None), |second| self.expr(&mut scope, second))?;
            if made.len() == super::MOST_VALUES {
                return self.unknown("a value this large is not followed");
            }
            made.push((first, second));
        }
        Ok(made)
    }

    /// What `for` would walk, in order.
    pub(super) fn walk(&mut self, value: &Value) -> Eval<Vec<Value>> {
        if let Value::Set(items) = value
            && items.borrow().len() > 1
        {
            return self.unknown("the order of a set is not certain");
        }
        self.unordered(value)
    }

    /// What `for` would walk, where the order does not matter.
    pub(super) fn unordered(&mut self, value: &Value) -> Eval<Vec<Value>> {
        if let Value::Str(text) = value {
            self.charge(4 * text.len() as u64)?;
        }
        Ok(match value {
            Value::List(items) | Value::Set(items) => items.borrow().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Str(text) => text.chars().map(|letter| Value::str(letter.to_string())).collect(),
            Value::Dict(items) => items.borrow().iter().map(|(key, _)| key.clone()).collect(),
            Value::Iter(items) => {
                let items = items.borrow_mut().take();
                self.known(items, "what is walked twice is not modelled")?
            }
            Value::Range(start, stop, step) => {
                let count = if *step > 0 { stop - start } else { start - stop };
                if count / step.abs() > 500 {
                    return self.unknown("a range this long is not followed");
                }
                let (mut next, mut items) = (*start, Vec::new());
                while if *step > 0 { next < *stop } else { next > *stop } {
                    items.push(Value::Int(next));
                    next += step;
                }
                items
            }
            Value::Class(name) => match self.class(name) {
                Some(class) if matches!(class.kind, Kind::Enum { .. }) => self.members(class)?,
                _ => return self.unknown("walking over this is not modelled"),
            },
            _ => return self.unknown("walking over this is not modelled"),
        })
    }

    pub(super) fn attribute(&mut self, on: &Value, name: &str) -> Eval {
        match on {
            Value::Mock(path) => {
                const OWN: [&str; 11] = [
                    "return_value",
                    "side_effect",
                    "called",
                    "call_count",
                    "call_args",
                    "call_args_list",
                    "method_calls",
                    "mock_calls",
                    "reset_mock",
                    "attach_mock",
                    "configure_mock",
                ];
                if name.starts_with('_')
                    || name.starts_with("assert")
                    || name.starts_with("mock_")
                    || OWN.contains(&name)
                {
                    return self.unknown(format!("a mock has a `{name}` of its own, or none"));
                }
                let path = format!("{path}.{name}");
                Ok(self.given.get(&path).cloned().unwrap_or_else(|| Value::Mock(path.as_str().into())))
            }
            Value::Instance(instance) => {
                let field = instance.fields.borrow().get(name).cloned();
                if let Some((method, _)) = self.method(&instance.class, name)
                    && !method.decorator_list.is_empty()
                {
                    return self.found(on, &instance.class.clone(), name);
                }
                match field {
                    Some(value) => Ok(value),
                    None => self.found(on, &instance.class.clone(), name),
                }
            }
            Value::Member(member) => match name {
                "name" => Ok(Value::Str(member.name.clone())),
                "value" if !matches!(member.value, Value::Outside(_)) => Ok(member.value.clone()),
                _ if member.mixed && self.method(&member.class, name).is_none() => {
                    self.attribute(&member.value.clone(), name)
                }
                _ => self.found(on, &member.class.clone(), name),
            },
            Value::Error(raised) => match raised.fields.get(name) {
                Some(value) => Ok(value.clone()),
                None => self.unknown(format!("`{name}` of an exception is not modelled")),
            },
            Value::Class(class) => self.of_class(&class.clone(), name),
            Value::Outside(full) if full.contains('.') || self.module.names.contains_key(&**full) => {
                Ok(Value::Outside(format!("{full}.{name}").into()))
            }
            Value::Logger => Ok(Value::Method { on: Box::new(Value::Logger), name: name.into() }),
            Value::Str(_) | Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Tuple(_) => {
                Ok(Value::Method { on: Box::new(on.clone()), name: name.into() })
            }
            _ => self.unknown(format!("`{name}` of this is not modelled")),
        }
    }

    /// What a class gives for a name of one of its instances.
    fn found(&mut self, on: &Value, class: &str, name: &str) -> Eval {
        let Some((method, owner)) = self.method(class, name) else { return self.class_field(class, name) };
        let names: Vec<Option<String>> =
            method.decorator_list.iter().map(|decorator| self.outside(&decorator.expression)).collect();
        match names.as_slice() {
            [] => Ok(Value::Bound { on: Box::new(on.clone()), class: owner, name: name.into() }),
            [Some(known)] if known == "property" => {
                let bound = Value::Bound { on: Box::new(on.clone()), class: owner, name: name.into() };
                self.invoke(&bound, Vec::new(), Vec::new(), false)
            }
            _ => self.of_class(class, name),
        }
    }

    fn of_class(&mut self, class: &str, name: &str) -> Eval {
        if let Some((method, owner)) = self.method(class, name) {
            let names: Vec<Option<String>> =
                method.decorator_list.iter().map(|decorator| self.outside(&decorator.expression)).collect();
            return match names.as_slice() {
                [] => Ok(Value::Function { class: Some(owner), name: name.into() }),
                [Some(known)] if known == "staticmethod" => {
                    Ok(Value::Function { class: Some(owner), name: name.into() })
                }
                [Some(known)] if known == "classmethod" => Ok(Value::Bound {
                    on: Box::new(Value::Class(class.into())),
                    class: owner,
                    name: name.into(),
                }),
                _ => self.unknown(format!("what decorates `{name}` may change it")),
            };
        }
        if let Some(known) = self.class(class)
            && let Some(member) = self.member(known, name)?
        {
            return Ok(member);
        }
        self.class_field(class, name)
    }

    fn class_field(&mut self, class: &str, name: &str) -> Eval {
        let mut next = self.class(class);
        for _ in 0..16 {
            let Some(class) = next else { break };
            if matches!(class.kind, Kind::Unsure(_)) {
                break;
            }
            let field = class.fields.iter().find(|field| field.name == name);
            if let Some(expr) = field.and_then(|field| field.value) {
                return self.kept(&format!("{}.{name}", class.def.name), expr);
            }
            next = class.base.as_deref().and_then(|base| self.class(base));
        }
        self.unknown(format!("what `{name}` of `{class}` is cannot be told from this file"))
    }

    fn subscript(&mut self, scope: &mut Scope, subscript: &'a ExprSubscript) -> Eval {
        let on = self.expr(scope, &subscript.value)?;
        if let Expr::Slice(slice) = &*subscript.slice {
            if slice.step.is_some() {
                return self.unknown("a slice with a step is not modelled");
            }
            let mut bound = |expr: &'a Option<Box<Expr>>| -> Eval<Option<i128>> {
                let Some(expr) = expr else { return Ok(None) };
                match self.expr(scope, expr)? {
                    Value::None => Ok(None),
                    value => self.known(value.int(), "this slice is not modelled").map(Some),
                }
            };
            let (lower, upper) = (bound(&slice.lower)?, bound(&slice.upper)?);
            return self.slice(&on, lower, upper);
        }
        let key = self.expr(scope, &subscript.slice)?;
        self.item(&on, &key)
    }

    fn slice(&mut self, on: &Value, lower: Option<i128>, upper: Option<i128>) -> Eval {
        let cut = |items: Vec<Value>| -> Vec<Value> {
            let length = items.len() as i128;
            let place = |at: i128| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
            let (from, to) = (lower.map_or(0, place), upper.map_or(items.len(), place));
            if from < to { items[from..to].to_vec() } else { Vec::new() }
        };
        Ok(match on {
            Value::List(items) => Value::list(cut(items.borrow().clone())),
            Value::Tuple(items) => Value::tuple(cut(items.to_vec())),
            Value::Str(_) => {
                let letters = cut(self.walk(on)?);
                Value::str(letters.iter().filter_map(Value::said).collect::<String>())
            }
            _ => return self.unknown("a slice of this is not modelled"),
        })
    }

    /// `on[key]`.
    pub(super) fn item(&mut self, on: &Value, key: &Value) -> Eval {
        let items: Rc<[Value]> = match on {
            Value::Dict(items) if key.is_key() => {
                let items = items.borrow();
                return match self
                    .known(value::find(&items, key), "whether these are equal is not modelled")?
                {
                    Some(at) => Ok(items[at].1.clone()),
                    None => Self::raise("KeyError", key.repr()),
                };
            }
            Value::Outside(name) if &**name == "os.environ" => {
                let Value::Str(name) = key else { return self.unknown("this variable is not modelled") };
                return match self.variable(name) {
                    Some(value) => Ok(Value::str(value)),
                    None => Self::raise("KeyError", key.repr()),
                };
            }
            Value::Class(name) => {
                let (class, Value::Str(key)) = (self.class(name), key) else {
                    return self.unknown("an item of this is not modelled");
                };
                let member = class.map_or(Ok(None), |class| self.member(class, key))?;
                return self.known(member, "an item of this is not modelled");
            }
            Value::List(items) => items.borrow().clone().into(),
            Value::Tuple(items) => items.clone(),
            Value::Str(_) => self.walk(on)?.into(),
            _ => return self.unknown("an item of this is not modelled"),
        };
        let at = self.known(key.int(), "an item at this place is not modelled")?;
        let at = if at < 0 { at + items.len() as i128 } else { at };
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => Ok(item.clone()),
            None => Self::raise("IndexError", None),
        }
    }

    fn call_expr(&mut self, scope: &mut Scope, call: &'a ExprCall, awaited: bool) -> Eval {
        if let Expr::Attribute(attribute) = &*call.func
            && let Expr::Call(inner) = &*attribute.value
            && self.outside(&inner.func).as_deref() == Some("super")
        {
            return self.inherited(scope, call, attribute.attr.as_str(), awaited);
        }
        let function = self.expr(scope, &call.func)?;
        let (args, keywords) = self.given_args(scope, call)?;
        self.invoke(&function, args, keywords, awaited)
    }

    pub(super) fn given_args(&mut self, scope: &mut Scope, call: &'a ExprCall) -> Eval<Given> {
        let args = self.items(scope, &call.arguments.args)?;
        let mut keywords = Vec::new();
        for keyword in &call.arguments.keywords {
            let value = self.expr(scope, &keyword.value)?;
            match (&keyword.arg, value) {
                (Some(name), value) => keywords.push((name.to_string(), value)),
                (None, Value::Dict(items)) => {
                    for (key, value) in items.borrow().iter() {
                        let Value::Str(key) = key else {
                            return self.unknown("these keywords are not modelled");
                        };
                        keywords.push((key.to_string(), value.clone()));
                    }
                }
                _ => return self.unknown("these keywords are not modelled"),
            }
        }
        Ok((args, keywords))
    }
}
