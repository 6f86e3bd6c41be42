//! The keys of a roadmap: the dialect with `orchestrator:`, `phase_N:` and `checkpoints:` at the top.

use super::{COMMON, EXECUTION, MANY, NAME, Others, Shape, TASK_ID, Table, key};

/// How often a failed task may be tried again.
pub(in crate::file) const RETRIES: Shape = Shape::Count(0, 99);
/// How many minutes an attempt may take.
pub(in crate::file) const MINUTES: Shape = Shape::Count(1, 100_000);

/// The top of a roadmap; phases are keys of their own.
pub(in crate::file) static ROADMAP: Table = Table {
    what: "roadmap",
    parts: &[&[
        key("orchestrator", Shape::One(&ABOUT), "What the roadmap is called, and the settings of its runs."),
        key("vars", Shape::Vars, "Values for `${vars.NAME}` in all text below; one may use those above it."),
        key("checkpoints", Shape::Config, "By `after_PHASE`: what must hold after a phase."),
        key("$schema", Shape::Text, "For editors: where the schema of this file is."),
    ]],
    required: &["orchestrator"],
    others: Others::All,
};

/// What is said of the roadmap.
pub(in crate::file) static ABOUT: Table = Table {
    what: "orchestrator",
    parts: &[&[
        key("name", Shape::Text, "Name of the pipeline; that of the project by default."),
        key("version", Shape::Text, "The version of the roadmap; for people."),
        key("description", Shape::Text, "What it is for."),
        key("project_root", Shape::Text, "The root of the project: the folder of this file, `.`."),
        key(
            "settings",
            Shape::One(&SETTINGS),
            "Settings of its runs; the environment and flags come on top.",
        ),
    ]],
    required: &[],
    others: Others::None,
};

/// Settings by the names of the dialect; those of pipelines are taken as well.
pub(in crate::file) static SETTINGS: Table = Table {
    what: "setting",
    parts: &[&[
        key("max_parallel_tasks", MANY, "The most tasks at once."),
        key("retry_attempts", RETRIES, "How often a failed task is tried again."),
        key("retry_delay_seconds", Shape::Amount(3_600), "Before the first retry; doubles from then on."),
        key("timeout_minutes", MINUTES, "How long an attempt of a task may take."),
        key("notifications", Shape::One(&NOTIFICATIONS), "What is told, and where."),
    ]],
    required: &[],
    others: Others::All,
};

/// What is told, and where.
pub(in crate::file) static NOTIFICATIONS: Table = Table {
    what: "notification",
    parts: &[&[
        key("on_phase_complete", Shape::Flag, "Whether a phase that passed is told."),
        key("on_failure", Shape::Flag, "Whether a phase in which a task failed is told."),
        key(
            "slack_webhook",
            Shape::Text,
            "`${NAME}`: the secret that holds the address of an incoming webhook.",
        ),
    ]],
    required: &[],
    others: Others::None,
};

/// A phase.
pub(in crate::file) static PHASE: Table = Table {
    what: "phase of a roadmap",
    parts: &[&[
        key("name", Shape::Text, "What people read."),
        key("description", Shape::Text, "What it is for."),
        key("estimated_duration", Shape::Text, "How long it may take; for people."),
        key(
            "depends_on",
            Shape::Names(PHASE_REF),
            "Phases that must have passed; by default the one before, [] for none.",
        ),
        key("parallel_with", Shape::Names(PHASE_REF), "Phases that may run at the same time."),
        key("groups", Shape::Config, "Its groups by name."),
    ]],
    required: &["groups"],
    others: Others::None,
};

/// A group.
pub(in crate::file) static GROUP: Table = Table {
    what: "group of a roadmap",
    parts: &[&[
        key("name", Shape::Text, "What people read."),
        key("description", Shape::Text, "What it is for."),
        key("execution", EXECUTION, "How its tasks follow each other; parallel by default."),
        key(
            "fail_fast",
            Shape::Flag,
            "A failed task keeps the others from starting; the settings' by default.",
        ),
        key("max_parallel", MANY, "The most tasks of it at once."),
        key(
            "depends_on",
            Shape::Names(super::GROUP_REF),
            "Groups that must have passed: of this phase, or PHASE/GROUP.",
        ),
        key("tasks", Shape::List(&TASK), "Its tasks."),
    ]],
    required: &["tasks"],
    others: Others::None,
};

/// A task; keys that are not here are the agent's config.
pub(in crate::file) static TASK: Table = Table {
    what: "task of a roadmap",
    parts: &[
        &[
            key("id", Shape::Name(TASK_ID), "Unique in the roadmap."),
            key("name", Shape::Text, "What people read."),
            key(
                "type",
                Shape::Name(NAME),
                "An agent by name: `config_edit`, `test_generation`, `file_generation`, `manual`, or any other.",
            ),
            key("depends_on", Shape::Names(TASK_ID), "Tasks that must have passed; the same as `needs`."),
            key("requires_manual", Shape::Flag, "A person must agree before it is done."),
        ],
        COMMON,
    ],
    required: &["id", "type"],
    others: Others::All,
};

/// What tasks of the dialect may say besides. An agent gets those that are about its work; the others are for people.
pub(in crate::file) const SAID: [&str; 8] =
    ["target", "action", "test_file", "language", "test_type", "templates", "thresholds", "estimated_cases"];

/// Which of them the agents of the dialect take.
pub(in crate::file) const TAKEN: [(&str, &[&str]); 4] = [
    ("config_edit", &["target", "action", "thresholds"]),
    ("test_generation", &["target", "test_file", "language", "test_type", "templates", "estimated_cases"]),
    ("file_generation", &["target", "templates", "language"]),
    ("manual", &[]),
];

/// What must hold after a phase.
pub(in crate::file) static CHECKPOINT: Table = Table {
    what: "checkpoint of a roadmap",
    parts: &[&[
        key("name", Shape::Text, "What people read."),
        key("description", Shape::Text, "What it is for."),
        key("validations", Shape::List(&VALIDATION), "What must hold; one task each."),
    ]],
    required: &["validations"],
    others: Others::None,
};

/// A phase as others name it: `phase_1`, or `1`.
pub(in crate::file) const PHASE_REF: &str = "^([a-z][a-z0-9_-]*|[0-9]+)$";

/// A validation; one of type `command` may say its command as `target`.
pub(in crate::file) static VALIDATION: Table = Table {
    what: "validation of a roadmap",
    parts: super::VALIDATION.parts,
    required: super::VALIDATION.required,
    others: Others::All,
};
