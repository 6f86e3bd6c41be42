//! A whole delivery, once passed and once failed.

use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifact, Receipt, Status};
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::report::RunRecord;
use serde_json::{Value, json};

use crate::sample::{Journal, done, exited, plan, set};

use super::release::{deployment, integration};
use super::runs::{call, remove, run, write};

pub(super) fn evidence(tool: &str, version: Option<&str>, command: &str, receipt: &Receipt) -> Evidence {
    let mut evidence = Evidence::of(tool).command(command).artifact(receipt.stdout.as_ref());
    evidence.version = version.map(str::to_owned);
    evidence
}

pub(super) fn conclusion(summary: &str) -> Conclusion<Json> {
    Conclusion::new(summary, json!({}).into())
}

/// Phases of a delivery; the report phase is last.
pub(super) fn delivery() -> Value {
    let mut plan = plan(&[
        ("restart_backup", "RESTART & BACKUP", &["disk", "backup", "rollback-script"]),
        ("code_generation", "CODE GENERATION", &["render", "format"]),
        ("build_validation", "BUILD & VALIDATION", &["fmt", "clippy", "build", "test", "audit", "coverage"]),
        ("merge_integration", "MERGE & INTEGRATION", &["merge", "tag", "changelog", "push"]),
        ("deployment", "DEPLOYMENT", &["staging", "smoke", "production"]),
        ("reports", "REPORTS", &["report"]),
    ]);
    set(&mut plan, "test", "description", json!("unit and integration tests of all crates"));
    set(&mut plan, "report", "when", json!("always"));
    set(&mut plan, "audit", "continue_on_error", json!(true));
    plan["notes"] = json!(["coverage: cargo-llvm-cov is not installed"]);
    plan
}

fn backup(journal: &mut Journal) {
    journal.wait(40).start("disk", 1, vec![call(Effect::Reads, "free-disk", json!({"min": 1_000_000_000}))]);
    journal.wait(12).did("disk", 0, done(11.2));
    let free = Metric::new("disk.free", 41_233_000_000.0, "bytes", Evidence::of("statvfs"));
    journal.end("disk", Outcome::Passed, None, Some(conclusion("41.2 GB free").metrics([free])));
    journal.start("backup", 1, vec![call(Effect::Writes, "snapshot", json!({"to": ".orchestrate/backups"}))]);
    journal.act("backup", 0, vec![remove(".orchestrate/backups/20261120234433.tar.zst")]).wait(2310);
    journal.did("backup", 0, done(2308.0));
    let size = Metric::new("backup.size", 52_312_345.0, "bytes", Evidence::of("tar+zstd"));
    let files = Metric::new("backup.files", 1284.0, "count", Evidence::of("tar+zstd"));
    let made = conclusion("Backup created (52.3 MB, verified)").metrics([size, files]);
    journal.end("backup", Outcome::Passed, None, Some(made));
    journal.start("rollback-script", 1, vec![write("rollback.sh", "#!/bin/sh\nexit 0\n")]);
    journal.act("rollback-script", 0, vec![remove("rollback.sh")]).wait(3).did(
        "rollback-script",
        0,
        done(1.4),
    );
    journal.passed("rollback-script", "Rollback script verified");
}

fn generation(journal: &mut Journal) {
    journal.wait(20).start("render", 1, vec![write("src/routes.rs", "pub fn health() {}\n")]);
    journal.act("render", 0, vec![remove("src/routes.rs")]).wait(9).did("render", 0, done(2.1));
    journal.passed("render", "3 of 3 templates rendered, 1 changed");
    let format = run(Effect::Writes, &["rustfmt", "--edition", "2024", "src/routes.rs"]);
    journal.start("format", 1, vec![format]).act("format", 0, vec![]).wait(180);
    let mut receipt = Receipt::new(Status::AlreadySo);
    receipt.took_ms = 178.0;
    journal.did("format", 0, receipt).end(
        "format",
        Outcome::Cached,
        None,
        Some(conclusion("nothing to format")),
    );
}

