//! Lockfiles with the tools themselves, of each ecosystem. All that is depended on lies in the repository: no network is needed.
//!
//! `ORCHESTRATE_TEST_LOCK_TOOLS` names the folders of the tools, as `PATH` does; `ORCHESTRATE_TEST_YARN` that of a later yarn.

use super::*;
use crate::merge::rules::lockfile;

/// What is locked: five packages, of which two are added by the two sides.
struct Ecosystem {
    lock: &'static str,
    manifest: &'static str,
    /// The manifest that depends on these; one on a line.
    depends: fn(&[&str]) -> String,
    /// The file of a package, and what is in it.
    package: fn(&str) -> (String, String),
    /// Writes the lockfile.
    make: &'static [&'static str],
    /// What the tool must say of a package that is not there.
    absent: &'static str,
    /// The variable that names folders of tools.
    tools: &'static str,
}

/// The packages, in the order of the merged manifest. Those that are added, the first and the last, are neighbours in a lockfile,
/// which has them by name: so it conflicts, and the manifest does not.
const ALL: [&str; 5] = ["b", "a", "m", "w", "c"];

const TOOLS: &str = "ORCHESTRATE_TEST_LOCK_TOOLS";

fn lines(names: &[&str], line: impl Fn(&str) -> String, between: &str) -> String {
    names.iter().map(|name| line(name)).collect::<Vec<_>>().join(between)
}

fn package_json(names: &[&str]) -> String {
    let depends = lines(names, |name| format!("    \"{name}\": \"file:./{}\"", at(name, ".tgz")), ",\n");
    format!(
        "{{\n  \"name\": \"app\",\n  \"version\": \"1.0.0\",\n  \"dependencies\": {{\n{depends}\n  }}\n}}\n"
    )
}

/// Where a package lies; tools take a folder that is not there for an empty one.
fn at(name: &str, end: &str) -> String {
    if name == "nope" { format!("{name}{end}") } else { name.to_owned() }
}

fn node(name: &str) -> (String, String) {
    (format!("{name}/package.json"), format!("{{\"name\": \"{name}\", \"version\": \"1.0.0\"}}\n"))
}

fn python(name: &str) -> (String, String) {
    let text =
        format!("[project]\nname = \"dep-{name}\"\nversion = \"1.0.0\"\nrequires-python = \">=3.9\"\n");
    (format!("{name}/pyproject.toml"), text)
}

const PROJECT: &str = "[project]\nname = \"app\"\nversion = \"1.0.0\"\nrequires-python = \">=3.9\"\n";

const PNPM: Ecosystem = Ecosystem {
    lock: "pnpm-lock.yaml",
    manifest: "package.json",
    depends: package_json,
    package: node,
    make: &["pnpm", "install", "--lockfile-only", "--no-frozen-lockfile", "--offline"],
    absent: "nope.tgz",
    tools: TOOLS,
};

const YARN: Ecosystem = Ecosystem {
    lock: "yarn.lock",
    make: &["yarn", "install", "--offline", "--non-interactive"],
    absent: "nope",
    ..PNPM
};

/// It puts a manifest in order, so that what is added must be in places apart.
const LATER_YARN: Ecosystem = Ecosystem {
    depends: |names| {
        let mut names = names.to_vec();
        names.sort_unstable();
        let (dev, names): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| ["c", "w"].contains(name));
        let dev = lines(&dev, |name| format!("    \"{name}\": \"file:./{name}\""), ",\n");
        package_json(&names)
            .replace("  }\n}\n", &format!("  }},\n  \"devDependencies\": {{\n{dev}\n  }}\n}}\n"))
    },
    make: &["yarn", "install", "--no-immutable", "--mode=update-lockfile"],
    tools: "ORCHESTRATE_TEST_YARN",
    ..YARN
};

const NPM: Ecosystem = Ecosystem {
    lock: "package-lock.json",
    make: &["npm", "install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"],
    ..PNPM
};

const UV: Ecosystem = Ecosystem {
    lock: "uv.lock",
    manifest: "pyproject.toml",
    depends: |names| {
        let depends = lines(names, |name| format!("    \"dep-{name}\",\n"), "");
        let sources = lines(names, |name| format!("dep-{name} = {{ path = \"{name}\" }}\n"), "");
        format!(
            "{PROJECT}dependencies = [\n{depends}]\n\n[tool.uv]\npackage = false\n\n[tool.uv.sources]\n{sources}"
        )
    },
    package: python,
    make: &["uv", "lock", "--offline"],
    absent: "nope",
    tools: TOOLS,
};

