//! What the bench came to: bars that were missed, and that it never ends without a word.
//!
//! Output is often read through a pipe and without the standard error, so a panic of any thread and a signal are told on the standard output too. A
//! signal ends what the bench has started: nobody else would.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::process::{family, signal as send};

static PANICKED: AtomicBool = AtomicBool::new(false);

/// What was missed, in the order of the parts.
#[derive(Debug, Default)]
pub(crate) struct Verdict(Vec<String>);

impl Verdict {
    /// Says that something is not as it has to be.
    pub(crate) fn missed(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Holds a figure against its bar. One that is no number is missed.
    pub(crate) fn hold(&mut self, what: &str, figure: f64, bar: f64, unit: &str) {
        // Written so that NaN is a miss.
        if figure <= bar {
            return;
        }
        self.missed(format!("{what}: {figure:.2}{unit}, at most {bar:.2}{unit}"));
    }

    /// Prints what was missed; whether nothing was.
    pub(crate) fn print(mut self) -> bool {
        if PANICKED.load(SeqCst) {
            self.missed("a thread panicked");
        }
        if self.0.is_empty() {
            println!("\nno bar was missed");
            return true;
        }
        println!();
        for what in &self.0 {
            println!("missed: {what}");
        }
        false
    }
}

/// Sees to it that an end before the end is told.
pub(crate) fn watch() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, SeqCst);
        println!("the bench panicked: {info}");
        usual(info);
    }));
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return println!("note: signals are not heard") };
        runtime.block_on(async {
            let heard = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()].map(signal);
            let [Ok(mut hangup), Ok(mut interrupt), Ok(mut terminate)] = heard else {
                return println!("note: signals are not heard");
            };
            let (name, number) = tokio::select! {
                _ = hangup.recv() => ("SIGHUP", 1),
                _ = interrupt.recv() => ("SIGINT", 2),
                _ = terminate.recv() => ("SIGTERM", 15),
            };
            println!("the bench was ended by {name} before its end");
            for pid in family(std::process::id()).into_iter().skip(1) {
                send(pid, Signal::KILL);
            }
            std::process::exit(128 + number);
        });
    });
}
