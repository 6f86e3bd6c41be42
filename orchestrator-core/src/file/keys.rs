//! The keys of a pipeline file, with the shape and the meaning of each: the one table that decoding and the schema share.

pub(super) mod roadmap;

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// The version of the format.
    Version,
    /// Text.
    Text,
    /// Text, or a list of it.
    Texts,
    /// A name that fits a pattern.
    Name(&'static str),
    /// A name, or a list of names.
    Names(&'static str),
    /// True or false.
    Flag,
    /// A whole number from the first to the second.
    Count(u32, u32),
    /// A number from 0 to this.
    Amount(u32),
    /// A duration; not nothing where this says so.
    Duration,
    /// Bytes.
    Size,
    /// A condition.
    When,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A command: argv or a shell line.
    Command,
    /// Environment variables.
    Env,
    /// A folder below the root.
    Folder,
    /// How often a failed task is tried again.
    Retry,
    /// What the reuse of a result depends on, or whether there is any.
    Cache,
    /// A map.
    One(&'static Table),
    /// A list of maps.
    List(&'static Table),
    /// The settings.
    Settings,
    /// Variables.
    Vars,
    /// A map that something else understands.
    Config,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) about: &'static str,
}

/// The keys of a map.
#[derive(Debug)]
pub(super) struct Table {
    /// What the map is called in messages.
    pub(super) what: &'static str,
    /// Its keys, in lists that tables share.
    pub(super) parts: &'static [&'static [Key]],
    /// Keys that must be there.
    pub(super) required: &'static [&'static str],
    /// Which other keys it takes.
    pub(super) others: Others,
}

/// Which unknown keys a map takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// None.
    None,
    /// Those that start with `x-`; they mean nothing and hold anchors.
    Extensions,
    /// All.
    All,
}

impl Table {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.parts.iter().copied().flatten()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys().map(|key| key.name)
    }

    pub(super) fn takes(&self, key: &str) -> bool {
        match self.others {
            Others::All => true,
            Others::Extensions if key.starts_with("x-") => true,
            _ => self.names().any(|name| name == key),
        }
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about }
}

/// Pattern of a task's id.
pub(super) const TASK_ID: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";
/// Pattern of all other names.
pub(super) const NAME: &str = "^[a-z][a-z0-9_-]*$";
/// Pattern of a group as others name it.
pub(super) const GROUP_REF: &str = "^([a-z][a-z0-9_-]*/)?[a-z][a-z0-9_-]*$";

/// What may be limited by a number of tasks.
pub(super) const MANY: Shape = Shape::Count(1, 1_024);
/// How often a task may be tried.
pub(super) const ATTEMPTS: Shape = Shape::Count(1, 100);
/// The most processors that a task may weigh.
pub(super) const MOST_CPU: u32 = 4_096;
/// How far a command may reach.
pub(super) const EFFECT: Shape = Shape::Word(&["reads", "writes", "publishes"]);
/// How tasks of a group follow each other.
pub(super) const EXECUTION: Shape = Shape::Word(&["parallel", "sequential"]);
/// What starts first.
pub(super) const PRIORITY: Shape = Shape::Word(&["low", "medium", "high", "critical"]);
/// What kind of work.
pub(super) const KIND: Shape = Shape::Word(&["static", "test", "gate", "other"]);

/// The file itself.
pub(super) static PIPELINE: Table = Table {
    what: "pipeline",
    parts: &[&[
        key("version", Shape::Version, "Version of the format: 1."),
        key("name", Shape::Text, "Name of the pipeline; that of the project by default."),
        key("settings", Shape::Settings, "Settings of its runs; the environment and flags come on top."),
        key("vars", Shape::Vars, "Values for `${vars.NAME}` in all text below; one may use those above it."),
        key(
            "phases",
            Shape::List(&PHASE),
            "Stages of delivery; each waits for the one before unless it says otherwise.",
        ),
        key("$schema", Shape::Text, "For editors: where the schema of this file is."),
    ]],
    required: &["version", "phases"],
    others: Others::Extensions,
};

/// A phase.
pub(super) static PHASE: Table = Table {
    what: "phase",
    parts: &[&[
        key("name", Shape::Name(NAME), "Its name, unique in the pipeline."),
        key("title", Shape::Text, "What people read."),
        key("description", Shape::Text, "What it is for."),
        key(
            "depends_on",
            Shape::Names(NAME),
            "Phases that must have passed; by default the one before, [] for none.",
        ),
        key("parallel_with", Shape::Names(NAME), "Phases that may run at the same time."),
        key("groups", Shape::List(&GROUP), "Its groups of tasks."),
        key(
            "tasks",
            Shape::List(&TASK),
            "Its tasks, as one parallel group called `main`; instead of `groups`.",
        ),
        key(
            "checkpoint",
            Shape::One(&CHECKPOINT),
            "Validations after it; what depends on it waits until they hold.",
        ),
        key(
            "use",
            Shape::Name(NAME),
            "A registered phase that drafts the groups for this project: `standard`, or its name.",
        ),
        key("with", Shape::Config, "What the drafting phase is given; goes with `use`."),
    ]],
    required: &["name"],
    others: Others::None,
};

