//! Values that are checked when they are read, so that a wrong one is a planning error.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! checked {
    ($($(#[$doc:meta])* $name:ident: $check:ident, $wants:literal, $pattern:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// Checks the text.
            pub fn new(text: impl Into<String>) -> Result<Self, CheckError> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err(CheckError::new(&text, $wants)) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = CheckError;
            fn try_from(text: String) -> Result<Self, CheckError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

checked! {
    /// Name of an environment, such as `staging` or `production`.
    Environment: is_environment,
        "the name of an environment: it must match [a-z][a-z0-9_-]* and have at most 64 characters",
        "^[a-z][a-z0-9_-]*$";
    /// A version as it is deployed; part of the name of its release folder.
    Version: is_version,
        "a version: it must match [A-Za-z0-9][A-Za-z0-9._+-]* and have at most 64 characters",
        "^[A-Za-z0-9][A-Za-z0-9._+-]*$";
    /// A JSON pointer (RFC 6901): empty for the whole document, or `/status`, `/items/0/name`.
    Pointer: is_pointer, "a JSON pointer: it must be empty or start with `/`", "^(/.*)?$";
    /// The path of a file of a database: relative to the root of the checkout or absolute; `{environment}` is filled in.
    DatabasePath: is_database_path, "the path of a database: it must not be empty, have at most 1024 bytes and no control characters",
        "^[^\\x00-\\x1f]+$";
    /// The name of an image, with a tag or a digest; `{version}` and `{environment}` are filled in.
    ImageName: is_image_name,
        "the name of an image: it must match [A-Za-z0-9{][A-Za-z0-9._/:@{}-]* and have at most 255 characters",
        "^[A-Za-z0-9{][A-Za-z0-9._/:@{}-]*$";
    /// The name of a network of the engine; a container that shares another's network, or the machine's, publishes no port.
    Network: is_network,
        "a network that publishes ports: its name must match [A-Za-z0-9][A-Za-z0-9_.-]*, have at most 64 characters and be neither `host` nor `none`",
        "^[A-Za-z0-9][A-Za-z0-9_.-]*$";
    /// What is mounted in a container: `SOURCE:PATH` or `SOURCE:PATH:ro`; the source is a folder or the name of a volume.
    Volume: is_volume,
        "a volume: it must be like `data:/var/lib/app` or `/srv/app:/data:ro`",
        "^([A-Za-z0-9][A-Za-z0-9_.-]*|/[^:]*):/[^:]*(:(ro|rw))?$";
    /// A host as ssh names it: `web1`, `ada@web1.example`, a name of the ssh configuration.
    HostName: is_host_name,
        "a host: it must match [A-Za-z0-9_:\\[][A-Za-z0-9_.:@\\[\\]-]*, have at most 255 characters, and no part of it may begin with `-`",
        "^[A-Za-z0-9_:\\[][A-Za-z0-9_.:@\\[\\]-]*$";
    /// A path on a host: absolute, or relative to the home folder there. Of an ssh configuration: absolute, or relative to the root of the checkout.
    HostPath: is_host_path,
        "a path: absolute or relative, at most 1024 bytes, without control characters and `..`, and not beginning with `-` or `~`",
        "^[^\\x00-\\x1f~-][^\\x00-\\x1f]*$";
    /// The path of a request, with its query: starts with `/`.
    UrlPath: is_url_path, "the path of a request: it must start with `/` and be printable ASCII", "^/[!-~]*$";
}

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wants}")]
pub struct CheckError {
    text: String,
    wants: &'static str,
}

impl CheckError {
    fn new(text: &str, wants: &'static str) -> Self {
        Self { text: text.chars().take(100).collect(), wants }
    }
}

fn is_environment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

fn is_version(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

fn is_database_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}

fn is_image_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:@{}-".contains(c);
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '{');
    text.len() <= 255 && first && text.chars().all(plain)
}

fn is_network(text: &str) -> bool {
    is_plain(text) && !matches!(text, "host" | "none")
}

fn is_volume(text: &str) -> bool {
    let fine = |path: &str| path.starts_with('/') && !path.chars().any(char::is_control);
    let parts: Vec<&str> = text.split(':').collect();
    let (source, path) = match parts.as_slice() {
        [source, path] | [source, path, "ro" | "rw"] => (*source, *path),
        _ => return false,
    };
    text.len() <= 1024 && (is_plain(source) || fine(source)) && fine(path)
}

fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

impl ImageName {
    /// The image of one version in one environment. An error where that is no name any more: a tag takes no `+`.
    pub fn fill(&self, version: &Version, environment: &Environment) -> Result<Self, CheckError> {
        let filled =
            self.0.replace("{version}", version.as_str()).replace("{environment}", environment.as_str());
        let wants = "the name of an image: with its placeholders filled in it must match [A-Za-z0-9][A-Za-z0-9._/:@-]*, and a tag takes no `+`";
        match Self::new(filled) {
            Ok(image) if !image.0.contains(['{', '}']) => Ok(image),
            Ok(Self(text)) | Err(CheckError { text, .. }) => Err(CheckError::new(&text, wants)),
        }
    }
}

