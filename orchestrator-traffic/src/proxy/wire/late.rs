//! What takes too long: a head, a body, silence between requests.

use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Context;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::Stage;
use super::{Mode, Wire};

/// How long a connection is idle before it does without what HTTP needs, some 30 KiB.
const PARK: Duration = Duration::from_secs(1);

/// What a client was too slow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Head,
    Body,
    Idle,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// What has taken too long, where something has.
    pub(super) fn is_late(&mut self, context: &mut Context<'_>) -> Option<Late> {
        let limits = &self.client.proxy.limits;
        if self.mode == Mode::Raw && self.client.tunnel.load(SeqCst) {
            return None;
        }
        if self.mode == Mode::Checked && self.framing.in_body() {
            return self.read.too_long(context, limits.stall).then_some(Late::Body);
        }
        if let Some(since) = self.head_since {
            let late = if self.held.is_empty() { Late::Idle } else { Late::Head };
            return self.read.passed(context, since + limits.head).then_some(late);
        }
        // While a request is under way nobody is late. But HTTP may not look again when it is answered, so the clock runs.
        let busy = self.client.busy.load(SeqCst) > 0;
        let came = if self.mode == Mode::Raw { self.client.served() } else { self.heads };
        if busy || came != self.heads {
            self.heads = came;
            self.read.since = None;
        }
        let idle = if self.client.stop.stage() == Stage::Serving {
            limits.idle
        } else {
            // From the moment that this is known, so that whoever is about to send something may be told to close.
            if !self.ending {
                self.ending = true;
                self.read.since = None;
            }
            limits.idle_at_end
        };
        if busy || self.parked || idle <= PARK || self.mode == Mode::Raw {
            let late = self.read.too_long(context, idle) && !busy;
            return (late && !(self.ending && self.may_send(context))).then_some(Late::Idle);
        }
        if self.read.too_long(context, PARK) && self.write.since.is_none() {
            self.client.park.order();
        }
        None
    }

    /// Whether HTTP/2 may still have to send what a client has yet to take. It does not say whether it has; where it has, the client is
    /// told to close.
    fn may_send(&mut self, context: &mut Context<'_>) -> bool {
        let stall = self.client.proxy.limits.stall;
        self.sent.is_some_and(|sent| !self.read.passed(context, sent + stall))
    }

    pub(super) fn end(&mut self, late: Late) -> io::Result<()> {
        match late {
            Late::Head => self.refuse(408),
            Late::Body => {
                self.client.broken.store(408, SeqCst);
                self.mode = Mode::Broken;
                return Err(io::ErrorKind::TimedOut.into());
            }
            Late::Idle => self.mode = Mode::Ended,
        }
        Ok(())
    }
}
