//! Runs that a team shares: found and brought here, leased while one goes on, put there when it stops.

use orchestrator_core::effect::Effect;
use orchestrator_core::id::RunId;
use orchestrator_core::lock::Owner;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::report::RunRecord;
use orchestrator_core::stop::{Stop, StopLevel};

use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::runs::{self, Latest};
use crate::shared::{About, Lease, RENEW, Renewed, Team};

/// What a run that is carried out here shares.
pub(super) struct Sharing {
    pub(super) team: Team,
    pub(super) lease: Option<Lease>,
}

/// The run that is meant, here or in the shared place.
pub(super) async fn find(
    orchestrator: &Orchestrator,
    team: Option<&Team>,
    text: Option<&str>,
    latest: Latest,
) -> Result<RunId, CliError> {
    let (Some(team), Some(_)) = (team, text.filter(|text| *text != runs::LATEST)) else {
        return runs::find(orchestrator, text, latest).await;
    };
    let mut known = orchestrator.runs().await?;
    if text.is_some_and(|text| known.iter().any(|run| run.as_str() == text)) {
        return runs::find(orchestrator, text, latest).await;
    }
    let team = team.clone();
    match blocking(move || team.runs()).await {
        Ok(there) => known.extend(there),
        Err(error) => warn("runs elsewhere are not known", &error.into()),
    }
    known.sort_unstable_by(|a, b| b.cmp(a));
    known.dedup();
    runs::named(&known, text.unwrap_or_default()).map_err(CliError::Usage)
}

/// The run that is meant, with all that is shared of it, for those who look at it.
pub(super) async fn look(
    front: &Front,
    orchestrator: &Orchestrator,
    text: Option<&str>,
) -> Result<RunId, CliError> {
    let team = front.team()?;
    let run = find(orchestrator, team.as_ref(), text, Latest::Any).await?;
    let Some(team) = team else { return Ok(run) };
    match bring(front, &team, &run).await {
        // What is here can be looked at, whatever became of the rest.
        Err(error) if front.here.layout.journal(&run).exists() => warn("only what is here is shown", &error),
        brought => brought?,
    }
    Ok(run)
}

/// Brings what is shared of a run here.
pub(super) async fn bring(front: &Front, team: &Team, run: &RunId) -> Result<(), CliError> {
    let (team, layout, run) = (team.clone(), front.here.layout.clone(), run.clone());
    blocking(move || team.bring(&layout, &run)).await?;
    Ok(())
}

/// Takes the lease of a run; none where it is not shared.
pub(super) async fn lease(team: &Team, run: &RunId, over: bool) -> Result<Option<Lease>, CliError> {
    let (team, run) = (team.clone(), run.clone());
    Ok(blocking(move || team.lease(&run, over)).await?)
}

/// Renews a lease until it is dropped. A run whose lease is lost is stopped: another machine goes on with it.
pub(super) async fn hold(lease: Lease, stop: Stop) {
    let mut failed = 0;
    loop {
        tokio::time::sleep(RENEW).await;
        let held = lease.clone();
        match blocking(move || held.renew()).await {
            Ok(Renewed::Held) => failed = 0,
            Ok(Renewed::Lost) => {
                warn("the run is stopped here", &lease.lost().into());
                return stop.raise(StopLevel::Graceful);
            }
            Err(error) => {
                failed += 1;
                // Before the lease runs out and another machine may follow.
                if failed == 3 {
                    warn("the lease of the run cannot be renewed, and the run is stopped", &error.into());
                    return stop.raise(StopLevel::Graceful);
                }
            }
        }
    }
}

/// Puts a run that stopped, waits or is over into the shared place. One that cannot be put there is told, and lies here.
pub(super) async fn publish(front: &Front, sharing: &Sharing, record: &RunRecord) {
    let state = &record.state;
    if state.ceiling() == Effect::Reads {
        return;
    }
    let about = About {
        pipeline: state.plan().pipeline().to_owned(),
        ceiling: state.ceiling().to_string(),
        state: Exit::of(record).about().to_owned(),
        host: Owner::here(record.run.clone(), "").host,
    };
    let Sharing { team, lease } = sharing;
    let (team, lease, layout, run) =
        (team.clone(), lease.clone(), front.here.layout.clone(), record.run.clone());
    if let Err(error) = blocking(move || team.publish(&layout, &run, about, lease.as_ref())).await {
        warn("the run is not shared", &error.into());
    }
}

/// Says in one line what did not work, and why.
pub(super) fn warn(what: &str, error: &CliError) {
    tracing::warn!("{what}: {}", error.line());
}

/// Does what waits for the shared place where no task of the runtime waits for it.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
