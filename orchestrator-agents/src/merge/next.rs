//! What version follows from what changed, and which may be given.

use semver::{BuildMetadata, Prerelease, Version};

use super::commits::Change;

/// The version after `previous`: breaking changes raise its first figure (the second while the first is 0), features
/// the second, anything else the third, and nothing at all keeps it.
pub(crate) fn next(previous: &Version, changes: &[Change]) -> Version {
    let mut next = previous.clone();
    (next.pre, next.build) = (Prerelease::EMPTY, BuildMetadata::EMPTY);
    let breaking = changes.iter().any(|change| !change.breaking.is_empty());
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

/// The next pre-release of a version: `1.0.0-rc.1`, or one more than the latest there is.
pub(crate) fn pre_release(of: &Version, name: &str, there: &[Version]) -> Result<Version, String> {
    let number = |version: &Version| -> Option<u64> {
        let same = (version.major, version.minor, version.patch) == (of.major, of.minor, of.patch);
        same.then_some(())?;
        version.pre.as_str().strip_prefix(name)?.strip_prefix('.')?.parse().ok()
    };
    let last = there.iter().filter_map(number).max().unwrap_or(0);
    let pre = Prerelease::new(&format!("{name}.{}", last + 1)).map_err(|error| {
        format!("`{name}` cannot name a pre-release: {error}; give letters, such as `rc`")
    })?;
    Ok(Version { pre, ..of.clone() })
}

/// A version that a person chose.
pub(crate) fn given(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let version = Version::parse(bare).map_err(|error| {
        format!("`{text}` is not a version: {error}; give one such as `1.2.3` or `1.2.3-rc.1`")
    })?;
    if !version.build.is_empty() {
        return Err(format!(
            "`{text}` has build metadata, which does not order releases; leave out `+{}`",
            version.build
        ));
    }
    Ok(version)
}

/// Whether a version may follow the latest that the branch has.
pub(crate) fn may_follow(version: &Version, latest: Option<&Version>) -> Result<(), String> {
    match latest {
        Some(latest) if version <= latest => Err(format!(
            "version {version} does not follow {latest}, which is released on this branch already; give a higher one, or none"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::commits::tests::changes;
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_follow_the_messages() {
        let next = |from: &str, messages: &[&str]| next(&version(from), &changes(messages)).to_string();
        assert_eq!(next("1.2.3", &[]), "1.2.3");
        assert_eq!(next("1.2.3", &["whatever"]), "1.2.4");
        assert_eq!(next("1.2.3", &["fix: a", "docs: b"]), "1.2.4");
        assert_eq!(next("1.2.3", &["fix: a", "feat(x): b"]), "1.3.0");
        assert_eq!(next("1.2.3", &["feat!: b"]), "2.0.0");
        assert_eq!(next("0.2.3", &["fix: b\n\nBREAKING CHANGE: gone"]), "0.3.0");
        assert_eq!(next("1.2.3", &["odd\n\nBREAKING CHANGE: gone"]), "2.0.0");
        assert_eq!(next("0.2.3", &["chore(release): v0.2.3"]), "0.2.3");
    }

    #[test]
    fn pre_releases_are_counted() {
        let there: Vec<Version> =
            ["1.0.0-rc.1", "1.0.0-rc.9", "1.0.0-beta.20", "1.1.0-rc.30"].map(version).into();
        assert_eq!(pre_release(&version("1.0.0"), "rc", &there).unwrap(), version("1.0.0-rc.10"));
        assert_eq!(pre_release(&version("2.0.0"), "rc", &there).unwrap(), version("2.0.0-rc.1"));
        assert!(pre_release(&version("1.0.0"), "a b", &there).unwrap_err().contains("`a b`"));
    }

    #[test]
    fn given_versions_go_up() {
        let follows = |text: &str, latest: &str| may_follow(&given(text).unwrap(), Some(&version(latest)));
        assert!(follows("v1.0.1", "1.0.0").is_ok() && follows("1.0.0", "1.0.0-rc.2").is_ok());
        for (text, latest) in [("1.0.0", "1.0.0"), ("0.9.0", "1.0.0"), ("1.0.0-rc.1", "1.0.0")] {
            assert!(follows(text, latest).unwrap_err().contains(latest), "{text}");
        }
        assert!(given("1.0").is_err() && given("1.0.0+x").unwrap_err().contains("build metadata"));
    }
}
