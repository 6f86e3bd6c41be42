//! Each kind of request against a server that does it right.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::super::backend::Backend;
use super::super::{Kind, Mix, Plan, Shape, VersionFrom, run};
use super::{done, head, plan, raw};

/// All kinds, quick ones of those that take their time.
pub(super) fn quick() -> Mix {
    let mut mix = Mix::mixed();
    for shape in &mut mix.shapes {
        match shape.kind {
            Kind::Slow => shape.path = Some("/slow?ms=50".into()),
            Kind::Websockets => shape.every_ms = Some(5),
            Kind::Events => shape.path = Some("/events?count=10&every_ms=5".into()),
            Kind::Uploads => shape.every_ms = Some(2),
            Kind::KeepAlive | Kind::NewConnections => {}
        }
        shape.weight = 10;
    }
    mix
}

#[tokio::test]
async fn all_kinds_are_answered_over_both_protocols() {
    for http2 in [false, true] {
        let backend = Backend::start("7").await.unwrap();
        let plan = Plan {
            mix: quick(),
            http2,
            version_from: Some(VersionFrom::Header("x-version".parse().unwrap())),
            ..plan(backend.address(), 400.0, 600)
        };
        let summary = done(plan).await;
        assert_eq!((summary.answered, summary.failed), (600, 0), "{summary:#?}");
        assert_eq!(backend.requests(), 600, "nothing was sent twice");
        let counts: BTreeMap<_, _> =
            summary.shapes.iter().map(|(name, shape)| (name.as_str(), shape.answered)).collect();
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| *count > 50), "{counts:?}");
        assert_eq!(summary.versions.len(), 1);
        assert_eq!((summary.versions[0].version.as_str(), summary.versions[0].answered), ("7", 600));
        assert!(summary.shapes["slow"].service.p50_us >= 50_000);
        assert!(summary.failure_bound < 0.0051 && summary.failure_bound > 0.0049);
    }
}

#[tokio::test]
async fn the_version_may_stand_in_the_body() {
    let backend = Backend::start("1.2.3").await.unwrap();
    let from = "json:/version".parse().unwrap();
    let summary = done(Plan { version_from: Some(from), ..plan(backend.address(), 200.0, 20) }).await;
    assert_eq!((summary.versions[0].version.as_str(), summary.versions[0].answered), ("1.2.3", 20));
}

#[tokio::test]
async fn connections_are_kept_where_they_may_be() {
    let backend = Backend::start("1").await.unwrap();
    let kept = done(Plan { connections: 2, ..plan(backend.address(), 500.0, 100) }).await;
    assert!(kept.client.connections <= 2, "{}", kept.client.connections);
    let mix = Mix { shapes: vec![Shape::of(Kind::NewConnections, 1)] };
    let new = done(Plan { mix: mix.clone(), ..plan(backend.address(), 500.0, 100) }).await;
    assert_eq!((new.answered, new.client.connections), (100, 100));
    let new = done(Plan { mix, http2: true, ..plan(backend.address(), 500.0, 100) }).await;
    assert_eq!((new.answered, new.client.connections), (100, 100));
    let all = done(Plan { connections: 50, preconnect: true, ..plan(backend.address(), 500.0, 100) }).await;
    assert_eq!((all.answered, all.client.connections), (100, 50));
}

/// Requests that open connections of their own are no more at once than these.
#[tokio::test]
async fn no_more_connections_are_open_at_once_than_wanted() {
    for kind in [Kind::NewConnections, Kind::Websockets] {
        let opened = Arc::new(AtomicU64::new(0));
        let count = opened.clone();
        let address = raw(move |stream, _| {
            count.fetch_add(1, SeqCst);
            async move {
                tokio::time::sleep(Duration::from_mins(1)).await;
                drop(stream);
            }
        })
        .await;
        let mix = Mix { shapes: vec![Shape::of(kind, 1)] };
        let plan =
            Plan { mix, http2: true, connections: 2, ..Plan::new(format!("http://{address}/"), 100.0) };
        run(plan, tokio::time::sleep(Duration::from_millis(500))).await.unwrap();
        assert_eq!(opened.load(SeqCst), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn lines_of_events_may_end_as_they_like() {
    for end in ["\n", "\r\n", "\r"] {
        let address = raw(move |mut stream, _| async move {
            head(&mut stream).await;
            let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let events = format!("id: 1{end}data: x{end}{end}").repeat(10);
            stream.write_all(format!("{begin}{events}").as_bytes()).await.unwrap();
        })
        .await;
        let mix = |count| Mix { shapes: vec![Shape { count: Some(count), ..Shape::of(Kind::Events, 1) }] };
        let summary = done(Plan { mix: mix(10), ..plan(address, 100.0, 3) }).await;
        assert_eq!((summary.answered, summary.failed), (3, 0), "{end:?} {:?}", summary.examples);
        let summary = done(Plan { mix: mix(11), ..plan(address, 100.0, 3) }).await;
        assert_eq!((summary.answered, summary.failed), (0, 3), "{end:?}: there are no more than ten");
    }
}
