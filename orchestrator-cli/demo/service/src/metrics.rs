//! Counters, in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// What has been answered so far.
#[derive(Default)]
pub struct Metrics {
    answers: Mutex<BTreeMap<u16, u64>>,
}

impl Metrics {
    /// Counts one answered request, and says how many there have been.
    pub fn record(&self, status: u16) -> u64 {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(status).or_insert(0) += 1;
        answers.values().sum()
    }

    /// All counters as text. The request that asks for them is not counted yet.
    pub fn render(&self, students: usize) -> String {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let total = [(String::new(), answers.values().sum())];
        family("school_requests_total", "counter", "Requests answered.", &total);
        let by_status: Vec<_> = answers
            .iter()
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), *count))
            .collect();
        family("school_responses_total", "counter", "Answers by status code.", &by_status);
        let students = [(String::new(), students as u64)];
        family("school_students", "gauge", "Students on the roll.", &students);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status() {
        let metrics = Metrics::default();
        assert_eq!((metrics.record(200), metrics.record(404), metrics.record(200)), (1, 2, 3));
        let text = metrics.render(4);
        assert!(text.contains("# TYPE school_requests_total counter\nschool_requests_total 3\n"));
        assert!(text.contains("school_responses_total{status=\"200\"} 2\n"));
        assert!(text.ends_with("school_students 4\n"));
    }
}
