//! Answers whoever reads the metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{Figures, render};

/// The most that read at once.
const READERS: usize = 16;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers for as long as it is polled: `GET /metrics` with what `figures` gives.
pub async fn serve(listener: TcpListener, figures: Arc<dyn Fn() -> Figures + Send + Sync>) {
    let places = Arc::new(Semaphore::new(READERS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let figures = figures.clone();
                tokio::spawn(async move {
                    answer(stream, figures).await;
                    drop(place);
                });
            }
            // Out of descriptors, for instance: they come back.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(stream: TcpStream, figures: Arc<dyn Fn() -> Figures + Send + Sync>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let figures = figures.clone();
        async move { Ok::<_, Infallible>(respond(&request, &figures)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever goes away or takes too long gets nothing; there is nobody to tell.
    let _ = timeout(PATIENCE, connection).await;
}

fn respond(
    request: &Request<Incoming>,
    figures: &Arc<dyn Fn() -> Figures + Send + Sync>,
) -> Response<Full<Bytes>> {
    let known = request.uri().path() == "/metrics";
    let (status, text) = match (known, request.method()) {
        (true, &Method::GET | &Method::HEAD) => (StatusCode::OK, render(&figures())),
        (true, _) => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into()),
        (false, _) => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TYPE));
    response
}
