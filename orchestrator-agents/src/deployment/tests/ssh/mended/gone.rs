//! A host that is gone for good: it is forgotten where that is wanted, and only then, and what runs there is found when it comes back.

use super::*;
use crate::deployment::ops::{AskHost, ForgetHost, gone_hosts, standing_on_gone};
use crate::deployment::{GoneHost, Remembered};

/// What ssh says of a name that nobody has.
pub(super) const NOWHERE: &str =
    "echo 'ssh: Could not resolve hostname near1: Name or service not known' >&2; exit 255";

impl Near {
    fn to(&self, version: &str) -> Value {
        let mut config = config(version, "");
        config["target"] =
            json!({ "kind": "ssh", "hosts": ["near1"], "folder": "srv/shop", "config": self.config() });
        config
    }

    pub(super) fn goes(&self) {
        ops::closed(&self.config());
        self.is_reached_by(NOWHERE);
    }

    pub(super) fn returns(&self) {
        self.is_reached_by("exec sh -c \"$last\"");
    }

    fn stop(&self, forget: bool) -> Value {
        json!({ "environment": "production", "on": self.host(), "forget": forget })
    }

    fn asked(&self) -> Value {
        json!({ "environment": "production", "host": self.host() })
    }

    fn asking(&self, desk: &Desk) -> Asking {
        Asking { root: desk.folder.path().into(), env: desk.env.clone(), program: Some(self.at("program")) }
    }

    pub(super) fn alive(&self) -> Vec<String> {
        let all = ops::deployments(&self.state()).unwrap().into_iter().filter(|found| found.alive);
        all.map(|found| found.version.to_string()).collect()
    }
}

fn gone(desk: &Desk) -> Vec<GoneHost> {
    gone_hosts(&desk.state(), &Environment::new("production").unwrap()).unwrap()
}

fn list(desk: &Desk) -> PathBuf {
    desk.state().join("deploy/production/host.json")
}

#[test]
fn a_host_that_is_gone_is_forgotten_and_found_when_it_comes_back() {
    let near = Near::new();
    let desk = near.desk();
    desk.deploy(1, near.to("0.1.0")).unwrap();
    near.goes();
    let command = "`orchestrate deploy stop --environment production --host near1 --forget`";
    // It keeps its place, and each way says how it loses that.
    let said = desk.deploy(2, near.to("0.2.0")).unwrap_err().summary;
    assert!(said.contains("is not known") && said.contains(command), "{said}");
    let said = desk.runs(StopDeployment, 3, near.stop(false)).unwrap_err().summary;
    assert!(said.contains(command), "{said}");
    let (environment, record) = hosts(&desk.state()).unwrap().remove(0);
    let said = standing_on(&near.asking(&desk), &environment, &record).problem.unwrap();
    assert!(said.contains(command), "{said}");
    let said = desk.deploy(4, config("0.2.0", "")).unwrap_err().summary;
    assert!(said.contains("production is deployed to host `near1`"), "{said}");

    let forgot = desk.runs(StopDeployment, 5, near.stop(true)).unwrap();
    assert_eq!(forgot.summary, "forgot near1, and ended nothing");
    let finding = &forgot.findings[0].message;
    for part in ["near1 was not reached (host `near1` is not known: ", "0.1.0, in `srv/shop`, may run still"]
    {
        assert!(finding.contains(part), "{finding}");
    }
    let output = forgot.output.unwrap().value();
    assert_eq!(
        (&output["stopped"], &output["forgotten"][0]["host"], &output["forgotten"][0]["version"]),
        (&json!([]), &json!("near1"), &json!("0.1.0"))
    );
    assert!(!list(&desk).exists(), "the environment may move now");
    assert_eq!(near.alive(), ["0.1.0"], "nothing there was ended");
    let remembered = gone(&desk).remove(0);
    assert!(remembered.who.starts_with("ada@") && !remembered.over, "{remembered:?}");
    let told = |gone: &GoneHost| standing_on_gone(&near.asking(&desk), &environment, gone);
    let away = told(&remembered);
    assert_eq!((away.problem, away.services.len()), (None, 0));
    assert!(matches!(away.forgotten, Some(Remembered { answers: false, .. })), "{:?}", away.forgotten);

    // It comes back: what serves there is told, and ended by its name.
    near.returns();
    let back = told(&remembered);
    assert!(matches!(back.forgotten, Some(Remembered { answers: true, .. })), "{:?}", back.forgotten);
    assert_eq!(back.services[0].version.as_str(), "0.1.0");
    let stopped = desk.runs(StopDeployment, 6, near.stop(false)).unwrap();
    assert_eq!((stopped.summary.as_str(), near.alive().len()), ("stopped production 0.1.0 on near1", 0));
    assert!(gone(&desk)[0].over, "{:?}", gone(&desk));
}

