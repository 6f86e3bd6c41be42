//! Whoever deploys to several hosts dies between two of them and does not go on: the next deployment puts all of them right.

use super::*;

/// A deployment that got that far: what it would do next.
struct Dead {
    task: Task<Json>,
    actions: Vec<Action>,
    round: u32,
}

/// Which operations an action is, on which host: `start-service web2`.
fn names(actions: &[Action]) -> Vec<String> {
    let name = |action: &Action| {
        let Action::Call(call) = action else { return "wait".to_owned() };
        let input = call.input.value();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&input["operation"]), text(&input["host"]["name"]))
    };
    actions.iter().map(name).collect()
}

impl Dead {
    /// Deploys until the round that has that action, and dies before or after it was performed.
    fn at(desk: &Desk, run: u32, config: Value, action: &str, performed: bool) -> Self {
        let agent = dyn_agent(desk.agent()).unwrap();
        let mut task: Task<Json> = task(config.into());
        let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
        let mut actions;
        (task.carried, actions) = desk.runtime.block_on(agent.prepare(&task, &look)).unwrap();
        for round in 0.. {
            let is_last = names(&actions).iter().any(|name| name == action);
            if is_last && !performed {
                return Self { task, actions, round };
            }
            let receipts = desk.receipts(&actions, run, round);
            if is_last {
                return Self { task, actions, round };
            }
            match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
                Verdict::More { actions: next, carried } => (actions, task.carried) = (next, carried),
                over => panic!("{over:?}"),
            }
        }
        unreachable!("rounds end")
    }

    /// It is resumed, and performs what it was about to.
    fn goes_on(mut self, desk: &Desk, run: u32) -> String {
        let agent = dyn_agent(desk.agent()).unwrap();
        loop {
            let receipts = desk.receipts(&self.actions, run, self.round);
            match agent.conclude(&self.task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
                Verdict::More { actions, carried } => (self.actions, self.task.carried) = (actions, carried),
                Verdict::Failed(said) => return said.summary,
                other => panic!("{other:?}"),
            }
            self.round += 1;
        }
    }
}

impl Fleet {
    /// All connections end, and for a while nobody is heard of.
    fn is_left_alone(&self) {
        ops::closed(&self.config());
        for host in &self.hosts {
            eventually("the end of the program there", || host.processes("perform").is_empty());
            age_claim(&host.state());
        }
    }
}

/// The first host serves 0.2.0 and counts, the second one serves 0.1.0; both are claimed by whoever died.
fn taken_over(action: &str, performed: bool) {
    let fleet = Fleet::new(&["web1", "web2"]);
    let (one, other) = (fleet.desk(), fleet.desk());
    one.deploy(1, fleet.to("0.1.0", "")).unwrap();
    let dead = Dead::at(&one, 2, fleet.to("0.2.0", ""), action, performed);
    assert_eq!(fleet.served(), ["0.2.0", "0.1.0"]);
    for host in &fleet.hosts {
        assert!(host.state().join("deploy/production/claim.json").exists(), "{}", host.name);
    }
    ops::closed(&fleet.config());
    let early = other.deploy(3, fleet.to("0.3.0", "")).unwrap_err().summary;
    assert!(
        early.contains("was not deployed to any host: web1: ") && early.contains("is claimed by run"),
        "{early}"
    );
    fleet.is_left_alone();

    // One that fails leaves each host with what it served.
    std::fs::write(fleet.hosts[1].at("home/ill-0.3.0"), "").unwrap();
    let failed = other.deploy(4, fleet.to("0.3.0", "")).unwrap_err();
    assert!(failed.summary.contains("; back: web1 (0.2.0)"), "{}", failed.summary);
    let notes = |said: &[orchestrator_core::evidence::Finding]| {
        let over =
            said.iter().filter(|finding| finding.message.contains("was taken over: its owner is gone"));
        over.map(|finding| finding.message.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(notes(&failed.findings), ["web1", "web2"], "{failed:?}");
    assert_eq!(fleet.served(), ["0.2.0", "0.1.0"]);
    fleet.is_settled();

    let done = other.deploy(5, fleet.to("0.4.0", "")).unwrap();
    assert_eq!(notes(&done.findings), Vec::<String>::new(), "{done:?}");
    assert_eq!(fleet.served(), ["0.4.0"; 2]);
    fleet.is_settled();
    for host in &fleet.hosts {
        assert_eq!(host.alive(), ["0.4.0"], "{}", host.name);
    }

    // Whoever was thought dead wakes up: nothing there is its own any more.
    let woke = dead.goes_on(&one, 2);
    assert!(woke.contains("another run took it over and has released it"), "{woke}");
    assert_eq!(fleet.served(), ["0.4.0"; 2], "{woke}");
    fleet.is_settled();
    for host in &fleet.hosts {
        assert_eq!(host.alive(), ["0.4.0"], "{}: {woke}", host.name);
    }
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_who_dies_between_two_hosts_is_taken_over_on_all() {
    taken_over("start-service web2", false);
}

/// The second host has the new version beside the one that serves.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_who_dies_in_the_turn_of_the_second_host_is_taken_over_on_all() {
    taken_over("start-service web2", true);
}

/// The second host has failed and is as it was; the first was about to go back.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_who_dies_on_the_way_back_is_taken_over_on_all() {
    let fleet = Fleet::new(&["web1", "web2"]);
    let (one, other) = (fleet.desk(), fleet.desk());
    one.deploy(1, fleet.to("0.1.0", "")).unwrap();
    std::fs::write(fleet.hosts[1].at("home/ill-0.2.0"), "").unwrap();
    let dead = Dead::at(&one, 2, fleet.to("0.2.0", ""), "reinstate web1", false);
    assert_eq!(fleet.served(), ["0.2.0", "0.1.0"]);
    ops::closed(&fleet.config());
    age_claim(&fleet.hosts[0].state());
    for host in &fleet.hosts {
        eventually("the end of the program there", || host.processes("perform").is_empty());
    }
    let done = other.deploy(3, fleet.to("0.3.0", "")).unwrap();
    assert_eq!(fleet.served(), ["0.3.0"; 2], "{done:?}");
    let woke = dead.goes_on(&one, 2);
    assert_eq!(fleet.served(), ["0.3.0"; 2], "{woke}");
    assert!(woke.contains("web1 could not go back: "), "{woke}");
    fleet.is_settled();
}
