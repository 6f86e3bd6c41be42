//! A proxy that speaks TLS: certificates that are replaced while it serves, and its upgrade.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::{Front, Rig, free, pair};
use crate::{LONG, until};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Lays out a new pair; the certificate, for whoever trusts it.
fn renew(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap().pem();
    fs::write(pair(folder).key, key.serialize_pem()).unwrap();
    fs::write(pair(folder).certificate, &certificate).unwrap();
    certificate
}

/// A connection that trusts only that certificate.
fn connect(address: SocketAddr, trusted: &str) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(LONG)).unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap(),
        tcp,
    )
}

fn get(stream: &mut Stream) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let (mut text, mut chunk) = (String::new(), [0; 1024]);
    while !text.ends_with("one") {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::Error::other(text));
        }
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    Ok(text)
}

#[test]
fn certificates_are_replaced_under_open_connections_and_bad_ones_are_not_taken() {
    let mut rig = Rig::new();
    rig.tls = true;
    let first = renew(rig.folder());
    let Front { rig, address, origin: _origin, process } = Front::new(rig);
    let mut open = connect(address, &first);
    assert!(get(&mut open).unwrap().starts_with("HTTP/1.1 200"));

    let second = renew(rig.folder());
    process.signal(Signal::HUP);
    until("it is read again", || rig.said().contains("the certificate was read again"));
    assert!(get(&mut connect(address, &second)).is_ok());
    assert!(get(&mut connect(address, &first)).is_err());
    assert!(get(&mut open).is_ok(), "who is there stays there");

    fs::write(pair(rig.folder()).key, "no key").unwrap();
    until("it is seen, without a signal", || {
        rig.said().contains("the certificate that was there before is served on")
    });
    assert!(get(&mut connect(address, &second)).is_ok());
    let refused = rig.ask(&orchestrator_traffic::protocol::Request::Upgrade { program: None });
    let said = format!("{refused:?}");
    assert!(said.contains("holds no private key"), "a successor would not serve with it: {said}");
    assert!(get(&mut connect(address, &second)).is_ok());
    assert!(get(&mut open).is_ok());

    let third = renew(rig.folder());
    until("it is seen", || rig.said().matches("read again").count() == 2);
    rig.upgrade();
    assert!(get(&mut connect(address, &third)).is_ok());
    assert!(get(&mut open).unwrap().to_lowercase().contains("connection: close"));
}

#[test]
fn a_bad_pair_is_named_at_the_start() {
    let mut rig = Rig::new();
    rig.tls = true;
    renew(rig.folder());
    let other = KeyPair::generate().unwrap();
    fs::write(pair(rig.folder()).key, other.serialize_pem()).unwrap();
    let mut process = rig.start(free());
    assert_eq!(process.wait().code(), Some(3));
    assert!(rig.said().contains("key.pem` make no pair"), "{}", rig.said());
}