impl DatabasePath {
    /// The path in one environment.
    #[must_use]
    pub fn fill(&self, environment: &Environment) -> Self {
        Self(self.0.replace("{environment}", environment.as_str()))
    }
}

fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn is_host_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '[');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '@' | '[' | ']' | '-');
    let parts = |part: &str| !part.is_empty() && !part.starts_with('-');
    text.len() <= 255 && text.starts_with(first) && text.chars().all(plain) && text.split('@').all(parts)
}

fn is_host_path(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 1024
        && !text.starts_with(['-', '~'])
        && !text.chars().any(char::is_control)
        && text.split('/').all(|part| part != "..")
}

fn is_url_path(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic())
}

/// A time in seconds, more than none and at most a day.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(extend("minimum" = 0.001, "maximum" = 86400.0))]
pub struct Seconds(f64);

impl Seconds {
    /// Checks the time.
    pub fn new(seconds: f64) -> Result<Self, CheckError> {
        let wants = "a time in seconds: it must lie between 0.001 and 86400";
        if (0.001..=86400.0).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(CheckError::new(&seconds.to_string(), wants))
        }
    }

    pub(crate) const fn known(seconds: u32) -> Self {
        Self(seconds as f64)
    }

    /// The same as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = CheckError;
    fn try_from(seconds: f64) -> Result<Self, CheckError> {
        Self::new(seconds)
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// How long something is waited for, as `90s`, `10m` or `2h`; whole seconds, at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]+(s|m|h)$"))]
pub struct Patience(u64);

impl Patience {
    /// The time in seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Patience {
    type Error = CheckError;
    fn try_from(text: String) -> Result<Self, CheckError> {
        let wants = "a time to wait: it must be like `90s`, `10m` or `2h`, and at most a day";
        let time = orchestrator_core::units::duration(&text).ok().map(|time| time.as_secs());
        let time = time.filter(|seconds| (1..=86_400).contains(seconds));
        time.map(Self).ok_or_else(|| CheckError::new(&text, wants))
    }
}

impl From<Patience> for String {
    fn from(patience: Patience) -> Self {
        format!("{}s", patience.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_has_a_unit() {
        let read = |text: &str| Patience::try_from(text.to_owned());
        assert_eq!(read("10m").unwrap().seconds(), 600);
        assert_eq!(String::from(read("2h").unwrap()), "7200s");
        for bad in ["", "0s", "x", "25h", "-1m"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_checked_when_read() {
        for bad in ["", "Staging", "../x", "a/b", "1a", &"x".repeat(65)] {
            assert!(Environment::new(bad).is_err(), "{bad}");
        }
        for bad in ["", ".", "../1", "1/2", "-1", "1 2", &"1".repeat(65)] {
            assert!(Version::new(bad).is_err(), "{bad}");
        }
        assert!(Version::new("v1.2.3-20261120-234433+build.7").is_ok());
        let schema = serde_json::to_value(schemars::schema_for!(Environment)).unwrap();
        assert_eq!(schema["pattern"], "^[a-z][a-z0-9_-]*$", "{schema}");
        let schema = serde_json::to_value(schemars::schema_for!(Seconds)).unwrap();
        assert_eq!(schema["maximum"], 86400.0, "{schema}");
        assert!(UrlPath::new("http://x/").is_err() && UrlPath::new("/a b").is_err());
        assert!(Pointer::new("status").is_err() && Pointer::new("").is_ok());
        let (version, environment) = (Version::new("1.0.0").unwrap(), Environment::new("staging").unwrap());
        let image = ImageName::new("registry.example:5000/{environment}/school:{version}").unwrap();
        let filled = image.fill(&version, &environment).unwrap();
        assert_eq!(filled.as_str(), "registry.example:5000/staging/school:1.0.0");
        assert!(image.fill(&Version::new("1.0.0+x").unwrap(), &environment).is_err());
        assert!(ImageName::new("a:{other}").unwrap().fill(&version, &environment).is_err());
        assert!(
            ImageName::new("-x").is_err() && ImageName::new("a b").is_err() && ImageName::new("").is_err()
        );
        assert!(
            Network::new("host").is_err()
                && Network::new("container:x").is_err()
                && Network::new("web").is_ok()
        );
        for bad in ["", "data", "data:x", "a b:/x", "../x:/x", "/x:/y:rw,z", "/x:/y:ro:ro"] {
            assert!(Volume::new(bad).is_err(), "{bad}");
        }
        assert!(Volume::new("data:/x").is_ok() && Volume::new("/srv/a:/x:ro").is_ok());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(Seconds::new(bad).is_err(), "{bad}");
        }
        let error = serde_json::from_str::<Environment>("\"A\"").unwrap_err().to_string();
        assert!(error.starts_with("`A` is not the name of an environment"), "{error}");
    }
}
