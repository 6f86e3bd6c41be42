//! One connection to the server, HTTP/1.1 or HTTP/2.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::failure::Trouble;
use super::outgoing::Outgoing;
use super::target::Target;

/// One connection. Its driver is a task that ends with it.
#[derive(Debug)]
pub(super) enum Connection {
    One(http1::SendRequest<Outgoing>),
    Two(http2::SendRequest<Outgoing>),
}

impl Connection {
    pub(super) async fn open(target: &Target, http2: bool) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(&target.addresses[..]).await;
        let stream = stream.map_err(|error| Trouble::connecting(&error))?;
        stream.set_nodelay(true).map_err(|error| Trouble::connecting(&error))?;
        match &target.secure {
            None => Self::speak(stream, http2).await,
            Some(secure) => Self::speak(secure.open(stream, http2).await?, http2).await,
        }
    }

    async fn speak<S>(stream: S, http2: bool) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        if http2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            let (sender, driver) =
                builder.handshake(stream).await.map_err(|error| Trouble::asking(&error))?;
            // What ends it is seen by the requests on it.
            tokio::spawn(async move { driver.await.ok() });
            Ok(Self::Two(sender))
        } else {
            let (sender, driver) = http1::handshake(stream).await.map_err(|error| Trouble::asking(&error))?;
            tokio::spawn(async move { driver.with_upgrades().await.ok() });
            Ok(Self::One(sender))
        }
    }

    /// Whether it can take a request; waits until the one before is out of its way.
    pub(super) async fn is_fit(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Two(sender) => sender.is_closed(),
        }
    }

    /// Another handle of the same connection, which only HTTP/2 has.
    pub(super) fn share(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(sender) => Some(Self::Two(sender.clone())),
        }
    }

    /// Sends a request. An error that has the request in it says that nothing of it went out.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match self {
            Self::One(sender) => sender.try_send_request(request).await,
            Self::Two(sender) => sender.try_send_request(request).await,
        }
    }
}
