//! `upgrade_audit_level`: from which severity on an audit of dependencies fails.

use serde_json::Value;

use super::super::edited::{ActionInput, EditResult, Edited};
use super::super::frame::Frame;
use super::super::several::Several;
use super::super::value::Op;
use super::super::way::{Part, Way};
use super::only;

/// Severities from which on an audit fails, the laxest first: `none` never fails, `critical` lets all else pass. An audit
/// that names none fails at any.
const LEVELS: [&str; 6] = ["none", "critical", "high", "moderate", "low", "info"];
/// What is said of an audit that names no level.
const ANY: &str = "any severity";
/// Commands that audit, and the flag of their level; the longest first.
const AUDITS: [(&[&str], &str); 5] = [
    (&["yarn", "npm", "audit"], "--severity"),
    (&["npm", "audit"], "--audit-level"),
    (&["pnpm", "audit"], "--audit-level"),
    (&["bun", "audit"], "--audit-level"),
    (&["yarn", "audit"], "--level"),
];

/// Makes audits stricter in scripts of `package.json`, in `.npmrc`, or in the steps of a workflow; none is made laxer.
pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    only(with.options, &["level"])?;
    let level = match with.options.get("level") {
        None => "high",
        Some(given) => {
            let known = given.as_str().and_then(|given| LEVELS[1..].iter().find(|level| **level == given));
            known.ok_or_else(|| format!("the level `{given}` is none of {}", LEVELS[1..].join(", ")))?
        }
    };
    match with.path.as_str().rsplit('/').next().unwrap_or_default() {
        ".npmrc" => Ok(npmrc(text, level)),
        "package.json" => commands(
            text,
            with,
            level,
            scripts,
            "no script of it audits; add one, such as `\"audit\": \"npm audit --audit-level=high\"`",
        ),
        _ => commands(
            text,
            with,
            level,
            steps,
            "no step of it audits; add one that runs `npm audit --audit-level=high`",
        ),
    }
}

fn npmrc(text: &str, level: &str) -> Edited {
    let frame = Frame::of(text);
    let mut lines: Vec<_> = frame.text.lines().map(str::to_owned).collect();
    let said = |line: &str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "audit-level").then(|| value.trim().to_owned())
    };
    let found = lines.iter().enumerate().rev().find_map(|(at, line)| Some((at, said(line)?)));
    let (change, was) = match found {
        Some((_, was)) if rank(&was) >= rank(level) => {
            return Edited::AlreadySo { said: format!("`audit-level` is `{was}`") };
        }
        Some((at, was)) => {
            lines[at] = format!("audit-level={level}");
            (format!("set `audit-level` to `{level}`"), format!(" (was `{was}`)"))
        }
        None => return Edited::AlreadySo { said: format!("no `audit-level`: audits fail at {ANY}") },
    };
    let new = frame.around(&(lines.join("\n") + "\n"));
    Edited::Changed { text: new, said: vec![format!("{change}{was}")] }
}

/// The commands of a file and where they stand.
type Commands = fn(&Value) -> Vec<(Way, String)>;

fn commands(text: &str, with: &ActionInput<'_>, level: &str, list: Commands, none: &str) -> EditResult {
    let mut edit = Several::of(with.path, text)?;
    let mut audits = 0;
    for (way, command) in list(&edit.value()?) {
        let Some(raised) = raise(&command, level) else { continue };
        audits += 1;
        match raised {
            Raised::AlreadySo(is) => edit.is_so(format!("`{way}` audits from `{is}` on")),
            Raised::Unclear(by) => {
                return Err(format!("`{way}` takes its level from `{by}`; set it there").into());
            }
            Raised::To(command) => edit.change(Op::Set(&way, &Value::String(command)))?,
        }
    }
    if audits == 0 {
        let looked: Vec<_> = AUDITS.iter().map(|(words, _)| format!("`{}`", words.join(" "))).collect();
        return Err(format!("{} was looked for: {none}", looked.join(", ")).into());
    }
    Ok(edit.done())
}

fn scripts(value: &Value) -> Vec<(Way, String)> {
    let scripts = value.get("scripts").and_then(Value::as_object).into_iter().flatten();
    let text = scripts.filter_map(|(name, command)| Some((name, command.as_str()?.to_owned())));
    text.map(|(name, command)| (Way::keys(["scripts", name]), command)).collect()
}