const POETRY: Ecosystem = Ecosystem {
    lock: "poetry.lock",
    depends: |names| {
        let sources = lines(names, |name| format!("dep-{name} = {{ path = \"{name}\" }}\n"), "");
        format!("{PROJECT}\n[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\n{sources}")
    },
    make: &["poetry", "lock", "--no-interaction"],
    ..UV
};

const COMPOSER: Ecosystem = Ecosystem {
    lock: "composer.lock",
    manifest: "composer.json",
    depends: |names| {
        let require = lines(names, |name| format!("    \"x/{name}\": \"^1.0\""), ",\n");
        let from = "[{\"type\": \"path\", \"url\": \"./*\"}, {\"packagist.org\": false}]";
        format!(
            "{{\n  \"name\": \"x/app\",\n  \"description\": \"An app\",\n  \"repositories\": {from},\n  \"require\": {{\n{require}\n  }}\n}}\n"
        )
    },
    package: |name| {
        let text = format!("{{\"name\": \"x/{name}\", \"version\": \"1.0.0\"}}\n");
        (format!("{name}/composer.json"), text)
    },
    make: &["composer", "update", "--no-install", "--no-interaction", "--no-plugins"],
    absent: "x/nope",
    tools: TOOLS,
};

impl Ecosystem {
    /// `feature` adds `b` and `more`, `main` adds `c`; `main` is checked out.
    fn rig(&self, more: Option<&str>) -> Rig {
        let mut rig = Rig::bare();
        rig.git(&["init", "-q"]);
        let tools = std::env::var(self.tools).unwrap_or_else(|_| panic!("`{}` names folders", self.tools));
        let path = rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
        let mut all = std::ffi::OsString::from(tools);
        all.push(":");
        all.push(&path.1);
        path.1 = all;
        // Some tools refuse to change a lockfile in CI unless they are told to.
        let more_env =
            [("CI", "true"), ("YARN_ENABLE_TELEMETRY", "0"), ("POETRY_VIRTUALENVS_CREATE", "false")];
        rig.env.extend(more_env.map(|(name, value)| (name.into(), value.into())));
        rig.write(".gitignore", "node_modules\n.yarn\n.pnp.*\nvendor\n");
        for name in ALL {
            let (path, text) = (self.package)(name);
            rig.write(&path, &text);
        }
        if self.tools != TOOLS {
            rig.write(self.lock, "");
        }
        self.lock(&rig, &ALL[1..4]);
        rig.git(&["switch", "-q", "-c", "feature"]);
        self.lock(&rig, &ALL[..4]);
        if let Some(more) = more {
            rig.write(self.manifest, &(self.depends)(&["b", more, "a", "m", "w"]));
            rig.commit("feat: one more");
        }
        rig.git(&["switch", "-q", "main"]);
        self.lock(&rig, &ALL[1..]);
        rig
    }

