//! Programs that are known: how they say their version, and how they are installed.

use super::requirement::Dialect;
use super::version::Version;

/// A program that is known.
#[derive(Debug)]
pub(super) struct Known {
    /// As pipelines name it.
    pub(super) name: &'static str,
    /// As people call it.
    pub(super) called: &'static str,
    /// The programs that it may be, best first.
    pub(super) programs: &'static [&'static str],
    /// What stands before the version in its output; nothing where the output begins with it.
    before: &'static [&'static str],
    /// How to install it: with Homebrew on macOS, elsewhere, and where to read on.
    macos: &'static str,
    elsewhere: &'static str,
}

const fn known(
    name: &'static str,
    called: &'static str,
    programs: &'static [&'static str],
    before: &'static [&'static str],
    [macos, elsewhere]: [&'static str; 2],
) -> Known {
    Known { name, called, programs, before, macos, elsewhere }
}

/// All of them. What each prints is in the table of the tests.
const KNOWN: &[Known] = &[
    known(
        "python",
        "Python",
        &["python3", "python"],
        &["Python "],
        [
            "`brew install python`, or `uv python install`",
            "the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads",
        ],
    ),
    known(
        "node",
        "Node.js",
        &["node"],
        &["v"],
        ["`brew install node`", "see https://nodejs.org/en/download, or `nvm install`"],
    ),
    known(
        "npm",
        "npm",
        &["npm"],
        &[],
        ["`npm install -g npm`", "it comes with Node.js; a newer one: `npm install -g npm`"],
    ),
    known(
        "pnpm",
        "pnpm",
        &["pnpm"],
        &[],
        ["`brew install pnpm`", "`corepack enable pnpm`; see https://pnpm.io/installation"],
    ),
    known(
        "yarn",
        "Yarn",
        &["yarn"],
        &[],
        ["`brew install yarn`", "`corepack enable yarn`; see https://yarnpkg.com"],
    ),
    known(
        "php",
        "PHP",
        &["php"],
        &["PHP "],
        ["`brew install php`", "the package `php-cli` of the system; see https://www.php.net/downloads"],
    ),
    known(
        "composer",
        "Composer",
        &["composer"],
        &["Composer version ", "Composer "],
        [
            "`brew install composer`",
            "see https://getcomposer.org/download; a newer one: `composer self-update`",
        ],
    ),
    known(
        "go",
        "Go",
        &["go"],
        &["go version go", "go version devel go"],
        ["`brew install go`", "see https://go.dev/dl"],
    ),
    known(
        "rustc",
        "Rust",
        &["rustc"],
        &["rustc "],
        ["`rustup update stable`; see https://rustup.rs", "`rustup update stable`; see https://rustup.rs"],
    ),
    known(
        "cargo",
        "Cargo",
        &["cargo"],
        &["cargo "],
        ["`rustup update stable`; see https://rustup.rs", "`rustup update stable`; see https://rustup.rs"],
    ),
    known(
        "uv",
        "uv",
        &["uv"],
        &["uv "],
        [
            "`brew install uv`",
            "see https://docs.astral.sh/uv/getting-started/installation; a newer one: `uv self update`",
        ],
    ),
    known(
        "poetry",
        "Poetry",
        &["poetry"],
        &["Poetry (version ", "Poetry version "],
        ["`pipx install poetry`", "`pipx install poetry`; a newer one: `poetry self update`"],
    ),
    known(
        "ruff",
        "Ruff",
        &["ruff"],
        &["ruff "],
        ["`brew install ruff`", "`uv tool install ruff`, or `python3 -m pip install ruff`"],
    ),
    known(
        "git",
        "Git",
        &["git"],
        &["git version "],
        ["`brew install git`", "the package `git` of the system; see https://git-scm.com/downloads"],
    ),
];

/// The known program of this name, or that a path ends in: `.venv/bin/python3`.
pub(super) fn find(tool: &str) -> Option<&'static Known> {
    let name = tool.rsplit('/').next().unwrap_or(tool);
    KNOWN.iter().find(|known| known.name == name || known.programs.contains(&name))
}

impl Known {
    /// How to install it on a system.
    pub(super) fn install(&self, macos: bool) -> &'static str {
        if macos { self.macos } else { self.elsewhere }
    }

    /// Whose rules the ranges of versions follow that manifests ask for.
    pub(super) fn dialect(&self) -> Dialect {
        match self.name {
            "python" | "uv" | "poetry" | "ruff" => Dialect::Pep440,
            "php" | "composer" => Dialect::Composer,
            _ => Dialect::Npm,
        }
    }

    /// The version in what it printed: at the start of a line, right behind what it is known to say.
    pub(super) fn version(&self, printed: &str) -> Option<Version> {
        printed.lines().take(LINES).find_map(|line| {
            let line = line.trim_start();
            if self.before.is_empty() {
                // Package managers print nothing else; a line of prose does not begin with a whole version.
                return Version::parse(line);
            }
            self.before.iter().find_map(|before| Version::at_start(line.strip_prefix(before)?))
        })
    }
}

/// The lines of an output that are looked at.
const LINES: usize = 20;

