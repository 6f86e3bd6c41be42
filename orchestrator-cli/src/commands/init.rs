//! `init`: writes a commented pipeline file for the stack that is found.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use orchestrator_core::project::{Found, Project, Stack};
use orchestrator_core::registry::Registry;

use crate::args::InitArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::out::say;

/// The standard phases, and what they are for.
const PHASES: [(&str, &str); 6] = [
    ("restart_backup", "A verified backup of the working tree and of git, and a script that restores it."),
    ("code_generation", "Renders the templates that `with: {spec, templates}` names."),
    ("build_validation", "Formatter, linter, build and tests of the stack."),
    ("merge_integration", "Merges into the main branch, tags, writes changelog and release notes, pushes."),
    ("deployment", "Staging, then production; production needs DEPLOY_TO_PRODUCTION=true."),
    ("reports", "A summary as JSON and a page to open in a browser."),
];

const NAME: &str = "orchestration.yaml";

pub(super) fn init(front: &Front, args: InitArgs) -> Result<Exit, CliError> {
    let path = front.here.root.join(NAME);
    if let Some(file) =
        front.here.file.as_ref().filter(|file| file.exists() && (!args.force || **file != path))
    {
        let file = shown(file);
        let next = if args.force { "remove it first" } else { "change it, or replace it with `--force`" };
        return Err(CliError::usage(format!("there is a pipeline file already, `{file}`; {next}")));
    }
    let text = text(&front.project()?, &front.registry);
    let failed = |source| CliError::io(format!("`{}` could not be written", path.display()), source);
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = options.open(&path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::usage(format!("`{}` exists already; replace it with `--force`", shown(&path)))
        }
        _ => failed(error),
    })?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let path = shown(&path);
    say(&format!(
        "Wrote {path}. Look at what it does with `orchestrate plan`, then `orchestrate run --dry-run`."
    ));
    Ok(Exit::Passed)
}

fn stack(found: &Found) -> String {
    let name = match found.stack {
        Stack::Cargo => "Cargo",
        Stack::Npm => "npm",
        Stack::Python => "Python",
        Stack::Php => "PHP",
        Stack::Go => "Go",
    };
    format!("{name} ({})", found.manifest)
}

/// A command of the stack, as an example of a task of one's own.
fn example(project: &Project) -> &'static str {
    match project.stack().map(|found| found.stack) {
        Some(Stack::Cargo) => "[cargo, doc, --no-deps]",
        Some(Stack::Npm) => "[npm, run, docs]",
        Some(Stack::Python) => "[python3, -m, compileall, -q, .]",
        Some(Stack::Php) => "[composer, validate]",
        Some(Stack::Go) => "[go, vet, ./...]",
        None => "[make]",
    }
}

fn text(project: &Project, registry: &Registry) -> String {
    let found: Vec<String> = project.stacks.iter().map(stack).collect();
    let found = if found.is_empty() { "no stack that is known".to_owned() } else { found.join(", ") };
    let example = example(project);
    let known =
        PHASES.iter().filter(|(name, _)| registry.phases().keys().any(|known| known.as_str() == *name));
    let phases: String =
        known.map(|(name, about)| format!("  # {about}\n  - name: {name}\n    use: standard\n\n")).collect();
    format!(
        "\
# How this repository is delivered. Found here: {found}.
# `orchestrate plan` shows what it comes to, `orchestrate run --dry-run` what it would change.
# `orchestrate schema` prints the JSON Schema of this file, `orchestrate agents` what `uses` can name.
version: 1

settings:
  # How far a run may reach: reads (look only), writes (checkout and local refs), publishes (push, deploy).
  ceiling: writes
  # The most tasks at once; by default the number of processors.
  # jobs: 4
  # A failed task keeps the others from starting.
  fail_fast: false

phases:
{phases}  # A phase of your own. A list is a command with its arguments, a string a line for the shell.
  # - name: documentation
  #   depends_on: [build_validation]      # default: the phase before
  #   groups:
  #     - name: build
  #       execution: parallel             # or sequential
  #       tasks:
  #         - id: docs
  #           run: {example}
  #           effect: writes              # reads | writes | publishes
  #           inputs: [\"src/**\"]          # makes the result reusable while they do not change
  #           timeout: 10m
  #           retry: {{attempts: 2, delay: 1s}}
"
    )
}

#[cfg(test)]
mod tests {
    use orchestrator_core::file::Format;
    use orchestrator_core::pipeline::Pipeline;

    use super::*;

    #[test]
    fn what_is_written_is_a_pipeline() {
        let registry = orchestrator_agents::standard().with(orchestrator_reports::standard());
        // `environment` is for those who ask for it.
        let phases = registry.phases().keys().filter(|name| name.as_str() != "environment").count();
        let text = text(&Project::default(), &registry);
        let pipeline = Pipeline::parse(&text, Format::Yaml, NAME).unwrap();
        assert_eq!(pipeline.phases.len(), phases);
        let own = text.split_once("  # A phase of your own").unwrap();
        let uncommented: String =
            own.1.lines().skip(1).map(|line| format!("{}\n", line.replacen("# ", "", 1))).collect();
        let pipeline = Pipeline::parse(&format!("{}{uncommented}", own.0), Format::Yaml, NAME).unwrap();
        assert_eq!(pipeline.phases.len(), phases + 1);
    }
}
