//! Edits of GitHub workflows that have a name: text in, text out. Each keeps comments, order and formatting, writes only
//! pinned actions, asks for the least permissions, and hands contexts to scripts through `env` alone.

mod add_approval_gates;
mod add_blue_green;
mod add_canary;
mod add_container_scanning;
mod add_deploy_migration;
mod add_health_checks;
mod add_migration_step;
mod add_path_filters;
mod add_perf_checks;
mod add_sbom_generation;
mod deploy;
mod file;
mod folders;
mod implement_production_deploy;
mod implement_staging_deploy;
mod job;
mod make_trivy_blocking;
mod migration;
mod node;
mod options;
mod parallelize_python_builds;
mod parts;
mod pins;
mod remove_continue_on_error;
mod shape;
mod splice;
mod spot;
#[cfg(test)]
mod tests;

use super::config_edit::actions::Named;
use super::config_edit::edited::Apply;

const fn named(name: &'static str, about: &'static str, apply: Apply) -> Named {
    Named { name, about, apply }
}

/// Every named edit of a workflow.
pub(crate) const ACTIONS: &[Named] = &[
    named(
        "remove_continue_on_error",
        "failures of jobs and steps count again",
        remove_continue_on_error::apply,
    ),
    named("add_migration_step", "database migrations are applied before tests", add_migration_step::apply),
    named(
        "add_deploy_migration",
        "database migrations are applied before a deployment",
        add_deploy_migration::apply,
    ),
    named("implement_staging_deploy", "a job really deploys to staging", implement_staging_deploy::apply),
    named(
        "implement_production_deploy",
        "a job really deploys to production",
        implement_production_deploy::apply,
    ),
    named(
        "add_approval_gates",
        "what goes to production waits for its environment",
        add_approval_gates::apply,
    ),
    named("make_trivy_blocking", "what trivy finds fails the run", make_trivy_blocking::apply),
    named(
        "parallelize_python_builds",
        "versions or folders of Python are built side by side",
        parallelize_python_builds::apply,
    ),
    named("add_path_filters", "the workflow runs only where its files changed", add_path_filters::apply),
    named("add_sbom_generation", "each run lists what the software is made of", add_sbom_generation::apply),
    named(
        "add_container_scanning",
        "an image with known vulnerabilities fails the run",
        add_container_scanning::apply,
    ),
    named("add_health_checks", "a deployment counts when its address answers", add_health_checks::apply),
    named(
        "add_blue_green",
        "the idle colour is deployed and asked before traffic goes there",
        add_blue_green::apply,
    ),
    named("add_canary", "traffic moves to a new version in steps, each asked", add_canary::apply),
    named(
        "add_perf_checks",
        "k6 measures an address and fails the run past thresholds",
        add_perf_checks::apply,
    ),
];
