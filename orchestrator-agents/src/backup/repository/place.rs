//! Where a repository lies, and where its password comes from. Said in the pipeline, shown in every action, never guessed.

#[cfg(feature = "repository")]
use std::fmt;

use orchestrator_core::BoxError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretName;

/// The longest path that is taken.
const LONGEST: usize = 4096;

/// A folder with a repository, and the source of its password: a secret or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
pub struct Place {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<SecretName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
}

/// A folder with a repository, and the source of its password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Its folder, relative to the root of the checkout or absolute; it may lie outside the checkout.
    path: String,
    /// The secret that holds its password.
    #[serde(default)]
    password: Option<SecretName>,
    /// The file that holds its password, instead of a secret.
    #[serde(default)]
    password_file: Option<String>,
}

/// Where a password comes from.
#[cfg(feature = "repository")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backup) enum Key<'a> {
    /// A secret of this name.
    Secret(&'a str),
    /// A file.
    File(&'a str),
}

impl Place {
    /// A place. Fails where the path is none, or the password does not come from exactly one source.
    pub fn new(
        path: &str,
        password: Option<SecretName>,
        password_file: Option<String>,
    ) -> Result<Self, BoxError> {
        check(path, "path")?;
        if let Some((scheme, _)) = path.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            return Err(format!(
                "repositories are folders; `{scheme}:` is not built: mount it, or copy the folder there with `restic copy`"
            )
            .into());
        }
        match (&password, &password_file) {
            (None, None) => Err(format!(
                "the repository `{path}` is encrypted, and nothing says where its password comes from: \
                 name a secret, `password: {{secret: NAME}}`, or a file, `password_file: PATH`; without it nobody restores"
            )
            .into()),
            (Some(_), Some(_)) => {
                Err("a password comes from one source: `password` or `password_file`, not both".into())
            }
            (_, Some(file)) => check(file, "password_file"),
            (Some(_), None) => Ok(()),
        }?;
        Ok(Self { path: path.to_owned(), password, password_file })
    }

    /// Its folder, as it was written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its password comes from.
    #[cfg(feature = "repository")]
    pub(in crate::backup) fn key(&self) -> Key<'_> {
        match (&self.password, &self.password_file) {
            (Some(name), _) => Key::Secret(&name.secret),
            (None, file) => Key::File(file.as_deref().unwrap_or_default()),
        }
    }
}

impl TryFrom<Written> for Place {
    type Error = BoxError;

    fn try_from(written: Written) -> Result<Self, BoxError> {
        Self::new(&written.path, written.password, written.password_file)
    }
}

#[cfg(feature = "repository")]
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "the secret `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
        }
    }
}

fn check(path: &str, key: &str) -> Result<(), BoxError> {
    if path.trim().is_empty() || path.len() > LONGEST || path.contains(char::is_control) {
        return Err(format!(
            "`{key}` of a repository is a path of at most {LONGEST} bytes without control characters"
        )
        .into());
    }
    if path.starts_with('~') {
        return Err(format!("`{key}: {path}`: `~` means nothing here; write the whole path").into());
    }
    Ok(())
}

/// How restic and rclone begin places that are no folders.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'))
}

#[cfg(all(test, feature = "repository"))]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<Place, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_has_one_source() {
        let place = read(json!({ "path": "../b", "password": { "secret": "KEY" } })).unwrap();
        assert_eq!((place.path(), place.key()), ("../b", Key::Secret("KEY")));
        assert_eq!(
            serde_json::to_value(&place).unwrap(),
            json!({ "path": "../b", "password": { "secret": "KEY" } })
        );
        let place = read(json!({ "path": "/srv/b", "password_file": "/etc/key" })).unwrap();
        assert_eq!(place.key().to_string(), "the file `/etc/key`");
        let error = read(json!({ "path": "../b" })).unwrap_err();
        assert!(error.contains("`password: {secret: NAME}`"), "{error}");
        let both = json!({ "path": "b", "password": { "secret": "KEY" }, "password_file": "f" });
        assert!(read(both).unwrap_err().contains("not both"));
        let error = read(json!({ "path": "b", "password": "hunter2 hunter2" })).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        for (path, says) in [
            ("", "is a path"),
            ("a\nb", "is a path"),
            ("~/b", "whole path"),
            ("sftp:host:/b", "not built"),
            ("s3:https://host/b", "not built"),
        ] {
            let error = read(json!({ "path": path, "password_file": "f" })).unwrap_err();
            assert!(error.contains(says), "{path}: {error}");
        }
    }
}
