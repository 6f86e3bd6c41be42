//! Operators: on numbers, text and collections; comparisons, and how close they were.

use std::cmp::Ordering;

use ruff_python_ast::{CmpOp, Operator, UnaryOp};

use super::super::value::{self, Value};
use super::{Eval, Run};

impl Run<'_> {
    pub(super) fn binary(&self, op: Operator, left: &Value, right: &Value) -> Eval {
        let not_modelled = "this operator on these values is not modelled";
        match (op, left, right) {
            (Operator::Add, Value::Str(one), Value::Str(two)) => self.text(format!("{one}{two}")),
            (Operator::Add, Value::List(one), Value::List(two)) => {
                Ok(Value::list([one.borrow().as_slice(), two.borrow().as_slice()].concat()))
            }
            (Operator::Add, Value::Tuple(one), Value::Tuple(two)) => {
                Ok(Value::tuple([&**one, &**two].concat()))
            }
            (Operator::Mult, Value::Str(text), count) | (Operator::Mult, count, Value::Str(text)) => {
                let count = self.known(count.int(), not_modelled)?.clamp(0, 10_001) as usize;
                if text.len().saturating_mul(count) > 10_000 {
                    return self.unknown("a text this long is not followed");
                }
                Ok(Value::str(text.repeat(count)))
            }
            (Operator::Mult, Value::List(items), count) if count.int().is_some() => {
                let count = count.int().unwrap_or_default().clamp(0, 1_001) as usize;
                let items = items.borrow();
                if items.len().saturating_mul(count) > 1_000 {
                    return self.unknown("a list this long is not followed");
                }
                Ok(Value::list(items.iter().cloned().cycle().take(items.len() * count).collect()))
            }
            (Operator::BitOr | Operator::BitAnd | Operator::Sub, Value::Set(one), Value::Set(two)) => {
                self.pairs(left, right)?;
                let (one, two) = (one.borrow(), two.borrow());
                let mut items = Vec::new();
                for item in one.iter() {
                    let there = self.known(value::has(&two, item), not_modelled)?;
                    if op == Operator::BitOr || there == (op == Operator::BitAnd) {
                        items.push(item.clone());
                    }
                }
                if op == Operator::BitOr {
                    for item in two.iter() {
                        if !self.known(value::has(&one, item), not_modelled)? {
                            items.push(item.clone());
                        }
                    }
                }
                Ok(Value::set(items))
            }
            (Operator::BitOr, Value::Dict(one), Value::Dict(two)) => {
                let merged = Value::dict(one.borrow().clone());
                for (key, value) in two.borrow().iter() {
                    self.set_item(&merged, key.clone(), value.clone())?;
                }
                Ok(merged)
            }
            _ => self.arithmetic(op, left, right),
        }
    }

    pub(super) fn text(&self, text: String) -> Eval {
        if text.len() > 10_000 {
            return self.unknown("a text this long is not followed");
        }
        Ok(Value::str(text))
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: &Value) -> Eval {
        Ok(match op {
            UnaryOp::Not => Value::Bool(!self.truth(value)?),
            UnaryOp::USub => match value {
                Value::Float(number) => Value::Float(-number),
                other => Value::Int(-self.known(other.int(), "the negative of this is not modelled")?),
            },
            UnaryOp::UAdd if matches!(value, Value::Float(_)) => value.clone(),
            UnaryOp::UAdd => Value::Int(self.known(value.int(), "`+` before this is not modelled")?),
            UnaryOp::Invert if matches!(value, Value::Int(_)) => Value::Int(!value.int().unwrap_or_default()),
            UnaryOp::Invert => return self.unknown("`~` before this is not modelled"),
        })
    }

    /// Whether a value counts as true. The truth of a mock is noted: it may be given to be none.
    pub(super) fn truth(&mut self, value: &Value) -> Eval<bool> {
        if let Value::Mock(path) = value {
            self.asked.insert(path.to_string());
        }
        if let Value::Instance(instance) = value {
            let hooks = ["__bool__", "__len__"];
            if hooks.iter().any(|hook| self.method(&instance.class, hook).is_some()) {
                return self.unknown("a class that defines its truth is not modelled");
            }
            return Ok(true);
        }
        self.known(value.truth(), "the truth of this is not modelled")
    }

    pub(super) fn compare(&mut self, at: u32, op: CmpOp, left: &Value, right: &Value) -> Eval<bool> {
        let unknown = "this comparison is not modelled";
        if !matches!(op, CmpOp::Is | CmpOp::IsNot) {
            self.pairs(left, right)?;
        }
        let holds = match op {
            CmpOp::Is | CmpOp::IsNot => {
                for value in [left, right] {
                    if let Value::Mock(path) = value {
                        self.asked.insert(path.to_string());
                    }
                }
                let is = self.known(left.is(right), "`is` between these is not certain")?;
                self.reach(at, i32::from(is));
                is == (op == CmpOp::Is)
            }
            CmpOp::In | CmpOp::NotIn => {
                let place = self.place(left, right)?;
                self.reach(at, place.map_or(-1, |place| place.min(1_000) as i32));
                place.is_some() == (op == CmpOp::In)
            }
            CmpOp::Eq | CmpOp::NotEq => {
                if let Value::Instance(instance) = left
                    && self.method(&instance.class, "__eq__").is_some()
                {
                    return self.unknown("a class that defines `==` is not modelled");
                }
                let equal = self.known(left.equals(right), unknown)?;
                self.reach(at, closeness(left, right).unwrap_or(i32::from(equal)));
                equal == (op == CmpOp::Eq)
            }
            CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => {
                let order = self.known(order(left, right), unknown)?;
                self.reach(at, closeness(left, right).unwrap_or(order as i32));
                match op {
                    CmpOp::Lt => order.is_lt(),
                    CmpOp::LtE => order.is_le(),
                    CmpOp::Gt => order.is_gt(),
                    _ => order.is_ge(),
                }
            }
        };
        Ok(holds)
    }

    /// Where something is in a collection.
    fn place(&mut self, item: &Value, within: &Value) -> Eval<Option<usize>> {
        let unknown = "whether this is in that is not modelled";
        let found = match within {
            Value::List(items) => value::position(&items.borrow(), item),
            Value::Set(items) if item.is_key() => value::position(&items.borrow(), item),
            Value::Tuple(items) => value::position(items, item),
            Value::Dict(items) if item.is_key() => value::find(&items.borrow(), item),
            Value::Str(text) => match item {
                Value::Str(part) => Some(text.contains(&**part).then_some(0)),
                _ => None,
            },
            Value::Range(start, stop, step) => item.int().map(|item| {
                let inside =
                    if *step > 0 { item >= *start && item < *stop } else { item <= *start && item > *stop };
                (inside && (item - start) % step == 0).then_some(0)
            }),
            Value::Outside(name) if &**name == "os.environ" => match item {
                Value::Str(name) => return Ok(self.variable(name).map(|_| 0)),
                _ => None,
            },
            _ => None,
        };
        self.known(found, unknown)
    }
}

/// How values are ordered, where Python orders them.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(one), Some(two)) = (left.int(), right.int()) {
        return Some(one.cmp(&two));
    }
    match (left, right) {
        (Value::Str(one), Value::Str(two)) => Some(one.cmp(two)),
        (Value::List(one), Value::List(two)) => orders(&one.borrow(), &two.borrow()),
        (Value::Tuple(one), Value::Tuple(two)) => orders(one, two),
        _ => super::numbers::as_float(left)?.partial_cmp(&super::numbers::as_float(right)?),
    }
}

fn orders(one: &[Value], two: &[Value]) -> Option<Ordering> {
    for (one, two) in one.iter().zip(two) {
        if !one.equals(two)? {
            return order(one, two);
        }
    }
    Some(one.len().cmp(&two.len()))
}

/// How close two numbers are: tests are written for both sides of a boundary and for the boundary itself.
fn closeness(left: &Value, right: &Value) -> Option<i32> {
    let (one, two) = (left.int()?, right.int()?);
    Some((one - two).clamp(-2, 2) as i32)
}
