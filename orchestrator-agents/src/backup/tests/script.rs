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
