//! The process before this one: it takes no more connections, but those that it has may bring requests. They go by the newest table as
//! well, and whoever drains a version knows of them.
//!
//! The successor tells it over the channel that it was started with. Where the successor is killed, nobody does: then the table is read
//! from the folder, where the next process keeps it.

use std::io;
use std::sync::{PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::desk::Desk;
use crate::protocol::{Drain, Table, VersionStatus};
use crate::sockets::Channel;

/// How long it may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks for a new table where nobody tells it.
const LOOK: Duration = Duration::from_millis(100);
/// How long a drain takes, in milliseconds, where nobody ever said.
const DRAIN: u64 = 30_000;
/// The most requests that are named as cut.
const NAMED: usize = 100;

/// What it is told or asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// That is served now.
    Apply { generation: u64, table: Table, drain_ms: u64 },
    /// Who is under way.
    Status,
    /// End, and cut what is left after that time.
    Stop { drain_ms: u64 },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Answer {
    /// Its requests go by that table.
    Applied { generation: u64 },
    /// To `status`.
    Status(Standing),
    /// To `stop`.
    Stops,
    /// To an order that its program does not know.
    Unknown,
    /// Unasked, at its end: whom it cut.
    Last(Standing),
}

/// How it stands, those before it included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) connections: u64,
    pub(super) before: Vec<u32>,
    pub(super) versions: Vec<VersionStatus>,
    /// It did not answer, so this is how it stood before; or it did not understand by which table its requests are to go.
    #[serde(skip)]
    pub(super) silent: bool,
}

/// The process before this one, as this one knows it.
///
/// One that does not answer in time may be busy, or stopped for a while: it is there as long as its end of the channel is open.
#[derive(Debug)]
pub(super) struct Elder {
    channel: Channel,
    /// Answers that did not come in time.
    owed: u32,
    /// It did not understand the last table.
    behind: bool,
    /// How it stood.
    last: Standing,
    /// Whether that is what it said at its end.
    ended: bool,
}

impl Elder {
    pub(super) fn of(channel: Channel) -> Self {
        Self { channel, owed: 0, behind: false, last: Standing::default(), ended: false }
    }

    /// What it said at its end, if it did.
    pub(super) fn last(self) -> Option<Standing> {
        self.ended.then_some(self.last)
    }

    /// Lets it serve that table too.
    pub(super) fn apply(&mut self, generation: u64, table: &Table, drain: Duration) -> io::Result<()> {
        let order = Order::Apply { generation, table: table.clone(), drain_ms: millis(drain) };
        self.ask(&order).map(drop)
    }

    /// Lets it end, and cut what is left after that time.
    pub(super) fn stop(&mut self, drain: Duration) -> io::Result<()> {
        self.ask(&Order::Stop { drain_ms: millis(drain) }).map(drop)
    }

    /// Asks how it stands.
    pub(super) fn status(&mut self) -> io::Result<Standing> {
        match self.ask(&Order::Status)? {
            Some(Answer::Status(standing)) => {
                self.last = standing.clone();
                Ok(Standing { silent: self.behind, ..standing })
            }
            Some(Answer::Unknown) | None => Ok(Standing { silent: true, ..self.last.clone() }),
            Some(_) => Err(io::Error::other("it answered another question")),
        }
    }