/// A group.
pub(super) static GROUP: Table = Table {
    what: "group",
    parts: &[&[
        key("name", Shape::Name(NAME), "Its name, unique in its phase."),
        key("title", Shape::Text, "What people read."),
        key("execution", EXECUTION, "How its tasks follow each other; parallel by default."),
        key(
            "fail_fast",
            Shape::Flag,
            "A failed task keeps the others from starting; the settings' by default.",
        ),
        key("max_parallel", MANY, "The most tasks of it at once."),
        key(
            "depends_on",
            Shape::Names(GROUP_REF),
            "Groups that must have passed: of this phase, or PHASE/GROUP.",
        ),
        key("tasks", Shape::List(&TASK), "Its tasks."),
    ]],
    required: &["name", "tasks"],
    others: Others::None,
};

/// What every task takes.
const COMMON: &[Key] = &[
    key("description", Shape::Text, "What it is for."),
    key("needs", Shape::Names(TASK_ID), "Tasks that must have passed."),
    key(
        "when",
        Shape::When,
        "When it runs: `always`, `passed(TASK)`, `failed(TASK)`, `passed(phase NAME)` or `failed(phase NAME)`; by default \
         when all it needs has passed.",
    ),
    key("timeout", Shape::Duration, "How long an attempt may take; the settings' by default."),
    key("retry", Shape::Retry, "How often it is tried; the settings' by default."),
    key("continue_on_error", Shape::Flag, "A failure does not fail its phase."),
    key("priority", PRIORITY, "What starts first when not all can; medium by default."),
    key("tags", Shape::Texts, "For `--tag`."),
    key("kind", KIND, "What kind of work: what --fast and --skip-tests leave out."),
    key("resources", Shape::One(&RESOURCES), "What it weighs against the machine."),
    key("inputs", Shape::Texts, "Files that it reads (globs); declared inputs make a task reusable."),
    key("outputs", Shape::Texts, "Files that it makes (paths or globs)."),
    key("once", Shape::Flag, "Where it passed in an earlier run with the same config, it is not done again."),
    key("cache", Shape::Cache, "What its reuse depends on besides `inputs`; `false`: it is never reused."),
];

/// What goes with `run`.
pub(super) const COMMAND: &[Key] = &[
    key("effect", EFFECT, "How far the command reaches; writes by default."),
    key("env", Shape::Env, "Environment variables besides the allow-list."),
    key("cwd", Shape::Folder, "The folder that it runs in; the root by default."),
    key("collect", Shape::Texts, "Files (paths or globs) to keep as artifacts afterwards."),
    key("undo", Shape::One(&UNDO), "How to reverse it, for rollback."),
];

const RUN: Key = key("run", Shape::Command, "A command: a list is argv, text is a shell line.");

/// A task.
pub(super) static TASK: Table = Table {
    what: "task",
    parts: &[
        &[
            key("id", Shape::Name(TASK_ID), "Unique in the pipeline."),
            RUN,
            key("uses", Shape::Name(NAME), "An agent by name."),
            key(
                "with",
                Shape::Config,
                "The agent's config; `{from: TASK/field}` takes another task's output.",
            ),
        ],
        COMMON,
        COMMAND,
    ],
    required: &["id"],
    others: Others::None,
};

/// A checkpoint.
pub(super) static CHECKPOINT: Table = Table {
    what: "checkpoint",
    parts: &[&[
        key("name", Shape::Name(NAME), "Its name; `checkpoint` by default."),
        key("validations", Shape::List(&VALIDATION), "What must hold; one task each."),
    ]],
    required: &["validations"],
    others: Others::None,
};

/// A validation: keys that are not a task's are the agent's config.
pub(super) static VALIDATION: Table = Table {
    what: "validation",
    parts: &[
        &[
            key("type", Shape::Name(NAME), "An agent by name."),
            key("id", Shape::Name(TASK_ID), "Unique in the pipeline; PHASE.checkpoint.N by default."),
        ],
        COMMON,
    ],
    required: &["type"],
    others: Others::All,
};

/// What a validation of type `command` takes besides.
pub(super) static VALIDATION_COMMAND: Table = Table {
    what: "validation of type `command`",
    parts: &[
        &[key("type", Shape::Name(NAME), "An agent by name."), key("id", Shape::Name(TASK_ID), ""), RUN],
        COMMON,
        COMMAND,
    ],
    required: &["run"],
    others: Others::None,
};

/// How to reverse a command.
pub(super) static UNDO: Table = Table {
    what: "undo",
    parts: &[&[
        RUN,
        key("effect", EFFECT, "How far the command reaches; writes by default."),
        key("env", Shape::Env, "Environment variables besides the allow-list."),
        key("cwd", Shape::Folder, "The folder that it runs in; the root by default."),
    ]],
    required: &["run"],
    others: Others::None,
};

/// Retries, in full.
pub(super) static RETRY: Table = Table {
    what: "retry",
    parts: &[&[
        key("attempts", ATTEMPTS, "Attempts in all."),
        key(
            "delay",
            Shape::Duration,
            "Before the second attempt, 1s by default; doubles from then on, with jitter.",
        ),
    ]],
    required: &["attempts"],
    others: Others::None,
};

/// What the reuse of a result depends on.
pub(super) static CACHE: Table = Table {
    what: "cache",
    parts: &[&[
        key("env", Shape::Texts, "Environment variables that count."),
        key("tools", Shape::Texts, "Tools whose versions count."),
        key("ttl", Shape::Duration, "How long a result may be reused at most."),
    ]],
    required: &[],
    others: Others::None,
};

/// Weights.
pub(super) static RESOURCES: Table = Table {
    what: "weight",
    parts: &[&[
        key("cpu", Shape::Amount(MOST_CPU), "Processors."),
        key("memory", Shape::Size, "Memory: 1GiB, 512MB, or a number of bytes."),
    ]],
    required: &[],
    others: Others::None,
};
