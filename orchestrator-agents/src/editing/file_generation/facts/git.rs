//! Where the repository is hosted, read from git's own files: planning many tasks starts no process for each.

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::Serialize;

/// Where the repository is hosted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Git {
    /// `owner/name` of the remote `origin`, where it is on GitHub.
    slug: Option<String>,
    /// The branch that the remote's HEAD names, or else `main` or `master` where there is one.
    default_branch: Option<String>,
}

pub(super) fn look(look: &Workspace) -> Git {
    let text = |name: &str| look.read_text(&RelPath::new(format!(".git/{name}")).ok()?).ok().flatten();
    let url = text("config").and_then(|config| origin(&config));
    let head = text("refs/remotes/origin/HEAD");
    let named = head.and_then(|head| Some(head.trim().strip_prefix("ref: refs/remotes/origin/")?.to_owned()));
    let packed = text("packed-refs").unwrap_or_default();
    let there = |branch: &&&str| {
        let name = format!("refs/heads/{branch}");
        let loose = RelPath::new(format!(".git/{name}")).is_ok_and(|path| look.exists(&path));
        loose || packed.lines().any(|line| line.ends_with(&format!(" {name}")))
    };
    let usual = || ["main", "master"].iter().find(there).map(|branch| (*branch).to_owned());
    Git { slug: url.as_deref().and_then(slug), default_branch: named.or_else(usual) }
}

/// The address of the remote `origin`.
fn origin(config: &str) -> Option<String> {
    let mut inside = false;
    config.lines().map(str::trim).find_map(|line| {
        if line.starts_with('[') {
            inside = line == r#"[remote "origin"]"#;
        }
        let (key, value) = line.split_once('=')?;
        (inside && key.trim() == "url").then(|| value.trim().to_owned())
    })
}

/// `owner/name` of an address on GitHub.
fn slug(url: &str) -> Option<String> {
    let at = url.find("github.com")? + "github.com".len();
    let before = url[..at - "github.com".len()].chars().next_back();
    let rest = url[at..].strip_prefix([':', '/'])?.trim_end_matches('/');
    let slug = rest.strip_suffix(".git").unwrap_or(rest);
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let (owner, name) = slug.split_once('/')?;
    (matches!(before, None | Some('/' | '@')) && plain(owner) && plain(name)).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_on_github() {
        for (url, expected) in [
            ("git@github.com:a/b.git", Some("a/b")),
            ("https://github.com/a/b", Some("a/b")),
            ("https://token@github.com/a/b.git", Some("a/b")),
            ("https://notgithub.com/a/b.git", None),
            ("https://example.org/a/b.git", None),
            ("https://github.com/a/b/c`x`", None),
        ] {
            assert_eq!(slug(url).as_deref(), expected, "{url}");
        }
        let config = "[core]\n\turl = no\n[remote \"origin\"]\n\turl = git@github.com:a/b.git\n";
        assert_eq!(origin(config).as_deref(), Some("git@github.com:a/b.git"));
    }
}
