//! Where a database is and as whom it is reached, with the values of secrets filled in. Never stored, never shown.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::Access;

/// Parts of a query that PostgreSQL's URLs may have, besides `host`; each is a variable that libpq reads.
const LIBPQ: [(&str, &str); 6] = [
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("application_name", "PGAPPNAME"),
];

/// Where a database is and as whom it is reached. It has no `Debug`, so that no password gets into a message.
#[derive(Clone, Default)]
pub(in crate::backup) struct Address {
    pub(in crate::backup) host: Option<String>,
    pub(in crate::backup) port: Option<u16>,
    pub(in crate::backup) socket: Option<String>,
    pub(in crate::backup) user: Option<String>,
    pub(in crate::backup) password: Option<String>,
    pub(in crate::backup) database: Option<String>,
    /// What else libpq is told, by the names of its variables.
    pub(in crate::backup) libpq: BTreeMap<&'static str, String>,
}

/// Why there is no address. It never repeats what a secret holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::backup) enum AddressError {
    #[error("the secret `{0}` is not there: give it to the run, such as by the environment variable `{0}`")]
    Missing(String),
    #[error("the secret `{secret}` holds no URL of a database: {why}")]
    Url { secret: String, why: &'static str },
}

impl Address {
    /// Fills in what secrets hold. `schemes` are those that a URL may have.
    pub(in crate::backup) fn of(
        access: &Access,
        schemes: &[&str],
        secret: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AddressError> {
        let value = |name: &str| {
            secret(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| AddressError::Missing(name.to_owned()))
        };
        if let Some(url) = &access.url {
            let named = |why| AddressError::Url { secret: url.secret.clone(), why };
            let mut address = parse(value(&url.secret)?.trim(), schemes).map_err(named)?;
            if let Some(database) = &access.database {
                address.database = Some(database.clone());
            }
            return Ok(address);
        }
        let password = access.password.as_ref().map(|name| value(&name.secret)).transpose()?;
        let Access { database, host, port, socket, user, password: _, url: _ } = access.clone();
        Ok(Self { host, port, socket, user, password, database, libpq: BTreeMap::new() })
    }
}

/// Reads `scheme://user:password@host:port/database?name=value`, each part percent-encoded.
fn parse(url: &str, schemes: &[&str]) -> Result<Address, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no `://`")?;
    if !schemes.contains(&scheme) {
        return Err("its scheme is of another kind of database");
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').map_or((login, None), |(user, word)| (user, Some(word)));
    let (host, port) = host_and_port(place)?;
    let mut address = Address {
        host: decoded(host)?,
        port: port.map(|port| port.parse().map_err(|_| "its port is none")).transpose()?,
        user: decoded(user)?,
        password: password.map(decoded).transpose()?.flatten(),
        database: decoded(path)?,
        ..Address::default()
    };
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decoded(value)?;
        match name {
            "host" | "socket" | "unix_socket" => address.host = value,
            "user" => address.user = value,
            "password" => address.password = value,
            _ => {
                let known = LIBPQ.iter().find(|(known, _)| *known == name && scheme.starts_with("postgres"));
                let (_, variable) = known.ok_or("its query has a name that is not known")?;
                address.libpq.extend(value.map(|value| (*variable, value)));
            }
        }
    }
    if address.host.as_ref().is_some_and(|host| host.starts_with('/')) {
        address.socket = address.host.take();
    }
    Ok(address)
}

/// Splits off a port; a host of IPv6 stands in brackets.
fn host_and_port(place: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("its host has no `]`")?;
        return Ok((host, rest.strip_prefix(':')));
    }
    if place.contains(',') {
        return Err("it has several hosts");
    }
    Ok(place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))))
}

fn decoded(part: &str) -> Result<Option<String>, &'static str> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| "a part of it is no text")?;
    if text.contains(['\0', '\n', '\r']) {
        return Err("a part of it has a control character");
    }
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}
