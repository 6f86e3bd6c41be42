//! What a task depends on besides the content of its files, which is looked at later.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Reuse;
use crate::agent::{Dependencies, DynAgent, Task};
use crate::fingerprint::Fingerprint;
use crate::json::Json;
use crate::path::Digest;
use crate::plan::{Plan, PlannedTask};

/// All that the result of a task depends on, files by their patterns.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// The fingerprint, without files.
    pub(super) base: Fingerprint,
    /// Patterns of its inputs.
    pub(super) inputs: Vec<String>,
    /// Patterns of what the tasks that it follows make.
    pub(super) upstream: Vec<String>,
    /// How long a result may be reused at most.
    pub(super) ttl: Option<Duration>,
    /// Names all of the above but the time.
    pub(super) digest: Digest,
}

impl Reuse {
    /// What a task depends on; none where its result is never reused.
    pub(crate) fn spec(
        &self,
        plan: &Plan,
        planned: &PlannedTask,
        agent: &dyn DynAgent,
        task: &Task<Json>,
    ) -> Option<Spec> {
        if planned.reuse.off {
            return None;
        }
        let own = agent.depends_on(task);
        if own.is_none() && planned.inputs.is_empty() {
            return None;
        }
        let Dependencies { files, env, tools, fact } = own.unwrap_or_default();
        let inputs = [planned.inputs.as_slice(), &files].concat();
        let makers = planned.follows.iter().filter_map(|id| plan.find(id));
        let upstream: Vec<String> = makers.flat_map(|ix| plan.task(ix).outputs.clone()).collect();
        let env: BTreeMap<String, Option<Digest>> = planned
            .reuse
            .env
            .iter()
            .chain(&env)
            .map(|name| (name.clone(), self.variable(name)))
            .chain(self.counting.clone())
            .collect();
        let tools = planned.reuse.tools.iter().chain(&tools);
        let tools = tools.map(|tool| (tool.clone(), self.look.tool_version(tool))).collect();
        let base = Fingerprint {
            program: Fingerprint::PROGRAM.to_owned(),
            agent: planned.agent.clone(),
            agent_version: agent.version().to_owned(),
            config: task.config.clone(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            files: BTreeMap::new(),
            env,
            tools,
            outputs: planned.outputs.clone(),
        };
        let digest = digest(&base, &inputs, &upstream);
        let ttl = planned.reuse.ttl.or_else(|| fact.map(|fact| self.lifetimes.of(fact)));
        Some(Spec { base, inputs, upstream, ttl, digest })
    }

    /// The digest of the value of a variable that commands get.
    fn variable(&self, name: &str) -> Option<Digest> {
        self.look.variable(name).map(|value| Digest::of(value.as_encoded_bytes()))
    }
}

fn digest(base: &Fingerprint, inputs: &[String], upstream: &[String]) -> Digest {
    let bytes = serde_json::to_vec(&(base, inputs, upstream)).expect("a fingerprint has string keys only");
    Digest::of(&bytes)
}
