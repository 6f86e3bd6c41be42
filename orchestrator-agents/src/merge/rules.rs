//! Rules that solve conflicts: what a pipeline says of paths, and what is built in. Only what a rule says is done, never a guess.

use orchestrator_core::BoxError;
use orchestrator_core::patterns::Patterns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How conflicts are solved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Rules for paths; the first that matches a file counts, before the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Which of the built-in rules count.
    pub builtin: BuiltIn,
}

/// A rule for paths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Paths, folders or globs; `!` in front leaves out.
    pub paths: Vec<String>,
    /// What is done.
    pub r#use: Use,
    /// For `regenerate`: the command that writes the file, in the root of a worktree where all else is merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// What a rule does with a file that conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// As it is where the branch goes into.
    Ours,
    /// As it is on the branch that is merged.
    Theirs,
    /// The lines of both, ours first.
    Union,
    /// Written anew by a command.
    Regenerate,
    /// Left to a person, whatever is built in.
    Person,
}

/// Rules that are built in; each can be turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BuiltIn {
    /// Resolutions that git has recorded (`git rerere`), where the repository records them.
    pub rerere: bool,
    /// Changelogs: the entries of both, each once.
    pub changelogs: bool,
    /// Lockfiles: brought up to the merged manifest by their own tool.
    pub lockfiles: bool,
    /// Structural merges by `mergiraf`, where it is installed.
    pub mergiraf: bool,
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self { rerere: true, changelogs: true, lockfiles: true, mergiraf: true }
    }
}

/// The most rules of a pipeline.
const MOST: usize = 200;

impl Rules {
    /// Whether they make sense.
    pub fn check(&self) -> Result<(), BoxError> {
        if self.rules.len() > MOST {
            return Err(format!("`rules` has {} entries; at most {MOST} are taken", self.rules.len()).into());
        }
        for Rule { paths, r#use, command } in &self.rules {
            if paths.is_empty() {
                return Err("a rule for conflicts has no `paths`".into());
            }
            Patterns::parse(paths)?;
            if (*r#use == Use::Regenerate) == command.is_empty() {
                return Err(format!(
                    "the rule for `{}` must have a `command` if it says `regenerate`, and only then",
                    paths.join("`, `")
                )
                .into());
            }
        }
        Ok(())
    }

    /// The rule for a path.
    pub(super) fn of(&self, path: &str) -> Result<Option<&Rule>, BoxError> {
        for rule in &self.rules {
            if Patterns::parse(&rule.paths)?.matches(path) {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }
}

/// A tool that brings a lockfile up to its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lockfile {
    /// The name of the file.
    pub(super) name: &'static str,
    /// What it follows from.
    pub(super) manifest: &'static str,
    /// The commands that bring it up to date: each is tried if the one before failed.
    pub(super) update: &'static [&'static [&'static str]],
    /// Commands that fail where it does not fit its manifest: each must pass.
    pub(super) check: &'static [&'static [&'static str]],
}

/// Lockfiles and their tools.
pub(super) const LOCKFILES: [Lockfile; 7] = [
    Lockfile {
        name: "Cargo.lock",
        manifest: "Cargo.toml",
        update: &[&["cargo", "update", "--workspace", "--offline"], &["cargo", "update", "--workspace"]],
        check: &[&["cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--no-deps"]],
    },
    Lockfile {
        name: "package-lock.json",
        manifest: "package.json",
        update: &[
            &[
                "npm",
                "install",
                "--package-lock-only",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--offline",
            ],
            &["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"],
        ],
        check: &[&[
            "npm",
            "ci",
            "--dry-run",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
        ]],
    },
    Lockfile {
        name: "pnpm-lock.yaml",
        manifest: "package.json",
        update: &[
            &["pnpm", "install", "--lockfile-only", "--ignore-scripts", "--offline"],
            &["pnpm", "install", "--lockfile-only", "--ignore-scripts"],
        ],
        check: &[&["pnpm", "install", "--lockfile-only", "--frozen-lockfile", "--ignore-scripts"]],
    },
    Lockfile {
        name: "yarn.lock",
        manifest: "package.json",
        update: &[
            &["yarn", "install", "--mode", "update-lockfile"],
            &["yarn", "install", "--ignore-scripts", "--non-interactive"],
        ],
        check: &[&["yarn", "install", "--immutable", "--mode", "update-lockfile"]],
    },
    Lockfile {
        name: "poetry.lock",
        manifest: "pyproject.toml",
        update: &[&["poetry", "lock", "--no-interaction"]],
        check: &[&["poetry", "check", "--lock"]],
    },
    Lockfile {
        name: "uv.lock",
        manifest: "pyproject.toml",
        update: &[&["uv", "lock", "--offline"], &["uv", "lock"]],
        check: &[&["uv", "lock", "--check", "--offline"]],
    },
    Lockfile {
        name: "composer.lock",
        manifest: "composer.json",
        update: &[&[
            "composer",
            "update",
            "--minimal-changes",
            "--no-install",
            "--no-scripts",
            "--no-plugins",
            "--no-interaction",
            "--no-audit",
        ]],
        check: &[&["composer", "validate", "--no-check-all", "--no-check-publish", "--no-plugins"]],
    },
];

/// The tool for a path; none where it is no lockfile that is known.
pub(super) fn lockfile(path: &str) -> Option<&'static Lockfile> {
    let name = path.rsplit('/').next()?;
    LOCKFILES.iter().find(|lockfile| lockfile.name == name)
}

/// Whether a file is a changelog by its name.
pub(super) fn is_changelog(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let stem = name.strip_suffix(".md").or_else(|| name.strip_suffix(".markdown")).unwrap_or(&name);
    matches!(stem, "changelog" | "changes" | "history") && stem != name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(paths: &[&str], r#use: Use, command: &[&str]) -> Rule {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Rule { paths: owned(paths), r#use, command: owned(command) }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules =
            vec![rule(&["docs/*.md", "!docs/a.md"], Use::Ours, &[]), rule(&["docs"], Use::Theirs, &[])];
        let rules = Rules { rules, ..Rules::default() };
        rules.check().unwrap();
        let of = |path| rules.of(path).unwrap().map(|rule| rule.r#use);
        assert_eq!((of("docs/b.md"), of("docs/a.md"), of("x")), (Some(Use::Ours), Some(Use::Theirs), None));
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let refused = |rule| Rules { rules: vec![rule], ..Rules::default() }.check().unwrap_err().to_string();
        assert!(refused(rule(&[], Use::Ours, &[])).contains("no `paths`"));
        assert!(refused(rule(&["a"], Use::Regenerate, &[])).contains("must have a `command`"));
        assert!(refused(rule(&["a"], Use::Union, &["x"])).contains("only then"));
        assert!(Rules { rules: vec![rule(&["../a"], Use::Ours, &[])], ..Rules::default() }.check().is_err());
    }

    #[test]
    fn files_are_known_by_their_names() {
        assert_eq!(lockfile("a/uv.lock").unwrap().manifest, "pyproject.toml");
        assert!(lockfile("a/my-uv.lock").is_none());
        assert!(is_changelog("CHANGELOG.md") && is_changelog("a/Changes.md"));
        assert!(!is_changelog("changelog") && !is_changelog("changelog.rs"));
    }
}
