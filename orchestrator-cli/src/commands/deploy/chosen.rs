//! Which release each place of an environment is given: by name, by version, or the one before. Pure.

use orchestrator_agents::deployment::ops::Kept;
use orchestrator_agents::deployment::{Ending, Environment, Version};
use orchestrator_core::problem::unknown;

use super::hosts::There;
use crate::error::CliError;

/// A version, and its release.
pub(super) type Given = (Version, String);

/// The kept release of a name, or of a version: the newest that ever counted. One that failed its proofs or its watch must be named, and
/// so must one that may need what contract migrations took away since.
pub(super) fn find(all: &[Kept], place: &str, wanted: &str) -> Result<Given, CliError> {
    let named = all.iter().find(|kept| kept.release == wanted);
    let of_version = || all.iter().filter(|kept| kept.version.as_str() == wanted);
    match named.or_else(|| of_version().find(|kept| kept.proven)).or_else(|| of_version().next()) {
        Some(kept) if kept.release == wanted || kept.current || kept.proven && kept.contracted.is_empty() => {
            Ok((kept.version.clone(), kept.release.clone()))
        }
        Some(kept) if kept.proven => Err(CliError::usage(format!(
            "`{wanted}`: {} in {place}; name its release to take it all the same: `{}`",
            took_away(kept),
            kept.release
        ))),
        Some(Kept { release, verdict, .. }) => {
            let verdict = verdict.map_or("it was never promoted", Ending::as_str);
            Err(CliError::usage(format!(
                "`{wanted}` never counted in {place} ({verdict}); name its release to take it all the same: `{release}`"
            )))
        }
        None if all.is_empty() => Err(CliError::usage(format!("{place} keeps no release"))),
        None => {
            let versions = all.iter().map(|kept| kept.version.as_str());
            let said = unknown("version", wanted, versions);
            Err(CliError::Usage(if place.contains(' ') { format!("{place}: {said}") } else { said }))
        }
    }
}

/// What a host calls a release that was named. Each has its own name for what one run started on all of them.
pub(super) fn called<'w>(kept: &'w [Kept], all: &'w [There<Vec<Kept>>], wanted: &'w str) -> &'w str {
    let known = |kept: &'w [Kept]| kept.iter().find(|kept| kept.release == wanted);
    if known(kept).is_some() {
        return wanted;
    }
    let elsewhere = all.iter().find_map(|there| known(there.said.as_ref().ok()?));
    let same = elsewhere.and_then(|named| {
        kept.iter().find(|kept| started(kept).is_some() && started(kept) == started(named))
    });
    same.map_or(wanted, |same| &same.release)
}

/// The version and the run that a release's name begins with: `VERSION-RUN-..`.
fn started(kept: &Kept) -> Option<&str> {
    const RUN: usize = "20261120234433-00ff00ff".len();
    kept.release.get(..kept.version.as_str().len() + 1 + RUN)
}

/// What a place has of what is wanted, or why it has not; none where it was not asked.
pub(super) type Found = Option<Result<Given, CliError>>;

/// What each place is given, and what is said of those that answer and stay as they are though they should not.
pub(super) type Gone = (Vec<Option<Given>>, Vec<String>);

/// Each that has what was wanted is given it; the others stay, and keep it from none. An error where nobody has it.
pub(super) fn those_that_have(found: Vec<Found>) -> Result<Gone, CliError> {
    let any = found.iter().flatten().any(Result::is_ok);
    let (mut given, mut stay) = (Vec::new(), Vec::new());
    for found in found {
        match found.transpose() {
            Err(why) if !any => return Err(why),
            Err(why) => {
                stay.push(why.to_string());
                given.push(None);
            }
            Ok(found) => given.push(found),
        }
    }
    Ok((given, stay))
}

/// The releases that a rollback goes back to: one for each place; none where that serves already what the others go back to, or has no
/// way back, which is said.
///
/// Hosts of one environment may serve different versions, or have had different ones before, where a deployment was cut off between
/// them. All that have a way back go to the one version that each of them either serves or had before.
pub(super) fn back(all: &[There<Vec<Kept>>], environment: &Environment) -> Result<Gone, CliError> {
    let answered: Vec<(&There<Vec<Kept>>, &Vec<Kept>)> =
        all.iter().filter_map(|there| Some((there, there.said.as_ref().ok()?))).collect();
    let nowhere =
        |(there, kept): &(&There<Vec<Kept>>, &Vec<Kept>)| nowhere(&there.place(environment, all.len()), kept);
    let ways: Vec<&Vec<Kept>> =
        answered.iter().map(|(_, kept)| *kept).filter(|kept| before(kept).is_some()).collect();
    if let (Some(first), true) = (answered.first(), ways.is_empty()) {
        return Err(CliError::usage(nowhere(first)));
    }
    let mut common: Vec<Version> =
        ways.iter().filter_map(|kept| before(kept)).map(|(back, _)| back).collect();
    common.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    common.dedup();
    let reaches = |kept: &[Kept], version: &Version| {
        serves(kept).as_ref() == Some(version) || before(kept).is_some_and(|(back, _)| back == *version)
    };
    common.retain(|version| ways.iter().all(|kept| reaches(kept, version)));
    let [version] = common.as_slice() else { return Err(CliError::usage(apart(&answered, environment))) };
    let one =
        |there: &There<Vec<Kept>>| before(there.said.as_ref().ok()?).filter(|(back, _)| back == version);
    let stays = answered.iter().filter(|(_, kept)| !reaches(kept, version)).map(nowhere).collect();
    Ok((all.iter().map(one).collect(), stays))
}

