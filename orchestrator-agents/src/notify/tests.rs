//! Messages to a server on loopback, alone and through a whole run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use orchestrator_core::agent::Agent;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::operation::{Already, Transient};
use orchestrator_core::testkit::task;
use orchestrator_core::{Effect, GroupSpec, JsonlStore, Local, Orchestrator, PhaseSpec, Pipeline, TaskSpec};
use serde_json::{Value, json};

use super::{PostInput, PostMessage, SlackMessage};
use crate::checkpoint::tests::servers::{Server, answer};
use crate::rig::Rig;

const PATH: &str = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";

fn rig(url: &str) -> Rig {
    let mut rig = Rig::bare();
    rig.secrets.insert("SLACK_WEBHOOK".into(), format!("{url}{PATH}"));
    rig
}

fn input(text: &str) -> PostInput {
    PostInput { webhook: "SLACK_WEBHOOK".into(), text: text.into(), username: Some("orchestrate".into()) }
}

async fn planned(config: Value) -> Result<String, String> {
    let config = serde_json::from_value(config).map_err(|error| error.to_string())?;
    let rig = Rig::bare();
    let actions = SlackMessage.plan(&task(config), &rig.look()).await.map_err(|error| error.to_string())?;
    Ok(crate::testing::shown(&actions))
}

/// An error's whole text, causes and debug form included.
fn whole(error: &orchestrator_core::BoxError) -> String {
    format!("{error} {error:?} {:?}", error.source().map(ToString::to_string))
}

