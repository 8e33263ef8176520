//! Who takes part in these tests.

use crate::wire::{Outcome, Script, frames};
use std::time::Instant;
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams as _};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;
use thalweg_testkit::splits::every_split;

/// The lines of the example in RFC 8441, section 5.1, as far as they matter here.
pub(crate) const WEBSOCKET: &[(&str, &str)] = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":path", "/chat"),
    (":authority", "server.example.com"),
];

pub(crate) fn config() -> Config {
    Config {
        connect_protocol: true,
        ..Config::default()
    }
}

/// What a server that takes CONNECT for a protocol makes of a script, in every split.
pub(crate) fn serve(script: &Script) -> Outcome {
    let mut first: Option<Outcome> = None;
    let now = Instant::now();
    every_split(&script.0, |cut, pieces| {
        let session = Session::server(Limits::default(), now).configured(config());
        let mut caller = Caller::new(session);
        for piece in pieces {
            caller.feed(now, piece);
        }
        let sent = frames(&caller.flush(now));
        let told = caller.told;
        let outcome = Outcome { told, sent };
        match &first {
            None => first = Some(outcome),
            Some(first) => assert_eq!(*first, outcome, "{cut}"),
        }
    });
    first.unwrap()
}

/// A client, and a server that takes CONNECT for a protocol, whose settings have crossed.
pub(crate) fn pair(seed: u64) -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let server = Session::server(Limits::default(), now).configured(config());
    let mut pair = Pair::new(client, server, now).cut_at_random(seed);
    pair.settle();
    pair
}

/// A request for a tunnel to `a.org:443`.
pub(crate) fn connect() -> Request {
    Request::new(b"CONNECT").with_authority(b"a.org:443")
}

/// The request of [`WEBSOCKET`].
pub(crate) fn websocket() -> Request {
    Request::new(b"CONNECT")
        .with_protocol(b"websocket")
        .with_scheme(b"https")
        .with_path(b"/chat")
        .with_authority(b"server.example.com")
}

/// Opens a stream, and answers with its id at the server.
pub(crate) fn open(pair: &mut Pair<Session, Session>, head: Request) -> (StreamId, StreamId) {
    let id = pair.client.session.open(head, false).unwrap();
    pair.settle();
    let Some(Told::Request(at_server, _, false)) = pair.server.told.last() else {
        panic!("{:?}", pair.server.told);
    };
    (id, *at_server)
}
