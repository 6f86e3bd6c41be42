//! When a service counts as healthy.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::answer::{Answer, differs, place_of, shortened};
use crate::deployment::{Pointer, Seconds, UrlPath, Version};

/// When a service counts as healthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// What is asked.
    pub path: UrlPath,
    /// The status that it must answer.
    pub expect_status: u16,
    /// Whether it answers in the usual form: `{"status": "healthy", "timestamp": .., "version": ..}`. Then the status must be
    /// that word, the timestamp new, and the version the deployed one, if `json`, `timestamp` and `version` say nothing else.
    #[serde(skip_serializing_if = "is_false")]
    pub standard: bool,
    /// What its JSON must hold, by pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<Pointer, Value>,
    /// Where its JSON names the version; it must be the deployed one. Not looked at by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Pointer>,
    /// Where its JSON says when it was made (RFC 3339, or seconds or milliseconds since 1970), so that an answer from a cache is
    /// found. Not looked at by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Pointer>,
    /// Seconds that the timestamp may differ from now.
    #[serde(skip_serializing_if = "is_minute")]
    pub max_age: Seconds,
    /// Seconds until it must be healthy.
    pub timeout: Seconds,
    /// Seconds that one answer may take.
    pub request_timeout: Seconds,
}

const MINUTE: Seconds = Seconds::known(60);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_minute(value: &Seconds) -> bool {
    *value == MINUTE
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: UrlPath::new("/health").expect("a path"),
            expect_status: 200,
            standard: false,
            json: BTreeMap::new(),
            version: None,
            timestamp: None,
            max_age: MINUTE,
            timeout: Seconds::known(30),
            request_timeout: Seconds::known(5),
        }
    }
}

impl Health {
    /// What is wrong with an answer; nothing when the service is healthy.
    pub fn problems(&self, answer: &Answer, version: Option<&Version>) -> Vec<String> {
        let usual = |pointer: &str| self.standard.then(|| Pointer::new(pointer).expect("a pointer"));
        let mut json = self.json.clone();
        if let Some(status) = usual("/status") {
            json.entry(status).or_insert_with(|| "healthy".into());
        }
        let mut problems: Vec<String> = answer.check_status(self.expect_status).into_iter().collect();
        problems.extend(answer.check_json(&json));
        let at = self.timestamp.clone().or_else(|| usual("/timestamp"));
        let named = self.version.clone().or_else(|| usual("/version"));
        let named = named.and_then(|pointer| Some((pointer, version?)));
        if at.is_some() || named.is_some() {
            match answer.json() {
                Ok(found) => {
                    problems.extend(
                        named.and_then(|(pointer, version)| {
                            differs(&found, &pointer, &version.as_str().into())
                        }),
                    );
                    problems.extend(at.and_then(|pointer| self.stale(&found, &pointer, answer.at)));
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems.dedup();
        problems
    }

    /// Why the time in an answer is not that of now.
    fn stale(&self, found: &Value, pointer: &Pointer, now: Timestamp) -> Option<String> {
        let place = place_of(pointer);
        let Some(value) = found.pointer(pointer.as_str()) else {
            return Some(format!("{place} is missing; it should be the time of the answer"));
        };
        let Some(at) = time(value) else {
            return Some(format!("{place} is {}, which is no time", shortened(&value.to_string())));
        };
        let age = now.duration_since(at);
        let most = SignedDuration::try_from(self.max_age.duration()).unwrap_or(SignedDuration::MAX);
        let off = age.unsigned_abs().as_secs_f64();
        (age.abs() > most).then(|| {
            let (way, why) = if age.is_negative() {
                ("ahead", "do the clocks agree?")
            } else {
                ("old", "does a cache answer?")
            };
            format!("{place} is {value}, {off:.0} s {way}, more than {}: {why}", self.max_age)
        })
    }
}

/// A time as services write it: a text of RFC 3339, or a number of seconds or, beyond the year 5138, of milliseconds.
fn time(value: &Value) -> Option<Timestamp> {
    const LAST_SECOND: f64 = 1e11;
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let number = value.as_f64().filter(|number| *number > 0.0 && *number < 1e14)?;
    let millis = if number < LAST_SECOND { number * 1e3 } else { number };
    Timestamp::from_millisecond(millis as i64).ok()
}