fn steps(value: &Value) -> Vec<(Way, String)> {
    let mut found = Vec::new();
    for (name, job) in value.get("jobs").and_then(Value::as_object).into_iter().flatten() {
        let steps = job.get("steps").and_then(Value::as_array).into_iter().flatten();
        for (index, step) in steps.enumerate() {
            if let Some(command) = step.get("run").and_then(Value::as_str) {
                let way =
                    Way::keys(["jobs", name, "steps"]).with(Part::Index(index)).with(Part::Key("run".into()));
                found.push((way, command.to_owned()));
            }
        }
    }
    found
}

/// What becomes of a command that audits.
#[derive(Debug, PartialEq)]
enum Raised {
    /// Every audit of it fails from there on already.
    AlreadySo(String),
    /// It becomes this one.
    To(String),
    /// Its level is a variable.
    Unclear(String),
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level.trim_matches(['"', '\'']))
}

/// A word and where it begins.
type Word<'c> = (usize, &'c str);

/// Raises the audits of a command; none where it has none.
fn raise(command: &str, level: &str) -> Option<Raised> {
    let mut new = command.to_owned();
    let mut so = None;
    // A line that goes on is one command; the places stay.
    let lines = command.replace("\\\n", "  ");
    for words in parts(&lines).iter().rev() {
        let Some((end, flag)) = audit(words) else { continue };
        match levelled(&words[end..], flag) {
            Some((_, was)) if was.contains('$') => return Some(Raised::Unclear(was.to_owned())),
            Some((_, was)) if rank(was) >= rank(level) => so = Some(was.to_owned()),
            Some((at, was)) => new.replace_range(at..at + was.len(), level),
            None => so = Some(ANY.to_owned()),
        }
    }
    if new == command { so.map(Raised::AlreadySo) } else { Some(Raised::To(new)) }
}

/// The words of each command of a line of shell.
fn parts(command: &str) -> Vec<Vec<Word<'_>>> {
    let breaks = |c: char| matches!(c, ';' | '&' | '|' | '\n' | '(' | ')' | '`');
    let mut parts = Vec::new();
    let mut start = 0;
    for piece in command.split_inclusive(breaks) {
        let text = piece.trim_end_matches(breaks);
        parts.push(
            text.split_whitespace()
                .map(|word| (start + (word.as_ptr() as usize - text.as_ptr() as usize), word))
                .collect(),
        );
        start += piece.len();
    }
    parts
}

/// Behind the words that audit, and the flag of their level. What repairs or checks signatures is something else.
fn audit(words: &[Word<'_>]) -> Option<(usize, &'static str)> {
    for (audit, flag) in AUDITS {
        let found = words
            .windows(audit.len())
            .position(|window| window.iter().map(|(_, word)| *word).eq(audit.iter().copied()));
        let Some(at) = found else { continue };
        let end = at + audit.len();
        let other = words.get(end).is_some_and(|(_, word)| matches!(*word, "fix" | "signatures"));
        return (!other).then_some((end, flag));
    }
    None
}

/// The level that is given, and where.
fn levelled<'c>(words: &[Word<'c>], flag: &str) -> Option<Word<'c>> {
    for (at, (start, word)) in words.iter().enumerate() {
        let Some(rest) = word.strip_prefix(flag) else { continue };
        if let Some(level) = rest.strip_prefix('=') {
            return Some((start + flag.len() + 1, level));
        }
        if rest.is_empty() {
            return words.get(at + 1).copied();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_are_made_stricter_and_never_laxer() {
        for (command, new) in [
            (
                "npm ci && npm audit --audit-level=critical --json || true",
                "npm ci && npm audit --audit-level=high --json || true",
            ),
            ("pnpm audit --audit-level none", "pnpm audit --audit-level high"),
            ("yarn npm audit --severity critical", "yarn npm audit --severity high"),
            ("yarn audit --level=\"critical\"", "yarn audit --level=high"),
            ("npm audit\nnpm audit --audit-level=critical\n", "npm audit\nnpm audit --audit-level=high\n"),
            ("é=1 npm audit \\\n  --audit-level=critical", "é=1 npm audit \\\n  --audit-level=high"),
        ] {
            assert_eq!(raise(command, "high"), Some(Raised::To(new.into())), "{command}");
        }
        for (command, so) in [
            ("npm audit --audit-level=low", "low"),
            ("npm audit --audit-level high", "high"),
            ("(cd web; npm audit --omit=dev)", ANY),
        ] {
            assert_eq!(raise(command, "high"), Some(Raised::AlreadySo(so.into())), "{command}");
        }
        assert_eq!(raise("npm audit --audit-level=$LEVEL", "high"), Some(Raised::Unclear("$LEVEL".into())));
        for other in ["npm audit fix", "npm audit signatures", "npm auditor", "npm run audit", "echo", ""] {
            assert_eq!(raise(other, "high"), None, "{other}");
        }
    }
}
