//! What is said to the program on a host: one JSON line a question, one JSON line an answer. After [`Request::Put`] follow its bytes.
//!
//! While it has a connection, each side says each few seconds that it lives: who hears nothing ends it.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::action::Action;
use orchestrator_core::id::OrderKey;
use orchestrator_core::json::Json;
use orchestrator_core::outcome::Failure;
use orchestrator_core::path::{Digest, RelPath};
use serde::{Deserialize, Serialize};

use crate::deployment::{Environment, HostPath};

/// Rises with every change that the other side would not understand.
pub const PROTOCOL: u32 = 2;
/// The longest line.
pub const LONGEST: usize = 32 << 20;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// First of all: where to work, and for whom.
    Hello {
        /// The folder of the project.
        folder: HostPath,
        /// Who asks, as `user@host`.
        owner: String,
    },
    /// Makes the folder of the project, where it is not there: commands are run in it.
    Prepare {},
    /// Still there.
    Alive {},
    /// Whether these files lie here already.
    Have {
        /// Which.
        tree: Tree,
    },
    /// A file of that tree; as many bytes follow.
    Put {
        /// Which tree.
        tree: Digest,
        /// Which of its files.
        file: TreeFile,
    },
    /// All files of the tree were sent.
    Keep {
        /// Which.
        tree: Tree,
    },
    /// An operation is called.
    Call {
        /// What.
        order: Ordered,
        /// Whether it must only read.
        reads: bool,
    },
    /// What would reverse it.
    Undo {
        /// What.
        order: Ordered,
    },
    /// Whether it was done.
    Already {
        /// What.
        order: Ordered,
    },
    /// How environments stand: one, or all.
    Standing {
        /// Which.
        environment: Option<Environment>,
    },
    /// What happened in an environment.
    History {
        /// Which.
        environment: Environment,
    },
    /// Which releases are kept.
    Kept {
        /// Of which.
        environment: Environment,
    },
}

/// An operation with what it is given.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// Under which key; none where it is asked what would undo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<OrderKey>,
    /// Which operation.
    pub operation: String,
    /// Its input.
    pub input: Json,
    /// The secrets that it may ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

/// Names of secrets, never their values.
impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operation, input, secrets } = self;
        let names: Vec<&String> = secrets.keys().collect();
        f.debug_struct("Ordered")
            .field("key", key)
            .field("operation", operation)
            .field("input", input)
            .field("secrets", &names)
            .finish()
    }
}

/// Files that are brought, in order of their paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Which.
    pub files: Vec<TreeFile>,
}

/// A file that is brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeFile {
    /// Where in its tree.
    pub path: RelPath,
    /// What is in it.
    pub digest: Digest,
    /// How long it is.
    pub bytes: u64,
    /// Whether it is a program.
    pub executable: bool,
}

impl Tree {
    /// Names the tree by all that is in it.
    pub fn digest(&self) -> Digest {
        let line = |file: &TreeFile| {
            let TreeFile { path, digest, bytes, executable } = file;
            format!("{path}\0{digest} {bytes} {executable}\n")
        };
        Digest::of(self.files.iter().map(line).collect::<String>().as_bytes())
    }
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is ready.
    Hello {
        /// Of which protocol.
        protocol: u32,
        /// Of which version it is.
        version: String,
    },
    /// There is no such program; on a system like this: `Linux x86_64`.
    Absent(String),
    /// Still at it.
    Alive {},
    /// It was done; or: it is here.
    Done {},
    /// It is not here.
    Missing {},
    /// What was asked for.
    Output(Json),
    /// What would reverse it.
    Undo(Vec<Action>),
    /// It was done before, and this is what it gave.
    WasDone(Json),
    /// It was not done.
    NotDone {},
    /// Nobody can tell whether it was done.
    Unknown {},
    /// It was not done, for that reason.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether a retry can cure it.
        transient: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_to_nobody() {
        let secrets = BTreeMap::from([("API".to_owned(), "s3cret".to_owned())]);
        let order = Ordered { key: None, operation: "x".into(), input: Json::null(), secrets };
        let shown = format!("{:?}", Request::Undo { order });
        assert!(shown.contains("API") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_tree_is_named_by_all_that_is_in_it() {
        let file = |path: &str, executable| TreeFile {
            path: RelPath::new(path).unwrap(),
            digest: Digest::of(b"x"),
            bytes: 1,
            executable,
        };
        let digest = |files| Tree { files }.digest();
        assert_eq!(digest(vec![file("a", true)]), digest(vec![file("a", true)]));
        assert_ne!(digest(vec![file("a", true)]), digest(vec![file("a", false)]));
        assert_ne!(digest(vec![file("a", true)]), digest(vec![file("b", true)]));
    }
}
