//! One bounded HTTP request. Whatever the other side sends, it ends in time and within [`Answer::LIMIT`] bytes.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::deployment::answer::shortened;
use crate::deployment::{Answer, Method};

/// The most bytes of headers that are read.
const HEADERS: usize = 64 << 10;

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Option<&'a [u8]>,
    pub(super) timeout: Duration,
}

/// Asks once. Each request has its own connection, redirects are not followed, proxies not used, errors one line.
pub(super) fn ask(ask: &Ask<'_>) -> Result<Answer, String> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ask.timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
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
    let mut response = match ask.body {
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
    Ok(Answer { status: response.status().as_u16(), body, cut, latency_ms })
}
