//! A load runs through the switch: begun before it, ended after it on every way, and read. The client here is a script that writes what
//! `orchestrate load` writes; the real one, under real traffic, is in `tests/all/deploying.rs`.

mod early;
mod lost;

use rustix::process::{Pid, Signal, kill_process};

use super::standin::{LISTEN, Standin};
use super::*;
use crate::deployment::ops::{EndLoad, StartLoad, end_loads};

/// Sends nothing; says that it does until a file that holds it is gone. Anything but `load` is for the supervisor.
const CLIENT: &str = r#"
if [ "$1" != load ]; then
  STATE="$2" ENVIRONMENT="$5" exec "$0" --exact deployment::tests::supervised::the_supervisor --ignored --nocapture
fi
while [ $# -gt 0 ]; do
  case "$1" in
    --save) save=$2; shift ;;
    --while) held="$held $2"; shift ;;
    --rate) rate=$2; shift ;;
    --version-from) from=$2; shift ;;
  esac
  shift
done
[ "$rate" = 7 ] && { echo "this rate is refused" >&2; exit 2; }
say() {
  echo '{"started":"2026-01-01T00:00:00Z","took_ms":2000,"over":'"$1"',"rate":5.0,"due":10,"sent":10,"answered":9,"failed":1,
    "failures":{"status":1},"failure_bound":0.3,"latency":{"p50_us":1000,"p95_us":2000,"p99_us":3000,"p999_us":4000,"max_us":5000},
    "versions":[{"version":"0.1.0","answered":5,"failed":0},{"version":"0.2.0","answered":4,"failed":1}],
    "overlaps":[{"answers_ms":1.5}],"client":{"unsent":0,"abandoned":0,"limits":{},"remarks":[]},
    "examples":[{"sent_ms":1.0,"shape":"keep-alive","kind":"status","what":"'"$from"'"}]}' > "$save.tmp"
  mv "$save.tmp" "$save"
}
say false
while :; do
  for file in $held; do [ -e "$file" ] || { say true; exit 0; }; done
  sleep 0.02
done
"#;

fn client() -> Supervisor {
    let own = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    Supervisor { program: "/bin/sh".into(), args: vec!["-c".into(), CLIENT.into(), own] }
}

fn loaded(version: &str, rate: f64) -> Value {
    let mut config = config(version, "");
    config["proxy"] = json!({ "listen": LISTEN });
    config["watch"] = json!({ "seconds": 600, "canary": [10], "step_seconds": 300, "warm_up": 0 });
    config["load"] = json!({ "rate": rate, "version_header": "x-version" });
    config
}

impl Desk {
    fn loading() -> (Self, Standin) {
        let mut desk = Self::new();
        desk.supervisor = Some(client());
        let proxy = Standin::at(&desk.state());
        (desk, proxy)
    }

    fn load(&self) -> Option<Value> {
        let record = std::fs::read(self.state().join("deploy/production/load.json")).ok()?;
        Some(serde_json::from_slice(&record).unwrap())
    }

    fn client(&self) -> Option<u64> {
        self.load()?["process"]["pid"].as_u64()
    }

    /// Says that word with the second look; what there was of a load then goes to the list.
    fn says(&self, word: Value) -> std::sync::Arc<std::sync::Mutex<Vec<u64>>> {
        let seen = std::sync::Arc::<std::sync::Mutex<Vec<u64>>>::default();
        let (record, all) = (self.state().join("deploy/production/load.json"), seen.clone());
        let mut looks = 0;
        *self.waits.lock().unwrap() = Box::new(move |_, wait| {
            wait.signal.as_ref()?;
            let record: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
            all.lock().unwrap().push(record["process"]["pid"].as_u64().unwrap());
            looks += 1;
            (looks > 1).then(|| word.clone())
        });
        seen
    }
}

