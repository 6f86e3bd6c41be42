//! `cache`: what is kept of earlier results, and why a task would run again.

use std::time::Duration;

use orchestrator_core::cache::Cache;
use orchestrator_core::problem::unknown;
use orchestrator_core::settings::Keep;
use serde_json::{Value, json};

use crate::args::{CacheCommand, Format, SweepArgs, WhyArgs};
use crate::console::plural;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::say;

pub(super) async fn cache(mut front: Front, command: CacheCommand) -> Result<Exit, CliError> {
    let format = command.show().format;
    let cache = Cache::open(front.here.layout.clone());
    let (text, value) = match command {
        CacheCommand::Stats(_) => stats(&cache)?,
        CacheCommand::Prune(args) => prune(&mut front, &cache, &args)?,
        CacheCommand::Clear(_) => {
            let swept =
                cache.clear().map_err(|source| CliError::io("the cache could not be removed", source))?;
            let text = format!(
                "{} and {} were removed.",
                plural(swept.results as usize, "result"),
                bytes(swept.bytes)
            );
            (text, json!(swept))
        }
        CacheCommand::Why(args) => why(&mut front, &args).await?,
    };
    say(&match format {
        Format::Human => text,
        Format::Json => answer(&value),
    });
    Ok(Exit::Passed)
}

/// Removes results that are over the limits, once a day.
pub(super) fn tidy(front: &Front, keep: &Keep) {
    let cache = Cache::open(front.here.layout.clone());
    if let Err(error) = cache.tidy(Duration::from_secs(keep.cache_age), keep.cache_size) {
        tracing::warn!(%error, "older results could not be removed; look with `orchestrate cache stats`");
    }
}

fn stats(cache: &Cache) -> Result<(String, Value), CliError> {
    let stats = cache.stats().map_err(|source| CliError::io("the cache could not be read", source))?;
    let folder = cache.folder();
    let text = format!(
        "{} with {}, {} of disk, in {}",
        plural(stats.results as usize, "result"),
        plural(stats.files as usize, "file"),
        bytes(stats.bytes),
        folder.display()
    );
    Ok((text, json!({ "folder": folder, "stats": stats })))
}

fn prune(front: &mut Front, cache: &Cache, args: &SweepArgs) -> Result<(String, Value), CliError> {
    let keep = match (args.age, args.size) {
        (Some(_), Some(_)) => orchestrator_core::settings::Keep::default(),
        _ => settings(&front.pipeline()?.settings, &Value::Null)?.keep,
    };
    let age = args.age.unwrap_or(Duration::from_secs(keep.cache_age));
    let size = args.size.unwrap_or(keep.cache_size);
    let swept =
        cache.prune(age, size).map_err(|source| CliError::io("the cache could not be pruned", source))?;
    let text =
        format!("{} and {} were removed.", plural(swept.results as usize, "result"), bytes(swept.bytes));
    Ok((text, json!(swept)))
}

async fn why(front: &mut Front, args: &WhyArgs) -> Result<(String, Value), CliError> {
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &Value::Null)?;
    let orchestrator = front.with(settings)?;
    let plan = orchestrator.plan(&pipeline)?;
    let task = plan.tasks().iter().find(|task| task.id.as_str() == args.task);
    let Some(task) = task else {
        let known = plan.tasks().iter().map(|task| task.id.as_str());
        return Err(CliError::Usage(unknown("task", &args.task, known)));
    };
    let why = orchestrator.why(&plan, &task.id).await?;
    Ok((format!("{}: {why}", task.id), json!({ "task": task.id, "why": why })))
}

/// A size as people read it.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_readable() {
        assert_eq!(super::bytes(0), "0 bytes");
        assert_eq!(super::bytes(999), "999 bytes");
        assert_eq!(super::bytes(1_500), "1.5 kB");
        assert_eq!(super::bytes(2_000_000_000), "2.0 GB");
    }
}
