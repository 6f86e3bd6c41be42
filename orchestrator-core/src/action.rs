//! Actions: one look at, or change to, the world, as data. What a dry run shows is the value that a real run performs.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::id::{OperationName, SignalName};
use crate::json::Json;
use crate::path::{Digest, RelPath};

/// One look at, or change to, the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A command.
    Run(Run),
    /// A file's new content.
    Write(Write),
    /// A file that goes.
    Remove(Remove),
    /// An operation, called by name.
    Call(Call),
    /// A signal or a time to wait for.
    Await(Await),
}

/// A command line: a list is argv, a string is a shell line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CommandLine {
    /// Program and arguments, passed as they are.
    Argv(Vec<String>),
    /// A line for `sh -c`.
    Shell(String),
}

/// The value of an environment variable: text, or the name of a secret that the executor resolves at the last moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum EnvValue {
    /// The value itself.
    Plain(String),
    /// The name of a secret.
    Secret {
        /// Name of the secret.
        secret: String,
    },
}

/// Runs a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What to run.
    pub command: CommandLine,
    /// Where, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// What the environment holds besides the allow-list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// How far it reaches.
    pub effect: Effect,
    /// What it reads from standard input; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Content>,
    /// Files (paths or globs, relative to the root) to keep as artifacts afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
    /// Go on with the next action when this one fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_going: bool,
    /// What would reverse it, as its author says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Action>,
}

/// What must be there before a file is written or removed; anything else is a conflict and nothing is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expects {
    /// Whatever is there.
    #[default]
    Anything,
    /// No file.
    Absent,
    /// A file with this digest.
    Digest(Digest),
}

impl Expects {
    fn is_anything(&self) -> bool {
        *self == Self::Anything
    }

    /// What must be there is what is there now.
    pub fn exactly(content: Option<&[u8]>) -> Self {
        content.map_or(Self::Absent, |bytes| Self::Digest(Digest::of(bytes)))
    }
}

/// Writes a file whole: to a temporary file beside it, then renamed. Parents are created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// Which file.
    pub path: RelPath,
    /// Its new content.
    pub content: Content,
    /// Its permission bits; by default those it has, or 0644.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// What it replaces. A file that already has the new content is always fine.
    #[serde(default, skip_serializing_if = "Expects::is_anything")]
    pub expects: Expects,
}

/// Removes a file; one that is not there is fine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remove {
    /// Which file.
    pub path: RelPath,
    /// What it must hold.
    #[serde(default, skip_serializing_if = "Expects::is_anything")]
    pub expects: Expects,
}

/// Calls an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which one.
    pub operation: OperationName,
    /// Its input.
    pub input: Json,
    /// How far it reaches: the operation's own `EFFECT`.
    pub effect: Effect,
    /// Go on with the next action when this one fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_going: bool,
}

/// Waits, without holding a slot, for a signal, for a time to pass, or for whichever comes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Await {
    /// The signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalName>,
    /// Seconds from the moment that the wait starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What people are told.
    pub message: String,
}

/// Bytes of a file: short text in place, anything else by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text in place.
    Text(String),
    /// Bytes that are not UTF-8, as hexadecimal digits.
    Hex(String),
    /// Bytes that the executor keeps.
    Blob {
        /// Their digest.
        digest: Digest,
        /// How many they are.
        bytes: u64,
    },
}

impl Content {
    /// The content of `bytes`, in place. The runner moves what is over [`Content::INLINE`] to the executor.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        match String::from_utf8(bytes.into()) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Hex(error.as_bytes().iter().fold(String::new(), |mut hex, byte| {
                use fmt::Write as _;
                write!(hex, "{byte:02x}").expect("a string takes everything");
                hex
            })),
        }
    }

    /// The most bytes that stay in place.
    pub const INLINE: usize = 4096;

    /// The bytes, where they are in place.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            // Half a byte is none: it would be left out unsaid.
            Self::Hex(hex) if hex.len() % 2 == 1 => None,
            Self::Hex(hex) => {
                (0..hex.len() / 2).map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()).collect()
            }
            Self::Blob { .. } => None,
        }
    }

    /// The digest of the bytes; none where hexadecimal digits are malformed.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Blob { digest, .. } => Some(*digest),
            Self::Text(text) => Some(Digest::of(text.as_bytes())),
            Self::Hex(_) => self.bytes().map(|bytes| Digest::of(&bytes)),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Hex(hex) => hex.len() as u64 / 2,
            Self::Blob { bytes, .. } => *bytes,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Action {
    /// How far it reaches. A wait changes the state of a run, so a dry run shows it and does not wait.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Run(run) => run.effect,
            Self::Call(call) => call.effect,
            Self::Write(_) | Self::Remove(_) | Self::Await(_) => Effect::Writes,
        }
    }

    /// Whether the actions after it are performed although it failed.
    pub fn keeps_going(&self) -> bool {
        match self {
            Self::Run(run) => run.keep_going,
            Self::Call(call) => call.keep_going,
            Self::Write(_) | Self::Remove(_) | Self::Await(_) => false,
        }
    }

    /// Says that the actions after it are performed although it failed. No meaning for files and waits.
    #[must_use]
    pub fn keep_going(mut self) -> Self {
        match &mut self {
            Self::Run(run) => run.keep_going = true,
            Self::Call(call) => call.keep_going = true,
            Self::Write(_) | Self::Remove(_) | Self::Await(_) => {}
        }
        self
    }
}

