//! Messages of a roadmap: to a server on loopback, and only by a run that may publish.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Folder, Said, output};

/// A webhook on loopback that keeps what it was told.
pub(super) struct Webhook {
    pub(super) url: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Webhook {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/T0/B0/secret-part", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(text) = answer(stream) {
                    keep.lock().unwrap().push(text);
                }
            }
        });
        Self { url, told }
    }

    /// The texts so far, in order of the alphabet.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap().clone();
        told.sort();
        told
    }
}

/// Reads one request, answers `ok`, and gives the text of the message.
fn answer(mut stream: TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            })?;
            if body.len() >= length {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").ok()?;
                let body: serde_json::Value = serde_json::from_str(body).ok()?;
                return body["text"].as_str().map(str::to_owned);
            }
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&part[..read]);
    }
}

const ROADMAP: &str = "\
orchestrator:
  name: told
  settings:
    retry_attempts: 0
    notifications: {on_phase_complete: true, on_failure: true, slack_webhook: '${SLACK_WEBHOOK}'}
phase_1:
  name: Groundwork
  groups:
    group_a: {tasks: [{id: '1.1', type: command, run: 'true'}]}
phase_2:
  name: Trouble
  groups:
    group_b: {tasks: [{id: '2.1', type: command, run: 'test -e mended'}]}
";

fn run(folder: &Folder, webhook: &Webhook, flags: &str) -> Said {
    let mut command = folder.program(&format!("run {flags}"));
    command.env("SLACK_WEBHOOK", &webhook.url);
    output(command)
}

#[test]
fn phases_that_pass_or_fail_are_told_once_each_and_the_address_stays_secret() {
    let folder = Folder::with(ROADMAP);
    let webhook = Webhook::new();
    let said = run(&folder, &webhook, "--ceiling publishes").exits(1);
    let told = webhook.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("Groundwork") && told[0].contains("passed"), "{told:?}");
    assert!(told[1].contains("Trouble") && told[1].contains("failed"), "{told:?}");
    let journal = std::fs::read_to_string(folder.journal()).unwrap();
    for text in [&said.out, &said.err, &journal] {
        assert!(!text.contains("secret-part"), "the address is a secret: {text}");
    }
    folder.write("mended", "");
    run(&folder, &webhook, "--failed --ceiling publishes").exits(0);
    assert!(
        webhook.told().iter().any(|text| text.contains("Trouble") && text.contains("passed")),
        "{:?}",
        webhook.told()
    );
}

#[test]
fn neither_a_dry_run_nor_one_that_may_only_write_tells_anything() {
    let folder = Folder::with(ROADMAP);
    let webhook = Webhook::new();
    folder.write("mended", "");
    run(&folder, &webhook, "--dry-run").exits(3);
    run(&folder, &webhook, "");
    assert_eq!(webhook.told(), [""; 0]);
}

#[test]
fn an_address_in_the_file_is_refused_and_not_repeated() {
    let folder =
        Folder::with(&ROADMAP.replace("${SLACK_WEBHOOK}", "https://hooks.example.invalid/secret-part"));
    let said = folder.orchestrate("validate").exits(2).says(&["say `${NAME}`"]);
    assert!(!said.err.contains("secret-part"), "{}", said.err);
}
