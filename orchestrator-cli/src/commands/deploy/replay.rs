//! `deploy replay`: what a recorded watch decides, and what it would have decided with another config.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use orchestrator_agents::deployment::analysis::{Decision, Recording, Replay, WatchConfig};
use serde_json::json;

use crate::args::{Format, ReplayArgs};
use crate::console::plural;
use crate::error::CliError;
use crate::exit::Exit;
use crate::json::answer;
use crate::out::say;

/// The most bytes of a recording, and of a config.
const LARGEST: (u64, u64) = (300 << 20, 1 << 20);

pub(in crate::commands) fn replay(dir: &Path, args: &ReplayArgs) -> Result<Exit, CliError> {
    let path = dir.join(&args.recording);
    let named = |error: &dyn std::fmt::Display| CliError::usage(format!("`{}`: {error}", path.display()));
    let recording = Recording::read(&text(&path, LARGEST.0)?).map_err(|error| named(&error))?;
    let other = args.with.as_ref().map(|with| config(&dir.join(with))).transpose()?;
    let replay = recording.replay(other.as_ref());
    // Nothing is the same of which nothing was recorded.
    let same = replay.differs.is_none() && replay.compared > 0;
    say(&match args.format {
        Format::Json => answer(&json!({
            "looks": replay.decisions.len(),
            "compared": replay.compared,
            "differs": replay.differs,
            "rules": recording.rules,
            "other_rules": replay.other_rules,
            "torn": recording.torn,
            "decisions": replay.decisions,
        })),
        Format::Human => told(&recording, &replay, other.is_some(), args.all),
    });
    // With the config that was recorded anything else than the recorded decisions is a fault, or the work of other rules, which is said.
    Ok(if same || other.is_some() { Exit::Passed } else { Exit::Failed })
}

fn text(path: &Path, most: u64) -> Result<String, CliError> {
    let read = || {
        let file = File::open(path)?;
        let mut text = String::new();
        if file.take(most + 1).read_to_string(&mut text)? as u64 > most {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has more than {most} bytes"),
            ));
        }
        Ok(text)
    };
    read().map_err(|source| CliError::io(format!("`{}` could not be read", path.display()), source))
}

fn config(path: &Path) -> Result<WatchConfig, CliError> {
    let text = text(path, LARGEST.1)?;
    serde_json::from_str(&text)
        .map_err(|error| CliError::usage(format!("`{}` is no config of a watch: {error}", path.display())))
}

/// Each look that changed the verdict, or every look; then how it compares.
fn told(recording: &Recording, replay: &Replay, other: bool, all: bool) -> String {
    let mut lines = Vec::new();
    let mut before = None;
    for (look, decision) in replay.decisions.iter().enumerate() {
        let Decision { verdict, why, numbers, told, would } = decision;
        let now = (*verdict, *would);
        if all || before != Some(now) || look + 1 == replay.decisions.len() {
            let seconds = numbers.get("seconds").copied().unwrap_or_default();
            lines.push(format!("{look:>6}  {seconds:>8.1} s  {verdict:<12}  {why}"));
            lines.extend(told.iter().map(|told| format!("{:>34}{told}", "")));
        }
        before = Some(now);
    }
    lines.push(match replay.differs {
        None if replay.compared == 0 => "No decision was recorded: there is nothing to compare.".into(),
        Some(look) if other => format!("With this config look {look} is the first that decides otherwise."),
        None if other => "With this config every recorded decision would have been the same.".into(),
        Some(look) if replay.other_rules => format!(
            "It was recorded by an earlier or later version of orchestrate, with other rules: this one decides otherwise from look {look} on."
        ),
        None if replay.other_rules => format!(
            "{} recorded by another version of orchestrate, with other rules: the same verdicts.",
            plural(replay.compared, "decision")
        ),
        Some(look) => format!("Look {look} was recorded with another decision."),
        None => format!("{} recorded, byte for byte the same.", plural(replay.compared, "decision")),
    });
    if recording.torn > 0 {
        let torn = plural(recording.torn as usize, "line");
        lines.push(format!("{torn} that a crash cut off: left out."));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use orchestrator_agents::deployment::analysis::RULES;

    use super::*;

    fn replayed(recording: &str, with: Option<&str>) -> Result<Exit, CliError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("r.jsonl"), recording).unwrap();
        if let Some(with) = with {
            std::fs::write(folder.path().join("c.json"), with).unwrap();
        }
        let with = with.map(|_| "c.json".into());
        let args = ReplayArgs { recording: "r.jsonl".into(), with, all: true, format: Format::Human };
        replay(folder.path(), &args)
    }

    /// Three looks at a version that is not healthy; decided by the library.
    fn recorded(last: &str) -> String {
        let sample = r#"{"clock":{"boot":"b","ms":1000},"traffic":{"is":"unseen"},"health":{"what":"/","wrong":"no"}}"#;
        let mut lines = vec![json!({ "config": {}, "rules": RULES }).to_string()];
        lines.extend((0..3).map(|look| format!(r#"{{"look":{look},"sample":{sample}}}"#)));
        let text = lines.join("\n");
        let mut decided = Recording::read(&text).unwrap().replay(None).decisions.pop().unwrap();
        decided.why += last;
        format!("{text}\n{}\n", json!({ "look": 2, "decision": decided }))
    }

    #[test]
    fn exit_codes_say_whether_a_recording_is_exact() {
        assert_eq!(replayed(&recorded(""), None).unwrap(), Exit::Passed);
        assert_eq!(replayed(&recorded("?"), None).unwrap(), Exit::Failed);
        let undecided: String = recorded("").lines().take(4).map(|line| format!("{line}\n")).collect();
        assert_eq!(replayed(&undecided, None).unwrap(), Exit::Failed, "nothing was compared");
        // Other rules may give other words, and not other verdicts.
        let number = format!("\"rules\":{RULES}");
        let earlier = |last| recorded(last).replace(&number, "\"rules\":0");
        assert_eq!(replayed(&earlier("?"), None).unwrap(), Exit::Passed);
        let turned = earlier("").replace("roll_back", "promote");
        assert_eq!(replayed(&turned, None).unwrap(), Exit::Failed);
        let patient = r#"{"guards":{"health_failures":9}}"#;
        assert_eq!(replayed(&recorded(""), Some(patient)).unwrap(), Exit::Passed);
    }

    #[test]
    fn what_is_no_recording_is_said() {
        let wrong = |recording: &str, with| replayed(recording, with).unwrap_err().to_string();
        assert!(wrong("", None).contains("does not begin with"));
        assert!(wrong(&recorded(""), Some("{\"x\":1}")).contains("no config of a watch"));
        let missing = recorded("").replace("\"look\":1", "\"look\":7");
        assert!(wrong(&missing, None).contains("look 1 is missing before line 3"));
    }
}
