//! The small pipelines of `backup`. Their names tell that they are no deliveries.

use orchestrator_agents::backup::databases::DatabaseName;
use orchestrator_agents::backup::keep::Keep;
use orchestrator_agents::backup::{
    PruneBackups, PruneBackupsConfig, Restore, RestoreConfig, RestoreDatabases, RestoreDatabasesConfig,
    VerifyBackup, VerifyBackupConfig,
};
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::path::RelPath;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use serde_json::{Map, Value};

use crate::error::CliError;

/// What of the phase's `with:` is about something else than making a backup.
const ELSE: [&str; 4] = ["caches", "known_caches", "pid_files", "keep"];

/// The phase that backs up, cut down to the backup itself.
pub(super) fn create(phase: PhaseSpec) -> Result<Pipeline, CliError> {
    let mut with = match phase.with {
        Value::Null => Map::new(),
        Value::Object(with) => with,
        // The phase itself says what is wrong with it.
        other => return Ok(pipeline("create", PhaseSpec { with: other, ..bare(phase.uses)? })),
    };
    for key in ELSE {
        with.remove(key);
    }
    with.insert("reset".into(), false.into());
    Ok(pipeline("create", PhaseSpec { with: Value::Object(with), ..bare(phase.uses)? }))
}

/// A task for each snapshot, one after the other: each is restored whole, and disks are not endless.
pub(super) fn verify(snapshots: &[RelPath]) -> Result<Pipeline, CliError> {
    let mut group = group()?.sequential();
    for (n, snapshot) in (1..).zip(snapshots) {
        let config = VerifyBackupConfig { snapshot: snapshot.clone().into(), manifest: None };
        let id = if snapshots.len() == 1 { "verify-backup".to_owned() } else { format!("verify-backup-{n}") };
        group = group.task(task::<VerifyBackup>(&id, &config)?.describe(format!("restores {snapshot}")));
    }
    Ok(pipeline("verify", bare(None)?.group(group)))
}

/// One task that restores.
pub(super) fn restore(snapshot: RelPath, to: Option<String>, force: bool) -> Result<Pipeline, CliError> {
    let task = task::<Restore>("restore-backup", &RestoreConfig { snapshot, to, force })?;
    Ok(pipeline("restore", bare(None)?.group(group()?.task(task))))
}

/// One task that restores databases where they were; all of the snapshot's where none is named.
pub(super) fn restore_databases(
    snapshot: RelPath,
    databases: Vec<DatabaseName>,
) -> Result<Pipeline, CliError> {
    let config = RestoreDatabasesConfig { snapshot, databases };
    let task = task::<RestoreDatabases>("restore-databases", &config)?;
    Ok(pipeline("restore", bare(None)?.group(group()?.task(task))))
}

/// One task that removes what no rule keeps.
pub(super) fn prune(of: RelPath, keep: Keep) -> Result<Pipeline, CliError> {
    let task = task::<PruneBackups>("prune-backups", &PruneBackupsConfig { of, keep: Some(keep) })?;
    Ok(pipeline("prune", bare(None)?.group(group()?.task(task))))
}

fn pipeline(command: &str, phase: PhaseSpec) -> Pipeline {
    Pipeline::new(format!("orchestrate backup {command}")).phase(phase)
}

/// A phase of a name of its own: switching `restart_backup` off is about deliveries.
fn bare(uses: Option<String>) -> Result<PhaseSpec, CliError> {
    Ok(PhaseSpec { uses, title: Some("BACKUP".into()), ..PhaseSpec::new(PhaseName::new("backup")?) })
}

fn group() -> Result<GroupSpec, CliError> {
    Ok(GroupSpec::new(GroupName::new("backup")?))
}

fn task<A: orchestrator_core::agent::Agent>(id: &str, config: &A::Config) -> Result<TaskSpec, CliError> {
    TaskSpec::of::<A>(id, config)
        .map_err(|error| CliError::io("a task could not be made", std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn creating_takes_what_is_about_the_backup_and_nothing_else() {
        let mut phase = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
        phase.uses = Some("restart_backup".into());
        phase.with = json!({ "to": "safe", "include": [".env"], "databases": [1], "keep": { "last": 1 },
            "caches": ["x"], "known_caches": true, "pid_files": ["p"], "min_free": "2 GB" });
        let pipeline = create(phase).unwrap();
        assert_eq!(
            pipeline.phases[0].with,
            json!({ "to": "safe", "include": [".env"], "databases": [1], "min_free": "2 GB", "reset": false })
        );
        assert_eq!(
            (pipeline.name.as_deref(), pipeline.phases[0].name.as_str()),
            (Some("orchestrate backup create"), "backup")
        );
    }

    #[test]
    fn names_tell_that_they_are_no_deliveries() {
        use orchestrator_agents::backup::keep::is_housekeeping;
        let path = RelPath::new("backups/x").unwrap();
        let keep = Keep { last: 1, ..Keep::default() };
        for pipeline in
            [verify(std::slice::from_ref(&path)), restore(path.clone(), None, false), prune(path, keep)]
        {
            assert!(is_housekeeping(&pipeline.unwrap().name.unwrap()));
        }
        assert!(is_housekeeping(crate::runs::DOCTOR) && !is_housekeeping("delivery"));
    }
}
