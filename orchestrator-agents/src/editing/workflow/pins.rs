//! The actions that edits may write, each by the full commit that its release tag names. Every one was read from the tags of
//! the repository itself (`git for-each-ref refs/tags`, annotated tags followed to their commit); what is not here is not used.

/// An action at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pin {
    /// `owner/name`.
    pub name: &'static str,
    /// The commit, 40 hex digits.
    pub commit: &'static str,
    /// The tag that names the commit.
    pub tag: &'static str,
}

/// Checks the repository out. Tag `v6.0.2` of `github.com/actions/checkout`.
pub(super) const CHECKOUT: Pin =
    Pin { name: "actions/checkout", commit: "de0fac2e4500dabe0009e67214ff5f5447ce83dd", tag: "v6.0.2" };

/// Keeps files of a run. Tag `v7.0.0` of `github.com/actions/upload-artifact`.
pub(super) const UPLOAD_ARTIFACT: Pin = Pin {
    name: "actions/upload-artifact",
    commit: "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f",
    tag: "v7.0.0",
};

/// Scans for known vulnerabilities. Annotated tag `v0.36.0` of `github.com/aquasecurity/trivy-action`.
pub(super) const TRIVY: Pin = Pin {
    name: "aquasecurity/trivy-action",
    commit: "ed142fd0673e97e23eac54620cfb913e5ce36c25",
    tag: "v0.36.0",
};

/// Lists what a tree or an image is made of. Tag `v0.24.0` of `github.com/anchore/sbom-action`.
pub(super) const SBOM: Pin =
    Pin { name: "anchore/sbom-action", commit: "e22c389904149dbc22b58101806040fa8d37a610", tag: "v0.24.0" };

/// Installs k6. Tag `v1.2.1` of `github.com/grafana/setup-k6-action`.
pub(super) const SETUP_K6: Pin = Pin {
    name: "grafana/setup-k6-action",
    commit: "db07bd9765aac508ef18982e52ab937fe633a065",
    tag: "v1.2.1",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_whole_commit() {
        for pin in [CHECKOUT, UPLOAD_ARTIFACT, TRIVY, SBOM, SETUP_K6] {
            assert_eq!(pin.commit.len(), 40, "{}", pin.name);
            assert!(
                pin.commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)),
                "{}",
                pin.name
            );
            assert!(pin.tag.starts_with('v') && pin.tag.matches('.').count() == 2, "{}", pin.tag);
        }
    }
}
