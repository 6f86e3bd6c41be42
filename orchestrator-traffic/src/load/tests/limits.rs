//! Limits of this machine are told as such, never as failures of the server.

use std::fs::File;
use std::io;
use std::process::Command;

use super::super::backend::Backend;
use super::super::failure::Trouble;
use super::super::{Kind, LoadError, Mix, OwnLimit, Plan, Shape, run};
use super::done;

#[test]
fn errors_of_sockets_are_told_apart() {
    for (errno, limit) in [
        (rustix::io::Errno::MFILE, OwnLimit::Files),
        (rustix::io::Errno::NFILE, OwnLimit::Files),
        (rustix::io::Errno::ADDRNOTAVAIL, OwnLimit::Ports),
        (rustix::io::Errno::NOBUFS, OwnLimit::Memory),
    ] {
        let trouble = Trouble::connecting(&io::Error::from(errno));
        assert!(matches!(trouble, Trouble::Own(found) if found == limit), "{trouble:?}");
    }
}

/// The server is in this process, the load in another one that may open few files.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_few_files_says_so() {
    let backend = Backend::start("1").await.unwrap();
    let part = "load::tests::limits::part_with_few_files";
    let mut child = Command::new("sh");
    child.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    child.args([part, "--exact", "--ignored", "--nocapture"]).env("LOAD_URL", backend.url());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "part of `a_process_with_few_files_says_so`"]
async fn part_with_few_files() {
    let url = std::env::var("LOAD_URL").unwrap();
    let many = Plan { requests: Some(1), connections: 200, ..Plan::new(url.clone(), 1.0) };
    let error = run(many, std::future::pending()).await.unwrap_err();
    assert!(matches!(error, LoadError::Files { connections: 200, need: 264, have: 100 }), "{error}");

    // Others of the process have taken all but a few.
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - 5);
    let mix = Mix {
        shapes: vec![Shape { path: Some("/slow?ms=300".into()), ..Shape::of(Kind::NewConnections, 1) }],
    };
    let plan = Plan { requests: Some(100), connections: 30, mix, ..Plan::new(url, 100.0) };
    let summary = done(plan).await;
    assert_eq!(summary.failed, 0, "{:?}", summary.failures);
    let limited = summary.client.limits[&OwnLimit::Files];
    assert!(limited > 0 && summary.answered > 0 && summary.answered + limited == 100, "{:?}", summary.client);
    assert!(
        !summary.client.kept_up && summary.client.remarks.iter().any(|remark| remark.contains("ulimit -n"))
    );
}
