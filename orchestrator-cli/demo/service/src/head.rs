//! The request line and the headers.

use crate::http::{Response, MAX_HEADERS};

/// What the service wants to know from a request's head.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    pub path: String,
    pub keep_alive: bool,
    pub content_length: usize,
    pub expects_continue: bool,
}

/// Reads a head, which ends with an empty line.
pub fn parse(bytes: &[u8]) -> Result<Head, Response> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("the headers are not UTF-8"))?;
    let mut lines = text.strip_suffix("\r\n\r\n").unwrap_or(text).split("\r\n");
    let (method, path, modern) = request_line(lines.next().unwrap_or_default())?;

    let (mut hosts, mut length, mut close, mut keep_alive) = (0, None, false, modern);
    let mut expects_continue = false;
    for (index, line) in lines.enumerate() {
        if index == MAX_HEADERS {
            return Err(Response::error(431, "too many headers"));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header has no colon"))?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) {
            return Err(bad("malformed header name"));
        }
        if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(bad("control character in a header"));
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "content-length" if length.is_some() => {
                return Err(bad("more than one Content-Length"))
            }
            "content-length" => length = Some(content_length(value)?),
            "transfer-encoding" => {
                return Err(Response::error(501, "Transfer-Encoding is not supported"));
            }
            "connection" => {
                for option in value.split(',').map(|option| option.trim().to_ascii_lowercase()) {
                    close |= option == "close";
                    keep_alive |= option == "keep-alive";
                }
            }
            "expect" if value.eq_ignore_ascii_case("100-continue") => expects_continue = modern,
            "expect" => return Err(Response::error(417, "only 100-continue can be expected")),
            _ => {}
        }
    }
    if hosts > 1 || (modern && hosts == 0) {
        return Err(bad("exactly one Host header is required"));
    }
    let content_length = length.unwrap_or(0);
    Ok(Head { method, path, keep_alive: keep_alive && !close, content_length, expects_continue })
}

/// Method, path, and whether the version is at least HTTP/1.1.
fn request_line(line: &str) -> Result<(String, String, bool), Response> {
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad("malformed request line"));
    };
    let modern = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ if version.starts_with("HTTP/") => {
            return Err(Response::error(505, "only HTTP/1.1 and HTTP/1.0 are supported"));
        }
        _ => return Err(bad("malformed request line")),
    };
    // A proxy's form of the target names the host as well.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    let path = path.split('?').next().unwrap_or_default();
    if !is_token(method) || !path.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(bad("malformed request line"));
    }
    Ok((method.to_owned(), path.to_owned(), modern))
}

fn content_length(value: &str) -> Result<usize, Response> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("malformed Content-Length"));
    }
    // Only a number that is too large is left to go wrong.
    Ok(value.parse().unwrap_or(usize::MAX))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn bad(message: &str) -> Response {
    Response::error(400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        parse(head.as_bytes()).map_or_else(|refusal| refusal.status, |_| 200)
    }

    #[test]
    fn heads_are_read() {
        let head =
            parse(b"POST /a/b?c=d HTTP/1.1\r\nHOST: x\r\ncontent-length:\t12 \r\n\r\n").unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/a/b"));
        assert_eq!((head.content_length, head.keep_alive), (12, true));
        let head =
            parse(b"GET http://x/y HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n").unwrap();
        assert_eq!((head.path.as_str(), head.keep_alive), ("/y", false));
        assert!(!parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().keep_alive);
        assert!(parse(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").unwrap().keep_alive);
    }

    #[test]
    fn malformed_heads_are_refused() {
        for line in ["", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 x", "GET x HTTP/1.1"] {
            assert_eq!(status(&format!("{line}\r\nHost: x\r\n\r\n")), 400, "{line}");
        }
        for line in ["G@T / HTTP/1.1", "GET / http/1.1", "GET /\t HTTP/1.1", "GET /é HTTP/1.1"] {
            assert_eq!(status(&format!("{line}\r\nHost: x\r\n\r\n")), 400, "{line}");
        }
        assert_eq!(status("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), 505);
        for header in ["x", ": x", "a b: x", "a : x", " folded", "a: \0", "a: b\rc", "Host: y"] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")), 400);
        }
        for length in ["", "-1", "+1", "1x", "0x1", "1, 1", "1\r\nContent-Length: 1"] {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(status(&head), 400, "{length}");
        }
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
        assert_eq!(status(&format!("GET / HTTP/1.0\r\n{}\r\n", "a: b\r\n".repeat(65))), 431);
    }
}
