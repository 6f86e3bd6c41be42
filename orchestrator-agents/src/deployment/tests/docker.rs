//! Versions that are containers. Once against a stand-in for the engine, which holds every request and every answer of its own against
//! the engine's published schema and runs a real process for each container; once against a real engine, where there is one.

mod brought;
mod dry;
mod dying;
mod faults;
mod forwarded;
mod gone;
mod hanging;
mod lifecycle;
mod logged;
mod real;
mod restarted;
mod schema;
mod standin;
mod stopping;
mod unasked;

use super::*;
use standin::Engine;

/// A deployment to production as a container that behaves like `mode`.
fn contained(socket: &Path, version: &str, mode: &str) -> Value {
    let mut config = config(version, mode);
    config.as_object_mut().unwrap().remove("artifact");
    config["target"] =
        json!({ "kind": "docker", "image": "school:{version}", "port": 8080, "socket": socket });
    config
}

/// The same as the input of `start-container`.
fn start_contained(socket: &Path, version: &str, mode: &str) -> Value {
    let mut input = start(version, mode);
    let fields = input.as_object_mut().unwrap();
    fields.remove("artifact");
    fields.insert("image".into(), json!(format!("school:{version}")));
    fields.insert("port".into(), json!(8080));
    fields.insert("restarts".into(), json!(3));
    fields.insert("socket".into(), json!(socket));
    input
}

/// As `eventually`, for engines that take their time: podman starts a program for each thing that it does.
fn patiently(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_mins(2);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come to be");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Desk {
    /// What is recorded of a version's release.
    fn release_of(&self, version: &str) -> Value {
        let folder = self.state().join("deploy/production/releases");
        let records =
            std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path().join("release.json"));
        let mut records =
            records.filter_map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).ok()?).ok());
        records.find(|record| record["version"] == version).unwrap()
    }

    fn log_of(&self, version: &str) -> String {
        let name = self.release_of(version)["name"].as_str().unwrap().to_owned();
        let log = self.state().join("deploy/production/releases").join(name).join("service.log");
        std::fs::read_to_string(log).unwrap_or_default()
    }
}
