//! Commits as their messages tell them (<https://www.conventionalcommits.org/en/v1.0.0/>), bounded: whoever may commit may
//! write anything.

use std::collections::BTreeSet;

/// The most characters of a description.
const DESCRIPTION: usize = 300;
/// The most characters of what a commit says that it breaks.
const BREAKING: usize = 2000;
/// The most of these that one commit is believed.
const FOOTERS: usize = 20;

/// A commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its id.
    pub(crate) id: String,
    /// Who wrote it.
    pub(crate) author: String,
    /// Who else did, as `Name <address>`; once asked of git's mailmap, as a name.
    pub(crate) with: Vec<String>,
    /// `feat`, `fix`, ...; empty where the message follows no convention.
    pub(crate) kind: String,
    /// The part that it is about.
    pub(crate) scope: Option<String>,
    /// What it does.
    pub(crate) description: String,
    /// What it breaks, where it does; one text for each footer.
    pub(crate) breaking: Vec<String>,
    /// Numbers of issues that it closes or refers to in its footers.
    pub(crate) issues: Vec<u64>,
    /// The commit that it takes back.
    pub(crate) reverts: Option<String>,
}

/// How git is to print commits for [`parse_log`], with `-z`.
pub(crate) const FORMAT: &str = "--format=%H%x00%aN%x00%B";

/// Reads `git log -z` of [`FORMAT`].
pub(crate) fn parse_log(log: &str) -> Vec<Change> {
    let fields: Vec<&str> = log.split('\0').collect();
    let commits = fields.chunks_exact(3);
    commits.map(|fields| change(fields[0].trim(), fields[1], fields[2].trim())).collect()
}

/// Those that tell of a release, the latest first: without release commits, and without what was taken back within it.
pub(crate) fn telling(changes: Vec<Change>) -> Vec<Change> {
    let known: BTreeSet<String> = changes.iter().map(|change| change.id.clone()).collect();
    let mut gone = BTreeSet::new();
    changes
        .into_iter()
        .filter(|change| {
            if gone.contains(&change.id) {
                return false;
            }
            // A revert that was itself taken back is gone before it counts.
            match &change.reverts {
                Some(other) if known.contains(other) => {
                    gone.insert(other.clone());
                    false
                }
                _ => !(change.kind == "chore" && change.scope.as_deref() == Some("release")),
            }
        })
        .collect()
}

fn change(id: &str, author: &str, message: &str) -> Change {
    let mut change = Change {
        id: id.to_owned(),
        author: author.to_owned(),
        description: cut(message.lines().next().unwrap_or_default(), DESCRIPTION),
        with: footers(message, &["co-authored-by:"]).filter(|person| is_person(person)).collect(),
        issues: issues(message),
        reverts: message.lines().find_map(reverted),
        ..Change::default()
    };
    // What breaks something must never pass for less because its title follows no convention.
    change.breaking = breaking_footers(message);
    if let Ok(commit) = git_conventional::Commit::parse(message) {
        change.kind = cut(&commit.type_().as_str().to_ascii_lowercase(), 40);
        change.scope = commit.scope().map(|scope| cut(scope.as_str(), 80));
        change.description = cut(commit.description(), DESCRIPTION);
        if commit.breaking() && change.breaking.is_empty() {
            change.breaking.push(change.description.clone());
        }
    }
    change
}

/// The values of footers, by their beginnings in small letters.
fn footers<'a>(message: &'a str, names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    let lines = message.lines().skip(1).filter_map(|line| {
        let name = names
            .iter()
            .find(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))?;
        Some(cut(&line[name.len()..], DESCRIPTION))
    });
    lines.filter(|value| !value.is_empty()).take(FOOTERS)
}

/// What `BREAKING CHANGE:` says, up to the next paragraph or footer.
fn breaking_footers(message: &str) -> Vec<String> {
    const NAMES: [&str; 2] = ["BREAKING CHANGE: ", "BREAKING-CHANGE: "];
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in message.lines().skip(1) {
        if let Some(what) = NAMES.iter().find_map(|name| line.strip_prefix(name)) {
            if found.len() == FOOTERS {
                break;
            }
            found.push(what.to_owned());
            open = true;
        } else if line.trim().is_empty() || is_footer(line) {
            open = false;
        } else if let (true, Some(last)) = (open, found.last_mut())
            && last.len() < 4 * BREAKING
        {
            last.push(' ');
            last.push_str(line);
        }
    }
    found.iter().map(|what| cut(what, BREAKING)).filter(|what| !what.is_empty()).collect()
}

/// `Signed-off-by: ..`, `Closes #1`.
fn is_footer(line: &str) -> bool {
    let word = line.split([':', ' ']).next().unwrap_or_default();
    let rest = &line[word.len()..];
    !word.is_empty()
        && word.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
        && (rest.starts_with(": ") || rest.starts_with(" #"))
}

