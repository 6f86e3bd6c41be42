//! Operators on two values: what may overflow gives nothing.

use syn::{BinOp, Expr, ExprBinary};

use super::eval::{Eval, Run, Scope};
use super::value::{Kind, Value};

impl Run<'_> {
    pub(super) fn binary(&mut self, scope: &mut Scope, binary: &ExprBinary, want: Option<Kind>) -> Eval {
        if let BinOp::And(_) | BinOp::Or(_) = binary.op {
            let or = matches!(binary.op, BinOp::Or(_));
            let left = self.condition(scope, &binary.left)?;
            self.reach(&*binary.left, i32::from(left));
            return Ok(Value::Bool(if left == or { left } else { self.condition(scope, &binary.right)? }));
        }
        let compares = matches!(
            binary.op,
            BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
        );
        let want = if compares { None } else { want };
        let left = self.expr(scope, &binary.left, want)?;
        let hint = if let Value::Int(_, kind) = left { kind.or(want) } else { None };
        let right = self.expr(scope, &binary.right, hint)?;
        if compares {
            return self.compare(binary, &left, &right);
        }
        let assigns = |value: Value, run: &mut Self, scope: &mut Scope| match &*binary.left {
            Expr::Path(path) => run.set(scope, &path.path, value),
            _ => run.unknown("assigning to this is not modelled"),
        };
        match (&left, &right) {
            (Value::Int(one, first), Value::Int(two, second)) => {
                let kind = first.or(*second);
                let (one, two) = (*one, *two);
                let result = match binary.op {
                    BinOp::Add(_) | BinOp::AddAssign(_) => one.checked_add(two),
                    BinOp::Sub(_) | BinOp::SubAssign(_) => one.checked_sub(two),
                    BinOp::Mul(_) | BinOp::MulAssign(_) => one.checked_mul(two),
                    BinOp::Div(_) | BinOp::DivAssign(_) => one.checked_div(two),
                    BinOp::Rem(_) | BinOp::RemAssign(_) => one.checked_rem(two),
                    BinOp::BitAnd(_) => Some(one & two),
                    BinOp::BitOr(_) => Some(one | two),
                    _ => None,
                };
                let below = kind.is_none() && one >= 0 && two >= 0 && result.is_some_and(|number| number < 0);
                // The least number has no remainder by -1, and nothing below zero may have no sign.
                let rest = two == -1 && matches!(binary.op, BinOp::Rem(_) | BinOp::RemAssign(_));
                let value = self.number(result.filter(|_| !below && !rest), kind)?;
                match binary.op {
                    BinOp::AddAssign(_)
                    | BinOp::SubAssign(_)
                    | BinOp::MulAssign(_)
                    | BinOp::DivAssign(_)
                    | BinOp::RemAssign(_) => assigns(value, self, scope),
                    _ => Ok(value),
                }
            }
            (Value::Text(one), Value::Text(two)) => {
                let text = Value::Text(format!("{one}{two}"));
                match binary.op {
                    BinOp::Add(_) => Ok(text),
                    BinOp::AddAssign(_) => assigns(text, self, scope),
                    _ => self.unknown("this operator is not modelled"),
                }
            }
            _ => self.unknown("this operator on these values is not modelled"),
        }
    }

    /// A result that fits its type. Without a type it must fit every type.
    pub(super) fn number(&self, result: Option<i128>, kind: Option<Kind>) -> Eval {
        let fits = result.filter(|number| match kind {
            Some(kind) => kind.holds(*number),
            None => (-100..=127).contains(number),
        });
        let why = "a result that may overflow, or a division by zero, is not tested";
        Ok(Value::Int(self.known(fits, why)?, kind))
    }

    fn compare(&mut self, binary: &ExprBinary, left: &Value, right: &Value) -> Eval {
        let unknown = "this comparison is not modelled";
        let order = match (left, right) {
            (Value::Int(one, _), Value::Int(two, _)) => Some(one.cmp(two)),
            (Value::Text(one), Value::Text(two)) => Some(one.cmp(two)),
            (Value::Char(one), Value::Char(two)) => Some(one.cmp(two)),
            _ => None,
        };
        if matches!(left, Value::Variant(..)) || matches!(right, Value::Variant(..)) {
            return self.unknown("how values of this type compare is not modelled");
        }
        let holds = match binary.op {
            BinOp::Eq(_) => self.known(left.equals(right), unknown)?,
            BinOp::Ne(_) => !self.known(left.equals(right), unknown)?,
            BinOp::Lt(_) => self.known(order, unknown)?.is_lt(),
            BinOp::Le(_) => self.known(order, unknown)?.is_le(),
            BinOp::Gt(_) => self.known(order, unknown)?.is_gt(),
            _ => self.known(order, unknown)?.is_ge(),
        };
        self.reach(&binary.op, i32::from(holds));
        self.near(&binary.op, left, right);
        Ok(Value::Bool(holds))
    }
}
