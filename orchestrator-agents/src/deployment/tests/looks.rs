//! What a watch costs its journal, look by look, and that nothing is lost by saying it together.

use orchestrator_core::event::{Event, Record};

use super::standin::Standin;
use super::watched::{proxied, said};
use super::*;
use crate::deployment::analysis::{Recording, Verdict as Decided};

/// A watch of so many looks, journaled as the runner does it: the bytes of each of its rounds, and how many looks each had.
fn journaled(desk: &Desk, run: u32, config: Value, most: u64) -> (Vec<(usize, u64)>, Vec<Value>) {
    let agent = dyn_agent(desk.agent()).unwrap();
    let mut task: Task<Json> = task(config.into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let mut actions;
    (task.carried, actions) = desk.runtime.block_on(agent.prepare(&task, &look)).unwrap();
    let (mut rounds, mut last) = (Vec::new(), Vec::new());
    let looked = |carried: &Json| carried.value()["watch"]["watcher"]["looks"].as_u64().unwrap_or_default();
    for round in 0.. {
        let planned = Event::TaskPlanned {
            task: task.id.clone(),
            round,
            actions: actions.clone(),
            carried: task.carried.clone(),
        };
        let mut events = vec![planned];
        let receipts = desk.receipts(&actions, run, round);
        for (index, (action, receipt)) in (0_u32..).zip(actions.iter().zip(&receipts)) {
            if action.effect() > orchestrator_core::effect::Effect::Reads {
                events.push(Event::ActionStarted { task: task.id.clone(), index, undo: Vec::new() });
            }
            events.push(Event::ActionFinished {
                task: task.id.clone(),
                index,
                receipt: Box::new(receipt.clone()),
            });
        }
        let at = "2026-11-20T23:44:33.123456789Z".parse().unwrap();
        let line = |event| serde_json::to_vec(&Record { n: 1000, at, event }).unwrap().len() + 1;
        let bytes = events.into_iter().map(line).sum();
        let before = looked(&task.carried);
        match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
            Verdict::More { actions: next, carried } => {
                let looks = looked(&carried) - before;
                if looks > 0 {
                    rounds.push((bytes, looks));
                    last.push(carried.value()["watch"]["last"].clone());
                }
                if looked(&carried) >= most {
                    return (rounds, last);
                }
                (actions, task.carried) = (next, carried);
            }
            other => panic!("{other:?}"),
        }
    }
    unreachable!("rounds end")
}

#[test]
fn a_quiet_look_costs_the_journal_well_under_a_kilobyte() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let mut watched = proxied("0.2.0", "");
    // As many smoke tests as a real service has.
    let tests: Vec<Value> = (0..24).map(|n| json!({ "name": format!("hello {n}"), "path": "/hello", "expect": { "contains": "hello from" } })).collect();
    watched["smoke"] = json!(tests);
    watched["watch"]["probe"] = json!(true);
    let waits = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = waits.clone();
    desk.when(move |_, wait| {
        into.lock().unwrap().push(wait.seconds);
        None
    });
    let (rounds, last) = journaled(&desk, 2, watched, 270);
    // What looks together found is acted on at once: they have waited for each other.
    let waits = waits.lock().unwrap();
    assert_eq!((&waits[..60], &waits[60..]), (&[Some(1); 60][..], &[Some(0); 7][..]));
    let cost = |together: bool| {
        let these = rounds.iter().filter(|(_, looks)| (*looks > 1) == together);
        let (bytes, looks) = these.fold((0, 0), |(bytes, looks), round| (bytes + round.0, looks + round.1));
        (bytes as u64 / looks, looks)
    };
    let (alone, together) = (cost(false), cost(true));
    println!("bytes a look: {} of {} alone, {} of {} together", alone.0, alone.1, together.0, together.1);
    assert_eq!((alone.1, together.1), (60, 210));
    assert!(together.0 < 800, "{together:?}");
    // The recording has each decision, and replays to the last digit; what was carried is one of them each time.
    assert!(!proxy.applied().is_empty());
    let name =
        desk.deployments().into_iter().find(|found| found.version.as_str() == "0.2.0").unwrap().release;
    let text =
        std::fs::read_to_string(desk.state().join(format!("deploy/production/watch/{name}.jsonl"))).unwrap();
    let recording = Recording::read(&text).unwrap();
    let replay = recording.replay(None);
    assert_eq!((recording.samples.len(), replay.differs, recording.torn), (270, None, 0));
    assert!(replay.decisions.iter().all(|decision| decision.verdict == Decided::Hold));
    let mut looked = 0;
    for ((_, looks), last) in rounds.iter().zip(&last) {
        looked += looks;
        let decided = &replay.decisions[looked as usize - 1];
        assert_eq!(*last, serde_json::to_value(decided).unwrap(), "look {looked}");
    }
}
