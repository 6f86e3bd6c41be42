//! Engines hold the published port themselves and forward it: that it is open says nothing about what is inside.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::deployment::ops::Reinstate;

/// Accepts on a port, and forwards to another: what nobody answers there is closed.
pub(super) struct Forwarder {
    over: Arc<AtomicBool>,
    port: u16,
}

impl Forwarder {
    /// One in front of a free port, which is given, too.
    pub(super) fn before(port: u16) -> (Self, u16) {
        let inside = orchestrator_traffic::ports::pick().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(inner) = TcpStream::connect(("127.0.0.1", inside)) {
                    forward(&stream, &inner);
                }
            }
        });
        (Self { over, port }, inside)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn forward(one: &TcpStream, other: &TcpStream) {
    for (from, to) in [(one, other), (other, one)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

/// It listens two seconds after its start.
fn late(mut config: Value) -> Value {
    config["env"]["MODE"] = json!("late");
    config
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_an_open_port_does_not_end_a_start() {
    let engine = Engine::new();
    engine.lock().forwards = true;
    let desk = Desk::new();
    starts(&desk, late(contained(&engine.socket, "0.1.0", "")));
}

/// A start may take as long as it is allowed to, whatever the time for its health is.
pub(super) fn starts(desk: &Desk, mut config: Value) {
    config["health"]["timeout"] = json!(0.5);
    config["start_timeout"] = json!(60);
    desk.deploy(1, config).map_err(|failed| failed.summary).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_one_that_boots_gets_no_traffic_back() {
    let engine = Engine::new();
    engine.lock().forwards = true;
    let desk = Desk::new();
    boots(&desk, late(contained(&engine.socket, "0.1.0", "")), &|| engine.kills("0.1.0"));
}

/// What is started again by its engine has the traffic when it answers, not before.
pub(super) fn boots(desk: &Desk, config: Value, crash: &dyn Fn()) {
    desk.deploy(1, config).map_err(|failed| failed.summary).unwrap();
    let (_, url) = desk.current().unwrap();
    crash();
    eventually("its end", || !answers(&url));
    patiently("its return", || desk.current().is_some());
    let release = desk.release_of("0.1.0")["name"].clone();
    let back = json!({ "environment": "production", "release": release });
    desk.call(Reinstate::default(), back, &key(2, 0, 0)).unwrap();
    assert!(answers(&url), "it answers when it has the traffic");
}
