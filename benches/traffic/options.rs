//! What was asked for.

use crate::front::Kind;

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Switch,
    Cpu,
    Latency,
    Memory,
    Soak,
}

impl Part {
    const ALL: [Self; 5] = [Self::Switch, Self::Cpu, Self::Latency, Self::Memory, Self::Soak];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Memory => "memory",
            Self::Soak => "soak",
        }
    }
}

/// All that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) parts: Vec<Part>,
    pub(crate) requests: u64,
    pub(crate) rate: f64,
    pub(crate) switches: u32,
    /// After so many switches comes an upgrade; 0: never.
    pub(crate) every: u32,
    pub(crate) rounds: usize,
    pub(crate) seconds: Option<u64>,
    pub(crate) kinds: Vec<Kind>,
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            parts: Vec::new(),
            requests: 100_000,
            rate: 1_000.0,
            switches: 20,
            every: 4,
            rounds: 5,
            seconds: None,
            kinds: Kind::ALL.to_vec(),
        };
        let mut arguments = arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument {
                "--requests" => options.requests = number(value()?)?,
                "--rate" => options.rate = number(value()?)?,
                "--switches" => options.switches = number(value()?)?,
                "--every" => options.every = number(value()?)?,
                "--rounds" => options.rounds = number(value()?)?,
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--only" => options.kinds = kinds(value()?)?,
                name => match Part::ALL.into_iter().find(|part| part.name() == name) {
                    Some(part) => options.parts.push(part),
                    None => {
                        return Err(format!(
                            "`{name}` is no part and no flag; see the head of `benches/traffic.rs`"
                        ));
                    }
                },
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.into_iter().filter(|part| *part != Part::Soak).collect();
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits"))
}

fn kinds(text: &str) -> Result<Vec<Kind>, String> {
    let kind = |name: &str| {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("`{name}` is no server here"))
    };
    text.split(',').map(kind).collect()
}
