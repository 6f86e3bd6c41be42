use orchestrator_core::agent::Verdict;
use serde_json::json;

use super::servers::{Server, answer};
use super::{ended, said};
use crate::checkpoint::CiPassing;
use crate::rig::Rig;

const CI: &str = "\
name: ci
on: push
permissions:
  contents: read
env:
  GREETING: hello
jobs:
  unit:
    needs: lint
    runs-on: ubuntu-24.04
    defaults: {run: {working-directory: app}}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache@v4
        with: {path: x, key: y}
      - name: unit tests
        env: {GREETING: good day}
        run: |
          test -f in-app
          echo \"$GREETING of $CI\" >> ../said
      - if: failure()
        run: echo never >> ../said
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: echo \"lint $GREETING\" >> said
      - run: 'false'
        continue-on-error: true
";

fn project(workflow: &str) -> Rig {
    let rig = Rig::new();
    rig.write(".github/workflows/ci.yml", workflow);
    rig.write("app/in-app", "");
    rig.write(".gitignore", "said\n.orchestrate\nbin\n");
    rig.commit("ci: first");
    rig
}

/// A `gh` that prints this and ends with that code.
fn gh(rig: &mut Rig, code: u8, printed: &str) {
    rig.write("bin/runs.json", printed);
    rig.write(
        "bin/gh",
        &format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 'gh version 2.80.0'; exit 0; }}\necho \"$*\" >> \"$HOME/asked\"\ncat '{}'\necho 'no login' >&2\nexit {code}\n",
            rig.root.join("bin/runs.json").display()
        ),
    );
    std::fs::set_permissions(rig.root.join("bin/gh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let path = rig.env[0].1.clone();
    let mut with = rig.root.join("bin").into_os_string();
    with.push(":");
    with.push(path);
    rig.env[0].1 = with;
}

#[tokio::test]
async fn the_commands_of_a_workflow_are_run_here() {
    let rig = project(CI);
    let Ok(Verdict::Passed(conclusion)) = ended(CiPassing, json!({ "how": "local" }), &rig).await else {
        panic!()
    };
    assert_eq!(rig.read("said"), "lint hello\ngood day of true\n");
    assert_eq!(
        conclusion.summary,
        "3 steps of `.github/workflows/ci.yml` passed here; left out: `actions/checkout@v4` of job `unit`: the tree is here, \
         `actions/cache@v4` of job `unit`: nothing is cached here, `echo never >> ../said` of job `unit`, which only follows a failure"
    );
    let metrics: Vec<(String, f64)> = conclusion.metrics.iter().map(|m| (m.name.clone(), m.value)).collect();
    assert_eq!(metrics, [("ci.steps.passed".to_owned(), 3.0), ("ci.steps.not_run".to_owned(), 0.0)]);
    assert!(conclusion.metrics[0].evidence.artifact.is_some());
}

#[tokio::test]
async fn a_command_that_fails_fails_it() {
    let rig = project(&CI.replace("test -f in-app", "echo broken >&2; test -f nowhere"));
    let failed = said(CiPassing, json!({ "how": "local" }), &rig).await;
    assert_eq!(
        failed,
        "failed: run here, `unit tests` of job `unit` failed: `echo broken >&2; test -f nowhere ..` ended with exit code 1: broken"
    );
    assert_eq!(rig.read("said"), "lint hello\n", "nothing after it was run");
}

#[tokio::test]
async fn what_cannot_be_run_here_is_never_passed() {
    let lint = "  lint:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo lint >> said\n";
    for (job, why) in [
        (
            "services: {db: {image: postgres}}\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]",
            "it needs `services`",
        ),
        ("container: node:22\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]", "`container`"),
        (
            "environment: production\n    runs-on: ubuntu-latest\n    steps: [{run: ./deploy.sh}]",
            "deploys to an `environment`",
        ),
        (
            "permissions: {packages: write}\n    runs-on: ubuntu-latest\n    steps: [{run: ./publish.sh}]",
            "may write to GitHub",
        ),
        (
            "strategy: {matrix: {node: [20, 22]}}\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]",
            "a matrix",
        ),
        ("runs-on: windows-latest\n    steps: [{run: dir}]", "runs on `windows-latest`"),
        ("uses: ./.github/workflows/other.yml", "workflow of its own"),
        (
            "if: github.ref == 'refs/heads/main'\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]",
            "can tell its `if`",
        ),
        (
            "runs-on: ubuntu-latest\n    steps: [{run: 'echo ${{ secrets.TOKEN }}'}]",
            "needs the secret `secrets.TOKEN`",
        ),
        (
            "runs-on: ubuntu-latest\n    steps: [{run: 'true', env: {A: '${{ secrets.TOKEN }}'}}]",
            "needs the secret",
        ),
        ("runs-on: ubuntu-latest\n    steps: [{run: 'echo a=b >> $GITHUB_OUTPUT'}]", "uses `GITHUB_OUTPUT`"),
        ("runs-on: ubuntu-latest\n    steps: [{run: 'echo ${{ github.sha }}'}]", "fill in `github.sha`"),
        ("runs-on: ubuntu-latest\n    steps: [{run: dir, shell: pwsh}]", "shell `pwsh`"),
        ("runs-on: ubuntu-latest\n    steps: [{run: 'true', working-directory: ../..}]", "leads out"),
        ("runs-on: ubuntu-latest\n    steps: [{uses: someone/deploys@v1}]", "action is not known here"),
        (
            "runs-on: ubuntu-latest\n    steps: [{uses: actions/setup-node@v4, with: {node-version: 1}}]",
            "it wants node 1, here is",
        ),
        (
            "runs-on: ubuntu-latest\n    steps: [{uses: actions/setup-node@v4, with: {node-version: lts/*}}]",
            "cannot be told here",
        ),
        ("runs-on: ubuntu-latest", "it has no steps"),
    ] {
        let rig = project(&format!("jobs:\n  other:\n    {job}\n{lint}"));
        let failed = said(CiPassing, json!({ "how": "local" }), &rig).await;
        assert!(
            failed.starts_with(
                "failed: not measured by `.github/workflows/ci.yml`: some of it cannot be run here: "
            ),
            "{failed}"
        );
        assert!(failed.contains(why) && failed.contains("allow_partial"), "{why}: {failed}");
        assert!(!rig.root.join("said").exists(), "nothing is run that could tell nothing");
        // Told what counts, or that a part will do, it runs that part and says what it did not.
        let one = said(CiPassing, json!({ "how": "local", "jobs": ["lint"] }), &rig).await;
        assert!(
            one.starts_with("passed: 1 step of") && one.contains("job `other`, which does not count"),
            "{one}"
        );
        let Ok(Verdict::Passed(part)) =
            ended(CiPassing, json!({ "how": "local", "allow_partial": true }), &rig).await
        else {
            panic!("{why}")
        };
        assert!(part.summary.contains("; not run: ") && part.summary.contains(why), "{}", part.summary);
        assert_eq!((part.findings.len(), part.metrics[1].value), (1, 1.0));
        assert_eq!(rig.read("said"), "lint\nlint\n");
    }
    // A part that is nothing is no part.
    let rig = project("jobs:\n  a:\n    runs-on: macos-15\n    steps: [{run: 'true'}]\n");
    let nothing = said(CiPassing, json!({ "how": "local", "allow_partial": true }), &rig).await;
    assert!(
        nothing.starts_with("failed: not measured") && nothing.contains("nothing of it can be run here"),
        "{nothing}"
    );
}

#[tokio::test]
async fn workflows_that_make_no_sense_are_not_measured() {
    let circle = "jobs:\n  a: {needs: b, runs-on: ubuntu-latest, steps: []}\n  b: {needs: a, runs-on: ubuntu-latest, steps: []}\n";
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\n{}jobs: *i\n",
        ('b'..='i')
            .map(|c| format!("{c}: &{c} [{}]\n", vec![format!("*{}", (c as u8 - 1) as char); 9].join(",")))
            .collect::<String>()
    );
    for (text, why) in [
        ("jobs: [", "cannot be read"),
        ("name: x\n", "no `jobs`"),
        (circle, "circle"),
        ("jobs: {a: 1}\n", "is no map"),
        (&bomb, "cannot be read"),
    ] {
        let rig = project(text);
        let failed = said(CiPassing, json!({ "how": "local" }), &rig).await;
        assert!(failed.starts_with("failed: not measured: the workflow") && failed.contains(why), "{failed}");
    }
    let rig = project(CI);
    let unknown = said(CiPassing, json!({ "how": "local", "jobs": ["e2e"] }), &rig).await;
    assert!(unknown.contains("no job `e2e`; known: lint, unit"), "{unknown}");
    let missing =
        said(CiPassing, json!({ "how": "local", "target": ".github/workflows/no.yml" }), &rig).await;
    assert!(missing.contains("`.github/workflows/no.yml` does not exist"), "{missing}");
    let bare = said(CiPassing, json!({}), &Rig::new()).await;
    assert!(bare.starts_with("failed: not measured: there is no workflow"), "{bare}");
}

