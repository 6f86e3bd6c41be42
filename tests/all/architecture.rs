//! Invariants 1 to 4 of `ARCHITECTURE.md`, read from the sources.

use std::path::{Path, PathBuf};

/// The packages of the workspace.
const PACKAGES: [&str; 6] = [
    "orchestrator-core",
    "orchestrator-traffic",
    "orchestrator-agents",
    "orchestrator-reports",
    "orchestrator-cli",
    "tests",
];

/// A file of the workspace.
struct Source {
    /// Relative to the workspace.
    name: String,
    /// Without comments, and without the tests at its end.
    code: String,
    lines: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace").to_owned()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The Rust files below a folder, in order.
fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} has no sources");
    let source = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let text = read(&name);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        Source { name, code: code.join("\n"), lines: text.lines().count() }
    };
    found.into_iter().map(source).collect()
}

/// Where a word stands as code: not inside another word.
fn mentions(code: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !(before && word.starts_with(is_word) || after && word.ends_with(is_word))
    })
}

/// Every `FILE: WORD` that is there and not excepted; and every exception that is none any more.
fn offences(files: &[Source], words: &[&str], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = vec![false; exceptions.len()];
    for file in files {
        for word in words.iter().filter(|word| mentions(&file.code, word)) {
            match exceptions.iter().position(|(name, _)| file.name.ends_with(name)) {
                Some(at) => used[at] = true,
                None => found.push(format!("{}: {word}", file.name)),
            }
        }
    }
    let unused = exceptions.iter().zip(used).filter(|(_, used)| !used);
    found.extend(unused.map(|((name, why), _)| format!("{name} needs no exception any more ({why})")));
    found
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/")
        || name.ends_with("/tests.rs")
        || name.starts_with("tests/")
        || name.contains("/examples/")
}

