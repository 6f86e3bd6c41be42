//! What is claimed on a host whose turn it is not stays claimed while another one is watched.

use super::*;

/// The connection is cut and nobody does anything there for minutes: it is made anew.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_the_claim_of_a_host_holds_while_another_one_is_watched() {
    let fleet = Fleet::new(&["web1", "web2"]);
    let desk = fleet.desk();
    desk.deploy(1, fleet.to("0.1.0", "")).unwrap();
    let path = fleet.hosts[1].state().join("deploy/production/claim.json");
    let heard = move || {
        let claim: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        claim["heard"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    let mut config = fleet.to("0.2.0", "");
    config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
    let (ssh, state) = (fleet.config(), fleet.hosts[1].state());
    let (mut looks, mut cut) = ([0; 2], None);
    let counted = std::sync::Arc::new(std::sync::Mutex::new(0));
    let said = counted.clone();
    *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
        let at = usize::from(wait.message.contains("(host web2, "));
        looks[at] += 1;
        *said.lock().unwrap() = looks[0];
        if at == 0 && looks[0] == 3 {
            ops::closed(&ssh);
            age_claim(&state);
            cut = Some(heard());
        }
        let again = at == 0 && cut.is_some_and(|cut| heard() != cut);
        (again || looks[at] > 60 || at == 1 && looks[1] == 2).then(|| json!("promote"))
    });
    let done = desk.deploy(2, config).unwrap();
    assert_eq!(fleet.served(), ["0.2.0"; 2], "{done:?}");
    let looks = *counted.lock().unwrap();
    assert!((20..40).contains(&looks), "it was heard of after {looks} looks");
    fleet.is_settled();
}
