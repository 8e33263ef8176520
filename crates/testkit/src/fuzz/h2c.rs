//! `Upgrade: h2c` (RFC 7540, section 3.2): any octets into a server and a client that may change their protocol, whole
//! and in pieces.

use super::Script;
use crate::caller::{Caller, Told};
use crate::splits::cut;
use std::time::{Duration, Instant};
use thalweg_proto::h2::PREFACE;
use thalweg_proto::h2::frame::{Frame, Settings};
use thalweg_proto::h2c::Session;
use thalweg_proto::head::{Request, Response, Version};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Streams as _};

const OFFER: &[u8] =
    b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
    http2-settings: AAMAAABk\r\n\r\n";
const AGREED: &[u8] = b"HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

/// Answers after which a peer that still asks is taken to ask for ever.
const ANSWERS: usize = 1000;

/// Any octets into a server, alone, behind an offer, or behind that and a preface. Cut in pieces they mean the same as
/// whole.
///
/// Script: what comes before, the seed of the cut, and the octets.
pub fn h2c_server(octets: &[u8]) {
    let mut script = Script::new(octets);
    let before = script.octet().unwrap_or_default() % 4;
    let seed = script.octet().unwrap_or_default();
    let mut wire = Vec::new();
    if before > 0 {
        wire.extend_from_slice(OFFER);
    }
    if before > 1 {
        wire.extend_from_slice(PREFACE);
        Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    }
    wire.extend_from_slice(script.octets(usize::MAX));
    let run = |pieces: &[&[u8]]| {
        let now = Instant::now();
        let mut caller = Caller::new(Session::server(tight(), now));
        for piece in pieces {
            caller.feed(now, piece);
        }
        if before > 0 {
            assert_eq!(caller.session.version(), Version::Http2);
        }
        let sent = answer_all(&mut caller, now);
        caller.expire(now + Duration::from_secs(1000));
        (caller.told, sent)
    };
    assert_eq!(run(&[&wire]), run(&cut(&wire, seed.into())));
}

/// Any octets into a client that offers, alone or behind a 101. Cut in pieces they mean the same as whole.
///
/// Script: whether a 101 comes first, whether the request has content, and how the octets end; the seed of the cut;
/// and the octets.
pub fn h2c_client(octets: &[u8]) {
    let mut script = Script::new(octets);
    let start = script.octet().unwrap_or_default();
    let seed = script.octet().unwrap_or_default();
    let mut wire = Vec::new();
    if start & 1 != 0 {
        wire.extend_from_slice(AGREED);
    }
    wire.extend_from_slice(script.octets(usize::MAX));
    let run = |pieces: &[&[u8]]| {
        let now = Instant::now();
        let mut caller = Caller::new(Session::client(tight(), now));
        let head = Request::new(b"GET").with_scheme(b"http");
        let head = head.with_authority(b"a").with_path(b"/");
        caller
            .session
            .open(head, start & 2 == 0)
            .expect("a good request");
        let mut sent = caller.flush(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        sent.extend(caller.flush(now));
        match start >> 6 {
            0 => {}
            1 => caller.eof(now, Eof::Clean),
            _ => caller.eof(now, Eof::Truncated),
        }
        caller.expire(now + Duration::from_secs(1000));
        (caller.told, sent)
    };
    assert_eq!(run(&[&wire]), run(&cut(&wire, seed.into())));
}

/// Answers every complete request, until there is none; then all that was sent.
fn answer_all(caller: &mut Caller<Session>, now: Instant) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut answered = 0;
    for _ in 0..ANSWERS {
        let complete: Vec<_> = caller.told[answered..]
            .iter()
            .filter_map(|told| match told {
                Told::Request(id, _, true) | Told::End(id, _) => Some(*id),
                _ => None,
            })
            .collect();
        answered = caller.told.len();
        for id in complete {
            // It may have been reset since.
            let _ = caller.session.respond(id, Response::new(204), true);
        }
        let more = caller.flush(now);
        caller.step(now);
        if more.is_empty() {
            return sent;
        }
        sent.extend(more);
    }
    panic!("the server is still asked after {ANSWERS} answers");
}

/// Limits that a short script reaches.
fn tight() -> Limits {
    Limits {
        head: 512,
        fields: 8,
        target: 64,
        streams: 4,
        stream_window: 1000,
        connection_window: 70_000,
        largest_window: 70_000,
        table: 128,
        continuations: 3,
        acknowledgements: 20,
        ..Limits::default()
    }
}
