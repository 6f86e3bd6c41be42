//! Why something could not be done on a host, and what to do about it.

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use orchestrator_core::outcome::Failure;

use crate::deployment::Environment;
use crate::deployment::hosts::Host;
use crate::deployment::ops::DeployError;

/// Why something could not be done on a host.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    /// ssh itself could not be started.
    #[error("`ssh` could not be started; install the OpenSSH client")]
    NoSsh(#[source] std::io::Error),
    /// Nobody can say that it is that host.
    #[error("ssh does not trust host `{host}`: {said}; {next}")]
    Untrusted { host: String, said: String, next: String },
    /// It does not let us in.
    #[error(
        "host `{host}` refused the login: {said}; ssh is not let ask anything: load the key with `ssh-add`, or name one in the ssh configuration"
    )]
    Refused { host: String, said: String },
    /// There is no such host.
    #[error("host `{host}` is not known: {said}; `target.hosts` takes what `ssh HOST` takes")]
    NoHost { host: String, said: String },
    /// The connection was not made, or was cut.
    #[error("the connection to host `{host}` failed: {said}")]
    Lost { host: String, said: String },
    /// It is connected and says nothing.
    #[error("host `{host}` said nothing for {seconds} s")]
    Silent { host: String, seconds: u64 },
    /// The program is not there.
    #[error("host `{host}` has no `{program}` yet: a deployment to it brings that")]
    Absent { host: String, program: String },
    /// What runs here does not run there.
    #[error(
        "host `{host}` is `{there}`, and this program was made for `{here}`; install `orchestrate` there and name it with `target.program`"
    )]
    OtherSystem { host: String, here: String, there: String },
    /// Another version.
    #[error(
        "`{program}` on host `{host}` is version {there}, and this is {here}: install the same there, or leave `target.program` out"
    )]
    OtherVersion { host: String, program: String, here: String, there: String },
    /// Its answer makes no sense.
    #[error("host `{host}` gave an answer that is none: {said}")]
    Nonsense { host: String, said: String },
    /// A step there failed.
    #[error("host `{host}`: {what} failed: {said}")]
    Step { host: String, what: &'static str, said: String },
    /// Not enough room.
    #[error("host `{host}` has {free} free where `{folder}` is, and {wanted} are needed; make room there")]
    Full { host: String, folder: String, free: String, wanted: String },
    /// The operation said so.
    #[error("host `{host}`: {failure}")]
    Said { host: String, failure: Failure, transient: bool },
    /// A cut came between, and whoever is asked cannot tell.
    #[error(
        "host `{host}`: nobody can tell whether `{operation}` was done before the connection was cut; look there, and deploy again once that is put right"
    )]
    Unsure { host: String, operation: String },
    /// It is not reached, and something of an environment is recorded to be there.
    #[error(
        "{why}; if it is gone for good, `orchestrate deploy stop --environment {environment} --host {host} --forget` lets {environment} go on without it"
    )]
    Pinned { why: Box<HostError>, environment: Environment, host: String },
    /// Something of this machine.
    #[error(transparent)]
    Here(#[from] DeployError),
}

impl HostError {
    /// What ssh said when it gave up, as an error.
    pub(super) fn of_ssh(host: &str, said: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let host = host.to_owned();
        let short = last_lines(said);
        if has(&["REMOTE HOST IDENTIFICATION HAS CHANGED", "POSSIBLE DNS SPOOFING"]) {
            let next = format!(
                "its key has changed: find out why before anything else, then replace the known one (`ssh-keygen -R {host}`)"
            );
            return Self::Untrusted { host, said: "its key is not the one that is known".into(), next };
        }
        if has(&["Host key verification failed", "host key is known for"]) {
            let next = format!("connect once with `ssh {host}`, compare the fingerprint, and try again");
            return Self::Untrusted { host, said: "its key is not known".into(), next };
        }
        // With what may be used instead in brackets: a key or a login file that cannot be read is no refusal.
        if has(&[": Permission denied (", "Too many authentication failures", "no matching host key type"]) {
            return Self::Refused { host, said: short };
        }
        if has(&["Could not resolve hostname", "hostname contains invalid characters"]) {
            return Self::NoHost { host, said: short };
        }
        Self::cut(&host, said)
    }

    /// The end of a connection that was good, and what was printed meanwhile, by whomever.
    pub(super) fn cut(host: &str, said: &str) -> Self {
        let short = last_lines(said);
        let said = if short.is_empty() { "it was closed".to_owned() } else { short };
        Self::Lost { host: host.to_owned(), said }
    }

    /// Whether another connection may do better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Pinned { why, .. } => why.may_pass(),
            error => matches!(error, Self::Lost { .. } | Self::Silent { .. }),
        }
    }

    /// Whether a host that was reached a moment ago may be reached again: a name is not found, or a key not given, for a moment, too.
    pub(super) fn may_return(&self) -> bool {
        self.may_pass() || matches!(self, Self::NoHost { .. } | Self::Refused { .. })
    }

    /// Whether nobody at the other end could be asked: it is away, is another machine now, or has nothing of ours left.
    pub(super) fn is_unreached(&self) -> bool {
        self.may_pass()
            || matches!(
                self,
                Self::NoHost { .. }
                    | Self::Refused { .. }
                    | Self::Untrusted { .. }
                    | Self::Absent { .. }
                    | Self::OtherSystem { .. }
            )
    }

    /// With what to do where the host is gone for good.
    pub(super) fn pinning(self, environment: &Environment, host: &Host) -> Self {
        if !self.is_unreached() || matches!(self, Self::Pinned { .. }) {
            return self;
        }
        Self::Pinned { why: Box::new(self), environment: environment.clone(), host: host.name.to_string() }
    }

    /// As operations give it.
    pub(super) fn boxed(self) -> BoxError {
        if self.may_pass() || matches!(self, Self::Said { transient: true, .. }) {
            return Transient(self.into()).into();
        }
        match self {
            Self::Here(error) => error.into(),
            error => error.into(),
        }
    }
}

/// The end of what a program said, as one line of at most 500 characters.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines[lines.len().saturating_sub(3)..].join("; ");
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.chars().skip(plain.chars().count().saturating_sub(500)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_becomes_a_next_step() {
        let said = |text: &str| HostError::of_ssh("web1", text);
        let unknown = said(
            "No ED25519 host key is known for web1 and you have requested strict checking.\r\nHost key verification failed.\r\n",
        );
        assert!(unknown.to_string().contains("connect once with `ssh web1`") && !unknown.may_pass());
        let changed =
            said("@@@\nWARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.");
        assert!(changed.to_string().contains("its key has changed"), "{changed}");
        assert!(said("ada@web1: Permission denied (publickey).").to_string().contains("ssh-add"));
        let other_key =
            "Load key \"/home/ada/.ssh/old\": Permission denied\r\nConnection closed by 10.0.0.1 port 22";
        assert!(said(other_key).may_pass(), "{other_key}");
        assert!(matches!(said("ssh: Could not resolve hostname web1: x"), HostError::NoHost { .. }));
        assert!(said("ssh: connect to host web1 port 22: Connection refused").may_pass());
        assert_eq!(said("").to_string(), "the connection to host `web1` failed: it was closed");
        assert!(last_lines(&"x\u{7}".repeat(9000)).len() <= 500);
    }
}
