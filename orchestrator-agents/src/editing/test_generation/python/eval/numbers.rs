//! Arithmetic of Python: whole numbers that round down, floats as the processor has them.

use ruff_python_ast::Operator;

use super::super::value::{Value, exact};
use super::{Eval, Run};

/// Whole numbers beyond this are not followed.
const LARGEST: u128 = 1 << 100;

impl Run<'_> {
    /// An operator on two numbers.
    pub(super) fn arithmetic(&self, op: Operator, left: &Value, right: &Value) -> Eval {
        match (left.int(), right.int()) {
            (Some(one), Some(two)) => self.whole(op, one, two, left, right),
            _ => {
                let one = self.known(as_float(left), "this operator on these values is not modelled")?;
                let two = self.known(as_float(right), "this operator on these values is not modelled")?;
                self.floats(op, one, two)
            }
        }
    }

    fn whole(&self, op: Operator, one: i128, two: i128, left: &Value, right: &Value) -> Eval {
        let both = matches!((left, right), (Value::Bool(_), Value::Bool(_)));
        let result = match op {
            Operator::Add => one.checked_add(two),
            Operator::Sub => one.checked_sub(two),
            Operator::Mult => one.checked_mul(two),
            Operator::FloorDiv | Operator::Mod | Operator::Div if two == 0 => {
                return Self::raise("ZeroDivisionError", None);
            }
            Operator::FloorDiv => Some(floor(one, two)),
            Operator::Mod => Some(one - floor(one, two) * two),
            Operator::Div => {
                let (one, two) = (exact(one), exact(two));
                let quotient = one.zip(two).map(|(one, two)| one / two);
                return Ok(Value::Float(
                    self.known(quotient, "the quotient of numbers this large is not modelled")?,
                ));
            }
            Operator::Pow => {
                u32::try_from(two).ok().filter(|power| *power <= 128).and_then(|power| one.checked_pow(power))
            }
            Operator::BitAnd if both => return Ok(Value::Bool(one & two == 1)),
            Operator::BitOr if both => return Ok(Value::Bool(one | two == 1)),
            Operator::BitXor if both => return Ok(Value::Bool(one ^ two == 1)),
            Operator::BitAnd => Some(one & two),
            Operator::BitOr => Some(one | two),
            Operator::BitXor => Some(one ^ two),
            Operator::LShift => {
                u32::try_from(two).ok().filter(|by| *by < 64).and_then(|by| one.checked_mul(1 << by))
            }
            Operator::RShift => u32::try_from(two).ok().map(|by| one >> by.min(127)),
            Operator::MatMult => None,
        };
        let fits = result.filter(|result| result.unsigned_abs() <= LARGEST);
        Ok(Value::Int(self.known(fits, "a number this large, or this operator, is not modelled")?))
    }

    fn floats(&self, op: Operator, one: f64, two: f64) -> Eval {
        let result = match op {
            Operator::Add => one + two,
            Operator::Sub => one - two,
            Operator::Mult => one * two,
            Operator::Div | Operator::FloorDiv | Operator::Mod if two == 0.0 => {
                return Self::raise("ZeroDivisionError", None);
            }
            Operator::Div => one / two,
            Operator::FloorDiv => divided(one, two).0,
            Operator::Mod => divided(one, two).1,
            _ => return self.unknown("this operator on floats is not modelled"),
        };
        if !result.is_finite() {
            return self.unknown("a float that is not a number, or is infinite");
        }
        Ok(Value::Float(result))
    }

    /// `sum` of floats differs between versions of Python: only a result that all agree on is used.
    pub(super) fn sum(&self, items: &[Value], start: Value) -> Eval {
        let mut total = start;
        let (mut plain, mut rest) = (0.0, 0.0);
        let mut floats = false;
        for item in items {
            if item.int().is_none() && !matches!(item, Value::Float(_)) {
                return self.unknown("a sum of these is not modelled");
            }
            floats = floats || matches!(item, Value::Float(_));
            let number = self.known(as_float(item), "a sum of numbers this large is not modelled")?;
            let next: f64 = plain + number;
            rest += if f64::abs(plain) >= number.abs() {
                (plain - next) + number
            } else {
                (number - next) + plain
            };
            plain = next;
            total = self.arithmetic(Operator::Add, &total, item)?;
        }
        if floats && rest != 0.0 {
            return self.unknown("this sum of floats differs between versions of Python");
        }
        Ok(total)
    }
}

pub(super) fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        other => exact(other.int()?),
    }
}

fn floor(one: i128, two: i128) -> i128 {
    let quotient = one / two;
    if one % two != 0 && (one < 0) != (two < 0) { quotient - 1 } else { quotient }
}

/// Quotient, rounded down, and rest.
fn divided(one: f64, two: f64) -> (f64, f64) {
    let mut rest = one % two;
    let mut quotient = (one - rest) / two;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(two);
    } else if (two < 0.0) != (rest < 0.0) {
        rest += two;
        quotient -= 1.0;
    }
    let mut whole = quotient.floor();
    if quotient == 0.0 {
        whole = 0.0_f64.copysign(one / two);
    } else if quotient - whole > 0.5 {
        whole += 1.0;
    }
    (whole, rest)
}
