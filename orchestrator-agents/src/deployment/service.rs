//! What is known of a deployed service: records, stored as JSON. Nothing here touches the world.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orchestrator_core::action::EnvValue;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::{Ending, Environment, Health, Seconds, Version};

/// One process for good: an id alone may have been used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
    /// Which boot those ticks count from. Of what runs in a container it is `container:ID`, and the start is in milliseconds since 1970.
    pub boot: String,
}

impl Process {
    /// What the boot begins with of a process in a container.
    pub(super) const CONTAINER: &'static str = "container:";

    /// Whether an engine knows it, not this machine.
    pub fn is_contained(&self) -> bool {
        self.boot.starts_with(Self::CONTAINER)
    }

    /// The id of its container; none where it is a process of this machine.
    pub fn container(&self) -> Option<&str> {
        self.boot.strip_prefix(Self::CONTAINER)
    }
}

/// A service that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Where it is deployed.
    pub environment: Environment,
    /// Its version.
    pub version: Version,
    /// Its release folder.
    pub release: String,
    /// Its process.
    #[serde(flatten)]
    pub process: Process,
    /// Its port on loopback.
    pub port: u16,
    /// Where it answers.
    pub url: String,
    /// When it was started.
    pub since: Timestamp,
    /// Digest of its binary.
    pub digest: Digest,
    /// The order that started it.
    pub order: String,
    /// What its processes carry in `ORCHESTRATE_SERVICE`.
    pub tag: String,
}

/// The service that is current, and the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Itself.
    #[serde(flatten)]
    pub service: Service,
    /// The one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Service>,
    /// Whether it is watched over yet: where that is cut off, the one before comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_watch: bool,
    /// Whether the one before was taken back in its favour: there is nothing to go back to then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_back: bool,
}

impl Current {
    /// What a way back leads to; none where the one before was taken back itself.
    pub fn back(&self) -> Option<&Service> {
        self.previous.as_ref().filter(|previous| !self.went_back && previous.release != self.service.release)
    }
}

/// How a release is started, the first time and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Where it is deployed.
    pub environment: Environment,
    /// Its version.
    pub version: Version,
    /// Its folder.
    pub name: String,
    /// File name of the binary in that folder.
    pub binary: String,
    /// Digest of the binary.
    pub digest: Digest,
    /// What is run; see [`Release::argv`].
    pub argv: Vec<String>,
    /// Variables besides the allow-list; secrets by name.
    pub env: BTreeMap<String, EnvValue>,
    /// When it counts as healthy.
    pub health: Health,
    /// How long it may take until it listens.
    pub start_timeout: Seconds,
    /// The order that made it.
    pub order: String,
    /// The container that it runs in; none where it is a process of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
}

/// The most characters of a release's name: what every file system takes.
const LONGEST: usize = 255;

impl Release {
    /// The name of the release that `order` makes: unique, since order keys are.
    pub fn name_for(version: &Version, order: &OrderKey) -> String {
        let name = format!("{version}-{}-{}", order.run, order.file_stem());
        debug_assert!(name.len() <= LONGEST, "64 + 23 + 128 and three numbers");
        name
    }

    /// What its processes carry in `ORCHESTRATE_SERVICE`: `ENV/VERSION/ORDER`.
    pub fn tag(&self) -> String {
        format!("{}/{}/{}", self.environment, self.version, self.order)
    }

    /// Replaces `{binary}`, `{port}`, `{version}`, `{environment}` and `{release}` (its folder) in a text. Other braces stay.
    pub fn fill(&self, text: &str, folder: &str, port: u16) -> String {
        let binary = format!("{folder}/{}", self.binary);
        let values: [(&str, &str); 5] = [
            ("{binary}", &binary),
            ("{port}", &port.to_string()),
            ("{version}", self.version.as_str()),
            ("{environment}", self.environment.as_str()),
            ("{release}", folder),
        ];
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, value) = values.iter().find(|(name, _)| rest.starts_with(name)).unwrap_or(&("{", "{"));
            filled.push_str(value);
            rest = &rest[name.len()..];
        }
        filled + rest
    }

    /// The command line in `folder` with that port: the template filled in, or the binary alone where there is none.
    pub fn argv(&self, folder: &str, port: u16) -> Vec<String> {
        if self.argv.is_empty() {
            return vec![self.fill("{binary}", folder, port)];
        }
        self.argv.iter().map(|word| self.fill(word, folder, port)).collect()
    }
}

/// Where a service with that port answers.
pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A line of an environment's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Which version.
    pub version: Version,
    /// Which release.
    pub release: String,
    /// The order behind it; none where a person stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Of the end of a deployment: who was behind it, as `user@host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Of the end of a deployment: its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Of the end of a deployment: how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Ending>,
    /// Of the end of a deployment: why it ended so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was started beside the current one.
    Started,
    /// It did not come up.
    FailedToStart,
    /// It became current.
    Promoted,
    /// It became current again.
    Reinstated,
    /// It was ended.
    Stopped,
    /// Its container's engine could not be asked, and it counts as ended.
    Forgotten,
    /// Its deployment is over; the verdict says how.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(argv: &[&str]) -> Release {
        Release {
            environment: Environment::new("staging").unwrap(),
            version: Version::new("1.0.0").unwrap(),
            name: "1.0.0-x".into(),
            binary: "app".into(),
            digest: Digest::of(b""),
            argv: argv.iter().map(ToString::to_string).collect(),
            env: BTreeMap::new(),
            health: Health::default(),
            start_timeout: Seconds::known(1),
            order: "RUN/TASK#1.0.0".into(),
            container: None,
        }
    }

    #[test]
    fn templates_are_filled_once() {
        assert_eq!(release(&[]).argv("/r", 80), ["/r/app"]);
        let argv = release(&["{binary}", "--listen=:{port}", "{\"v\":\"{version}\"}", "{{port}}", "{"]);
        assert_eq!(
            argv.argv("/{port}", 80),
            ["/{port}/app", "--listen=:80", "{\"v\":\"1.0.0\"}", "{80}", "{"]
        );
        assert_eq!(release(&[]).tag(), "staging/1.0.0/RUN/TASK#1.0.0");
    }

    #[test]
    fn names_of_releases_fit_a_file_system() {
        let long = OrderKey {
            run: orchestrator_core::id::RunId::new("20261120234433-00ff00ff").unwrap(),
            task: orchestrator_core::id::TaskId::new("x".repeat(128)).unwrap(),
            attempt: 99_999,
            round: 99_999,
            index: 99_999,
        };
        assert!(Release::name_for(&Version::new("1".repeat(64)).unwrap(), &long).len() <= LONGEST);
    }
}
