//! Real files, real handshakes.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::{TlsConnector, client, server};

use super::*;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(&made());
        files
    }

    fn pair(&self) -> Pair {
        Pair { certificate: self.folder.path().join("cert.pem"), key: self.folder.path().join("key.pem") }
    }

    fn write(&self, (certificate, key): &(String, String)) {
        fs::write(self.pair().certificate, certificate).unwrap();
        fs::write(self.pair().key, key).unwrap();
    }
}

/// A certificate for `localhost` that signs itself, and its key.
fn made() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

type Ends = (client::TlsStream<DuplexStream>, server::TlsStream<DuplexStream>);

/// Shakes hands with a client that trusts only that certificate.
async fn shake(tls: &Tls, trusted: &str, alpn: &[&str]) -> io::Result<Ends> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let (near, far) = tokio::io::duplex(64 << 10);
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let (client, server) = tokio::join!(connector.connect(name, near), tls.acceptor().accept(far));
    Ok((client?, server?))
}

#[tokio::test]
async fn protocols_are_agreed_on() {
    let files = Files::new();
    let trusted = fs::read_to_string(files.pair().certificate).unwrap();
    let tls = Tls::open(files.pair()).unwrap();
    for (asked, agreed) in
        [(&["http/1.1", "h2"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let (_, server) = shake(&tls, &trusted, asked).await.unwrap();
        assert_eq!(server.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
    }
    assert!(shake(&tls, &trusted, &["spdy/3"]).await.is_err());
}

#[tokio::test]
async fn a_new_pair_is_for_new_connections_and_old_ones_live_on() {
    let files = Files::new();
    let first = fs::read_to_string(files.pair().certificate).unwrap();
    let tls = Tls::open(files.pair()).unwrap();
    let (mut client, mut server) = shake(&tls, &first, &[]).await.unwrap();
    assert!(tls.look().is_none(), "nothing changed");

    let second = made();
    files.write(&second);
    tls.look().expect("it changed").unwrap();
    assert!(tls.look().is_none());
    shake(&tls, &second.0, &[]).await.unwrap();
    assert!(shake(&tls, &first, &[]).await.is_err(), "the first is not served any more");
    let mut text = [0; 2];
    client.write_all(b"hi").await.unwrap();
    server.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"hi");
}

#[tokio::test]
async fn a_bad_pair_keeps_the_old_one() {
    let files = Files::new();
    let first = fs::read_to_string(files.pair().certificate).unwrap();
    let tls = Tls::open(files.pair()).unwrap();
    let second = made();
    // The certificate is replaced, the key is not yet.
    fs::write(files.pair().certificate, &second.0).unwrap();
    let said = tls.look().unwrap().unwrap_err().to_string();
    assert!(said.contains("make no pair"), "{said}");
    assert!(tls.look().is_none(), "it is said once");
    shake(&tls, &first, &[]).await.unwrap();
    fs::remove_file(files.pair().key).unwrap();
    assert!(tls.look().unwrap().is_err());
    fs::write(files.pair().key, &second.1).unwrap();
    tls.look().unwrap().unwrap();
    shake(&tls, &second.0, &[]).await.unwrap();
}

#[test]
fn what_is_wrong_is_said() {
    let files = Files::new();
    let good = made();
    let huge = "x".repeat(2 << 20);
    let cases = [
        (("", good.1.as_str()), "holds no certificate"),
        ((good.1.as_str(), good.1.as_str()), "holds no certificate"),
        ((good.0.as_str(), ""), "holds no private key"),
        ((good.0.as_str(), good.0.as_str()), "holds no private key"),
        ((huge.as_str(), good.1.as_str()), "more than a mebibyte"),
        (("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.1.as_str()), "make no pair"),
        (("-----BEGIN CERTIFICATE-----\n!!!!\n", good.1.as_str()), "is no PEM"),
    ];
    for ((certificate, key), expected) in cases {
        files.write(&(certificate.into(), key.into()));
        let said = Tls::open(files.pair()).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("PRIVATE KEY-----\nM"), "no key is told");
    }
    fs::remove_file(files.pair().certificate).unwrap();
    assert!(Tls::open(files.pair()).unwrap_err().to_string().contains("cert.pem` cannot be read"));
}
