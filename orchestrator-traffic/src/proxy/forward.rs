//! One request: to whom, and its answer.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connection::Client;
use super::live::Found;

pub(super) async fn answer(
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Result<Response<Either<Incoming, Empty<Bytes>>>, Infallible> {
    let plain = |status: StatusCode| {
        let mut response = Response::new(Either::Right(Empty::new()));
        *response.status_mut() = status;
        Ok(response)
    };
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let flight = match client.proxy.live.take(host, request.uri().path(), request.headers(), None) {
        Found::Flight(flight, _) => flight,
        Found::NoRoute => return plain(StatusCode::NOT_FOUND),
        Found::Empty => return plain(StatusCode::SERVICE_UNAVAILABLE),
    };
    let Ok(stream) = TcpStream::connect(flight.version.address).await else {
        flight.version.tally.failed(502, flight.started.elapsed());
        return plain(StatusCode::BAD_GATEWAY);
    };
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await
    else {
        return plain(StatusCode::BAD_GATEWAY);
    };
    tokio::spawn(connection);
    match sender.send_request(request).await {
        Ok(response) => {
            flight.answered(response.status().as_u16());
            Ok(response.map(Either::Left))
        }
        Err(_) => {
            flight.version.tally.failed(502, flight.started.elapsed());
            plain(StatusCode::BAD_GATEWAY)
        }
    }
}
