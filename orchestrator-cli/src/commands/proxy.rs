//! `proxy`: serves, or speaks to a proxy that does.

mod show;

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_traffic::control::{LONGEST, ask};
use orchestrator_traffic::protocol::{Request, Response, Route, Table};
use orchestrator_traffic::proxy::access_log::{AccessLogConfig, Format as Lines};
use orchestrator_traffic::proxy::folder::CONTROL;
use orchestrator_traffic::proxy::run::{Ended, Options, run};
use orchestrator_traffic::proxy::{Limits, tls, upgrade::Successor};
use serde::Deserialize;
use serde_json::json;

use crate::args::{
    AccessLog, ApplyArgs, Format, OfProxy, ProxyArgs, ProxyCommand, ServeArgs, StopArgs, UpgradeArgs,
};
use crate::error::CliError;
use crate::exit::Exit;
use crate::json::answer;
use crate::out::{note, say};

/// How long a proxy may take for an answer; a successor gets 20 s of it.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn proxy(dir: &Path, args: ProxyArgs) -> Result<Exit, CliError> {
    match args.command {
        Some(command) => speak(dir, command),
        None => serve(dir, args.serve),
    }
}

fn serve(dir: &Path, args: ServeArgs) -> Result<Exit, CliError> {
    let format = args.show.format;
    let ended = run(options(dir, args)?, Arc::new(|text| note(&format!("proxy: {text}"))), |listens| {
        say(&match format {
            Format::Human => {
                let listens: Vec<String> = listens.iter().map(SocketAddr::to_string).collect();
                format!("Process {} serves {}.", std::process::id(), listens.join(", "))
            }
            Format::Json => answer(&json!({ "pid": std::process::id(), "listens": listens })),
        });
    })?;
    if let Ended::Replaced(pid) = ended {
        note(&format!("proxy: process {} is done; process {pid} serves", std::process::id()));
    }
    Ok(Exit::Passed)
}

fn options(dir: &Path, args: ServeArgs) -> Result<Options, CliError> {
    let ServeArgs { folder, listen, tls, metrics, access_log, drain, linger, threads, inherit, show: _ } =
        args;
    let folder =
        folder.ok_or_else(|| CliError::usage("`orchestrate proxy` wants `--folder`; see its `--help`"))?;
    let folder = dir.join(folder);
    let mut pair = tls.into_iter().map(|path| dir.join(path));
    let tls = pair.next().zip(pair.next()).map(|(certificate, key)| tls::Pair { certificate, key });
    let log = |format| AccessLogConfig { format, ..AccessLogConfig::new(folder.join("access.log")) };
    let access_log = match access_log {
        AccessLog::Json => Some(log(Lines::Json)),
        AccessLog::Combined => Some(log(Lines::Combined)),
        AccessLog::Off => None,
    };
    let threads = threads.map_or_else(|| orchestrator_core::settings::processors() as usize, usize::from);
    Ok(Options {
        folder,
        listens: listen,
        inherit,
        tls,
        metrics,
        access_log,
        limits: Limits::default(),
        threads,
        drain,
        linger,
        successor: Some(successor()?),
    })
}

/// The same program with the same arguments. Its path is asked for now: later another file may lie there, and that is the one to start.
fn successor() -> Result<Successor, CliError> {
    let program =
        crate::own::program().map_err(|source| CliError::io("the own program cannot be found", source))?;
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--inherit") {
        arguments.push("--inherit".into());
    }
    Ok(Successor { program, arguments })
}

fn speak(dir: &Path, command: ProxyCommand) -> Result<Exit, CliError> {
    let (of, request) = match command {
        ProxyCommand::Status(of) => (of, Request::Status),
        ProxyCommand::Counts(of) => (of, Request::Counts),
        ProxyCommand::Apply(args) => apply(dir, args)?,
        ProxyCommand::Upgrade(UpgradeArgs { proxy, program }) => {
            (proxy, Request::Upgrade { program: program.map(|program| absolute(dir, &program)).transpose()? })
        }
        ProxyCommand::Stop(StopArgs { proxy, drain }) => (proxy, Request::Stop { drain_ms: millis(drain) }),
    };
    let OfProxy { folder, show } = of;
    let socket = dir.join(&folder).join(CONTROL);
    let response = ask(&socket, &request, PATIENCE).map_err(|source| {
        let what = format!(
            "no proxy answers at `{}`; start one with `orchestrate proxy --folder {} --listen ADDR`",
            socket.display(),
            folder.display()
        );
        CliError::io(what, source)
    })?;
    Ok(tell(&response, show.format))
}

fn tell(response: &Response, format: Format) -> Exit {
    match (response, format) {
        (Response::Refused { why }, Format::Human) => note(&format!("error: {why}")),
        (_, Format::Json) => say(&answer(&json!(response))),
        (_, Format::Human) => say(&show::response(response)),
    }
    if matches!(response, Response::Refused { .. }) { Exit::Failed } else { Exit::Passed }
}

fn apply(dir: &Path, args: ApplyArgs) -> Result<(OfProxy, Request), CliError> {
    let ApplyArgs { proxy, table, to, expect, drain } = args;
    let table = match table {
        Some(path) => read(dir, &path)?,
        None => {
            let route = Route {
                name: "all".into(),
                host: None,
                prefix: "/".into(),
                backends: to,
                canary: None,
                sticky: None,
            };
            Table { routes: vec![route] }
        }
    };
    Ok((proxy, Request::Apply { expect, table, drain_ms: millis(drain) }))
}

fn read(dir: &Path, path: &Path) -> Result<Table, CliError> {
    let failed = |source| CliError::io(format!("`{}` cannot be read", path.display()), source);
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        fs::File::open(dir.join(path)).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(failed)?;
    table(&text)
        .map_err(|error| CliError::usage(format!("`{}` is no table of routes: {error}", path.display())))
}

/// A table, by itself or within what `status --format json` said.
fn table(text: &str) -> serde_json::Result<Table> {
    #[derive(Deserialize)]
    struct Said {
        result: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        table: Table,
    }
    serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(text).map(|said: Said| said.result.table).map_err(|_| error))
}

fn absolute(dir: &Path, program: &Path) -> Result<String, CliError> {
    let failed = |source| CliError::io(format!("`{}` cannot be used as program", program.display()), source);
    let path: PathBuf = dir.join(program).canonicalize().map_err(failed)?;
    path.into_os_string()
        .into_string()
        .map_err(|path| CliError::usage(format!("the name of `{}` is no text", path.display())))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_status_says_is_a_table_to_apply() {
        let own = r#"{"routes":[{"name":"all","prefix":"/","backends":[]}]}"#;
        let said = format!(r#"{{"v":1,"result":{{"is":"status","generation":2,"table":{own}}}}}"#);
        assert_eq!(table(own).unwrap(), table(&said).unwrap());
        let wrong = table(&own.replace("prefix", "prefx")).unwrap_err().to_string();
        assert!(wrong.contains("unknown field `prefx`"), "{wrong}");
    }
}
