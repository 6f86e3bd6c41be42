//! A load that runs through a switch: what is wanted of it, and what came of it (`summary`). Pure: the client is a program, which `ops` starts.

mod summary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Seconds, UrlPath};

pub use summary::{LoadSummary, LoadVersion};

/// Requests that are sent to the environment's proxy from before the first share of the traffic until after the last drain: they prove
/// that the switch dropped none. They are real requests: the watch counts them as traffic, and the service acts on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadConfig {
    /// Requests a second, sent when they are due, whatever came of those before.
    pub rate: Rate,
    /// Where those go that have no path of their own.
    #[serde(default = "root")]
    pub path: UrlPath,
    /// What the requests do; GET on kept connections by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub mix: Vec<LoadShape>,
    /// The header by which answers name the version that gave them: then failures of each are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_header: Option<HeaderName>,
    /// Whole seconds that it runs before the first share.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 600))]
    pub lead: u32,
    /// Whole seconds that it runs on after the traffic was switched for the last time.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 600))]
    pub tail: u32,
    /// Connections at once at most.
    #[serde(default = "many")]
    #[schemars(range(min = 1, max = 1000))]
    pub connections: u32,
    /// Seconds after which it ends whatever the deployment does.
    #[serde(default = "an_hour")]
    pub max_seconds: Seconds,
}

/// One kind of requests of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadShape {
    /// What they do.
    pub kind: LoadKind,
    /// Their part of all.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// Where they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<UrlPath>,
}

/// What requests of a load do, as `orchestrate load` knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadKind {
    /// GET on a connection that was used before.
    KeepAlive,
    /// GET on a connection of its own.
    NewConnections,
    /// GET `/slow?ms=2000`.
    Slow,
    /// POST of 64 KiB to `/upload`.
    Uploads,
    /// Echoes at `/ws`.
    Websockets,
    /// Server-sent events of `/events?count=10&every_ms=100`.
    Events,
}

/// Requests a second: from 0.1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(extend("minimum" = 0.1, "maximum" = 10000.0))]
pub struct Rate(f64);

impl TryFrom<f64> for Rate {
    type Error = String;
    fn try_from(rate: f64) -> Result<Self, String> {
        if (0.1..=10_000.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(format!("`{rate}` is not a rate: it must lie between 0.1 and 10000 requests a second"))
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9-]{1,64}$"))]
pub struct HeaderName(String);

impl TryFrom<String> for HeaderName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if (1..=64).contains(&name.len()) && name.chars().all(plain) {
            Ok(Self(name))
        } else {
            Err(format!("`{name}` is not the name of a header: letters, digits and `-`, at most 64"))
        }
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

impl std::fmt::Display for HeaderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn root() -> UrlPath {
    UrlPath::new("/").expect("a path")
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

fn many() -> u32 {
    64
}

fn an_hour() -> Seconds {
    Seconds::known(3600)
}

impl LoadConfig {
    /// What is wrong with it; the types have checked the rest.
    pub(super) fn problem(&self) -> Option<String> {
        let Self { rate: _, path: _, mix, version_header: _, lead, tail, connections, max_seconds: _ } = self;
        let bounded = |name: &str, value: u32, most: u32| {
            (!(1..=most).contains(&value))
                .then(|| format!("`load.{name}`: {value} is out of bounds: 1 to {most}"))
        };
        if mix.len() > 16 {
            return Some(format!("`load.mix` has {} kinds of requests; 16 are allowed", mix.len()));
        }
        bounded("lead", *lead, 600)
            .or_else(|| bounded("tail", *tail, 600))
            .or_else(|| bounded("connections", *connections, 1000))
            .or_else(|| mix.iter().find_map(|shape| bounded("mix.weight", shape.weight, 1000)))
    }

    /// The mix as `orchestrate load` reads it.
    pub(super) fn shapes(&self) -> Vec<LoadShape> {
        let usual = [LoadShape { kind: LoadKind::KeepAlive, weight: 1, path: None }];
        let shapes = if self.mix.is_empty() { &usual[..] } else { &self.mix };
        let at = |shape: &LoadShape| {
            let plain = matches!(shape.kind, LoadKind::KeepAlive | LoadKind::NewConnections);
            let path = shape.path.clone().or_else(|| plain.then(|| self.path.clone()));
            LoadShape { path, ..shape.clone() }
        };
        shapes.iter().map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_load_is_bounded() {
        let read = |json| serde_json::from_value::<LoadConfig>(json);
        let plain = read(json!({ "rate": 50, "path": "/courses" })).unwrap();
        assert_eq!(plain.problem(), None);
        assert_eq!(
            serde_json::to_value(plain.shapes()).unwrap(),
            json!([{ "kind": "keep-alive", "weight": 1, "path": "/courses" }])
        );
        let mixed =
            json!({ "rate": 1, "mix": [{ "kind": "slow" }, { "kind": "new-connections", "weight": 9 }] });
        assert_eq!(
            serde_json::to_value(read(mixed).unwrap().shapes()).unwrap(),
            json!([{ "kind": "slow", "weight": 1 }, { "kind": "new-connections", "weight": 9, "path": "/" }])
        );
        for bad in [
            json!({}),
            json!({ "rate": 0 }),
            json!({ "rate": 20_000 }),
            json!({ "rate": 1, "url": "http://example.com" }),
            json!({ "rate": 1, "path": "courses" }),
            json!({ "rate": 1, "version_header": "x y" }),
            json!({ "rate": 1, "mix": [{ "kind": "delete" }] }),
            json!({ "rate": 1, "max_seconds": 100_000 }),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        for (bad, names) in [
            (json!({ "rate": 1, "lead": 0 }), "`load.lead`"),
            (json!({ "rate": 1, "connections": 1001 }), "`load.connections`"),
            (json!({ "rate": 1, "mix": vec![json!({ "kind": "slow" }); 17] }), "`load.mix`"),
            (json!({ "rate": 1, "mix": [{ "kind": "slow", "weight": 0 }] }), "`load.mix.weight`"),
        ] {
            let problem = read(bad.clone()).unwrap().problem().unwrap();
            assert!(problem.contains(names), "{problem}");
        }
    }
}
