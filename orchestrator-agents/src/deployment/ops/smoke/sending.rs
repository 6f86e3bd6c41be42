//! Sends one test after the other; what an answer gave is there for the next.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_core::effect::Effect;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::DeployError;
use super::super::halt::Halt;
use super::super::hidden::Hidden;
use super::SmokeResult;
use super::memory::Memory;
use crate::deployment::{Answer, AnswerSchema, Saved, SmokeTest};
use crate::ops::http::{Ask, ask};

/// The pause before a wrong answer is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// The most times that one test is sent.
const MOST: u32 = 1000;
/// The most characters of what is saved.
const LONGEST: usize = 1000;

/// Names and values.
pub(super) type Headers = Vec<(String, String)>;

/// What a test needs besides itself.
pub(in super::super) struct Ready {
    /// Headers, secrets resolved.
    pub(super) headers: Headers,
    /// Those secrets: no problem is told with one in it.
    pub(super) hidden: Hidden,
    /// The schema in its file.
    pub(super) schema: Option<AnswerSchema>,
}

/// Where tests are sent, and what answers gave so far.
pub(super) struct Sending<'a> {
    pub(super) url: &'a str,
    /// Texts and numbers.
    pub(super) saved: BTreeMap<Saved, Value>,
    pub(super) halt: &'a Halt,
}

/// How a test stands: it is sent until its answer was right as often as it asks for, or stays wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) result: SmokeResult,
    /// How many answers were right.
    right: u32,
    /// How often a wrong one may be asked for again.
    left: u32,
    pub(super) over: bool,
}

impl Turn {
    pub(super) fn new(test: &SmokeTest) -> Self {
        let result = SmokeResult {
            name: test.name.clone(),
            method: test.method,
            path: test.path.clone(),
            status: None,
            latency_ms: None,
            problems: Vec::new(),
            sent: 0,
            earlier: Vec::new(),
        };
        Self { result, right: 0, left: retries(test), over: false }
    }

    /// It was sent before something was cut off, and nobody knows what was answered. So it is not sent again, unless it may be asked again
    /// where an answer was wrong.
    pub(super) fn is_unanswered(&mut self, test: &SmokeTest) {
        self.result.sent += 1;
        self.hears(vec!["it was sent before it was cut off, and its answer is not known".to_owned()], test);
    }

    /// What was wrong with an answer.
    fn hears(&mut self, problems: Vec<String>, test: &SmokeTest) {
        if problems.is_empty() {
            self.right += 1;
            self.left = retries(test);
            self.over = self.right >= test.repeat.clamp(1, MOST);
        } else if self.left > 0 {
            self.left -= 1;
            self.result.earlier.extend(problems);
        } else {
            self.result.problems = problems;
            self.over = true;
        }
    }
}

fn retries(test: &SmokeTest) -> u32 {
    test.retries.min(10)
}

impl Sending<'_> {
    /// One test, as often as it asks for; ends with the first answer that stays wrong. What comes of it is told to the memory, as that of
    /// the test at that place.
    pub(super) fn result(
        &mut self,
        test: &SmokeTest,
        ready: &Ready,
        mut turn: Turn,
        mut memory: Option<(&mut Memory, usize)>,
    ) -> Result<SmokeResult, DeployError> {
        while !turn.over {
            self.halt.check()?;
            if let Some((memory, at)) = &mut memory
                && test.effect() > Effect::Reads
            {
                memory.sends(*at)?;
            }
            let problems = self.send(test, ready, &mut turn.result);
            let again = !problems.is_empty();
            turn.hears(problems, test);
            if let Some((memory, at)) = &mut memory {
                memory.stands(*at, &turn, &self.saved)?;
            }
            if again && !turn.over {
                self.halt.pause(AGAIN)?;
            }
        }
        Ok(turn.result)
    }

    /// Sends it once, and says all that is wrong. The slowest answer is the one that is kept.
    fn send(&mut self, test: &SmokeTest, ready: &Ready, result: &mut SmokeResult) -> Vec<String> {
        let filled = self.filled(test);
        let (path, body) = match filled {
            Ok(filled) => filled,
            Err(problem) => return vec![problem],
        };
        result.sent += 1;
        let request = Ask {
            method: test.method,
            url: &format!("{}{path}", self.url),
            headers: &ready.headers,
            body: body.as_deref(),
            timeout: test.timeout.duration(),
            redirects: 0,
        };
        match ask(&request) {
            Ok(answer) => {
                result.status = Some(answer.status);
                result.latency_ms = Some(
                    result.latency_ms.map_or(answer.latency_ms, |slowest| slowest.max(answer.latency_ms)),
                );
                let mut problems = test.expect.problems(&answer, ready.schema.as_ref());
                problems.extend(self.save(test, &answer));
                ready.hidden.all(problems)
            }
            Err(error) => vec![ready.hidden.cut(&error)],
        }
    }

    /// Path and body with what was saved.
    fn filled(&self, test: &SmokeTest) -> Result<(String, Option<Vec<u8>>), String> {
        let mut path = test.path.as_str().to_owned();
        for (name, value) in &self.saved {
            // One that came from elsewhere must not lead to another path.
            let value = utf8_percent_encode(&text(value), NON_ALPHANUMERIC).to_string();
            path = path.replace(&name.placeholder(), &value);
        }
        if let Some(name) = missing(&path) {
            return Err(format!("{name} in its path is not known: the test that saves it did not get it"));
        }
        let body = test.body.as_ref().map(|body| match self.in_body(body) {
            Value::String(plain) => plain.into_bytes(),
            json => json.to_string().into_bytes(),
        });
        Ok((path, body))
    }

    fn in_body(&self, value: &Value) -> Value {
        match value {
            Value::String(said) => {
                // A text that is a placeholder and nothing else becomes what was saved, a number or a text of digits.
                let whole = self.saved.iter().find(|(name, _)| name.placeholder() == *said);
                if let Some((_, saved)) = whole {
                    return saved.clone();
                }
                let fill = |said: String, (name, saved): (&Saved, &Value)| {
                    said.replace(&name.placeholder(), &text(saved))
                };
                self.saved.iter().fold(said.clone(), fill).into()
            }
            Value::Array(items) => items.iter().map(|item| self.in_body(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.in_body(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn save(&mut self, test: &SmokeTest, answer: &Answer) -> Vec<String> {
        if test.save.is_empty() {
            return Vec::new();
        }
        let found = match answer.json() {
            Ok(found) => found,
            Err(problem) => return vec![format!("nothing could be saved: {problem}")],
        };
        let mut problems = Vec::new();
        for (name, pointer) in &test.save {
            let value =
                found.pointer(pointer.as_str()).filter(|value| value.is_string() || value.is_number());
            match value.filter(|value| text(value).chars().count() <= LONGEST) {
                Some(value) => drop(self.saved.insert(name.clone(), value.clone())),
                None => problems
                    .push(format!("`{name}` could not be saved: {} is no text or number", pointer.as_str())),
            }
        }
        problems
    }
}

/// What was saved, within a path or a longer text.
fn text(saved: &Value) -> Cow<'_, str> {
    saved.as_str().map_or_else(|| saved.to_string().into(), Cow::Borrowed)
}

/// A placeholder that is still there.
fn missing(path: &str) -> Option<&str> {
    let start = path.find('{')?;
    let end = start + path[start..].find('}')?;
    let name = &path[start + 1..end];
    Saved::try_from(name.to_owned()).ok().map(|_| &path[start..=end])
}
