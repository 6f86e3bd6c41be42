//! Who else talks to a supervisor, or wants to be one.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::*;

fn say(desk: &Desk, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(desk.production().join("supervise.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // It may answer, and close, before all is sent.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn hostile_orders_change_nothing() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let mode = std::fs::metadata(desk.production().join("supervise.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else may connect");
    for (order, said) in [
        ("hunter2\n", "no order"),
        ("{\"do\":\"hunter2\"}\n", "no order"),
        ("{\"do\":\"start\",\"release\":\"x\",\"port\":99999,\"env\":{}}\n", "no order"),
        ("{\"do\":\"start\",\"release\":\"../../../../etc\",\"port\":1,\"env\":{}}\n", "there is no release"),
        ("{\"do\":\"start\",\"release\":\"x\",\"port\":1,\"env\":{},\"more\":1}\n", "no order"),
        ("{\"do\":\"keep\",\"release\":\"x\"}\n", "is not kept here"),
        (
            "{\"do\":\"adopt\",\"release\":\"x\",\"port\":1,\"process\":{\"pid\":1,\"started\":1,\"boot\":\"\"}}\n",
            "there is no release",
        ),
        ("{\"do\":\"end\",\"release\":\"x\",\"grace_ms\":1}\n", "\"is\":\"done\""),
        (
            "{\"do\":\"proxy\",\"proxy\":{\"program\":\"/bin/true\",\"args\":[],\"listen\":[]}}\n",
            "needs an address",
        ),
        ("{\"do\":\"status\"", "has no end"),
        ("", "has no end"),
        ("\0\u{1}\n", "no order"),
    ] {
        let answer = say(&desk, order.as_bytes());
        assert!(answer.contains(said) && !answer.contains("hunter2"), "{order}: {answer}");
    }
    let answer = say(&desk, &vec![b'['; 5 << 20]);
    assert!(answer.is_empty() || answer.contains("at most"), "{answer}");
    assert!(say(&desk, format!("{}\n", "[".repeat(1 << 20)).as_bytes()).contains("no order"));
    // A process that is not of that release is not taken for it.
    let strange = json!({ "do": "adopt", "release": started["release"], "port": 1, "process": ops::identity(std::process::id()) });
    say(&desk, format!("{strange}\n").as_bytes());
    assert_eq!(json!(desk.kept().process), started["process"]);
    // Those who say nothing do not keep others from asking: more are let go than are let in.
    let idle: Vec<_> =
        (0..20).map(|_| UnixStream::connect(desk.production().join("supervise.sock")).unwrap()).collect();
    assert!(desk.standing().is_some());
    drop(idle);
    let text = std::fs::read_to_string(desk.production().join("supervise.log")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn there_is_only_one() {
    let desk = Desk::supervised();
    desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let keeper = desk.keeper();
    let environment = Environment::new("production").unwrap();
    let second =
        supervise(&desk.state(), &environment, Vec::new(), || std::thread::sleep(Duration::from_mins(10)));
    let Over::Another(owner) = second.unwrap() else { panic!() };
    assert!(owner.starts_with(&format!("pid {keeper} since ")), "{owner}");
    assert_eq!((desk.keeper(), desk.standing().is_some()), (keeper, true));
}

#[test]
fn many_at_once_become_one() {
    let desk = Desk::supervised();
    std::fs::create_dir_all(desk.production()).unwrap();
    let Supervisor { program, args } = supervisor();
    let all: Vec<_> = (0..6)
        .map(|_| {
            let mut command = Command::new(&program);
            command.args(&args).arg("--state").arg(desk.state()).args([
                "supervise",
                "--environment",
                "production",
            ]);
            let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::thread::spawn(|| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        })
        .collect();
    let ended = || all.iter().filter(|one| one.is_finished()).count();
    eventually("five of them to end", || ended() == 5);
    assert!(desk.standing().is_some());
    // With nothing to keep it ends by itself.
    eventually("the last one", || ended() == 6);
    let said: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(said.iter().filter(|said| said.contains("OVER Another(\"pid ")).count(), 5, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("OVER Idle")).count(), 1, "{said:?}");
    assert!(!desk.production().join("supervise.json").exists());
}

/// A supervisor that hangs is killed by who ends things, and nothing is left behind.
#[test]
#[ignore = "long: waits for an answer that never comes; tests/run --long has it"]
fn long_one_that_hangs_does_not_keep_things_alive() {
    let desk = Desk::supervised();
    desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let keeper = desk.keeper();
    kill_process(Pid::from_raw(keeper.cast_signed()).unwrap(), Signal::STOP).unwrap();
    assert_eq!(stop_all(&desk.state()).unwrap().len(), 1);
    assert!(!alive(keeper.into()));
    desk.is_empty();
}

/// Somebody holds the lock whom nobody knows and who answers nothing: whoever ends things is told, after a while.
#[test]
#[ignore = "long: waits twice as long as a supervisor may take; tests/run --long has it"]
fn long_a_lock_that_a_stranger_holds_is_told() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    let lock = std::fs::File::open(desk.production().join("supervise.lock")).unwrap();
    eventually("the lock", || lock.try_lock().is_ok());
    let error = stop_all(&desk.state()).unwrap_err().to_string();
    assert!(error.contains("supervise.lock` and answers nothing"), "{error}");
    drop(lock);
    stop_all(&desk.state()).unwrap();
    assert!(!alive(pid(&started).into()));
}
