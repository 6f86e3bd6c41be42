//! What a cut leaves under way on a host: it is waited for, or ended, and nothing runs beside it.

use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::sync::mpsc::{Receiver, channel};

use super::*;

impl Near {
    /// The programs at the ends of connections.
    pub(super) fn programs(&self) -> Vec<u32> {
        let home = self.at("home").display().to_string();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let says = |pid: &u32, file: &str, what: &str| {
            let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(what)
        };
        pids.filter(|pid| {
            says(pid, "environ", &format!("HOME={home}\0"))
                && says(pid, "environ", "PERFORM=perform\0")
                && says(pid, "cmdline", "the_other_end")
        })
        .collect()
    }
}

/// Migrations by a tool that takes so many tenths of a second the first time, and tells where another one runs beside it.
fn migrations(folder: &Path, check: &str, first: u32) -> Value {
    let log = folder.display();
    let apply = format!(
        "if [ -e {log}/pid ] && ! grep -qs ') [ZX] ' /proc/$(cat {log}/pid)/stat && kill -0 $(cat {log}/pid) 2>/dev/null; then echo beside >> {log}/log; fi; \
         trap '' TERM; echo $$ > {log}/pid; echo began >> {log}/log; i=0; \
         n={first}; if [ $(grep -c began {log}/log) -gt 1 ]; then n=5; fi; while [ $i -lt $n ]; do sleep 0.1; i=$((i+1)); done; touch {log}/applied; echo ended >> {log}/log"
    );
    json!({ "environment": "production", "folder": "migrations", "files": [], "stage": "expand", "timeout": 60,
        "database": { "command": { "apply": ["sh", "-c", apply], "check": ["sh", "-c", check] } } })
}

fn log(near: &Near) -> String {
    std::fs::read_to_string(near.at("log")).unwrap_or_default()
}

/// Migrates; the program at the other end is killed while the tool runs.
fn killed(near: &Near, desk: &Desk, check: &str) -> Result<Value, String> {
    let order = near.on("apply-migrations", migrations(near.folder.path(), check, 300));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("a tool under way", || near.at("pid").exists());
            for pid in near.programs() {
                signal(pid, Signal::KILL);
            }
        });
        desk.call(near.act(), order, &key(2, 0, 0))
    })
}

#[test]
fn a_tool_that_a_killed_program_left_ends_before_another_begins() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let check = format!("test -e {}", near.at("applied").display());
    killed(&near, &desk, &check).unwrap();
    assert_eq!(log(&near), "began\nbegan\nended\n");
    assert_eq!(std::fs::read_dir(near.state().join("under-way")).unwrap().count(), 0);
}

#[test]
fn what_nobody_can_tell_is_not_done_twice() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let said = killed(&near, &desk, "exit 127").unwrap_err();
    assert!(said.contains("nobody can tell whether `apply-migrations` was done"), "{said}");
    assert_eq!(log(&near), "began\n");
}

/// A laptop that died and is resumed without its network: what is done is not done again once the host is reached.
#[test]
fn what_could_not_be_asked_is_asked_before_it_is_called() {
    let near = Near::new();
    let down = near.at("down");
    near.is_reached_by(&format!(
        "if [ -e {} ]; then echo 'ssh: connect to host near1 port 22: Connection refused' >&2; exit 255; fi; exec sh -c \"$last\"",
        down.display()
    ));
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    ops::closed(&near.config());
    std::fs::create_dir_all(near.at("home/srv/shop/.orchestrate")).unwrap();
    std::fs::write(&down, "").unwrap();
    let check = format!("test -e {}", near.at("applied").display());
    let order = near.on("apply-migrations", migrations(near.folder.path(), &check, 5));
    let asked = desk.already(near.act(), order.clone(), &key(2, 0, 0));
    assert!(matches!(asked, Already::NotDone), "{asked:?}");
    std::fs::remove_file(&down).unwrap();
    std::fs::write(near.at("applied"), "").unwrap();
    desk.call(near.act(), order.clone(), &key(2, 0, 0)).unwrap();
    assert_eq!(log(&near), "", "it was done before");
    // Any other order is called as ever.
    desk.call(near.act(), order, &key(2, 0, 1)).unwrap();
    assert_eq!(log(&near), "began\nended\n");
}

#[test]
fn what_a_login_prints_is_no_reason_to_give_up() {
    let near = Near::new();
    near.is_reached_by("echo 'ada@near1: Permission denied (publickey).' >&2; exec sh -c \"$last\"");
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    killed(&near, &desk, &format!("test -e {}", near.at("applied").display())).unwrap();
}