/// The first version in what an unknown program printed: digits with a dot, behind a space, `v`, `-` or a bracket.
pub(super) fn guess(printed: &str) -> Option<Version> {
    printed.lines().take(LINES).find_map(|line| {
        let starts = line.char_indices().filter(|(at, c)| {
            let before = line[..*at].trim_end_matches(['v', 'V']);
            let may_start = before.ends_with([' ', '\t', '-', '(', '/', '@', ':', ',']) || before.is_empty();
            c.is_ascii_digit() && may_start
        });
        let versions = starts.filter_map(|(at, _)| Version::at_start(&line[at..]));
        versions.into_iter().find(|version| version.numbers().len() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_print() {
        // Tool, what it prints, the version; `-` for none. From the tools themselves or their documentation.
        for (tool, printed, expected) in [
            ("python", "Python 3.8.10\n", "3.8.10"),
            ("python3", "Python 3.13.0rc2\n", "3.13.0rc2"),
            ("python", "Python 3.14.0a1+\n", "3.14.0a1"),
            ("python", "Python 3.9.18 :: Anaconda, Inc.\n", "3.9.18"),
            ("python", "Python 2.7.18\n", "2.7.18"),
            ("/usr/bin/python3", "Python 3.12.3\n", "3.12.3"),
            (
                "python",
                "pyenv: python3: command not found\n\nThe `python3' command exists in these Python versions:\n  3.11.7\n",
                "-",
            ),
            (
                "python",
                "Python was not found; run without arguments to install from the Microsoft Store\n",
                "-",
            ),
            ("node", "v22.1.0\n", "22.1.0"),
            ("node", "v24.0.0-nightly20250101abcdef\n", "24.0.0-nightly20250101"),
            ("npm", "10.8.2\n", "10.8.2"),
            ("npm", "11.0.0-pre.1\n", "11.0.0-pre.1"),
            ("npm", "npm warn Unknown user config \"x\".\n10.8.2\n", "10.8.2"),
            ("npm", "10 packages are looking for funding\n", "-"),
            ("pnpm", "9.15.9\n", "9.15.9"),
            ("yarn", "1.22.22\n", "1.22.22"),
            ("yarn", "4.5.0\n", "4.5.0"),
            (
                "php",
                "PHP 8.3.6 (cli) (built: Apr 15 2024 19:21:47) (NTS)\nCopyright (c) The PHP Group\n",
                "8.3.6",
            ),
            ("php", "PHP 7.4.3-4ubuntu2.18 (cli) (built: Feb 23 2023 14:43:23) ( NTS )\n", "7.4.3"),
            ("php", "PHP 8.4.0RC1 (cli) (built: Sep 26 2024 00:00:00) (NTS)\n", "8.4.0RC1"),
            ("composer", "Composer version 2.7.1 2024-02-09 15:26:28\nPHP version 8.3.6\n", "2.7.1"),
            ("composer", "Composer 2.2.6 2022-02-04 17:00:38\n", "2.2.6"),
            ("go", "go version go1.22.1 linux/amd64\n", "1.22.1"),
            ("go", "go version go1.23rc1 darwin/arm64\n", "1.23rc1"),
            ("go", "go version devel go1.24-1d45a7ef56 Tue Oct 1 12:00:00 2024 +0000 linux/amd64\n", "1.24"),
            ("rustc", "rustc 1.95.0 (59807616e 2026-04-14)\n", "1.95.0"),
            ("rustc", "rustc 1.97.0-nightly (abcdef012 2026-05-01)\n", "1.97.0-nightly"),
            ("rustc", "rustc 1.96.0-beta.3 (abcdef012 2026-05-01)\n", "1.96.0-beta.3"),
            ("cargo", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", "1.95.0"),
            ("uv", "uv 0.9.2 (141369ce7 2025-10-10)\n", "0.9.2"),
            ("uv", "uv 0.13.8 (x86_64-unknown-linux-gnu)\n", "0.13.8"),
            ("poetry", "Poetry (version 1.8.2)\n", "1.8.2"),
            ("poetry", "Poetry version 1.1.15\n", "1.1.15"),
            ("ruff", "ruff 0.17.5\n", "0.17.5"),
            ("git", "git version 2.47.3\n", "2.47.3"),
            ("git", "git version 2.39.5 (Apple Git-154)\n", "2.39.5"),
            ("git", "git version 2.45.1.windows.1\n", "2.45.1"),
            ("git", "", "-"),
        ] {
            let version = find(tool).unwrap_or_else(|| panic!("{tool}")).version(printed);
            let version = version.map_or_else(|| "-".to_owned(), |version| version.to_string());
            assert_eq!(version, expected, "{tool}: {printed}");
        }
    }

    #[test]
    fn what_other_programs_print() {
        for (printed, expected) in [
            ("Docker version 24.0.5, build ced0996\n", "24.0.5"),
            ("GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu\n", "4.3"),
            ("jq-1.6\n", "1.6"),
            ("Terraform v1.9.0\non linux_amd64\n", "1.9.0"),
            ("openjdk 21.0.1 2023-10-17\n", "21.0.1"),
            ("cmake version 3.28.3\n", "3.28.3"),
            ("just 1.40.0\n", "1.40.0"),
            ("ldd (GNU libc) 2.36\n", "2.36"),
            ("no version of 2024\n", "-"),
            ("x86_64.1\n", "-"),
        ] {
            let version = guess(printed).map_or_else(|| "-".to_owned(), |version| version.to_string());
            assert_eq!(version, expected, "{printed}");
        }
    }
}
