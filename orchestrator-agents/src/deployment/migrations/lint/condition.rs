//! Whether a `WHERE` picks some rows. What is not known to do so counts as picking all.

use sqlparser::ast::{BinaryOperator as Op, Expr, Ident, Query, SetExpr, UnaryOperator, Value};

/// Whether a condition is one at all: it names a column, and compares it with more than a bound that all rows may meet.
pub(super) fn picks(selection: Option<&Expr>) -> bool {
    let Some(selection) = selection else { return false };
    match selection {
        Expr::Nested(inner) | Expr::IsTrue(inner) => picks(Some(inner)),
        // A flag, or one that is not set.
        Expr::IsFalse(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => is_column(inner),
        Expr::BinaryOp { left, op: Op::And, right } => picks(Some(left)) || picks(Some(right)),
        Expr::BinaryOp { left, op: Op::Or, right } => picks(Some(left)) && picks(Some(right)),
        Expr::BinaryOp { left, op, right } => compares(left, op, right),
        Expr::IsNotDistinctFrom(left, right) => compares(left, &Op::Eq, right),
        Expr::Between { low, high, negated: false, .. } => !is_fixed(low) && !is_fixed(high),
        Expr::IsNull(inner) => !is_fixed(inner),
        Expr::InList { expr, list, negated: false } => !is_fixed(expr) && !list.contains(expr),
        Expr::InSubquery { expr, negated: false, .. } => !is_fixed(expr),
        Expr::Exists { subquery, .. } => is_picked(subquery),
        Expr::Like { expr, pattern, negated: false, .. }
        | Expr::ILike { expr, pattern, negated: false, .. } => !is_fixed(expr) && !is_any(pattern),
        other => is_column(other),
    }
}

/// Whether a `CHECK` is met by all rows that say nothing of its column: it only compares that with what is fixed.
pub(super) fn is_met_without(column: &Ident, check: &Expr) -> bool {
    let is_own = |expr: &Expr| matches!(expr, Expr::Identifier(name) if name.value.eq_ignore_ascii_case(&column.value));
    match check {
        Expr::Nested(inner) => is_met_without(column, inner),
        Expr::BinaryOp { left, op: Op::And | Op::Or, right } => {
            is_met_without(column, left) && is_met_without(column, right)
        }
        Expr::BinaryOp { left, op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, right } => {
            is_own(left) && is_fixed(right) || is_own(right) && is_fixed(left)
        }
        Expr::InList { expr, list, .. } => is_own(expr) && list.iter().all(is_fixed),
        Expr::Between { expr, low, high, .. } => is_own(expr) && is_fixed(low) && is_fixed(high),
        _ => false,
    }
}

fn compares(left: &Expr, op: &Op, right: &Expr) -> bool {
    match op {
        // `id > -1`, `id <> 0` and the like: told apart by nobody from all rows.
        Op::Gt | Op::GtEq | Op::Lt | Op::LtEq | Op::NotEq => {
            !is_fixed(left) && !is_fixed(right) && left != right
        }
        Op::Eq
        | Op::PGRegexMatch
        | Op::PGRegexIMatch
        | Op::PGStartsWith
        | Op::PGOverlap
        | Op::AtArrow
        | Op::ArrowAt
        | Op::Question
        | Op::QuestionAnd
        | Op::QuestionPipe => !(is_fixed(left) && is_fixed(right)) && left != right,
        _ => false,
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_column(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        _ => false,
    }
}

/// Whether it is the same for all rows, as it is written.
fn is_fixed(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } | Expr::Cast { expr: inner, .. } => {
            is_fixed(inner)
        }
        Expr::BinaryOp { left, right, .. } => is_fixed(left) && is_fixed(right),
        _ => false,
    }
}

/// Whether a pattern is one that every text meets.
fn is_any(pattern: &Expr) -> bool {
    match pattern {
        Expr::Nested(inner) => is_any(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.chars().all(|c| matches!(c, '%' | '_')),
            _ => false,
        },
        _ => false,
    }
}

/// Whether rows are looked for that meet a condition themselves.
fn is_picked(query: &Query) -> bool {
    matches!(&*query.body, SetExpr::Select(select) if picks(select.selection.as_ref()))
}
