//! Real sockets, passed between the ends of real channels.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn any() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn ends() -> (Channel, Channel) {
    let (own, other) = Channel::pair().unwrap();
    (own, Channel::of(other.into()))
}

#[test]
fn a_listener_that_was_handed_over_accepts_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let control = UnixListener::bind(folder.path().join("c")).unwrap();
    let (keeper, far) = UnixStream::pair().unwrap();
    let sockets = Sockets {
        serve: vec![listen(any()).unwrap(), listen(any()).unwrap()],
        metrics: Some(listen(any()).unwrap()),
        control: Some(control),
        lock: Some(File::create(folder.path().join("lock")).unwrap()),
        keeper: Some(keeper),
    };
    let addresses: Vec<_> = sockets.serve.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let mut client = TcpStream::connect(addresses[1]).unwrap();
    client.write_all(b"waited").unwrap();

    let (mut own, mut other) = ends();
    own.hand(&sockets).unwrap();
    own.say(&Said::Ready { pid: 7 }).unwrap();
    sockets.lock.as_ref().unwrap().lock().unwrap();
    drop(sockets);
    drop(own);

    let taken = other.take(PATIENCE).unwrap();
    let again: Vec<_> = taken.serve.iter().map(|listener| listener.local_addr().unwrap()).collect();
    assert_eq!(again, addresses);
    assert!(taken.metrics.is_some() && taken.control.is_some());
    let other_lock = File::open(folder.path().join("lock")).unwrap();
    assert!(other_lock.try_lock().is_err(), "whoever has the file holds the lock");
    drop(taken.lock);
    other_lock.try_lock().unwrap();
    let mut text = [0; 6];
    taken.serve[1].accept().unwrap().0.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"waited");
    taken.keeper.unwrap().write_all(b"k").unwrap();
    (&far).read_exact(&mut text[..1]).unwrap();
    assert_eq!(other.hear(Some(PATIENCE)).unwrap(), Some(Said::Ready { pid: 7 }));
    assert_eq!(other.hear(Some(PATIENCE)).unwrap(), None);
}

#[test]
fn what_is_handed_over_stays_open_here() {
    let sockets = Sockets { serve: vec![listen(any()).unwrap()], ..Sockets::default() };
    let address = sockets.serve[0].local_addr().unwrap();
    let (mut own, mut other) = ends();
    own.hand(&sockets.try_clone().unwrap()).unwrap();
    drop(other.take(PATIENCE).unwrap());
    drop(other);
    let client = TcpStream::connect(address).unwrap();
    assert_eq!(sockets.serve[0].accept().unwrap().1, client.local_addr().unwrap());
    assert!(listen(address).is_err(), "it is still taken");
}

#[test]
fn nobody_at_the_other_end_and_nothing_said_are_told_apart() {
    let (own, mut other) = ends();
    assert_eq!(other.hear(Some(Duration::from_millis(10))).unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(own);
    assert_eq!(other.take(PATIENCE).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(other.hear(None).unwrap(), None);
    assert!(other.say(&Said::Ready { pid: 1 }).is_err());
}

#[test]
fn lines_that_lie_are_refused() {
    let tries: [&[u8]; 5] = [
        b"{\"is\":\"sockets\",\"of\":[\"serve\"]}\n",
        b"{\"is\":\"sockets\",\"of\":[\"root\"]}\n",
        b"[[[[\n",
        b"\xff\xfe\n",
        b"{\"is\":\"sockets\"",
    ];
    for bytes in tries {
        let (own, mut other) = ends();
        own.stream().write_all(bytes).unwrap();
        drop(own);
        assert!(other.take(PATIENCE).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
    let (own, mut other) = ends();
    own.stream().write_all(b"{\"is\":\"refused\",\"why\":\"not now\"}\n").unwrap();
    assert_eq!(other.take(PATIENCE).unwrap_err().to_string(), "not now");
    let (own, mut other) = ends();
    let flood = std::thread::spawn(move || {
        let chunk = [b'x'; 4096];
        while own.stream().write_all(&chunk).is_ok() {}
    });
    assert!(other.take(PATIENCE).unwrap_err().to_string().contains("more than"));
    drop(other);
    flood.join().unwrap();
}

#[test]
fn what_is_not_known_is_passed_over() {
    let (mut own, mut other) = ends();
    own.line(&serde_json::json!({"is": "later"})).unwrap();
    own.say(&Said::Failed { why: "no".into() }).unwrap();
    assert_eq!(other.hear(Some(PATIENCE)).unwrap(), Some(Said::Failed { why: "no".into() }));
}

#[test]
fn too_many_sockets_are_refused() {
    let listener = listen(any()).unwrap();
    let serve = (0..65).map(|_| listener.try_clone().unwrap()).collect();
    let (mut own, _other) = ends();
    assert!(
        own.hand(&Sockets { serve, ..Sockets::default() }).unwrap_err().to_string().contains("at most 64")
    );
}

#[test]
fn no_child_inherits_what_was_taken() {
    let sockets = Sockets { serve: vec![listen(any()).unwrap()], ..Sockets::default() };
    let (mut own, mut other) = ends();
    own.hand(&sockets).unwrap();
    let taken = other.take(PATIENCE).unwrap();
    let fd: OwnedFd = taken.serve[0].as_fd().try_clone_to_owned().unwrap();
    for fd in [taken.serve[0].as_fd(), fd.as_fd(), sockets.serve[0].as_fd()] {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
}
