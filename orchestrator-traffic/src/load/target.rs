//! Where a load goes, looked up once.

use std::net::SocketAddr;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri};

use super::plan::{LoadError, Plan};
use super::secure::Secure;

/// Where a load goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Tried in turn.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) host: HeaderValue,
    /// Of `https` only.
    pub(super) secure: Option<Secure>,
    authority: Authority,
    given: PathAndQuery,
}

impl Target {
    /// Looks it up; refuses other machines unless they are meant.
    pub(super) async fn find(plan: &Plan) -> Result<Self, LoadError> {
        let wrong = |why: &str| LoadError::Plan(format!("`{}` is no URL to load: {why}", plan.url));
        let uri: Uri = plan.url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        let by_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("only `http://` and `https://` can be loaded")),
        };
        if !by_tls && plan.ca.is_some() {
            return Err(wrong("certificates of authorities are of no use without `https://`"));
        }
        let authority = uri.authority().cloned().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a password in it"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if by_tls { 443 } else { 80 });
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let mut addresses: Vec<_> =
            found.map_err(|source| LoadError::Unknown { host: host.clone(), source })?.collect();
        // Servers of this machine mostly listen on IPv4: what is refused first would be tried anew for each connection.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        addresses.dedup();
        let far = addresses.iter().map(SocketAddr::ip).find(|address| !address.to_canonical().is_loopback());
        match far {
            Some(address) if !plan.allow_remote => return Err(LoadError::Remote { host, address }),
            _ if addresses.is_empty() => return Err(wrong("its host has no address")),
            _ => {}
        }
        let secure = by_tls.then(|| Secure::new(&host, plan.ca.as_deref())).transpose()?;
        let named = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("its host is no header"))?;
        let given = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { addresses, host: named, secure, authority, given })
    }

    /// What is asked for: the URL itself, or a path below it. HTTP/2 wants the host in it too.
    pub(super) fn uri(&self, below: Option<&str>, http2: bool) -> Result<Uri, LoadError> {
        let path = match below {
            None => self.given.clone(),
            Some(below) => {
                let path = format!("{}{below}", self.given.path().trim_end_matches('/'));
                let wrong = |error| LoadError::Plan(format!("`{below}` is no path: {error}"));
                path.parse().map_err(wrong)?
            }
        };
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(path);
        if http2 {
            let scheme =
                if self.secure.is_some() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP };
            parts.scheme = Some(scheme);
            parts.authority = Some(self.authority.clone());
        }
        Uri::from_parts(parts).map_err(|error| LoadError::Plan(error.to_string()))
    }
}
