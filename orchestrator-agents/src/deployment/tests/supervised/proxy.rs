//! The supervisor keeps a proxy: a stand-in here, which takes its sockets as the real one does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixListener;

use orchestrator_traffic::sockets::{Channel, Said};

use super::*;
use crate::deployment::supervise::{Answer, Order, ProxyOrder};

const PATIENCE: Duration = Duration::from_secs(10);

/// Run by the supervisor: serves its process id on the sockets that it is handed, and lends them to whoever asks.
#[test]
#[ignore = "the other process of the tests below: a proxy"]
fn the_proxy() {
    let Some(folder) = std::env::args().find_map(|arg| Some(PathBuf::from(arg.strip_prefix("folder=")?)))
    else {
        return;
    };
    let pid = std::process::id();
    let mut keeper = Channel::stdin().unwrap();
    let sockets = keeper.take(PATIENCE).unwrap();
    let control = folder.join("control.sock");
    let _ = std::fs::remove_file(&control);
    let control = UnixListener::bind(control).unwrap();
    let lent = sockets.try_clone().unwrap();
    std::thread::spawn(move || {
        for stream in control.incoming().flatten() {
            let mut line = [0; 64];
            let _ = (&stream).read(&mut line);
            let mut channel = Channel::of(stream);
            channel.hand(&lent).unwrap();
            channel.say(&Said::Ready { pid }).unwrap();
            // The channel stays open as long as the process lives.
            std::mem::forget(channel);
        }
    });
    keeper.say(&Said::Ready { pid }).unwrap();
    for stream in sockets.serve[0].incoming() {
        let _ = stream.unwrap().write_all(format!("{pid}\n").as_bytes());
    }
}

fn stand_in(desk: &Desk) -> ProxyOrder {
    let test = "deployment::tests::supervised::proxy::the_proxy";
    let folder = format!("folder={}", desk.production().join("proxy").display());
    let args = ["--exact", test, "--ignored", "--nocapture", folder.as_str()].map(str::to_owned).to_vec();
    let program = std::env::current_exe().unwrap();
    ProxyOrder { program, args, listen: vec!["127.0.0.1:0".parse().unwrap()], metrics: None }
}

fn order(desk: &Desk, order: &Order) -> Answer {
    let environment = Environment::new("production").unwrap();
    ops::asked(&desk.state(), &environment, order).unwrap()
}

/// Who answers there: clients wait while nobody does.
fn who(address: SocketAddr) -> u32 {
    let mut stream = TcpStream::connect(address).expect("it is never refused");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said.trim().parse().unwrap()
}

/// Kills it; who connects from then on meets another one. A thread that sleeps in `accept` may outlive the first thread of its process by
/// a moment, and take one more connection.
fn end(pid: u32) {
    kill(pid);
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    eventually("its end", || !alive(pid.into()) && threads() < 2);
}

