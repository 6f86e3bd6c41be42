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
    /// `SCHOOL_DATABASE`: a file of SQLite that holds the data; memory without it.
    pub database: Option<String>,
    /// `SCHOOL_FAIL_PERCENT`: of a hundred requests, so many are answered with 500.
    pub fail_percent: u8,
    /// `SCHOOL_LEAK_BYTES`: how much memory each request takes for good.
    pub leak: usize,
    /// `SCHOOL_UNHEALTHY_AFTER`: seconds after the start from which on `/health` answers 503.
    pub unhealthy_after: Option<Duration>,
    /// `SCHOOL_HANG_ON_STOP=1`: a polite request to end (SIGTERM) is ignored.
    pub hang_on_stop: bool,
    /// `SCHOOL_EVENTS`: how many events a client of `/events` gets.
    pub events: u32,
    /// `SCHOOL_EVENT_MS`: the pause between two events.
    pub event_pause: Duration,
    /// How long a client may stay idle, take to send a request, or take to read an answer.
    pub timeout: Duration,
    /// `SCHOOL_MAX_CONNECTIONS`: how many connections are served at the same time.
    pub max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 8080,
            fail_health: false,
            slow: Duration::ZERO,
            crash_after: 0,
            database: None,
            fail_percent: 0,
            leak: 0,
            unhealthy_after: None,
            hang_on_stop: false,
            events: 86_400,
            event_pause: Duration::from_secs(1),
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
            database: lookup("SCHOOL_DATABASE").filter(|path| !path.is_empty()),
            fail_percent: share(&lookup, "SCHOOL_FAIL_PERCENT")?,
            leak: number(&lookup, "SCHOOL_LEAK_BYTES", default.leak)?,
            unhealthy_after: match number(&lookup, "SCHOOL_UNHEALTHY_AFTER", 0)? {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            hang_on_stop: number(&lookup, "SCHOOL_HANG_ON_STOP", 0u8)? != 0,
            events: number(&lookup, "SCHOOL_EVENTS", default.events)?,
            event_pause: Duration::from_millis(number(&lookup, "SCHOOL_EVENT_MS", 1000)?),
            max_connections: number(&lookup, "SCHOOL_MAX_CONNECTIONS", default.max_connections)?,
            ..default
        })
    }
}

fn share(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Result<u8, String> {
    match number(lookup, name, 0)? {
        percent @ 0..=100 => Ok(percent),
        more => Err(format!("{name}={more} is more than 100")),
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

        let much = |name: &str| (name == "SCHOOL_FAIL_PERCENT").then(|| "101".to_owned());
        assert_eq!(
            Config::from_lookup(much).unwrap_err(),
            "SCHOOL_FAIL_PERCENT=101 is more than 100"
        );
        let wrong = |name: &str| (name == "PORT").then(|| "70000".to_owned());
        let message = Config::from_lookup(wrong).unwrap_err();
        assert_eq!(message, "PORT=70000 is not a number in range");
    }
}
