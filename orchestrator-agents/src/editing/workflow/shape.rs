//! What jobs and steps are for, as far as their names and commands tell.

use super::file::Workflow;
use super::job::{Job, Step};

/// Where a deployment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Staging,
    Production,
}

impl Target {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Staging => &["staging", "stage", "preprod", "uat"],
            Self::Production => &["production", "prod", "prd", "live"],
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Staging => Self::Production,
            Self::Production => Self::Staging,
        }
    }

    pub(super) fn is_named(self, text: &str) -> bool {
        mentions(text, self.words())
    }
}

const DEPLOYS: [&str; 7] = ["deploy", "deploys", "deployment", "deploying", "rollout", "promote", "release"];

/// Commands that put something in place.
const DEPLOY_COMMANDS: [&str; 33] = [
    "kubectl apply",
    "kubectl rollout",
    "kubectl set image",
    "helm upgrade",
    "helm install",
    "docker stack deploy",
    "flyctl deploy",
    "fly deploy",
    "vercel deploy",
    "vercel --prod",
    "netlify deploy",
    "railway up",
    "serverless deploy",
    "sls deploy",
    "cdk deploy",
    "sam deploy",
    "terraform apply",
    "pulumi up",
    "aws ecs update-service",
    "aws s3 sync",
    "aws lambda update-function-code",
    "gcloud run deploy",
    "gcloud app deploy",
    "az webapp",
    "wrangler deploy",
    "firebase deploy",
    "heroku container:release",
    "npm run deploy",
    "pnpm run deploy",
    "pnpm deploy",
    "yarn deploy",
    "deploy.sh",
    "ansible-playbook",
];

/// Commands that apply migrations of a database.
const MIGRATIONS: [&str; 17] = [
    "prisma migrate",
    "knex migrate",
    "migrate:latest",
    "migrate:deploy",
    "drizzle-kit migrate",
    "alembic upgrade",
    "db:migrate",
    "migration:run",
    "manage.py migrate",
    "flyway migrate",
    "sqlx migrate",
    "diesel migration",
    "goose up",
    "dbmate up",
    "run migrate",
    "atlas migrate",
    "liquibase update",
];

/// Commands that test.
const TESTS: [&str; 19] = [
    "npm test",
    "npm t ",
    "npm run test",
    "pnpm test",
    "pnpm run test",
    "yarn test",
    "yarn run test",
    "bun test",
    "bun run test",
    "vitest",
    "jest",
    "pytest",
    "python -m unittest",
    "tox",
    "cargo test",
    "cargo nextest",
    "go test",
    "make test",
    "playwright test",
];

/// Whether one of these words stands in a text, whatever separates words there.
pub(super) fn mentions(text: &str, words: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut found = lower.split(|c: char| !c.is_ascii_alphanumeric());
    found.any(|word| words.contains(&word))
}

