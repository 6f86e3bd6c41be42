//! Generated again and again by the real orchestrator: what a person wrote is kept.

use orchestrator_core::outcome::Outcome;
use orchestrator_core::state::RunStatus;

use super::*;

const FILE: &str = "docs/notes.md";
const BASE: &str = ".orchestrate/generated/docs/notes.md.base";

/// A project with a template of a few lines, of which one is a variable.
fn project() -> Real {
    let rig = Rig::bare();
    rig.write("t/notes.md.j2", "# Notes\n\none\n\nabout {{ vars.about }}\n\nthree\n\nfour\n");
    Real::of(rig)
}

fn about(about: &str) -> Value {
    json!({ "target": "docs", "templates": ["t/notes.md.j2"], "variables": { "about": about } })
}

fn notes(about: &str) -> String {
    format!("# Notes\n\none\n\nabout {about}\n\nthree\n\nfour\n")
}

#[tokio::test]
async fn a_missing_folder_is_made_and_a_second_run_has_nothing_to_do() {
    let real = project();
    let (said, generated) = real.said(about("a")).await;
    assert_eq!(said, "wrote `docs/notes.md`");
    assert!(generated.unwrap().files[0].changed);
    assert_eq!((real.rig.read(FILE), real.rig.read(BASE)), (notes("a"), notes("a")));
    let record = real.run(about("a"), Effect::Writes).await;
    assert!(record.state.tasks()[0].rounds.iter().all(|round| round.actions.is_empty()), "no action at all");
    assert_eq!(concluded(&record).0, "already so: `docs/notes.md`");
}

#[tokio::test]
async fn edits_by_hand_and_new_variables_are_both_kept() {
    let real = project();
    real.said(about("a")).await;
    real.rig.write(FILE, &notes("a").replace("four", "four\n\nmine"));
    assert_eq!(real.said(about("a")).await.0, "already so: `docs/notes.md` (1 with edits by hand)");
    let (said, generated) = real.said(about("b")).await;
    assert_eq!(said, "wrote `docs/notes.md` (1 with edits by hand)");
    assert!(generated.unwrap().files[0].edited);
    assert_eq!(real.rig.read(FILE), notes("b").replace("four", "four\n\nmine"));
    assert_eq!(real.rig.read(BASE), notes("b"), "the base is what was generated, not what stands");
    assert_eq!(real.said(about("b")).await.0, "already so: `docs/notes.md` (1 with edits by hand)");
    real.said(about("c")).await;
    assert_eq!(real.rig.read(FILE), notes("c").replace("four", "four\n\nmine"));
}

