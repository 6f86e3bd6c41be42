//! Operators on values.

use oxc_ast::ast::{BinaryOperator, UnaryOperator};

use super::super::value::{Eval, Kind, Value};
use super::unknown;

pub(super) fn unary<'a>(operator: UnaryOperator, value: &Value<'a>, at: u32) -> Eval<'a> {
    Ok(match operator {
        UnaryOperator::LogicalNot => Value::Bool(!value.truthy()),
        UnaryOperator::Typeof => Value::text(value.type_of()),
        UnaryOperator::Void => Value::Undefined,
        UnaryOperator::UnaryNegation | UnaryOperator::UnaryPlus => {
            let Some(n) = value.to_number() else { return unknown("it makes a number of an object", at) };
            Value::Number(if operator == UnaryOperator::UnaryNegation { -n } else { n })
        }
        UnaryOperator::BitwiseNot | UnaryOperator::Delete => return unknown("it works on bits", at),
    })
}

pub(super) fn binary<'a>(operator: BinaryOperator, left: &Value<'a>, right: &Value<'a>, at: u32) -> Eval<'a> {
    use BinaryOperator as O;
    Ok(match operator {
        O::StrictEquality => Value::Bool(left.same(right)),
        O::StrictInequality => Value::Bool(!left.same(right)),
        O::Equality | O::Inequality => {
            let alike = left.type_of() == right.type_of() || left.nullish() || right.nullish();
            if !alike {
                return unknown("it compares values of different types with `==`", at);
            }
            let same = left.same(right) || (left.nullish() && right.nullish());
            Value::Bool(same == (operator == O::Equality))
        }
        O::Addition => return add(left, right, at),
        O::LessThan | O::LessEqualThan | O::GreaterThan | O::GreaterEqualThan => {
            return Ok(Value::Bool(compare(operator, left, right, at)?));
        }
        O::Subtraction | O::Multiplication | O::Division | O::Remainder | O::Exponential => {
            let (Some(a), Some(b)) = (left.to_number(), right.to_number()) else {
                return unknown("it calculates with an object", at);
            };
            Value::Number(match operator {
                O::Subtraction => a - b,
                O::Multiplication => a * b,
                O::Division => a / b,
                O::Remainder => a % b,
                // Powers are exact for whole numbers alone.
                _ if a.fract() == 0.0 && b.fract() == 0.0 && (0.0..32.0).contains(&b) => a.powf(b),
                _ => return unknown("it takes a power", at),
            })
        }
        O::Instanceof => match (left, right) {
            (Value::Object(object), Value::Class(class)) => Value::Bool(match &object.kind {
                Kind::Instance(own) => std::ptr::eq(*own, *class),
                Kind::Error { class: own, own: true } => {
                    class.id.as_ref().is_some_and(|id| id.name.as_str() == own)
                }
                Kind::Error { .. } | Kind::Plain => false,
                _ => return unknown("it asks for the class of something from outside", at),
            }),
            (Value::Object(object), Value::Global("Error")) => match &object.kind {
                Kind::Error { .. } => Value::Bool(true),
                Kind::Plain => Value::Bool(false),
                _ => return unknown("it asks for the class of something from outside", at),
            },
            (Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null | Value::Undefined, _) => {
                Value::Bool(false)
            }
            _ => return unknown("it asks for a class that is not known", at),
        },
        O::In => match (left, right) {
            (Value::Text(name), Value::Object(object)) if matches!(object.kind, Kind::Plain) => {
                Value::Bool(object.props.borrow().iter().any(|(own, _)| *own == **name))
            }
            _ => return unknown("it asks with `in`", at),
        },
        _ => return unknown("it works on bits", at),
    })
}

fn add<'a>(left: &Value<'a>, right: &Value<'a>, at: u32) -> Eval<'a> {
    let texts = |value: &Value<'a>| matches!(value, Value::Text(_) | Value::Array(_));
    if texts(left) || texts(right) {
        return match (left.to_text(), right.to_text()) {
            (Some(a), Some(b)) => Ok(Value::text(a + &b)),
            _ => unknown("it adds an object to a text", at),
        };
    }
    match (left.to_number(), right.to_number()) {
        (Some(a), Some(b)) => Ok(Value::Number(a + b)),
        _ => unknown("it adds objects", at),
    }
}

fn compare<'a>(operator: BinaryOperator, left: &Value<'a>, right: &Value<'a>, at: u32) -> Eval<'a, bool> {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) if a.is_ascii() && b.is_ascii() => Some(a.cmp(b)),
        (Value::Text(_), Value::Text(_)) => return unknown("it compares texts", at),
        _ => match (left.to_number(), right.to_number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => return unknown("it compares objects", at),
        },
    };
    Ok(match operator {
        BinaryOperator::LessThan => order == Some(Ordering::Less),
        BinaryOperator::LessEqualThan => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        BinaryOperator::GreaterThan => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}