/// The lines of a script that do something.
fn lines(run: &str) -> impl Iterator<Item = &str> {
    run.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether one of these commands stands in a script; what is only said by `echo` does not count.
fn runs_any(step: &Step<'_>, commands: &[&str]) -> bool {
    let Some(run) = step.run() else { return false };
    lines(run).filter(|line| !is_said(line)).any(|line| {
        let line = format!("{} ", line.split_whitespace().collect::<Vec<_>>().join(" "));
        commands.iter().any(|command| line.contains(command))
    })
}

/// A line that only says something.
fn is_said(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let says = matches!(first, "echo" | "printf" | ":" | "true" | "sleep") || line == "exit 0";
    says && !line.contains(['>', '|', '`', '&', ';']) && !line.contains("$(")
}

/// A step that stands for work that is not done yet: it says something and does nothing.
pub(super) fn is_placeholder(step: &Step<'_>) -> bool {
    step.run().is_some_and(|run| lines(run).all(is_said))
}

pub(super) fn tests(step: &Step<'_>) -> bool {
    runs_any(step, &TESTS)
}

pub(super) fn migrates(step: &Step<'_>) -> bool {
    runs_any(step, &MIGRATIONS)
}

/// A step that deploys, or stands for it.
pub(super) fn deploys(step: &Step<'_>) -> bool {
    really_deploys(step)
        || (is_placeholder(step)
            && (mentions(step.name(), &DEPLOYS) || mentions(step.run().unwrap_or(""), &DEPLOYS)))
}

/// A step that deploys.
pub(super) fn really_deploys(step: &Step<'_>) -> bool {
    if is_placeholder(step) {
        return false;
    }
    let named = step.run().is_some() && mentions(step.name(), &["deploy", "deploys", "rollout"]);
    let action = step.action().is_some_and(|action| mentions(action, &["deploy", "deployment"]));
    runs_any(step, &DEPLOY_COMMANDS) || (named && !migrates(step)) || action
}

/// A job that deploys somewhere.
pub(super) fn is_deployment(job: &Job<'_>) -> bool {
    let named = |text: &str| mentions(text, &["deploy", "deploys", "deployment", "rollout", "promote"]);
    named(job.id)
        || named(job.name())
        || job.steps().iter().any(really_deploys)
        || job.calls().is_some_and(named)
}

/// Whether a deployment goes to this target, by the names of the job, its environment and its steps.
pub(super) fn goes_to(job: &Job<'_>, target: Target) -> bool {
    if !is_deployment(job) {
        return job.steps().iter().any(|step| deploys(step) && says(step, target));
    }
    let own =
        [job.id, job.name(), job.environment().unwrap_or_default()].iter().any(|text| target.is_named(text));
    own || job.steps().iter().any(|step| deploys(step) && says(step, target))
}

/// Whether a job is named for one target alone.
pub(super) fn is_for(job: &Job<'_>, target: Target) -> bool {
    [job.id, job.name(), job.environment().unwrap_or_default()].iter().any(|text| target.is_named(text))
}

/// Whether a step names a target.
pub(super) fn says(step: &Step<'_>, target: Target) -> bool {
    target.is_named(step.name()) || target.is_named(step.run().unwrap_or_default())
}

/// Whether a step runs all lines of a command, one after another.
pub(super) fn runs(step: &Step<'_>, command: &str) -> bool {
    let wanted: Vec<&str> = lines(command).collect();
    let has: Vec<&str> = lines(step.run().unwrap_or_default()).collect();
    !wanted.is_empty() && has.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether it shows that a job needs no more than to read the repository: its actions are known, and its scripts have no
/// token and push nothing.
pub(super) fn only_reads(job: &Job<'_>) -> bool {
    const KNOWN: [&str; 8] = [
        "actions/checkout",
        "actions/setup-python",
        "actions/setup-node",
        "actions/setup-go",
        "actions/setup-java",
        "actions/upload-artifact",
        "actions/download-artifact",
        "actions/cache",
    ];
    let text = job.value.to_string().to_ascii_lowercase();
    let tokens =
        ["github_token", "github.token", "secrets.", "git push", "docker push", "gh ", "ghcr.io", "id-token"];
    let known =
        |step: &Step<'_>| step.run().is_some() || step.action().is_some_and(|action| KNOWN.contains(&action));
    job.calls().is_none() && job.steps().iter().all(known) && !tokens.iter().any(|token| text.contains(token))
}

/// `build (Build), test` of a file, for errors.
pub(super) fn shown_jobs(file: &Workflow) -> String {
    let name = |job: &Job<'_>| {
        if job.name().is_empty() { job.id.to_owned() } else { format!("{} ({})", job.id, job.name()) }
    };
    file.jobs().iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Events that start the workflow.
pub(super) fn events(file: &Workflow) -> Vec<String> {
    let on = &file.value["on"];
    let listed = on.as_array().into_iter().flatten().filter_map(|event| event.as_str());
    let keyed = on.as_object().into_iter().flatten().map(|(event, _)| event.as_str());
    on.as_str().into_iter().chain(listed).chain(keyed).map(str::to_owned).collect()
}
