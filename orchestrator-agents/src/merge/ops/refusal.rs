//! Why a remote did not take a push, or could not be asked, from git's words in the C locale and the hosts' own.

use crate::ops::process::Output;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Somebody else pushed meanwhile.
    Moved,
    /// The branch takes no direct pushes.
    Protected,
    /// A hook of the remote, or a rule about tags, said no.
    Hook,
    /// Whoever asked may not do that.
    Rights,
    /// Git would have had to ask for a password.
    Credentials,
    /// The host's key is not known, or not the one that is.
    HostKey,
    /// There is no such repository, or no such remote.
    Absent,
    /// A local hook said no.
    LocalHook,
    /// Nobody answered, or not to the end.
    Network,
    /// Something else.
    Other,
}

/// What tells one from the other, in small letters; the first that is found counts.
const SIGNS: [(Refusal, &[&str]); 8] = [
    (
        Refusal::Protected,
        &[
            "gh006",
            "gh013",
            "protected branch",
            "you are not allowed to push code to protected branches",
            "you are not allowed to push code to this branch",
            "not allowed to push to protected branch",
            "changes must be made through a pull request",
            "branch is protected",
            "repository rule violations",
            "branch protection",
        ],
    ),
    (
        Refusal::Moved,
        &[
            "(fetch first)",
            "(non-fast-forward)",
            "(stale info)",
            "cannot lock ref",
            "failed to lock",
            "incorrect old value provided",
            "reference already exists",
            "(remote ref updated since checkout)",
        ],
    ),
    (
        Refusal::HostKey,
        &[
            "host key verification failed",
            "remote host identification has changed",
            "server certificate verification failed",
            "ssl certificate problem",
        ],
    ),
    (
        Refusal::Credentials,
        &[
            "terminal prompts disabled",
            "could not read username",
            "could not read password",
            "authentication failed",
            "invalid username or password",
            "invalid username or token",
            "unable to read askpass",
            "support for password authentication was removed",
        ],
    ),
    (
        Refusal::Rights,
        &[
            "permission denied",
            "write access to repository not granted",
            "returned error: 403",
            "you are not allowed to push",
            "not authorized",
            "access denied",
            "insufficient permission",
            "unable to create temporary object directory",
            "unpacker error",
            "deploy key",
            "read-only",
        ],
    ),
    (Refusal::Hook, &["hook declined", "pre-receive hook", "update hook", "remote rejected"]),
    (
        Refusal::Absent,
        &[
            "does not appear to be a git repository",
            "repository not found",
            "no such remote",
            "returned error: 404",
            "not found",
        ],
    ),
    (
        Refusal::Network,
        &[
            "could not resolve host",
            "could not resolve hostname",
            "connection refused",
            "connection reset",
            "connection timed out",
            "connection closed",
            "failed to connect",
            "couldn't connect",
            "operation timed out",
            "network is unreachable",
            "no route to host",
            "early eof",
            "hung up unexpectedly",
            "returned error: 5",
            "unexpected disconnect",
            "broken pipe",
            "rpc failed",
        ],
    ),
];

impl Refusal {
    /// What git's output tells.
    pub(super) fn of(output: &Output) -> Self {
        Self::said(&String::from_utf8_lossy(&output.stdout), &output.stderr)
    }

    fn said(stdout: &str, stderr: &str) -> Self {
        let said = format!("{stdout}\n{stderr}").to_ascii_lowercase();
        // A repository that is not found is said with "permission denied" or "not found" by hosts that hide it, and a hung up
        // connection after either says no more about the network.
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| said.contains(sign)));
        match found {
            Some((refusal, _)) => *refusal,
            None if said.contains("failed to push some refs") && !stdout.contains("!\t") => Self::LocalHook,
            None => Self::Other,
        }
    }

    /// What to do about it.
    pub(super) fn advice(self, remote: &str) -> Option<String> {
        Some(match self {
            Self::Moved => {
                "somebody else pushed meanwhile; run again to start from what is there now".to_owned()
            }
            Self::Protected => {
                "the branch takes no direct pushes: give `push: {mode: pull-request}`".to_owned()
            }
            Self::Hook => "a rule or hook of the remote said no: do as it says, then run again".to_owned(),
            Self::Rights => format!(
                "whoever git pushes as may not do that: check who that is (`git remote -v`, ssh keys, tokens), and its rights on `{remote}`"
            ),
            Self::Credentials => format!(
                "git has no valid credentials for `{remote}` and nobody is asked in a run: set up a credential helper or an ssh key, try `git push --dry-run {remote}`, then run again"
            ),
            Self::HostKey => format!(
                "connect once by hand to check and accept who answers (`git ls-remote {remote}`), then run again"
            ),
            Self::Absent => format!("check the address of `{remote}` (`git remote get-url {remote}`)"),
            Self::LocalHook => "a local hook (`pre-push`) said no: do as it says, then run again".to_owned(),
            Self::Network => "try again when the remote can be reached".to_owned(),
            Self::Other => return None,
        })
    }
}

/// Whether git's words tell of a network that failed, not of a remote that answered.
pub(super) fn is_network(said: &str) -> bool {
    Refusal::said("", said) == Refusal::Network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_git_and_hosts_are_understood() {
        for (said, refusal) in [
            ("! [rejected] main -> main (fetch first)", Refusal::Moved),
            ("!\trefs/heads/main:refs/heads/main\t[rejected] (stale info)", Refusal::Moved),
            ("remote: error: cannot lock ref 'refs/heads/main': is at 1f but expected 2f", Refusal::Moved),
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main.\n! [remote rejected] main -> main (protected branch hook declined)",
                Refusal::Protected,
            ),
            (
                "remote: error: GH013: Repository rule violations found for refs/heads/main.",
                Refusal::Protected,
            ),
            (
                "remote: GitLab: You are not allowed to push code to protected branches on this project.\n! [remote rejected] main -> main (pre-receive hook declined)",
                Refusal::Protected,
            ),
            (
                "remote: Gitea: Not allowed to push to protected branch main\n! [remote rejected] (pre-receive hook declined)",
                Refusal::Protected,
            ),
            ("!\tx\t[remote rejected] (pre-receive hook declined)", Refusal::Hook),
            (
                "fatal: could not read Username for 'https://host': terminal prompts disabled",
                Refusal::Credentials,
            ),
            ("fatal: Authentication failed for 'https://host/a/b/'", Refusal::Credentials),
            (
                "Host key verification failed.\nfatal: Could not read from remote repository.",
                Refusal::HostKey,
            ),
            (
                "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Refusal::Rights,
            ),
            ("fatal: unable to access 'https://h/': The requested URL returned error: 403", Refusal::Rights),
            ("fatal: 'nowhere' does not appear to be a git repository", Refusal::Absent),
            (
                "fatal: unable to access 'http://127.0.0.1:9/': Failed to connect to 127.0.0.1 port 9",
                Refusal::Network,
            ),
            ("fatal: the remote end hung up unexpectedly", Refusal::Network),
            ("error: failed to push some refs to 'origin'", Refusal::LocalHook),
            ("fatal: bad object", Refusal::Other),
        ] {
            let (stdout, stderr) = if said.starts_with("!\t") { (said, "") } else { ("", said) };
            assert_eq!(Refusal::said(stdout, stderr), refusal, "{said}");
        }
    }
}
