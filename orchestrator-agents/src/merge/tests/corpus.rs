//! Kinds of merges, each built by script in a repository of its own: solved by the stated rule, or left as conflict, never wrong.

mod kinds;
mod lock_tools;
mod lockfiles;
mod special;
mod structural;

use std::process::Command;

use super::*;
use crate::merge::{BuiltIn, Rule, Use};
use kinds::KINDS;

/// What must come of it.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// The tree that a script makes of ours; nothing conflicted.
    Tree(&'static str),
    /// The same, after these conflicts were solved: path and rule.
    Solved(&'static str, &'static [(&'static str, &'static str)]),
    /// A conflict in these files, whose reasons contain the text.
    Left(&'static [&'static str], &'static str),
    /// Nothing was to be done.
    AlreadySo,
    /// An error that contains the text.
    Fails(&'static str),
}

use Expect::{AlreadySo, Fails, Left, Solved, Tree};

/// One kind: what all start from, what we did, what they did, what comes of it.
struct Kind {
    name: &'static str,
    base: &'static str,
    ours: &'static str,
    theirs: &'static str,
    rules: &'static [(&'static str, Use)],
    expect: Expect,
}

const fn kind(name: &'static str, [base, ours, theirs]: [&'static str; 3], expect: Expect) -> Kind {
    Kind { name, base, ours, theirs, rules: &[], expect }
}

const fn ruled(
    name: &'static str,
    [base, ours, theirs]: [&'static str; 3],
    rules: &'static [(&'static str, Use)],
    expect: Expect,
) -> Kind {
    Kind { name, base, ours, theirs, rules, expect }
}

#[tokio::test]
async fn each_kind_is_solved_as_stated_or_left() {
    assert!(KINDS.len() >= 40);
    let mut wrong = Vec::new();
    for kind in KINDS {
        if let Err(why) = tried(kind).await {
            wrong.push(format!("{}: {why}", kind.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Builds the case: `main` is ours, `feature` theirs.
fn built(kind: &Kind) -> Rig {
    let rig = Rig::bare();
    rig.git(&["init", "-q"]);
    rig.write(".keep", "x\n");
    script(&rig, kind.base, "base");
    rig.git(&["branch", "feature"]);
    // Theirs first, so that ours may take of it.
    rig.git(&["switch", "-q", "feature"]);
    let waits = kind.theirs.contains("reset -q --hard p");
    if !waits {
        script(&rig, kind.theirs, "theirs");
    }
    rig.git(&["switch", "-q", "main"]);
    script(&rig, kind.ours, "ours");
    if waits {
        script(&rig, kind.theirs, "theirs");
        rig.git(&["switch", "-q", "main"]);
    }
    rig
}

/// Runs a script and commits what it left; one that ends with `: index` has prepared the index itself.
fn script(rig: &Rig, script: &str, whose: &str) {
    run(rig, script);
    if !script.ends_with(": index") {
        rig.git(&["add", "-A"]);
    }
    if rig.command("git", &["diff", "--cached", "--quiet"], &rig.root).status.success() && script != ":" {
        return;
    }
    rig.git(&["commit", "-q", "--allow-empty", "-m", whose]);
}

fn run(rig: &Rig, script: &str) {
    let env = rig.env.iter().map(|(name, value)| (name, value));
    let output =
        Command::new("sh").args(["-ec", script]).current_dir(&rig.root).env_clear().envs(env).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The tree that a script makes of ours.
fn expected(rig: &Rig, script: &str) -> String {
    let hooks = rig.root.join(".git/hooks");
    std::fs::remove_dir_all(&hooks).unwrap();
    std::fs::create_dir(&hooks).unwrap();
    run(rig, script);
    if !script.ends_with(": index") {
        rig.git(&["add", "-A"]);
    }
    rig.git(&["write-tree"])
}

/// Refs, the index, and each file with its permissions.
type Everything = (String, Vec<u8>, Vec<(String, Vec<u8>)>);

/// All that the user has: refs, index and files, byte by byte.
fn all_of_the_user(rig: &Rig) -> Everything {
    let refs =
        rig.git(&["for-each-ref", "--exclude=refs/orchestrate/"]) + &rig.git(&["symbolic-ref", "HEAD"]);
    let index = std::fs::read(rig.root.join(".git/index")).unwrap();
    let mut files = Vec::new();
    let mut folders = vec![rig.root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_own = |name| path == rig.root.join(name);
            if is_own(".git") || is_own(".orchestrate") {
                continue;
            }
            let kind = path.symlink_metadata().unwrap();
            let name = format!("{path:?} {:?}", kind.permissions());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                files.push((name, path.read_link().unwrap().into_os_string().into_encoded_bytes()));
            } else {
                files.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    (refs, index, files)
}

async fn tried(kind: &Kind) -> Result<(), String> {
    let rig = built(kind);
    let rules = kind.rules.iter().map(|(path, r#use)| Rule {
        paths: vec![(*path).to_owned()],
        r#use: *r#use,
        command: Vec::new(),
    });
    let rules = Rules { rules: rules.collect(), builtin: BuiltIn { mergiraf: false, ..BuiltIn::default() } };
    let input = MergeInput { rules, ..merge_input("feature") };
    let before = all_of_the_user(&rig);
    let came = rig.call(MergeIntoBranch, input).await;
    if all_of_the_user(&rig) != before {
        return Err("the user's files, index or refs changed".into());
    }
    let merged = match (came, kind.expect) {
        (Err(error), Fails(said)) if error.to_string().contains(said) => return Ok(()),
        (Err(error), _) => return Err(format!("failed: {error}")),
        (Ok(merged), AlreadySo) if merged.already_so => return Ok(()),
        (Ok(merged), Left(paths, why)) => return left(&merged, paths, why),
        (Ok(merged), _) => merged,
    };
    let (Tree(script) | Solved(script, _)) = kind.expect else { return Err(format!("{merged:?}")) };
    let wanted: &[(&str, &str)] = if let Solved(_, solved) = kind.expect { solved } else { &[] };
    let solved: Vec<(&str, &str)> = merged.solved.iter().map(|one| (&*one.path, &*one.rule)).collect();
    if merged.conflict.is_some() || merged.already_so || solved != wanted {
        return Err(format!("{merged:?}"));
    }
    if worktrees(&rig) != 1 {
        return Err("a worktree is left".into());
    }
    let tree = rig.git(&["rev-parse", &format!("{}^{{tree}}", merged.commit)]);
    let expected = expected(&rig, script);
    if tree == expected { Ok(()) } else { Err(rig.git(&["diff", &expected, &tree])) }
}

fn left(merged: &Merged, paths: &[&str], why: &str) -> Result<(), String> {
    let Some(conflict) = &merged.conflict else { return Err(format!("no conflict: {merged:?}")) };
    let fits = |name: &str, path: &str| match path.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == path,
    };
    let mut found: Vec<&str> = conflict.files.iter().map(|file| &*file.path).collect();
    found.dedup_by(|one, other| {
        paths.iter().any(|path| path.ends_with('*') && fits(one, path) && fits(other, path))
    });
    let same = found.len() == paths.len() && found.iter().zip(paths).all(|(name, path)| fits(name, path));
    let said = conflict.files.iter().all(|file| file.why.contains(why));
    if same && said && merged.commit == merged.previous { Ok(()) } else { Err(format!("{conflict:?}")) }
}
