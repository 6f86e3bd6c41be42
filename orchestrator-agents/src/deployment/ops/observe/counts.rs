//! What the proxy of an environment counted.

use orchestrator_traffic::control;
use orchestrator_traffic::protocol::{Counts, Request, Response, VersionCounts};

use super::ObserveInput;
use crate::deployment::analysis::{Counted, Figures, Traffic};
use crate::deployment::ops::place::Place;

pub(super) fn traffic(place: &Place, input: &ObserveInput) -> Traffic {
    let Some(route) = &input.route else { return Traffic::Unseen };
    let socket = place.proxy().join("control.sock");
    match control::ask(&socket, &Request::Counts, input.patience.duration()) {
        Ok(Response::Counts(counts)) => Traffic::Counted(counted(counts, route, input)),
        Ok(Response::Refused { why }) => Traffic::Unanswered { why },
        Ok(_) => Traffic::Unanswered { why: "the proxy answered another question".into() },
        Err(error) => Traffic::Unanswered { why: format!("the proxy could not be asked: {error}") },
    }
}

fn counted(counts: Counts, route: &str, input: &ObserveInput) -> Counted {
    let Counts { boot, at_ms, versions } = counts;
    let of = |release: &str| {
        let mut these =
            versions.iter().filter(|version| version.route == route && version.version == release);
        these.next().map(figures).unwrap_or_default()
    };
    Counted { boot, at_ms, new: of(&input.new.release), old: input.old.as_deref().map(of) }
}

fn figures(counts: &VersionCounts) -> Figures {
    let VersionCounts { route: _, version: _, requests, errors, gateway, latency, latency_us: _, left: _ } =
        counts;
    Figures { requests: *requests, errors: *errors, gateway: *gateway, latency: latency.clone() }
}
