//! Versions that change under a load: when each answered first and last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::super::Plan;
use super::{done, head, plan, raw};

#[tokio::test]
async fn the_overlap_of_two_versions_is_seen() {
    let new = Arc::new(AtomicBool::new(false));
    let switch = new.clone();
    let address = raw(move |mut stream, _| {
        let new = new.clone();
        async move {
            while head(&mut stream).await {
                // The version is settled when the request comes; the answers of the old one come late.
                let (version, wait) = if new.load(Ordering::SeqCst) { ("2", 0) } else { ("1", 400) };
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let answer =
                    format!("HTTP/1.1 200 OK\r\nx-version: {version}\r\ncontent-length: 2\r\n\r\nok");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let after = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        switch.store(true, Ordering::SeqCst);
    });
    let from = "header:X-Version".parse().unwrap();
    let summary = done(Plan { version_from: Some(from), ..plan(address, 100.0, 200) }).await;
    after.await.unwrap();
    let names: Vec<_> = summary.versions.iter().map(|seen| seen.version.as_str()).collect();
    assert_eq!(names, ["1", "2"]);
    let overlap = &summary.overlaps[0];
    assert!(overlap.answers_ms > 200.0, "answers of the old one came 400 ms after it was left: {overlap:?}");
    assert!(overlap.sent_ms < overlap.answers_ms - 200.0, "{overlap:?}");
    assert_eq!(summary.versions.iter().map(|seen| seen.answered).sum::<u64>(), 200);
}

/// A server that says ever new versions does not fill the memory.
#[tokio::test]
async fn versions_without_end_are_counted_together() {
    let address = raw(async |mut stream, number| {
        for turn in 0.. {
            if !head(&mut stream).await {
                return;
            }
            let answer =
                format!("HTTP/1.1 200 OK\r\nx-version: {number}-{turn}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let from = "header:x-version".parse().unwrap();
    let summary = done(Plan { version_from: Some(from), ..plan(address, 1000.0, 300) }).await;
    assert_eq!(summary.versions.len(), 65);
    let others = summary.versions.iter().find(|seen| seen.version == "(others)").unwrap();
    assert_eq!(others.answered, 300 - 64);
}
