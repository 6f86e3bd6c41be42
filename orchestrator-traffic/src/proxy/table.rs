//! A checked table, ready to find who gets a request. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};

use super::version::{Version, below};
use crate::protocol::{Canary, Pair, Route, Table};

/// The most routes of a table.
pub const ROUTES: usize = 256;
/// The most backends of a route.
pub const BACKENDS: usize = 16;
/// The most bytes of a name, of a host, and of a canary's value.
pub const NAME: usize = 255;
/// The most bytes of a prefix.
pub const PREFIX: usize = 1024;

/// Says what is wrong with a table.
pub fn check(table: &Table) -> Result<(), String> {
    let count = table.routes.len();
    if count > ROUTES {
        return Err(format!("the table has {count} routes; {ROUTES} are the most"));
    }
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for route in &table.routes {
        check_route(route).map_err(|why| format!("route `{}`: {why}", route.name.escape_default()))?;
        if !names.insert(&route.name) {
            return Err(format!("two routes are called `{}`", route.name));
        }
        if !places.insert((route.host.as_ref().map(|host| host.to_ascii_lowercase()), trimmed(&route.prefix)))
        {
            let host = route.host.as_deref().unwrap_or("any host");
            return Err(format!("two routes are about `{host}` and `{}`", route.prefix));
        }
    }
    Ok(())
}

fn check_route(route: &Route) -> Result<(), String> {
    check_name(&route.name)?;
    if let Some(host) = &route.host {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let port = !host.starts_with('[') && host.contains(':');
        if host.is_empty() || host.len() > NAME || !host.bytes().all(fine) || port {
            return Err(format!("`{}` is not a host without a port", host.escape_default()));
        }
    }
    let fine = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    if !route.prefix.starts_with('/') || route.prefix.len() > PREFIX || !route.prefix.bytes().all(fine) {
        return Err(format!("`{}` is not a path; it starts with `/`", route.prefix.escape_default()));
    }
    let count = route.backends.len();
    if count == 0 || count > BACKENDS {
        return Err(format!("it has {count} backends; 1 to {BACKENDS} are needed"));
    }
    let mut versions = BTreeSet::new();
    for backend in &route.backends {
        check_name(&backend.version)?;
        if !versions.insert(&backend.version) {
            return Err(format!("two backends are called `{}`", backend.version));
        }
        if backend.address.port() == 0 || backend.address.ip().is_unspecified() {
            return Err(format!("`{}` is not an address that answers", backend.address));
        }
    }
    if route.backends.iter().all(|backend| backend.weight == 0) {
        return Err("all its weights are 0, so nobody would answer".into());
    }
    if let Some(name) = route.sticky.as_ref().filter(|name| !is_header(name)) {
        let name: String = name.chars().take(40).collect();
        return Err(format!("`{}` is not a name of a cookie", name.escape_default()));
    }
    route.canary.as_ref().map_or(Ok(()), |canary| check_canary(canary, &versions))
}

fn is_header(name: &str) -> bool {
    name.len() <= NAME && HeaderName::from_bytes(name.as_bytes()).is_ok()
}

fn check_name(name: &str) -> Result<(), String> {
    let fine = !name.is_empty() && name.len() <= NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then_some(()).ok_or_else(|| {
        format!("`{}` is not a name: 1 to {NAME} printable characters of ASCII", name.escape_default())
    })
}

fn check_canary(canary: &Canary, versions: &BTreeSet<&String>) -> Result<(), String> {
    if !versions.contains(&canary.version) {
        return Err(format!(
            "its canary is `{}`, which is not one of its backends",
            canary.version.escape_default()
        ));
    }
    if canary.header.is_none() && canary.cookie.is_none() {
        return Err("its canary needs a header or a cookie".into());
    }
    for Pair { name, value } in canary.header.iter().chain(&canary.cookie) {
        if !is_header(name)
            || value.len() > NAME
            || !value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
        {
            return Err(format!(
                "its canary's `{}` is not a name with a value",
                name.chars().take(40).collect::<String>().escape_default()
            ));
        }
    }
    Ok(())
}

/// The prefix without the `/` at its end, so that `/api` and `/api/` are the same place.
fn trimmed(prefix: &str) -> &str {
    prefix.trim_end_matches('/')
}

/// A checked table with its versions.
#[derive(Debug)]
pub struct Served {
    /// Grows by one with each change.
    pub generation: u64,
    /// The table.
    pub table: Table,
    /// In the order in which they are looked at: those with a host first, longer prefixes first.
    ways: Vec<Way>,
}

#[derive(Debug)]
struct Way {
    host: Option<String>,
    prefix: String,
    /// Each with the sum of the weights up to it.
    versions: Vec<(u64, Arc<Version>)>,
    total: u64,
    canary: Option<Marked>,
    sticky: Option<String>,
}

#[derive(Debug)]
struct Marked {
    version: Arc<Version>,
    header: Option<(HeaderName, HeaderValue)>,
    cookie: Option<(String, String)>,
}

/// Why a version gets a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Canary,
    /// Its share; with the line that tells a client to keep its place, where that has none yet.
    Share(Option<HeaderValue>),
}

