//! A figure, or the reason why there is none. Nothing that was not measured is shown as 0 or left out without a word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A measured value, or why it was not measured. In JSON: the value itself, or `{"not_measured": "why"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Measured<T> {
    /// It was.
    Value(T),
    /// It was not.
    Not {
        /// Why.
        not_measured: String,
    },
}

impl<T> Measured<T> {
    /// Not measured, and why.
    pub fn not(why: impl Into<String>) -> Self {
        Self::Not { not_measured: why.into() }
    }

    /// The value where there is one, or else why there is none.
    pub fn or(value: Option<T>, why: impl Into<String>) -> Self {
        value.map_or_else(|| Self::not(why), Self::Value)
    }

    /// The value.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Not { .. } => None,
        }
    }

    /// Why there is none.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Not { not_measured } => Some(not_measured),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_figure_says_why() {
        let none: Measured<f64> = Measured::or(None, "it has not ended");
        assert_eq!(serde_json::to_string(&none).unwrap(), r#"{"not_measured":"it has not ended"}"#);
        assert_eq!(serde_json::to_string(&Measured::Value(1.5)).unwrap(), "1.5");
        assert_eq!(serde_json::from_str::<Measured<f64>>("2.0").unwrap().value(), Some(&2.0));
        assert_eq!(
            serde_json::from_str::<Measured<f64>>(r#"{"not_measured":"x"}"#).unwrap().why(),
            Some("x")
        );
    }
}