#[tokio::test]
async fn a_conflict_writes_nothing_of_the_task() {
    let real = project();
    real.rig.write("t/other.md.j2", "{{ vars.about }}\n");
    let both = |about: &str| json!({ "target": "docs", "templates": ["t/other.md.j2", "t/notes.md.j2"], "variables": { "about": about } });
    real.said(both("a")).await;
    let mine = notes("a").replace("about a", "about mine");
    real.rig.write(FILE, &mine);
    let record = real.run(both("b"), Effect::Writes).await;
    assert_eq!(record.state.tasks()[0].outcome(), Some(Outcome::Failed));
    let (said, _) = concluded(&record);
    for word in ["nothing was written", "`docs/notes.md`", "1 place", "move it away", "by hand"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!((real.rig.read(FILE), real.rig.read("docs/other.md")), (mine, "a\n".into()));
    assert_eq!(
        (real.rig.read(BASE), real.rig.read(".orchestrate/generated/docs/other.md.base")),
        (notes("a"), "a\n".into())
    );

    // Both ways out work: the change by hand, or the file moved away.
    real.rig.write(FILE, &notes("b"));
    assert_eq!(real.said(both("b")).await.0, "wrote 1 file, 1 already so");
    real.rig.write(FILE, &notes("b").replace("about b", "about mine"));
    std::fs::remove_file(real.rig.root.join(FILE)).unwrap();
    assert_eq!(real.said(both("c")).await.0, "wrote 2 files");
    assert_eq!(real.rig.read(FILE), notes("c"));
}

#[tokio::test]
async fn a_deleted_file_is_made_anew() {
    let real = project();
    real.said(about("a")).await;
    std::fs::remove_file(real.rig.root.join(FILE)).unwrap();
    assert_eq!(real.said(about("a")).await.0, "wrote `docs/notes.md`");
    assert_eq!(real.rig.read(FILE), notes("a"));
}

#[tokio::test]
async fn without_a_base_nothing_that_differs_is_touched() {
    let real = project();
    real.rig.write(FILE, "# Ours\n");
    let (said, _) = real.said(about("a")).await;
    assert!(said.contains("not generated here") && said.contains("move it away"), "{said}");
    assert_eq!(real.rig.read(FILE), "# Ours\n");
    assert!(!real.there(BASE));

    // What stands is what would be written: it is remembered, so that later changes can be merged.
    real.rig.write(FILE, &notes("a"));
    assert_eq!(real.said(about("a")).await.0, "already so: `docs/notes.md`");
    assert_eq!(real.rig.read(BASE), notes("a"));
    assert_eq!(real.said(about("b")).await.0, "wrote `docs/notes.md`");
}

#[tokio::test]
async fn line_endings_that_stand_are_kept() {
    let real = project();
    real.said(about("a")).await;
    real.rig.write(FILE, &notes("a").replace("four", "four\n\nmine").replace('\n', "\r\n"));
    assert_eq!(real.said(about("a")).await.0, "already so: `docs/notes.md` (1 with edits by hand)");
    real.said(about("b")).await;
    assert_eq!(real.rig.read(FILE), notes("b").replace("four", "four\n\nmine").replace('\n', "\r\n"));
    assert_eq!(real.rig.read(BASE), notes("b"));
    real.rig.write(FILE, &notes("b").replace('\n', "\r\n"));
    assert_eq!(real.said(about("b")).await.0, "already so: `docs/notes.md`", "only its line endings differ");
}

#[tokio::test]
async fn what_cannot_be_merged_is_said_and_left() {
    let real = project();
    std::fs::create_dir_all(real.rig.root.join("docs/notes.md")).unwrap();
    let (said, _) = real.said(about("a")).await;
    assert!(said.contains("`docs/notes.md` is a folder"), "{said}");
    std::fs::remove_dir(real.rig.root.join("docs/notes.md")).unwrap();

    std::fs::write(real.rig.root.join(FILE), [0xff, 0xfe, 0]).unwrap();
    let (said, _) = real.said(about("a")).await;
    assert!(said.contains("is not UTF-8"), "{said}");
    std::fs::remove_file(real.rig.root.join(FILE)).unwrap();

    real.rig.write("elsewhere.md", "kept\n");
    std::os::unix::fs::symlink("../elsewhere.md", real.rig.root.join(FILE)).unwrap();
    for ceiling in [Effect::Reads, Effect::Writes] {
        let record = real.run(about("a"), ceiling).await;
        assert_eq!(record.state.tasks()[0].outcome(), Some(Outcome::Failed), "a dry run says it too");
        let (said, _) = concluded(&record);
        assert!(said.contains("`docs/notes.md` is a link"), "{said}");
    }
    assert_eq!(real.rig.read("elsewhere.md"), "kept\n");
    std::fs::remove_file(real.rig.root.join(FILE)).unwrap();

    std::fs::remove_dir_all(real.rig.root.join("docs")).unwrap();
    std::os::unix::fs::symlink(&real.rig.home, real.rig.root.join("docs")).unwrap();
    let (said, _) = real.said(about("a")).await;
    assert!(said.contains("leads out of the checkout"), "{said}");
    assert!(!real.rig.home.join("notes.md").exists());
}

/// The bytes that a run's actions would write, by path.
fn written(record: &RunRecord, state: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let actions = record.state.tasks()[0].rounds.iter().flat_map(|round| &round.actions);
    let writes = actions.filter_map(|action| match action {
        orchestrator_core::action::Action::Write(write) => {
            let kept = orchestrator_core::executor::blob(&write.content);
            let bytes = match kept {
                Some(artifact) => {
                    let folder = orchestrator_core::layout::Layout::new(state).run_dir(&record.run);
                    std::fs::read(artifact.place.under(&folder)).unwrap()
                }
                None => write.content.bytes().unwrap(),
            };
            Some((write.path.to_string(), bytes))
        }
        _ => None,
    });
    writes.collect()
}

#[tokio::test]
async fn a_dry_run_shows_what_is_written_to_the_byte() {
    let real = Real::of(fastify());
    let all = json!({ "target": "gen", "templates": ["users", "assessments", "database_helper", "integration_helper",
        "runbook", "testing_guide", "rollback_workflow"] });
    let dry = real.run(all.clone(), Effect::Reads).await;
    assert_eq!(dry.state.tasks()[0].outcome(), Some(Outcome::Withheld));
    assert!(!real.there("gen"));
    let shown = written(&dry, &real.rig.root.join(".orchestrate"));
    assert_eq!(shown.len(), 14);
    real.run(all, Effect::Writes).await;
    for (path, bytes) in shown {
        assert_eq!(std::fs::read(real.rig.root.join(&path)).unwrap(), bytes, "{path}");
    }
}

/// A program in the project that formats: it puts a line on top, or fails.
fn formatter(real: &Real, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    real.rig.write(".prettierrc", "{}");
    real.rig.write("node_modules/.bin/prettier", script);
    let path = real.rig.root.join("node_modules/.bin/prettier");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn the_projects_formatter_sees_it_first() {
    let real = project();
    formatter(&real, "#!/bin/sh\necho \"<!-- $2 -->\"\ncat\n");
    let dry = real.run(about("a"), Effect::Reads).await;
    let shown = written(&dry, &real.rig.root.join(".orchestrate"));
    let expected = format!("<!-- {FILE} -->\n{}", notes("a"));
    assert_eq!(shown[0], (FILE.to_owned(), expected.clone().into_bytes()), "a dry run formats too");
    assert_eq!(real.said(about("a")).await.0, "wrote `docs/notes.md`");
    assert_eq!(real.rig.read(FILE), expected);
    assert_eq!(real.said(about("a")).await.0, "already so: `docs/notes.md`");
    real.rig.write(FILE, &format!("{expected}\nmine\n"));
    real.said(about("b")).await;
    assert_eq!(real.rig.read(FILE), expected.replace("about a", "about b") + "\nmine\n");

    real.rig.write(FILE, &expected.replace("about a", "about mine"));
    let (said, _) = real.said(about("c")).await;
    assert!(said.contains("nothing was written") && said.contains("1 place"), "{said}");
    formatter(&real, "#!/bin/sh\necho 'no such syntax' >&2\nexit 2\n");
    let (said, _) = real.said(about("d")).await;
    assert!(said.contains("exit code 2") && said.contains("no such syntax"), "{said}");
}

#[tokio::test]
async fn a_rollback_takes_the_files_and_what_is_remembered_of_them() {
    let real = project();
    let first = real.run(about("a"), Effect::Writes).await;
    let plan = real.orchestrator.rollback(&first.run).await.unwrap().plan.unwrap();
    let back = real.orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert!(matches!(back.state.status(), RunStatus::Finished(_)));
    assert!(!real.there(FILE) && !real.there(BASE));
    assert_eq!(real.said(about("a")).await.0, "wrote `docs/notes.md`");

    real.rig.write(FILE, &notes("a").replace("four", "mine"));
    let second = real.run(about("b"), Effect::Writes).await;
    let plan = real.orchestrator.rollback(&second.run).await.unwrap().plan.unwrap();
    real.orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(real.rig.read(FILE), notes("a").replace("four", "mine"), "as the person left it");
    assert_eq!(real.rig.read(BASE), notes("a"));
}
