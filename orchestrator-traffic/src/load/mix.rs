//! What the requests of a load do: kinds, and how many of each.

use serde::{Deserialize, Serialize};

/// The most shapes of one mix.
const MOST: usize = 32;

/// Kinds of requests with their shares. As text: `keep-alive=70,uploads=5`, `mixed`, or JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mix {
    /// Its shapes.
    pub shapes: Vec<Shape>,
}

/// One kind of request with what it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What it does.
    pub kind: Kind,
    /// Its share of the sum of all.
    #[serde(default = "one")]
    pub weight: u32,
    /// Below the URL of the load; that of the kind by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Bytes of an upload, or of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u32>,
    /// Pieces of an upload, messages of a websocket, or events that must come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Milliseconds between pieces or messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u32>,
}

fn one() -> u32 {
    1
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A GET on a connection that was used before, where there is one.
    KeepAlive,
    /// A GET on a connection of its own, with `connection: close`.
    NewConnections,
    /// A GET whose answer takes 2 s.
    Slow,
    /// A POST of 64 KiB in pieces; the answer's header `x-digest`, where it has one, must be that of what was sent.
    Uploads,
    /// A websocket: sends messages, one after the other, and wants each back.
    Websockets,
    /// Server-sent events: reads the stream to its end.
    Events,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::KeepAlive, Self::NewConnections, Self::Slow, Self::Uploads, Self::Websockets, Self::Events];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::NewConnections => "new-connections",
            Self::Slow => "slow",
            Self::Uploads => "uploads",
            Self::Websockets => "websockets",
            Self::Events => "events",
        }
    }

    /// Whether each opens a connection of its own.
    pub(super) fn is_apart(self) -> bool {
        matches!(self, Self::NewConnections | Self::Websockets)
    }

    /// Where it goes below the URL, unless its shape says otherwise; none for the URL itself.
    pub fn path(self) -> Option<&'static str> {
        match self {
            Self::KeepAlive | Self::NewConnections => None,
            Self::Slow => Some("/slow?ms=2000"),
            Self::Uploads => Some("/upload"),
            Self::Websockets => Some("/ws"),
            Self::Events => Some("/events?count=10&every_ms=100"),
        }
    }
}

impl Shape {
    /// A kind with what is usual for it.
    pub fn of(kind: Kind, weight: u32) -> Self {
        Self { kind, weight, path: None, bytes: None, count: None, every_ms: None }
    }

    pub(super) fn bytes(&self) -> usize {
        let usual = if self.kind == Kind::Uploads { 65_536 } else { 64 };
        self.bytes.unwrap_or(usual) as usize
    }

    pub(super) fn count(&self) -> u32 {
        self.count.unwrap_or(if self.kind == Kind::Events { 10 } else { 4 })
    }

    pub(super) fn pause(&self) -> std::time::Duration {
        let usual = if self.kind == Kind::Websockets { 250 } else { 0 };
        std::time::Duration::from_millis(u64::from(self.every_ms.unwrap_or(usual)))
    }

    fn check(&self) -> Result<(), String> {
        let name = self.kind.name();
        let uses = |kinds: &[Kind]| kinds.contains(&self.kind);
        for (key, is_set, used) in [
            ("bytes", self.bytes.is_some(), uses(&[Kind::Uploads, Kind::Websockets])),
            ("count", self.count.is_some(), uses(&[Kind::Uploads, Kind::Websockets, Kind::Events])),
            ("every_ms", self.every_ms.is_some(), uses(&[Kind::Uploads, Kind::Websockets])),
        ] {
            if is_set && !used {
                return Err(format!("`{key}` means nothing for `{name}`"));
            }
        }
        let most = if self.kind == Kind::Websockets { 65_535 } else { 1 << 30 };
        if !(1..=most).contains(&self.bytes()) {
            return Err(format!("`bytes` of `{name}` is out of bounds: 1 to {most}"));
        }
        if !(1..=10_000).contains(&self.count()) {
            return Err(format!("`count` of `{name}` is out of bounds: 1 to 10000"));
        }
        match &self.path {
            Some(path) if !path.starts_with('/') => Err(format!("the path `{path}` does not begin with `/`")),
            _ => Ok(()),
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self { shapes: vec![Shape::of(Kind::KeepAlive, 1)] }
    }
}

impl Mix {
    /// All kinds, as traffic of a web service may be: of 100 requests 62 on kept connections, 20 on new ones, 2 slow, 10 uploads, 3
    /// websockets and 3 streams of events.
    pub fn mixed() -> Self {
        let weights = [62, 20, 2, 10, 3, 3];
        Self {
            shapes: Kind::ALL
                .into_iter()
                .zip(weights)
                .map(|(kind, weight)| Shape::of(kind, weight))
                .collect(),
        }
    }

    /// Reads `mixed`, or kinds with shares: `keep-alive=70,uploads=5`. None where it is neither, and may be a file.
    pub fn named(text: &str) -> Option<Self> {
        if text == "mixed" {
            return Some(Self::mixed());
        }
        let shape = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name.trim())?;
            Some(Shape::of(kind, weight.trim().parse().ok()?))
        };
        text.split(',').map(shape).collect::<Option<Vec<_>>>().map(|shapes| Self { shapes })
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.shapes.is_empty() || self.shapes.len() > MOST {
            return Err(format!(
                "a mix has 1 to {MOST} kinds of requests, this one has {}",
                self.shapes.len()
            ));
        }
        if self.sum() == 0 {
            return Err("all weights of the mix are 0: nothing would be sent".into());
        }
        self.shapes.iter().try_for_each(Shape::check)
    }

    fn sum(&self) -> u64 {
        self.shapes.iter().map(|shape| u64::from(shape.weight)).sum()
    }

    /// The shape that a random number stands for.
    pub(super) fn pick(&self, random: u64) -> usize {
        let mut at = random % self.sum().max(1);
        for (index, shape) in self.shapes.iter().enumerate() {
            match at.checked_sub(u64::from(shape.weight)) {
                Some(left) => at = left,
                None => return index,
            }
        }
        0
    }

    /// What each shape is called in figures: its kind, numbered where the kind occurs more than once.
    pub(super) fn names(&self) -> Vec<String> {
        let same = |kind: Kind, before: usize| {
            self.shapes[..before].iter().filter(|shape| shape.kind == kind).count()
        };
        let name = |(index, shape): (usize, &Shape)| match same(shape.kind, index) {
            0 => shape.kind.name().to_owned(),
            before => format!("{}-{}", shape.kind.name(), before + 1),
        };
        self.shapes.iter().enumerate().map(name).collect()
    }
}
