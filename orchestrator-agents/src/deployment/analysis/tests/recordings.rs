//! A recording decides the same again, byte for byte.

use orchestrator_core::path::Digest;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::deployment::analysis::{RULES, Recording, RecordingError};

/// The lines of a watch as `observe` writes them.
fn lines(told: &Told, config: &serde_json::Value) -> Vec<String> {
    let mut lines = vec![json!({ "config": config, "rules": RULES }).to_string()];
    for (look, (sample, decision)) in told.samples.iter().zip(&told.decisions).enumerate() {
        lines.push(format!("{{\"look\":{look},\"sample\":{}}}", serde_json::to_string(sample).unwrap()));
        lines.push(format!("{{\"look\":{look},\"decision\":{}}}", serde_json::to_string(decision).unwrap()));
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The watcher is carried through JSON after each look, as a resumed run does; a replay carries nothing.
    #[test]
    fn a_fold_equals_its_replay(
        seconds in prop::collection::vec((0..50_u64, 0..20_u64, 1_000..900_000_u64, any::<bool>()), 2..120),
        before in 0..300_u64,
        canary in any::<bool>(),
    ) {
        let config = json!({ "seconds": 60, "canary": if canary { vec![25] } else { vec![] }, "step_seconds": 20 });
        let mut told = Told::new(config.clone()).before(before, WELL);
        for (requests, errors, us, health) in seconds {
            let wrong = (!health).then(|| "no".to_owned());
            told.so(|sample| sample.health.as_mut().unwrap().wrong = wrong);
            told.look((requests, errors.min(requests), us), (requests / 2, 0, 20_000));
            let carried = serde_json::to_string(&told.watcher).unwrap();
            told.watcher = serde_json::from_str(&carried).unwrap();
        }
        let recording = Recording::read(&lines(&told, &config).join("\n")).unwrap();
        let replay = recording.replay(None);
        prop_assert_eq!(replay.differs, None);
        prop_assert_eq!(replay.compared, told.decisions.len());
        let text = |decisions: &[Decision]| serde_json::to_string(decisions).unwrap();
        prop_assert_eq!(text(&replay.decisions), text(&told.decisions));
    }
}

fn watched() -> (Told, Vec<String>) {
    let config = json!({ "seconds": 60 });
    let mut told = Told::new(config.clone()).before(300, WELL);
    for second in 0..30 {
        told.look((10, u64::from(second > 20) * 3, 20_000), (0, 0, 0));
    }
    let lines = lines(&told, &config);
    (told, lines)
}

#[test]
fn looks_that_were_taken_again_count_once() {
    let (_, mut lines) = watched();
    let whole = Recording::read(&lines.join("\n")).unwrap();
    // Cut off within the sample of look 7, taken again; the lines of look 9 are there twice.
    let torn = lines[15][..40].to_owned();
    lines.insert(15, torn);
    let (sample, decision) = (lines[20].clone(), lines[21].clone());
    lines.splice(22..22, [sample, decision]);
    let mended = Recording::read(&lines.join("\n")).unwrap();
    assert_eq!(mended.torn, 1);
    assert_eq!((&mended.samples, &mended.decisions), (&whole.samples, &whole.decisions));
    assert_eq!(mended.replay(None).differs, None);
    // A watch that began again is another one.
    let again = [lines.clone(), lines[..3].to_vec()].concat().join("\n");
    assert_eq!(Recording::read(&again).unwrap().samples.len(), 1);
}

#[test]
fn what_another_config_would_have_done() {
    let (told, lines) = watched();
    let recording = Recording::read(&lines.join("\n")).unwrap();
    assert!(told.decisions.iter().any(|decision| decision.verdict == Verdict::RollBack));
    let mild = WatchConfig { objective: 0.5.try_into().unwrap(), ..recording.config.clone() };
    let replay = recording.replay(Some(&mild));
    assert!(replay.decisions.iter().all(|decision| decision.verdict == Verdict::Hold));
    assert_eq!(replay.differs, Some(0), "the numbers name the objective");
    // A recorded decision that was not made of what was recorded is found.
    let forged = lines.join("\n").replace("\"verdict\":\"roll_back\"", "\"verdict\":\"promote\"");
    assert!(Recording::read(&forged).unwrap().replay(None).differs.is_some());
}

#[test]
fn what_is_no_recording_is_refused() {
    let (_, lines) = watched();
    assert_eq!(Recording::read(""), Err(RecordingError::NoConfig));
    assert_eq!(Recording::read(&lines[1..].join("\n")), Err(RecordingError::NoConfig));
    assert_eq!(Recording::read(&lines[0]), Err(RecordingError::Empty));
    let holed = [&lines[..3], &lines[5..]].concat().join("\n");
    assert_eq!(Recording::read(&holed), Err(RecordingError::Missing { missing: 1, line: 4 }));
}

/// Whoever changes what these decide, or say, raises `RULES`, so that earlier recordings are told apart from such as are wrong.
#[test]
fn the_rules_are_those_of_their_number() {
    let config =
        json!({ "seconds": 90, "canary": [25], "step_seconds": 30, "guards": { "leak_mb_per_hour": 4000 } });
    let mut told = Told::new(config).before(300, WELL);
    for second in 0..400_u64 {
        told.so(|sample| {
            let process = sample.process.as_mut().unwrap();
            (process.restarts, process.rss_kib) = (second / 150, Some(50_000 + second * 500));
            sample.health.as_mut().unwrap().wrong = (second % 90 == 80).then(|| "no".to_owned());
        });
        let errors = u64::from(second % 40 == 7) + 2 * u64::from(second > 300);
        told.look((if second / 50 == 3 { 0 } else { 10 }, errors, 18_000 + second * 20), (5, 0, 20_000));
    }
    let text = serde_json::to_string(&told.decisions).unwrap();
    assert_eq!((RULES, Digest::of(text.as_bytes()).short().as_str()), (1, "e14490bb88a5"));
}
