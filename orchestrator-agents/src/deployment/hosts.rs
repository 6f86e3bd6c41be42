//! Hosts that are reached by ssh: what a pipeline says of them, and what is said over the connection. Plain values.
//!
//! Nothing is done over again for a host: orders and receipts are data, so the program brings itself there and performs the very
//! operations of a local deployment, in a folder of the host. `ops/hosts` acts.

pub mod wire;

use std::collections::BTreeSet;

use orchestrator_core::BoxError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HostName, HostPath, Version};

/// Processes of a host that is reached by the system's `ssh`, with the user's configuration, keys and known hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshTarget {
    /// The hosts, as ssh knows them: a version comes to them one after the other, in this order.
    pub hosts: Vec<HostName>,
    /// The folder of the project there, absolute or relative to the home folder. Its `.orchestrate` holds what is deployed: whoever
    /// deploys the same thing names the same folder.
    pub folder: HostPath,
    /// An `orchestrate` of this very version that is installed there; by default this program is brought there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<HostPath>,
    /// A configuration of ssh instead of the user's, absolute or relative to the root of the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<HostPath>,
}

impl SshTarget {
    /// The most hosts of one environment: a connection to each is kept while it is deployed to.
    pub const MOST: usize = 32;

    /// What is wrong with the hosts that are named.
    pub fn problem(&self) -> Option<String> {
        let twice = self.hosts.iter().enumerate().find(|(at, name)| self.hosts[..*at].contains(name));
        match (self.hosts.len(), twice) {
            (0, _) => Some("`target.hosts` names no host".to_owned()),
            (_, Some((_, name))) => Some(format!("`target.hosts` names `{name}` twice")),
            (many, None) if many > Self::MOST => {
                let most = Self::MOST;
                Some(format!("`target.hosts` names {many} hosts, and {most} are the most of one environment"))
            }
            _ => None,
        }
    }

    /// The first host; what is deployed to several deals with each as [`only`](Self::only) one.
    pub fn host(&self) -> Result<Host, BoxError> {
        if let Some(problem) = self.problem() {
            return Err(problem.into());
        }
        let Self { hosts, folder, program, config } = self.clone();
        let name = hosts.into_iter().next().ok_or("`target.hosts` names no host")?;
        Ok(Host { name, folder, program, config })
    }

    /// The same with that host alone.
    #[must_use]
    pub fn only(&self, name: &HostName) -> Self {
        Self { hosts: vec![name.clone()], ..self.clone() }
    }
}

/// A host, and where on it things lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// As ssh names it.
    pub name: HostName,
    /// The folder of the project there.
    pub folder: HostPath,
    /// The program that is installed there; none where this one is brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<HostPath>,
    /// The configuration of ssh; the user's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<HostPath>,
}

impl Host {
    /// Whether it is the same place, however it is reached.
    pub fn is_at(&self, other: &Self) -> bool {
        self.name == other.name && self.folder == other.folder
    }
}

/// What a state folder knows of an environment that is on a host: `deploy/ENV/host.json`, a list of these where it is on several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// The host.
    pub host: Host,
    /// Names of the secrets that deployments from here gave to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The file name of the program that was brought there last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<String>,
    /// Whether all of it was ended: then the environment may move elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// The version that was made to count there last, from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Version>,
}

impl HostRecord {
    /// Of a host of which nothing more is known.
    pub(super) fn fresh(host: Host) -> Self {
        Self { host, secrets: BTreeSet::new(), brought: None, ended: false, counts: None }
    }
}

/// One word for a shell, whatever is in it.
pub(in crate::deployment) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hosts_that_are_no_names_are_refused() {
        for good in ["web1", "ada@web1.example", "10.0.0.1", "[::1]", "::1", "_x"] {
            HostName::new(good).unwrap();
        }
        for bad in [
            "",
            "-oProxyCommand=x",
            "a b",
            "a;b",
            "$(x)",
            "a@-oProxyCommand",
            "@a",
            "a@",
            "a\n",
            "a'b",
            "a%h",
            "a/b",
        ] {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
        assert!(HostName::new("a".repeat(256)).is_err());
    }

    #[test]
    fn paths_do_not_lead_out_and_are_no_options() {
        for good in ["srv/shop", "/srv/it's $(here)", "a b"] {
            HostPath::new(good).unwrap();
        }
        for bad in ["", "-rf", "~/x", "a/../../b", "a\nb", "a\0"] {
            assert!(HostPath::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    }

    #[test]
    fn hosts_are_named_once_and_are_not_without_number() {
        let target = |hosts: serde_json::Value| -> SshTarget {
            serde_json::from_value(json!({ "hosts": hosts, "folder": "srv/shop" })).unwrap()
        };
        assert_eq!(target(json!(["web1"])).host().unwrap().name.as_str(), "web1");
        assert_eq!(target(json!(["a", "b"])).problem(), None);
        assert!(target(json!([])).host().unwrap_err().to_string().contains("no host"));
        assert!(target(json!(["a", "b", "a"])).problem().unwrap().contains("names `a` twice"));
        let many: Vec<String> = (0..=SshTarget::MOST).map(|number| format!("web{number}")).collect();
        assert!(target(json!(many)).problem().unwrap().contains("32 are the most"));
    }
}
