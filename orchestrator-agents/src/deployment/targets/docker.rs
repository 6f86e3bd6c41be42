//! Containers of an engine on this machine. What they are is always known; what works with them is the feature `docker`.

use std::path::PathBuf;

use orchestrator_core::BoxError;
use orchestrator_core::units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Target;
use crate::deployment::{DeployConfig, ImageName, Network, Pull, Volume};

/// A version is a container of an engine on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerTarget {
    /// The image, with `{version}` and `{environment}`: `school:{version}`. A release keeps to the image that the name meant when it was
    /// deployed.
    pub image: ImageName,
    /// The port that the service listens on inside, also told in `PORT`. It is published on loopback, on a port that is picked, or the
    /// `port` of the deployment.
    pub port: u16,
    /// What the image's entry point is given, with `{port}`, `{version}`, `{environment}` and `{release}`; what the image says by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// When the image is pulled: `missing`, the default, `always` or `never`.
    #[serde(default)]
    pub pull: Pull,
    /// The network that the container joins; the engine's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The most memory, such as `512MiB`; without a bound by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The most processors, such as `1.5`; without a bound by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// What is mounted, such as `data:/var/lib/school`. The volumes of an image itself go with its container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// How often in all the engine starts a container again that failed; 10 by default.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub restarts: u8,
    /// The engine's socket; by default the one that `DOCKER_HOST` names, or else `/var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

fn ten() -> u8 {
    10
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_ten(restarts: &u8) -> bool {
    *restarts == ten()
}

/// A size of memory, at least what an engine takes (6 MiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Memory(pub(in crate::deployment) u64);

impl TryFrom<String> for Memory {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let size = units::size(&text)?;
        let fits = (6 << 20..=1 << 50).contains(&size);
        if fits {
            Ok(Self(size))
        } else {
            Err(format!("`{text}` is no size of memory for a container: at least 6MiB, at most 1 PiB"))
        }
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> Self {
        memory.0.to_string()
    }
}

/// A number of processors, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64", extend("minimum" = 0.01, "maximum" = 1024.0))]
pub struct Cpus(pub(in crate::deployment) u32);

impl TryFrom<f64> for Cpus {
    type Error = String;
    #[expect(clippy::cast_sign_loss, reason = "it is checked before")]
    fn try_from(cpus: f64) -> Result<Self, String> {
        let fits = (0.01..=1024.0).contains(&cpus);
        if fits {
            Ok(Self((cpus * 1e3).round() as u32))
        } else {
            Err(format!("`{cpus}` is no number of processors: it must lie between 0.01 and 1024"))
        }
    }
}

impl From<Cpus> for f64 {
    fn from(cpus: Cpus) -> Self {
        Self::from(cpus.0) / 1e3
    }
}

impl DockerTarget {
    /// What is wrong with it for this deployment.
    fn check(&self, config: &DeployConfig) -> Result<(), BoxError> {
        if self.port == 0 {
            return Err(
                "`target.port` is 0: name the port that the service listens on in its container".into()
            );
        }
        if !config.argv.is_empty() {
            return Err(
                "`argv` is what a process of this machine is started with; say `target.args` for a container"
                    .into(),
            );
        }
        if self.socket.as_ref().is_some_and(|socket| !socket.is_absolute()) {
            return Err("`target.socket` must be absolute, such as `/var/run/docker.sock`".into());
        }
        self.image.fill(config.version.value()?, &config.environment)?;
        Ok(())
    }

    #[cfg(not(feature = "docker"))]
    pub(super) fn of<'c>(
        &'c self,
        config: &'c DeployConfig,
        _: bool,
    ) -> Result<Box<dyn Target + 'c>, BoxError> {
        self.check(config)?;
        Err("this program was built without containers (`docker`); build it with \
             `cargo build --release -p orchestrator-cli --features docker`, or deploy to another target"
            .into())
    }

    #[cfg(feature = "docker")]
    pub(super) fn of<'c>(
        &'c self,
        config: &'c DeployConfig,
        claimed: bool,
    ) -> Result<Box<dyn Target + 'c>, BoxError> {
        self.check(config)?;
        Ok(Box::new(contained::Contained::new(self, config, claimed)))
    }
}

#[cfg(feature = "docker")]
mod contained;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(target: Value) -> Result<DeployConfig, serde_json::Error> {
        serde_json::from_value(json!({ "environment": "production", "version": "1.0.0", "target": target }))
    }

    #[test]
    fn a_target_is_checked() {
        let whole = json!({ "kind": "docker", "image": "school:{version}", "port": 8080, "args": ["--port", "{port}"], "pull": "never",
            "network": "web", "memory": "512MiB", "cpus": 1.5, "volumes": ["data:/var/lib/school"], "restarts": 3, "socket": "/run/x.sock" });
        let read = config(whole.clone()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(config(written["target"].clone()).unwrap(), read);
        assert_eq!(written["target"]["memory"], (512_u64 << 20).to_string());
        for (name, bad) in [
            ("image", json!("a b")),
            ("port", json!(70000)),
            ("network", json!("host")),
            ("memory", json!("1MB")),
            ("cpus", json!(0)),
            ("volumes", json!(["x"])),
            ("pull", json!("sometimes")),
            ("restarts", json!(-1)),
            ("other", json!(1)),
        ] {
            let mut target = whole.clone();
            target[name] = bad;
            assert!(config(target).is_err(), "{name}");
        }
    }

    #[test]
    fn what_fits_no_container_is_said_when_it_is_planned() {
        for (name, bad, says) in [
            ("port", json!(0), "`target.port` is 0"),
            ("socket", json!("x.sock"), "must be absolute"),
            ("image", json!("school:{other}"), "is not the name of an image"),
        ] {
            let mut target = json!({ "kind": "docker", "image": "school", "port": 8080 });
            target[name] = bad;
            let config = config(target).unwrap();
            let error = super::super::TargetConfig::of(&config, None, true).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[cfg(not(feature = "docker"))]
    #[test]
    fn without_the_feature_it_is_told_how_to_build() {
        let config = config(json!({ "kind": "docker", "image": "school", "port": 8080 })).unwrap();
        let error = super::super::TargetConfig::of(&config, None, true).err().unwrap().to_string();
        assert!(error.contains("--features docker"), "{error}");
    }
}
