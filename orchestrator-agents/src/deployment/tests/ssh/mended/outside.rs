//! Artifacts that lie outside of the checkout, as Cargo's target folder may.

use super::*;

impl Near {
    pub(super) fn deploys(&self, version: &str, mode: &str) -> Value {
        let mut config = config(version, mode);
        config["target"] =
            json!({ "kind": "ssh", "hosts": ["near1"], "folder": "srv/shop", "config": self.config() });
        config
    }
}

#[test]
fn an_artifact_outside_of_the_checkout_is_brought_where_it_may_be_there() {
    let near = Near::new();
    let desk = near.desk();
    let built = near.at("built");
    let inside = desk.folder.path().join("target/release/app");
    assert!(Command::new("cp").arg(inside).arg(&built).status().unwrap().success());
    let mut config = near.deploys("0.1.0", "");
    config["artifact"] = json!(built.display().to_string());
    let said = desk.deploy(1, config.clone()).unwrap_err().summary;
    assert!(said.contains("lies outside the checkout"), "{said}");
    assert!(
        !desk.state().join("deploy/production/host.json").exists(),
        "it was said before anything was done"
    );
    config["outside"] = json!(true);
    let done = desk.deploy(2, config).unwrap();
    assert!(done.summary.contains("0.1.0 answers at http://127.0.0.1:"), "{done:?}");
}
