//! What a proxy in front of an environment is told: its route, and which release gets how much. Pure: the asking is in `ops`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::BTreeMap;

use orchestrator_traffic::protocol::{Backend, Canary, Pair, Route, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, Seconds, UrlPath};

/// The reverse proxy in front of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Where clients connect, such as `127.0.0.1:8080`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The host that it answers for, without a port; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path that it answers for, and all below it.
    #[serde(default = "root")]
    pub prefix: UrlPath,
    /// Certificate and key, for TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Seconds that requests under way at a version which is left out get before they are cut.
    #[serde(default = "thirty_seconds")]
    pub drain: Seconds,
    /// Whether versions are spoken to in HTTP/2 without TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub h2c: bool,
    /// Requests with this header go to the new version as long as it is tried, whatever its share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_header: Option<NameValue>,
    /// The same by cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_cookie: Option<NameValue>,
    /// The name of a cookie that keeps clients where they are: whoever was given the new version stays with it while its share grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<String>,
}

/// Files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The chain, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: String,
}

/// A name and the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameValue {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

fn root() -> UrlPath {
    UrlPath::new("/").expect("a path")
}

fn thirty_seconds() -> Seconds {
    Seconds::known(30)
}

/// Shares by release; each is its part of their sum.
pub type Shares = BTreeMap<String, u32>;

impl ProxyConfig {
    /// What clients ask, without a path below the prefix.
    pub fn url(&self) -> String {
        let (scheme, default) = if self.tls.is_some() { ("https", 443) } else { ("http", 80) };
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let address = SocketAddr::new(ip, self.listen.port());
        let authority = match &self.host {
            Some(host) if self.listen.port() == default => host.clone(),
            Some(host) => format!("{host}:{}", self.listen.port()),
            None => address.to_string(),
        };
        format!("{scheme}://{authority}{}", self.prefix.as_str().trim_end_matches('/'))
    }

    /// Milliseconds until requests at a version that was left out are cut.
    pub fn drain_ms(&self) -> u64 {
        u64::try_from(self.drain.duration().as_millis()).unwrap_or(u64::MAX)
    }

    /// The route of an environment: those shares of these releases. `tried` is the one that canary requests go to.
    pub fn route(
        &self,
        environment: &Environment,
        shares: &[(String, SocketAddr, u32)],
        tried: Option<&str>,
    ) -> Route {
        let backend = |(version, address, weight): &(String, SocketAddr, u32)| Backend {
            version: version.clone(),
            address: *address,
            weight: *weight,
            h2c: self.h2c,
        };
        let pair = |pair: &NameValue| Pair { name: pair.name.clone(), value: pair.value.clone() };
        let asked = self.canary_header.is_some() || self.canary_cookie.is_some();
        let tried = tried.filter(|tried| asked && shares.iter().any(|(release, ..)| release == tried));
        let canary = tried.map(|version| Canary {
            version: version.to_owned(),
            header: self.canary_header.as_ref().map(pair),
            cookie: self.canary_cookie.as_ref().map(pair),
        });
        Route {
            name: environment.to_string(),
            host: self.host.clone(),
            prefix: self.prefix.to_string(),
            backends: shares.iter().map(backend).collect(),
            canary,
            sticky: self.sticky.clone(),
        }
    }
}

/// The shares that the route of an environment has in a table; empty where there is none.
pub(super) fn shares(table: &Table, environment: &Environment) -> Shares {
    let own = table.routes.iter().filter(|route| route.name == environment.as_str());
    own.flat_map(|route| &route.backends).map(|backend| (backend.version.clone(), backend.weight)).collect()
}

/// The table with that route instead of the one of its name; routes of others stay. One without anybody to answer goes.
pub(super) fn with_route(table: &Table, route: Route) -> Table {
    let mut routes = table.routes.clone();
    let at = routes.iter().position(|known| known.name == route.name);
    match (at, route.backends.is_empty()) {
        (Some(at), false) => routes[at] = route,
        (None, false) => routes.push(route),
        (Some(at), true) => drop(routes.remove(at)),
        (None, true) => {}
    }
    Table { routes }
}

/// Shares as people read them: `1.0.0-x 95 %, 1.1.0-y 5 %`.
pub fn shown(shares: &Shares) -> String {
    let sum: u64 = shares.values().map(|share| u64::from(*share)).sum();
    if sum == 0 {
        return "nobody".into();
    }
    let one = |(release, share): (&String, &u32)| {
        let percent = f64::from(*share) * 100.0 / sum as f64;
        format!("{release} {} %", (percent * 10.0).round() / 10.0)
    };
    shares.iter().filter(|(_, share)| **share > 0).map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(json: serde_json::Value) -> ProxyConfig {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_address_is_what_clients_ask() {
        let url = |json| config(json).url();
        assert_eq!(url(json!({ "listen": "0.0.0.0:8080" })), "http://127.0.0.1:8080");
        assert_eq!(url(json!({ "listen": "[::]:80", "host": "a.example" })), "http://a.example");
        assert_eq!(
            url(json!({ "listen": "127.0.0.1:81", "host": "a.example", "prefix": "/api/" })),
            "http://a.example:81/api"
        );
        let tls = json!({ "listen": "127.0.0.1:8443", "tls": { "certificate": "c", "key": "k" } });
        assert_eq!(url(tls), "https://127.0.0.1:8443");
        assert!(serde_json::from_value::<ProxyConfig>(json!({ "listen": "8080" })).is_err());
    }

    #[test]
    fn routes_of_others_stay() {
        let config = config(
            json!({ "listen": "127.0.0.1:1", "canary_header": { "name": "x-try", "value": "1" }, "sticky": "place" }),
        );
        let production = Environment::new("production").unwrap();
        let at: SocketAddr = "127.0.0.1:20001".parse().unwrap();
        let other = Route {
            name: "other".into(),
            host: None,
            prefix: "/o".into(),
            backends: vec![],
            canary: None,
            sticky: None,
        };
        let table = Table { routes: vec![other.clone()] };
        let shares_of = [("old".to_owned(), at, 95), ("new".to_owned(), at, 5)];
        let one = with_route(&table, config.route(&production, &shares_of, Some("new")));
        assert_eq!((one.routes.len(), &one.routes[0]), (2, &other));
        assert_eq!(one.routes[1].canary.as_ref().unwrap().version, "new");
        assert_eq!(one.routes[1].sticky.as_deref(), Some("place"));
        assert_eq!(shown(&shares(&one, &production)), "new 5 %, old 95 %");
        let two = with_route(&one, config.route(&production, &shares_of[..1], Some("new")));
        assert_eq!((two.routes.len(), two.routes[1].canary.is_none()), (2, true));
        assert_eq!(with_route(&two, config.route(&production, &[], None)), table);
        assert_eq!(shown(&Shares::new()), "nobody");
    }
}
