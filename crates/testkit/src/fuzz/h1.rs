//! HTTP/1.1 (RFC 9112): any octets into a server and a client, whole and in pieces.

use super::Script;
use crate::caller::{Caller, Told};
use crate::splits::cut;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thalweg_proto::fields::Fields;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, StreamId, Streams as _};

/// Any octets into a server. Cut in pieces they mean the same as whole, unless the application answers before a
/// request is complete; then at least nothing breaks.
///
/// Script: what the application does (see `Application`), the seed of the cut, and the octets.
pub fn h1_server(octets: &[u8]) {
    let mut script = Script::new(octets);
    let does = script.octet().unwrap_or_default();
    let seed = script.octet().unwrap_or_default();
    let wire = script.octets(usize::MAX);
    let whole = run_server(does, &[wire]);
    let pieces = run_server(does, &cut(wire, seed.into()));
    if Application::of(does).answers_complete_requests_only() {
        assert_eq!(whole, pieces);
    }
}

/// Any octets into a client with an open request. Cut in pieces they mean the same as whole.
///
/// Script: the request (see `request`), whether its response is wanted and how the octets end; the seed of the cut;
/// and the octets.
pub fn h1_client(octets: &[u8]) {
    let mut script = Script::new(octets);
    let asks = script.octet().unwrap_or_default();
    let seed = script.octet().unwrap_or_default();
    let wire = script.octets(usize::MAX);
    assert_eq!(
        run_client(asks, &[wire]),
        run_client(asks, &cut(wire, seed.into()))
    );
}

/// What an application does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Application {
    /// Answers a complete request with a content-length.
    Length,
    /// Answers a complete request in chunks, with trailers.
    Chunks,
    /// Grants every tunnel that is asked for, and says nothing through it.
    Tunnel,
    /// Answers at once, and wants no content.
    Discard,
    /// Never takes what it is told.
    Hoard,
}

impl Application {
    fn of(octet: u8) -> Self {
        match octet % 5 {
            0 => Application::Length,
            1 => Application::Chunks,
            2 => Application::Tunnel,
            3 => Application::Discard,
            _ => Application::Hoard,
        }
    }

    fn answers_complete_requests_only(self) -> bool {
        !matches!(self, Application::Discard | Application::Hoard)
    }

    fn answer(self, caller: &mut Caller<Session>, id: StreamId) {
        let head = match self {
            Application::Length => Response::new(200).with_field(b"content-length", b"2"),
            _ => Response::new(200),
        };
        let switching = || Response::new(101).with_field(b"upgrade", b"any");
        if self == Application::Tunnel && caller.session.respond(id, switching(), false).is_ok() {
            return;
        }
        let tunnel = self == Application::Tunnel;
        if caller.session.respond(id, head, false).is_ok() && !tunnel {
            caller.say(id, "h", false);
            caller.say(id, "i", self != Application::Chunks);
            if self == Application::Chunks {
                let trailers: Fields = [(&b"x"[..], &b"y"[..])].into_iter().collect();
                caller.say_trailers(id, trailers);
            }
        }
        if self == Application::Discard {
            caller.session.discard(id);
        }
    }
}

fn run_server(does: u8, pieces: &[&[u8]]) -> (Vec<Told>, Vec<u8>, Finish) {
    let application = Application::of(does);
    let now = Instant::now();
    let limits = Limits {
        head: 512,
        fields: 8,
        target: 64,
        stream_window: 256,
        ..Limits::default()
    };
    let mut caller = Caller::new(Session::server(Arc::new(limits), Scheme::Http, now));
    caller.takes = application != Application::Hoard;
    let mut written = Vec::new();
    for piece in pieces {
        caller.feed(now, piece);
        loop {
            let complete = application.answers_complete_requests_only();
            let due = caller.told.iter().rev().find_map(|told| match told {
                Told::Request(id, _, end) if *end || !complete => Some(*id),
                Told::End(id, _) => Some(*id),
                _ => None,
            });
            if let Some(id) = due {
                application.answer(&mut caller, id);
            }
            let more = caller.flush(now);
            written.extend_from_slice(&more);
            caller.step(now);
            if more.is_empty() {
                break;
            }
        }
    }
    let end = caller.session.wants().end;
    // Time and the end of the octets break nothing either.
    caller.expire(now + Duration::from_secs(1000));
    (caller.told, written, end)
}

fn run_client(asks: u8, pieces: &[&[u8]]) -> (Vec<Told>, Finish) {
    let now = Instant::now();
    let limits = Limits {
        head: 512,
        fields: 8,
        ..Limits::default()
    };
    let mut caller = Caller::new(Session::client(Arc::new(limits), now));
    let (head, end) = request(asks);
    let id = (caller.session.open(head, end)).expect("the request is one that can be sent");
    caller.flush(now);
    if asks & 0x20 != 0 {
        caller.session.discard(id);
    }
    for piece in pieces {
        caller.feed(now, piece);
    }
    match asks >> 6 {
        0 => {}
        1 => caller.eof(now, Eof::Clean),
        _ => caller.eof(now, Eof::Truncated),
    }
    (caller.told, caller.session.wants().end)
}

/// The request that a script asks for, and whether it has no content.
fn request(asks: u8) -> (Request, bool) {
    let head = |method: &[u8]| Request::new(method).with_authority(b"a:1").with_path(b"/");
    match asks & 0x1f {
        0 => (head(b"GET"), true),
        1 => (head(b"HEAD"), true),
        2 => (head(b"POST"), false),
        3 => (head(b"PUT").with_field(b"expect", b"100-continue"), false),
        4 => (head(b"CONNECT"), false),
        _ => {
            let offer = head(b"GET").with_field(b"connection", b"upgrade");
            (offer.with_field(b"upgrade", b"any"), true)
        }
    }
}
