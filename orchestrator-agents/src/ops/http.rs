//! One bounded HTTP request, over TLS where the address says so. Whatever the other side sends, it ends in time and within [`Answer::LIMIT`] bytes.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::HeaderMap;
use ureq::tls::{RootCerts, TlsConfig};

use crate::deployment::answer::shortened;
use crate::deployment::{Answer, Method};

/// The most bytes of headers that are read.
const HEADERS: usize = 64 << 10;

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) timeout: Duration,
    /// How many redirects are followed; with none, the redirect itself is the answer.
    pub(crate) redirects: u32,
}

/// Asks once. Each request has its own connection, proxies are not used, errors are one line.
pub(crate) fn ask(request: &Ask<'_>) -> Result<Answer, String> {
    ask_whole(request).map(|(answer, _)| answer)
}

/// The same, with the headers of the answer.
pub(crate) fn ask_whole(ask: &Ask<'_>) -> Result<(Answer, HeaderMap), String> {
    // The machine's own certificates count, as they do for other programs.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ask.timeout))
        .http_status_as_error(false)
        .max_redirects(ask.redirects)
        .max_redirects_will_error(ask.redirects > 0)
        .tls_config(tls)
        .max_response_header_size(HEADERS)
        .max_idle_connections(0)
        .proxy(None)
        .user_agent(concat!("orchestrate/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let mut request = ureq::http::Request::builder().method(ask.method.to_string().as_str()).uri(ask.url);
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let say = |error: &dyn std::fmt::Display| shortened(&error.to_string());
    let start = Instant::now();
    // Without a length such a request would be chunked, which not every server takes for one without a body.
    let empty: Option<&[u8]> =
        matches!(ask.method, Method::Post | Method::Put | Method::Patch).then_some(&[]);
    let mut response = match ask.body.or(empty) {
        Some(body) => agent.run(request.body(body).map_err(|error| say(&error))?),
        None => agent.run(request.body(()).map_err(|error| say(&error))?),
    }
    .map_err(|error| say(&error))?;
    let mut body = Vec::new();
    let limit = Answer::LIMIT as u64 + 1;
    response.body_mut().as_reader().take(limit).read_to_end(&mut body).map_err(|error| say(&error))?;
    let latency_ms = start.elapsed().as_secs_f64() * 1e3;
    let cut = body.len() > Answer::LIMIT;
    body.truncate(Answer::LIMIT);
    let headers = response.headers().clone();
    let named = headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let (status, at) = (response.status().as_u16(), jiff::Timestamp::now());
    Ok((Answer { status, headers: named, at, body, cut, latency_ms }, headers))
}
