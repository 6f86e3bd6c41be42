//! A ruling in words, with its numbers.
//!
//! | number | is |
//! |---|---|
//! | `looks`, `seconds`, `stage.seconds`, `stage.percent` | how often and how long it was watched, and this stage |
//! | `stage.requests`, `stage.needs` | requests to it in this stage, and how many are needed |
//! | `errors.requests`, `errors.bad`, `errors.share` | requests after the warm-up, those that failed, their share |
//! | `errors.bar` | the objective |
//! | `errors.evidence.over`, `errors.evidence.worse` | evidence for being over the bar, and worse than the version before (half of it counts) |
//! | `errors.before.requests`, `.share`, `.most` | of the version before: requests, the share of failed ones, what that is at most |
//! | `slow.*`, `slow.over_ms` | the same for slow requests, and over what a request is slow |
//! | `evidence.needed` | evidence from which on it goes back |
//! | `guard.errors.*`, `guard.late.*` | the `limit`; `requests`, `bad`, `evidence` and what was `needed` when it was judged last |
//! | `health.failures`, `probe.failures`, `outage.looks`, `outage.requests` | one after the other |
//! | `restarts`, `rss_mib` | of its process |
//! | `leak_mib_per_hour`, `.at_least` | how fast its memory keeps growing, where it does, and the lower bound of that |

use std::collections::BTreeMap;

use super::change::Seen;
use super::ruling::{Reason, Ruling};
use super::signal::Signal;
use super::watcher::{LATE, beside};
use super::window::{Judged, Window};
use super::{Answered, Decision, Sample, Traffic, Verdict, Watcher};

/// What a look decided. `percent` is the share that the version had.
pub(super) fn decision(
    watcher: &Watcher,
    sample: &Sample,
    percent: u32,
    ruling: Ruling,
    would: Option<Verdict>,
) -> Decision {
    let why = match would {
        Some(would) if would != ruling.verdict => {
            format!("only told: {would}, since {}", why(watcher, sample, ruling.reason))
        }
        _ => why(watcher, sample, ruling.reason),
    };
    let mut numbers = numbers(watcher);
    numbers.insert("stage.percent".into(), f64::from(percent));
    Decision { verdict: ruling.verdict, why, numbers, would, told: told(watcher, sample) }
}

fn why(watcher: &Watcher, sample: &Sample, reason: Reason) -> String {
    let guards = &watcher.config.guards;
    let said = |answer: Option<&Answered>| {
        answer.map_or_else(String::new, |answer| {
            format!(" ({}: {})", answer.what, answer.wrong.as_deref().unwrap_or("now as expected"))
        })
    };
    match reason {
        Reason::Health => {
            format!(
                "{} health checks failed one after the other{}",
                watcher.unhealthy,
                said(sample.health.as_ref())
            )
        }
        Reason::Probes => {
            format!("{} probes failed one after the other{}", watcher.unprobed, said(sample.probe.as_ref()))
        }
        Reason::Gone => "its process ended, and nobody starts it again".into(),
        Reason::CrashLoop => "it crashed again and again, and is not started any more".into(),
        Reason::Crashes => format!("it was started again {} times during the watch", watcher.restarts),
        Reason::Memory => {
            let (now, most) = (watcher.memory.now().unwrap_or_default(), guards.rss_mb.unwrap_or_default());
            format!("it uses {now:.0} MiB of memory; {most} are allowed")
        }
        Reason::Leak => {
            let (leak, most) = (watcher.memory.leak(), guards.leak_mb_per_hour.unwrap_or_default());
            let at_least = leak.map_or(0.0, |leak| leak.at_least);
            format!("its memory keeps growing by at least {at_least:.0} MiB an hour; {most} are allowed")
        }
        Reason::Outage => {
            let (looks, requests) = watcher.outage;
            format!("all of {requests} requests failed in {looks} looks one after the other")
        }
        Reason::Errors => tested(&watcher.errors, watcher.config.objective.value(), "failed"),
        Reason::Slow => {
            let over = watcher.last.slow_over().unwrap_or_default() / 1000;
            let bar = watcher.config.slower.as_ref().map_or(1.0, |slower| slower.share.value());
            tested(&watcher.slow, bar, &format!("took longer than {over} ms"))
        }
        Reason::ErrorGuard => {
            let seconds = guards.error_rate.as_ref().map(|guard| guard.during.to_string());
            lasted(&watcher.error_guard, seconds, "failed")
        }
        Reason::LateGuard => {
            let guard = guards.p95_ms.as_ref();
            let over = guard.map_or(0, |guard| guard.over);
            let seconds = guard.map(|guard| guard.during.to_string());
            lasted(&watcher.late_guard, seconds, &format!("took longer than {over} ms"))
        }
        Reason::Undecided => format!("it could not be told within {} s", watcher.staged / 1000),
        Reason::Well => well(watcher),
        Reason::Watching => {
            format!("{} s of this step's {} s", watcher.staged / 1000, watcher.stage_ms() / 1000)
        }
        Reason::FewRequests => format!(
            "too little traffic to tell: {} requests, and {} are needed",
            watcher.stage_requests,
            watcher.needs()
        ),
        Reason::Silent => {
            format!("the proxy has not said for {} s what came of its requests", watcher.silent / 1000)
        }
        Reason::Leaning => "it looks worse than it should, which is not proven yet".into(),
        Reason::Unwell if watcher.unprobed > 0 => {
            format!("its last probe failed{}", said(sample.probe.as_ref()))
        }
        Reason::Unwell => {
            format!("its last health check was not as expected{}", said(sample.health.as_ref()))
        }
    }
}

