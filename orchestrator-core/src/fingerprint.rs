//! Fingerprints: all that a result depends on, as a plain value that people can read and a digest can name.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::AgentName;
use crate::json::Json;
use crate::path::{Digest, RelPath};

/// All that the result of a task depends on. Two tasks with the same fingerprint give the same result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Format of this value, and version of the program that concludes.
    pub program: String,
    /// Which agent.
    pub agent: AgentName,
    /// The agent's own version.
    pub agent_version: String,
    /// Its config, references replaced by what other tasks gave.
    pub config: Json,
    /// System and processor.
    pub platform: String,
    /// The declared files: digest of content, kind and executable bit; none where there is no file.
    pub files: BTreeMap<RelPath, Option<Digest>>,
    /// The environment variables that count: digests of their values; none where unset.
    pub env: BTreeMap<String, Option<Digest>>,
    /// The tools that count: what they say of their version; none where they are not installed.
    pub tools: BTreeMap<String, Option<String>>,
    /// Patterns of the files that it makes.
    pub outputs: Vec<String>,
}

/// A difference between two fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change(String);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fingerprint {
    /// The format that this version writes, with the version of the program.
    pub const PROGRAM: &'static str = concat!("1/", env!("CARGO_PKG_VERSION"));

    /// Its name: the digest of its JSON.
    pub fn digest(&self) -> Digest {
        let bytes = serde_json::to_vec(self).expect("a fingerprint has string keys only");
        Digest::of(&bytes)
    }

    /// What is different from `before`, in the words of people: ``"`src/api.rs` changed"``, `"rustc 1.94 -> 1.95"`.
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let Self { program, agent, agent_version, config, platform, files, env, tools, outputs } = self;
        let mut changes = Vec::new();
        let mut say = |text: String| changes.push(Change(text));
        for (path, was, is) in differences(&before.files, files) {
            let what = match (was.flatten(), is.flatten()) {
                (Some(_), Some(_)) => "changed",
                (None, Some(_)) => "is new",
                (_, None) => "is gone",
            };
            say(format!("`{path}` {what}"));
        }
        for (tool, was, is) in differences(&before.tools, tools) {
            let shown = |version: Option<Option<String>>| {
                version.map_or("not asked".into(), |known| known.unwrap_or_else(|| "not installed".into()))
            };
            say(format!("{tool}: {} -> {}", shown(was), shown(is)));
        }
        for (name, was, is) in differences(&before.env, env) {
            let what = match (was.flatten(), is.flatten()) {
                (Some(_), Some(_)) => "changed",
                (None, Some(_)) => "is set now",
                (_, None) => "is not set any more",
            };
            say(format!("environment variable `{name}` {what}"));
        }
        for field in config_changes(&before.config, config) {
            say(field);
        }
        if *outputs != before.outputs {
            say("its declared outputs changed".into());
        }
        for (what, was, is) in [
            ("agent", before.agent.as_str(), agent.as_str()),
            ("version of the agent", &before.agent_version, agent_version),
            ("platform", &before.platform, platform),
            ("version of orchestrate", &before.program, program),
        ] {
            if was != is {
                say(format!("{what}: {was} -> {is}"));
            }
        }
        changes
    }
}

/// Keys whose values differ, with both values.
fn differences<'a, K: Ord, V: Clone + PartialEq>(
    before: &'a BTreeMap<K, V>,
    now: &'a BTreeMap<K, V>,
) -> Vec<(&'a K, Option<V>, Option<V>)> {
    let gone = before.keys().filter(|key| !now.contains_key(key));
    let mut all: Vec<&K> = now.keys().chain(gone).collect();
    all.sort();
    let pairs = all.into_iter().map(|key| (key, before.get(key).cloned(), now.get(key).cloned()));
    pairs.filter(|(_, was, is)| was != is).collect()
}

