//! The environment that every command gets, besides what it declares: an allow-list, so that secrets do not leak and
//! recorded results do not depend on what nobody sees.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// A name that contains one of these, in any case, never passes.
const NEVER: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSPHRASE", "CREDENTIAL", "KEY"];

/// Names that pass. A `*` stands for anything.
const ALLOWED: &[&str] = &[
    // The user and the session.
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE LC_* TERM TZ TMPDIR TEMP TMP XDG_*_HOME XDG_RUNTIME_DIR",
    "CI NO_COLOR DEBIAN_FRONTEND SSH_AUTH_SOCK DOCKER_HOST",
    // Networks.
    "http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY",
    "SSL_CERT_FILE SSL_CERT_DIR",
    // Git.
    "GIT_SSH_COMMAND GIT_CONFIG_GLOBAL GIT_AUTHOR_* GIT_COMMITTER_*",
    // Rust and C.
    "CARGO_HOME CARGO_TARGET_DIR CARGO_INCREMENTAL CARGO_NET_OFFLINE CARGO_REGISTRIES_*_INDEX",
    "RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTUP_DIST_SERVER RUSTUP_UPDATE_ROOT",
    "RUSTC_WRAPPER RUSTFLAGS RUSTDOCFLAGS SCCACHE_*",
    "CC CXX AR CFLAGS CXXFLAGS LDFLAGS PKG_CONFIG_PATH",
    // Java and Go.
    "JAVA_HOME GOPATH GOCACHE GOMODCACHE GOROOT GOPROXY GOPRIVATE GOFLAGS GOTOOLCHAIN",
    // JavaScript. The name of a registry's login is `npm_config_//HOST/:_auth`.
    "NODE_PATH NODE_EXTRA_CA_CERTS NVM_DIR PNPM_HOME COREPACK_HOME npm_config_* NPM_CONFIG_*",
    // Python and PHP.
    "VIRTUAL_ENV PYTHONPATH PYENV_ROOT UV_* PIP_* POETRY_HOME COMPOSER_HOME",
];

/// Names among the allowed ones that change what compilers, interpreters and tests do: results depend on them. Names of
/// places and of people do not count, so that results can be shared.
const COUNTING: &[&str] = &[
    "CI LANG LANGUAGE LC_* TZ",
    "CARGO_INCREMENTAL RUSTUP_TOOLCHAIN RUSTFLAGS RUSTDOCFLAGS",
    "CC CXX AR CFLAGS CXXFLAGS LDFLAGS PKG_CONFIG_PATH",
    "GOFLAGS GOTOOLCHAIN NODE_PATH PYTHONPATH",
];

/// Whether results depend on a variable that every command gets, without anybody saying so.
pub(crate) fn counts(name: &str) -> bool {
    COUNTING.iter().flat_map(|line| line.split(' ')).any(|pattern| fits(pattern, name))
}

/// The part of an environment that every command gets, in order of names. Of a name that comes twice the last counts.
pub fn environment(vars: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let passing: BTreeMap<_, _> = vars.filter(|(name, _)| name.to_str().is_some_and(passes)).collect();
    passing.into_iter().collect()
}

fn passes(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let login = upper.starts_with("NPM_CONFIG_") && upper.contains("AUTH");
    !login
        && !NEVER.iter().any(|word| upper.contains(word))
        && ALLOWED.iter().flat_map(|line| line.split(' ')).any(|pattern| fits(pattern, name))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_does_not() {
        let passing = "PATH HOME LANG LC_ALL LC_ TERM TZ CARGO_HOME CARGO_TARGET_DIR RUSTC_WRAPPER SCCACHE_DIR \
            CARGO_REGISTRIES_MINE_INDEX GOFLAGS npm_config_registry NPM_CONFIG_CACHE UV_CACHE_DIR PIP_INDEX_URL \
            SSH_AUTH_SOCK GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL http_proxy NO_PROXY XDG_CACHE_HOME XDG_RUNTIME_DIR CI DOCKER_HOST";
        for name in passing.split_whitespace() {
            assert!(passes(name), "{name}");
        }
        let kept_back = "PATHS path MY_PATH AWS_SECRET_ACCESS_KEY GITHUB_TOKEN CARGO_REGISTRY_TOKEN \
            CARGO_REGISTRIES_MINE_TOKEN CARGO_REGISTRIES_MINE_TOKEN_INDEX UV_PUBLISH_TOKEN UV_INDEX_MINE_PASSWORD \
            PIP_secret SCCACHE_GCS_KEY_PATH npm_config_//registry.npmjs.org/:_authToken \
            npm_config_//registry.npmjs.org/:_auth npm_config__auth npm_config__password NPM_CONFIG__AUTH GIT_DIR \
            GIT_WORK_TREE LD_PRELOAD DATABASE_URL COMPOSER_AUTH XDG_SESSION_ID GOOGLE_APPLICATION_CREDENTIALS \
            GIT_CONFIG_COUNT CARGO_REGISTRIES_INDEX";
        for name in kept_back.split_whitespace().chain(["", "*", "A=B"]) {
            assert!(!passes(name), "{name}");
        }
    }

    #[test]
    fn it_is_in_order_and_names_are_unique() {
        let given = [("TZ", "a"), ("HOME", "h"), ("X", "x"), ("TZ", "b")];
        let given = given.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let expected = [("HOME", "h"), ("TZ", "b")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(environment(given), expected);
    }

    #[cfg(unix)]
    #[test]
    fn values_need_not_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = OsString::from_vec(vec![255, b'/']);
        let given = [("PATH".into(), bytes.clone()), (bytes.clone(), "x".into())];
        assert_eq!(environment(given.into_iter()), [("PATH".into(), bytes)]);
    }
}
