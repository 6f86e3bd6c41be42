//! What the two actions that add a migration share: which command, and where it goes.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::super::config_edit::edited::ActionInput;
use super::job::Step;
use super::node::Node;
use super::options::Options;

pub(super) const OPTIONS: [&str; 6] = ["jobs", "command", "before", "env", "working_directory", "name"];

/// A command and the folder that it runs in.
pub(super) struct Migration {
    pub command: String,
    pub folder: Option<String>,
    /// What installs the tool on a fresh machine, where that is known.
    pub install: Option<&'static str>,
}

/// The command of the options, or that of the one tool that the project has.
pub(super) fn migration(options: &Options<'_>, with: &ActionInput<'_>) -> Result<Migration, BoxError> {
    let folder = options.text("working_directory")?.map(str::to_owned);
    if let Some(command) = options.command("command")? {
        return Ok(Migration { command, folder, install: None });
    }
    let tools: Vec<(&RelPath, &String)> = with.facts.migration_tools.iter().collect();
    let shown =
        || tools.iter().map(|(folder, tool)| format!("{tool} in `{folder}`")).collect::<Vec<_>>().join(", ");
    let (at, tool) = match tools.as_slice() {
        [] => {
            return Err("no tool for migrations is known here (looked for prisma, knex, drizzle and alembic); give the command \
                        as option `command`"
                .into());
        }
        [one] => *one,
        _ => {
            return Err(format!(
                "there are several tools for migrations: {}; give option `command`",
                shown()
            )
            .into());
        }
    };
    let run = match with.facts.package_manager.as_deref() {
        Some("pnpm") => "pnpm exec",
        Some("yarn") => "yarn run",
        Some("bun") => "bunx --no-install",
        _ => "npx --no-install",
    };
    let command = match tool.as_str() {
        "prisma" => format!("{run} prisma migrate deploy"),
        "knex" => format!("{run} knex migrate:latest"),
        "drizzle" => format!("{run} drizzle-kit migrate"),
        "alembic" => "alembic upgrade head".to_owned(),
        other => {
            return Err(
                format!("how `{other}` applies migrations is not known; give option `command`").into()
            );
        }
    };
    let found = (!at.is_root()).then(|| at.to_string());
    let packages = super::parts::install(with.facts.package_manager.as_deref());
    let install = packages.filter(|_| tool != "alembic");
    Ok(Migration { command, folder: folder.or(found), install })
}

/// The step: with the variables of the options, or those for a database that the step after it has.
pub(super) fn step(options: &Options<'_>, migration: &Migration, next: &Step<'_>) -> Result<Node, BoxError> {
    let mut env = options.env()?;
    if env.is_empty() {
        let about = |name: &str| {
            ["DATABASE", "DB_", "POSTGRES", "PG", "MYSQL"].iter().any(|start| name.contains(start))
        };
        let own = next.value["env"].as_object().into_iter().flatten().filter(|(name, _)| about(name));
        env.extend(own.filter_map(|(name, value)| Some((name.clone(), Node::text(value.as_str()?)))));
    }
    let folder = migration.folder.as_deref().or_else(|| next.value["working-directory"].as_str());
    let name = options.text("name")?.unwrap_or("Apply database migrations");
    Ok(super::parts::command_step(name, &migration.command, &env, folder))
}

/// The step that option `before` names, by its name or its number from 1.
pub(super) fn named<'a>(steps: &[Step<'a>], before: &str) -> Option<Step<'a>> {
    let number: Option<usize> = before.parse().ok();
    steps.iter().find(|step| step.label() == before || number == Some(step.index + 1)).copied()
}
