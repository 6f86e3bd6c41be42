//! Messages of a roadmap: a task for each phase and event, in a phase of their own that waits for nothing.

use serde_json::json;

use crate::file::cursor::Cursor;
use crate::file::keys::Table;
use crate::id::{AgentName, GroupName, PhaseName, TaskId};
use crate::pipeline::{GroupSpec, PhaseSpec, TaskSpec, When};

/// What is told, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifications {
    complete: bool,
    failure: bool,
    webhook: Option<String>,
}

impl Notifications {
    pub(super) fn read(at: &Cursor<'_>, table: &Table) -> Self {
        let mut read = Self::default();
        at.each_key(table, |key, value| match key {
            "on_phase_complete" => read.complete = value.flag().unwrap_or_default(),
            "on_failure" => read.failure = value.flag().unwrap_or_default(),
            "slack_webhook" => read.webhook = secret(&value),
            _ => {}
        });
        if (read.complete || read.failure) && at.node.get("slack_webhook").is_none() {
            at.wrong("it says when to tell and not where: add `slack_webhook: ${SLACK_WEBHOOK}`");
        }
        read
    }

    /// The phase of the messages; none where nothing is told.
    pub(super) fn phase(&self, phases: &[PhaseSpec]) -> Option<PhaseSpec> {
        let webhook = self.webhook.as_ref()?;
        let mut group = GroupSpec::new(GroupName::new("messages").expect("the name fits its pattern"));
        for phase in phases {
            let title = phase.title.as_deref().unwrap_or(phase.name.as_str());
            let name = &phase.name;
            if self.complete {
                let when = When::PhasePassed(name.clone());
                group.tasks.extend(message(webhook, name, "passed", when, &format!("{title}: passed")));
            }
            if self.failure {
                let when = When::PhaseFailed(name.clone());
                group.tasks.extend(message(webhook, name, "failed", when, &format!("{title}: failed")));
            }
        }
        let mut phase = PhaseSpec::new(PhaseName::new("notifications").expect("the name fits its pattern"));
        phase.title = Some("Notifications".into());
        phase.depends_on = Some(Vec::new());
        (!group.tasks.is_empty()).then(|| phase.group(group))
    }
}

fn message(webhook: &str, phase: &PhaseName, how: &str, when: When, text: &str) -> Option<TaskSpec> {
    let id = TaskId::new(format!("notify.{phase}.{how}")).ok()?;
    let agent = AgentName::new("slack_message").expect("the name fits its pattern");
    let mut task =
        TaskSpec::new(id, agent, json!({ "webhook": { "secret": webhook }, "text": text })).when(when);
    task.description = Some(format!("Tell that {phase} {how}"));
    // A message that does not get through does not make the work fail.
    task.continue_on_error = true;
    Some(task)
}

/// `${NAME}`: the name of a secret. An address itself has no place in a file.
fn secret(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    let name = name.filter(is_name);
    if name.is_none() {
        at.wrong("whoever has the address can post: say `${NAME}`, and give the address as the secret of that name");
    }
    name.map(str::to_owned)
}