fn validation(journal: &mut Journal, fails: bool) {
    let test = run(Effect::Writes, &["cargo", "test", "--workspace", "--", "--format", "json"]);
    journal.wait(30).start("fmt", 1, vec![run(Effect::Reads, &["cargo", "fmt", "--check"])]);
    journal.start("clippy", 1, vec![run(Effect::Writes, &["cargo", "clippy", "--message-format=json"])]);
    journal.act("clippy", 0, vec![]).wait(410).did("fmt", 0, exited("fmt", 0, 402.0, ""));
    journal.passed("fmt", "formatted");
    journal.wait(6100).did("clippy", 0, exited("clippy", 0, 6480.0, "Finished `dev` profile\n"));
    let place = |line| {
        Finding::new(
            "clippy::needless_borrow",
            Severity::Warning,
            "this expression creates a reference which is immediately dereferenced",
        )
        .at("src/main.rs", Some(line))
    };
    let remark = Finding::new("dead_code", Severity::Note, "function `old_route` is never used")
        .at("src/routes.rs", Some(12));
    journal.end(
        "clippy",
        Outcome::Passed,
        None,
        Some(conclusion("2 warnings").findings([remark, place(41)])),
    );
    journal.start("build", 1, vec![run(Effect::Writes, &["cargo", "build", "--release"])]).act(
        "build",
        0,
        vec![],
    );
    journal.wait(2900).did(
        "build",
        0,
        exited("build", 101, 2890.0, "error: could not download `serde` v1.0.228\n"),
    );
    journal.retry("build", "exit code 101: could not download `serde`").wait(1200);
    journal.start("build", 2, vec![run(Effect::Writes, &["cargo", "build", "--release"])]).act(
        "build",
        0,
        vec![],
    );
    let mut built = exited("build", 0, 9321.0, "Finished `release` profile [optimized] in 9.32s\n");
    built.artifacts.push(Artifact {
        name: "target/release/school".into(),
        place: RelPath::new("artifacts/school").unwrap(),
        digest: Digest::of(b"school"),
        bytes: 4_312_008,
    });
    journal.wait(9330).did("build", 0, built).passed("build", "built school 1.4.0");
    journal.start("test", 1, vec![test]).act("test", 0, vec![]).wait(4700);
    let audit = run(Effect::Reads, &["cargo", "audit", "--json"]);
    journal.start("audit", 1, vec![audit]).wait(300);
    journal.did("audit", 0, exited("audit", 1, 290.0, "error: couldn't fetch advisory database\n"));
    journal.end(
        "audit",
        Outcome::Failed,
        None,
        Some(Conclusion {
            output: None,
            ..conclusion("not run: the advisory database could not be fetched")
        }),
    );
    journal.wait(1200).end("coverage", Outcome::Skipped, Some(Reason::Manual), None);
    tests(journal, fails);
}

fn tests(journal: &mut Journal, fails: bool) {
    let tail = "running 214 tests\ntest routes::health ... ok\ntest routes::enroll ... FAILED\n\nfailures:\n\n---- routes::enroll stdout ----\nthread 'routes::enroll' panicked at src/routes.rs:88:9:\nassertion `left == right` failed\n  left: 404\n right: 201\n\ntest result: FAILED. 213 passed; 1 failed; 0 ignored\n";
    let receipt = if fails {
        exited("test", 101, 6190.0, tail)
    } else {
        exited("test", 0, 6190.0, "test result: ok. 214 passed\n")
    };
    journal.did("test", 0, receipt.clone());
    let from = || evidence("cargo test", Some("1.95.0"), "cargo test --workspace -- --format json", &receipt);
    let metrics = [
        Metric::new("tests.passed", if fails { 213.0 } else { 214.0 }, "count", from()),
        Metric::new("tests.failed", f64::from(u8::from(fails)), "count", from()),
        Metric::new("tests.duration", 5120.0, "ms", from()),
        Metric::new(
            "coverage.lines",
            87.25,
            "%",
            evidence("cargo llvm-cov", None, "cargo llvm-cov --json", &receipt),
        ),
    ];
    if fails {
        let failed = Finding::new(
            "test",
            Severity::Error,
            "routes::enroll: assertion `left == right` failed (404, 201)",
        )
        .at("src/routes.rs", Some(88));
        let said = Conclusion { output: None, ..conclusion("1 of 214 tests failed: routes::enroll") };
        journal.end("test", Outcome::Failed, None, Some(said.metrics(metrics).findings([failed])));
    } else {
        journal.end("test", Outcome::Passed, None, Some(conclusion("214 tests passed").metrics(metrics)));
    }
}

fn report(journal: &mut Journal) -> &mut Journal {
    journal.wait(20).start(
        "report",
        1,
        vec![call(Effect::Writes, "render-report", json!({"generators": ["html"]}))],
    );
    journal.act("report", 0, vec![]).wait(35)
}

pub(super) fn passed() -> RunRecord {
    let mut journal = Journal::begin(delivery(), Effect::Publishes);
    backup(&mut journal);
    generation(&mut journal);
    validation(&mut journal, false);
    integration(&mut journal);
    deployment(&mut journal);
    report(&mut journal)
        .did("report", 0, done(33.0))
        .passed("report", "rendered index.html from records 1 to 90");
    journal.wait(2).finish(RunOutcome::Passed).record()
}

pub(super) fn failing() -> Journal {
    let mut journal = Journal::begin(delivery(), Effect::Publishes);
    backup(&mut journal);
    generation(&mut journal);
    validation(&mut journal, true);
    for task in ["merge", "tag", "changelog", "push", "staging", "smoke", "production"] {
        journal.end(task, Outcome::Skipped, Some(Reason::Upstream), None);
    }
    report(&mut journal);
    journal
}

pub(super) fn failed() -> RunRecord {
    let mut journal = failing();
    journal.did("report", 0, done(33.0)).passed("report", "rendered index.html");
    journal.wait(2).finish(RunOutcome::Failed).record()
}
