//! The replies to requests.

use super::limits::{LOOK_EVERY, SILENT_LOOKS, WAITING_MAX};
use super::prometheus::{OPEN, PLAIN};
use super::state::Shared;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, interval};

/// What requests are answered from.
pub(super) struct Replies {
    shared: Shared,
    address: SocketAddr,
    /// The text that a request must have, if one is needed.
    token: Option<String>,
    waiting: Arc<Semaphore>,
}

/// The body of a reply.
pub(super) enum Content {
    Whole(Option<Bytes>),
    Events(Box<Events>),
}

/// Tells a page that there are new answers.
pub(super) struct Events {
    shared: Shared,
    looks: Interval,
    /// Looks since something was sent.
    silent: u32,
    _place: OwnedSemaphorePermit,
}

impl Replies {
    pub(super) fn new(shared: Shared, address: SocketAddr, token: Option<String>) -> Self {
        Replies { shared, address, token, waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// Returns the reply. `is_waiting` becomes true if it goes on for as long as its reader waits.
    pub(super) fn reply(
        &self,
        request: &Request<Incoming>,
        is_waiting: &AtomicBool,
    ) -> Response<Content> {
        let headers = request.headers();
        if !self.is_for_us(headers) {
            return refusal(StatusCode::MISDIRECTED_REQUEST, "this is another host\n");
        }
        if !self.is_allowed(headers, request.uri().query()) {
            return refusal(StatusCode::UNAUTHORIZED, "a token is needed\n");
        }
        let is_head = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => return refusal(StatusCode::METHOD_NOT_ALLOWED, "use GET\n"),
        };
        let whole = |kind: &'static str, bytes: Bytes| {
            reply(StatusCode::OK, kind, Content::Whole((!is_head).then_some(bytes)))
        };
        match request.uri().path() {
            "/" => whole("text/html; charset=utf-8", self.shared.page()),
            "/healthz" => whole("text/plain; charset=utf-8", Bytes::from_static(b"ok\n")),
            "/metrics" => {
                let is_open = accepts_open(headers);
                whole(if is_open { OPEN } else { PLAIN }, self.shared.metrics(is_open))
            }
            "/events" if !is_head => match self.waiting.clone().try_acquire_owned() {
                Ok(place) => {
                    is_waiting.store(true, Ordering::Relaxed);
                    let events = Events {
                        shared: self.shared.clone(),
                        looks: interval(LOOK_EVERY),
                        silent: 0,
                        _place: place,
                    };
                    reply(StatusCode::OK, "text/event-stream", Content::Events(Box::new(events)))
                }
                Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "too many pages wait\n"),
            },
            _ => refusal(StatusCode::NOT_FOUND, "there is /, /metrics and /healthz\n"),
        }
    }

    /// Returns false for a request that a page of another host has sent under its own name, as by
    /// DNS rebinding. Only where no token is needed there is a need to look.
    fn is_for_us(&self, headers: &HeaderMap) -> bool {
        if self.token.is_some() {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let Some(host) = host else { return false };
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        port.parse() == Ok(self.address.port())
            && (is_loopback || name.eq_ignore_ascii_case("localhost"))
    }

    fn is_allowed(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let query = query.unwrap_or_default().split('&');
        let query = query.filter_map(|part| part.strip_prefix("token="));
        bearer.into_iter().chain(query).any(|given| is_same(given, token))
    }
}

/// Compares in a time that does not tell how much is the same.
fn is_same(given: &str, token: &str) -> bool {
    let differs = given.bytes().zip(token.bytes()).fold(0, |all, (one, other)| all | one ^ other);
    given.len() == token.len() && differs == 0
}

/// Returns true if the reader understands OpenMetrics.
fn accepts_open(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|kind| kind.trim().starts_with("application/openmetrics-text"))
    })
}

fn refusal(status: StatusCode, text: &'static str) -> Response<Content> {
    let content = Content::Whole(Some(Bytes::from_static(text.as_bytes())));
    let mut refusal = reply(status, "text/plain; charset=utf-8", content);
    let headers = refusal.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    refusal
}

fn reply(status: StatusCode, kind: &'static str, content: Content) -> Response<Content> {
    let mut reply = Response::new(content);
    *reply.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Events(events) => {
                events.poll(context).map(|bytes| Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Content::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Content::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                hyper::body::SizeHint::with_exact(length as u64)
            }
            Content::Events(_) => hyper::body::SizeHint::default(),
        }
    }
}

impl Events {
    /// Returns what the page is told next: that there is a new answer, or that the server is there.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.looks.poll_tick(context));
            self.silent += 1;
            if self.shared.is_new() && self.silent > 1 {
                self.silent = 0;
                return Poll::Ready(Bytes::from_static(b"event: change\ndata: \n\n"));
            }
            if self.silent == 1 || self.silent > SILENT_LOOKS {
                self.silent = 1;
                return Poll::Ready(Bytes::from_static(b": waiting\n\n"));
            }
        }
    }
}
