//! RFC 8441, section 3: SETTINGS_ENABLE_CONNECT_PROTOCOL.

use crate::parties::{pair, serve, websocket};
use crate::wire::{Script, frames, request};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams as _;
use thalweg_testkit::caller::Caller;

const ENABLE_CONNECT_PROTOCOL: u16 = 8;

fn announced(session: Session) -> Option<u32> {
    let octets = Caller::new(session).flush(Instant::now());
    let sent = frames(&octets);
    assert_eq!(sent[0].header.kind, Kind::Settings);
    let Frame::Settings(entries) = sent[0].frame() else {
        panic!("{sent:?}");
    };
    let of = |(identifier, value)| (identifier == ENABLE_CONNECT_PROTOCOL).then_some(value);
    entries.iter().find_map(of)
}

/// A server says 1 where it was chosen, and nothing elsewhere; a client has nothing to say.
#[test]
fn only_a_server_announces_it_and_only_where_it_was_chosen() {
    let now = Instant::now();
    let server = || Session::server(Limits::default(), now);
    let client = Session::client(Limits::default(), now);
    assert_eq!(announced(server()), None);
    assert_eq!(
        announced(server().configured(crate::parties::config())),
        Some(1)
    );
    assert_eq!(announced(client.configured(crate::parties::config())), None);
}

/// "Upon receipt of SETTINGS_ENABLE_CONNECT_PROTOCOL with a value of 1, a client MAY use the Extended CONNECT": not
/// before.
#[test]
fn a_client_may_use_it_only_once_the_server_has_said_so() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.flush(now);
    for entries in [&[][..], &[(ENABLE_CONNECT_PROTOCOL, 0)]] {
        client.feed(now, &Script::default().settings(entries).0);
        assert!(!client.session.connect_protocol());
        let open = client.session.open(websocket(), false);
        assert_eq!(open, Err(UsageError::NoConnectProtocol));
    }
    let entries = [(ENABLE_CONNECT_PROTOCOL, 1)];
    client.feed(now, &Script::default().settings(&entries).0);
    assert!(client.session.connect_protocol());
    assert!(client.session.open(websocket(), false).is_ok());
    let pair = pair(0);
    assert!(pair.client.session.connect_protocol() && !pair.server.session.connect_protocol());
}

/// "The value of the parameter MUST be 0 or 1."
#[test]
fn any_other_value_is_a_connection_error() {
    for value in [2, u32::MAX] {
        request(
            &[],
            &Script::default().settings(&[(ENABLE_CONNECT_PROTOCOL, value)]),
        )
        .assert_failed(Violation::Setting, Code::Protocol);
    }
}

/// "A sender MUST NOT send a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after previously sending a
/// value of 1."
#[test]
fn a_server_that_takes_it_back_breaks_the_connection() {
    let on = [(ENABLE_CONNECT_PROTOCOL, 1)];
    let off = [(ENABLE_CONNECT_PROTOCOL, 0)];
    request(&[], &Script::default().settings(&on).settings(&off))
        .assert_failed(Violation::Setting, Code::Protocol);
    // To say it again, or nothing of it, takes nothing back.
    let outcome = request(
        &[],
        &Script::default().settings(&on).settings(&on).settings(&[]),
    );
    assert_eq!(outcome.failure(), None);
}

/// "Receipt of this parameter by a server does not have any impact."
#[test]
fn a_server_passes_over_a_clients() {
    for value in [0, 1, 7] {
        let script = Script::client().settings(&[(ENABLE_CONNECT_PROTOCOL, value)]);
        let outcome = serve(&script.settings(&[(ENABLE_CONNECT_PROTOCOL, 0)]));
        assert_eq!((outcome.failure(), outcome.goaway()), (None, None));
    }
}
