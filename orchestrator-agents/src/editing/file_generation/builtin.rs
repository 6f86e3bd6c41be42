//! The templates that ship: their names, the languages that they are made in, and the files that they become.

use super::config::Language::{self, Javascript, Json, Markdown, Python, Typescript, Yaml};

/// A template that ships.
pub(super) struct Builtin {
    /// As configs name it.
    pub(super) name: &'static str,
    /// What it can be made as: a language, the file that it becomes in a folder, the template's name among [`text`].
    pub(super) forms: &'static [Form],
}

/// A language, the file that a template becomes in a folder, and the name of its text.
pub(super) type Form = (Language, &'static str, &'static str);

macro_rules! texts {
    ($($name:literal)*) => {
        /// The text of a template that ships, by name.
        pub(super) fn text(name: &str) -> Option<&'static str> {
            match name {
                $($name => Some(include_str!(concat!("templates/", $name))),)*
                _ => None,
            }
        }
    };
}

texts! {
    "assessments.json.j2" "assessments.py.j2" "assessments.ts.j2"
    "communities.json.j2" "communities.py.j2" "communities.ts.j2"
    "conftest.py.j2"
    "database_helper.py.j2" "database_helper.ts.j2"
    "deployment_guide.md.j2" "deployment_runbook.md.j2" "incident_runbook.md.j2"
    "integration_helper.ts.j2"
    "parts/commands.md.j2" "parts/deploying.md.j2" "parts/health.md.j2" "parts/incident.md.j2" "parts/rolling_back.md.j2"
    "rollback_runbook.md.j2" "rollback_workflow.yml.j2" "runbook.md.j2" "testing_guide.md.j2"
    "users.json.j2" "users.py.j2" "users.ts.j2"
}

/// All that ship, by name.
pub(super) static ALL: [Builtin; 13] = [
    Builtin {
        name: "assessments",
        forms: &[
            (Typescript, "assessments.ts", "assessments.ts.j2"),
            (Javascript, "assessments.js", "assessments.ts.j2"),
            (Python, "assessments.py", "assessments.py.j2"),
            (Json, "assessments.json", "assessments.json.j2"),
        ],
    },
    Builtin {
        name: "communities",
        forms: &[
            (Typescript, "communities.ts", "communities.ts.j2"),
            (Javascript, "communities.js", "communities.ts.j2"),
            (Python, "communities.py", "communities.py.j2"),
            (Json, "communities.json", "communities.json.j2"),
        ],
    },
    Builtin { name: "conftest", forms: &[(Python, "conftest.py", "conftest.py.j2")] },
    Builtin {
        name: "database_helper",
        forms: &[
            (Typescript, "database.ts", "database_helper.ts.j2"),
            (Javascript, "database.js", "database_helper.ts.j2"),
            (Python, "database.py", "database_helper.py.j2"),
        ],
    },
    Builtin { name: "deployment_guide", forms: &[(Markdown, "deployment.md", "deployment_guide.md.j2")] },
    Builtin {
        name: "deployment_runbook",
        forms: &[(Markdown, "deployment-runbook.md", "deployment_runbook.md.j2")],
    },
    Builtin {
        name: "incident_runbook",
        forms: &[(Markdown, "incident-runbook.md", "incident_runbook.md.j2")],
    },
    Builtin {
        name: "integration_helper",
        forms: &[
            (Typescript, "app.ts", "integration_helper.ts.j2"),
            (Javascript, "app.js", "integration_helper.ts.j2"),
        ],
    },
    Builtin {
        name: "rollback_runbook",
        forms: &[(Markdown, "rollback-runbook.md", "rollback_runbook.md.j2")],
    },
    Builtin { name: "rollback_workflow", forms: &[(Yaml, "rollback.yml", "rollback_workflow.yml.j2")] },
    Builtin { name: "runbook", forms: &[(Markdown, "runbook.md", "runbook.md.j2")] },
    Builtin { name: "testing_guide", forms: &[(Markdown, "testing.md", "testing_guide.md.j2")] },
    Builtin {
        name: "users",
        forms: &[
            (Typescript, "users.ts", "users.ts.j2"),
            (Javascript, "users.js", "users.ts.j2"),
            (Python, "users.py", "users.py.j2"),
            (Json, "users.json", "users.json.j2"),
        ],
    },
];
