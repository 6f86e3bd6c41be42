//! Arguments of `proxy`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use orchestrator_core::units::duration;
use orchestrator_traffic::protocol::Backend;

use super::{Format, ShowArgs};

pub(super) const EXAMPLES: &str = "\
It answers 503 until it is told what to serve; a deployment does that, or `proxy apply`. What it serves is kept in its folder, \
so that it serves the same after a restart.

Examples:
  orchestrate proxy --folder edge --listen 127.0.0.1:8080        serve; Ctrl-C drains and ends it
  orchestrate proxy apply --folder edge --to v1=127.0.0.1:3000   all to one version
  orchestrate proxy apply --folder edge --to v1=127.0.0.1:3000@95 --to v2=127.0.0.1:3001@5
  orchestrate proxy status --folder edge                         what it serves, who is under way, who was cut
  orchestrate proxy upgrade --folder edge                        a new process of the program takes over, without a gap
  orchestrate proxy stop --folder edge --drain 1m                no more connections; ends when all are answered

Signals: TERM and INT drain and end it, a second one cuts; HUP reads the certificate again and opens the access log anew, USR1 \
only the log.";

/// `proxy`: serve, or speak to one that does.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(subcommand)]
    pub(crate) command: Option<ProxyCommand>,
}

/// How an access log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// One JSON object a line
    #[default]
    Json,
    /// The combined log format of web servers
    Combined,
    /// None
    Off,
}

/// `proxy` that serves.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Its folder: what it serves, its control socket, its access log
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, required = true)]
    pub(crate) folder: Option<PathBuf>,
    /// Listen there, for instance 127.0.0.1:8080; may be given several times
    #[arg(long, value_name = "ADDR", num_args = 1.., required_unless_present = "inherit")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Speak TLS on all of these addresses, with this certificate and key (PEM); replaced files are seen
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"], value_hint = ValueHint::FilePath)]
    pub(crate) tls: Vec<PathBuf>,
    /// Give metrics for Prometheus there, at /metrics
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// How the access log looks; it is DIR/access.log, 10 MiB a file, five older ones
    #[arg(long, value_enum, default_value_t)]
    pub(crate) access_log: AccessLog,
    /// At the end, give requests under way this long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// After an upgrade, give connections of the old process this long: websockets and event streams live on in it
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub(crate) linger: Duration,
    /// Threads that serve [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Take the listening sockets from standard input, from a supervisor or from the process that this one replaces
    #[arg(long)]
    pub(crate) inherit: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// What is said to a proxy that serves.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProxyCommand {
    /// Show what it serves, who is under way and how drains went
    Status(OfProxy),
    /// Show what came of the requests to each version
    Counts(OfProxy),
    /// Replace what it serves, in one step
    Apply(ApplyArgs),
    /// Let a new process of the program take over, without a gap
    Upgrade(UpgradeArgs),
    /// Take no more connections, drain, end
    Stop(StopArgs),
}

/// Which proxy.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfProxy {
    /// The folder of the proxy
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// `proxy apply`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) proxy: OfProxy,
    /// The table as JSON: `{"routes": [..]}`, or what `status --format json` says; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "to")]
    pub(crate) table: Option<PathBuf>,
    /// Instead of a table: everything to this version, or its share of everything
    #[arg(long, value_name = "VERSION=ADDR[@SHARE]", conflicts_with = "table", value_parser = backend)]
    pub(crate) to: Vec<Backend>,
    /// Only if this generation is served now
    #[arg(long, value_name = "GENERATION")]
    pub(crate) expect: Option<u64>,
    /// Give requests under way at versions that are left out this long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain: Duration,
}

/// `proxy upgrade`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    pub(crate) proxy: OfProxy,
    /// Its program [default: the file that the proxy was started from]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) program: Option<PathBuf>,
}

/// `proxy stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) proxy: OfProxy,
    /// Give requests under way this long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain: Duration,
}

impl ProxyArgs {
    /// How to answer.
    pub(crate) fn format(&self) -> Format {
        let of = self.command.as_ref().map(|command| match command {
            ProxyCommand::Status(of) | ProxyCommand::Counts(of) => of.show,
            ProxyCommand::Apply(args) => args.proxy.show,
            ProxyCommand::Upgrade(args) => args.proxy.show,
            ProxyCommand::Stop(args) => args.proxy.show,
        });
        of.unwrap_or(self.serve.show).format
    }
}

/// `v1=127.0.0.1:3000@95`.
fn backend(text: &str) -> Result<Backend, String> {
    let wrong = || format!("`{text}` is not like `v1=127.0.0.1:3000`, or with a share `v2=127.0.0.1:3001@5`");
    let (version, rest) =
        text.split_once('=').filter(|(version, _)| !version.is_empty()).ok_or_else(wrong)?;
    let (address, share) = rest.split_once('@').unwrap_or((rest, "1"));
    Ok(Backend {
        version: version.to_owned(),
        address: address.parse().map_err(|_| wrong())?,
        weight: share.parse().map_err(|_| wrong())?,
        h2c: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_with_their_address_and_share() {
        let one = backend("v1=127.0.0.1:3000").unwrap();
        assert_eq!((one.version.as_str(), one.address.port(), one.weight), ("v1", 3000, 1));
        assert_eq!(backend("v2=[::1]:80@5").unwrap().weight, 5);
        for bad in [
            "",
            "v1",
            "=127.0.0.1:1",
            "v1=localhost:80",
            "v1=127.0.0.1",
            "v1=127.0.0.1:1@x",
            "v1=127.0.0.1:1@-1",
        ] {
            assert!(backend(bad).unwrap_err().contains("is not like"), "{bad}");
        }
    }
}
