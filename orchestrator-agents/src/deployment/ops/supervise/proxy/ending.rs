//! How a supervisor ends the proxy. One that could not be ended is none that runs: its end is tried again, and it takes no order until then.

use std::sync::mpsc::Sender;
use std::time::Duration;

use super::super::keeper::Keeper;
use super::super::run::Event;
use super::super::service::AGAIN;
use crate::deployment::Process;
use crate::deployment::ops::process;
use crate::deployment::supervise::{Answer, State};

impl Keeper {
    /// Why it takes no order, where it is being ended, or could not be ended yet.
    pub(super) fn proxy_is_ending(&self) -> Option<String> {
        let kept = self.roster.proxy.as_ref().filter(|kept| kept.state == State::Ending)?;
        let why = kept.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        Some(format!("the proxy is just being ended{why}; order it again in a moment"))
    }

    pub(in crate::deployment::ops::supervise) fn end_proxy(
        &mut self,
        grace: Duration,
        reply: Option<Sender<Answer>>,
    ) {
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else {
            reply.map(|reply| reply.send(Answer::Done));
            return;
        };
        if let Some(asking) = &mut live.ending {
            asking.extend(reply);
            return;
        }
        if kept.state != State::Ending {
            kept.why = None;
        }
        live.ending = Some(reply.into_iter().collect());
        (live.due, live.ready_by) = (None, None);
        kept.state = State::Ending;
        let process: Option<Process> = kept.process.clone();
        let _ = self.record();
        let (events, tag) = (self.events.clone(), self.proxy_tag());
        let ending = std::thread::Builder::new().name("end".into()).spawn(move || {
            let done =
                process::end(process.as_ref(), &tag, grace).map(drop).map_err(|error| error.to_string());
            let _ = events.send(Event::ProxyEnded { done });
        });
        if let Err(error) = ending {
            self.proxy_ended(Err(format!("it could not be ended: {error}")));
        }
    }

    pub(in crate::deployment::ops::supervise) fn proxy_ended(&mut self, done: Result<(), String>) {
        let now = self.now();
        let asking = self.proxy.as_mut().and_then(|live| live.ending.take()).unwrap_or_default();
        let answer = match done {
            Ok(()) => {
                (self.proxy, self.roster.proxy) = (None, None);
                let _ = self.record();
                self.journal.note("proxy: ended");
                Answer::Done
            }
            Err(why) => {
                self.journal.note(format_args!("proxy: {why}; its end is tried again in {AGAIN:?}"));
                if let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) {
                    (kept.why, live.due) = (Some(why.clone()), Some(now + AGAIN));
                }
                let _ = self.record();
                Answer::Refused { why }
            }
        };
        for reply in asking {
            let _ = reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};

    use orchestrator_traffic::sockets::Said;

    use super::super::{LiveProxy, READY};
    use super::*;
    use crate::deployment::Environment;
    use crate::deployment::ops::place::Place;
    use crate::deployment::ops::supervise::home::Home;
    use crate::deployment::ops::supervise::journal::Journal;
    use crate::deployment::ops::supervise::run::lock;
    use crate::deployment::supervise::ProxyOrder;

    /// What the thread that ends it tells.
    fn ended(keeper: &mut Keeper, inbox: &Receiver<Event>, really: Result<(), String>) {
        loop {
            match inbox.recv_timeout(READY).expect("its end is told") {
                Event::ProxyEnded { done } => return keeper.proxy_ended(done.and(really)),
                other => keeper.hear(other),
            }
        }
    }

    #[test]
    fn one_that_could_not_be_ended_is_ended_again_and_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path(), &Environment::new("production").unwrap());
        fs::create_dir_all(place.folder()).unwrap();
        let locked = lock(&place).unwrap().unwrap();
        let home = Home::of(&locked, place.folder().join("supervise.lock")).unwrap();
        let journal = Journal::at(place.folder().join("supervise.log"));
        let (events, inbox) = channel();
        let mut keeper = Keeper::new(place, home, Vec::new(), events, journal).unwrap();
        let order = |keeper: &mut Keeper| {
            let (program, args) = ("/nowhere/orchestrate".into(), Vec::new());
            let listen = vec!["127.0.0.1:0".parse().unwrap()];
            let (reply, answer) = channel();
            keeper.order_proxy(ProxyOrder { program, args, listen, metrics: None }, reply);
            answer.try_recv()
        };
        assert!(order(&mut keeper).is_err(), "it is answered when it serves, or could be tried again");

        let (reply, answer) = channel();
        keeper.end_proxy(Duration::ZERO, Some(reply));
        ended(&mut keeper, &inbox, Err("process 7 is still there".into()));
        assert!(matches!(answer.try_recv(), Ok(Answer::Refused { why }) if why.contains("still there")));
        let due = keeper.proxy.as_ref().and_then(LiveProxy::due).expect("it is tried again");
        assert!(due > keeper.now());
        let again = order(&mut keeper).expect("whoever orders it is not kept waiting");
        assert!(matches!(again, Answer::Refused { why } if why.contains("ended (process 7 is still there)")));
        // What is said of one that is to end makes it none that runs.
        let turn = keeper.proxy.as_ref().unwrap().turn;
        keeper.proxy_said(turn, Said::Ready { pid: std::process::id() });
        keeper.proxy_drained(turn);
        assert_eq!(keeper.roster.proxy.as_ref().unwrap().state, State::Ending);
        // It went by itself: nobody starts it again, and there is no need to wait.
        keeper.proxy_gone(turn, "it ended".into());
        assert!(keeper.proxy.as_ref().and_then(LiveProxy::due).is_some_and(|due| due <= keeper.now()));
        keeper.tick_proxy();
        ended(&mut keeper, &inbox, Ok(()));
        assert!(keeper.roster.proxy.is_none() && keeper.proxy.is_none());
        assert!(order(&mut keeper).is_err() && keeper.roster.proxy.is_some(), "it takes orders again");
    }
}
