//! What people say while one of several hosts is watched.

use super::*;

impl Fleet {
    /// A deployment whose watch ends when somebody says so: on each host that word, at its second look.
    fn said(
        &self,
        desk: &Desk,
        run: u32,
        version: &str,
        words: &[(&'static str, Value)],
    ) -> Result<Conclusion<Json>, Conclusion<()>> {
        let mut config = self.to(version, "");
        config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
        let words = words.to_vec();
        let mut looks = 0;
        *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
            wait.signal.as_ref()?;
            looks += 1;
            let of = |(host, _): &&(&str, Value)| wait.message.contains(&format!("(host {host}, "));
            let (_, word) = words.iter().find(of).expect("the wait names its host");
            (looks % 2 == 0).then(|| word.clone())
        });
        desk.deploy(run, config)
    }
}

/// The first host serves the new version and counts, the third one was never touched: all are as they were.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_person_takes_all_hosts_back_from_the_watch_of_the_second() {
    let fleet = Fleet::new(&["web1", "web2", "web3"]);
    let desk = fleet.desk();
    desk.deploy(1, fleet.to("0.1.0", "")).unwrap();
    let promote = ("web1", json!({ "decision": "promote", "by": "bob" }));
    let back = ("web2", json!({ "decision": "rollback", "by": "ada" }));
    let failed = fleet.said(&desk, 2, "0.2.0", &[promote, back]).unwrap_err();
    assert!(
        failed
            .summary
            .starts_with("production: web2: 0.2.0 was rolled back: ada said so; 0.1.0 has all traffic again")
            && failed.summary.ends_with("; back: web1 (0.1.0); untouched: web3"),
        "{}",
        failed.summary
    );
    assert_eq!(fleet.served(), ["0.1.0"; 3]);
    assert!(fleet.counted(0, "0.2.0").is_some() && fleet.began(2, "0.2.0").is_none());
    fleet.is_settled();
    let told: Vec<String> = (0..3).map(|at| fleet.told(at).pop().unwrap()).collect();
    assert!(told[0].starts_with("rolled back 0.2.0: web2: ada said so"), "{told:?}");
    assert_eq!(told[1..], ["rolled back 0.2.0: ada said so", "promoted 0.1.0: "]);

    // The same version again, and each host by its own word.
    let promote = |host| (host, json!({ "decision": "promote", "by": "bob" }));
    let done = fleet.said(&desk, 3, "0.2.0", &["web1", "web2", "web3"].map(promote)).unwrap();
    assert_eq!(fleet.served(), ["0.2.0"; 3], "{done:?}");
    let output = done.output.unwrap().value();
    let by = |at: usize| output["hosts"][at]["watch"]["by"].as_str().map(str::to_owned);
    assert_eq!([by(0), by(1), by(2)], [(); 3].map(|()| Some("bob".to_owned())), "{output}");
    fleet.is_settled();
}
