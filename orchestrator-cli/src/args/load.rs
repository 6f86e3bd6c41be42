//! Arguments of `load`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use orchestrator_core::units;
use orchestrator_traffic::load::{Arrivals, Plan, VersionFrom};

use super::{Format, ShowArgs};

pub(super) const EXAMPLES: &str = "\
Each request is sent when it is due, whatever came of those before, and its latency counts from then: a server that stalls for 2 s \
shows as 2 s in the percentiles. Ctrl-C ends it with the figures so far. What could not be sent for want of files or \
ports of this machine is told apart and is no failure of the server; then the exit code is 7. It is 1 where a request failed, or could \
not be sent as the server kept all connections busy. A client that was itself late says so.

A mix is `mixed`, kinds with shares, or a JSON file: [{\"kind\": \"uploads\", \"weight\": 5, \"path\": \"/in\", \"bytes\": 4096}, ..]
  keep-alive        GET on a connection that was used before
  new-connections   GET on a connection of its own
  slow              GET /slow?ms=2000
  uploads           POST /upload, 64 KiB in pieces; `x-digest` of the answer, where it has one, must be right (FNV-1a, 64 bits)
  websockets        /ws must echo 4 messages within a second
  events            GET /events?count=10&every_ms=100 must bring as many events, then end

Examples:
  orchestrate load http://127.0.0.1:8080/ --rate 500 --duration 1m
  orchestrate load http://localhost:8080/ --requests 100000 --rate 2000 --mix mixed --version-from header:x-version
  orchestrate load http://localhost:8080/app --mix keep-alive=80,uploads=20 --connections 50 --http2
  orchestrate load http://localhost:8080/health --version-from json:/version --format json | jq .failures";

/// `load`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// Where to, `http` or `https`; paths of the mix are below it
    pub(crate) url: String,
    /// Requests a second: `500`, `500/s`, `30/m`
    #[arg(long, value_name = "N", value_parser = rate, default_value = "100")]
    pub(crate) rate: f64,
    /// How long: `30s`, `10m` [default: 10s, where no number of requests is given]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) duration: Option<Duration>,
    /// How many
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Connections at once at most; a request that is due while all are busy waits, and its latency counts that
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) connections: u32,
    /// Open all connections first, and keep them
    #[arg(long)]
    pub(crate) preconnect: bool,
    /// What the requests do: `mixed`, kinds with shares, or a JSON file
    #[arg(long, value_name = "MIX", default_value = "keep-alive")]
    pub(crate) mix: String,
    /// How requests follow each other
    #[arg(long, value_enum, default_value_t)]
    pub(crate) arrivals: ArrivalsArg,
    /// Makes the order of the mix and random arrivals the same again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// A request that takes longer has failed
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    pub(crate) timeout: Duration,
    /// Statuses that are right [default: 200 to 399]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) expect_status: Vec<u16>,
    /// Where an answer says which version gave it: `header:x-version`, `json:/version`
    #[arg(long, value_name = "WHERE")]
    pub(crate) version_from: Option<VersionFrom>,
    /// Speak HTTP/2, without TLS or as a server of `https` agrees; websockets stay HTTP/1.1
    #[arg(long)]
    pub(crate) http2: bool,
    /// Certificates (PEM) of those who may have signed the server's, beside whom the system trusts
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,
    /// Load a server that is not on this machine; only one that you may
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Write the summary there too, as JSON: as it begins, each second, and at its end, when it says `over`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) save: Option<PathBuf>,
    /// Send nothing more when that file is gone or another one; what is under way is waited for. May be given more than once
    #[arg(long = "while", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) held_by: Vec<PathBuf>,
    /// The same as `--format json`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// How requests follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArrivalsArg {
    /// The same time apart
    #[default]
    Even,
    /// As unrelated users come: a Poisson process
    Poisson,
}

impl LoadArgs {
    /// Whether programs read the answer.
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.show.format == Format::Json
    }

    /// The plan, but for the mix, which may be a file.
    pub(crate) fn plan(&self) -> Plan {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let usual = self.requests.is_none().then_some(Duration::from_secs(10));
        Plan {
            requests: self.requests,
            duration_ms: self.duration.or(usual).map(millis),
            connections: self.connections,
            preconnect: self.preconnect,
            arrivals: match self.arrivals {
                ArrivalsArg::Even => Arrivals::Even,
                ArrivalsArg::Poisson => Arrivals::Poisson,
            },
            seed: self.seed,
            timeout_ms: millis(self.timeout),
            expect_status: self.expect_status.clone(),
            version_from: self.version_from.clone(),
            http2: self.http2,
            allow_remote: self.allow_remote,
            ca: self.ca.clone(),
            ..Plan::new(self.url.clone(), self.rate)
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let (number, over) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err("a rate is a number, by default a second: `500`, `500/s`, `30/m`".into()),
    };
    let number: f64 = number.trim().parse().map_err(|_| format!("`{number}` is no number"))?;
    Ok(number / over)
}
