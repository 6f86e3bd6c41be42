//! Tunnels by CONNECT, which this proxy does not make: in HTTP/1.1, in HTTP/2, and websockets over HTTP/2 (RFC 8441), frame by frame.

use super::rig::{Client, Rig, Version};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441, section 3).
const CONNECT_PROTOCOL: u16 = 8;
/// `PROTOCOL_ERROR` (RFC 9113, section 7).
const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn send(client: &mut Client, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    client.send(&frame).unwrap();
}

fn read(client: &mut Client) -> Frame {
    let head = client.bytes(9).unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
    let payload = client.bytes(length as usize).unwrap();
    Frame { kind: head[3], flags: head[4], stream, payload }
}

/// A connection, with what the proxy says first.
fn client(rig: &Rig) -> (Client, Frame) {
    let mut client = rig.client();
    client.send(PREFACE).unwrap();
    send(&mut client, SETTINGS, 0, 0, &[]);
    let settings = read(&mut client);
    assert_eq!((settings.kind, settings.flags, settings.stream), (SETTINGS, 0, 0));
    (client, settings)
}

/// Header lines as they are (RFC 7541, section 6.2.2).
fn lines(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in lines {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    block
}

/// The first frame of that stream.
fn answer(client: &mut Client, stream: u32) -> Frame {
    loop {
        let frame = read(client);
        assert_ne!(frame.kind, GOAWAY, "the connection lives on");
        if frame.stream == stream {
            return frame;
        }
    }
}

/// The status of an answer, whose first line is from the table or given as digits.
fn status(frame: &Frame) -> u16 {
    assert_eq!(frame.kind, HEADERS);
    match frame.payload[0] {
        0x88 => 200,
        // Its name is from the table, its value is given (RFC 7541, appendix A and section 6.2).
        0x08 | 0x48 => {
            let length = frame.payload[1];
            let value = &frame.payload[2..2 + usize::from(length & 0x7f)];
            match (length & 0x80, value) {
                (0, digits) => std::str::from_utf8(digits).unwrap().parse().unwrap(),
                // `501` by Huffman's code (RFC 7541, appendix B): 011011 00000 00001.
                (_, [0x6c, 0x01]) => 501,
                (_, other) => panic!("{other:x?}"),
            }
        }
        other => panic!("{other:#x}"),
    }
}

fn get(client: &mut Client, stream: u32) {
    let head = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/")];
    send(client, HEADERS, 5, stream, &lines(&head));
    let frame = answer(client, stream);
    assert_eq!(status(&frame), 200);
}

#[test]
fn websockets_over_http2_are_not_offered_and_who_tries_is_reset_alone() {
    let version = Version::named("one");
    let rig = Rig::before(&version);
    let (mut client, settings) = client(&rig);
    let offered =
        settings.payload.chunks(6).any(|one| u16::from_be_bytes([one[0], one[1]]) == CONNECT_PROTOCOL);
    assert!(!offered, "{:x?}", settings.payload);
    get(&mut client, 1);
    let head = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/ws"),
        ("sec-websocket-version", "13"),
    ];
    // Without the setting, `:protocol` is a pseudo-header that nobody knows: malformed (RFC 9113, section 8.3).
    send(&mut client, HEADERS, 4, 3, &lines(&head));
    let reset = answer(&mut client, 3);
    assert_eq!((reset.kind, reset.payload), (RST_STREAM, PROTOCOL_ERROR.to_vec()));
    get(&mut client, 5);
    assert_eq!(rig.counts("1").requests, 2, "no version heard of it");
}

#[test]
fn connect_is_not_implemented_in_either_protocol() {
    let version = Version::named("one");
    let rig = Rig::before(&version);
    let (mut client, _) = client(&rig);
    send(&mut client, HEADERS, 4, 1, &lines(&[(":method", "CONNECT"), (":authority", "x:443")]));
    let frame = answer(&mut client, 1);
    assert_eq!(status(&frame), 501);
    get(&mut client, 3);
    let mut old = rig.client();
    old.send(b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let (status, head, _) = old.answer();
    assert_eq!(status, 501, "{head}");
    // What may follow is no HTTP.
    assert!(old.is_closed());
    assert_eq!(rig.counts("1").requests, 1);
}