#[test]
fn what_runs_on_a_host_that_comes_back_is_replaced_by_the_next_deployment() {
    let near = Near::new();
    let desk = near.desk();
    desk.deploy(1, near.to("0.1.0")).unwrap();
    near.goes();
    desk.runs(StopDeployment, 2, near.stop(true)).unwrap();
    near.returns();
    let done = desk.deploy(3, near.to("0.2.0")).unwrap();
    assert_eq!(near.alive(), ["0.2.0"], "no orphan serves: {}", done.summary);
    assert!(gone(&desk)[0].over);
    assert_eq!(hosts(&desk.state()).unwrap().remove(0).1.counts.unwrap().as_str(), "0.2.0");
}

#[test]
fn what_answers_is_ended_as_ever_and_never_forgotten() {
    let near = Near::new();
    let desk = near.desk();
    desk.deploy(1, near.to("0.1.0")).unwrap();
    let said = desk.call(ForgetHost, near.asked(), &key(2, 0, 0)).unwrap_err();
    assert!(said.contains("host `near1` answers: it is not forgotten"), "{said}");
    assert!(list(&desk).exists() && gone(&desk).is_empty());
    let stopped = desk.runs(StopDeployment, 3, near.stop(true)).unwrap();
    assert_eq!((stopped.summary.as_str(), near.alive().len()), ("stopped production 0.1.0 on near1", 0));
    assert!(stopped.findings.is_empty() && gone(&desk).is_empty());
}

/// A host that was set up anew has nothing of ours; what says nothing useful is no host that is gone.
#[test]
fn what_counts_as_gone_and_what_does_not() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let asks = |what: &str| {
        ops::closed(&near.config());
        near.is_reached_by(what);
        desk.call(AskHost, near.asked(), &key(2, 0, 0))
    };
    assert_eq!(asks("exec sh -c \"$last\"").unwrap()["unreached"], json!(null));
    for gone in [
        NOWHERE,
        "echo 'ada@near1: Permission denied (publickey).' >&2; exit 255",
        "echo 'WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!' >&2; exit 255",
        "echo 'Host key verification failed.' >&2; exit 255",
        "cat > /dev/null & echo '{\"absent\":\"Plan9 mips\"}'; wait",
    ] {
        let said = asks(gone).unwrap();
        assert!(said["unreached"].is_string(), "{gone}: {said}");
    }
    let here = "cat > /dev/null & i=0; while [ $i -lt 1100 ]; do echo hello; i=$((i+1)); done";
    let said = asks(here).unwrap_err();
    assert!(said.contains("its login prints and prints"), "{said}");
    near.returns();
}

#[test]
fn a_crash_in_between_forgets_once_and_forgetting_again_is_the_end_of_it() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let whole = std::fs::read(list(&desk)).unwrap();
    near.goes();
    let already = |run: u32| desk.already(ForgetHost, near.asked(), &key(run, 0, 0));
    assert_eq!(already(2), Already::NotDone);
    let forgot = desk.call(ForgetHost, near.asked(), &key(2, 0, 0)).unwrap();
    let Already::Done(known) = already(2) else { panic!("{:?}", already(2)) };
    assert_eq!(serde_json::to_value(known).unwrap(), forgot);
    // It died between the two files.
    std::fs::write(list(&desk), whole).unwrap();
    assert_eq!(already(2), Already::NotDone);
    desk.call(ForgetHost, near.asked(), &key(2, 0, 0)).unwrap();
    assert_eq!((gone(&desk).len(), gone(&desk)[0].over, list(&desk).exists()), (1, false, false));
    desk.call(ForgetHost, near.asked(), &key(3, 0, 0)).unwrap();
    assert_eq!((gone(&desk).len(), gone(&desk)[0].over), (1, true));
    near.returns();
}

/// Somebody cleaned its caches, and its services run: nobody forgets them.
#[test]
fn a_host_whose_program_is_gone_is_there_as_long_as_its_records_are() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    ops::closed(&near.config());
    std::fs::remove_dir_all(near.at("home/.cache")).unwrap();
    let records = near.state().join("deploy/production");
    std::fs::create_dir_all(&records).unwrap();
    for said in [
        desk.call(AskHost, near.asked(), &key(2, 0, 0)).unwrap_err(),
        desk.call(ForgetHost, near.asked(), &key(2, 0, 1)).unwrap_err(),
    ] {
        assert!(said.contains("a deployment to it brings that"), "{said}");
    }
    std::fs::remove_dir_all(&records).unwrap();
    let said = desk.call(AskHost, near.asked(), &key(2, 0, 2)).unwrap();
    assert!(said["unreached"].is_string(), "{said}");
}