/// The version that counts.
fn serves(kept: &[Kept]) -> Option<Version> {
    kept.iter().find(|kept| kept.current).map(|kept| kept.version.clone())
}

/// The way back.
fn before(kept: &[Kept]) -> Option<Given> {
    kept.iter().find(|kept| kept.back).map(|kept| (kept.version.clone(), kept.release.clone()))
}

/// Why hosts do not go back together.
fn apart(answered: &[(&There<Vec<Kept>>, &Vec<Kept>)], environment: &Environment) -> String {
    let mut serve: Vec<Option<Version>> = answered.iter().map(|(_, kept)| serves(kept)).collect();
    serve.dedup();
    let one_version = serve.len() < 2;
    let each = answered.iter().map(|(there, kept)| {
        let version = if one_version { before(kept).map(|(back, _)| back) } else { serves(kept) };
        let version = version.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
        let host = there.on.as_ref().map_or_else(String::new, |record| record.host.name.to_string());
        format!("{host} {version}")
    });
    let each = each.collect::<Vec<_>>().join(", ");
    let what = if one_version {
        format!("had different versions before ({each})")
    } else {
        format!("serve different versions ({each}), and had no common one before")
    };
    format!("the hosts of {environment} {what}; say which with `--to`")
}

/// What contract migrations did since a release was started.
fn took_away(kept: &Kept) -> String {
    format!("migrations took away since what it may need ({})", kept.contracted.join(", "))
}

