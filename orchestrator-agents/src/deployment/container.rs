//! What is known of the container of a release: a record, stored with it. Nothing here touches the world.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, Network, Volume};

/// All that it takes to start the container of a release, the first time and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its name: `orchestrate-PROJECT-ENV-RELEASE`.
    pub name: String,
    /// The socket of the engine that has it.
    pub socket: PathBuf,
    /// The image as it was named.
    pub image: String,
    /// The image itself: a tag that moves later changes nothing.
    pub image_id: String,
    /// The port that the service listens on inside.
    pub port: u16,
    /// What the image's entry point is given; what the image says where this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The network that it joins; the engine's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The most bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The most processors, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millicpus: Option<u32>,
    /// What is mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// How often the engine starts it again after a failure.
    pub restarts: u32,
    /// How it is found and told from others: [`Container::labels`].
    pub labels: BTreeMap<String, String>,
    /// Whether it was forgotten: where its engine does not answer, that says that there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// Where it is not there.
    #[default]
    Missing,
    /// Each time, so that a tag that moved is followed.
    Always,
    /// Not at all.
    Never,
}

/// What all labels begin with.
const LABEL: &str = "orchestrate.";

impl Container {
    /// The name of the container of a release. A project's name may be anything; a container's may not.
    pub fn name_for(project: &str, environment: &Environment, release: &str) -> String {
        format!("orchestrate-{}-{environment}-{}", plain(project, 48), plain(release, 255))
    }

    /// Labels by what they are about: `project`, `environment`, `version`, `release`, `run`, `order`, `place`.
    pub fn labels<'v>(values: impl IntoIterator<Item = (&'v str, String)>) -> BTreeMap<String, String> {
        values.into_iter().map(|(name, value)| (format!("{LABEL}{name}"), value)).collect()
    }

    /// One of its labels.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(&format!("{LABEL}{name}")).map(String::as_str)
    }
}

/// The characters that a container's name takes; others become `_`.
fn plain(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    text.chars().take(most).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_containers() {
        let environment = Environment::new("staging").unwrap();
        let name = Container::name_for("my \"app\"/ü", &environment, "1.0.0+x-20261120");
        assert_eq!(name, "orchestrate-my__app___-staging-1.0.0_x-20261120");
        let labels = Container::labels([("run", "x".to_owned())]);
        assert_eq!(labels.get("orchestrate.run").map(String::as_str), Some("x"));
    }
}
