//! Lockfiles: brought up to the merged manifest by their own tool, or left.

use super::*;

/// A workspace in which both sides add a dependency of the same crate.
fn cargo() -> Rig {
    let rig = Rig::bare();
    rig.git(&["init", "-q"]);
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
    };
    rig.write("Cargo.toml", &package("app", "\n[workspace]\n\n[dependencies]\n# one\n\n\n\n# two\n"));
    rig.write("src/lib.rs", "");
    for dep in ["one", "two"] {
        rig.write(&format!("{dep}/Cargo.toml"), &package(dep, ""));
        rig.write(&format!("{dep}/src/lib.rs"), "");
    }
    rig.write(".gitignore", "target\n");
    let lock = |rig: &Rig| {
        let made = rig.command("cargo", &["generate-lockfile", "--offline"], &rig.root);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let mut rig = rig;
    rig.env.extend(
        ["RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"]
            .into_iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?))),
    );
    if let Some(home) = std::env::var_os("HOME") {
        // The user's tool chain, not the user's settings.
        let rustup = std::path::Path::new(&home).join(".rustup");
        if rustup.exists() && std::env::var_os("RUSTUP_HOME").is_none() {
            rig.env.push(("RUSTUP_HOME".into(), rustup.into()));
        }
    }
    lock(&rig);
    rig.commit("feat: start");
    for (branch, dep) in [("feature", "one"), ("main", "two")] {
        if branch == "feature" {
            rig.git(&["switch", "-q", "-c", branch]);
        } else {
            rig.git(&["switch", "-q", branch]);
        }
        let text = rig
            .read("Cargo.toml")
            .replace(&format!("# {dep}\n"), &format!("{dep} = {{ path = \"{dep}\" }}\n"));
        rig.write("Cargo.toml", &text);
        lock(&rig);
        rig.commit("feat: a dependency");
    }
    rig
}

#[tokio::test]
async fn cargo_lock_is_brought_up_to_the_merged_manifest() {
    let rig = cargo();
    let before = all_of_the_user(&rig);
    let merged = merge(&rig, "feature").await.unwrap();
    assert_eq!(merged.conflict, None);
    let solved: Vec<(&str, &str)> = merged.solved.iter().map(|one| (&*one.path, &*one.rule)).collect();
    assert_eq!((solved, worktrees(&rig)), (vec![("Cargo.lock", "lockfile")], 1));
    assert_eq!(all_of_the_user(&rig), before);
    let lock = rig.git(&["show", &format!("{}:Cargo.lock", merged.commit)]);
    let lock: toml::Table = lock.parse().unwrap();
    let app = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"].as_str() == Some("app"))
        .unwrap();
    let names: Vec<&str> =
        app["dependencies"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(names, ["one", "two"]);
    land(&rig).await.unwrap();
    let fits =
        rig.command("cargo", &["metadata", "--locked", "--offline", "--format-version", "1"], &rig.root);
    assert!(fits.status.success());
}

#[tokio::test]
async fn a_manifest_that_conflicts_too_is_solved_first() {
    let rig = cargo();
    rig.write("Cargo.toml", &rig.read("Cargo.toml").replace("# one\n", "# ours\n"));
    rig.commit("feat: ours");
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    let paths: Vec<&str> = conflict.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, ["Cargo.toml", "Cargo.lock"]);
    let at = rig.root.join(&conflict.folder);
    let text = rig.read("Cargo.toml").replace("# ours\n", "one = { path = \"one\" }\n");
    std::fs::write(at.join("Cargo.toml"), text).unwrap();
    rig.git_at(&at, &["add", "Cargo.toml"]);
    let merged = merge(&rig, "feature").await.unwrap();
    let solved: Vec<(&str, &str)> = merged.solved.iter().map(|one| (&*one.path, &*one.rule)).collect();
    assert_eq!(solved, [("Cargo.lock", "lockfile"), ("Cargo.toml", "person")]);
}