/// Numbers after `Closes #`, `Fixes: #`, `Refs #` at the start of a line.
fn issues(message: &str) -> Vec<u64> {
    const WORDS: [&str; 12] = [
        "close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved", "ref",
        "refs", "see",
    ];
    let mut found = Vec::new();
    for line in message.lines().skip(1) {
        let word = line.split([':', ' ']).next().unwrap_or_default();
        if !WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            continue;
        }
        for part in line[word.len()..].split(['#']).skip(1).take(FOOTERS) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).take(9).collect();
            if let Ok(number) = digits.parse()
                && !found.contains(&number)
                && found.len() < FOOTERS
            {
                found.push(number);
            }
        }
    }
    found
}

/// The commit in `This reverts commit ID.`, as git writes it.
fn reverted(line: &str) -> Option<String> {
    let id = line.strip_prefix("This reverts commit ")?.trim_end_matches(['.', ',']);
    let id = id.split([' ', ',']).next()?;
    (id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// `Name <address>`, as git's mailmap takes it.
fn is_person(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('<') else { return false };
    !name.trim().is_empty() && !text.starts_with('-') && rest.ends_with('>') && rest.matches('>').count() == 1
}

/// On one line, with as many characters at most.
fn cut(text: &str, most: usize) -> String {
    // Far more than is kept need not be looked at.
    let text = &text[..text.floor_char_boundary(most * 8)];
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// How much a message matters for the version, the weightiest first: breaking, a feature, a fix, another kind, no convention.
pub(crate) fn weight(message: &str) -> u8 {
    let change = change("", "", message);
    match (!change.breaking.is_empty(), change.kind.as_str()) {
        (true, _) => 0,
        (false, "feat") => 1,
        (false, "fix") => 2,
        (false, "") => 4,
        (false, _) => 3,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Commits with these messages, the latest first, by Ada.
    pub(crate) fn changes(messages: &[&str]) -> Vec<Change> {
        let log: Vec<String> = messages
            .iter()
            .enumerate()
            .map(|(at, message)| format!("{at:040x}\0Ada\0{message}\n\0"))
            .collect();
        telling(parse_log(&log.concat()))
    }

    #[test]
    fn messages_are_read() {
        let read = changes(&[
            "feat(api)!: new door\n\nlong\n\nBREAKING CHANGE: old\n door shut\nBREAKING CHANGE: no key\nCloses #12, #13",
            "No convention\n\nx",
            "fix: a\n\nbody\n\nCo-authored-by: Bob B <bob@example.org>\nco-authored-by: nobody\nRefs: #7\nFixes #7",
            "odd title\n\nBREAKING CHANGE: gone",
        ]);
        assert_eq!((read[0].kind.as_str(), read[0].scope.as_deref()), ("feat", Some("api")));
        assert_eq!(
            (read[0].breaking.as_slice(), read[0].issues.as_slice()),
            (["old door shut".to_owned(), "no key".into()].as_slice(), [12, 13].as_slice())
        );
        assert_eq!((read[1].kind.as_str(), read[1].description.as_str()), ("", "No convention"));
        assert_eq!(
            (read[2].with.as_slice(), read[2].issues.as_slice()),
            (["Bob B <bob@example.org>".to_owned()].as_slice(), [7].as_slice())
        );
        assert_eq!(read[3].breaking, ["gone"]);
    }

    #[test]
    fn what_was_taken_back_is_not_told() {
        let id = |at: usize| format!("{at:040x}");
        let revert = |at: usize| format!("Revert \"x\"\n\nThis reverts commit {}.", id(at));
        let told = |messages: &[&str]| -> Vec<String> {
            changes(messages).into_iter().map(|change| change.description).collect()
        };
        assert_eq!(told(&[&revert(1), "feat: a", "fix: b"]), ["b"]);
        assert_eq!(told(&[&revert(1), &revert(2), "feat: a"]), ["a"], "the revert was taken back");
        assert_eq!(told(&[&revert(77), "feat: a"]), ["Revert \"x\"", "a"], "of an earlier release");
    }

    #[test]
    fn hostile_messages_are_bounded() {
        let huge = format!(
            "feat(x): {}\n\nBREAKING CHANGE: {}\n{}",
            "a".repeat(1 << 20),
            "b\n".repeat(1 << 19),
            "Closes #1\n".repeat(100_000)
        );
        let read = changes(&[&huge, "", "\u{1b}[31m", "é".repeat(5000).as_str()]);
        assert_eq!(read.len(), 4);
        assert!(read.iter().all(|change| change.description.chars().count() <= DESCRIPTION));
        assert!(read[0].breaking.iter().all(|what| what.chars().count() <= BREAKING));
        assert_eq!(read[0].issues, [1]);
        assert_eq!(parse_log("abc\0half"), []);
    }
}
