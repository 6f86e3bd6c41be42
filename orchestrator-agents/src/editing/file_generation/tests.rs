//! Templates on projects of several shapes, and merges through a real orchestrator.

mod merges;
mod rendered;
mod templates;
mod workflow;

use orchestrator_core::Orchestrator;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::local::Local;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::report::RunRecord;
use orchestrator_core::store::JsonlStore;
use serde_json::{Value, json};

use super::config::FileGenerationConfig;
use super::draft::Drafts;
use super::{FileGeneration, Generated};
use crate::rig::Rig;

/// A Fastify service in TypeScript with a database, workflows and a repository on GitHub.
fn fastify() -> Rig {
    let rig = Rig::bare();
    let manifest = json!({
        "name": "@school/api", "version": "1.2.0", "description": "Courses <and> \"marks\".", "type": "module",
        "engines": { "node": ">=20" },
        "scripts": {
            "build": "tsc", "dev": "tsx watch src/server.ts", "start": "node dist/server.js", "test": "vitest run",
            "pretest": "npm run lint", "test:e2e": "vitest run e2e", "lint": "eslint .", "deploy": "./deploy.sh",
            "db:migrate": "knex migrate:latest", "db:rollback": "knex migrate:rollback", "watch": "tsc -w",
        },
        "dependencies": { "fastify": "^5", "knex": "^3", "pg": "^8" }, "devDependencies": { "typescript": "^5" },
    });
    rig.write("package.json", &manifest.to_string());
    rig.write("package-lock.json", "{}");
    rig.write(
        "src/app.ts",
        "import Fastify from 'fastify';\n\nexport async function buildApp() {\n  return Fastify();\n}\n",
    );
    rig.write(".github/workflows/ci.yml", "name: CI\non: [push, pull_request]\njobs: {}\n");
    rig.write(".github/workflows/deploy.yml", "name: Deploy\non:\n  workflow_dispatch:\njobs: {}\n");
    rig.write(".git/config", "[remote \"origin\"]\n\turl = git@github.com:school/api.git\n");
    rig.write(".git/refs/heads/main", "");
    rig.write("node_modules/other/package.json", r#"{"name": "other", "scripts": {"test": "x"}}"#);
    rig
}

/// A service of `FastAPI` in a folder of a repository, managed by uv.
fn fastapi() -> Rig {
    let rig = Rig::bare();
    let manifest = "[project]\nname = \"shop\"\nversion = \"0.3.0\"\nrequires-python = \">=3.11\"\n\
        dependencies = [\"fastapi>=0.110\", \"SQLAlchemy>=2\", \"alembic\"]\n\
        [dependency-groups]\ndev = [\"pytest\", \"pytest-asyncio\", \"httpx\", \"ruff\"]\n";
    rig.write("api/pyproject.toml", manifest);
    rig.write("api/uv.lock", "");
    rig.write("api/src/shop/main.py", "from fastapi import FastAPI\n\napp = FastAPI(title='shop')\n");
    rig
}

/// JavaScript with a makefile, and little else.
fn makefile() -> Rig {
    let rig = Rig::bare();
    rig.write("package.json", r#"{"name": "tool", "dependencies": {"pg": "^8"}}"#);
    rig.write(
        "Makefile",
        ".PHONY: test\nVERSION := 1\ntest: build\n\tnode --test\nbuild:\n\ttrue\ndeploy:\n\t./ship\n",
    );
    rig
}

fn config(config: Value) -> FileGenerationConfig {
    serde_json::from_value(config).unwrap()
}

/// The files of a task, and what is left for a person.
fn drafts(rig: &Rig, asked: Value) -> Result<Drafts, String> {
    Drafts::of(&config(asked), &rig.look()).map_err(|error| error.to_string())
}

/// The text of the only file of a task.
fn text(rig: &Rig, asked: Value) -> String {
    let drafts = drafts(rig, asked).unwrap();
    assert_eq!(drafts.files.len(), 1);
    drafts.files.into_iter().next().unwrap().now
}

/// A project under the real orchestrator.
struct Real {
    rig: Rig,
    orchestrator: Orchestrator,
}

impl Real {
    fn of(rig: Rig) -> Self {
        let executor = Local::new(&rig.root).environment(rig.env.clone());
        let store = JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
        Self { orchestrator: Orchestrator::new(executor, store).agent(FileGeneration), rig }
    }

    async fn run(&self, config: Value, ceiling: Effect) -> RunRecord {
        let task = TaskSpec::of::<FileGeneration>("files", &super::tests::config(config)).unwrap();
        let group = GroupSpec::new(GroupName::new("group").unwrap()).task(task);
        let phase = PhaseSpec::new(PhaseName::new("phase").unwrap()).group(group);
        let plan = self.orchestrator.plan(&Pipeline::new("test").phase(phase)).unwrap();
        self.orchestrator.run(&plan, ceiling).await.unwrap()
    }

    /// Runs it for real; says what was concluded.
    async fn said(&self, config: Value) -> (String, Option<Generated>) {
        concluded(&self.run(config, Effect::Writes).await)
    }

    fn there(&self, path: &str) -> bool {
        self.rig.root.join(path).exists()
    }
}

/// Summary and output of the only task; a failure's causes are part of what it says.
fn concluded(record: &RunRecord) -> (String, Option<Generated>) {
    let task = record.state.tasks().first().unwrap();
    let end = task.end.clone().expect("the task has ended");
    let failure = end.failure.map(|failure| failure.to_string());
    let conclusion = end.conclusion;
    let output = conclusion.as_ref().and_then(|conclusion| conclusion.output.as_ref()?.parse().ok());
    let summary = conclusion.map(|conclusion| conclusion.summary).filter(|summary| !summary.is_empty());
    (summary.or(failure).unwrap_or_default(), output)
}