/// Where the tool is missing, or the rule is off, the file is left with its reason.
#[tokio::test]
async fn without_its_tool_a_lockfile_is_left() {
    let mut rig = Rig::new();
    let locks = [
        ("Cargo.lock", "Cargo.toml", "cargo"),
        ("package-lock.json", "package.json", "npm"),
        ("pnpm-lock.yaml", "package.json", "pnpm"),
        ("yarn.lock", "package.json", "yarn"),
        ("poetry.lock", "pyproject.toml", "poetry"),
        ("uv.lock", "pyproject.toml", "uv"),
        ("composer.lock", "composer.json", "composer"),
    ];
    let write = |rig: &Rig, text: &str| {
        for (lock, manifest, tool) in locks {
            rig.write(&format!("{tool}/{lock}"), text);
            rig.write(&format!("{tool}/{manifest}"), "{}\n");
        }
        rig.commit("feat: locks");
    };
    write(&rig, "a\n");
    rig.git(&["switch", "-q", "-c", "feature"]);
    write(&rig, "b\n");
    rig.git(&["switch", "-q", "main"]);
    write(&rig, "c\n");
    let git = rig.command("sh", &["-c", "command -v git"], &rig.root);
    let bin = rig.home.join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(String::from_utf8_lossy(&git.stdout).trim(), bin.join("git")).unwrap();
    rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap().1 = bin.into();
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    assert_eq!(conflict.files.len(), locks.len());
    for (lock, _, tool) in locks {
        let file = conflict.files.iter().find(|file| file.path == format!("{tool}/{lock}")).unwrap();
        assert!(file.why.contains(&format!("`{tool}` is not installed")), "{file:?}");
        assert!(
            std::fs::read_to_string(rig.root.join(&conflict.folder).join(&file.path))
                .unwrap()
                .contains("<<<<")
        );
    }
    let off = BuiltIn { lockfiles: false, ..BuiltIn::default() };
    let input = MergeInput { rules: Rules { rules: Vec::new(), builtin: off }, ..merge_input("feature") };
    let conflict = rig.call(MergeIntoBranch, input).await.unwrap().conflict.unwrap();
    assert!(conflict.files.iter().all(|file| file.why == "no rule is about it"), "{conflict:?}");
}

#[tokio::test]
#[ignore = "needs npm; tests/run has it"]
async fn needs_node_package_lock_is_brought_up_to_the_merged_manifest() {
    let rig = Rig::bare();
    rig.git(&["init", "-q"]);
    rig.write(".gitignore", "node_modules\n");
    let manifest = |deps: &[&str]| {
        let deps: Vec<String> = deps.iter().map(|dep| format!("    \"{dep}\": \"file:{dep}\"")).collect();
        format!(
            "{{\n  \"name\": \"app\",\n  \"version\": \"1.0.0\",\n  \"dependencies\": {{\n{}\n  }}\n}}\n",
            deps.join(",\n")
        )
    };
    for dep in ["a", "k", "z"] {
        rig.write(
            &format!("{dep}/package.json"),
            &format!("{{\"name\": \"{dep}\", \"version\": \"1.0.0\"}}\n"),
        );
    }
    let lock = |deps: &[&str]| {
        rig.write("package.json", &manifest(deps));
        let made = rig.command(
            "npm",
            &["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"],
            &rig.root,
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        rig.commit("feat: a dependency");
    };
    lock(&["k"]);
    rig.git(&["switch", "-q", "-c", "feature"]);
    lock(&["a", "k"]);
    rig.git(&["switch", "-q", "main"]);
    lock(&["k", "z"]);
    let rules = vec![Rule { paths: vec!["package.json".into()], r#use: Use::Union, command: Vec::new() }];
    let input = MergeInput { rules: Rules { rules, ..Rules::default() }, ..merge_input("feature") };
    let merged = rig.call(MergeIntoBranch, input.clone()).await.unwrap();
    let merged = match merged.conflict {
        None => merged,
        // Lines of both are no JSON where a comma is missing: then a person merges the manifest.
        Some(conflict) => {
            let at = rig.root.join(&conflict.folder);
            std::fs::write(at.join("package.json"), manifest(&["a", "k", "z"])).unwrap();
            rig.git_at(&at, &["add", "package.json"]);
            rig.call(MergeIntoBranch, input).await.unwrap()
        }
    };
    assert!(
        merged.solved.iter().any(|one| one.path == "package-lock.json" && one.rule == "lockfile"),
        "{merged:?}"
    );
    let lock: serde_json::Value =
        serde_json::from_str(&rig.git(&["show", &format!("{}:package-lock.json", merged.commit)])).unwrap();
    for dep in ["a", "k", "z"] {
        assert_eq!(lock["packages"][""]["dependencies"][dep], format!("file:{dep}"));
    }
}
