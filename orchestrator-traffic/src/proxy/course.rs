//! One request from its head to the end of its answer: what is counted and told of it, however it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::connection::Client;
use super::record::{End, Record};
use super::stop::Stage;
use super::table::Fields;
use super::version::Flight;

/// See the module. When it is dropped the request is over.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) client: Arc<Client>,
    pub(super) flight: Option<Flight>,
    method: Method,
    target: Option<PathAndQuery>,
    host: Option<HeaderValue>,
    /// Referer and agent, where somebody wants them.
    linked: Option<Box<[Option<HeaderValue>; 2]>>,
    pub(super) started: Instant,
    /// When the head of the answer was there.
    head: Option<Instant>,
    status: u16,
    pub(super) bytes: u64,
    end: Option<End>,
    forgotten: bool,
}

impl Course {
    pub(super) fn new<B>(client: Arc<Client>, request: &http::Request<B>) -> Self {
        let host = if client.proxy.recorder.is_some() { named_host(request) } else { None };
        let (method, target) = (request.method().clone(), request.uri().path_and_query().cloned());
        Self::begin(client, method, target, host, request.headers())
    }

    /// Whether only the head of an answer is wanted.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// A request for that target begins.
    pub(super) fn begin(
        client: Arc<Client>,
        method: Method,
        target: Option<PathAndQuery>,
        host: Option<HeaderValue>,
        fields: &impl Fields,
    ) -> Self {
        client.busy.fetch_add(1, SeqCst);
        let wanted = client.proxy.recorder.as_ref().is_some_and(|recorder| recorder.wants_agent());
        let value = |name: HeaderName| {
            fields.values(name.as_str()).next().and_then(|value| HeaderValue::from_bytes(value).ok())
        };
        let linked = wanted.then(|| Box::new([value(header::REFERER), value(header::USER_AGENT)]));
        Self {
            client,
            flight: None,
            method,
            target,
            host,
            linked,
            started: Instant::now(),
            head: None,
            status: 0,
            bytes: 0,
            end: None,
            forgotten: false,
        }
    }

    /// It begins again elsewhere: nothing is told of it here.
    pub(super) fn forget(mut self) {
        self.forgotten = true;
    }

    /// Its version gives the head of an answer.
    pub(super) fn answered(&mut self, status: u16) {
        let now = self.head(status);
        if let Some(flight) = &self.flight {
            flight.answered(status, now.saturating_duration_since(flight.started));
        }
    }

    /// Its version gave no answer, so the proxy does.
    pub(super) fn failed(&mut self, status: u16) {
        if let Some(flight) = &self.flight {
            flight.version.tally.failed(status, flight.started.elapsed());
        }
        self.end = Some(End::Broken);
        self.head(status);
    }

    /// It is the client's fault that there is no answer but that of the proxy.
    pub(super) fn refused(&mut self, status: u16) {
        self.head(status);
    }

    /// It is cut before it got the head of an answer; it gets that status.
    pub(super) fn cut(&mut self, status: u16) {
        self.ends(End::Cut);
        self.head(status);
    }

    fn head(&mut self, status: u16) -> Instant {
        self.status = status;
        *self.head.insert(Instant::now())
    }

    /// When the head of the answer was there, or the request.
    pub(super) fn latest(&self) -> Instant {
        self.head.unwrap_or(self.started)
    }

    /// Whether its version was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.version.is_cut())
    }

    /// It is over in that way, if it was not before.
    pub(super) fn ends(&mut self, end: End) {
        if self.end.is_some() {
            return;
        }
        self.end = Some(end);
        let Some(flight) = &self.flight else { return };
        match end {
            End::Cut => {
                flight.was_cut(self.method.as_str(), self.path());
                if self.status == 0 { flight.version.tally.cut() } else { self.broke_off(flight) }
            }
            End::Broken => self.broke_off(flight),
            // Whoever gives up waiting is told nothing, but a version that keeps people waiting has had a request.
            End::Left if self.status == 0 => flight.version.tally.left(flight.started.elapsed()),
            End::Whole | End::Left => {}
        }
    }

    fn broke_off(&self, flight: &Flight) {
        if self.status < 500 {
            flight.version.tally.broke_off();
        }
    }

    fn path(&self) -> &str {
        self.target.as_ref().map_or("/", PathAndQuery::path)
    }

    fn record(&self) {
        let Some(recorder) = &self.client.proxy.recorder else { return };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let host = self.host.as_ref().map(text);
        let [referer, agent] = match &self.linked {
            Some(linked) => linked.each_ref().map(|value| value.as_ref().map(text).unwrap_or_default()),
            None => Default::default(),
        };
        recorder.record(&Record {
            method: self.method.as_str(),
            path: self.path(),
            host: host.as_deref().unwrap_or_default(),
            referer: &referer,
            agent: &agent,
            client: self.client.address.to_str().unwrap_or_default(),
            status: self.status,
            route: self.flight.as_ref().map(|flight| &*flight.version.route),
            version: self.flight.as_ref().map(|flight| &*flight.version.name),
            bytes: self.bytes,
            head_us: micros(self.head.map_or_else(Duration::default, |head| head - self.started)),
            total_us: micros(self.started.elapsed()),
            end: self.end.unwrap_or(End::Left),
        });
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        // Whoever is not told how it ended was dropped with its connection.
        if !self.forgotten {
            let end = if self.client.stop.stage() == Stage::Cut { End::Cut } else { End::Left };
            self.ends(end);
            self.record();
        }
        self.client.is_over();
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The host that a request names, with its port.
fn named_host<B>(request: &http::Request<B>) -> Option<HeaderValue> {
    let by_target =
        request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    by_target.or_else(|| request.headers().get(header::HOST).cloned())
}

/// The host that a request names, without its port.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    if let Some(host) = uri.host() {
        return host;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    &host[..end.unwrap_or(host.len())]
}
