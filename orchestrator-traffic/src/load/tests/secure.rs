//! Loads by TLS, through the proxy's own listener, and servers that are not to be trusted.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::AsyncWriteExt;

use super::super::backend::Backend;
use super::super::{FailureKind, LoadError, Plan, Summary, run};
use super::kinds::quick;
use super::{done, plan, raw};
use crate::protocol::{Backend as Served, Response, Route, Table};
use crate::proxy::tls::{Pair, Tls};
use crate::proxy::{Limits, Listener, Proxy, Stop, Workers};

/// A proxy that speaks TLS, in front of a version.
struct Edge {
    folder: tempfile::TempDir,
    address: SocketAddr,
    stop: Stop,
    workers: Option<Workers>,
}

impl Edge {
    fn new(version: SocketAddr, certificate: CertificateParams) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Pair { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let key = KeyPair::generate().unwrap();
        fs::write(&pair.key, key.serialize_pem()).unwrap();
        fs::write(&pair.certificate, certificate.self_signed(&key).unwrap().pem()).unwrap();
        let tls = Tls::open(pair).unwrap();
        let proxy = Arc::new(Proxy::new(Limits::default(), None));
        let backends = vec![Served { version: "1".into(), address: version, weight: 1, h2c: false }];
        let route = Route {
            name: "all".into(),
            host: None,
            prefix: "/".into(),
            backends,
            canary: None,
            sticky: None,
        };
        let applied = proxy.live.apply(None, Table { routes: vec![route] }, super::LONG, |_, _| Ok(()));
        assert!(matches!(applied, Response::Applied { .. }), "{applied:?}");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Stop::new();
        let listener = Listener { socket, tls: Some(tls.acceptor()) };
        let workers = Workers::start(&[listener], &proxy, &stop, 2).unwrap();
        Self { folder, address, stop, workers: Some(workers) }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn plan(&self, rate: f64, requests: u64) -> Plan {
        let url = format!("https://localhost:{}/", self.address.port());
        Plan { url, ca: Some(self.ca()), ..plan(self.address, rate, requests) }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.stop.cut();
        if let Some(workers) = self.workers.take()
            && !std::thread::panicking()
        {
            workers.join().unwrap();
        }
    }
}

fn named(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.into()]).unwrap()
}

fn all_failed(summary: &Summary, kind: FailureKind, why: &str) {
    assert_eq!(summary.failures.get(&kind), Some(&summary.due), "{summary:#?}");
    assert!(summary.examples[0].what.contains(why), "{}", summary.examples[0].what);
}

#[tokio::test]
async fn all_kinds_are_answered_by_tls_over_both_protocols() {
    let version = Backend::start("7").await.unwrap();
    let edge = Edge::new(version.address(), named("localhost"));
    for http2 in [false, true] {
        let before = version.requests();
        let summary = done(Plan {
            mix: quick(),
            http2,
            version_from: Some("header:x-version".parse().unwrap()),
            // A handshake is dear without optimization, and this may be one of many tests at once.
            connections: 16,
            ..edge.plan(60.0, 120)
        })
        .await;
        assert_eq!((summary.answered, summary.failed), (120, 0), "{summary:#?}");
        assert_eq!(version.requests() - before, 120, "nothing was sent twice");
        assert_eq!((summary.versions[0].version.as_str(), summary.versions.len()), ("7", 1));
        assert!(summary.shapes.values().all(|shape| shape.answered > 5), "{summary:#?}");
    }
    let beforehand = Plan { connections: 20, preconnect: true, ..edge.plan(60.0, 50) };
    let summary = done(beforehand).await;
    assert_eq!((summary.answered, summary.client.connections), (50, 20));
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_fails_each_request_and_says_why() {
    let version = Backend::start("1").await.unwrap();
    let good = Edge::new(version.address(), named("localhost"));
    let unknown = done(Plan { ca: None, ..good.plan(100.0, 10) }).await;
    all_failed(&unknown, FailureKind::Certificate, "UnknownIssuer");
    let other = Edge::new(version.address(), named("shop.test"));
    all_failed(&done(other.plan(100.0, 10)).await, FailureKind::Certificate, "localhost");
    let mut old = named("localhost");
    (old.not_before, old.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    let old = Edge::new(version.address(), old);
    all_failed(&done(old.plan(100.0, 10)).await, FailureKind::Certificate, "expired");
    assert_eq!(version.requests(), 0, "nothing was asked of whom nobody trusts");
    let first = Plan { connections: 3, preconnect: true, ..old.plan(1.0, 1) };
    let error = run(first, std::future::pending()).await.unwrap_err();
    assert!(matches!(&error, LoadError::Preconnect { done: 1, .. }), "{error}");
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart_from_one_with_a_bad_certificate() {
    let at = |address: SocketAddr| Plan { url: format!("https://{address}/"), ..plan(address, 100.0, 10) };
    let plain = Backend::start("1").await.unwrap();
    all_failed(&done(at(plain.address())).await, FailureKind::Handshake, "no TLS");
    let garbage =
        raw(async |mut stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap()).await;
    let summary = done(at(garbage)).await;
    assert_eq!((summary.failed, summary.failures.contains_key(&FailureKind::Certificate)), (10, false));
    let silent = raw(async |stream, _| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    all_failed(
        &done(Plan { timeout_ms: 300, ..at(silent) }).await,
        FailureKind::Timeout,
        "no answer within 300 ms",
    );
}

#[tokio::test]
async fn files_that_hold_no_certificates_are_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let version = Backend::start("1").await.unwrap();
    for (name, text, why) in [
        ("none.pem", None, "cannot be read"),
        ("empty.pem", Some(""), "holds no certificate"),
        (
            "key.pem",
            Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "holds no certificate",
        ),
        ("broken.pem", Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), "is no PEM"),
        (
            "lie.pem",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "holds one that is none",
        ),
    ] {
        let path = folder.path().join(name);
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let url = format!("https://{}/", version.address());
        let wanted = Plan { url, ca: Some(path), ..plan(version.address(), 10.0, 1) };
        let error = run(wanted, std::future::pending()).await.unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(why), "{name}: {error}");
    }
    let needless = Plan { ca: Some("any.pem".into()), ..plan(version.address(), 10.0, 1) };
    let error = run(needless, std::future::pending()).await.unwrap_err().to_string();
    assert!(error.contains("without `https://`"), "{error}");
    assert_eq!(version.requests(), 0);
}
