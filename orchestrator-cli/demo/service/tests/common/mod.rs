//! A client that speaks as much HTTP as the tests need.

// Not every test program needs all of it.
#![allow(dead_code)]

use school::server::Handle;
use school::{Config, Server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A running service on a free port.
pub fn start(config: Config) -> Handle {
    Server::bind(Config { port: 0, ..config }).expect("a free port").spawn()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the service accepts connections");
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// One request on a connection of its own: the status code and the body.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    let mut stream = connect(address);
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").expect("the request is taken");
    let (status, _, body) = answer(&mut stream);
    (status, body)
}

/// Sends bytes as they are, and reads the answer: the status code and the body.
pub fn send(address: SocketAddr, bytes: &[u8]) -> (u16, String) {
    let mut stream = connect(address);
    stream.write_all(bytes).expect("the bytes are taken");
    let (status, _, body) = answer(&mut stream);
    (status, body)
}

/// Reads one answer: its status code, head and body.
pub fn answer(stream: &mut TcpStream) -> (u16, String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a complete head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).expect("a complete body");
    (head[9..12].parse().unwrap(), head, String::from_utf8(body).unwrap())
}
