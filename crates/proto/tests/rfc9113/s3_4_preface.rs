//! Section 3.4: the connection preface.

use crate::wire::{GET, Script, a_request, frames, request, serve, serve_within};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Kind, flags};
use thalweg_proto::h2::{PREFACE, Session};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Caller;

/// "The server connection preface consists of a potentially empty SETTINGS frame that MUST be the first frame the
/// server sends."
#[test]
fn a_servers_first_frame_is_settings() {
    let sent = serve(&Script::client().ping()).sent;
    assert_eq!(sent[0].header.kind, Kind::Settings);
    assert_eq!(sent[0].header.flags, 0);
}

/// A client says the 24 octets, then SETTINGS, and may send requests without waiting for the server's.
#[test]
fn a_client_begins_with_the_24_octets_and_settings_and_need_not_wait() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.session.open(a_request("GET"), true).unwrap();
    let octets = client.flush(now);
    assert!(octets.starts_with(PREFACE));
    let sent = frames(&octets);
    assert_eq!(sent[0].header.kind, Kind::Settings);
    assert!(sent.iter().any(|sent| sent.header.kind == Kind::Headers));
}

/// Requests that follow the client's preface directly are served.
#[test]
fn a_request_need_not_wait_for_the_servers_settings() {
    let outcome = serve(&Script::client().head(1, GET, true));
    assert_eq!(outcome.requests(), [1]);
}

/// "Clients and servers MUST treat an invalid connection preface as a connection error of type PROTOCOL_ERROR."
#[test]
fn other_octets_than_the_preface_end_the_connection() {
    for wrong in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
        b"\x16\x03\x01\x02\x00",
    ] {
        serve(&Script(wrong.to_vec())).assert_failed(Violation::Preface, Code::Protocol);
    }
}

#[test]
fn another_frame_than_settings_first_ends_the_connection() {
    let wrong = Script(PREFACE.to_vec()).ping();
    serve(&wrong).assert_failed(Violation::Preface, Code::Protocol);
    serve(&Script(PREFACE.to_vec()).ack()).assert_failed(Violation::Preface, Code::Protocol);
    request(&["GET"], &Script::default().ping()).assert_failed(Violation::Preface, Code::Protocol);
}

/// Not in the RFC: a connection that stays silent is not kept.
#[test]
fn a_preface_that_does_not_come_in_time_ends_the_connection() {
    let limits = Limits::default();
    for octets in [&b""[..], &PREFACE[..10], PREFACE] {
        let now = Instant::now();
        let mut server = Caller::new(Session::server(limits.clone(), now));
        server.feed(now, octets);
        server.expire(now + limits.head_time - Duration::from_millis(1));
        assert_eq!(server.failure(), None);
        server.expire(now + limits.head_time);
        assert_eq!(server.failure().unwrap().why, Violation::HeadTimeout);
    }
}

#[test]
fn the_announced_settings_are_those_of_the_limits() {
    let limits = Limits {
        streams: 7,
        stream_window: 100_000,
        frame: 20_000,
        table: 0,
        head: 12_345,
        ..Limits::default()
    };
    let outcome = serve_within(limits, &Script::client());
    let settings = &outcome.sent[0];
    let thalweg_proto::h2::frame::Frame::Settings(entries) = settings.frame() else {
        panic!("{settings:?}");
    };
    let expected = [
        (1, 0),
        (3, 7),
        (4, 100_000),
        (5, 20_000),
        (6, 12_345),
        (9, 1),
    ];
    assert_eq!(entries.iter().collect::<Vec<_>>(), expected);
}

/// "The SETTINGS frames received from a peer as part of the connection preface MUST be acknowledged after sending the
/// connection preface", at either end.
#[test]
fn the_settings_of_the_preface_are_acknowledged_behind_our_own() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.feed(now, &Script::server().0);
    let octets = client.flush(now);
    assert!(octets.starts_with(PREFACE));
    for sent in [frames(&octets), serve(&Script::client()).sent] {
        assert_eq!(
            (sent[0].header.kind, sent[0].header.flags),
            (Kind::Settings, 0)
        );
        let acks = sent[1..]
            .iter()
            .filter(|sent| sent.header.kind == Kind::Settings);
        let acks: Vec<_> = acks
            .map(|sent| (sent.header.flags, sent.header.length))
            .collect();
        assert_eq!(acks, [(flags::ACK, 0)]);
    }
}