    /// None where no answer came in time; an error where none will.
    fn ask(&mut self, order: &Order) -> io::Result<Option<Answer>> {
        // One that has ended may have said something before.
        if self.channel.line(order).is_ok() {
            self.owed += 1;
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.channel.read(Some(left)) {
                Ok(Some(Answer::Last(standing))) => (self.last, self.ended) = (standing, true),
                Ok(Some(answer)) => {
                    self.owed = self.owed.saturating_sub(1);
                    self.behind = match answer {
                        Answer::Unknown => true,
                        Answer::Applied { .. } => false,
                        _ => self.behind,
                    };
                    if self.owed == 0 {
                        return Ok(Some(answer));
                    }
                }
                Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Standing {
    /// Adds it to how the process after it stands.
    pub(super) fn join(
        self,
        versions: &mut Vec<VersionStatus>,
        connections: &mut u64,
        before: &mut Vec<u32>,
    ) {
        *connections += self.connections;
        before.extend(self.before);
        if self.silent {
            // Whoever may be under way there is not known to be gone.
            for drain in versions.iter_mut().filter_map(|own| own.drain.as_mut()) {
                drain.took_ms = None;
            }
        }
        for theirs in self.versions {
            let same = |own: &&mut VersionStatus| {
                own.route == theirs.route && own.version == theirs.version && own.address == theirs.address
            };
            match versions.iter_mut().find(same) {
                Some(own) => add(own, theirs),
                // Who is only known there and has long been drained is of no interest.
                None if theirs.in_flight > 0 || theirs.drain.is_some() => versions.push(theirs),
                None => {}
            }
        }
    }
}

fn add(own: &mut VersionStatus, theirs: VersionStatus) {
    if theirs.in_flight == 0 && theirs.drain.is_none() {
        return;
    }
    own.in_flight += theirs.in_flight;
    let Some(drain) = &mut own.drain else { return };
    let Drain { took_ms, cut, cuts } = theirs.drain.unwrap_or_default();
    drain.took_ms =
        drain.took_ms.zip(took_ms).map(|(own, theirs)| own.max(theirs)).filter(|_| own.in_flight == 0);
    drain.cut.extend(cut);
    drain.cut.truncate(NAMED);
    drain.cuts += cuts;
}

/// Does what the successor says, for as long as the process lives.
pub(super) fn follow(desk: &Weak<Desk>, mut channel: Channel) {
    let mut drain_ms = DRAIN;
    while let Ok(Some(said)) = channel.read(None) {
        let order = order(said);
        if let Ok(Order::Apply { drain_ms: asked, .. }) = &order {
            drain_ms = *asked;
        }
        // Nothing is held while it waits, so that what is left of the process can end.
        let Some(desk) = desk.upgrade() else { return };
        let answer = order.map_or_else(|unknown| unknown, |order| desk.follow(&order));
        let _alone = desk.heir.lock().unwrap_or_else(PoisonError::into_inner);
        if channel.line(&answer).is_err() {
            break;
        }
    }
    drop(channel);
    follow_file(desk, drain_ms);
}

/// What is ordered, or the answer to what a newer program may order: whoever waits for one would wait for ever.
fn order(said: serde_json::Value) -> Result<Order, Answer> {
    serde_json::from_value(said).map_err(|_| Answer::Unknown)
}

fn follow_file(desk: &Weak<Desk>, drain_ms: u64) {
    while let Some(desk) = desk.upgrade() {
        // A file that cannot be used is the business of whoever serves.
        if let Some(kept) = desk.state.peek() {
            desk.follow(&Order::Apply { generation: kept.generation, table: kept.table, drain_ms });
        }
        drop(desk);
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str, in_flight: u64, drain: impl Into<Option<Drain>>) -> VersionStatus {
        let address = ([127, 0, 0, 1], 1).into();
        VersionStatus {
            route: "all".into(),
            version: name.into(),
            address,
            in_flight,
            first_answer_us: None,
            drain: drain.into(),
        }
    }

    fn drained(took_ms: u64, cut: &str) -> Drain {
        Drain { took_ms: Some(took_ms), cut: vec![cut.into()], cuts: 1 }
    }

    #[test]
    fn what_is_under_way_there_is_under_way() {
        let mut versions = vec![
            version("v2", 3, None),
            version("v1", 0, drained(5, "a")),
            version("v0", 0, drained(1, "b")),
        ];
        let standing = Standing {
            connections: 4,
            before: vec![7, 6],
            versions: vec![
                version("v2", 2, None),
                version("v1", 1, Drain::default()),
                version("v0", 0, drained(9, "c")),
                version("other", 1, Drain::default()),
            ],
            silent: false,
        };
        let (mut connections, mut before) = (1, Vec::new());
        standing.join(&mut versions, &mut connections, &mut before);
        assert_eq!((connections, before), (5, vec![7, 6]));
        let find = |name: &str| versions.iter().find(|one| one.version == name).unwrap();
        assert_eq!((find("v2").in_flight, &find("v2").drain), (5, &None));
        let v1 = find("v1").drain.as_ref().unwrap();
        assert_eq!((find("v1").in_flight, v1.took_ms, v1.cuts), (1, None, 1), "it is not drained yet");
        let v0 = find("v0").drain.as_ref().unwrap();
        assert_eq!((v0.took_ms, v0.cuts, v0.cut.len()), (Some(9), 2, 2));
        assert_eq!(find("other").in_flight, 1);
    }

    #[test]
    fn whoever_does_not_answer_may_have_somebody() {
        let mut versions = vec![version("v1", 0, drained(5, "a"))];
        let standing = Standing { before: vec![7], silent: true, ..Standing::default() };
        let (mut connections, mut before) = (1, Vec::new());
        standing.join(&mut versions, &mut connections, &mut before);
        assert_eq!((versions[0].drain.as_ref().unwrap().took_ms, before), (None, vec![7]));
    }

    #[test]
    fn an_order_of_a_newer_program_is_answered() {
        let known = Order::Apply { generation: u64::MAX, table: Table::default(), drain_ms: 1 };
        let mut said = serde_json::to_value(&known).unwrap();
        assert_eq!(order(said.clone()), Ok(known));
        said["table"]["routes"] = serde_json::json!([{ "unheard": "of" }]);
        assert_eq!(order(said), Err(Answer::Unknown));
    }

    #[test]
    fn one_that_does_not_understand_a_table_is_heard_but_not_relied_on() {
        let (own, far) = Channel::pair().unwrap();
        let mut far = Channel::of(far.into());
        let mut elder = Elder::of(own);
        let standing = |connections| Answer::Status(Standing { connections, ..Standing::default() });
        for (answer, connections, silent) in
            [(Answer::Unknown, 1, true), (Answer::Applied { generation: 2 }, 2, false)]
        {
            far.line(&answer).unwrap();
            elder.apply(1, &Table::default(), Duration::ZERO).unwrap();
            far.line(&standing(connections)).unwrap();
            let stood = elder.status().unwrap();
            assert_eq!((stood.connections, stood.silent), (connections, silent));
        }
    }

    #[test]
    fn an_answer_that_came_too_late_is_not_taken_for_the_next() {
        let (own, far) = Channel::pair().unwrap();
        let mut far = Channel::of(far.into());
        let mut elder = Elder::of(own);
        assert!(elder.status().unwrap().silent);
        for connections in [1, 2] {
            far.line(&Answer::Status(Standing { connections, ..Standing::default() })).unwrap();
        }
        assert_eq!(elder.status().unwrap().connections, 2);
        far.line(&Answer::Last(Standing { connections: 3, ..Standing::default() })).unwrap();
        drop(far);
        assert!(elder.status().is_err(), "it is gone");
        assert_eq!(elder.last().unwrap().connections, 3);
    }
}
