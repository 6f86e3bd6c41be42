//! Sections 2 to 5: lines, request lines, header fields.

use super::{Refused, Taken, check};

#[test]
fn lines() {
    check(&[
        ("2.2", b"GET / HTTP/1.1\nHost: x\n\n", Refused(400)),
        ("2.2", b"GET / HTTP/1.1\r\nHost: x\n\r\n", Refused(400)),
        ("2.2", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", Refused(400)),
        ("2.2", b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("2.2", b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("2.2", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("2.2", b"GET / HTTP/1.1\r\n Host: x\r\nHost: y\r\n\r\n", Refused(400)),
        ("2.2", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", Refused(400)),
    ]);
}

#[test]
fn versions() {
    check(&[
        ("2.3", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", Refused(505)),
        ("2.3", b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", Refused(505)),
        ("2.3", b"GET / HTTP/1.10\r\nHost: x\r\n\r\n", Refused(400)),
        ("2.3", b"GET / http/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("2.3", b"GET / HTTP/1,1\r\nHost: x\r\n\r\n", Refused(400)),
        ("2.3", b"GET /\r\n\r\n", Refused(400)),
    ]);
}

#[test]
fn request_lines() {
    let long = [b"GET /", "a".repeat(9 << 10).as_bytes(), b" HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
    check(&[
        ("3", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3", b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", Refused(400)),
        ("3", b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3", b"GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3", &long, Refused(414)),
        ("3.1", b"G{T / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.1", b"get / HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("3.1", b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
    ]);
}

#[test]
fn targets_and_hosts() {
    check(&[
        ("3.2", b"GET / HTTP/1.1\r\n\r\n", Refused(400)),
        ("3.2", b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2", b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", Refused(400)),
        ("3.2", b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", Refused(400)),
        ("3.2", b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", Refused(400)),
        ("3.2", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", Taken("")),
        ("3.2", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Taken("")),
        ("3.2.1", b"GET a HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2.2", b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("3.2.2", b"GET HTTP://x HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("3.2.2", b"GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2.2", b"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2.2", b"GET http://u:p@x/a HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2.2", b"GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
        ("3.2.3", b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", Refused(501)),
        ("3.2.4", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", Taken("")),
        ("3.2.4", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", Refused(400)),
    ]);
}

#[test]
fn fields() {
    let many = [b"GET / HTTP/1.1\r\nHost: x\r\n", "a: b\r\n".repeat(100).as_bytes(), b"\r\n"].concat();
    let most = [b"GET / HTTP/1.1\r\nHost: x\r\n", "a: b\r\n".repeat(99).as_bytes(), b"\r\n"].concat();
    let large = [b"GET / HTTP/1.1\r\nHost: x\r\na: ", "b".repeat(17 << 10).as_bytes(), b"\r\n\r\n"].concat();
    let fits = [b"GET / HTTP/1.1\r\nHost: x\r\na: ", "b".repeat(15 << 10).as_bytes(), b"\r\n\r\n"].concat();
    check(&[
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\na(b: c\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\na\x00: c\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\na: b\x00c\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\na: b\x07c\r\n\r\n", Refused(400)),
        ("5", b"GET / HTTP/1.1\r\nHost: x\r\na:\r\nb: \xC3\xA4\tc \r\n\r\n", Taken("")),
        ("5.1", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", Refused(400)),
        ("5.1", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc", Refused(400)),
        ("5.1", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length\t: 3\r\n\r\nabc", Refused(400)),
        ("5.2", b"GET / HTTP/1.1\r\nHost: x\r\na: b\r\n c\r\n\r\n", Refused(400)),
        ("5.2", b"GET / HTTP/1.1\r\nHost: x\r\na: b\r\n\tc\r\n\r\n", Refused(400)),
        ("5.4", &many, Refused(431)),
        ("5.4", &most, Taken("")),
        ("5.4", &large, Refused(431)),
        ("5.4", &fits, Taken("")),
    ]);
}
