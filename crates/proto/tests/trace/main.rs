//! The trace of a session: whole exchanges, as text and as values, however the input is cut.

mod values;
mod whole;

use std::time::{Duration, Instant};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::trace::{Entry, Unit};
use thalweg_proto::head::Request;
use thalweg_testkit::caller::Caller;

/// A request that nothing is wrong with.
fn a_request(method: &[u8]) -> Request {
    Request::new(method)
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

/// All entries since the last call.
fn entries(caller: &mut Caller<Session>) -> Vec<Entry> {
    std::iter::from_fn(|| caller.session.next_trace()).collect()
}

/// The frames among them that are complete.
fn units(entries: Vec<Entry>) -> Vec<Unit> {
    let unit = |entry| match entry {
        Entry::Unit(unit) => Some(unit),
        _ => None,
    };
    entries.into_iter().filter_map(unit).collect()
}

/// The same for people, at the start of the connection.
fn text(caller: &mut Caller<Session>) -> String {
    let line = |entry: &Entry| entry.text(Duration::ZERO).to_string();
    entries(caller).iter().map(line).collect()
}

/// A client and a server that are traced.
fn traced_pair(now: Instant) -> (Session, Session) {
    let limits = thalweg_proto::limits::Limits::default();
    let client = Session::client(limits.clone(), now).traced();
    (client, Session::server(limits, now).traced())
}
