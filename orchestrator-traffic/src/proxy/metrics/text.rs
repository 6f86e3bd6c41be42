//! The text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::{Figures, MOST, VersionFigures};

/// Upper bounds of the histogram's buckets, in seconds and in microseconds. A time is counted where the whole fine bucket that it was
/// counted in fits, so at most 3 % of a bound too late.
const BOUNDS: [(&str, u64); 15] = [
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("2.5", 2_500_000),
    ("5", 5_000_000),
    ("10", 10_000_000),
    ("30", 30_000_000),
];

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything as text.
pub fn render(figures: &Figures) -> String {
    let Figures { status, started, versions, log } = figures;
    let mut told: Vec<&VersionFigures> = versions.iter().collect();
    told.sort_by_key(|version| std::cmp::Reverse(version.classes.iter().sum::<u64>()));
    told.truncate(MOST);
    told.sort_by(|a, b| (&a.route, &a.version).cmp(&(&b.route, &b.version)));

    let mut text = Text::default();
    text.about("build_info", "gauge", "The program that serves.");
    text.sample("build_info", &[("version", &status.program), ("pid", &status.pid.to_string())], 1);
    text.single("start_time_seconds", "gauge", "When the process began, in seconds since 1970.", started);
    text.single("generation", "gauge", "Grows by one with each change of what is served.", status.generation);
    text.single("connections", "gauge", "Open connections of clients.", status.connections);
    text.about("requests_total", "counter", "Requests that were answered or failed.");
    for version in &told {
        for (class, count) in CLASSES.iter().zip(version.classes).filter(|(_, count)| *count > 0) {
            text.sample("requests_total", &of(version, &[("class", class)]), count);
        }
    }
    text.each("errors_total", "counter", "Requests that failed.", &told, |version| version.errors);
    let about =
        "Failed requests that the proxy had to answer itself: nobody listened, no answer in time, no HTTP.";
    text.each("gateway_errors_total", "counter", about, &told, |version| version.gateway);
    text.each("in_flight", "gauge", "Requests under way.", &told, |version| version.in_flight);
    text.about("answer_seconds", "histogram", "Time until the head of the answer.");
    for version in &told {
        text.histogram(version);
    }
    if let Some((written, lost)) = log {
        text.about("access_log_lines_total", "counter", "Lines of the access log.");
        text.sample("access_log_lines_total", &[("outcome", "written")], written);
        text.sample("access_log_lines_total", &[("outcome", "lost")], lost);
    }
    let about = "Pairs of route and version that are not told here, since they are too many.";
    text.single("versions_left_out", "gauge", about, versions.len() - told.len());
    text.0
}

fn of<'a>(version: &'a VersionFigures, also: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut labels = vec![("route", version.route.as_str()), ("version", version.version.as_str())];
    labels.extend(also);
    labels
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        self.add(format_args!(
            "# HELP orchestrate_proxy_{name} {help}\n# TYPE orchestrate_proxy_{name} {kind}\n"
        ));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.about(name, kind, help);
        self.sample(name, &[], value);
    }

    fn each(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        of_all: &[&VersionFigures],
        value: fn(&VersionFigures) -> u64,
    ) {
        self.about(name, kind, help);
        for version in of_all {
            self.sample(name, &of(version, &[]), value(version));
        }
    }

    fn histogram(&mut self, version: &VersionFigures) {
        let count: u64 = version.latency.iter().map(|(_, count)| count).sum();
        for (bound, us) in BOUNDS {
            let within: u64 =
                version.latency.iter().take_while(|(upper, _)| *upper <= us).map(|(_, count)| count).sum();
            self.sample("answer_seconds_bucket", &of(version, &[("le", bound)]), within);
        }
        self.sample("answer_seconds_bucket", &of(version, &[("le", "+Inf")]), count);
        self.sample("answer_seconds_sum", &of(version, &[]), version.latency_us as f64 / 1e6);
        self.sample("answer_seconds_count", &of(version, &[]), count);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.add(format_args!("orchestrate_proxy_{name}"));
        for (at, (label, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            self.add(format_args!("{before}{label}=\"{}\"", escaped(value)));
        }
        self.add(format_args!("{} {value}\n", if labels.is_empty() { "" } else { "}" }));
    }

    fn add(&mut self, text: std::fmt::Arguments) {
        self.0.write_fmt(text).expect("a string takes everything");
    }
}

/// A label's value: backslash, quote and line end are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
