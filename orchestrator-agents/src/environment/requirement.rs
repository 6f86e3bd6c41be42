//! What manifests ask of tools: `>=3.9,<4`, `^18 || >=20.5`, `~8.2.0`.
//!
//! Sources: PEP 440 (`requires-python`), node-semver (`engines`), Composer (`require.php`). They agree but for `~1.2`,
//! which is below 1.3 for npm and below 2 for Composer, and for parts that npm leaves open: `<=20` has all of 20.

use super::version::Version;

/// Whose rules hold where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Python's.
    Pep440,
    /// npm's.
    Npm,
    /// Composer's.
    Composer,
}

/// A range of versions: any of several lists of bounds that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement(Vec<Vec<Bound>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    AtLeast(Version),
    Above(Version),
    AtMost(Version),
    Below(Version),
    /// Not these numbers, whatever follows them.
    NotLike(Vec<u64>),
    Not(Version),
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        match self {
            Self::AtLeast(least) => version >= least,
            Self::Above(bound) => version > bound,
            Self::AtMost(most) => version <= most,
            Self::Below(bound) => version < bound,
            Self::NotLike(numbers) => (0..numbers.len()).any(|at| version.part(at) != numbers[at]),
            Self::Not(other) => version != other,
        }
    }
}

impl Requirement {
    /// Reads a range; none where it says something else, such as `lts/*` or `@dev`.
    pub(super) fn parse(text: &str, dialect: Dialect) -> Option<Self> {
        let text = text.replace("||", "|");
        text.split('|').map(|part| alternative(part, dialect)).collect::<Option<_>>().map(Self)
    }

    /// Whether a version lies in it.
    pub(super) fn holds(&self, version: &Version) -> bool {
        self.0.iter().any(|bounds| bounds.iter().all(|bound| bound.holds(version)))
    }
}

fn alternative(text: &str, dialect: Dialect) -> Option<Vec<Bound>> {
    if let Some((from, to)) = text.split_once(" - ") {
        let mut bounds = vec![Bound::AtLeast(Version::parse(from)?)];
        bounds.extend(comparison("<=", to.trim(), Dialect::Npm)?);
        return Some(bounds);
    }
    let mut bounds = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let is_operator = |c: char| "<>=!~^".contains(c);
        let version = rest.trim_start_matches(is_operator);
        let operator = &rest[..rest.len() - version.len()];
        let version = version.trim_start();
        let end = version.find([' ', ',']).unwrap_or(version.len());
        // An operator may follow a version without a space.
        let end = version[..end].find(is_operator).unwrap_or(end);
        bounds.extend(comparison(operator, &version[..end], dialect)?);
        rest = version[end..].trim_start_matches([' ', ',']);
    }
    Some(bounds)
}

fn comparison(operator: &str, text: &str, dialect: Dialect) -> Option<Vec<Bound>> {
    let whole = text.trim_end_matches(['*', 'x', 'X', '.']);
    let open = whole.len() < text.len();
    if whole.is_empty() {
        return (open && matches!(operator, "" | "=" | "==" | ">=")).then(Vec::new);
    }
    let version = Version::parse(whole)?;
    let numbers = version.numbers().to_vec();
    let open = open || dialect == Dialect::Npm && numbers.len() < 3;
    let next = |at: usize| Version::of(bumped(&numbers, at));
    let last = numbers.len() - 1;
    let like = |version: Version, at: usize| vec![Bound::AtLeast(version), Bound::Below(next(at))];
    Some(match operator {
        ">=" => vec![Bound::AtLeast(version)],
        ">" if open => vec![Bound::AtLeast(next(last))],
        ">" => vec![Bound::Above(version)],
        "<=" if open => vec![Bound::Below(next(last))],
        "<=" => vec![Bound::AtMost(version)],
        "<" => vec![Bound::Below(version)],
        "!=" if open => vec![Bound::NotLike(numbers)],
        "!=" => vec![Bound::Not(version)],
        "" | "=" | "==" | "===" if open => like(version, last),
        "" | "=" | "==" | "===" => vec![Bound::AtLeast(version.clone()), Bound::AtMost(version)],
        "^" => like(version, numbers.iter().position(|n| *n > 0).unwrap_or(last)),
        "~" if dialect == Dialect::Npm => like(version, last.min(1)),
        "~" | "~=" => like(version, last.saturating_sub(1)),
        _ => return None,
    })
}

/// The first numbers, the last of them one higher.
fn bumped(numbers: &[u64], at: usize) -> Vec<u64> {
    let mut bumped = numbers[..=at].to_vec();
    bumped[at] = bumped[at].saturating_add(1);
    bumped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_their_tools_say() {
        use Dialect::{Composer, Npm, Pep440};
        // Range, versions in it, versions outside.
        for (range, dialect, inside, outside) in [
            (">=3.9", Pep440, "3.9 3.9.0 3.10.1 4", "3.8.10 3.9.0rc1 2.7"),
            (">=3.9,<4", Pep440, "3.13", "4.0 3.8"),
            (">= 3.9 , < 3.12", Pep440, "3.11.9", "3.12"),
            (">=3.8,!=3.9.*,!=3.10.1", Pep440, "3.8.1 3.10 3.11", "3.9.18 3.10.1"),
            ("~=3.9", Pep440, "3.9 3.12", "4 3.8"),
            ("~=3.9.2", Pep440, "3.9.7", "3.10 3.9.1"),
            ("==3.11.*", Pep440, "3.11.7", "3.12 3.10"),
            ("^3.10", Pep440, "3.10 3.13", "4 3.9"),
            (">=18 <23", Npm, "18.0.0 22.9", "23.0.0 17"),
            ("^18 || >=20.5", Npm, "18.20 20.5.0 22", "19 20.4"),
            ("20", Npm, "20.1.2", "21 19"),
            ("20.x", Npm, "20.20.2", "21"),
            ("<=20", Npm, "20.9 4", "21"),
            (">20", Npm, "21", "20.9"),
            ("~1.2", Npm, "1.2.9", "1.3"),
            ("~1", Npm, "1.9", "2"),
            ("^0.2.3", Npm, "0.2.9", "0.3 1"),
            ("1.2.3", Npm, "1.2.3", "1.2.4"),
            ("14 - 16", Npm, "14 16.20", "17 13"),
            ("*", Npm, "0.1 99", ""),
            ("", Npm, "1", ""),
            ("^8.1 || ~8.2.0", Composer, "8.1 8.2.5 8.4", "9 8.0"),
            ("^7.4|^8.0", Composer, "7.4.3 8.3", "7.3 9"),
            ("~8.1", Composer, "8.1 8.9", "9 8.0"),
            ("~8.1.2", Composer, "8.1.9", "8.2"),
            (">=1.22.1", Npm, "1.22.1 1.23", "1.22 1.22rc1"),
        ] {
            let requirement = Requirement::parse(range, dialect).unwrap_or_else(|| panic!("{range}"));
            let version = |text| Version::parse(text).unwrap();
            for text in inside.split_whitespace() {
                assert!(requirement.holds(&version(text)), "{text} in {range}");
            }
            for text in outside.split_whitespace() {
                assert!(!requirement.holds(&version(text)), "{text} in {range}");
            }
        }
    }

    #[test]
    fn what_is_no_range_is_not_guessed() {
        for text in ["lts/*", "latest", "@dev", ">=", "=>3", "^", "3.9 or later", ">=3.9;<4", "!", "~~1"] {
            assert_eq!(Requirement::parse(text, Dialect::Npm), None, "{text}");
        }
    }
}
