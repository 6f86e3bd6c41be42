//! Hosts that lie.

use super::*;

/// Says hello, and that answer to whatever holds that word.
fn says(near: &Near, word: &str, answer: &Value) {
    near.is_reached_by(&format!(
        "echo '{{\"hello\":{{\"protocol\":PROTOCOL,\"version\":\"x\"}}}}'\n\
         while read -r line; do case \"$line\" in *'\"{word}\"'*) cat <<'END'\n{answer}\nEND\n;; esac; done"
    ));
}

fn undo(near: &Near, desk: &Desk) -> Result<Vec<Action>, String> {
    let input = near.on("stop-service", json!({ "environment": "production", "which": "candidate" }));
    let (input, state) = (serde_json::from_value(input).unwrap(), desk.state());
    let asked = desk.runtime.block_on(near.act().undo(&input, &desk.site(&state)));
    asked.map_err(|error| error.to_string())
}

#[test]
fn lines_that_nobody_asked_for_are_no_answers_and_fill_no_memory() {
    let near = Near::new();
    let desk = near.desk();
    near.is_reached_by(
        "echo >> connections; echo '{\"hello\":{\"protocol\":PROTOCOL,\"version\":\"x\"}}'\n\
         while read -r line; do case \"$line\" in *'\"undo\"'*) echo '{\"undo\":[]}'; rm -f flooded\n\
         i=0; while [ $i -lt 64 ]; do head -c 262144 /dev/zero | tr '\\0' 'x'; echo; i=$((i+1)); done; touch flooded;; esac; done",
    );
    let connections = || std::fs::read_to_string(near.at("home/connections")).unwrap().lines().count();
    assert_eq!(undo(&near, &desk).unwrap(), []);
    assert_eq!(connections(), 1);
    // Time enough to take in all of it.
    std::thread::sleep(Duration::from_secs(2));
    assert!(!near.at("home/flooded").exists(), "16 MiB were taken that nobody asked for");
    assert_eq!(undo(&near, &desk).unwrap(), []);
    assert_eq!(connections(), 2);
}

/// What a version before needs to come back, or to be masked, is given as well, and nothing else.
#[test]
fn secrets_of_earlier_deployments_are_given_too() {
    let near = Near::new();
    let mut desk = near.desk();
    let more = [("OLD", "0ld"), ("NEW", "n3w"), ("OTHER", "0ther")];
    desk.secrets.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    near.is_reached_by("echo '{\"hello\":{\"protocol\":PROTOCOL,\"version\":\"x\"}}'; while read -r line; do echo \"$line\" >> heard; \
         case \"$line\" in *'\"prepare\"'*) echo '{\"done\":{}}';; esac; done");
    for name in ["OLD", "NEW"] {
        let input = json!({ "host": near.host(), "environment": "production", "secrets": [name] });
        desk.call(ops::PrepareHost { program: Some(near.at("program")) }, input, &key(1, 0, 0)).unwrap();
    }
    let mut input = near.on("reinstate", json!({}));
    input["secrets"] = json!(["NEW"]);
    near.is_reached_by(
        "echo '{\"hello\":{\"protocol\":PROTOCOL,\"version\":\"x\"}}'; while read -r line; do echo \"$line\" >> heard; \
         case \"$line\" in *'\"undo\"'*) echo '{\"undo\":[]}';; esac; done",
    );
    ops::closed(&near.config());
    assert!(desk.undo(near.act(), input).is_empty());
    let heard = std::fs::read_to_string(near.at("home/heard")).unwrap();
    assert!(heard.contains(r#""secrets":{"NEW":"n3w","OLD":"0ld"}"#), "{heard}");
}

#[test]
fn what_a_host_wants_undone_is_never_done_here() {
    let near = Near::new();
    let desk = near.desk();
    let call = json!({ "call": { "operation": "reinstate", "input": { "environment": "production" }, "effect": "publishes" } });
    says(&near, "undo", &json!({ "undo": [call] }));
    let given = undo(&near, &desk).unwrap();
    assert!(given.len() == 1 && given[0].to_string().contains("act-on-host"), "{given:?}");
    for planted in [
        json!({ "run": { "command": "touch planted", "effect": "reads" } }),
        json!({ "write": { "path": "planted", "content": { "text": "x" } } }),
        json!({ "remove": { "path": "planted" } }),
    ] {
        // It is an action, or nothing would be shown.
        serde_json::from_value::<Action>(planted.clone()).unwrap();
        ops::closed(&near.config());
        says(&near, "undo", &json!({ "undo": [call, planted] }));
        let said = undo(&near, &desk).unwrap_err();
        assert!(said.contains("host `near1` gave an answer that is none"), "{said}");
    }
    ops::closed(&near.config());
    says(&near, "undo", &json!({ "undo": vec![call; 1000] }));
    let said = undo(&near, &desk).unwrap_err();
    assert!(said.contains("1000 actions"), "{said}");
}
