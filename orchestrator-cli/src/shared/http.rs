//! HTTP for buckets by the client that the agents use already, so that there is one of them.

use std::io::Read;

use futures_util::stream;
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, Result};
use tokio::sync::{mpsc, oneshot};
use ureq::http::{Method, Request, Response, response};
use ureq::tls::{RootCerts, TlsConfig};

/// How many bytes are read at a time.
const READ: usize = 64 << 10;

/// HTTP for buckets.
pub(super) struct Http {
    agent: ureq::Agent,
}

type Parts = mpsc::Receiver<Result<Buffer>>;

impl Http {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        // What an answer means is for the service to say.
        let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls);
        Self { agent: config.build().new_agent() }
    }
}

impl HttpTransport for Http {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let agent = self.agent.clone();
        let is_head = request.method() == Method::HEAD;
        let (sender, receiver) = oneshot::channel();
        tokio::task::spawn_blocking(move || perform(&agent, request, sender));
        let ended = |_| Error::new(ErrorKind::Unexpected, "the request ended early");
        let (head, size, mut parts) = receiver.await.map_err(ended)??;
        let body = HttpBody::new(stream::poll_fn(move |cx| parts.poll_recv(cx)), size.filter(|_| !is_head));
        Ok(Response::from_parts(head, body))
    }
}

/// Sends a request, answers with the head, then hands the body on as it is wanted.
fn perform(
    agent: &ureq::Agent,
    request: Request<Buffer>,
    answer: oneshot::Sender<Result<(response::Parts, Option<u64>, Parts)>>,
) {
    let (head, body) = request.into_parts();
    let answered = if body.is_empty() {
        agent.run(Request::from_parts(head, ()))
    } else {
        agent.run(Request::from_parts(head, body.to_vec()))
    };
    let (head, body) = match answered {
        Ok(answered) => answered.into_parts(),
        Err(error) => return drop(answer.send(Err(failed(error)))),
    };
    let (sender, receiver) = mpsc::channel(4);
    if answer.send(Ok((head, body.content_length(), receiver))).is_err() {
        return;
    }
    let mut reader = body.into_reader();
    loop {
        let mut bytes = Vec::new();
        let read = (&mut reader).take(READ as u64).read_to_end(&mut bytes);
        let part = match read {
            Ok(0) => return,
            Ok(_) => Ok(Buffer::from(bytes)),
            Err(error) => Err(failed(error)),
        };
        let failed = part.is_err();
        if sender.blocking_send(part).is_err() || failed {
            return;
        }
    }
}

fn failed(error: impl Into<ureq::Error>) -> Error {
    // The address is known to who asked; what it was signed with belongs in no message.
    let error: ureq::Error = error.into();
    Error::new(ErrorKind::Unexpected, "the request failed").set_temporary().set_source(error)
}