/// The fields of a config that differ; the config as a whole where it is no map.
fn config_changes(before: &Json, now: &Json) -> Vec<String> {
    if before == now {
        return Vec::new();
    }
    let (serde_json::Value::Object(was), serde_json::Value::Object(is)) = (before.value(), now.value())
    else {
        return vec!["its config changed".into()];
    };
    let (was, is) = (was.into_iter().collect(), is.into_iter().collect());
    differences(&was, &is)
        .into_iter()
        .map(|(key, was, is)| match (was, is) {
            (Some(was), Some(is)) => format!("config `{key}`: {} -> {}", short(&was), short(&is)),
            (None, Some(is)) => format!("config `{key}` is new: {}", short(&is)),
            (_, None) => format!("config `{key}` is gone"),
        })
        .collect()
}

fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.len() <= 80 { text } else { format!("{}…", &text[..text.floor_char_boundary(80)]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Fingerprint {
        let path = |path: &str| RelPath::new(path).unwrap();
        Fingerprint {
            program: Fingerprint::PROGRAM.into(),
            agent: AgentName::new("command").unwrap(),
            agent_version: "1".into(),
            config: json!({ "run": ["make"], "effect": "writes" }).into(),
            platform: "linux x86_64".into(),
            files: [(path("a"), Some(Digest::of(b"1"))), (path("b"), None)].into(),
            env: [("CI".into(), None)].into(),
            tools: [("rustc".into(), Some("rustc 1.94.0".into()))].into(),
            outputs: vec!["out".into()],
        }
    }

    type Edit = fn(&mut Fingerprint);

    #[test]
    fn every_field_counts_and_is_named() {
        let before = sample();
        assert_eq!(before.digest(), sample().digest());
        assert_eq!(before.changes(&before), []);
        let table: [(Edit, &str); 13] = [
            (
                |f| {
                    f.files.insert(RelPath::new("a").unwrap(), Some(Digest::of(b"2")));
                },
                "`a` changed",
            ),
            (
                |f| {
                    f.files.insert(RelPath::new("b").unwrap(), Some(Digest::of(b"2")));
                },
                "`b` is new",
            ),
            (
                |f| {
                    f.files.insert(RelPath::new("c").unwrap(), Some(Digest::of(b"2")));
                },
                "`c` is new",
            ),
            (
                |f| {
                    f.files.remove(&RelPath::new("a").unwrap());
                },
                "`a` is gone",
            ),
            (
                |f| {
                    f.tools.insert("rustc".into(), Some("rustc 1.95.0".into()));
                },
                "rustc: rustc 1.94.0 -> rustc 1.95.0",
            ),
            (
                |f| {
                    f.tools.insert("rustc".into(), None);
                },
                "rustc: rustc 1.94.0 -> not installed",
            ),
            (
                |f| {
                    f.env.insert("CI".into(), Some(Digest::of(b"1")));
                },
                "environment variable `CI` is set now",
            ),
            (
                |f| f.config = json!({ "run": ["make", "all"], "effect": "writes" }).into(),
                r#"config `run`: ["make"] -> ["make","all"]"#,
            ),
            (|f| f.config = json!({ "run": ["make"] }).into(), "config `effect` is gone"),
            (|f| f.outputs.push("x".into()), "its declared outputs changed"),
            (|f| f.agent_version = "2".into(), "version of the agent: 1 -> 2"),
            (|f| f.platform = "macos aarch64".into(), "platform: linux x86_64 -> macos aarch64"),
            (|f| f.program = "1/9.9.9".into(), ""),
        ];
        for (edit, expected) in table {
            let mut now = sample();
            edit(&mut now);
            assert_ne!(now.digest(), before.digest(), "{expected}");
            let said: Vec<_> = now.changes(&before).iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(expected.is_empty() || said == [expected], "{said:?}");
        }
    }

    #[test]
    fn it_survives_json() {
        let text = serde_json::to_string(&sample()).unwrap();
        let back: Fingerprint = serde_json::from_str(&text).unwrap();
        assert_eq!(back.digest(), sample().digest());
    }
}