/// The names under `[dependencies]` and its like; those of tests aside.
fn dependencies(package: &str) -> Vec<String> {
    let manifest: Vec<String> = read(&format!("{package}/Cargo.toml")).lines().map(str::to_owned).collect();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !section.contains("dev-") && line.contains(['=', '.'])
        {
            found.push(line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert!(mentions("std::fs::read(x)", "fs::") && mentions("a\nprintln!()", "println!"));
    assert!(
        !mentions("offs::x", "fs::") && !mentions("println!()", "print!") && !mentions("Instants", "Instant")
    );
    let code = "tokio::spawn(x)".to_owned();
    let files = [Source { name: "core/src/plan.rs".into(), code, lines: 1 }];
    assert_eq!(offences(&files, &["tokio"], &[]), ["core/src/plan.rs: tokio"]);
    assert_eq!(offences(&files, &["tokio"], &[("plan.rs", "why")]), Vec::<String>::new());
    assert_eq!(
        offences(&[], &["tokio"], &[("plan.rs", "why")]).len(),
        1,
        "exceptions do not outlive their reason"
    );
    assert!(dependencies("orchestrator-core").contains(&"config".to_owned()));
}

#[test]
fn one_dependencies_point_inwards() {
    let own = |package: &str| -> Vec<String> {
        dependencies(package).into_iter().filter(|name| name.starts_with("orchestrator-")).collect()
    };
    assert_eq!(own("orchestrator-core"), Vec::<String>::new());
    assert_eq!(own("orchestrator-traffic"), Vec::<String>::new());
    // Only what one says to a proxy: the proxy itself is behind a feature.
    assert_eq!(own("orchestrator-agents"), ["orchestrator-core", "orchestrator-traffic"]);
    assert!(!read("orchestrator-agents/Cargo.toml").contains("\"serve\""));
    assert_eq!(own("orchestrator-reports"), ["orchestrator-core"]);
    let all = ["orchestrator-core", "orchestrator-agents", "orchestrator-reports", "orchestrator-traffic"];
    assert_eq!(own("orchestrator-cli"), all);
}

/// What the model consists of. A file belongs with its folder.
const MODEL: &str = "action agent effect event evidence fingerprint graph id input json operation order outcome path patterns phase pipeline \
                     plan planner preview problem progress project registry report retry scheduler state units";

const WORLD: [&str; 12] = [
    "tokio",
    "std::fs",
    "fs::",
    "std::process",
    "process::",
    "std::env",
    "env::",
    "std::net",
    "SystemTime",
    "Timestamp::now",
    "Instant",
    "rustix",
];

#[test]
fn two_the_model_knows_no_world() {
    let model: Vec<_> = MODEL.split_whitespace().collect();
    let mut files = sources("orchestrator-core/src");
    files.retain(|file| {
        let below = file.name.trim_start_matches("orchestrator-core/src/");
        let first = below.split(['/', '.']).next().unwrap_or_default();
        model.contains(&first) && !is_test(&file.name)
    });
    assert!(files.len() >= model.len(), "{} files of {} modules", files.len(), model.len());
    assert_eq!(offences(&files, &WORLD, &[]), Vec::<String>::new());
}

#[test]
fn three_only_operations_touch_the_world() {
    let exceptions = [
        ("src/testing.rs", "compiled for tests only: lays out real repositories"),
        ("src/rig.rs", "compiled for tests only: performs what agents plan"),
    ];
    let mut files = sources("orchestrator-agents/src");
    files.retain(|file| {
        let in_ops = file.name.contains("/ops/") || file.name.ends_with("/ops.rs");
        !in_ops && !is_test(&file.name)
    });
    let words =
        ["std::fs", "fs::", "std::process", "std::env", "env::var", "std::net", "tokio", "ureq", "rustix"];
    assert_eq!(offences(&files, &words, &exceptions), Vec::<String>::new());
    let files: Vec<_> =
        sources("orchestrator-reports/src").into_iter().filter(|file| !is_test(&file.name)).collect();
    assert_eq!(
        offences(&files, &["std::process", "std::env", "Timestamp::now", "SystemTime"], &[]),
        Vec::<String>::new()
    );
}

#[test]
fn four_libraries_read_no_settings_and_print_nothing() {
    let libraries: Vec<_> = [
        "orchestrator-core/src",
        "orchestrator-traffic/src",
        "orchestrator-agents/src",
        "orchestrator-reports/src",
    ]
    .into_iter()
    .flat_map(sources)
    .filter(|file| !is_test(&file.name))
    .collect();
    let settings = [("orchestrator-core/src/settings.rs", "the one place that knows the crate")];
    // Elsewhere `config` is a module of the crate itself: the dependency is not even declared there.
    let core: Vec<_> =
        sources("orchestrator-core/src").into_iter().filter(|file| !is_test(&file.name)).collect();
    assert_eq!(offences(&core, &["use config", "config::Config"], &settings), Vec::<String>::new());
    assert_eq!(
        offences(&libraries, &["clap", "println!", "eprintln!", "print!", "eprint!"], &[]),
        Vec::<String>::new()
    );
    let environment = [
        ("orchestrator-core/src/local.rs", "`Local::here` is for those who embed and want it so"),
        ("orchestrator-agents/src/rig.rs", "compiled for tests only: runs real tools, found on the `PATH`"),
    ];
    let words = ["env::var", "env::vars", "env::var_os", "env::vars_os", "home_dir"];
    let found = offences(&libraries, &words, &environment);
    assert_eq!(found, Vec::<String>::new());
    for package in
        ["orchestrator-core", "orchestrator-traffic", "orchestrator-agents", "orchestrator-reports"]
    {
        let with: Vec<_> = dependencies(package)
            .into_iter()
            .filter(|name| ["clap", "indicatif", "anstyle", "tracing-subscriber"].contains(&name.as_str()))
            .collect();
        assert_eq!(with, Vec::<String>::new(), "{package}");
    }
    for package in ["orchestrator-agents", "orchestrator-reports", "orchestrator-cli"] {
        assert!(!dependencies(package).contains(&"config".to_owned()), "{package}");
    }
}

/// `#[expect(.., reason)]`, never `allow`; nothing is left to be done without saying so.
#[test]
fn no_lint_is_silenced_for_good() {
    let exceptions = [
        ("orchestrator-cli/demo/service/tests/common/mod.rs", "a project of its own, laid out by `demo`"),
        ("tests/all/architecture.rs", "names what it looks for"),
    ];
    let all: Vec<_> = PACKAGES.into_iter().flat_map(sources).collect();
    let words = ["#[allow(", "#![allow(", "todo!", "unimplemented!"];
    assert_eq!(offences(&all, &words, &exceptions), Vec::<String>::new());
    let expect_without_reason: Vec<_> = all
        .iter()
        .filter(|file| !file.name.ends_with("architecture.rs"))
        .filter(|file| {
            let attributes = file.code.match_indices("[expect(");
            attributes.clone().any(|(at, _)| {
                let rest = &file.code[at..];
                !rest[..rest.find(")]").unwrap_or(rest.len())].contains("reason")
            })
        })
        .map(|file| &file.name)
        .collect();
    assert_eq!(expect_without_reason, Vec::<&String>::new());
}

#[test]
fn files_fit_in_a_head() {
    let long: Vec<_> = PACKAGES
        .into_iter()
        .flat_map(sources)
        .filter(|file| file.lines > 600)
        .map(|file| format!("{}: {} lines", file.name, file.lines))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}