impl Run {
    /// A command that reaches as far as `effect` says.
    pub fn new<S: Into<String>>(effect: Effect, argv: impl IntoIterator<Item = S>) -> Self {
        Self::line(effect, CommandLine::Argv(argv.into_iter().map(Into::into).collect()))
    }

    /// The same for any command line.
    pub fn line(effect: Effect, command: CommandLine) -> Self {
        Self {
            command,
            cwd: RelPath::root(),
            env: BTreeMap::new(),
            effect,
            stdin: None,
            collect: Vec::new(),
            keep_going: false,
            undo: Vec::new(),
        }
    }
}

macro_rules! into_action {
    ($($kind:ident)*) => {$(
        impl From<$kind> for Action {
            fn from(action: $kind) -> Self {
                Self::$kind(action)
            }
        }
    )*};
}
into_action!(Run Write Remove Call Await);

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        format!("$'{}'", word.escape_default())
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argv(argv) => {
                let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                f.write_str(&words.join(" "))
            }
            Self::Shell(line) => f.write_str(line.trim_end()),
        }
    }
}

impl fmt::Display for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => f.write_str(&quoted(value)),
            Self::Secret { secret } => write!(f, "<secret {secret}>"),
        }
    }
}

impl fmt::Display for Expects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("whatever is there"),
            Self::Absent => f.write_str("no file"),
            Self::Digest(digest) => write!(f, "content {}", digest.short()),
        }
    }
}

/// One line for people. Destructures without `..`, so that a new field cannot go unshown.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(Run { command, cwd, env, effect, stdin, collect, keep_going, undo }) => {
                write!(f, "run ")?;
                for (name, value) in env {
                    write!(f, "{name}={value} ")?;
                }
                write!(f, "{command}")?;
                if !cwd.is_root() {
                    write!(f, " (in {cwd})")?;
                }
                if let Some(stdin) = stdin {
                    write!(f, " < {} bytes", stdin.len())?;
                }
                if !collect.is_empty() {
                    write!(f, " (keeps {})", collect.join(", "))?;
                }
                if *keep_going {
                    write!(f, " (goes on when it fails)")?;
                }
                if !undo.is_empty() {
                    let undo: Vec<String> = undo.iter().map(ToString::to_string).collect();
                    write!(f, " (undo: {})", undo.join("; "))?;
                }
                write!(f, " [{effect}]")
            }
            Self::Write(Write { path, content, mode, expects }) => {
                write!(f, "write {path} ({} bytes", content.len())?;
                if let Some(mode) = mode {
                    write!(f, ", mode {mode:o}")?;
                }
                if !expects.is_anything() {
                    write!(f, ", replaces {expects}")?;
                }
                write!(f, ") [{}]", self.effect())
            }
            Self::Remove(Remove { path, expects }) => {
                write!(f, "remove {path}")?;
                if !expects.is_anything() {
                    write!(f, " (if it is {expects})")?;
                }
                write!(f, " [{}]", self.effect())
            }
            Self::Call(Call { operation, input, effect, keep_going }) => {
                write!(f, "call {operation} {input}")?;
                if *keep_going {
                    write!(f, " (goes on when it fails)")?;
                }
                write!(f, " [{effect}]")
            }
            Self::Await(Await { signal, seconds, message }) => {
                write!(f, "wait")?;
                if let Some(signal) = signal {
                    write!(f, " for signal {signal}")?;
                }
                if let Some(seconds) = seconds {
                    write!(f, " {}{seconds} s", if signal.is_some() { "at most " } else { "" })?;
                }
                write!(f, ": {message} [{}]", self.effect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_shows_every_field() {
        let mut run = Run::new(Effect::Publishes, ["git", "push", "two words", "it's"]);
        run.cwd = RelPath::new("sub").unwrap();
        run.env.insert("TOKEN".into(), EnvValue::Secret { secret: "CI_TOKEN".into() });
        run.stdin = Some(Content::new("abc"));
        run.collect = vec!["out/*.json".into()];
        run.keep_going = true;
        run.undo = vec![Run::new(Effect::Writes, ["./undo.sh"]).into()];
        assert_eq!(
            Action::from(run).to_string(),
            "run TOKEN=<secret CI_TOKEN> git push 'two words' 'it'\\''s' (in sub) < 3 bytes (keeps out/*.json) \
             (goes on when it fails) (undo: run ./undo.sh [writes]) [publishes]"
        );
    }

    #[test]
    fn bytes_that_are_no_text_round_trip() {
        let content = Content::new(vec![0, 255, 7]);
        assert_eq!(content, Content::Hex("00ff07".into()));
        assert_eq!(content.bytes().unwrap(), [0, 255, 7]);
        assert_eq!(Content::Hex("é0".into()).bytes(), None);
        assert_eq!(Content::Hex("0".into()).bytes(), None);
    }

    #[test]
    fn actions_round_trip_as_json() {
        let actions: Vec<Action> = vec![
            Run::line(Effect::Reads, CommandLine::Shell("a | b".into())).into(),
            Write {
                path: RelPath::new("a").unwrap(),
                content: Content::new("x"),
                mode: Some(0o755),
                expects: Expects::Absent,
            }
            .into(),
            Call {
                operation: OperationName::new("op").unwrap(),
                input: serde_json::json!({"a": [1]}).into(),
                effect: Effect::Reads,
                keep_going: false,
            }
            .into(),
        ];
        let text = serde_json::to_string(&actions).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Action>>(&text).unwrap(), actions, "{text}");
    }
}
