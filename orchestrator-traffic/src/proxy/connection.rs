//! One connection of a client.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Proxy, Stop, forward};

/// What its requests have in common.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) proxy: Arc<Proxy>,
    pub(super) stop: Stop,
    pub(super) address: HeaderValue,
    pub(super) secure: bool,
    /// Requests under way.
    pub(super) busy: AtomicU64,
}

impl Client {
    pub(super) fn new(proxy: Arc<Proxy>, stop: Stop, peer: IpAddr, secure: bool) -> Self {
        let address = HeaderValue::from_str(&peer.to_canonical().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { proxy, stop, address, secure, busy: AtomicU64::new(0) }
    }
}

/// Answers its requests until it ends.
pub(super) async fn attend<S>(stream: S, client: Arc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| forward::answer(Arc::clone(&client), request));
    let _ = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None::<Duration>)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}
