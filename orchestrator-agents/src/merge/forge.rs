//! Where people look at a repository in a browser, as far as the remote's address tells. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a host is, for links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forge {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea, Forgejo.
    Gitea,
}

/// A repository on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pages {
    forge: Forge,
    /// `https://host/owner/name`, without credentials.
    base: String,
}

impl Pages {
    /// What a remote's address tells; none where it does not say what the host is, unless `forge` does. What stands before
    /// `@` is never taken over.
    pub(crate) fn of(remote: &str, forge: Option<Forge>) -> Option<Self> {
        let (scheme, rest) = match remote.split_once("://") {
            Some((scheme @ ("https" | "http"), rest)) => (scheme, rest),
            Some(("ssh" | "git" | "git+ssh" | "ssh+git", rest)) => ("", rest),
            Some(_) => return None,
            // `git@host:owner/name`, but neither `./folder` nor `C:\folder`.
            None => {
                let (host, path) = remote.split_once(':')?;
                let host = host.rsplit('@').next()?;
                if host.contains('/') || host.len() < 2 {
                    return None;
                }
                return Self::at("https", host, path.trim_start_matches('/'), forge);
            }
        };
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit('@').next()?;
        match scheme {
            // The port of ssh is none of the pages'.
            "" => Self::at("https", host.split(':').next()?, path, forge),
            scheme => Self::at(scheme, host, path, forge),
        }
    }

    fn at(scheme: &str, host: &str, path: &str, forge: Option<Forge>) -> Option<Self> {
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let plain = |text: &str, more: &[char]| {
            !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || more.contains(&char))
        };
        let parts: Vec<&str> = path.split('/').collect();
        let named = |part: &&str| plain(part, &['.', '_', '-', '~']) && !matches!(*part, "." | "..");
        if !plain(host, &['.', '-', ':']) || !parts.iter().all(named) {
            return None;
        }
        let forge = forge.or_else(|| known(host))?;
        let fits = if forge == Forge::Gitlab { parts.len() >= 2 } else { parts.len() == 2 };
        fits.then(|| Self { forge, base: format!("{scheme}://{host}/{path}") })
    }

    fn page(&self, page: &str) -> String {
        let dash = if self.forge == Forge::Gitlab { "/-" } else { "" };
        format!("{}{dash}/{page}", self.base)
    }

    /// A commit.
    pub(crate) fn commit(&self, id: &str) -> String {
        self.page(&format!("commit/{id}"))
    }

    /// An issue.
    pub(crate) fn issue(&self, number: &str) -> String {
        self.page(&format!("issues/{number}"))
    }

    /// What lies between two revisions.
    pub(crate) fn compare(&self, from: &str, to: &str) -> String {
        self.page(&format!("compare/{from}...{to}"))
    }

    /// A tag.
    pub(crate) fn tag(&self, tag: &str) -> String {
        match self.forge {
            Forge::Gitlab => self.page(&format!("tags/{tag}")),
            Forge::Github | Forge::Gitea => self.page(&format!("releases/tag/{tag}")),
        }
    }

    /// Where a person asks for a branch to be merged.
    pub(crate) fn propose(&self, into: &str, branch: &str) -> String {
        match self.forge {
            Forge::Gitlab => self.page(&format!(
                "merge_requests/new?merge_request%5Bsource_branch%5D={branch}&merge_request%5Btarget_branch%5D={into}"
            )),
            Forge::Github => self.page(&format!("compare/{into}...{branch}?expand=1")),
            Forge::Gitea => self.page(&format!("compare/{into}...{branch}")),
        }
    }
}

/// What a host says of itself by its name.
fn known(host: &str) -> Option<Forge> {
    let host = host.split(':').next()?.to_ascii_lowercase();
    let first = host.split('.').next()?;
    match (host.as_str(), first) {
        (_, "github") => Some(Forge::Github),
        (_, "gitlab") => Some(Forge::Gitlab),
        ("codeberg.org", _) | (_, "gitea" | "forgejo") => Some(Forge::Gitea),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_pages() {
        let base = |remote: &str| Pages::of(remote, None).map(|pages| pages.base);
        let school = Some("https://github.com/acme/school".to_owned());
        for remote in [
            "https://github.com/acme/school.git",
            "https://ada:secret@github.com/acme/school/",
            "git@github.com:acme/school.git",
            "ssh://git@github.com:2222/acme/school.git",
            "git@github.com:/acme/school",
        ] {
            assert_eq!(base(remote), school, "{remote}");
        }
        assert_eq!(
            base("https://gitlab.acme.dev:8443/a/b/c.git").as_deref(),
            Some("https://gitlab.acme.dev:8443/a/b/c")
        );
        for remote in [
            "/srv/git/school.git",
            "../school",
            "C:\\school",
            "file:///srv/github.com/a/b",
            "https://git.acme.dev/a/b",
            "https://github.com/a/b/c",
            "https://github.com/a/b?token=x",
            "https://github.com/a/(b)",
            "https://github.com/../b",
            "https://github.com",
            "",
        ] {
            assert_eq!(base(remote), None, "{remote}");
        }
        let told = Pages::of("https://git.acme.dev/a/b", Some(Forge::Gitea)).unwrap();
        assert_eq!(told.compare("v1", "v2"), "https://git.acme.dev/a/b/compare/v1...v2");
    }

    #[test]
    fn forges_have_their_own_ways() {
        let pages = |host: &str| Pages::of(&format!("https://{host}/a/b"), None).unwrap();
        assert_eq!(pages("gitlab.com").commit("1f"), "https://gitlab.com/a/b/-/commit/1f");
        assert_eq!(pages("gitlab.com").tag("v1"), "https://gitlab.com/a/b/-/tags/v1");
        assert_eq!(pages("codeberg.org").tag("v1"), "https://codeberg.org/a/b/releases/tag/v1");
        assert_eq!(
            pages("github.com").propose("main", "release/v1"),
            "https://github.com/a/b/compare/main...release/v1?expand=1"
        );
    }
}
