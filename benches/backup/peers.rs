//! The tools that people use for backups, each set up as its manual says.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Times, time};

/// The name of what is nearest to the metal.
pub(crate) const TAR: &str = "tar | zstd -T2 -3";

/// A tool, and the commands of its steps; `STORE` is where it keeps backups, `TREE` what it backs up, `OUT` where it restores to.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// All that must be there.
    programs: &'static [&'static str],
    /// Not timed.
    prepare: &'static str,
    backup: &'static str,
    /// Whether another backup of the same builds on the first.
    is_incremental: bool,
    restore: &'static str,
}

pub(crate) fn peers() -> Vec<Peer> {
    vec![
        Peer {
            name: TAR,
            programs: &["tar", "zstd"],
            prepare: "mkdir -p STORE",
            backup: "tar -C TREE -cf - . | zstd -q -T2 -3 -f -o STORE/tree.tar.zst",
            is_incremental: false,
            restore: "zstd -dc STORE/tree.tar.zst | tar -C OUT -xf -",
        },
        Peer {
            name: "restic",
            programs: &["restic"],
            prepare: "restic -q init --repo STORE/restic",
            backup: "cd TREE && restic -q backup --repo STORE/restic .",
            is_incremental: true,
            restore: "restic -q restore latest --repo STORE/restic --target OUT",
        },
        Peer {
            name: "borg",
            programs: &["borg"],
            prepare: "borg init -e none STORE/borg",
            backup: "cd TREE && borg create STORE/borg::{utcnow} .",
            is_incremental: true,
            restore: "cd OUT && borg extract STORE/borg::$(borg list --short --last 1 STORE/borg)",
        },
        Peer {
            name: "rustic",
            programs: &["rustic"],
            prepare: "rustic -r STORE/rustic init",
            backup: "cd TREE && rustic -r STORE/rustic backup .",
            is_incremental: true,
            restore: "rustic -r STORE/rustic restore latest OUT",
        },
    ]
}

impl Peer {
    /// One round in a new store; nothing where the tool is not installed.
    pub(crate) fn round(&self, tree: &Path, store: &Path) -> Option<Times> {
        let there = |program: &&str| Command::new(program).arg("--version").output().is_ok();
        if !self.programs.iter().all(there) {
            return None;
        }
        let _ = fs::remove_dir_all(store);
        let out = store.join("out");
        fs::create_dir_all(&out).unwrap();
        let step = |line: &str| {
            let places = [("STORE", store), ("TREE", tree), ("OUT", &out)];
            let line = places
                .iter()
                .fold(line.to_owned(), |line, (name, path)| line.replace(name, &path.display().to_string()));
            let mut command = Command::new("sh");
            command.args(["-c", &line]).current_dir(store);
            for (name, value) in
                [("RESTIC_PASSWORD", "bench"), ("RUSTIC_PASSWORD", "bench"), ("RUSTIC_NO_PROGRESS", "true")]
            {
                command.env(name, value);
            }
            command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
            command
                .env("BORG_BASE_DIR", store.join("borg-home"))
                .env("RESTIC_CACHE_DIR", store.join("cache"));
            time(&mut command, 0)
        };
        step(self.prepare);
        let first = step(self.backup);
        let unchanged = self.is_incremental.then(|| step(self.backup));
        let restore = step(self.restore);
        Some(Times { first, unchanged, restore })
    }
}
