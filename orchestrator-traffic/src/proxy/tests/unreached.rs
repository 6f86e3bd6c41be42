//! Versions that are there and take no connection.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

use super::rig::{LONG, Rig, Version, table, until};
use crate::proxy::Limits;
use crate::proxy::record::End;

/// A version whose queue of connections is full.
struct Full {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        listen(&fd, 0).unwrap();
        let listener = TcpListener::from(fd);
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queued.push(stream);
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

#[test]
fn a_version_that_takes_no_connection_is_waited_for_once() {
    let (full, unused) = (Full::new(), Version::named("unused"));
    let rig = Rig::with(Limits { connect: Duration::from_secs(2), ..Limits::default() });
    let mut table = table(&[("1", &unused, 1)]);
    table.routes[0].backends[0].address = full.address;
    rig.apply_table(table, LONG);
    let mut client = rig.client();
    let since = Instant::now();
    assert_eq!(client.get("/").0, 504);
    let waited = since.elapsed();
    let counts = rig.counts("1");
    assert_eq!((counts.requests, counts.errors, counts.gateway), (1, 1, 1));
    let told = Duration::from_micros(counts.latency_us);
    // Of two waits, only the second would be told of.
    assert!(told * 5 > waited * 3, "it waited for {waited:?}, and {told:?} are told of");
    assert_eq!((rig.told(1)[0].1, rig.told(1)[0].3), (504, End::Broken));
    // Whoever goes away while it waits is seen at once.
    let mut gone = rig.client();
    gone.send(b"GET /gone HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    drop(gone);
    until(|| rig.counts("1").left == 1);
}

#[test]
fn another_version_answers_where_the_share_had_chosen() {
    let (full, fine) = (Full::new(), Version::named("fine"));
    let rig = Rig::with(Limits { connect: Duration::from_millis(200), ..Limits::default() });
    let mut table = table(&[("1", &fine, 1), ("2", &fine, 1)]);
    table.routes[0].backends[0].address = full.address;
    rig.apply_table(table, LONG);
    let mut client = rig.client();
    for _ in 0..100 {
        assert_eq!(client.get("/"), (200, "fine".into()));
        if rig.counts("1").gateway > 1 {
            return;
        }
    }
    panic!("half of a hundred go to the one that is full: {:?}", rig.counts("1"));
}

#[test]
fn a_request_of_which_nothing_was_sent_goes_over_with_the_switch() {
    for h2c in [false, true] {
        let (full, fine) = (Full::new(), Version::named("fine"));
        let rig = Rig::new();
        let mut table = table(&[("1", &fine, 1)]);
        (table.routes[0].backends[0].address, table.routes[0].backends[0].h2c) = (full.address, h2c);
        rig.apply_table(table, LONG);
        let mut client = rig.client();
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        until(|| rig.status("1").in_flight == 1);
        rig.apply(&[("2", &fine, 1)], Duration::from_millis(50));
        let (status, _, body) = client.answer();
        assert_eq!((status, body.as_str()), (200, "fine"));
        assert_eq!((rig.counts("1").requests, rig.status("1").drain.unwrap().cuts), (0, 0));
    }
}
