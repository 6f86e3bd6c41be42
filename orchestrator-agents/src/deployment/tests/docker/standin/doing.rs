//! What the stand-in does about its images and containers when it is asked.

use super::serving::{Answer, json_of, said};
use super::*;

impl Inner {
    pub(super) fn carry_out(
        &mut self,
        own: &Arc<Mutex<Inner>>,
        name: &str,
        path: &str,
        query: &[(String, String)],
        body: &[u8],
    ) -> Answer {
        let given =
            |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let id = path.split('/').nth(2).unwrap_or_default().to_owned();
        match name {
            "SystemVersion" => {
                json_of(200, json!({ "Version": "stand-in", "ApiVersion": "1.41", "MinAPIVersion": "1.12" }))
            }
            "ImageInspect" => {
                let id = percent_encoding::percent_decode_str(&id).decode_utf8().unwrap();
                match self.images.get(&*id) {
                    Some(image) => json_of(
                        200,
                        json!({
                            "Id": image, "RepoTags": [id], "RepoDigests": [], "Parent": "", "Comment": "", "Created": "2026-11-20T23:44:33Z",
                            "Container": "", "DockerVersion": "", "Author": "", "Architecture": "amd64", "Os": "linux", "Size": 1,
                            "VirtualSize": 1, "GraphDriver": { "Name": "x", "Data": {} }, "RootFS": { "Type": "layers" }
                        }),
                    ),
                    None => said(404, &format!("No such image: {id}")),
                }
            }
            "ImageCreate" => self.pull(given("fromImage").unwrap()),
            "ContainerCreate" => self.create(given("name").unwrap(), body),
            "ContainerStart" => self.start(own, &id),
            "ContainerInspect" => self
                .containers
                .get_mut(&id)
                .map_or_else(|| missing(&id), |contained| json_of(200, contained.inspected(&id))),
            "ContainerList" => json_of(200, self.listed(given("filters").unwrap())),
            "ContainerLogs" => self
                .containers
                .get(&id)
                .map_or_else(|| missing(&id), |contained| contained.logs(given("since").unwrap())),
            "ContainerStats" => self
                .containers
                .get(&id)
                .map_or_else(|| missing(&id), |contained| json_of(200, contained.stats())),
            "ContainerStop" => match self.containers.get_mut(&id) {
                None => missing(&id),
                Some(contained) if contained.child.is_none() && !contained.returns => {
                    (304, "text/plain", Vec::new())
                }
                Some(contained) => {
                    contained.end();
                    (204, "text/plain", Vec::new())
                }
            },
            "ContainerDelete" => match self.containers.remove(&id) {
                None => missing(&id),
                Some(mut contained) => {
                    self.forwarders.remove(&id);
                    contained.end();
                    (204, "text/plain", Vec::new())
                }
            },
            other => panic!("the stand-in cannot {other}"),
        }
    }

    fn pull(&mut self, name: &str) -> Answer {
        let line = match self.registry.get(name).cloned() {
            Some(id) => {
                self.images.insert(name.to_owned(), id);
                json!({ "status": "Download complete" })
            }
            None => {
                json!({ "error": format!("manifest for {name} not found"), "errorDetail": { "message": format!("manifest for {name} not found") } })
            }
        };
        (200, "application/json", format!("{line}\n").into_bytes())
    }

    fn create(&mut self, name: &str, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap();
        let image = body["Image"].as_str().unwrap();
        if !self.images.iter().any(|(name, id)| name == image || id == image) {
            return said(404, &format!("No such image: {image}"));
        }
        if self.containers.contains_key(name) {
            return said(409, &format!("Conflict. The container name \"/{name}\" is already in use"));
        }
        self.next += 1;
        let id = format!("{:064x}", self.next);
        let contained = Contained {
            id: id.clone(),
            body,
            child: None,
            started: Timestamp::UNIX_EPOCH,
            exit: 0,
            restarts: 0,
            returns: false,
            stopped: false,
            log: Arc::default(),
        };
        self.containers.insert(name.to_owned(), contained);
        json_of(201, json!({ "Id": id, "Warnings": [] }))
    }

    fn start(&mut self, own: &Arc<Mutex<Inner>>, name: &str) -> Answer {
        let Some(contained) = self.containers.get_mut(name) else { return missing(name) };
        if contained.child.is_some() {
            return (304, "text/plain", Vec::new());
        }
        let port = contained.publish();
        if self.taken.remove(&port)
            || self.taken.remove("any")
            || !orchestrator_traffic::ports::is_free(port.parse().unwrap())
        {
            return said(
                500,
                &format!(
                    "driver failed programming external connectivity: Bind for 127.0.0.1:{port} failed: port is already allocated"
                ),
            );
        }
        if self.forwards {
            let (forwarder, inside) = Forwarder::before(port.parse().unwrap());
            contained.body["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostPort"] =
                json!(inside.to_string());
            self.forwarders.insert(name.to_owned(), forwarder);
        }
        contained.spawn();
        let (own, name, id) = (Arc::downgrade(own), name.to_owned(), contained.id.clone());
        // Starts it again after a failure, as often as its policy says.
        std::thread::spawn(move || {
            while let Some(own) = own.upgrade() {
                let mut all = own.lock().unwrap();
                let Some(contained) = all
                    .containers
                    .get_mut(&name)
                    .filter(|contained| contained.id == id && !contained.stopped)
                else {
                    break;
                };
                if contained.returns {
                    contained.restarts += 1;
                    contained.spawn();
                } else if contained.ended() {
                    let policy = &contained.body["HostConfig"]["RestartPolicy"];
                    let most = policy["MaximumRetryCount"].as_i64().unwrap_or(0);
                    contained.returns =
                        policy["Name"] == "on-failure" && contained.exit != 0 && contained.restarts < most;
                    if !contained.returns {
                        break;
                    }
                }
                drop(all);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        (204, "text/plain", Vec::new())
    }

    fn listed(&mut self, filters: &str) -> Value {
        let filters: Value = serde_json::from_str(filters).unwrap();
        let (label, value) = filters["label"][0].as_str().unwrap().split_once('=').unwrap();
        let all = self.containers.iter().filter(|(_, contained)| contained.body["Labels"][label] == value);
        all.map(|(name, contained)| json!({ "Id": contained.id, "Names": [format!("/{name}")], "Labels": contained.body["Labels"] })).collect()
    }
}

fn missing(name: &str) -> Answer {
    said(404, &format!("No such container: {name}"))
}
