//! How a generated file gets to stand: merged, written, run once, kept or put back. All that is known is carried from round
//! to round, so that a run that was cut off ends as it would have.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, EnvValue, Expects, Remove, Run, Write};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;
use serde::{Deserialize, Serialize};

use super::config::LanguageName;
use super::language::{Generated, Ran};
use super::left_out::{LeftOut, without};
use crate::editing::generated::{Merged, base, merge, writes};

/// How often cases that fail are taken out before the file is given up.
const TRIES: u32 = 2;

/// A generated file on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trial {
    /// Where it goes.
    pub(super) path: RelPath,
    /// Its language.
    pub(super) language: LanguageName,
    /// What was generated. Its text is the formatted one once there is one.
    pub(super) generated: Generated,
    /// The cases that were left out, each with why.
    pub(super) left_out: Vec<(String, String)>,
    /// What stands.
    pub(super) stands: Option<String>,
    /// What was generated last time.
    pub(super) base: Option<String>,
    /// The formatter.
    pub(super) formatter: Option<Vec<String>>,
    /// How it is run, or why not.
    pub(super) runner: Result<Running, String>,
    /// Where it is on its way.
    pub(super) stage: Stage,
}

/// A runner of tests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) tool: String,
    pub(super) argv: Vec<String>,
    pub(super) cwd: RelPath,
}

/// Where a file is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// No case could be made.
    Nothing,
    /// The formatter says what it is to hold.
    Formatting,
    /// It stands.
    AlreadySo {
        /// With edits of a person.
        edited: bool,
    },
    /// It needs a person, for this reason.
    Conflict(String),
    /// It is written with this and run.
    Trying {
        /// The whole text.
        text: String,
        /// What the round replaces: what stands, or what the round before wrote.
        replaces: Option<String>,
        /// What was generated, as the round before remembered it.
        remembered: Option<String>,
        /// How many rounds were before it.
        tries: u32,
    },
    /// What stood is put back.
    Restoring {
        /// What was wrong.
        why: String,
        /// The text that was written, which is all that may be replaced.
        wrote: String,
    },
}

impl Trial {
    /// What the survey found; the stage is decided.
    pub(super) fn begin(mut self) -> Self {
        if self.generated.cases.is_empty() {
            self.stage = Stage::Nothing;
        } else if self.formatter.is_none() {
            self.decide();
        }
        self
    }

    /// What the formatter printed.
    pub(super) fn formatted(&mut self, text: String) {
        self.generated.text = text;
        self.decide();
    }

    /// Leaves out what the standing file says did not pass, merges, and says what is next.
    fn decide(&mut self) {
        let known = self.stands.as_deref().map(|text| super::left_out::read(self.language, text));
        let before = "it did not pass when it was run";
        self.leave_out(&known.unwrap_or_default(), |_| before.to_owned());
        self.stage = if self.generated.cases.is_empty() {
            Stage::Nothing
        } else {
            match merge(self.base.as_deref(), self.stands.as_deref(), &self.generated.text) {
                Merged::AlreadySo { edited } => Stage::AlreadySo { edited },
                Merged::Conflict(why) => Stage::Conflict(why),
                Merged::Write { text, edited: _ } => {
                    let (replaces, remembered) = (self.stands.clone(), self.base.clone());
                    Stage::Trying { text, replaces, remembered, tries: 0 }
                }
            }
        };
    }

    /// Takes cases out of what was generated.
    fn leave_out(&mut self, cases: &[LeftOut], why: impl Fn(&str) -> String) {
        if cases.is_empty() {
            return;
        }
        let (text, names) = without(self.language, &self.path, &self.generated.text, cases);
        self.generated.text = text;
        self.generated.cases.retain(|case| !names.contains(case));
        self.left_out.extend(names.into_iter().map(|name| {
            let why = why(&name);
            (name, why)
        }));
    }