#[tokio::test]
async fn what_is_posted_and_what_is_shown() {
    let config = json!({ "webhook": { "secret": "SLACK_WEBHOOK" }, "text": "{phase}/{task}: a < b & <!channel> {status}" });
    let shown = planned(config).await.unwrap();
    assert_eq!(
        shown,
        "call post-message {\"webhook\":\"SLACK_WEBHOOK\",\"text\":\"phase/task: a &lt; b &amp; &lt;!channel&gt; {status}\"} [publishes]\n"
    );
    let server = Server::answering(&[&answer("200 OK", "", "ok")]);
    let posted = rig(&server.url).call(PostMessage, input("a &lt; b")).await.unwrap();
    assert_eq!(posted.characters, 8);
    let asked = server.asked();
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("POST {PATH} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({ "text": "a &lt; b", "username": "orchestrate" }));
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_before_anything_is_sent() {
    let webhook = json!({ "secret": "SLACK_WEBHOOK" });
    let empty = planned(json!({ "webhook": webhook, "text": " " })).await.unwrap_err();
    assert!(empty.contains("empty"), "{empty}");
    // 8,000 marks become 40,000 characters; one more is too much.
    assert!(planned(json!({ "webhook": webhook, "text": "&".repeat(8_000) })).await.is_ok());
    let long = planned(json!({ "webhook": webhook, "text": "&".repeat(8_001) })).await.unwrap_err();
    assert!(long.contains("40005 characters; Slack takes 40000"), "{long}");
    for bad in [
        json!("https://hooks.example.org/T0/B0/word"),
        json!({ "secret": "https://hooks.example.org/T0/B0/word" }),
        json!({ "url": "https://hooks.example.org/T0/B0/word" }),
    ] {
        let error = planned(json!({ "webhook": bad, "text": "x" })).await.unwrap_err();
        assert!(error.contains("never its value") && !error.contains("word"), "{error}");
    }
}

#[tokio::test]
async fn a_secret_that_is_none_is_said_and_never_told() {
    let missing = Rig::bare().call(PostMessage, input("x")).await.unwrap_err();
    assert!(missing.to_string().starts_with("the secret `SLACK_WEBHOOK` is not there: give it"), "{missing}");
    for (url, why) in [
        ("http://hooks.example.org", "not `https`"),
        ("ftp://hooks.example.org", "`https://`"),
        ("not a url", "no URL"),
        ("/only", ""),
    ] {
        let error = rig(url).call(PostMessage, input("x")).await.unwrap_err();
        let text = whole(&error);
        assert!(
            text.contains(why) && !text.contains("XXXXXXXX") && !text.contains("hooks.example"),
            "{url}: {text}"
        );
    }
}

#[tokio::test]
async fn answers_are_told_apart_and_masked() {
    for (status, body, transient, said) in [
        ("404 Not Found", "no_service", false, "refused the message with 404: no_service"),
        ("400 Bad Request", "invalid_payload", false, "refused the message with 400: invalid_payload"),
        ("500 Oops", "rollup_error", true, "answered 500: rollup_error"),
        ("302 Found", "", false, "redirects are not followed"),
        ("200 OK", "<html>log in", false, "did not answer `ok`"),
        // A server that repeats what it was asked gives nothing away.
        ("403 Forbidden", PATH, false, "refused the message with 403: /***"),
        ("429 Too Many Requests", "XXXXXXXXXXXXXXXXXXXXXXXX", true, "answered 429: ***"),
    ] {
        let server = Server::answering(&[&answer(status, "", body)]);
        let error = rig(&server.url).call(PostMessage, input("x")).await.unwrap_err();
        let text = whole(&error);
        assert!(text.contains(said), "{status}: {text}");
        assert_eq!(error.is::<Transient>(), transient, "{status}");
        assert!(!text.contains("XXXXXXXX") && !text.contains("T00000000"), "{text}");
        assert_eq!(server.asked().len(), 1);
    }
    let port = orchestrator_traffic::ports::pick().unwrap();
    let refused = rig(&format!("http://127.0.0.1:{port}")).call(PostMessage, input("x")).await.unwrap_err();
    assert!(refused.is::<Transient>() && !whole(&refused).contains("XXXXXXXX"), "{refused}");
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept_within_bounds() {
    let busy = answer("429 Too Many Requests", "retry-after: 0\r\n", "rate_limited");
    let server = Server::answering(&[&busy, &busy, &answer("200 OK", "", "ok")]);
    rig(&server.url).call(PostMessage, input("x")).await.unwrap();
    assert_eq!(server.asked().len(), 3);
    // An hour is not waited for: the runner tries again, if the pipeline says so.
    let server =
        Server::answering(&[&answer("429 Too Many Requests", "retry-after: 3600\r\n", "rate_limited")]);
    let error = rig(&server.url).call(PostMessage, input("x")).await.unwrap_err();
    assert!(error.is::<Transient>(), "{error}");
    assert_eq!(server.asked().len(), 1);
    // A stop ends a wait.
    let server = Server::answering(&[&answer("429 Too Many Requests", "retry-after: 20\r\n", "")]);
    let rig = rig(&server.url);
    let stop = rig.stop.clone();
    let (posted, ()) = tokio::join!(rig.call(PostMessage, input("x")), async {
        while server.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.raise(orchestrator_core::stop::StopLevel::Graceful);
    });
    assert!(posted.unwrap_err().to_string().contains("stopped"));
}

/// After a crash nobody knows whether it was posted, so that the run stops as Unsure.
#[tokio::test]
async fn nobody_can_tell_afterwards() {
    let rig = rig("https://hooks.example.org");
    assert_eq!(rig.already(PostMessage, &input("x"), 0).await, Already::Unknown);
    assert!(rig.undo(PostMessage, &input("x")).await.is_empty());
}

/// Every byte of what a run leaves.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &everything(&path);
        } else {
            all += &path.to_string_lossy();
            all += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    all
}

/// A whole run of one message; says how it ended, and everything that it left.
async fn run(url: &str, ceiling: Effect) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (root, state) = (folder.path(), folder.path().join(".orchestrate"));
    let secrets = BTreeMap::from([("SLACK_WEBHOOK".to_owned(), format!("{url}{PATH}"))]);
    let local = Local::new(root).secrets(secrets);
    let orchestrator = Orchestrator::new(local, JsonlStore::open(&state).unwrap()).agent(SlackMessage);
    let config = json!({ "webhook": { "secret": "SLACK_WEBHOOK" }, "text": "phase {phase} is done" });
    let config = serde_json::from_value(config).unwrap();
    let task = TaskSpec::of::<SlackMessage>("tell", &config).unwrap();
    let group = GroupSpec::new(GroupName::new("messages").unwrap()).task(task);
    let pipeline = Pipeline::new("p").phase(PhaseSpec::new(PhaseName::new("notify").unwrap()).group(group));
    let plan = orchestrator.plan(&pipeline).unwrap();
    let record = orchestrator.run(&plan, ceiling).await.unwrap();
    let ended = format!("{:?} {:?} {}", record.state.status(), record.state, record.withheld());
    drop(orchestrator);
    (ended, everything(root))
}

#[tokio::test]
async fn a_dry_run_sends_none() {
    let server = Server::answering(&[&answer("200 OK", "", "ok")]);
    for ceiling in [Effect::Reads, Effect::Writes] {
        let (ended, _) = run(&server.url, ceiling).await;
        assert!(ended.contains("call post-message") && ended.contains("phase notify is done"), "{ended}");
        assert_eq!(server.asked().len(), 0, "{ceiling}");
    }
    let (ended, left) = run(&server.url, Effect::Publishes).await;
    assert!(ended.contains("Finished(Passed)"), "{ended}");
    assert_eq!(server.asked().len(), 1);
    assert!(left.contains("SLACK_WEBHOOK") && left.contains("phase notify is done"), "the journal was read");
}

#[tokio::test]
async fn the_url_is_nowhere_in_what_a_run_leaves() {
    let echo = format!("you asked for http://127.0.0.1{PATH}");
    for status in ["200 OK", "404 Not Found", "500 Oops", "302 Found"] {
        let server = Server::answering(&[&answer(status, "", &echo)]);
        let (ended, left) = run(&server.url, Effect::Publishes).await;
        assert_eq!(server.asked().len(), 1);
        assert!(!ended.contains("Finished(Passed)"), "{status}");
        for text in [&ended, &left] {
            assert!(text.contains("SLACK_WEBHOOK"), "{status}: {text}");
            assert!(
                !text.contains("XXXXXXXX") && !text.contains("T00000000") && !text.contains(&server.url),
                "{status}: {text}"
            );
        }
    }
}

/// The build that people get speaks TLS: what comes first is the hello of a client (RFC 8446, 5.1: type 22), and nothing of
/// the message.
#[tokio::test]
async fn an_https_url_is_spoken_to_by_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let hello = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = vec![0; 4096];
        let read = std::io::Read::read(&mut stream, &mut first).unwrap();
        first.truncate(read);
        first
    });
    let error = rig(&url).call(PostMessage, input("very quiet")).await.unwrap_err();
    let hello = hello.join().unwrap();
    assert_eq!(hello[..2], [22, 3], "a record of a handshake");
    assert!(!hello.windows(5).any(|bytes| bytes == b"quiet" || bytes == b"XXXXX"));
    assert!(error.is::<Transient>() && !whole(&error).contains("XXXXXXXX"), "{error}");
}