fn claims(near: &Near, desk: &Desk, run: u32) -> Result<Value, String> {
    let input = json!({ "environment": "production", "version": "0.1.0" });
    desk.call(near.act(), near.on("claim-environment", input), &key(run, 0, 0))
}

/// Between two calls of a deployment, too.
#[test]
fn a_claim_outlives_its_connection_for_a_while() {
    let near = Near::new();
    let (one, other) = (near.desk(), near.desk());
    near.prepare(&one, &near.at("program")).unwrap();
    near.prepare(&other, &near.at("program")).unwrap();
    claims(&near, &one, 2).unwrap();
    ops::closed(&near.config());
    eventually("the end of the program there", || near.programs().is_empty());
    let said = claims(&near, &other, 3).unwrap_err();
    assert!(said.contains("production is claimed by run"), "{said}");
    // Whoever has it goes on.
    claims(&near, &one, 2).unwrap();
    ops::closed(&near.config());
    eventually("the end of the program there", || near.programs().is_empty());
    age_claim(&near.state());
    claims(&near, &other, 3).unwrap();
}

/// The claim names the connection that is used, and not one that lives still and ends before it.
#[test]
fn a_claim_names_the_process_through_which_it_is_used() {
    let near = Near::new();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let mut end = End::new(&near);
    let input = json!({ "environment": "production", "version": "0.1.0" });
    let order = json!({ "key": key(2, 0, 0), "operation": "claim-environment", "input": input });
    end.say(&json!({ "call": { "order": order, "reads": false } }));
    assert!(end.hear().get("output").is_some());
    let path = near.state().join("deploy/production/claim.json");
    let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
    let mut claim = read();
    let other = ops::identity(std::os::unix::process::parent_id()).unwrap();
    claim["process"] = serde_json::to_value(other).unwrap();
    std::fs::write(&path, claim.to_string()).unwrap();
    let order = json!({ "key": key(2, 0, 1), "operation": "confirm-claim", "input": { "environment": "production" } });
    end.say(&json!({ "call": { "order": order, "reads": true } }));
    assert!(end.hear().get("output").is_some());
    assert_eq!(read()["process"]["pid"], json!(std::process::id()));
}

/// The program at the other end of a connection, in a thread.
pub(super) struct End {
    to: PipeWriter,
    from: Receiver<Value>,
}

impl End {
    pub(super) fn new(near: &Near) -> Self {
        let ((input, to), (output, out)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        let with = Performing { home: near.at("home"), env, supervisor: None };
        std::thread::spawn(move || perform(input, out, with).unwrap());
        let (tell, from) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).unwrap();
                if answer.get("alive").is_none() && tell.send(answer).is_err() {
                    return;
                }
            }
        });
        let mut end = Self { to, from };
        end.say(&json!({ "hello": { "folder": "srv/shop", "owner": "ada@desk" } }));
        assert!(end.hear().get("hello").is_some());
        end
    }

    pub(super) fn say(&mut self, question: &Value) {
        writeln!(self.to, "{question}").unwrap();
    }

    /// Cuts the connection.
    pub(super) fn cut(self) {
        drop(self.to);
    }

    pub(super) fn hear(&self) -> Value {
        self.from.recv_timeout(Duration::from_mins(1)).unwrap()
    }
}

/// The network went silently: the end that was cut off has heard nothing of it, and goes on.
#[test]
fn what_goes_on_unheard_is_waited_for() {
    let near = Near::new();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let check = format!("test -e {}", near.at("applied").display());
    let order = json!({ "key": key(2, 0, 0), "operation": "apply-migrations",
        "input": migrations(near.folder.path(), &check, 20) });
    let (mut cut_off, mut again) = (End::new(&near), End::new(&near));
    cut_off.say(&json!({ "call": { "order": order, "reads": false } }));
    eventually("a tool under way", || near.at("pid").exists());
    again.say(&json!({ "already": { "order": order } }));
    let told = again.hear();
    assert!(told.get("was_done").is_some(), "{told}");
    assert_eq!(log(&near), "began\nended\n");
    // Whoever calls without asking waits as well.
    again.say(&json!({ "call": { "order": order, "reads": false } }));
    eventually("another one", || log(&near).matches("began").count() == 2);
    cut_off.say(&json!({ "call": { "order": order, "reads": false } }));
    assert!(cut_off.hear().get("output").is_some() && again.hear().get("output").is_some());
    assert!(cut_off.hear().get("output").is_some());
    assert!(!log(&near).contains("beside"), "{}", log(&near));
}
