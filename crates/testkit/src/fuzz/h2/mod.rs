//! HTTP/2 (RFC 9113): any octets into a server and a client; and any interleaving of a peer's frames, a caller's
//! commands and the clock, with what must always hold checked at every step.

mod powers;
mod script;

pub use script::h2_script;

use super::Script;
use crate::caller::{Caller, Told};
use crate::splits::cut;
use std::time::{Duration, Instant};
use thalweg_proto::h2::frame::{Frame, Settings};
use thalweg_proto::h2::{Config, PREFACE, Padding, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams as _;

/// Any octets into a server, after the preface or without it. Cut in pieces, and traced, they mean the same as whole.
///
/// Script: whether the preface is left out, the seed of the cut, and the octets.
pub fn h2_server(octets: &[u8]) {
    let mut script = Script::new(octets);
    let bare = script.octet().unwrap_or_default() % 8 == 7;
    let seed = script.octet().unwrap_or_default();
    let mut wire = if bare { Vec::new() } else { opening(PREFACE) };
    wire.extend_from_slice(script.octets(usize::MAX));
    let run = |pieces: &[&[u8]], traced: bool| {
        let now = Instant::now();
        let session = Session::server(tight(), now);
        let session = if traced { session.traced() } else { session };
        told_and_sent(session, now, pieces)
    };
    assert_eq!(run(&[&wire], false), run(&cut(&wire, seed.into()), true));
}

/// Any octets into a client with two open requests. Cut in pieces, and traced, they mean the same as whole.
///
/// Script: whether SETTINGS are left out and whether pushes are taken, the seed of the cut, and the octets.
pub fn h2_client(octets: &[u8]) {
    let mut script = Script::new(octets);
    let start = script.octet().unwrap_or_default();
    let bare = start % 8 == 7;
    let seed = script.octet().unwrap_or_default();
    let mut wire = if bare { Vec::new() } else { opening(&[]) };
    wire.extend_from_slice(script.octets(usize::MAX));
    let run = |pieces: &[&[u8]], traced: bool| {
        let now = Instant::now();
        let session = Session::client(tight(), now).configured(powerful(start >= 128));
        let mut session = if traced { session.traced() } else { session };
        for (method, end) in [(&b"GET"[..], true), (b"POST", false)] {
            session.open(request(method), end).expect("a good request");
        }
        let mut caller = Caller::new(session);
        caller.flush(now);
        told_and_sent(caller.session, now, pieces)
    };
    assert_eq!(run(&[&wire], false), run(&cut(&wire, seed.into()), true));
}

fn opening(preface: &[u8]) -> Vec<u8> {
    let mut wire = preface.to_vec();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    wire
}

fn told_and_sent(session: Session, now: Instant, pieces: &[&[u8]]) -> (Vec<Told>, Vec<u8>) {
    let mut caller = Caller::new(session);
    for piece in pieces {
        caller.feed(now, piece);
    }
    let requests: Vec<_> = caller
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Request(id, ..) => Some(*id),
            _ => None,
        })
        .collect();
    for id in requests {
        if caller
            .session
            .respond(id, Response::new(200), false)
            .is_ok()
        {
            caller.say(id, vec![b'x'; 20_000], true);
        }
    }
    let sent = caller.flush(now);
    caller.expire(now + Duration::from_secs(1000));
    while let Some(entry) = caller.session.next_trace() {
        let text = entry.text(Duration::ZERO).to_string();
        let shown = text.chars().all(|of| of == '\n' || !of.is_control());
        assert!(shown, "{entry:?}");
    }
    (caller.told, sent)
}

/// Limits that a short script reaches.
fn tight() -> Limits {
    Limits {
        head: 512,
        fields: 8,
        target: 64,
        streams: 4,
        stream_window: 1000,
        promises: 3,
        placeholders: PLACEHOLDERS,
        connection_window: 70_000,
        largest_window: 70_000,
        table: 128,
        continuations: 3,
        acknowledgements: 20,
        ..Limits::default()
    }
}

/// Places in the priority tree without a stream.
const PLACEHOLDERS: usize = 5;

/// A type of frames that is the caller's own.
const OWN: u8 = 0xf0;

/// All that can be chosen beside the usual, or nothing of it.
fn powerful(chosen: bool) -> Config {
    if !chosen {
        return Config::default();
    }
    Config {
        push: true,
        connect_protocol: true,
        frames: vec![OWN],
        padding: Padding::Multiple(50),
        ..Config::default()
    }
}

fn request(method: &[u8]) -> Request {
    Request::new(method)
        .with_scheme(b"https")
        .with_authority(b"a")
        .with_path(b"/")
}
