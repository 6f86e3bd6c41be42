use proptest::prelude::*;

use super::*;

/// Feeds a connection's bytes in pieces: what went on, how many heads, and what came then.
fn fed(pieces: &[&[u8]]) -> (Vec<u8>, u64, After) {
    let mut framing = Framing::new(&Limits::default());
    let (mut held, mut passed, mut count) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        let (bytes, heads, after) = framing.feed(&held);
        passed.extend(held.drain(..bytes));
        count += heads;
        if after != After::More {
            return (passed, count, after);
        }
    }
    (passed, count, After::More)
}

const SOUND: &[u8] = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n\
    POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab\ncd\
    \r\nPOST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4;x=\"y\"\r\nwiki\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n\
    PUT /d HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";

#[test]
fn sound_messages_go_on_as_they_are() {
    assert_eq!(fed(&[SOUND]), (SOUND.to_vec(), 4, After::More));
}

#[test]
fn half_a_head_goes_nowhere() {
    let (passed, heads, after) = fed(&[b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n"]);
    assert_eq!((passed.len(), heads, after), (27, 1, After::More));
}

#[test]
fn after_a_wish_for_another_protocol_nothing_goes_on() {
    let head = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let mut framing = Framing::new(&Limits::default());
    let mut bytes = head.to_vec();
    bytes.extend_from_slice(b"\x81\x05hello");
    assert_eq!(framing.feed(&bytes), (head.len(), 1, After::More));
    assert!(framing.awaits_answer());
    framing.go_on();
    assert_eq!(framing.feed(b"GET / HTTP/1.0\r\n\r\n"), (18, 1, After::More));
}

#[test]
fn a_body_may_be_bounded() {
    let limits = Limits { body_bytes: Some(10), ..Limits::default() };
    let mut framing = Framing::new(&limits);
    let (_, _, after) = framing.feed(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n");
    assert_eq!(after, After::Refused(413));
    let mut framing = Framing::new(&limits);
    let (_, heads, after) =
        framing.feed(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n");
    assert_eq!((heads, after), (1, After::Broken(413)));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_bytes_arrive(cuts in prop::collection::vec(0..SOUND.len(), 0..30)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([SOUND.len()]) {
            pieces.push(&SOUND[from..cut]);
            from = cut;
        }
        prop_assert_eq!(fed(&pieces), (SOUND.to_vec(), 4, After::More));
    }

    #[test]
    fn damage_is_seen_alike_however_it_arrives(at in 0..SOUND.len(), byte: u8, cut in 0..SOUND.len()) {
        let mut bytes = SOUND.to_vec();
        bytes[at] = byte;
        let (one, heads, after) = fed(&[&bytes]);
        let (two, same_heads, same) = fed(&[&bytes[..cut], &bytes[cut..]]);
        prop_assert_eq!((&one, heads, after), (&two, same_heads, same));
        prop_assert!(bytes.starts_with(&one));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = fed(&[&bytes]);
        let mut chunked = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        chunked.extend_from_slice(&bytes);
        let _ = fed(&[&chunked]);
    }
}