fn well(watcher: &Watcher) -> String {
    if watcher.seen == Seen::Nothing {
        return "its health checks were as expected; no proxy stands before it, so its traffic was not watched".into();
    }
    let (all, bad) = (watcher.errors.all, watcher.errors.bad);
    format!("{bad} of {all} requests failed, and nothing else spoke against it")
}

fn tested(signal: &Signal, bar: f64, what: &str) -> String {
    let Signal { all, bad, .. } = signal;
    let share = percent(signal.share());
    let before = signal.before.share().zip(signal.before.most()).map_or_else(
        || "no version before is known".to_owned(),
        |(share, most)| format!("of the version before {}, at most {}", percent(share), percent(most)),
    );
    format!("{bad} of {all} requests {what} ({share}); {} may, and {before}", percent(bar))
}

fn lasted(window: &Window, seconds: Option<String>, what: &str) -> String {
    let Judged { all, bad, .. } = window.judged();
    let share = percent(bad as f64 / all.max(1) as f64);
    format!("{bad} of {all} requests {what} ({share}) in the last {}", seconds.unwrap_or_default())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// What people should know besides.
fn told(watcher: &Watcher, sample: &Sample) -> Vec<String> {
    let mut told = Vec::new();
    if watcher.memory.leak().is_some() {
        // By how much changes with each look: that is in the numbers.
        told.push("its memory keeps growing".to_owned());
    }
    if let Traffic::Unanswered { why } = &sample.traffic {
        told.push(format!("the proxy did not say what it counted: {why}"));
    }
    if let Some(why) = &sample.unsent {
        told.push(format!("a probe was not sent: {why}"));
    }
    if let Some(why) = &sample.unrecorded {
        told.push(format!("this look is not in the recording: {why}"));
    }
    let enough = 1.0 / watcher.alpha();
    let known = watcher.errors.worse().is_some();
    if known && watcher.errors.over() >= enough && watcher.errors.evidence() < enough {
        told.push(
            "it is over its objective, but not shown to be worse than the version before: going back would not help"
                .into(),
        );
    }
    told
}

fn numbers(watcher: &Watcher) -> BTreeMap<String, f64> {
    let seconds = |ms: u64| ms as f64 / 1e3;
    let mut numbers = BTreeMap::from([
        ("looks".to_owned(), watcher.looks as f64),
        ("seconds".into(), seconds(watcher.watched)),
        ("stage.seconds".into(), seconds(watcher.staged)),
        ("stage.requests".into(), watcher.stage_requests as f64),
        ("stage.needs".into(), watcher.needs() as f64),
        ("evidence.needed".into(), 1.0 / watcher.alpha()),
        ("health.failures".into(), f64::from(watcher.unhealthy)),
        ("probe.failures".into(), f64::from(watcher.unprobed)),
        ("outage.looks".into(), f64::from(watcher.outage.0)),
        ("outage.requests".into(), watcher.outage.1 as f64),
        ("restarts".into(), watcher.restarts as f64),
    ]);
    let mut say = |name: &str, number: Option<f64>| {
        number.map(|number| numbers.insert(name.to_owned(), number));
    };
    say("rss_mib", watcher.memory.now());
    say("leak_mib_per_hour", watcher.memory.leak().map(|leak| leak.mib_per_hour));
    say("leak_mib_per_hour.at_least", watcher.memory.leak().map(|leak| leak.at_least));
    let config = &watcher.config;
    signal(&mut say, "errors", &watcher.errors, config.objective.value());
    if let Some((slower, over)) = config.slower.as_ref().zip(watcher.last.slow_over()) {
        say("slow.over_ms", Some(over as f64 / 1e3));
        signal(&mut say, "slow", &watcher.slow, slower.share.value());
    }
    if let Some(guard) = &config.guards.error_rate {
        window(
            &mut say,
            "guard.errors",
            &watcher.error_guard,
            beside(guard.over.value(), &watcher.errors.before),
        );
    }
    if config.guards.p95_ms.is_some() {
        window(&mut say, "guard.late", &watcher.late_guard, beside(LATE, &watcher.late_before));
    }
    numbers
}

type Say<'s> = dyn FnMut(&str, Option<f64>) + 's;

fn signal(say: &mut Say<'_>, name: &str, signal: &Signal, bar: f64) {
    let before = &signal.before;
    let of = |part: &str| format!("{name}.{part}");
    say(&of("requests"), Some(signal.all as f64));
    say(&of("bad"), Some(signal.bad as f64));
    say(&of("share"), Some(signal.share()));
    say(&of("bar"), Some(bar));
    say(&of("evidence.over"), Some(signal.over()));
    say(&of("evidence.worse"), signal.worse());
    say(&of("before.requests"), Some(before.all() as f64));
    say(&of("before.share"), before.share());
    say(&of("before.most"), before.most());
}

fn window(say: &mut Say<'_>, name: &str, window: &Window, limit: f64) {
    let Judged { all, bad, evidence, needed } = window.judged();
    let of = |part: &str| format!("{name}.{part}");
    say(&of("limit"), Some(limit));
    say(&of("requests"), Some(all as f64));
    say(&of("bad"), Some(bad as f64));
    say(&of("evidence"), Some(evidence));
    say(&of("needed"), Some(needed));
}
