//! Patterns of files: paths, folders and globs, as pipelines and agents write them. Pure: nothing is looked at.

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::path::RelPath;

/// What is matched, what is left out.
#[derive(Debug, Clone)]
pub struct Patterns {
    wanted: Vec<Pattern>,
    unwanted: GlobSet,
}

/// One pattern.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// A path: a file, or a folder with all below it.
    Path(RelPath),
    /// A glob, and the folder below which all that it matches lies.
    Glob {
        /// The folder.
        start: RelPath,
        /// Matches paths from the root.
        glob: GlobMatcher,
    },
}

impl Patterns {
    /// Reads patterns; a `!` in front leaves out. The error names the pattern.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<Self, String> {
        let mut wanted = Vec::new();
        let mut unwanted = GlobSetBuilder::new();
        for text in texts {
            match text.strip_prefix('!') {
                Some(text) => leave_out(&mut unwanted, text)?,
                None => wanted.push(Pattern::parse(text)?),
            }
        }
        let unwanted = unwanted.build().map_err(|error| error.to_string())?;
        Ok(Self { wanted, unwanted })
    }

    /// What is matched.
    pub fn wanted(&self) -> &[Pattern] {
        &self.wanted
    }

    /// Whether a path is left out although a pattern matches it.
    pub fn leaves_out(&self, path: &str) -> bool {
        self.unwanted.is_match(path)
    }

    /// Whether a path is matched and not left out.
    pub fn matches(&self, path: &str) -> bool {
        let is_wanted = |pattern: &Pattern| match pattern {
            Pattern::Glob { glob, start: _ } => glob.is_match(path),
            Pattern::Path(own) => {
                own.is_root()
                    || path
                        .strip_prefix(own.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        };
        self.wanted.iter().any(is_wanted) && !self.leaves_out(path)
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let path = |text: &str| RelPath::new(text).map_err(|error| error.to_string());
        if !is_glob(text) {
            return Ok(Self::Path(path(text)?));
        }
        let fixed = text.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let start = fixed.rsplit_once('/').map_or(".", |(folder, _)| folder);
        Ok(Self::Glob { start: path(start)?, glob: glob(text)?.compile_matcher() })
    }
}

/// What is wrong with a pattern; cheaper than making it ready to match.
pub fn check(text: &str) -> Result<(), String> {
    let text = text.strip_prefix('!').unwrap_or(text);
    if is_glob(text) {
        glob(text).map(drop)
    } else {
        RelPath::new(text).map(drop).map_err(|error| error.to_string())
    }
}

/// Whether a text is a glob and not a path.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn glob(text: &str) -> Result<Glob, String> {
    // The glob must stay inside the checkout just as a path.
    RelPath::new(text).map_err(|error| error.to_string())?;
    let text = text.trim_start_matches("./");
    GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.to_string())
}

fn leave_out(unwanted: &mut GlobSetBuilder, text: &str) -> Result<(), String> {
    let plain = text.trim_end_matches('/');
    if is_glob(plain) {
        unwanted.add(glob(plain)?);
    } else {
        let path = RelPath::new(plain).map_err(|error| error.to_string())?;
        let literal = globset::escape(path.as_str());
        for text in [literal.clone(), format!("{literal}/**")] {
            unwanted.add(glob(&text)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Result<Patterns, String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Patterns::parse(&texts)
    }

    #[test]
    fn paths_folders_and_globs() {
        let all = patterns(&["Cargo.toml", "docs", "./src/**/*.rs", "a/*.txt", "!src/gen", "!**/*.tmp.txt"])
            .unwrap();
        for path in ["Cargo.toml", "docs/a/b", "src/a.rs", "src/a/b.rs", "a/b.txt"] {
            assert!(all.matches(path), "{path}");
        }
        for path in
            ["Cargo.tom", "docsx/a", "src/a.r", "a/b/c.txt", "src/gen/a.rs", "a/b.tmp.txt", "x/Cargo.toml"]
        {
            assert!(!all.matches(path), "{path}");
        }
        assert!(patterns(&["."]).unwrap().matches("any/thing"));
    }

    #[test]
    fn where_a_glob_starts() {
        for (text, expected) in [("src/**/*.rs", "src"), ("**", "."), ("a/b*/c", "a"), ("a/b/{c,d}", "a/b")] {
            match &patterns(&[text]).unwrap().wanted()[0] {
                Pattern::Glob { start, .. } => assert_eq!(start.as_str(), expected),
                Pattern::Path(path) => panic!("{path} is no glob"),
            }
        }
    }

    #[test]
    fn what_leaves_the_checkout_or_is_no_glob_is_an_error() {
        for bad in ["/etc/passwd", "../x", "a/../../b/*", "/etc/*", "a[", "a{b", "", "!/etc", "!a["] {
            assert!(patterns(&[bad]).is_err(), "{bad}");
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
