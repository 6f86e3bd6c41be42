//! Conformance to RFC 9112 (HTTP/1.1), over raw sockets: what is sent, and what must come of it.

mod connections;
mod framing;
mod messages;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::rig::{Rig, Version, ok};

/// What must come of a request.
enum Expected {
    /// That status, the connection closed, and nothing of it at the version.
    Refused(u16),
    /// It gets to the version, with that body.
    Taken(&'static str),
}

use Expected::{Refused, Taken};

/// Sends each to a proxy, on a connection of its own. The section says where the rule stands.
fn check(cases: &[(&str, &[u8], Expected)]) {
    let got = Arc::<AtomicU64>::default();
    let version = Version::answering({
        let got = Arc::clone(&got);
        move |_, body| {
            got.fetch_add(1, SeqCst);
            ok(&String::from_utf8_lossy(body))
        }
    });
    let rig = Rig::before(&version);
    for (section, bytes, expected) in cases {
        let what = format!("section {section}: {}", bytes.escape_ascii());
        let before = got.load(SeqCst);
        let mut client = rig.client();
        client.send(bytes).unwrap();
        let (status, head, body) = client.answer();
        match expected {
            Refused(refusal) => {
                assert_eq!(status, *refusal, "{what}: {head}");
                assert!(client.is_closed(), "{what}: the connection is still open");
                assert_eq!(got.load(SeqCst), before, "{what}: it got to the version");
            }
            Taken(expected) => {
                assert_eq!((status, body.as_str()), (200, *expected), "{what}: {head}");
                assert_eq!(got.load(SeqCst), before + 1, "{what}");
                assert_eq!(client.get("/next").0, 200, "{what}: the connection does not go on");
            }
        }
    }
    let refused = cases.iter().filter(|case| matches!(case.2, Refused(_))).count();
    assert!(rig.told(cases.len()).iter().filter(|told| told.0 == "- *").count() <= refused);
}
