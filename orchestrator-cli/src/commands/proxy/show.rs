//! What a proxy answers, for people.

use std::fmt::Write as _;

use orchestrator_traffic::protocol::{
    Backend, Counts, Drain, Response, Route, Status, VersionCounts, VersionStatus,
};

use crate::console::{clean, plural};

/// An answer as text.
pub(super) fn response(response: &Response) -> String {
    match response {
        Response::Status(one) => status(one),
        Response::Applied { generation, changed: true } => format!("Generation {generation} is served."),
        Response::Applied { generation, changed: false } => {
            format!("Generation {generation} is served already; nothing changed.")
        }
        Response::Counts(all) => counts(all),
        Response::Done { pid: Some(pid) } => format!("Process {pid} serves."),
        Response::Done { pid: None } => "It drains and ends.".into(),
        Response::Refused { why } => why.clone(),
    }
}

fn status(status: &Status) -> String {
    let Status { pid, program, listens, generation, table, connections, before, versions } = status;
    let listens: Vec<String> = listens.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "Process {pid} (orchestrate {program}) serves {}: generation {generation}, {}.\n",
        listens.join(", "),
        plural(usize::try_from(*connections).unwrap_or(usize::MAX), "connection")
    );
    for pid in before {
        line(&mut text, format_args!("Process {pid} before it still has somebody to answer."));
    }
    if table.routes.is_empty() {
        text.push_str("It has no routes: every request is answered with 503. Give it some with `orchestrate proxy apply`.\n");
    }
    for route in &table.routes {
        let Route { name, host, prefix, backends, canary: _, sticky: _ } = route;
        let all: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
        line(&mut text, format_args!("{name}: {}{prefix}", host.as_deref().unwrap_or("")));
        for backend in backends {
            let Backend { version, address, weight, h2c } = backend;
            let share = if all == 0 { 0.0 } else { f64::from(*weight) / all as f64 * 100.0 };
            let kind = if *h2c { " h2c" } else { "" };
            let of = |status: &&VersionStatus| {
                status.route == *name && status.version == *version && status.drain.is_none()
            };
            let busy = versions.iter().find(of).map_or(0, |status| status.in_flight);
            line(&mut text, format_args!("  {version}  {address}{kind}  {share:.0} %  {busy} under way"));
        }
    }
    for version in versions {
        let VersionStatus { route, version, in_flight, drain, .. } = version;
        let Some(Drain { took_ms, cut, cuts }) = drain else { continue };
        let how = match took_ms {
            Some(took) => format!("drained in {took} ms"),
            None => format!("drains, {in_flight} under way"),
        };
        line(&mut text, format_args!("left out: {route} {version}: {how}, {cuts} cut"));
        // A path that a client made up; older processes leave in it what a terminal obeys.
        for one in cut {
            line(&mut text, format_args!("  cut: {}", clean(one)));
        }
    }
    text
}

fn counts(counts: &Counts) -> String {
    let mut text = format!("Since {:.1} s:\n", counts.at_ms as f64 / 1000.0);
    for counts in &counts.versions {
        let VersionCounts { route, version, requests, errors, gateway, latency, left, .. } = counts;
        let median = quantile(latency, 0.5).map_or("-".into(), ms);
        let most = quantile(latency, 0.99).map_or("-".into(), ms);
        line(
            &mut text,
            format_args!(
                "{route} {version}: {requests} requests, {errors} errors ({gateway} of the gateway), {left} given up by clients, p50 {median}, p99 {most}"
            ),
        );
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    writeln!(text, "{line}").expect("a string takes everything");
}

/// The upper bound of the bucket that holds it, in microseconds.
fn quantile(latency: &[(u64, u64)], share: f64) -> Option<u64> {
    let all: u64 = latency.iter().map(|(_, count)| count).sum();
    let mut left = (all as f64 * share).ceil();
    latency
        .iter()
        .find(|(_, count)| {
            left -= *count as f64;
            left <= 0.0
        })
        .map(|(upper, _)| *upper)
}

fn ms(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_speaks_to_the_terminal() {
        let drain = Drain { cut: vec!["GET /a\u{9b}2J after 9 ms".into()], cuts: 1, took_ms: None };
        let address = ([127, 0, 0, 1], 9).into();
        let (route, version) = ("all".into(), "v1".into());
        let left = VersionStatus {
            route,
            version,
            address,
            in_flight: 0,
            first_answer_us: None,
            drain: Some(drain),
        };
        let text = status(&Status {
            pid: 7,
            program: "1".into(),
            listens: Vec::new(),
            generation: 1,
            table: orchestrator_traffic::protocol::Table::default(),
            connections: 0,
            before: Vec::new(),
            versions: vec![left],
        });
        let told = text.lines().find(|line| line.contains("cut: ")).unwrap();
        assert!(told.contains("/a") && told.contains("9 ms"), "{text:?}");
        assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
    }

    #[test]
    fn quantiles_are_those_of_the_buckets() {
        let latency = [(100, 50), (200, 49), (5000, 1)];
        let at = |share| quantile(&latency, share);
        assert_eq!((at(0.5), at(0.51), at(0.99), at(1.0)), (Some(100), Some(200), Some(200), Some(5000)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