fn run(rig: &Rig, id: u64, name: &str, status: &str, conclusion: &str) -> serde_json::Value {
    // As the published schema of `GET /repos/{owner}/{repo}/actions/runs` has it, the fields that it always gives.
    json!({
        "id": id, "name": name, "node_id": "WFR_1", "head_branch": "main", "head_sha": rig.git(&["rev-parse", "HEAD"]),
        "path": ".github/workflows/ci.yml", "run_number": 7, "run_attempt": 1, "event": "push", "status": status,
        "conclusion": if conclusion.is_empty() { serde_json::Value::Null } else { conclusion.into() }, "workflow_id": 5,
        "url": format!("https://api.github.com/repos/ada/tiny/actions/runs/{id}"),
        "html_url": format!("https://github.com/ada/tiny/actions/runs/{id}"),
        "created_at": "2026-11-20T23:44:33Z", "updated_at": "2026-11-20T23:45:33Z",
    })
}

fn page(runs: &[serde_json::Value]) -> String {
    answer(
        "200 OK",
        "content-type: application/json\r\n",
        &json!({ "total_count": runs.len(), "workflow_runs": runs }).to_string(),
    )
}

#[tokio::test]
async fn the_api_says_whether_a_commit_passed() {
    let mut rig = project(CI);
    rig.secrets.insert("GITHUB".into(), "ghp_word".into());
    let ask = |url: &str| json!({ "how": "api", "api": url, "repository": "ada/tiny", "token": { "secret": "GITHUB" }, "target": ".github/workflows/ci.yml" });
    for (runs, wanted) in [
        (vec![run(&rig, 2, "ci", "completed", "success")], "passed: by GitHub's API, CI of commit "),
        (
            vec![run(&rig, 2, "ci", "completed", "success"), run(&rig, 1, "ci", "completed", "failure")],
            "passed: ",
        ),
        (
            vec![run(&rig, 1, "ci", "completed", "success"), run(&rig, 2, "ci", "completed", "failure")],
            "failed: ",
        ),
        (
            vec![run(&rig, 1, "ci", "completed", "success"), run(&rig, 2, "docs", "completed", "cancelled")],
            "failed: ",
        ),
        (vec![run(&rig, 1, "ci", "in_progress", "")], "failed: "),
        (vec![run(&rig, 1, "ci", "completed", "skipped")], "failed: "),
        (vec![], "failed: not measured: GitHub's API: it knows no run of commit "),
    ] {
        let server = Server::answering(&[&page(&runs)]);
        let said = said(CiPassing, ask(&server.url), &rig).await;
        assert!(said.starts_with(wanted), "{runs:?}: {said}");
        let asked = server.asked();
        let commit = rig.git(&["rev-parse", "HEAD"]);
        assert!(
            asked[0].starts_with(&format!(
                "GET /repos/ada/tiny/actions/workflows/ci.yml/runs?head_sha={commit}&per_page=100 HTTP/1.1"
            )),
            "{}",
            asked[0]
        );
        assert!(asked[0].contains("Bearer ghp_word") && asked[0].contains("2022-11-28"), "{}", asked[0]);
    }
    for (answer, why) in [
        (
            answer("401 Unauthorized", "", r#"{"message":"Bad credentials ghp_word"}"#),
            "answered 401 for `ada/tiny`: Bad credentials ***",
        ),
        (answer("200 OK", "", "<html>"), "no list of runs"),
        (answer("200 OK", "", r#"{"total_count":500,"workflow_runs":[]}"#), "500 runs"),
    ] {
        let server = Server::answering(&[&answer]);
        let said = said(CiPassing, ask(&server.url), &rig).await;
        assert!(
            said.starts_with("failed: not measured: ") && said.contains(why) && !said.contains("ghp_word"),
            "{said}"
        );
    }
    let server = Server::answering(&[&page(&[run(&rig, 3, "ci", "completed", "failure")])]);
    let place = said(CiPassing, ask(&server.url), &rig).await;
    assert!(place.ends_with(": `ci` is failure (https://github.com/ada/tiny/actions/runs/3)"), "{place}");
    let mut odd = ask(&server.url);
    odd["repository"] = "ada/tiny?x=/..".into();
    let odd = said(CiPassing, odd, &rig).await;
    assert!(odd.contains("`tiny?x=` cannot be asked for"), "{odd}");
    let value = said(CiPassing, json!({ "token": "ghp_word" }), &rig).await;
    assert!(value.starts_with("error: ") && !value.contains("ghp_word"), "{value}");
    let plain = said(CiPassing, ask("http://api.example.org"), &rig).await;
    assert!(plain.contains("no token is sent there"), "{plain}");
}

#[tokio::test]
async fn gh_is_asked_where_it_is_there() {
    let mut rig = project(CI);
    let commit = rig.git(&["rev-parse", "HEAD"]);
    let one = |conclusion: &str| {
        json!([{ "databaseId": 9, "workflowName": "ci", "status": "completed", "conclusion": conclusion, "headSha": commit, "url": "https://github.com/ada/tiny/actions/runs/9" }]).to_string()
    };
    gh(&mut rig, 0, &one("success"));
    let passed = said(CiPassing, json!({}), &rig).await;
    assert!(passed.starts_with("passed: by gh, CI of commit "), "{passed}");
    let asked = std::fs::read_to_string(rig.home.join("asked")).unwrap();
    assert_eq!(
        asked,
        format!(
            "run list --commit {commit} --limit 100 --json databaseId,workflowName,status,conclusion,headSha,url\n"
        )
    );
    rig.write("bin/runs.json", &one("failure"));
    let failed = said(CiPassing, json!({ "how": "gh" }), &rig).await;
    assert!(failed.contains("`ci` is failure (https://github.com/ada/tiny/actions/runs/9)"), "{failed}");
    assert!(!rig.root.join("said").exists(), "a clear answer is the answer");
}

#[tokio::test]
async fn without_an_answer_the_commands_are_run_here() {
    let mut rig = project(CI);
    gh(&mut rig, 4, "");
    let auto = said(CiPassing, json!({}), &rig).await;
    assert!(auto.starts_with("passed: 3 steps of `.github/workflows/ci.yml` passed here (GitHub's API: no `token` is given; gh: `gh run list` ended with exit code 4: no login)"), "{auto}");
    let only = said(CiPassing, json!({ "how": "gh" }), &rig).await;
    assert!(only.starts_with("failed: not measured: gh: `gh run list` ended with exit code 4"), "{only}");
    // What has not been committed, no run has seen.
    rig.write("app/new", "");
    let dirty = said(CiPassing, json!({}), &rig).await;
    assert!(dirty.contains("passed here (GitHub: no run has seen the changes in the tree)"), "{dirty}");
}

#[test]
fn a_remote_names_a_repository() {
    let repository = crate::checkpoint::ci_passing::repository;
    for remote in [
        "https://github.com/ada/tiny",
        "https://ada:word@github.com/ada/tiny.git",
        "git@github.com:ada/tiny.git",
        "ssh://git@github.com/ada/tiny/",
    ] {
        assert_eq!(repository(remote).as_deref(), Some("ada/tiny"), "{remote}");
    }
    for remote in [
        "/home/ada/tiny.git",
        "https://example.org/ada/tiny",
        "https://github.com/ada",
        "https://github.com/ada/tiny/../x?y",
    ] {
        assert_eq!(repository(remote), None, "{remote}");
    }
}
