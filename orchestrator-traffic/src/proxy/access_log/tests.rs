//! Real files; the disk that is full is `/dev/full`.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn entry(path: &str) -> Entry<'_> {
    Entry {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        client: "127.0.0.1",
        method: "GET",
        host: "example.org",
        referer: "",
        agent: "",
        path,
        status: Some(200),
        sent: 12,
        head_us: 1500,
        total_us: 2250,
        route: Some("all"),
        version: Some("v1"),
        broken: None,
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn quiet(_: &str) {}

fn until(what: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !what() {
        assert!(std::time::Instant::now() < end, "it never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn lines_are_json_and_none_is_lost_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = AccessLogConfig::new(folder.path().join("access.log"));
    let log = AccessLog::open(config.clone(), quiet).unwrap();
    for number in 0..1000 {
        log.log(&entry(&format!("/{number}")));
    }
    drop(log);
    let lines = lines(&config.path);
    assert_eq!(lines.len(), 1000);
    let last: Value = serde_json::from_str(&lines[999]).unwrap();
    assert_eq!(last["path"], "/999");
    assert_eq!(last["at"], "2023-11-14T22:13:20.123Z");
    assert_eq!((&last["version"], last.get("broken")), (&Value::from("v1"), None));
}

#[test]
fn combined_lines_are_what_tools_expect() {
    let mut line = Vec::new();
    entry("/a\"b").write(Format::Combined, &mut line);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /a\\\"b\" 200 12 \"-\" \"-\" \"all\" \"v1\" 2.250\n"
    );
    let mut line = Vec::new();
    let linked =
        Entry { referer: "https://a.example/b?token=secret#c", agent: "curl/8 \"x\" \\", ..entry("/") };
    linked.write(Format::Combined, &mut line);
    let text = String::from_utf8(line).unwrap();
    assert!(text.contains("200 12 \"https://a.example/b\" \"curl/8 \\\"x\\\" \\\\\" \"all\""), "{text}");
}

#[test]
fn nothing_that_a_client_sends_ends_a_line_or_speaks_to_a_terminal() {
    let evil = "/\n{\"status\":1}\r\x1b[2J\u{9b}31m\u{0}\x7f";
    for format in [Format::Json, Format::Combined] {
        let mut line = Vec::new();
        Entry { referer: evil, agent: evil, ..entry(evil) }.write(format, &mut line);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    }
    let mut line = Vec::new();
    entry(&"\u{e4}".repeat(5000)).write(Format::Json, &mut line);
    assert!(line.len() < 1300);
}

#[test]
fn full_files_are_put_aside_and_five_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let config = AccessLogConfig { limit: 1000, ..AccessLogConfig::new(&path) };
    for round in 0..8 {
        // Opened anew each time: what is there already counts.
        for _ in 0..2 {
            let mut file = Rotated::open(&config).unwrap();
            file.append(format!("{}\"/{round}\"\n", "x".repeat(600)).as_bytes()).unwrap();
            file.put_aside_if_full().unwrap();
        }
    }
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["access.log", "access.log.1", "access.log.2", "access.log.3", "access.log.4", "access.log.5"]
    );
    assert_eq!(lines(&path).len(), 0);
    assert!(lines(&folder.path().join("access.log.1"))[0].contains("\"/7\""));
    assert!(lines(&folder.path().join("access.log.5"))[0].contains("\"/3\""));
}

#[test]
fn one_that_settled_puts_nothing_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = AccessLog::open(AccessLogConfig { limit: 10, ..AccessLogConfig::new(&path) }, quiet).unwrap();
    log.settle();
    log.log(&entry("/"));
    drop(log);
    assert_eq!(lines(&path).len(), 1);
}

#[test]
fn one_that_settled_follows_whoever_puts_files_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let config = AccessLogConfig { limit: 10, keep: 2, ..AccessLogConfig::new(&path) };
    let old = AccessLog::open(config.clone(), quiet).unwrap();
    old.settle();
    let mut successor = Rotated::open(&config).unwrap();
    for round in 0..4 {
        successor.append(format!("{round}: more than ten bytes\n").as_bytes()).unwrap();
        successor.put_aside_if_full().unwrap();
    }
    old.log(&entry("/late"));
    drop(old);
    assert!(lines(&path)[0].contains("/late"), "{:?}", lines(&path));
}

#[test]
fn a_file_that_was_moved_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = AccessLog::open(AccessLogConfig::new(&path), quiet).unwrap();
    log.log(&entry("/old"));
    until(|| log.written() == 1);
    fs::rename(&path, folder.path().join("moved")).unwrap();
    log.reopen();
    until(|| path.exists());
    log.log(&entry("/new"));
    drop(log);
    assert!(lines(&folder.path().join("moved"))[0].contains("/old"));
    assert!(lines(&path)[0].contains("/new"));
}

#[test]
fn a_full_disk_costs_lines_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (told, remarks) = mpsc::channel();
    let log = AccessLog::open(AccessLogConfig::new(&path), move |text| told.send(text.to_owned()).unwrap())
        .unwrap();
    log.log(&entry("/1"));
    assert!(remarks.recv_timeout(PATIENCE).unwrap().contains("No space left"));
    until(|| log.lost() == 1);
    fs::remove_file(&path).unwrap();
    log.log(&entry("/2"));
    assert!(remarks.recv_timeout(PATIENCE).unwrap().contains("written again"));
    log.log(&entry("/3"));
    drop(log);
    let lines = lines(&path);
    assert_eq!(lines[0], "{\"lost\":1}");
    assert!(lines[1].contains("/2") && lines[2].contains("/3"), "{lines:?}");
    assert!(remarks.try_recv().is_err(), "each is said once");
}

#[test]
fn a_line_that_a_full_disk_cut_is_ended_before_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let mut file = Rotated::open(&AccessLogConfig::new(&path)).unwrap();
    file.append(b"{\"half\":").unwrap();
    file.append(b"whole\n").unwrap();
    file.append(b"whole\n").unwrap();
    assert_eq!(lines(&path), ["{\"half\":", "whole", "whole"]);
}

#[test]
fn a_queue_that_is_full_loses_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    // A pipe that nobody reads: the writer hangs in it.
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let log = AccessLog::open(AccessLogConfig::new(&path), quiet).unwrap();
    for _ in 0..60_000 {
        log.log(&entry("/"));
    }
    assert!(log.lost() > 0);
    let drained = std::thread::spawn(move || {
        let mut reader = std::io::BufReader::new(reader);
        let (mut whole, mut lost, mut line) = (0, 0, String::new());
        while whole + lost < 60_000 {
            line.clear();
            std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            match said["lost"].as_u64() {
                Some(count) => lost += count,
                None => whole += 1,
            }
        }
        (whole, lost)
    });
    // What was lost is said with the next that is written.
    until(|| log.written() + log.lost() == 60_000);
    log.log(&entry("/"));
    let (whole, lost) = drained.join().unwrap();
    assert_eq!(lost, log.lost());
    assert!(whole + lost >= 60_000);
}

#[test]
fn only_its_user_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    Rotated::open(&AccessLogConfig::new(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