/// Why a rollback goes nowhere by itself.
fn nowhere(place: &str, all: &[Kept]) -> String {
    match all.iter().find(|kept| kept.previous && !kept.contracted.is_empty()) {
        Some(kept) => format!(
            "{} is the version before in {place}, and {}; take it all the same with `--to {}`",
            kept.version,
            took_away(kept),
            kept.release
        ),
        None => format!(
            "{place} has no version before the current one; say which with `--to`, as `orchestrate deploy history` lists them"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(version: &str, current: bool, back: bool) -> Kept {
        Kept {
            version: Version::new(version).unwrap(),
            release: format!("{version}-x"),
            current,
            previous: false,
            back,
            proven: true,
            verdict: None,
            contracted: Vec::new(),
        }
    }

    fn there(all: &[(&str, bool, bool)]) -> There<Vec<Kept>> {
        There {
            on: None,
            said: Ok(all.iter().map(|(version, current, back)| kept(version, *current, *back)).collect()),
        }
    }

    fn goes(all: &[There<Vec<Kept>>]) -> Result<Vec<String>, String> {
        let environment = Environment::new("production").unwrap();
        Ok(back(all, &environment)
            .map_err(|error| error.to_string())?
            .0
            .into_iter()
            .map(|given| given.map_or_else(|| "-".into(), |(version, _)| version.to_string()))
            .collect())
    }

    #[test]
    fn all_that_serve_the_same_go_back_by_one() {
        let one = || there(&[("2.0.0", true, false), ("1.0.0", false, true)]);
        assert_eq!(goes(&[one(), one()]).unwrap(), ["1.0.0", "1.0.0"]);
        let silent = There { on: None, said: Err("it does not answer".into()) };
        assert_eq!(goes(&[one(), silent]).unwrap(), ["1.0.0", "-"]);
        let first = there(&[("2.0.0", true, false)]);
        assert!(goes(&[first]).unwrap_err().contains("no version before the current one"));
    }

    /// What a deployment left that was killed between two hosts: one serves the new version, one was begun, one was only claimed.
    #[test]
    fn what_was_cut_off_between_hosts_goes_to_the_version_that_all_had() {
        let done = || there(&[("2.0.0", true, false), ("1.0.0", false, true)]);
        let begun = || there(&[("2.0.0", false, false), ("1.0.0", true, true), ("0.9.0", false, false)]);
        let free = || there(&[("1.0.0", true, false), ("0.9.0", false, true)]);
        assert_eq!(goes(&[done(), begun(), free()]).unwrap(), ["1.0.0", "1.0.0", "-"]);
        let other = there(&[("3.0.0", true, false), ("2.5.0", false, true)]);
        let said = goes(&[free(), other]).unwrap_err();
        assert!(said.contains("serve different versions") && said.contains("--to"), "{said}");
    }

    /// One that was named for the first time with the current version, or went back from another by itself.
    #[test]
    fn a_host_without_a_way_back_stays_and_is_named() {
        let done = || there(&[("2.0.0", true, false), ("1.0.0", false, true)]);
        let new = || there(&[("2.0.0", true, false)]);
        let environment = Environment::new("production").unwrap();
        let (given, stays) = back(&[done(), new(), done()], &environment).unwrap();
        let versions: Vec<&str> = given.iter().flatten().map(|(version, _)| version.as_str()).collect();
        assert_eq!((versions.join(" "), given[1].is_none(), stays.len()), ("1.0.0 1.0.0".into(), true, 1));
        assert!(stays[0].contains("has no version before the current one"), "{stays:?}");
        let serves_it = || there(&[("1.0.0", true, false)]);
        assert_eq!(back(&[done(), serves_it()], &environment).unwrap().1, Vec::<String>::new());
        assert!(goes(&[new(), new()]).unwrap_err().contains("no version before the current one"));
    }

    /// Killed while it claimed: on the hosts that it had claimed, the way back is what serves.
    #[test]
    fn hosts_that_serve_one_version_do_not_go_back_to_several() {
        let claimed = || there(&[("1.0.0", true, true), ("0.9.0", false, false)]);
        let free = || there(&[("1.0.0", true, false), ("0.9.0", false, true)]);
        assert_eq!(goes(&[claimed(), claimed(), free()]).unwrap(), ["1.0.0", "1.0.0", "-"]);
        let switched = there(&[("2.0.0", true, false), ("1.5.0", false, true), ("1.0.0", false, false)]);
        let other = there(&[("2.0.0", true, false), ("1.0.0", false, true)]);
        let said = goes(&[switched, other]).unwrap_err();
        assert!(
            said.contains("had different versions before ( 1.5.0,  1.0.0)") && said.contains("--to"),
            "{said}"
        );
    }

    #[test]
    fn those_that_keep_what_is_wanted_are_given_it() {
        let given = || Some(Ok((Version::new("1.0.0").unwrap(), "1.0.0-x".to_owned())));
        let without = || Some(Err(CliError::usage("production on web3 keeps no release")));
        let (found, stay) = those_that_have(vec![given(), without(), None, given()]).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
        assert!(stay.len() == 1 && stay[0].contains("web3 keeps no release"), "{stay:?}");
        let none = those_that_have(vec![None, without(), without()]).unwrap_err().to_string();
        assert!(none.contains("web3 keeps no release"), "{none}");
    }

    #[test]
    fn a_version_behind_a_contract_is_taken_by_the_name_of_its_release_alone() {
        let behind =
            || Kept { contracted: vec!["0002_b.contract.sql".to_owned()], ..kept("1.0.0", false, false) };
        let said = find(&[behind()], "production", "1.0.0").unwrap_err().to_string();
        assert!(said.contains("what it may need (0002_b.contract.sql) in production"), "{said}");
        assert!(said.contains("name its release to take it all the same: `1.0.0-x`"), "{said}");
        assert_eq!(find(&[behind()], "production", "1.0.0-x").unwrap().1, "1.0.0-x");
        // It is that one already.
        assert!(find(&[Kept { current: true, ..behind() }], "production", "1.0.0").is_ok());
    }

    #[test]
    fn hosts_know_one_deployment_by_names_of_their_own() {
        let release = |name: &str| Kept { release: name.to_owned(), ..kept("1.0.0", false, false) };
        let [one, other, older] = [
            "1.0.0-20261120234433-00ff00ff-deploy-1.2.0",
            "1.0.0-20261120234433-00ff00ff-deploy-1.9.0",
            "1.0.0-20261020234433-00ff00ff-deploy-1.9.0",
        ];
        let there = |names: &[&str]| There {
            on: None,
            said: Ok(names.iter().map(|name| release(name)).collect::<Vec<_>>()),
        };
        let all = [there(&[one]), there(&[older, other]), there(&[older]), there(&["1.0.0-x"])];
        let called = |at: usize, wanted| called(all[at].said.as_ref().unwrap(), &all, wanted).to_owned();
        assert_eq!([called(0, one), called(1, one), called(2, one), called(3, one)], [one, other, one, one]);
        assert_eq!(called(1, "1.0.0"), "1.0.0", "a version is none");
    }

    #[test]
    fn a_rollback_behind_a_contract_says_why_it_goes_nowhere() {
        let contracted = |files: &[&str]| Kept {
            previous: true,
            contracted: files.iter().map(|file| (*file).to_owned()).collect(),
            ..kept("1.0.0", false, false)
        };
        let why = nowhere("production", &[contracted(&["0002_b.contract.sql"])]);
        assert!(why.contains("(0002_b.contract.sql)") && why.contains("`--to 1.0.0-x`"), "{why}");
        let why = nowhere("production", &[contracted(&[])]);
        assert!(why.starts_with("production has no version before the current one"), "{why}");
    }
}