#[test]
fn a_killed_proxy_is_started_again_and_nobody_is_refused() {
    let desk = Desk::supervised();
    std::fs::create_dir_all(desk.production()).unwrap();
    desk.keeper_again();
    let proxy = stand_in(&desk);
    let Answer::Serving { pid, listens, .. } = order(&desk, &Order::Proxy { proxy: proxy.clone() }) else {
        panic!()
    };
    assert_eq!(who(listens[0]), pid);
    let again = order(&desk, &Order::Proxy { proxy: proxy.clone() });
    assert_eq!(again, Answer::Serving { pid, listens: listens.clone(), metrics: None }, "twice is once");
    let mut last = pid;
    for _ in 0..2 {
        end(last);
        let next = who(listens[0]);
        assert_ne!(next, last);
        last = next;
    }
    eventually("its record", || {
        desk.roster().proxy.is_some_and(|proxy| proxy.process.is_some_and(|process| process.pid == last))
    });

    // The supervisor dies: the proxy serves on, and the next one gets the sockets from it.
    desk.kill_keeper();
    assert_eq!(who(listens[0]), last);
    desk.keeper_again();
    eventually("the proxy to be adopted", || desk.roster().proxy.unwrap().state == State::Up);
    assert_eq!(who(listens[0]), last);
    end(last);
    let next = who(listens[0]);
    assert_ne!(next, last);
    // Both die: there is nobody to get them from, and the address stays the same.
    eventually("its record", || {
        desk.roster().proxy.unwrap().process.is_some_and(|process| process.pid == next)
    });
    desk.kill_keeper();
    end(next);
    desk.keeper_again();
    eventually("a proxy", || desk.roster().proxy.unwrap().state == State::Up);
    assert_ne!(who(listens[0]), next);
    assert!(desk.standing().unwrap().proxy_resident.unwrap() > 0);

    // Another order keeps the address and replaces the process.
    let before = who(listens[0]);
    let other =
        ProxyOrder { listen: listens.clone(), args: [proxy.args, vec!["more".into()]].concat(), ..proxy };
    let Answer::Serving { pid, .. } = order(&desk, &Order::Proxy { proxy: other }) else { panic!() };
    assert_ne!(pid, before);
    eventually("the end of the one before", || !alive(before.into()));
    assert_eq!(who(listens[0]), pid);
    assert_eq!(order(&desk, &Order::EndProxy { grace_ms: 1000 }), Answer::Done);
    assert!(!alive(pid.into()) && TcpStream::connect(listens[0]).is_err());
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

/// Two checkouts deploy to environments of the same name: each has its own services, and only the address cannot be had twice.
#[test]
fn an_address_that_another_checkout_serves_is_told_with_its_owner() {
    let (one, other) = (Desk::supervised(), Desk::supervised());
    for desk in [&one, &other] {
        std::fs::create_dir_all(desk.production()).unwrap();
        desk.keeper_again();
        desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    }
    let Answer::Serving { pid, listens, .. } = order(&one, &Order::Proxy { proxy: stand_in(&one) }) else {
        panic!()
    };
    let same = ProxyOrder { listen: listens.clone(), ..stand_in(&other) };
    let Answer::Refused { why } = order(&other, &Order::Proxy { proxy: same.clone() }) else { panic!() };
    let state = one.state().canonicalize().unwrap();
    assert!(
        why.contains(&format!(
            "process {pid} listens there, the proxy of production in `{}`",
            state.display()
        )),
        "{why}"
    );
    assert!(why.contains("orchestrate deploy stop --environment production"), "{why}");
    assert_eq!(who(listens[0]), pid, "it serves on");
    assert_eq!((one.running(), other.running()), (vec!["0.1.0".into()], vec!["0.1.0".into()]));
    // When that one has ended, the other one gets it.
    stop_all(&one.state()).unwrap();
    let Answer::Serving { pid: now, .. } = order(&other, &Order::Proxy { proxy: same }) else { panic!() };
    assert_eq!(who(listens[0]), now);
    stop_all(&other.state()).unwrap();
    other.is_empty();
}

#[test]
fn a_proxy_comes_back_though_its_program_was_removed() {
    let own = std::env::current_exe().unwrap();
    let other = own.with_file_name(format!("removed-{}", std::process::id()));
    std::fs::hard_link(&own, &other).unwrap();
    let mut desk = Desk::supervised();
    desk.supervisor = Some(supervisor_at(&other));
    std::fs::create_dir_all(desk.production()).unwrap();
    desk.keeper_again();
    let proxy = ProxyOrder { program: other.clone(), ..stand_in(&desk) };
    let Answer::Serving { pid, listens, .. } = order(&desk, &Order::Proxy { proxy }) else { panic!() };
    std::fs::remove_file(&other).unwrap();
    assert_eq!(who(listens[0]), pid);
    end(pid);
    let next = who(listens[0]);
    assert_ne!(next, pid, "by the supervisor's own program, which Linux has still");
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

/// Whoever deploys with another `orchestrate` than last time disturbs no client: it is the next start that is of the other program.
#[test]
fn another_program_alone_replaces_no_proxy() {
    let own = std::env::current_exe().unwrap();
    let other = own.with_file_name(format!("other-{}", std::process::id()));
    std::fs::hard_link(&own, &other).unwrap();
    let desk = Desk::supervised();
    std::fs::create_dir_all(desk.production()).unwrap();
    desk.keeper_again();
    let proxy = stand_in(&desk);
    let Answer::Serving { pid, listens, .. } = order(&desk, &Order::Proxy { proxy: proxy.clone() }) else {
        panic!()
    };
    let newer = ProxyOrder { program: other.clone(), ..proxy.clone() };
    let again = order(&desk, &Order::Proxy { proxy: newer.clone() });
    assert_eq!(again, Answer::Serving { pid, listens: listens.clone(), metrics: None }, "it serves on");
    assert_eq!(who(listens[0]), pid);
    assert_eq!(desk.roster().proxy.unwrap().order, newer);
    end(pid);
    let next = who(listens[0]);
    assert_eq!(std::fs::read_link(format!("/proc/{next}/exe")).unwrap(), other);
    // One that does not serve is started from the other program at once.
    let none = ProxyOrder { program: "/bin/false".into(), args: vec!["x".into()], ..proxy };
    assert!(matches!(order(&desk, &Order::Proxy { proxy: none.clone() }), Answer::Refused { .. }));
    let some = ProxyOrder { program: "/bin/sleep".into(), args: vec!["x".into()], ..none };
    assert!(matches!(order(&desk, &Order::Proxy { proxy: some.clone() }), Answer::Refused { .. }));
    assert_eq!(desk.roster().proxy.unwrap().order, some);
    std::fs::remove_file(&other).unwrap();
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

#[test]
fn a_proxy_that_does_not_serve_is_told() {
    let desk = Desk::supervised();
    std::fs::create_dir_all(desk.production()).unwrap();
    desk.keeper_again();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = ProxyOrder { listen: vec![holder.local_addr().unwrap()], ..stand_in(&desk) };
    let Answer::Refused { why } = order(&desk, &Order::Proxy { proxy: taken }) else { panic!() };
    assert!(why.contains("cannot be listened on"), "{why}");
    assert!(desk.roster().proxy.is_none());
    let wrong = ProxyOrder { program: "/bin/false".into(), args: Vec::new(), ..stand_in(&desk) };
    let Answer::Refused { why } = order(&desk, &Order::Proxy { proxy: wrong }) else { panic!() };
    assert!(why.starts_with("the proxy does not serve: "), "{why}");
    assert_eq!(desk.roster().proxy.unwrap().state, State::Waiting);
    // Ended with everything else, even where nobody supervises any more.
    let Answer::Serving { pid, .. } = order(&desk, &Order::Proxy { proxy: stand_in(&desk) }) else {
        panic!()
    };
    desk.kill_keeper();
    stop_all(&desk.state()).unwrap();
    assert!(!alive(pid.into()));
    desk.is_empty();
}