    /// The actions of the stage.
    pub(super) fn actions(&self) -> Result<Vec<Action>, BoxError> {
        match &self.stage {
            Stage::Nothing | Stage::AlreadySo { .. } | Stage::Conflict(_) => Ok(Vec::new()),
            Stage::Formatting => {
                let argv = self.formatter.as_ref().ok_or("there is no formatter")?;
                let mut run = Run::new(Effect::Reads, argv);
                run.stdin = Some(Content::new(self.generated.text.as_str()));
                Ok(vec![run.into()])
            }
            Stage::Trying { text, replaces, remembered, tries: _ } => {
                let (replaces, remembered) = (replaces.as_deref(), remembered.as_deref());
                let mut actions = writes(&self.path, text, replaces, &self.generated.text, remembered)?;
                actions.extend(self.runner.as_ref().ok().map(run));
                Ok(actions)
            }
            Stage::Restoring { why: _, wrote } => self.restoring(wrote),
        }
    }

    /// Puts back what stood, and what was remembered, where what was written is what stands: what somebody wrote since is
    /// theirs.
    fn restoring(&self, wrote: &str) -> Result<Vec<Action>, BoxError> {
        let mut actions = Vec::new();
        let files = [
            (self.path.clone(), &self.stands, wrote),
            (base(&self.path)?, &self.base, self.generated.text.as_str()),
        ];
        for (path, was, wrote) in files {
            if was.as_deref() == Some(wrote) {
                continue;
            }
            let expects = Expects::exactly(Some(wrote.as_bytes()));
            actions.push(match was {
                Some(text) => {
                    Write { path, content: Content::new(text.as_str()), mode: None, expects }.into()
                }
                None => Remove { path, expects }.into(),
            });
        }
        Ok(actions)
    }

    /// What the run of the file means for it: none where it is kept as it is.
    pub(super) fn ran(&mut self, ok: bool, ran: &Ran) -> Option<()> {
        let Stage::Trying { text, replaces: _, remembered: _, tries } = self.stage.clone() else {
            return None;
        };
        let tool = self.runner.as_ref().map_or("the runner", |runner| &runner.tool);
        let wanted = self.generated.cases.len();
        let enough = ran.passed.is_none_or(|passed| passed >= wanted);
        if ok && ran.failed.is_empty() && enough {
            return None;
        }
        let why = if !ran.failed.is_empty() {
            let names: Vec<String> =
                ran.failed.iter().take(5).map(|(name, said)| format!("`{name}`: {}", first(said))).collect();
            format!("{} failed under {tool}: {}", cases(ran.failed.len()), names.join("; "))
        } else if ok {
            format!("{tool} ran {} of {}", ran.passed.unwrap_or(0), cases(wanted))
        } else {
            format!("{tool} says: {}", bounded(&ran.said))
        };
        let failing: Vec<LeftOut> = ran
            .failed
            .iter()
            .map(|(case, _)| LeftOut { case: case.clone(), digest: String::new() })
            .collect();
        let ours = failing.iter().all(|left| self.generated.cases.contains(&left.case));
        if tries < TRIES && !failing.is_empty() && ours && failing.len() < wanted {
            let (was, remembered) = (self.generated.cases.len(), self.generated.text.clone());
            self.leave_out(&failing, |name| {
                let said = ran.failed.iter().find(|(failed, _)| failed == name).map_or("", |(_, said)| said);
                format!("it did not pass when it was run: {}", first(said))
            });
            if self.generated.cases.len() + failing.len() == was
                && let Merged::Write { text: next, .. } =
                    merge(self.base.as_deref(), self.stands.as_deref(), &self.generated.text)
            {
                let (replaces, remembered) = (Some(text), Some(remembered));
                self.stage = Stage::Trying { text: next, replaces, remembered, tries: tries + 1 };
                return Some(());
            }
        }
        self.stage = Stage::Restoring { why, wrote: text };
        Some(())
    }
}

/// The run of the file. Its only traces are caches of the runner, which git ignores.
fn run(Running { tool: _, argv, cwd }: &Running) -> Action {
    let mut run = Run::new(Effect::Reads, argv);
    run.cwd = cwd.clone();
    for name in ["CI", "NO_COLOR"] {
        run.env.insert(name.into(), EnvValue::Plain("1".into()));
    }
    run.into()
}

/// `1 case`, `2 cases`.
pub(super) fn cases(n: usize) -> String {
    if n == 1 { "1 case".into() } else { format!("{n} cases") }
}

/// The first line that says something, cut short.
pub(super) fn first(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it says nothing");
    cut(line, 200)
}

/// The first lines that say something, cut short.
fn bounded(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).take(12).collect();
    if lines.is_empty() { "nothing".into() } else { cut(&lines.join("\n"), 1500) }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}
