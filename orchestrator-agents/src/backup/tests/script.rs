use std::fs;
use std::process::Output;

use super::*;

fn rollback(rig: &Rig, made: &Snapshot, args: &[&str]) -> Output {
    let script = made.snapshot.under(&rig.root).join("rollback.sh");
    let args: Vec<&str> = std::iter::once(script.to_str().unwrap()).chain(args.iter().copied()).collect();
    rig.command("sh", &args, &rig.home)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn prepared() -> (Rig, Snapshot) {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    rig.write("readme.md", "dirty, and in the backup\n");
    let made = backup_with(&rig, &[".env"]).await.unwrap();
    script(&rig, &made).await.unwrap();
    (rig, made)
}

#[tokio::test]
async fn the_script_is_plain_sh() {
    let (rig, made) = prepared().await;
    let script = made.snapshot.under(&rig.root).join("rollback.sh");
    for shell in ["sh", "dash", "bash"] {
        let there = rig.command("sh", &["-c", &format!("command -v {shell}")], &rig.home);
        if there.status.success() {
            let output = rig.command(shell, &["-n", script.to_str().unwrap()], &rig.home);
            assert!(output.status.success(), "{shell}: {}", said(&output));
        }
    }
    assert_eq!(rollback(&rig, &made, &["--help"]).status.code(), Some(0));
    assert_eq!(rollback(&rig, &made, &["--what"]).status.code(), Some(2));
}

#[tokio::test]
async fn it_takes_a_release_back_and_loses_nothing() {
    let (rig, made) = prepared().await;
    let before = rig.git(&["rev-parse", "main"]);
    rig.write("src/main.rs", "fn main() { new() }\n");
    rig.write("added/later.txt", "later\n");
    fs::remove_file(rig.root.join("crlf.txt")).unwrap();
    let after = rig.commit("feat: later");
    rig.git(&["tag", "v9"]);
    let dry = rollback(&rig, &made, &["--dry-run"]);
    assert!(dry.status.success() && said(&dry).contains("later.txt"), "{}", said(&dry));
    assert_eq!(rig.git(&["rev-parse", "main"]), after);
    assert!(rig.root.join("added/later.txt").exists());
    let output = rollback(&rig, &made, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rig.git(&["rev-parse", "main"]), before);
    assert_eq!(rig.git(&["status", "--porcelain"]), " M readme.md");
    assert_eq!(rig.read("readme.md"), "dirty, and in the backup\n");
    assert_eq!(rig.read("crlf.txt"), "a\r\nb\r\n");
    assert!(!rig.root.join("added").exists());
    assert_eq!(rig.git(&["rev-parse", "refs/before-rollback/1/heads/main"]), after);
    assert_eq!(rig.git(&["worktree", "list"]).lines().count(), 1);
    let again = rollback(&rig, &made, &[]);
    assert!(again.status.success(), "{}", said(&again));
}

#[tokio::test]
async fn it_refuses_newer_uncommitted_work() {
    let (rig, made) = prepared().await;
    for (file, text) in [("readme.md", "newer\n"), ("brand new.txt", "x\n"), (".env", "TOKEN=2\n")] {
        let old = fs::read(rig.root.join(file)).ok();
        rig.write(file, text);
        let output = rollback(&rig, &made, &[]);
        assert_eq!(output.status.code(), Some(3), "{file}: {}", said(&output));
        assert!(said(&output).contains(file), "{}", said(&output));
        assert_eq!(rig.read(file), text);
        match old {
            Some(old) => fs::write(rig.root.join(file), old).unwrap(),
            None => fs::remove_file(rig.root.join(file)).unwrap(),
        }
    }
    rig.write("readme.md", "newer\n");
    let output = rollback(&rig, &made, &["--force"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rig.read("readme.md"), "dirty, and in the backup\n");
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:readme.md"]), "newer");
}

#[tokio::test]
async fn one_that_was_cut_short_can_be_run_again() {
    let (rig, made) = prepared().await;
    rig.write("src/main.rs", "fn main() { new() }\n");
    let after = rig.commit("feat: later");
    // Unpacks a little into the project and dies, as a full disk would have it.
    let (bin, root) = (rig.home.join("bin"), rig.root.to_str().unwrap());
    fs::create_dir(&bin).unwrap();
    let tar = format!(
        "#!/bin/sh\nPATH=${{PATH#*:}}\ncase $4 in '{root}') tar \"$@\" src crlf.txt; exit 1;; esac\nexec tar \"$@\"\n"
    );
    fs::write(bin.join("tar"), tar).unwrap();
    fs::set_permissions(bin.join("tar"), fs::Permissions::from_mode(0o755)).unwrap();
    let script = made.snapshot.under(&rig.root).join("rollback.sh");
    let line = format!("PATH='{}':$PATH exec sh '{}'", bin.display(), script.display());
    let output = rig.command("sh", &["-c", &line], &rig.home);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("could not be unpacked"), "{}", said(&output));
    assert_eq!(rig.git(&["rev-parse", "main"]), after);
    let output = rollback(&rig, &made, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rig.read("src/main.rs"), "fn main() {}\n");
}

#[tokio::test]
async fn damage_is_noticed_before_anything_changes() {
    let (rig, made) = prepared().await;
    for name in ["tree.tar.zst", "refs.bundle"] {
        let file = made.snapshot.under(&rig.root).join(name);
        let bytes = fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        fs::write(&file, damaged).unwrap();
        let target = rig.home.join(format!("target-{name}"));
        let output = rollback(&rig, &made, &["--target", target.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
        assert!(!target.join("readme.md").exists());
        fs::write(&file, bytes).unwrap();
    }
}

#[tokio::test]
async fn without_git_it_only_fills_what_is_empty() {
    let rig = Rig::bare();
    fill(&rig);
    let made = backup(&rig).await.unwrap();
    script(&rig, &made).await.unwrap();
    assert_eq!(rollback(&rig, &made, &[]).status.code(), Some(3));
    rig.write("src/main.rs", "changed\n");
    assert!(rollback(&rig, &made, &["--force"]).status.success());
    assert_eq!(rig.read("src/main.rs"), "fn main() {}\n");
    let target = rig.home.join("new folder/below");
    assert!(rollback(&rig, &made, &["--target", target.to_str().unwrap()]).status.success());
    assert!(target.join("src/main.rs").exists());
}

#[tokio::test]
async fn other_worktrees_are_left_alone() {
    let mut rig = Rig::new();
    let other = rig.home.join("other");
    rig.git(&["worktree", "add", "-q", "-b", "feature", other.to_str().unwrap()]);
    let main = std::mem::replace(&mut rig.root, other);
    rig.write("a.txt", "a\n");
    let made = backup(&rig).await.unwrap();
    verify(&rig, &made).await.unwrap();
    script(&rig, &made).await.unwrap();
    rig.commit("feat: a");
    let theirs = {
        rig.git_at(&main, &["commit", "-q", "--allow-empty", "-m", "feat: theirs"]);
        rig.git_at(&main, &["rev-parse", "main"])
    };
    let output = rollback(&rig, &made, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("left alone: refs/heads/main"), "{}", said(&output));
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? a.txt");
    assert_eq!(rig.git(&["rev-parse", "main"]), theirs);
    assert_eq!(rig.git(&["rev-parse", "feature~0"]), made.head.unwrap());
}

#[tokio::test]
async fn a_project_in_a_folder_of_a_repository_comes_back() {
    let mut rig = Rig::new();
    rig.write("sub/a.txt", "a\n");
    rig.write("other.txt", "other\n");
    rig.commit("feat: sub");
    rig.root = rig.root.join("sub");
    let made = backup(&rig).await.unwrap();
    verify(&rig, &made).await.unwrap();
    script(&rig, &made).await.unwrap();
    rig.write("a.txt", "newer\n");
    rig.write("b.txt", "b\n");
    rig.commit("feat: newer");
    let output = rollback(&rig, &made, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rig.read("a.txt"), "a\n");
    assert!(!rig.root.join("b.txt").exists());
    assert_eq!(rig.git(&["status", "--porcelain"]), "");
}

/// Two versions, then the backup.
async fn versions() -> (Rig, Snapshot) {
    let rig = Rig::new();
    rig.write(".gitignore", ".env\n.orchestrate/\n");
    rig.write("src/main.rs", "fn main() { first() }\n");
    rig.commit("feat: first");
    rig.git(&["tag", "-a", "-m", "Release v0.1.0", "v0.1.0"]);
    rig.write("src/main.rs", "fn main() { second() }\n");
    rig.write("second.txt", "second\n");
    rig.commit("feat: second");
    rig.git(&["tag", "-a", "-m", "Release v0.2.0", "v0.2.0"]);
    rig.write(".env", "TOKEN=1\n");
    let made = backup_with(&rig, &[".env"]).await.unwrap();
    script(&rig, &made).await.unwrap();
    (rig, made)
}

#[tokio::test]
async fn a_version_comes_back_as_it_was_committed() {
    let (rig, made) = versions().await;
    let (old, new) = (rig.git(&["rev-parse", "v0.1.0^{commit}"]), rig.git(&["rev-parse", "main"]));
    let dry = rollback(&rig, &made, &["--version", "0.1.0", "--dry-run"]);
    assert!(dry.status.success(), "{}", said(&dry));
    for line in ["D\tsecond.txt", "M\tsrc/main.rs", &format!("update refs/heads/main {old} {new}")] {
        assert!(said(&dry).contains(line), "{line}: {}", said(&dry));
    }
    assert_eq!(rig.git(&["rev-parse", "main"]), new);
    rig.git(&["tag", "-d", "v0.1.0"]);
    rig.git(&["branch", "other"]);
    let output = rollback(&rig, &made, &["--version=v0.1.0"]);
    assert!(
        output.status.success() && said(&output).contains("restored v0.1.0 of backup"),
        "{}",
        said(&output)
    );
    assert_eq!(
        (rig.git(&["rev-parse", "main"]), rig.git(&["rev-parse", "v0.1.0^{commit}"])),
        (old.clone(), old)
    );
    assert_eq!(rig.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(
        (rig.read("src/main.rs").as_str(), rig.read(".env").as_str()),
        ("fn main() { first() }\n", "TOKEN=1\n")
    );
    assert!(!rig.root.join("second.txt").exists());
    assert_eq!(rig.git(&["status", "--porcelain"]), "");
    assert_eq!(
        (rig.git(&["rev-parse", "refs/before-rollback/1/heads/main"]), rig.git(&["rev-parse", "other"])),
        (new.clone(), new)
    );
    assert_eq!(rig.git(&["worktree", "list"]).lines().count(), 1);

    // Into a folder of its own: all refs, and the version checked out.
    let target = rig.home.join("target");
    let output = rollback(&rig, &made, &["--version", "v0.1.0", "--target", target.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(target.join("src/main.rs")).unwrap(), "fn main() { first() }\n");
    assert_eq!(rig.git_at(&target, &["tag"]), "v0.1.0\nv0.2.0");
    assert_eq!(rig.git_at(&target, &["status", "--porcelain"]), "");
    assert!(!target.join(".env").exists());
}

#[tokio::test]
async fn a_version_does_not_replace_newer_work_and_must_be_there() {
    let (rig, made) = versions().await;
    let output = rollback(&rig, &made, &["--version", "v9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no version v9; it has: v0.1.0 v0.2.0"), "{}", said(&output));
    assert_eq!(rollback(&rig, &made, &["--version"]).status.code(), Some(2));
    let before = rig.git(&["rev-parse", "main"]);
    rig.write("src/main.rs", "fn main() { mine() }\n");
    let output = rollback(&rig, &made, &["--version", "v0.1.0"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(
        (rig.read("src/main.rs").as_str(), rig.git(&["rev-parse", "main"])),
        ("fn main() { mine() }\n", before)
    );
    assert!(rollback(&rig, &made, &["--version", "v0.1.0", "--force"]).status.success());
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:src/main.rs"]), "fn main() { mine() }");

    let bare = Rig::bare();
    bare.write("a.txt", "a\n");
    let made = backup(&bare).await.unwrap();
    script(&bare, &made).await.unwrap();
    let output = rollback(&bare, &made, &["--version", "v1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no history"), "{}", said(&output));
}

#[tokio::test]
async fn it_says_how_a_deployment_of_the_version_was_started() {
    use crate::deployment::Release;
    let (rig, made) = versions().await;
    let release: Release = serde_json::from_value(serde_json::json!({
        "environment": "production", "version": "0.1.0", "name": "0.1.0-run-deploy-1.0.0", "binary": "school",
        "digest": orchestrator_core::path::Digest::of(b"x"), "argv": ["{binary}", "--port", "{port}"],
        "env": { "A": "a" }, "health": {}, "start_timeout": 5, "order": "run/deploy#1.0.0",
    }))
    .unwrap();
    let text = serde_json::to_string_pretty(&release).unwrap();
    rig.write(".orchestrate/deploy/production/releases/0.1.0-run-deploy-1.0.0/release.json", &text);
    for dry in [true, false] {
        let args: &[&str] = if dry { &["--version", "0.1.0", "--dry-run"] } else { &["--version", "0.1.0"] };
        let output = said(&rollback(&rig, &made, args));
        assert!(output.contains("deployed once to production: "), "{output}");
        assert!(output.contains("releases/0.1.0-run-deploy-1.0.0/school"), "{output}");
        assert!(output.contains(r#"started as: "{binary}", "--port", "{port}""#), "{output}");
    }
    let output = said(&rollback(&rig, &made, &["--version", "0.2.0"]));
    assert!(!output.contains("deployed once"), "{output}");
}

/// Killed in the middle of the last step of a rollback: the same order goes on with it, and is not held up by its own work.
#[tokio::test]
async fn a_restoration_that_was_cut_short_is_gone_on_with() {
    use super::super::ops::{CheckoutInput, Replace, RestoreCheckout};
    let mut rig = Rig::new();
    rig.write("a.txt", "a\n");
    rig.write("b.txt", "b\n");
    rig.commit("feat: files");
    let made = backup(&rig).await.unwrap();
    script(&rig, &made).await.unwrap();
    rig.write("a.txt", "changed\n");
    rig.write("b.txt", "changed\n");
    let replace = Replace::Made { until: jiff::Timestamp::now(), during: Vec::new() };
    let input = CheckoutInput {
        snapshot: made.snapshot.clone(),
        manifest: made.manifest,
        replace,
        before: made.snapshot.clone(),
    };
    // A tar that leaves half of a file behind, as a kill would.
    let bin = rig.home.join("bin");
    fs::create_dir(&bin).unwrap();
    let root = rig.root.display();
    let tar = format!(
        "#!/bin/sh\nPATH=${{PATH#*:}}\ncase \"$*\" in *\"-C {root}\") printf half > '{root}/a.txt'; exit 1;; esac\nexec tar \"$@\"\n"
    );
    fs::write(bin.join("tar"), tar).unwrap();
    fs::set_permissions(bin.join("tar"), fs::Permissions::from_mode(0o755)).unwrap();
    let env = rig.env.clone();
    let path = std::env::var("PATH").unwrap();
    rig.env.retain(|(name, _)| name != "PATH");
    rig.env.push(("PATH".into(), format!("{}:{path}", bin.display()).into()));
    let error = rig.call(RestoreCheckout, input.clone()).await.unwrap_err().to_string();
    assert!(error.contains("could not be unpacked"), "{error}");
    assert_eq!(rig.read("a.txt"), "half");
    rig.env = env;
    // Another order would have to be told that it may; this one had begun.
    let error = rig.call_as(RestoreCheckout, input.clone(), 1).await.unwrap_err().to_string();
    assert!(error.contains("newer work would be replaced, nothing was changed: a.txt"), "{error}");
    rig.call(RestoreCheckout, input).await.unwrap();
    assert_eq!((rig.read("a.txt"), rig.read("b.txt")), ("a\n".into(), "b\n".into()));
}
