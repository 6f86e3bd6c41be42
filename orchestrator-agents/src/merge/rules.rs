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
    /// What such a file has in it, where several formats share the name; else empty.
    pub(super) holds: &'static str,
    /// How versions of the tool for that format begin, up to the first dot; empty: all.
    pub(super) series: &'static [&'static str],
    /// What is set in the environment of its commands.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// The commands that bring it up to date: each is tried if the one before failed. [`CHANGED`] stands for names.
    pub(super) update: &'static [&'static [&'static str]],
    /// Commands that fail where it does not fit its manifest: each must pass.
    pub(super) check: &'static [&'static [&'static str]],
}

/// In a command: the packages that are required otherwise than by our manifest.
pub(super) const CHANGED: &str = "{changed}";

const ANY: Lockfile =
    Lockfile { name: "", manifest: "", holds: "", series: &[], env: &[], update: &[], check: &[] };

/// Lockfiles and their tools. None of the commands runs scripts of packages.
pub(super) const LOCKFILES: [Lockfile; 8] = [
    Lockfile {
        name: "Cargo.lock",
        manifest: "Cargo.toml",
        update: &[&["cargo", "update", "--workspace", "--offline"], &["cargo", "update", "--workspace"]],
        check: &[&["cargo", "update", "--workspace", "--locked", "--offline"]],
        ..ANY
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
        ..ANY
    },
    Lockfile {
        name: "pnpm-lock.yaml",
        manifest: "package.json",
        update: &[
            &["pnpm", "install", "--lockfile-only", "--no-frozen-lockfile", "--ignore-scripts", "--offline"],
            &["pnpm", "install", "--lockfile-only", "--no-frozen-lockfile", "--ignore-scripts"],
        ],
        check: &[&["pnpm", "install", "--lockfile-only", "--frozen-lockfile", "--ignore-scripts"]],
        ..ANY
    },
    // The first series knows neither `--mode` nor `--immutable`, takes them nevertheless, and runs scripts.
    Lockfile {
        name: "yarn.lock",
        manifest: "package.json",
        holds: "# yarn lockfile v1",
        series: &["1"],
        update: &[
            &["yarn", "install", "--ignore-scripts", "--non-interactive", "--offline"],
            &["yarn", "install", "--ignore-scripts", "--non-interactive"],
        ],
        check: &[&["yarn", "install", "--frozen-lockfile", "--ignore-scripts", "--non-interactive"]],
        ..ANY
    },
    Lockfile {
        name: "yarn.lock",
        manifest: "package.json",
        holds: "__metadata:",
        series: &["2", "3", "4", "5", "6"],
        update: &[&["yarn", "install", "--no-immutable", "--mode=update-lockfile"]],
        check: &[&["yarn", "install", "--immutable", "--mode=skip-build"]],
        ..ANY
    },
    Lockfile {
        name: "poetry.lock",
        manifest: "pyproject.toml",
        // Else it makes an environment for each folder that it ever sees, outside of it.
        env: &[("POETRY_VIRTUALENVS_CREATE", "false")],
        // Before 2 it moves all versions unless it is told not to; since then it never does, and refuses to be told.
        update: &[
            &["poetry", "lock", "--no-interaction", "--no-update"],
            &["poetry", "lock", "--no-interaction"],
        ],
        check: &[&["poetry", "check", "--lock", "--no-interaction"]],
        ..ANY
    },
    Lockfile {
        name: "uv.lock",
        manifest: "pyproject.toml",
        update: &[&["uv", "lock", "--offline"], &["uv", "lock"]],
        check: &[&["uv", "lock", "--check", "--offline"]],
        ..ANY
    },
    Lockfile {
        name: "composer.lock",
        manifest: "composer.json",
        // `--minimal-changes` is there since 2.7; before, what changed must be named so that the rest stays.
        update: &[
            &[
                "composer",
                "update",
                "--minimal-changes",
                "--no-install",
                "--no-scripts",
                "--no-plugins",
                "--no-interaction",
                "--no-audit",
            ],
            &[
                "composer",
                "update",
                CHANGED,
                "--with-dependencies",
                "--no-install",
                "--no-scripts",
                "--no-plugins",
                "--no-interaction",
                "--no-audit",
            ],
        ],
        check: &[&[
            "composer",
            "validate",
            "--no-check-all",
            "--no-check-publish",
            "--no-plugins",
            "--no-interaction",
        ]],
        ..ANY
    },
];

/// The tool for a path; none where it is no lockfile that is known.
pub(super) fn lockfile(path: &str) -> Option<&'static Lockfile> {
    let name = path.rsplit('/').next()?;
    LOCKFILES.iter().find(|lockfile| lockfile.name == name)
}

impl Lockfile {
    /// The one for what such a file has in it, where formats share its name; itself where no other is meant.
    pub(super) fn for_text(&'static self, text: &[u8]) -> &'static Self {
        LOCKFILES.iter().find(|other| other.name == self.name && other.is_in(text)).unwrap_or(self)
    }

    /// Whether a text is of this format, by what must be in it.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.holds.is_empty() || text.windows(self.holds.len()).any(|part| part == self.holds.as_bytes())
    }
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
        let series = |text: &str| lockfile("yarn.lock").unwrap().for_text(text.as_bytes()).series;
        assert_eq!(series("# yarn lockfile v1\n\n"), ["1"]);
        assert!(series("# generated\n\n__metadata:\n  version: 8\n").contains(&"4"));
        assert!(is_changelog("CHANGELOG.md") && is_changelog("a/Changes.md"));
        assert!(!is_changelog("changelog") && !is_changelog("changelog.rs"));
    }
}
