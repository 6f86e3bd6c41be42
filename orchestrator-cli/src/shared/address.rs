//! Addresses of shared places. They hold no credentials, so that they can be shown anywhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::SharedError;

/// The address of a shared place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// What is there.
    pub(super) at: Where,
    /// As it was given.
    pub(super) shown: String,
}

/// What kind of place, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of an S3-compatible service.
    Bucket { bucket: String, prefix: String, endpoint: Option<String>, region: Option<String> },
    /// A Redis server.
    Redis { host: String, port: u16, db: i64, prefix: String },
}

impl Address {
    /// Reads `file:///PATH`, `s3://BUCKET/PREFIX?endpoint=..&region=..` or `redis://HOST:PORT/DB?prefix=..`.
    pub(super) fn parse(url: &str) -> Result<Self, SharedError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong(
                "it is no address; write it like `file:///srv/team`, `s3://bucket/prefix` or \
                              `redis://host:6379/0`",
            ));
        };
        let (way, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = way.split_once('/').unwrap_or((way, ""));
        // Whatever may be a credential is not repeated.
        if host.contains('@') || query.contains('@') {
            return Err(wrong("it holds credentials; leave them out and set them in the environment"));
        }
        let mut query = parts(query)?;
        let at = match scheme {
            "file" if host.is_empty() && !path.is_empty() => {
                Where::Folder(format!("/{}", text(path)?).into())
            }
            "file" => return Err(wrong("a folder is named by its whole path: `file:///srv/team`")),
            "s3" if host.is_empty() => return Err(wrong("it names no bucket: `s3://bucket/prefix`")),
            "s3" => Where::Bucket {
                bucket: text(host)?,
                prefix: text(path)?,
                endpoint: query.remove("endpoint"),
                region: query.remove("region"),
            },
            "redis" => redis(host, path, &mut query)?,
            _ => return Err(wrong("only `file`, `s3` and `redis` are known")),
        };
        if let Some(key) = query.keys().next() {
            let known = match scheme {
                "file" => "nothing",
                "s3" => "`endpoint` and `region`",
                _ => "`prefix`",
            };
            return Err(wrong(format!("`{key}` is not known behind the `?`; known there: {known}")));
        }
        Ok(Self { at, shown: url.to_owned() })
    }
}

fn redis(host: &str, path: &str, query: &mut BTreeMap<String, String>) -> Result<Where, SharedError> {
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => {
            (host, port.parse().map_err(|_| wrong("its port is no number from 0 to 65535"))?)
        }
        None => (host, 6379),
    };
    if host.is_empty() {
        return Err(wrong("it names no host: `redis://host:6379/0`"));
    }
    let db = match path {
        "" => 0,
        path => path.parse::<u32>().map_err(|_| wrong("its database is no number: `redis://host:6379/0`"))?,
    };
    let prefix = query.remove("prefix").unwrap_or_else(|| "orchestrate".into());
    Ok(Where::Redis { host: host.to_owned(), port, db: i64::from(db), prefix })
}

fn parts(query: &str) -> Result<BTreeMap<String, String>, SharedError> {
    let mut found = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        found.insert(text(key)?, text(value)?);
    }
    Ok(found)
}

fn text(encoded: &str) -> Result<String, SharedError> {
    let decoded = percent_decode_str(encoded).decode_utf8();
    match decoded {
        Ok(text) if !text.contains(['\0', '\n', '\r', '@']) => Ok(text.into_owned()),
        _ => Err(wrong("it holds characters that no address has")),
    }
}

fn wrong(why: impl Into<String>) -> SharedError {
    SharedError::Address { why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Where {
        Address::parse(url).unwrap().at
    }

    #[test]
    fn addresses_say_where() {
        assert_eq!(at("file:///srv/our%20team"), Where::Folder("/srv/our team".into()));
        let (bucket, prefix) = ("b".to_owned(), "x/y".to_owned());
        let (endpoint, region) = (Some("http://127.0.0.1:9000".to_owned()), Some("eu-1".to_owned()));
        let url = "s3://b/x/y?endpoint=http://127.0.0.1:9000&region=eu-1";
        assert_eq!(at(url), Where::Bucket { bucket, prefix, endpoint, region });
        let redis =
            |port, db, prefix: &str| Where::Redis { host: "h".into(), port, db, prefix: prefix.into() };
        assert_eq!(at("redis://h"), redis(6379, 0, "orchestrate"));
        assert_eq!(at("redis://h:7000/3?prefix=team"), redis(7000, 3, "team"));
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for url in ["redis://:hunter2@h/0", "s3://key:hunter2@b/x", "s3://b?endpoint=http://u:hunter2@h"] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains("credentials") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_an_error() {
        let wrong = [
            "/srv/team",
            "file://srv/team",
            "file:///",
            "s3:///x",
            "redis://h:x",
            "redis://h/x",
            "ftp://h/x",
        ];
        for url in
            wrong.into_iter().chain(["s3://b?secret=1", "file:///a?b=c", "redis://:1/0", "file:///a%00"])
        {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
