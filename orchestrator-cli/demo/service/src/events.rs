//! `/events`: server-sent events, one after the other on a connection that stays open.

use crate::http::{Connection, Response};
use crate::{clock, json, App, VERSION};
use std::thread;

/// Sends events until the client goes, `ends` says so, or the settings want no more.
pub fn send(connection: &mut Connection, app: &App, ends: impl Fn() -> bool) {
    let head = Response::new(200, "text/event-stream", String::new());
    // Nobody knows how long it will be: it ends with the connection.
    if connection.send(&head.encode_open()).is_err() {
        return;
    }
    for number in 1..=app.config.events {
        let data = json::object(&[
            ("number", &number),
            ("version", &json::quote(VERSION)),
            ("timestamp", &json::quote(&clock::rfc3339(clock::now()))),
        ]);
        let event = format!("id: {number}\nevent: tick\ndata: {data}\n\n");
        if connection.send(event.as_bytes()).is_err() || ends() {
            return;
        }
        thread::sleep(app.config.event_pause);
    }
}