/// Places among the shares. More than percentages need, fewer than tell clients from each other.
const PLACES: u64 = 1000;

/// The header lines of a request.
pub trait Fields {
    /// The values of those with that name, which is in small letters, in their order.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

impl Fields for HeaderMap {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// Who gets a request.
#[derive(Debug)]
pub enum Pick<'a> {
    /// That version, for that reason.
    Version(&'a Arc<Version>, Why),
    /// No route is about it.
    NoRoute,
    /// There are no routes at all.
    Empty,
}

impl Served {
    /// A table that was checked; `version` gives each backend of each route its version.
    pub(super) fn new(
        generation: u64,
        table: Table,
        mut version: impl FnMut(&Route, usize) -> Arc<Version>,
    ) -> Self {
        let mut ways: Vec<Way> = table.routes.iter().map(|route| Way::new(route, &mut version)).collect();
        ways.sort_by_key(|way| (way.host.is_none(), std::cmp::Reverse(way.prefix.len())));
        Self { generation, table, ways }
    }

    /// All its versions.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.ways.iter().flat_map(|way| way.versions.iter().map(|(_, version)| version))
    }

    /// Who gets a request to that host, without its port, and that path. One that could not be reached is passed over.
    pub fn pick(&self, host: &str, path: &str, headers: &impl Fields, not: Option<u64>) -> Pick<'_> {
        let found = self.ways.iter().find(|way| way.is_about(host, path));
        let Some(way) = found else {
            return if self.ways.is_empty() { Pick::Empty } else { Pick::NoRoute };
        };
        if let Some(marked) = &way.canary
            && marked.is_meant(headers)
        {
            return Pick::Version(&marked.version, Why::Canary);
        }
        let Some(cookie) = &way.sticky else {
            return Pick::Version(way.by_weight(below(way.total), not), Why::Share(None));
        };
        let kept = cookies(headers).filter(|(name, _)| name == cookie).find_map(|(_, value)| place(value));
        let place = kept.unwrap_or_else(|| below(PLACES));
        let line = if kept.is_none() { keeps(cookie, place) } else { None };
        Pick::Version(way.by_weight(place * way.total / PLACES, not), Why::Share(line))
    }
}

impl Way {
    fn new(route: &Route, version: &mut impl FnMut(&Route, usize) -> Arc<Version>) -> Self {
        let mut total = 0;
        let versions: Vec<_> = (0..route.backends.len())
            .map(|at| {
                total += u64::from(route.backends[at].weight);
                (total, version(route, at))
            })
            .collect();
        let canary = route.canary.as_ref().and_then(|canary| {
            let version = versions.iter().find(|(_, version)| *version.name == *canary.version)?;
            Some(Marked::new(canary, Arc::clone(&version.1)))
        });
        let host = route.host.as_ref().map(|host| host.to_ascii_lowercase());
        let sticky = route.sticky.clone();
        Self { host, prefix: trimmed(&route.prefix).into(), versions, total, canary, sticky }
    }

    fn is_about(&self, host: &str, path: &str) -> bool {
        let below = path
            .strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.prefix.is_empty());
        below && self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host))
    }

    fn by_weight(&self, number: u64, not: Option<u64>) -> &Arc<Version> {
        let drawn = self.draw(number);
        if Some(drawn.id) != not {
            return drawn;
        }
        let mut before = 0;
        let other = self.versions.iter().find(|(sum, version)| {
            let share = sum - before;
            before = *sum;
            share > 0 && Some(version.id) != not
        });
        other.map_or(drawn, |(_, version)| version)
    }

    fn draw(&self, number: u64) -> &Arc<Version> {
        let at = self.versions.partition_point(|(sum, _)| *sum <= number);
        &self.versions[at.min(self.versions.len() - 1)].1
    }
}

impl Marked {
    fn new(canary: &Canary, version: Arc<Version>) -> Self {
        let header = canary.header.as_ref().and_then(|pair| {
            let name = HeaderName::from_bytes(pair.name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(&pair.value).ok()?))
        });
        let cookie = canary.cookie.as_ref().map(|pair| (pair.name.clone(), pair.value.clone()));
        Self { version, header, cookie }
    }

    fn is_meant(&self, headers: &impl Fields) -> bool {
        let by_header = || {
            let (name, value) = self.header.as_ref()?;
            Some(headers.values(name.as_str()).any(|one| one == value.as_bytes()))
        };
        let by_cookie = || {
            let (name, value) = self.cookie.as_ref()?;
            Some(cookies(headers).any(|one| one == (name.as_str(), value.as_str())))
        };
        by_header() == Some(true) || by_cookie() == Some(true)
    }
}

/// The place that a cookie holds.
fn place(value: &str) -> Option<u64> {
    let short = value.len() <= 3 && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|place| short && *place < PLACES)
}

/// Tells a client to keep its place, for as long as it runs.
fn keeps(cookie: &str, place: u64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{cookie}={place}; Path=/; HttpOnly; SameSite=Lax")).ok()
}

/// Names and values of the cookies (RFC 6265, section 4.2.1), without regard to quotes.
fn cookies(headers: &impl Fields) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.values(COOKIE.as_str()).filter_map(|value| std::str::from_utf8(value).ok());
    values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests;
