//! The state of git, by the git command: three short ones at once, which take no locks and ask nothing.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::project::Git;

/// The most that is read of what a command prints.
const MAX_OUTPUT: u64 = 1 << 20;
/// What would make git look elsewhere, as in a hook.
const ELSEWHERE: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY"];

/// The state of git; none outside a repository, or where there is no git.
pub(super) fn look(root: &Path) -> Option<Git> {
    let (head, remotes, refs) = std::thread::scope(|scope| {
        let remotes = scope.spawn(|| git(root, &["config", "-z", "--get-regexp", r"^remote\..*\.url$"]));
        let format = "--format=%(refname) %(symref)";
        let refs = [format, "refs/heads/main", "refs/heads/master", "refs/remotes/*/HEAD"];
        let refs = scope.spawn(move || git(root, &[&["for-each-ref"], refs.as_slice()].concat()));
        let head = head(root);
        (head, remotes.join().ok().flatten(), refs.join().ok().flatten())
    });
    let (branch, head) = head?;
    let remotes = remotes.as_deref().map(parse_remotes).unwrap_or_default();
    let main = main_of(refs.as_deref().unwrap_or_default(), branch.as_deref());
    Some(Git { branch, head, remotes, main })
}

/// Branch and commit; none where this is no repository.
fn head(root: &Path) -> Option<(Option<String>, Option<String>)> {
    if let Some(text) = git(root, &["rev-parse", "HEAD", "--symbolic-full-name", "HEAD"]) {
        let mut lines = text.lines();
        let commit = lines.next()?.to_owned();
        let branch = lines.next().and_then(|name| name.strip_prefix("refs/heads/"));
        return Some((branch.map(str::to_owned), Some(commit)));
    }
    git(root, &["rev-parse", "--git-dir"])?;
    let branch = git(root, &["symbolic-ref", "-q", "--short", "HEAD"]);
    Some((branch.map(|name| name.trim_end().to_owned()), None))
}

/// What a git command prints; none where it failed or there is no git.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.current_dir(root).args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(args);
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().inspect_err(|error| tracing::debug!(%error, "no git")).ok()?;
    let (mut output, mut said) = (Vec::new(), Vec::new());
    let read = child.stdout.take().map(|stdout| stdout.take(MAX_OUTPUT).read_to_end(&mut output));
    if output.len() as u64 == MAX_OUTPUT {
        // It may wait for somebody to read the rest.
        let _ = child.kill();
    }
    let _ = child.stderr.take().map(|stderr| stderr.take(4096).read_to_end(&mut said));
    let status = child.wait().ok()?;
    if status.success() && matches!(read, Some(Ok(_))) {
        return String::from_utf8(output).ok();
    }
    let said = String::from_utf8_lossy(&said);
    if said.contains("dubious ownership") {
        tracing::warn!(said = said.trim(), "git refuses to look at this repository");
    } else {
        tracing::debug!(?args, said = said.trim(), "git had no answer");
    }
    None
}

/// What the remote's HEAD names, `origin` before others; then `main`, then `master`; then the branch that is to become
/// one of these with the first commit.
fn main_of(refs: &str, branch: Option<&str>) -> Option<String> {
    let mut heads = BTreeMap::new();
    let mut local = Vec::new();
    for (name, target) in refs.lines().filter_map(|line| line.split_once(' ')) {
        if let Some(name) = name.strip_prefix("refs/heads/") {
            local.push(name);
        } else if let Some(remote) =
            name.strip_prefix("refs/remotes/").and_then(|name| name.strip_suffix("/HEAD"))
            && let Some(target) = target.strip_prefix(&format!("refs/remotes/{remote}/"))
        {
            heads.insert((remote != "origin", remote), target);
        }
    }
    let named = ["main", "master"].into_iter().find(|name| local.contains(name));
    let unborn = branch.filter(|name| matches!(*name, "main" | "master"));
    heads.into_values().next().or(named).or(unborn).map(str::to_owned)
}

fn parse_remotes(text: &str) -> BTreeMap<String, String> {
    let mut remotes = BTreeMap::new();
    for (key, url) in text.split('\0').filter_map(|entry| entry.split_once('\n')) {
        if let Some(name) = key.strip_prefix("remote.").and_then(|key| key.strip_suffix(".url")) {
            // Of several addresses the first is the one that is fetched from.
            remotes.entry(name.to_owned()).or_insert_with(|| without_credentials(url));
        }
    }
    remotes
}

/// An address with `***` in place of what may be secret: passwords, a user name that may be a token, queries.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // After a password with an unescaped `/` in it, what looks like a port is none.
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let odd = rest[..authority].rsplit_once(':').is_some_and(|(_, last)| !port(last));
    let within = if odd { rest.len() } else { authority };
    let (login, place) = rest[..within].rfind('@').map_or(("", rest), |at| rest.split_at(at));
    let login = match login.split_once(':') {
        _ if login.is_empty() => String::new(),
        Some((user, _)) if scheme.ends_with("ssh") => format!("{user}:***"),
        None if scheme.ends_with("ssh") => login.to_owned(),
        _ => "***".to_owned(),
    };
    match place.split_once(['?', '#']) {
        None => format!("{scheme}://{login}{place}"),
        Some((place, _)) => format!("{scheme}://{login}{place}?***"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked() {
        let table = [
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("/srv/origin.git", "/srv/origin.git"),
            ("https://github.com/a/b.git", "https://github.com/a/b.git"),
            ("https://host:8443/@scope/b", "https://host:8443/@scope/b"),
            ("https://ghp_x@github.com/a/b", "https://***@github.com/a/b"),
            ("https://me:pw@github.com/a/b", "https://***@github.com/a/b"),
            ("https://me:p/w@d@github.com/a", "https://***@github.com/a"),
            ("https://me:p?w@github.com/a", "https://***@github.com/a"),
            ("https://host/a?private_token=x", "https://host/a?***"),
            ("ssh://git@host:22/a", "ssh://git@host:22/a"),
            ("ssh://me:pw@host/a", "ssh://me:***@host/a"),
            ("git+ssh://me@host/a", "git+ssh://me@host/a"),
            ("foo::https://x:y@host/a", "foo::https://***@host/a"),
        ];
        for (url, expected) in table {
            assert_eq!(without_credentials(url), expected, "{url}");
        }
    }

    #[test]
    fn the_main_branch() {
        let main_of = |refs, branch| main_of(refs, branch).unwrap_or_default();
        assert_eq!(main_of("refs/heads/main \nrefs/heads/master ", None), "main");
        assert_eq!(main_of("refs/heads/master ", Some("x")), "master");
        let refs = "refs/heads/main \nrefs/remotes/a/HEAD refs/remotes/a/dev\n\
                    refs/remotes/origin/HEAD refs/remotes/origin/release/1";
        assert_eq!(main_of(refs, None), "release/1");
        assert_eq!(main_of("", Some("main")), "main");
        assert_eq!(main_of("", Some("feature")), "");
    }
}