fn metric(metrics: &[orchestrator_core::evidence::Metric], name: &str) -> Option<f64> {
    metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

#[test]
fn a_load_runs_from_before_the_switch_until_after_it() {
    let (desk, proxy) = Desk::loading();
    let first = desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    assert_eq!(first.lock().unwrap().len(), 2, "also through the watch of a first version");
    let seen = desk.says(json!("promote"));
    let before = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (applied, at) = (before.clone(), desk.state().join("deploy/production/candidate.json"));
    let mut inner = std::mem::replace(&mut *desk.waits.lock().unwrap(), Box::new(|_, _| None));
    *desk.waits.lock().unwrap() = Box::new(move |round, wait| {
        if wait.message.ends_with("before the switch") {
            *applied.lock().unwrap() = Some(at.exists());
        }
        inner(round, wait)
    });
    let done = desk.deploy(2, loaded("0.2.0", 5.0)).unwrap();
    assert_eq!(*before.lock().unwrap(), Some(true), "it has its time before the first share");
    let all: Vec<String> = proxy.applied();
    assert_eq!(all[all.len() - 3..], ["0.1.0 1", "0.1.0 90, 0.2.0 10", "0.2.0 1"]);
    let pids = seen.lock().unwrap().clone();
    assert!(pids.len() == 2 && pids[0] == pids[1] && !alive(pids[0]), "one client, and it is gone: {pids:?}");
    assert!(desk.load().is_none());
    assert!(
        done.summary.ends_with("; 1 of 10 requests failed (1 answered by 0.2.0 itself))"),
        "{}",
        done.summary
    );
    let output = done.output.unwrap().value();
    assert_eq!((&output["load"]["sent"], &output["load"]["over"]), (&json!(10), &json!(true)), "{output}");
    for (name, value) in [("sent", 10.0), ("failed", 1.0), ("dropped", 0.0), ("p999", 4.0), ("overlap", 1.5)]
    {
        assert_eq!(metric(&done.metrics, &format!("deploy.load.{name}")), Some(value), "{name}");
    }
    let found = done.findings.iter().find(|finding| finding.rule == "deploy/load").unwrap();
    assert!(found.message.contains("header:x-version"), "the first failures are shown: {}", found.message);
}

#[test]
fn it_is_ended_and_read_where_the_version_goes_back() {
    let (desk, _proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    let seen = desk.says(json!("rollback"));
    let failed = desk.deploy(2, loaded("0.2.0", 5.0)).unwrap_err();
    assert!(
        failed.summary.contains("was rolled back") && failed.summary.contains("; 1 of 10 requests failed")
    );
    assert_eq!(metric(&failed.metrics, "deploy.load.failed"), Some(1.0));
    assert!(!alive(seen.lock().unwrap()[0]) && desk.load().is_none());
}

#[test]
fn a_load_that_cannot_be_sent_keeps_the_version_from_its_traffic() {
    let (desk, proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    let failed = desk.deploy(2, loaded("0.2.0", 7.0)).unwrap_err();
    assert!(failed.summary.contains("its load could not be started"), "{}", failed.summary);
    assert!(
        failed.summary.contains("this rate is refused") && failed.summary.contains("0.1.0 goes on serving")
    );
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
    assert!(
        desk.load().is_none() && desk.deployments().iter().all(|found| found.version.as_str() == "0.1.0")
    );
    for (key, value, why) in [
        ("proxy", Value::Null, "`load` needs `proxy`"),
        ("load", json!({ "rate": 5, "lead": 601 }), "`load.lead`"),
        ("proxy", json!({ "listen": LISTEN, "host": "a.example" }), "`proxy.host` answers for `a.example`"),
    ] {
        let mut config = loaded("0.2.0", 5.0);
        config[key] = value;
        let task: Task<Json> = task(config.into());
        let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
        let error =
            desk.runtime.block_on(dyn_agent(desk.agent()).unwrap().prepare(&task, &look)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_client_that_was_killed_leaves_its_figures_and_says_so() {
    let (desk, _proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    let record = desk.state().join("deploy/production/load.json");
    let mut looks = 0;
    *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
        wait.signal.as_ref()?;
        let record: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        let pid = Pid::from_raw(record["process"]["pid"].as_i64().unwrap() as i32).unwrap();
        let _ = kill_process(pid, Signal::KILL);
        looks += 1;
        (looks > 1).then(|| json!("promote"))
    });
    let done = desk.deploy(2, loaded("0.2.0", 5.0)).unwrap();
    assert_eq!(done.output.unwrap().value()["load"]["over"], false);
    assert!(done.findings.iter().any(|finding| finding.message.contains("died before it was ended")));
}

#[test]
fn it_is_started_once_and_ended_by_whoever_has_the_environment() {
    let (desk, _proxy) = Desk::loading();
    let claim = |run| {
        desk.call(
            ops::ClaimEnvironment::default(),
            json!({ "environment": "production", "version": "1" }),
            &key(run, 0, 0),
        )
    };
    let input = json!({ "environment": "production", "release": "1-x", "url": "http://127.0.0.1:1", "load": { "rate": 5 } });
    let start = || StartLoad { supervisor: Some(client()) };
    let lost = desk.call(start(), input.clone(), &key(1, 0, 1)).unwrap_err();
    assert!(lost.contains("the claim of production was lost"), "{lost}");
    claim(1).unwrap();
    assert!(matches!(desk.already(start(), input.clone(), &key(1, 0, 1)), Already::NotDone));
    desk.call(start(), input.clone(), &key(1, 0, 1)).unwrap();
    let pid = desk.client().unwrap();
    assert!(matches!(desk.already(start(), input.clone(), &key(1, 0, 1)), Already::Done(_)));
    assert!(matches!(desk.already(start(), input.clone(), &key(1, 0, 2)), Already::NotDone));
    // Started again, as after a kill before it was on record: the first one ends.
    desk.call(start(), input.clone(), &key(1, 0, 1)).unwrap();
    assert!(!alive(pid) && alive(desk.client().unwrap()));

    let end = json!({ "environment": "production", "release": "1-x" });
    let undo = desk.undo(start(), input.clone());
    assert!(matches!(&undo[..], [Action::Call(call)] if call.operation.as_str() == "end-load"), "{undo:?}");
    let undone = json!({ "environment": "production", "release": "gone", "unread": true });
    assert_eq!(desk.call(EndLoad, undone, &key(1, 0, 2)).unwrap()["sent"], 0, "an undo needs no figures");
    let figures = desk.call(EndLoad, end.clone(), &key(1, 0, 2)).unwrap();
    assert_eq!((&figures["sent"], &figures["over"]), (&json!(10), &json!(true)));
    assert_eq!(desk.call(EndLoad, end, &key(1, 0, 2)).unwrap(), figures, "again it reads the same");
    let other = json!({ "environment": "production", "release": "../../x" });
    assert!(desk.call(EndLoad, other, &key(1, 0, 3)).unwrap_err().contains("load/r-.._.._x.json"));

    // Cancelled: it ends by itself.
    desk.call(start(), input.clone(), &key(1, 0, 4)).unwrap();
    let pid = desk.client().unwrap();
    end_loads(&desk.state(), &key(2, 0, 0).run).unwrap();
    assert!(alive(pid), "of another run");
    end_loads(&desk.state(), &key(1, 0, 0).run).unwrap();
    eventually("the end of the client", || !alive(pid));

    // Its deployment is gone, and the next one claims; or what was deployed is stopped.
    desk.call(start(), input.clone(), &key(1, 0, 5)).unwrap();
    let pid = desk.client().unwrap();
    std::fs::write(desk.state().join("deploy/production/claim.json"), claim_of_the_dead(&desk)).unwrap();
    claim(2).unwrap();
    assert!(!alive(pid) && desk.load().is_none());
    desk.call(start(), input, &key(2, 0, 1)).unwrap();
    let pid = desk.client().unwrap();
    ops::stop_all(&desk.state()).unwrap();
    assert!(!alive(pid));
}

/// The claim as it is, of a process that is gone.
fn claim_of_the_dead(desk: &Desk) -> String {
    let text = std::fs::read_to_string(desk.state().join("deploy/production/claim.json")).unwrap();
    let mut claim: Value = serde_json::from_str(&text).unwrap();
    claim["process"]["started"] = json!(1);
    claim.to_string()
}
