//! What looks that followed each other saw, without saying again what stayed as it was. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Sample;

/// One look, or some that followed each other: the first whole, of each other one what differs from the look before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// What the first look saw.
    #[serde(flatten)]
    pub first: Sample,
    /// What was different in those that followed, in order. Of an object the fields that differ, `null` for one that went; of an array of the
    /// same length an object of the places that differ; else the value itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Value>,
}

/// Looks that do not fit together.
#[derive(Debug, thiserror::Error)]
#[error("look {at} of {all} that were journaled together cannot be read")]
pub struct ObservedError {
    at: usize,
    all: usize,
    source: serde_json::Error,
}

impl Observed {
    /// Of all of them; none where there is none.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let (first, _) = samples.split_first()?;
        let values: Vec<Value> = samples.iter().map(value).collect();
        let then = values.windows(2).map(|pair| difference(&pair[0], &pair[1]).unwrap_or_default());
        Some(Self { first: first.clone(), then: then.collect() })
    }

    /// All of them, as they were.
    pub fn samples(&self) -> Result<Vec<Sample>, ObservedError> {
        let mut samples = vec![self.first.clone()];
        let mut now = value(&self.first);
        for (at, difference) in self.then.iter().enumerate() {
            change(&mut now, difference);
            let all = self.then.len() + 1;
            let sample = serde_json::from_value(now.clone());
            samples.push(sample.map_err(|source| ObservedError { at: at + 2, all, source })?);
        }
        Ok(samples)
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looks", self.then.len() + 1)
    }
}

fn value(sample: &Sample) -> Value {
    serde_json::to_value(sample).expect("samples are JSON")
}

/// What makes the one the other; none where they are the same. Samples hold no `null` and no object in an array.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    Some(match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
            let differs = new.iter().filter_map(|(key, value)| {
                let difference =
                    old.get(key).map_or_else(|| Some(value.clone()), |old| difference(old, value));
                Some((key.clone(), difference?))
            });
            Value::Object(gone.chain(differs).collect())
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let both = old.iter().zip(new).enumerate();
            let differs = both.filter(|(_, (old, new))| old != new);
            Value::Object(differs.map(|(at, (_, new))| (at.to_string(), new.clone())).collect::<Map<_, _>>())
        }
        (_, new) => new.clone(),
    })
}

fn change(value: &mut Value, difference: &Value) {
    match (value, difference) {
        // Where nothing differed.
        (_, Value::Null) => {}
        (Value::Object(fields), Value::Object(differences)) => {
            for (key, difference) in differences {
                match fields.get_mut(key) {
                    _ if difference.is_null() => drop(fields.remove(key)),
                    Some(field) => change(field, difference),
                    None => drop(fields.insert(key.clone(), difference.clone())),
                }
            }
        }
        (Value::Array(items), Value::Object(differences)) => {
            for (at, difference) in differences {
                if let Some(item) = at.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                    *item = difference.clone();
                }
            }
        }
        (value, difference) => *value = difference.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::deployment::analysis::{Answered, Clock, Counted, Figures, Life, Traffic};

    fn figures() -> impl Strategy<Value = Figures> {
        (any::<u64>(), 0..9_u64, prop::collection::vec((0..3_u64, 0..3_u64), 0..4))
            .prop_map(|(requests, errors, latency)| Figures { requests, errors, gateway: 0, latency })
    }

    fn traffic() -> impl Strategy<Value = Traffic> {
        prop_oneof![
            Just(Traffic::Unseen),
            "[a-z]{0,3}".prop_map(|why| Traffic::Unanswered { why }),
            ("[ab]", any::<u64>(), figures(), prop::option::of(figures()))
                .prop_map(|(boot, at_ms, new, old)| { Traffic::Counted(Counted { boot, at_ms, new, old }) }),
        ]
    }

    fn answered() -> impl Strategy<Value = Option<Answered>> {
        let latency = prop::option::of(prop_oneof![
            any::<f64>().prop_filter("JSON", |f| f.is_finite()),
            Just(0.1 + 0.2)
        ]);
        let answered = ("[ab]", prop::option::of("[ab]"), latency)
            .prop_map(|(what, wrong, latency_ms)| Answered { what, wrong, latency_ms });
        prop::option::of(answered)
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let life = (any::<bool>(), 0..2_u64, prop::option::of(any::<u64>()))
            .prop_map(|(alive, restarts, rss_kib)| Life { alive, restarts, rss_kib, ..Life::default() });
        let clock = ("[ab]", any::<u64>()).prop_map(|(boot, ms)| Clock { boot, ms });
        (clock, traffic(), answered(), answered(), prop::option::of("[ab]"), prop::option::of(life)).prop_map(
            |(clock, traffic, health, probe, unsent, process)| Sample {
                clock,
                traffic,
                health,
                probe,
                unsent,
                process,
                unrecorded: None,
            },
        )
    }

    proptest! {
        /// Whatever was seen, it is read again to the last digit; also by way of text.
        #[test]
        fn looks_come_back_as_they_were(samples in prop::collection::vec(sample(), 1..6)) {
            let observed = Observed::of(&samples).unwrap();
            let text = serde_json::to_string(&observed).unwrap();
            let read: Observed = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.samples().unwrap(), samples);
        }
    }

    #[test]
    fn one_look_is_a_sample_and_damage_is_an_error() {
        let clock = Clock { boot: "b".into(), ms: 1 };
        let sample = Sample {
            clock,
            traffic: Traffic::Unseen,
            health: None,
            probe: None,
            unsent: None,
            process: None,
            unrecorded: None,
        };
        let observed = Observed::of(std::slice::from_ref(&sample)).unwrap();
        assert_eq!(serde_json::to_string(&observed).unwrap(), serde_json::to_string(&sample).unwrap());
        let broken = Observed { then: vec![serde_json::json!({ "clock": 7 })], ..observed };
        assert_eq!(
            broken.samples().unwrap_err().to_string(),
            "look 2 of 2 that were journaled together cannot be read"
        );
        assert_eq!(Observed::of(&[]), None);
    }
}
