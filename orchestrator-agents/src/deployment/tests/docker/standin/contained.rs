//! A container: a process of the fixture, and what an engine says of it.

use super::serving::Answer;
use super::*;

impl Contained {
    pub(in crate::deployment::tests::docker) fn publish(&self) -> String {
        let bindings = self.body["HostConfig"]["PortBindings"]["8080/tcp"][0].clone();
        assert_eq!(bindings["HostIp"], "127.0.0.1");
        bindings["HostPort"].as_str().unwrap().to_owned()
    }

    pub(super) fn spawn(&mut self) {
        let env = self.body["Env"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair.as_str().unwrap().split_once('=').unwrap());
        let mut command = Command::new(service_binary());
        command
            .env_clear()
            .envs(env)
            .env("PORT", self.publish())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, lines) = (self.log.clone(), BufReader::new(child.stderr.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                log.lock().unwrap().push((Timestamp::now(), line));
            }
        });
        (self.child, self.started, self.returns) = (Some(child), Timestamp::now(), false);
    }

    /// Whether it ended by itself, now or before.
    pub(super) fn ended(&mut self) -> bool {
        let Some(child) = &mut self.child else { return true };
        let Some(status) = child.try_wait().unwrap() else { return false };
        self.exit = status.code().map_or(137, i64::from);
        self.child = None;
        true
    }

    pub(super) fn end(&mut self) {
        (self.stopped, self.returns) = (true, false);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            self.exit = 143;
        }
    }

    pub(super) fn inspected(&mut self, name: &str) -> Value {
        self.ended();
        let policy = Some(self.body["HostConfig"]["RestartPolicy"].clone()).filter(Value::is_object);
        let policy = policy.unwrap_or_else(|| json!({ "Name": "", "MaximumRetryCount": 0 }));
        let (runs, pid) = (self.child.is_some(), self.child.as_ref().map_or(0, Child::id));
        let status = if runs {
            "running"
        } else if self.returns {
            "restarting"
        } else {
            "exited"
        };
        json!({
            "Id": self.id, "Name": format!("/{name}"), "Image": self.body["Image"], "RestartCount": self.restarts,
            "State": { "Status": status, "Running": runs || self.returns, "Restarting": self.returns, "Paused": false, "OOMKilled": false,
                "Dead": false, "Pid": pid, "ExitCode": self.exit, "Error": "", "StartedAt": self.started.to_string(),
                "FinishedAt": "0001-01-01T00:00:00Z" },
            "HostConfig": { "RestartPolicy": policy },
            "Config": { "Labels": self.body["Labels"], "Env": self.body["Env"], "Image": self.body["Image"] },
        })
    }

    pub(super) fn stats(&self) -> Value {
        let status = self
            .child
            .as_ref()
            .and_then(|child| std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok());
        let rss =
            status.as_ref().and_then(|status| status.lines().find_map(|line| line.strip_prefix("VmRSS:")));
        let kib: u64 = rss.and_then(|rss| rss.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
        json!({ "memory_stats": { "usage": (kib + 1000) << 10, "stats": { "inactive_file": 1000 << 10 }, "limit": 1_u64 << 40 } })
    }

    /// Each line in a frame: the stream, three zeros, the length, and the line with its time.
    pub(super) fn logs(&self, since: &str) -> Answer {
        let since: i64 = since.parse().unwrap();
        let mut frames = Vec::new();
        for (at, line) in self.log.lock().unwrap().iter().filter(|(at, _)| at.as_second() >= since) {
            let text = format!("{at} {line}\n");
            frames.extend_from_slice(&[2, 0, 0, 0]);
            frames.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
            frames.extend_from_slice(text.as_bytes());
        }
        (200, "application/vnd.docker.raw-stream", frames)
    }
}
