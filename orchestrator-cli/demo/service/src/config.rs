//! Settings, read from environment variables.

use std::str::FromStr;
use std::time::Duration;

/// How the service behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `PORT`: where to listen on 127.0.0.1; 0 takes any free port.
    pub port: u16,
    /// `SCHOOL_FAIL_HEALTH=1`: `/health` answers 503.
    pub fail_health: bool,
    /// `SCHOOL_SLOW_MS`: how long each answer is held back.
    pub slow: Duration,
    /// `SCHOOL_CRASH_AFTER`: after how many requests the process exits with code 70; 0 is never.
    pub crash_after: u64,
    /// How long a client may stay idle, take to send a request, or take to read an answer.
    pub timeout: Duration,
    /// How many connections are served at the same time.
    pub max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 8080,
            fail_health: false,
            slow: Duration::ZERO,
            crash_after: 0,
            timeout: Duration::from_secs(5),
            max_connections: 64,
        }
    }
}

impl Config {
    /// Reads the settings with `lookup`, which answers the value of a variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let default = Self::default();
        Ok(Self {
            port: number(&lookup, "PORT", default.port)?,
            fail_health: number(&lookup, "SCHOOL_FAIL_HEALTH", 0u8)? != 0,
            slow: Duration::from_millis(number(&lookup, "SCHOOL_SLOW_MS", 0)?),
            crash_after: number(&lookup, "SCHOOL_CRASH_AFTER", default.crash_after)?,
            ..default
        })
    }
}

fn number<T: FromStr>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
) -> Result<T, String> {
    match lookup(name).as_deref().map(str::trim) {
        None | Some("") => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{name}={text} is not a number in range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_from_the_environment() {
        let set = |name: &str| match name {
            "PORT" => Some("0".to_owned()),
            "SCHOOL_FAIL_HEALTH" => Some("1".to_owned()),
            "SCHOOL_SLOW_MS" => Some("250".to_owned()),
            _ => None,
        };
        let config = Config::from_lookup(set).unwrap();
        assert_eq!((config.port, config.fail_health, config.crash_after), (0, true, 0));
        assert_eq!(config.slow, Duration::from_millis(250));
        assert_eq!(Config::from_lookup(|_| None).unwrap(), Config::default());

        let wrong = |name: &str| (name == "PORT").then(|| "70000".to_owned());
        let message = Config::from_lookup(wrong).unwrap_err();
        assert_eq!(message, "PORT=70000 is not a number in range");
    }
}
