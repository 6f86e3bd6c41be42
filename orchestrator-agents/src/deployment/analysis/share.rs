//! A share that is checked when it is read.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A share of requests, or a probability: more than none and at most a half.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(extend("minimum" = 1e-6, "maximum" = 0.5))]
pub struct Share(f64);

/// A share that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{0}` is not a share: it must lie between 0.000001 and 0.5, so 1 % is 0.01")]
pub struct ShareError(f64);

impl Share {
    /// Checks the share.
    pub fn new(share: f64) -> Result<Self, ShareError> {
        if (1e-6..=0.5).contains(&share) { Ok(Self(share)) } else { Err(ShareError(share)) }
    }

    pub(crate) const fn known(share: f64) -> Self {
        Self(share)
    }

    /// As a number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = ShareError;
    fn try_from(share: f64) -> Result<Self, ShareError> {
        Self::new(share)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_checked_when_read() {
        for bad in [0.0, -0.1, 0.51, 1.0, 50.0, f64::NAN, f64::INFINITY] {
            assert!(Share::new(bad).is_err(), "{bad}");
        }
        let error = serde_json::from_str::<Share>("5").unwrap_err().to_string();
        assert!(error.contains("so 1 % is 0.01"), "{error}");
        assert_eq!(serde_json::to_string(&Share::known(0.01)).unwrap(), "0.01");
    }
}
