//! What agents say to people, and how they read the one receipt that most of them get.

use orchestrator_core::BoxError;
use orchestrator_core::order::Receipt;
use serde::de::DeserializeOwned;

pub(crate) use orchestrator_core::units::bytes;

/// What the only operation of a task gave, or why there is nothing.
pub(crate) fn output<O: DeserializeOwned>(receipts: &[Receipt]) -> Result<Result<O, String>, BoxError> {
    match receipts.first() {
        None => Ok(Err("the operation was not called".to_owned())),
        Some(receipt) if receipt.ok() => Ok(Ok(receipt.output.parse()?)),
        Some(receipt) => Ok(Err(receipt.status.to_string())),
    }
}

/// What a call gave, or why it gave nothing.
pub(crate) fn outcome<T: DeserializeOwned>(receipt: Option<&Receipt>) -> Result<T, String> {
    let receipt = receipt.ok_or("it was not performed")?;
    if !receipt.ok() {
        return Err(receipt.status.to_string());
    }
    receipt.output.parse().map_err(|error| format!("what it gave is not known ({}): {error}", receipt.status))
}

/// `1,234 files`.
pub(crate) fn count(n: u64, one: &str) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {one}{}", if n == 1 { "" } else { "s" })
}

/// `0.8 s`, `12 ms`.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 100.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1000.0) }
}

/// The first ten of many, with how many more there are.
pub(crate) fn some(all: &[String]) -> String {
    let more = all.len().saturating_sub(10);
    let first = all.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1234, "file"), "1,234 files");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(duration(812.0), "0.8 s");
        assert_eq!(some(&["a".into(), "b".into()]), "a, b");
    }
}
