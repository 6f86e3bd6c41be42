//! Commits as their messages tell them (<https://www.conventionalcommits.org/en/v1.0.0/>), and what version follows.

use semver::{BuildMetadata, Prerelease, Version};

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its id.
    pub(crate) id: String,
    /// Who wrote it.
    pub(crate) author: String,
    /// `feat`, `fix`, ...; empty where the message follows no convention.
    pub(crate) kind: String,
    /// The part that it is about.
    pub(crate) scope: Option<String>,
    /// What it does.
    pub(crate) description: String,
    /// What it breaks, where it does.
    pub(crate) breaking: Option<String>,
}

/// Reads `git log --format=%H%x1f%an%x1f%B%x1e`. Release commits are left out.
pub(crate) fn parse_log(log: &str) -> Vec<Change> {
    let commits = log.split('\x1e').filter_map(|commit| {
        let mut parts = commit.trim_start().splitn(3, '\x1f');
        Some(change(parts.next().filter(|id| !id.is_empty())?, parts.next()?, parts.next()?.trim()))
    });
    commits.filter(|change| !(change.kind == "chore" && change.scope.as_deref() == Some("release"))).collect()
}

fn change(id: &str, author: &str, message: &str) -> Change {
    let mut change = Change {
        id: id.to_owned(),
        author: author.to_owned(),
        kind: String::new(),
        scope: None,
        description: message.lines().next().unwrap_or_default().to_owned(),
        breaking: None,
    };
    if let Ok(commit) = git_conventional::Commit::parse(message) {
        change.kind = commit.type_().as_str().to_ascii_lowercase();
        change.scope = commit.scope().map(|scope| scope.as_str().to_owned());
        commit.description().clone_into(&mut change.description);
        let what = || commit.breaking_description().unwrap_or(commit.description());
        change.breaking = commit.breaking().then(|| what().split_whitespace().collect::<Vec<_>>().join(" "));
    }
    change
}

/// The version after `previous`: breaking changes raise its first figure (the second while the first is 0), features
/// the second, anything else the third, and nothing at all keeps it.
pub(crate) fn next(previous: &Version, changes: &[Change]) -> Version {
    let mut next = previous.clone();
    (next.pre, next.build) = (Prerelease::EMPTY, BuildMetadata::EMPTY);
    let breaking = changes.iter().any(|change| change.breaking.is_some());
    let feature = changes.iter().any(|change| change.kind == "feat");
    if breaking && next.major > 0 {
        (next.major, next.minor, next.patch) = (next.major + 1, 0, 0);
    } else if breaking || feature {
        (next.minor, next.patch) = (next.minor + 1, 0);
    } else if !changes.is_empty() {
        next.patch += 1;
    }
    next
}

/// How much a message matters for the version, the weightiest first: breaking, a feature, a fix, another kind, no convention.
pub(crate) fn weight(message: &str) -> u8 {
    let change = change("", "", message);
    match (change.breaking.is_some(), change.kind.as_str()) {
        (true, _) => 0,
        (false, "feat") => 1,
        (false, "fix") => 2,
        (false, "") => 4,
        (false, _) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(messages: &[&str]) -> Vec<Change> {
        let log: Vec<String> =
            messages.iter().map(|message| format!("abc\x1fAda\x1f{message}\x1e\n")).collect();
        parse_log(&log.concat())
    }

    #[test]
    fn versions_follow_the_messages() {
        let next = |from: &str, messages: &[&str]| {
            super::next(&Version::parse(from).unwrap(), &changes(messages)).to_string()
        };
        assert_eq!(next("1.2.3", &[]), "1.2.3");
        assert_eq!(next("1.2.3", &["whatever"]), "1.2.4");
        assert_eq!(next("1.2.3", &["fix: a", "docs: b"]), "1.2.4");
        assert_eq!(next("1.2.3", &["fix: a", "feat(x): b"]), "1.3.0");
        assert_eq!(next("1.2.3", &["feat!: b"]), "2.0.0");
        assert_eq!(next("0.2.3", &["fix: b\n\nBREAKING CHANGE: gone"]), "0.3.0");
        assert_eq!(next("0.2.3", &["chore(release): v0.2.3"]), "0.2.3");
    }

    #[test]
    fn messages_are_read() {
        let read = changes(&[
            "feat(api)!: new door\n\nlong\n\nBREAKING CHANGE: old\n door shut",
            "No convention\n\nx",
        ]);
        assert_eq!((read[0].kind.as_str(), read[0].scope.as_deref()), ("feat", Some("api")));
        assert_eq!(read[0].breaking.as_deref(), Some("old door shut"));
        assert_eq!((read[1].kind.as_str(), read[1].description.as_str()), ("", "No convention"));
    }
}
