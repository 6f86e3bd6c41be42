//! Its last phases: merge and deployment.

use orchestrator_core::action::{CommandLine, EnvValue, Run};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::Metric;
use orchestrator_core::outcome::Outcome;
use serde_json::json;

use crate::sample::{Journal, done, exited};

use super::delivery::{conclusion, evidence};
use super::runs::{call, remove, run, write};

pub(super) fn integration(journal: &mut Journal) {
    journal.wait(25).start(
        "merge",
        1,
        vec![run(Effect::Writes, &["git", "merge", "--no-ff", "feature/enroll"])],
    );
    journal.act("merge", 0, vec![run(Effect::Writes, &["git", "reset", "--keep", "4f1c2ab"])]).wait(88);
    journal
        .did("merge", 0, exited("merge", 0, 84.0, "Merge made by the 'ort' strategy.\n"))
        .passed("merge", "merged feature/enroll (7 commits)");
    journal.start(
        "tag",
        1,
        vec![run(Effect::Writes, &["git", "tag", "-a", "v1.4.0-20261120-234501", "-m", "school 1.4.0"])],
    );
    journal
        .act("tag", 0, vec![run(Effect::Writes, &["git", "tag", "-d", "v1.4.0-20261120-234501"])])
        .wait(31);
    journal.did("tag", 0, exited("tag", 0, 28.0, "")).passed("tag", "v1.4.0-20261120-234501");
    journal.start("changelog", 1, vec![write("CHANGELOG.md", "# 1.4.0\n")]).act(
        "changelog",
        0,
        vec![remove("CHANGELOG.md")],
    );
    journal
        .wait(4)
        .did("changelog", 0, done(0.7))
        .passed("changelog", "7 commits: 3 features, 2 fixes, 2 others");
    let mut push =
        Run::new(Effect::Publishes, ["git", "push", "--atomic", "origin", "main", "v1.4.0-20261120-234501"]);
    push.env.insert("TOKEN".into(), EnvValue::Secret { secret: "CI_TOKEN".into() });
    journal.start("push", 1, vec![push.into()]).act("push", 0, vec![]).wait(640);
    journal
        .did("push", 0, exited("push", 0, 633.0, "To origin\n * [new tag] v1.4.0-20261120-234501\n"))
        .passed("push", "pushed main and 1 tag to origin");
}

pub(super) fn deployment(journal: &mut Journal) {
    for (task, to) in [("staging", "staging"), ("production", "production")] {
        journal.wait(15).start(
            task,
            1,
            vec![call(Effect::Publishes, "deploy", json!({"to": to, "version": "1.4.0"}))],
        );
        journal
            .act(task, 0, vec![call(Effect::Publishes, "deploy", json!({"to": to, "version": "1.3.2"}))])
            .wait(1450);
        journal.did(task, 0, done(1440.0)).passed(task, &format!("1.4.0 is up on {to}, health check passed"));
        if task == "staging" {
            let line = CommandLine::Shell("curl -fsS http://127.0.0.1:8080/health | grep ok".into());
            journal.start("smoke", 1, vec![Run::line(Effect::Reads, line).into()]).wait(130);
            let receipt = exited("smoke", 0, 121.0, "{\"status\":\"ok\"}\n");
            journal.did("smoke", 0, receipt.clone());
            let p99 = Metric::new(
                "latency.p99",
                3.4,
                "ms",
                evidence("load", Some("0.1.0"), "orchestrate load --rate 200 --for 5s", &receipt),
            );
            journal.end(
                "smoke",
                Outcome::Passed,
                None,
                Some(conclusion("12 of 12 checks passed").metrics([p99])),
            );
        }
    }
}
