//! TLS by certificate files: HTTP/2 and HTTP/1.1 by ALPN, and a pair that is replaced while connections live on.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// The most bytes of a file that is believed to be a certificate or a key.
const LONGEST: u64 = 1 << 20;

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate of the server first, then those that it was signed with: PEM.
    pub certificate: PathBuf,
    /// Its private key: PEM, PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why a pair is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("`{path}` {what}")]
    Holds {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Each is good, together they are not.
    #[error("`{certificate}` and `{key}` make no pair: {why}")]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        why: rustls::Error,
    },
}

/// A pair of files and what of it is served.
#[derive(Debug)]
pub struct Tls {
    pair: Pair,
    served: Arc<Served>,
    seen: Mutex<Stamps>,
}

/// What new connections get.
#[derive(Debug)]
struct Served(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads a pair.
    pub fn open(pair: Pair) -> Result<Self, TlsError> {
        let seen = Mutex::new(stamps(&pair));
        let served = Arc::new(Served(RwLock::new(Arc::new(read(&pair)?))));
        Ok(Self { pair, served, seen })
    }

    /// What answers handshakes; it always has the pair of the moment.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has what the default versions need")
            .with_no_client_auth()
            .with_cert_resolver(self.served.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Reads the pair again. After an error the one that was served before still is, also for new connections.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps(&self.pair);
        let fresh = Arc::new(read(&self.pair)?);
        *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the pair again if a file of it changed since the last time; none if not.
    pub fn look(&self) -> Option<Result<(), TlsError>> {
        let changed = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != stamps(&self.pair);
        changed.then(|| self.reload())
    }
}

/// By what one sees that a file is another one.
type Stamps = [Option<(u64, u64, i64, i64)>; 2];

fn stamps(pair: &Pair) -> Stamps {
    let stamp = |data: Metadata| (data.ino(), data.len(), data.mtime(), data.mtime_nsec());
    [&pair.certificate, &pair.key].map(|path| path.metadata().ok().map(stamp))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read(pair: &Pair) -> Result<CertifiedKey, TlsError> {
    let Pair { certificate, key } = pair;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|why| holds(certificate, format!("is no PEM: {why}")))?;
    if chain.is_empty() {
        return Err(holds(certificate, "holds no certificate (`-----BEGIN CERTIFICATE-----`)"));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|_| {
        holds(key, "holds no private key (`-----BEGIN PRIVATE KEY-----`, without a passphrase)")
    })?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|why| TlsError::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        why,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let read = File::open(path).map_err(failed)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if read as u64 > LONGEST { Err(holds(path, "has more than a mebibyte")) } else { Ok(bytes) }
}

fn holds(path: &Path, what: impl Into<String>) -> TlsError {
    TlsError::Holds { path: path.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests;
