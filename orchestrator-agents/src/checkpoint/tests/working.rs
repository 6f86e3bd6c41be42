use serde_json::json;

use super::said;
use super::servers::{Server, answer};
use crate::checkpoint::{DeploymentWorking, E2ePassing};
use crate::rig::Rig;

#[tokio::test]
async fn what_a_deployment_answers() {
    let rig = Rig::bare();
    for (status, body, wanted) in [
        ("200 OK", r#"{"status":"healthy"}"#, "passed: "),
        ("200 OK", r#"{"status":"UP"}"#, "passed: "),
        ("204 No Content", "", "passed: "),
        ("200 OK", "<p>hello", "passed: "),
        ("200 OK", r#"{"status":"degraded"}"#, "failed: not working: "),
        ("503 Unavailable", r#"{"status":"healthy"}"#, "failed: not working: "),
        ("404 Not Found", "", "failed: not working: "),
    ] {
        let server = Server::answering(&[&answer(status, "", body)]);
        let said = said(DeploymentWorking, json!({ "target": format!("{}/health", server.url) }), &rig).await;
        assert!(said.starts_with(wanted), "{status} {body}: {said}");
        assert!(server.asked()[0].starts_with("GET /health HTTP/1.1"));
    }
    let server = Server::answering(&[&answer("401 Unauthorized", "", "")]);
    let said = said(DeploymentWorking, json!({ "target": server.url, "expect_status": 401 }), &rig).await;
    assert!(said.starts_with("passed: ") && said.contains("answered 401"), "{said}");
}

#[tokio::test]
async fn redirects_and_bodies_have_an_end() {
    let rig = Rig::bare();
    let there = Server::answering(&[&answer("200 OK", "", "ok")]);
    let moved = answer("302 Found", &format!("location: {}/there\r\n", there.url), "");
    let server = Server::answering(&[&moved]);
    let followed = said(DeploymentWorking, json!({ "target": server.url }), &rig).await;
    assert!(followed.starts_with("passed: "), "{followed}");
    let round = Server::answering(&[&answer("302 Found", "location: /again\r\n", "")]);
    let endless = said(DeploymentWorking, json!({ "target": round.url }), &rig).await;
    assert!(endless.starts_with("failed: not working: ") && endless.contains("does not answer"), "{endless}");
    assert!(round.asked().len() <= 7, "{}", round.asked().len());
    // A body that is longer than what is read is no JSON that says anything.
    let long = format!("{{\"status\":\"down\",\"x\":\"{}\"}}", "y".repeat(2 << 20));
    let server = Server::answering(&[&answer("200 OK", "", &long)]);
    let cut = said(DeploymentWorking, json!({ "target": server.url }), &rig).await;
    assert!(cut.starts_with("passed: "), "{cut}");
}

#[tokio::test]
async fn what_is_not_there_does_not_work() {
    let rig = Rig::bare();
    let port = orchestrator_traffic::ports::pick().unwrap();
    let refused =
        said(DeploymentWorking, json!({ "target": format!("http://127.0.0.1:{port}/") }), &rig).await;
    assert!(refused.starts_with("failed: not working: ") && refused.contains("refused"), "{refused}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let late = said(DeploymentWorking, json!({ "target": url, "timeout": 0.2 }), &rig).await;
    assert!(late.starts_with("failed: not working: ") && late.contains("timeout"), "{late}");
    for (target, why) in [
        ("${STAGING_URL}/health", "not filled in"),
        ("staging.example.org", "no address"),
        ("https://", "no address"),
        ("https://a b", "space"),
        ("https://ada:word@example.org/", "password"),
        ("file:///etc/passwd", "no address"),
    ] {
        let error = said(DeploymentWorking, json!({ "target": target }), &rig).await;
        assert!(
            error.starts_with("error: ") && error.contains(why) && !error.contains("ada:word"),
            "{target}: {error}"
        );
    }
}

#[tokio::test]
async fn a_command_that_tests_the_whole() {
    let rig = Rig::bare();
    for (line, wanted) in [
        ("printf '      Tests  3 passed (3)\\n'", "passed: 3 tests passed (vitest)"),
        ("printf '=== 2 passed in 0.10s ===\\n'", "passed: 2 tests passed (pytest)"),
        ("printf '=== 1 failed, 2 passed in 0.10s ===\\n'; exit 1", "failed: "),
        // It hides that tests failed, or that there were none.
        ("printf '=== 1 failed, 2 passed in 0.10s ===\\n' || true", "failed: "),
        ("printf '=== no tests ran in 0.00s ===\\n'", "failed: no test ran (pytest)"),
        ("true", "passed: `true` passed; its tests are not counted: unknown runner"),
        ("exit 7", "failed: `exit 7` ended with exit code 7"),
        ("./missing.sh", "failed: `./missing.sh` ended with exit code 127"),
        (" ", "error: `target` is empty"),
    ] {
        let said = said(E2ePassing, json!({ "target": line }), &rig).await;
        assert!(said.starts_with(wanted), "{line}: {said}");
    }
    let argv = said(E2ePassing, json!({ "target": ["no-such-program"] }), &rig).await;
    assert!(argv.starts_with("failed: `no-such-program` could not be run"), "{argv}");
}
