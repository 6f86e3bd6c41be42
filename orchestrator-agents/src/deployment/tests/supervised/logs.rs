//! Logs are rotated while services write, and nothing of them is lost.

use super::*;

fn lines(folder: &Path) -> Vec<String> {
    let names =
        ["service.log.5", "service.log.4", "service.log.3", "service.log.2", "service.log.1", "service.log"];
    let texts = names.iter().filter_map(|name| std::fs::read(folder.join(name)).ok());
    let text: Vec<u8> = texts.flatten().filter(|byte| *byte != 0).collect();
    String::from_utf8(text)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("line "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_log_is_rotated_under_a_service_that_writes() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap().to_owned();
    let folder = desk.production().join("releases").join(started["release"].as_str().unwrap());
    // 58 bytes a line on average: over 20 MB.
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                for _ in 0..90 {
                    ureq::get(format!("{url}/chat")).call().unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    eventually("a rotation", || folder.join("service.log.1").exists());
    eventually("the log to be short", || {
        std::fs::metadata(folder.join("service.log")).unwrap().len() <= 10 << 20
    });
    let mut found = lines(&folder);
    assert_eq!(found.len(), 360_000);
    let number = |line: &String| line.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
    found.sort_by_key(number);
    for (expected, line) in found.iter().enumerate() {
        assert_eq!(*line, format!("line {expected} {}", "x".repeat(expected % 97)));
    }
}
