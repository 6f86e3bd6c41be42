//! Header lines that concern one connection only, and those that tell a version of the client.

use std::time::Duration;

use http::header::{
    CONNECTION, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{Uri, Version};
use hyper::body::Body;

use super::connection::Client;
use super::head::is_host;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const OURS: HeaderValue = HeaderValue::from_static("1.1 orchestrate");
const OURS_2: HeaderValue = HeaderValue::from_static("2 orchestrate");
/// How often a request may come by proxies like this one: more is a loop.
const LOOPS: usize = 8;

/// Whether a list of tokens holds that one (RFC 9110, section 5.6.1).
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// Takes off what concerns one connection only (RFC 9110, section 7.6.1). Those that a message must not lose stay, whatever it says.
pub(super) fn strip(headers: &mut HeaderMap) {
    // Most messages have none of them: one look at all names costs less than a search for each.
    if !headers.keys().any(is_of_connection) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| name != HOST && name != TE && name != http::header::CONTENT_LENGTH)
        .collect();
    for name in
        named.into_iter().chain([CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE])
    {
        headers.remove(name);
    }
}

fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

/// Whether it has come by here too often.
pub(super) fn is_loop(headers: &HeaderMap) -> bool {
    let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter(|one| one.trim().ends_with(" orchestrate"))
        .take(LOOPS)
        .count()
        == LOOPS
}

/// Makes of the head of a client's request what any version gets; [`adapt`] does the rest.
pub(super) fn forward(parts: &mut http::request::Parts, client: &Client) {
    let headers = &mut parts.headers;
    if headers.keys().any(|name| is_of_connection(name) || is_of_step(name)) {
        let upgrade = upgrade(headers);
        let trailers = has_token(headers, &TE, "trailers");
        strip(headers);
        for name in [EXPECT, HTTP2_SETTINGS, TE] {
            headers.remove(name);
        }
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        if let Some(upgrade) = upgrade {
            headers.insert(UPGRADE, upgrade);
        }
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if let Some(host) =
        parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
    {
        headers.insert(HOST, host);
    }
    headers.append(VIA, if parts.version == Version::HTTP_2 { OURS_2 } else { OURS });
    append_client(headers, &client.address);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if client.secure { "https" } else { "http" }));
    match headers.get(HOST).cloned() {
        Some(host) => headers.insert(FORWARDED_HOST, host),
        None => headers.remove(FORWARDED_HOST),
    };
}

/// How long a version keeps a connection, where it says so.
pub(super) fn kept_for(headers: &HeaderMap) -> Option<Duration> {
    kept_by(headers.get("keep-alive")?.as_bytes())
}

/// The same of a line's value: a second less, since its clock began earlier.
pub(super) fn kept_by(value: &[u8]) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?;
    let seconds: u64 = value.split(',').find_map(|one| one.trim().strip_prefix("timeout="))?.parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

/// What the proxy sees to itself.
fn is_of_step(name: &HeaderName) -> bool {
    matches!(name.as_str(), "te" | "expect" | "http2-settings")
}

/// The other protocols that a client asks for, one of them. HTTP/2 is not spoken by that way.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    if !has_token(headers, &CONNECTION, "upgrade") {
        return None;
    }
    let is_fine = |protocol: &&str| !protocol.is_empty() && !protocol.eq_ignore_ascii_case("h2c");
    let fine: Vec<&str> = wanted.to_str().ok()?.split(',').map(str::trim).filter(is_fine).collect();
    if fine.is_empty() { None } else { HeaderValue::from_str(&fine.join(", ")).ok() }
}

/// Whether a request of HTTP/2 names one host that may be passed on (RFC 9113, section 8.3.1): HTTP/1 has a single line for it.
pub(super) fn is_of_one_host(uri: &Uri, headers: &HeaderMap) -> bool {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let mut lines = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (line, another) = (lines.next(), lines.next());
    let same = match (authority, line) {
        (Some(authority), Some(line)) => line.eq_ignore_ascii_case(authority.as_bytes()),
        (authority, line) => authority.is_some() || line.is_some(),
    };
    let host = authority.map(str::as_bytes).or(line).unwrap_or_default();
    same && another.is_none() && is_host(host)
}

/// Makes the head one of HTTP/1 or of HTTP/2, whichever the version speaks. May be done again for another one. False where the host that the
/// request names cannot be named in HTTP/2.
#[must_use]
pub(super) fn adapt<B: Body>(request: &mut http::Request<B>, h2c: bool) -> bool {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if h2c {
        *request.version_mut() = Version::HTTP_2;
        let host = request.headers_mut().remove(HOST).or(host);
        let Some(uri) = absolute(request.uri(), host.as_ref()) else { return false };
        *request.uri_mut() = uri;
        request.headers_mut().remove(UPGRADE);
        request.headers_mut().remove(CONNECTION);
        request.headers_mut().remove(TRANSFER_ENCODING);
        return true;
    }
    *request.version_mut() = Version::HTTP_11;
    // A body of unknown length goes on whatever the method is; of some it would be left out where nothing says so.
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    }
    let concerns = if request.headers().contains_key(UPGRADE) { "upgrade" } else { "te" };
    if concerns == "upgrade" || request.headers().contains_key(TE) {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static(concerns));
    }
    true
}

/// HTTP/2 may send each cookie on a line of its own, HTTP/1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Who is nearest stands last.
fn append_client(headers: &mut HeaderMap, address: &HeaderValue) {
    let before: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    if before.is_empty() {
        headers.insert(FORWARDED_FOR, address.clone());
        return;
    }
    let mut all = before.join(&b", "[..]);
    all.extend_from_slice(b", ");
    all.extend_from_slice(address.as_bytes());
    let all = HeaderValue::from_bytes(&all).unwrap_or_else(|_| address.clone());
    headers.insert(FORWARDED_FOR, all);
}

/// None where the host has no place in a URI.
fn absolute(uri: &Uri, host: Option<&HeaderValue>) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority =
        host.and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty()).unwrap_or("localhost");
    Uri::builder().scheme("http").authority(authority).path_and_query(path).build().ok()
}
