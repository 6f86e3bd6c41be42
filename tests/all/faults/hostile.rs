//! Clients that mean harm, while a switch runs: the others notice neither.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::load::{connect, read};
use super::*;

/// Sends a byte of a head now and then, over many connections.
fn dribbles(port: u16, over: &AtomicBool) {
    let mut slow: Vec<TcpStream> = (0..60).filter_map(|_| connect(port).ok()).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nx: ");
    }
    while !over.load(Ordering::SeqCst) {
        for stream in &mut slow {
            let _ = stream.write_all(b"x");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is refused, and never answered by a version.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let head =
        |lines: &str| format!("POST /echo HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n0\r\n\r\n").into_bytes();
    let many: String = (0..5_000).map(|at| format!("x-{at}: {at}\r\n")).collect();
    vec![
        ("two lengths", head("content-length: 5\r\ncontent-length: 6")),
        ("a length and chunks", head("content-length: 5\r\ntransfer-encoding: chunked")),
        ("chunks in disguise", head("transfer-encoding: chunked, identity")),
        ("a length that is none", head("content-length: +5")),
        ("a bomb of headers", head(many.trim_end())),
        ("a header that is too long", head(&format!("x: {}", "x".repeat(4 << 20)))),
    ]
}

/// Sends each of them again and again; what was answered that should not have been.
fn attacks(port: u16, over: &AtomicBool) -> Vec<String> {
    let mut wrong = Vec::new();
    while !over.load(Ordering::SeqCst) {
        for (what, bytes) in refused() {
            let Ok(mut stream) = connect(port) else { continue };
            // It may be closed before all is sent.
            let _ = stream.write_all(&bytes);
            if let Ok(answer) = read(&mut stream)
                && !(400..500).contains(&answer.status)
            {
                wrong.push(format!("{what}: {} {}", answer.status, answer.body));
            }
            // Nothing after a refusal is read as a second request.
            let mut rest = Vec::new();
            let _ = stream.take(1000).read_to_end(&mut rest);
            if String::from_utf8_lossy(&rest).contains("HTTP/1.1 2") {
                wrong.push(format!("{what}: something came after it"));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    wrong
}

#[test]
fn hostile_clients_stop_no_switch_and_reach_no_version() {
    let scene = Scene::new();
    let load = scene.load();
    let (over, port) = (AtomicBool::new(false), scene.port);
    let wrong = std::thread::scope(|scope| {
        scope.spawn(|| dribbles(port, &over));
        let attacking = scope.spawn(|| attacks(port, &over));
        scene.deploy(Version::good("2.0.0")).exits(0).says(&["production: 2.0.0 answers at"]);
        over.store(true, Ordering::SeqCst);
        attacking.join().unwrap()
    });
    assert_eq!(wrong, [""; 0]);
    scene.settled("2.0.0", load, 0);
}
