//! Blocking work that ends when it is told to, or when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Site;
use orchestrator_core::stop::{Stop, StopLevel};

use super::error::DeployError;

/// Says to blocking work when to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Halt {
    stop: Stop,
    left: Arc<AtomicBool>,
}

/// How long a pause may go on before it looks up.
const SLICE: Duration = Duration::from_millis(20);

impl Halt {
    /// One that ends with that stop.
    pub(super) fn of(stop: &Stop) -> Self {
        Self { stop: stop.clone(), left: Arc::default() }
    }

    /// Ends the work when this goes: nobody waits for it any more.
    pub(super) fn leaving(&self) -> Leaving {
        Leaving(self.left.clone())
    }

    /// An error where it is time to end.
    pub(super) fn check(&self) -> Result<(), DeployError> {
        if self.stop.level() > StopLevel::Go || self.left.load(Ordering::SeqCst) {
            Err(DeployError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Sleeps, unless it is time to end.
    pub(super) fn pause(&self, mut time: Duration) -> Result<(), DeployError> {
        while !time.is_zero() {
            self.check()?;
            std::thread::sleep(time.min(SLICE));
            time = time.saturating_sub(SLICE);
        }
        self.check()
    }
}

/// Tells the work that nobody waits for it: a task whose time is up drops what it waits for.
pub(super) struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does work that blocks, away from the runtime's threads. Work that changes something cleans up before it ends.
pub(super) async fn blocking<T: Send + 'static>(
    site: &Site<'_>,
    work: impl FnOnce(&Halt) -> Result<T, DeployError> + Send + 'static,
) -> Result<T, BoxError> {
    let halt = Halt::of(site.stop);
    let _leaving = halt.leaving();
    Ok(tokio::task::spawn_blocking(move || work(&halt)).await??)
}

/// The same for work that only looks: a stop does not wait for it.
pub(super) async fn looking<T: Send + 'static>(
    site: &Site<'_>,
    work: impl FnOnce(&Halt) -> Result<T, DeployError> + Send + 'static,
) -> Result<T, BoxError> {
    tokio::select! {
        biased;
        () = site.stop.at_least(StopLevel::Graceful) => Err(DeployError::Stopped.into()),
        done = blocking(site, work) => done,
    }
}
