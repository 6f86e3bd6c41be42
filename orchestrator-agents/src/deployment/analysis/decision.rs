//! What a look at a watched version decides, with the numbers that made it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing: look again.
    Hold,
    /// The version gets its next share of the traffic.
    Step,
    /// The version is good.
    Promote,
    /// The version is bad.
    RollBack,
    /// It cannot be told, and time is up: a person decides. Looking again may still tell.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hold => "hold",
            Self::Step => "step",
            Self::Promote => "promote",
            Self::RollBack => "roll back",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What a look decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What is to be done.
    pub verdict: Verdict,
    /// Why, in one line for people.
    pub why: String,
    /// Every number that it was made of; see `analysis/words.rs` for their names and units.
    pub numbers: BTreeMap<String, f64>,
    /// What would be done were the watch not a shadow; none where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Verdict>,
    /// What people should know besides: a leak, a proxy that does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

impl Decision {
    /// Its numbers for people, three digits each. What is nought says nothing; all of it to the last digit is in the journal and the
    /// recording.
    pub fn figures(&self) -> impl Iterator<Item = (&str, String)> {
        let said = self.numbers.iter().filter(|(_, value)| **value != 0.0);
        said.map(|(name, value)| (name.as_str(), three_digits(*value)))
    }

    /// Why, the share of the traffic, how many requests failed, and how many of the version before: for a line that lives on a screen.
    pub fn line(&self) -> String {
        let number = |name: &str| self.numbers.get(name).copied().filter(|number| *number > 0.0);
        let mut line = self.why.clone();
        if let Some(percent) = number("stage.percent") {
            let _ = write!(line, " · {percent:.0} % of the traffic");
        }
        let share = |name: &str| self.numbers.get(name).copied().unwrap_or_default() * 100.0;
        if let Some(requests) = number("errors.requests") {
            let _ = write!(line, " · {:.2} % of {requests:.0} requests failed", share("errors.share"));
        }
        if number("errors.before.requests").is_some() {
            let _ = write!(line, ", before {:.2} %", share("errors.before.share"));
        }
        line
    }
}

/// Three significant digits, more only where they are whole.
fn three_digits(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        return format!("{value:.0}");
    }
    let after = [10.0, 1.0, 0.1, 0.01, 0.001].iter().take_while(|bound| value.abs() < **bound).count() + 1;
    format!("{value:.after$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_both_versions_do() {
        let numbers =
            |said: &[(&str, f64)]| said.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let of = |numbers| Decision {
            verdict: Verdict::Hold,
            why: "12 s of this step's 60 s".into(),
            numbers,
            would: None,
            told: Vec::new(),
        };
        let all = [
            ("stage.percent", 25.0),
            ("errors.requests", 345.0),
            ("errors.share", 0.0029),
            ("errors.before.requests", 900.0),
            ("errors.before.share", 0.0),
        ];
        assert_eq!(
            of(numbers(&all)).line(),
            "12 s of this step's 60 s · 25 % of the traffic · 0.29 % of 345 requests failed, before 0.00 %"
        );
        assert_eq!(of(numbers(&[])).line(), "12 s of this step's 60 s");
    }

    #[test]
    fn figures_are_short() {
        let said = [0.001_375_861, 9.2, 463.0, 4000.0, 0.2, 25.637, 7487.4, -0.5].map(three_digits);
        assert_eq!(said, ["0.00138", "9.20", "463", "4000", "0.200", "25.6", "7487", "-0.500"]);
    }
}
