//! TLS to the server: by whom its certificate must be signed, and which protocol is asked for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::{FailureKind, Trouble};
use super::plan::LoadError;

/// The most bytes of a file of certificates.
const LONGEST: u64 = 4 << 20;
/// The names of the protocols (RFC 7301, section 6; RFC 9113, section 3.2).
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// What makes a connection a safe one.
#[derive(Clone)]
pub(super) struct Secure {
    name: ServerName<'static>,
    one: TlsConnector,
    two: TlsConnector,
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Secure {
    /// To a server of that name. Whom the system trusts is trusted, and whoever stands in the file beside them.
    pub(super) fn new(host: &str, ca: Option<&Path>) -> Result<Self, LoadError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| LoadError::Plan(format!("`{host}` is no name that a certificate can be for")))?;
        let roots = Arc::new(roots(ca)?);
        let connector = |protocol: &[u8]| {
            let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring has what the default versions need")
                .with_root_certificates(Arc::clone(&roots))
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self { name, one: connector(HTTP1), two: connector(HTTP2) })
    }

    /// Shakes hands. A server that does not choose HTTP/2 where it was offered does not speak it.
    pub(super) async fn open(&self, stream: TcpStream, http2: bool) -> Result<TlsStream<TcpStream>, Trouble> {
        let connector = if http2 { &self.two } else { &self.one };
        let stream = connector.connect(self.name.clone(), stream).await.map_err(|error| trouble(&error))?;
        if http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err(Trouble::new(FailureKind::Handshake, "the server does not speak HTTP/2 over TLS"));
        }
        Ok(stream)
    }
}

fn trouble(error: &io::Error) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Trouble::new(FailureKind::Certificate, format!("the server's certificate is not accepted: {why}"))
        }
        Some(why) => Trouble::new(FailureKind::Handshake, format!("no TLS: {why}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Trouble::new(
            FailureKind::Handshake,
            "the server closed the connection in the middle of the handshake",
        ),
        None => Trouble::connecting(error),
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, LoadError> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one less to trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let wrong = |what: String| LoadError::Roots { path: path.to_owned(), what };
        let pem = bytes(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(format!("is no PEM: {error}")))?;
            roots.add(certificate).map_err(|error| wrong(format!("holds one that is none: {error}")))?;
            found += 1;
        }
        if found == 0 {
            return Err(wrong("holds no certificate (`-----BEGIN CERTIFICATE-----`)".into()));
        }
    }
    if roots.is_empty() {
        let what = "this machine trusts nobody: install `ca-certificates`, or name who signs the server's certificate with `--ca FILE`";
        return Err(LoadError::Plan(what.into()));
    }
    Ok(roots)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)? as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 MiB"));
    }
    Ok(bytes)
}
