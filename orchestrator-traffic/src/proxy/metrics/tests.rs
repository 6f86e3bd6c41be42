//! The text is read back by a reader of the format that knows nothing of how it was written.

#![expect(clippy::float_cmp, reason = "what was written is read back to the bit")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use super::*;
use crate::protocol::Table;

fn figures(versions: Vec<VersionFigures>) -> Figures {
    let status = Status {
        pid: 42,
        program: "0.1.0".into(),
        listens: Vec::new(),
        generation: 3,
        table: Table::default(),
        connections: 7,
        versions: Vec::new(),
    };
    Figures { status, started: 1.5, versions, log: Some((10, 2)) }
}

fn version(name: &str) -> VersionFigures {
    VersionFigures {
        route: "all".into(),
        version: name.into(),
        classes: [1, 0, 5, 0, 2, 1],
        errors: 2,
        gateway: 1,
        in_flight: 4,
        latency: vec![(99, 1), (511, 2), (999, 3), (60_000_000, 2)],
        latency_us: 2_500_000,
    }
}

type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// A strict reader: each name is introduced by HELP and TYPE, its samples stand together, none comes twice.
fn read(text: &str) -> (Samples, BTreeMap<String, String>) {
    let (mut samples, mut kinds) = (Samples::new(), BTreeMap::new());
    let mut current = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "TYPE follows HELP");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split_once(' ').unwrap().0.to_owned();
        } else {
            let (name, labels, value) = sample(line);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let histogram = base.is_some_and(|base| kinds.get(base).is_some_and(|kind| kind == "histogram"));
            assert_eq!(if histogram { base.unwrap() } else { &name }, current, "{line}");
            assert!(samples.insert((name, labels), value).is_none(), "{line} twice");
        }
    }
    (samples, kinds)
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').unwrap();
        return (name.into(), BTreeMap::new(), value.parse().unwrap());
    };
    let (mut labels, mut rest) = (BTreeMap::new(), rest.chars());
    loop {
        let label: String = rest.by_ref().take_while(|char| *char != '=').collect();
        assert_eq!(rest.next(), Some('"'));
        let mut value = String::new();
        loop {
            match rest.next().expect("a value has an end") {
                '"' => break,
                '\\' => value.push(match rest.next().unwrap() {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    other => panic!("\\{other} is no escape"),
                }),
                char => value.push(char),
            }
        }
        labels.insert(label, value);
        match rest.next().unwrap() {
            ',' => {}
            '}' => break,
            other => panic!("{other} after a label"),
        }
    }
    let value = rest.as_str().trim_start().parse().unwrap();
    (name.into(), labels, value)
}

fn key(name: &str, labels: &[(&str, &str)]) -> (String, BTreeMap<String, String>) {
    (
        format!("orchestrate_proxy_{name}"),
        labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
    )
}

#[test]
fn everything_is_told_in_the_format() {
    let (samples, kinds) = read(&render(&figures(vec![version("v1"), version("v2")])));
    assert_eq!(kinds["orchestrate_proxy_answer_seconds"], "histogram");
    assert_eq!(kinds["orchestrate_proxy_requests_total"], "counter");
    let of = |name: &str, also: &[(&str, &str)]| {
        let mut labels = vec![("route", "all"), ("version", "v1")];
        labels.extend(also);
        samples[&key(name, &labels)]
    };
    assert_eq!(of("requests_total", &[("class", "2xx")]), 5.0);
    assert_eq!(of("requests_total", &[("class", "none")]), 1.0);
    assert_eq!(
        (of("errors_total", &[]), of("gateway_errors_total", &[]), of("in_flight", &[])),
        (2.0, 1.0, 4.0)
    );
    let buckets: Vec<f64> =
        ["0.0005", "0.001", "30", "+Inf"].map(|bound| of("answer_seconds_bucket", &[("le", bound)])).into();
    assert_eq!(buckets, [1.0, 6.0, 6.0, 8.0]);
    assert_eq!((of("answer_seconds_count", &[]), of("answer_seconds_sum", &[])), (8.0, 2.5));
    assert_eq!(samples[&key("generation", &[])], 3.0);
    assert_eq!(samples[&key("build_info", &[("version", "0.1.0"), ("pid", "42")])], 1.0);
    assert_eq!(samples[&key("access_log_lines_total", &[("outcome", "lost")])], 2.0);
}

#[test]
fn labels_are_escaped() {
    let hostile = "a\"} 1\n# TYPE x counter\\";
    let (samples, _) = read(&render(&figures(vec![version(hostile)])));
    assert_eq!(samples[&key("in_flight", &[("route", "all"), ("version", hostile)])], 4.0);
}

#[test]
fn what_is_too_much_is_left_out_and_said() {
    let mut versions: Vec<_> = (0..MOST + 5).map(|number| version(&format!("v{number}"))).collect();
    versions[3].classes = [0; 6];
    let (samples, _) = read(&render(&figures(versions)));
    assert_eq!(samples[&key("versions_left_out", &[])], 5.0);
    assert_eq!(samples.keys().filter(|(name, _)| name == "orchestrate_proxy_in_flight").count(), MOST);
    assert!(
        !samples.contains_key(&key("in_flight", &[("route", "all"), ("version", "v3")])),
        "the idle one goes first"
    );
}

#[test]
#[ignore = "needs promtool; tests/run has it"]
fn needs_promtool_prometheus_takes_the_text() {
    use std::process::{Command, Stdio};
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let text = render(&figures(vec![version("v1"), version("a\"b\\c\nd")]));
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[tokio::test]
async fn it_is_read_over_http_and_slow_readers_keep_nobody_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Arc::new(|| figures(vec![version("v1")]))));
    let ask = move |line: &str| {
        let line = format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n");
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(line.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        })
    };
    let slow: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let answer = ask("GET /metrics").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("version=0.0.4"), "{answer}");
    read(answer.split_once("\r\n\r\n").unwrap().1);
    assert!(ask("GET /").await.unwrap().starts_with("HTTP/1.1 404 "));
    assert!(ask("POST /metrics").await.unwrap().starts_with("HTTP/1.1 405 "));
    drop(slow);
    server.abort();
}
