//! Header lines that concern one connection only, and those that tell a version of the client.

use http::header::{
    CONNECTION, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{Uri, Version};

use super::connection::Client;

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
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .filter(|name| name != HOST && name != TE && name != http::header::CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
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
    let upgrade = upgrade(&parts.headers);
    let trailers = has_token(&parts.headers, &TE, "trailers");
    let headers = &mut parts.headers;
    strip(headers);
    headers.remove(EXPECT);
    headers.remove(HTTP2_SETTINGS);
    headers.remove(TE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
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

/// The other protocol that a client asks for. HTTP/2 is not spoken by that way.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    let fine = has_token(headers, &CONNECTION, "upgrade") && !wanted.as_bytes().eq_ignore_ascii_case(b"h2c");
    fine.then(|| wanted.clone())
}

/// Makes the head one of HTTP/1 or of HTTP/2, whichever the version speaks. May be done again for another one.
pub(super) fn adapt<B>(request: &mut http::Request<B>, h2c: bool) {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if h2c {
        *request.version_mut() = Version::HTTP_2;
        let host = request.headers_mut().remove(HOST).or(host);
        *request.uri_mut() = absolute(request.uri(), host.as_ref());
        request.headers_mut().remove(UPGRADE);
        request.headers_mut().remove(CONNECTION);
        return;
    }
    *request.version_mut() = Version::HTTP_11;
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    }
    let concerns = if request.headers().contains_key(UPGRADE) { "upgrade" } else { "te" };
    if concerns == "upgrade" || request.headers().contains_key(TE) {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static(concerns));
    }
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

fn absolute(uri: &Uri, host: Option<&HeaderValue>) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority =
        host.and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty()).unwrap_or("localhost");
    let built = Uri::builder().scheme("http").authority(authority).path_and_query(path).build();
    built.unwrap_or_else(|_| Uri::from_static("http://localhost/"))
}
