//! Which failures a version answered itself, and which befell its answers.

use super::super::backend::Backend;
use super::super::{Kind, Mix, Plan, Shape, VersionFrom};
use super::{done, plan};

#[tokio::test]
async fn what_was_cut_is_not_an_answer_of_its_own() {
    let backend = Backend::start("1").await.unwrap();
    let at = |path: &str| Plan {
        url: format!("http://{}{path}", backend.address()),
        version_from: Some(VersionFrom::Header("x-version".parse().unwrap())),
        timeout_ms: 300,
        ..plan(backend.address(), 200.0, 10)
    };
    let uploads = Mix { shapes: vec![Shape { path: Some("/wrong".into()), ..Shape::of(Kind::Uploads, 1) }] };
    let endless = Mix {
        shapes: vec![Shape {
            path: Some("/events?count=1000&every_ms=50".into()),
            ..Shape::of(Kind::Events, 1)
        }],
    };
    for (plan, wrong) in [
        (at("/fail?status=503"), 10),
        (Plan { mix: uploads, ..at("/") }, 10),
        (at("/cut?n=100000"), 0),
        (Plan { mix: endless, ..at("/") }, 0),
    ] {
        let summary = done(plan).await;
        let told: Vec<_> =
            summary.versions.iter().map(|seen| (seen.answered, seen.failed, seen.wrong)).collect();
        assert_eq!(told, [(0, 10, wrong)], "{:?} {:?}", summary.failures, summary.versions);
    }
}