    fn lock(&self, rig: &Rig, names: &[&str]) {
        rig.write(self.manifest, &(self.depends)(names));
        let made = rig.command(self.make[0], &self.make[1..], &rig.root);
        let said = [made.stdout, made.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(made.status.success(), "{said:?}");
        rig.commit("feat: depends");
    }

    /// Whether the lockfile in the root fits its manifest, by the checks of the rule.
    fn fits(&self, rig: &Rig) -> bool {
        let tool = lockfile(self.lock).unwrap().for_text(rig.read(self.lock).as_bytes());
        assert!(!tool.check.is_empty());
        tool.check.iter().all(|line| rig.command(line[0], &line[1..], &rig.root).status.success())
    }

    async fn is_brought_up(&self) {
        let rig = self.rig(None);
        let ours = rig.read(self.lock);
        let before = all_of_the_user(&rig);
        let merged = merge(&rig, "feature").await.unwrap();
        assert_eq!(merged.conflict, None);
        self.is_solved(&merged, &[(self.lock, "lockfile")]);
        assert_eq!((all_of_the_user(&rig), worktrees(&rig)), (before, 1));
        let changed = rig.git(&["diff", "--name-only", "main", &merged.commit]);
        assert_eq!(
            changed.lines().collect::<std::collections::BTreeSet<_>>(),
            [self.lock, self.manifest].into()
        );
        land(&rig).await.unwrap();
        assert_eq!(rig.read(self.manifest), (self.depends)(&ALL));
        assert!(self.fits(&rig));
        // It is what the tool makes of it from nothing.
        let made = rig.read(self.lock);
        self.lock(&rig, &ALL);
        assert_eq!(rig.read(self.lock), made);
        // And the check is one: it does not take what was there before.
        rig.write(self.lock, &ours);
        assert!(!self.fits(&rig));
    }

    fn is_solved(&self, merged: &Merged, by: &[(&str, &str)]) {
        let solved: Vec<(&str, &str)> = merged.solved.iter().map(|one| (&*one.path, &*one.rule)).collect();
        assert_eq!(solved, by, "{}", self.make[0]);
    }

    /// A manifest that conflicts is a person's; the lockfile follows.
    async fn follows_a_person(&self) {
        let rig = self.rig(None);
        let text = rig.read(self.manifest).replace("1.0.0", "1.1.0").replace("An app", "Our app");
        rig.git(&["switch", "-q", "feature"]);
        rig.write(
            self.manifest,
            &rig.read(self.manifest).replace("1.0.0", "1.2.0").replace("An app", "Their app"),
        );
        rig.commit("feat: theirs");
        rig.git(&["switch", "-q", "main"]);
        rig.write(self.manifest, &text);
        rig.commit("feat: ours");
        let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
        let left: Vec<_> = conflict.files.iter().map(|file| (&*file.path, &*file.why)).collect();
        assert_eq!(left[1], (self.lock, "it is made once the other files are solved"));
        assert_eq!((left[0].0, left.len()), (self.manifest, 2));
        let at = rig.root.join(&conflict.folder);
        std::fs::write(at.join(self.manifest), (self.depends)(&ALL)).unwrap();
        rig.git_at(&at, &["add", self.manifest]);
        let merged = merge(&rig, "feature").await.unwrap();
        self.is_solved(&merged, &[(self.lock, "lockfile"), (self.manifest, "person")]);
        land(&rig).await.unwrap();
        assert!(self.fits(&rig));
    }

    /// A tool that fails leaves the conflict as git made it, and says why.
    async fn is_left_where_its_tool_fails(&self) {
        let rig = self.rig(Some("nope"));
        let before = all_of_the_user(&rig);
        let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
        let [file] = &*conflict.files else { panic!("{conflict:?}") };
        assert_eq!((&*file.path, all_of_the_user(&rig)), (self.lock, before));
        assert!(file.why.contains(&format!("`{}` failed: ", self.make[0])), "{file:?}");
        assert!(file.why.contains(self.absent), "{file:?}");
        let at = rig.root.join(&conflict.folder);
        assert!(std::fs::read_to_string(at.join(self.lock)).unwrap().contains("<<<<<<<"));
        assert_eq!(rig.git_at(&at, &["diff", "--name-only", "--diff-filter=U"]), self.lock);
        assert_eq!(rig.git_at(&at, &["ls-files", "--others", "--exclude-standard"]), "");
    }

    async fn all(&self) {
        self.is_brought_up().await;
        self.follows_a_person().await;
        self.is_left_where_its_tool_fails().await;
    }
}

#[tokio::test]
#[ignore = "needs npm; tests/run has it"]
async fn needs_lock_tools_npm() {
    NPM.all().await;
}

#[tokio::test]
#[ignore = "needs pnpm; tests/run has it"]
async fn needs_lock_tools_pnpm() {
    PNPM.all().await;
}

#[tokio::test]
#[ignore = "needs yarn 1; tests/run has it"]
async fn needs_lock_tools_yarn() {
    YARN.all().await;
}

#[tokio::test]
#[ignore = "needs yarn 4; tests/run has it"]
async fn needs_lock_tools_later_yarn() {
    LATER_YARN.all().await;
}

/// A yarn of the other series would write the file in its own format.
#[tokio::test]
#[ignore = "needs yarn 1 and 4; tests/run has them"]
async fn needs_lock_tools_yarn_of_another_series() {
    for (of, tools) in [(YARN, LATER_YARN.tools), (LATER_YARN, TOOLS)] {
        let mut rig = of.rig(None);
        let (_, path) = rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
        let mut first = std::env::var_os(tools).unwrap();
        first.push(":");
        first.push(&*path);
        *path = first;
        let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
        assert!(
            conflict.files[0].why.contains("not of the series of `yarn` that is installed"),
            "{conflict:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs uv; tests/run has it"]
async fn needs_lock_tools_uv() {
    UV.all().await;
}

#[tokio::test]
#[ignore = "needs poetry; tests/run has it"]
async fn needs_lock_tools_poetry() {
    POETRY.all().await;
}

#[tokio::test]
#[ignore = "needs composer; tests/run has it"]
async fn needs_lock_tools_composer() {
    COMPOSER.all().await;
}
