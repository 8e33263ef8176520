//! Section 7.1: the PRIORITY_UPDATE frame.

use crate::{priority, turns};
use std::time::Instant;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header, Settings};
use thalweg_proto::h2::{Config, PREFACE, Session};
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::splits::every_split;
use thalweg_testkit::turns::Turns;

#[test]
fn a_stream_gets_another_priority_and_the_caller_is_told() {
    let mut turns = turns();
    let ids = [1, 3].map(|number| turns.ask(number, Some("u=3"), None));
    assert_eq!(turns.order(1 << 20), [1]);
    turns.update(3, "u=1, i");
    assert_eq!(turns.order(1 << 20), [3]);
    turns.update(3, "u=1, i");
    let told = |told: &&Told| matches!(told, Told::Priority(..));
    let told: Vec<_> = turns.caller.told.iter().filter(told).collect();
    assert_eq!(told, [&Told::Priority(ids[1], priority(1, true))], "once");
}

/// Shares move in the middle of everything.
#[test]
fn shares_move_in_mid_flight() {
    let mut turns = turns();
    for number in [1, 3, 5] {
        turns.ask(number, Some("u=3, i"), None);
    }
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
    turns.update(5, "u=4, i");
    turns.assert_shares(&[(1, 1.0), (3, 1.0)]);
    turns.update(5, "u=3, i");
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
}

/// Section 7: "Omitting a priority parameter is a signal to use its default value."
#[test]
fn an_update_is_a_complete_set_of_parameters() {
    let mut turns = turns();
    let id = turns.ask(1, Some("u=1, i"), None);
    turns.update(1, "");
    assert_eq!(turns.caller.session.priority(id), Some(priority(3, false)));
}

#[test]
fn one_that_cannot_be_read_changes_nothing() {
    let mut turns = turns();
    let id = turns.ask(1, Some("u=1, i"), None);
    let long = format!("u=5, x=\"{}\"", "x".repeat(2000));
    for value in ["u=5,", "u=", &long] {
        turns.update(1, value);
        assert_eq!(turns.caller.session.priority(id), Some(priority(1, true)));
    }
    assert_eq!(turns.caller.failure(), None);
}

/// "Receiving a PRIORITY_UPDATE frame with a field of any other value MUST be treated as a connection error of type
/// PROTOCOL_ERROR."
#[test]
fn one_on_a_stream_ends_the_connection() {
    let mut turns = turns();
    turns.ask(1, None, None);
    let (prioritized, value) = (1, &b"u=1"[..]);
    turns.feed(1, Frame::PriorityUpdate { prioritized, value });
    assert_failed(&turns.caller, Violation::FrameStream, Code::Protocol);
}

/// "If a PRIORITY_UPDATE frame is received with a prioritized stream ID of 0x0, the recipient MUST respond with a
/// connection error of type PROTOCOL_ERROR."
#[test]
fn one_for_stream_0_ends_the_connection() {
    let mut turns = turns();
    turns.update(0, "u=1");
    assert_failed(&turns.caller, Violation::PriorityUpdate, Code::Protocol);
}

/// "Servers that receive a PRIORITY_UPDATE for a push stream in the "idle" state MUST respond with a connection error
/// of type PROTOCOL_ERROR."
#[test]
fn one_for_a_push_that_was_not_promised_ends_the_connection() {
    let mut turns = turns();
    turns.update(2, "u=1");
    assert_failed(&turns.caller, Violation::PriorityUpdate, Code::Protocol);
}

#[test]
fn one_for_a_promised_stream_is_followed() {
    let mut turns = turns();
    let on = turns.ask(1, Some("u=2"), None);
    let pushed = turns.caller.session.push(on, a_request()).unwrap();
    let session = &turns.caller.session;
    assert_eq!(
        session.priority(pushed),
        Some(priority(2, false)),
        "its parent's"
    );
    turns.caller.flush(turns.now);
    turns.update(2, "u=6");
    assert_eq!(
        turns.caller.session.priority(pushed),
        Some(priority(6, false))
    );
}

/// RFC 9113, section 4.2: a frame that is too small for what it must hold.
#[test]
fn one_without_a_whole_stream_number_ends_the_connection() {
    let mut caller = turns().caller;
    caller.feed(Instant::now(), b"\0\0\x03\x10\0\0\0\0\0\0\0\0");
    assert_failed(&caller, Violation::FrameSize, Code::FrameSize);
}

/// "Servers MUST NOT send PRIORITY_UPDATE frames. If a client receives a PRIORITY_UPDATE frame, it MUST respond with a
/// connection error of type PROTOCOL_ERROR."
#[test]
fn one_from_a_server_ends_the_connection() {
    let now = Instant::now();
    let mut octets = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut octets);
    let (prioritized, value) = (1, &b"u=1"[..]);
    Frame::PriorityUpdate { prioritized, value }.write(0, &mut octets);
    every_split(&octets, |_, pieces| {
        let mut client = Caller::new(Session::client(Limits::default(), now));
        client.session.open(a_request(), true).unwrap();
        client.flush(now);
        pieces.iter().for_each(|piece| client.feed(now, piece));
        assert_failed(&client, Violation::PriorityUpdate, Code::Protocol);
    });
}

/// "Servers SHOULD buffer the most recently received PRIORITY_UPDATE frame and apply it once the referenced stream is
/// opened": over what the request itself says.
#[test]
fn the_last_of_those_that_come_before_their_stream_holds_for_it() {
    let mut turns = turns();
    turns.update(3, "u=7");
    turns.update(3, "u=1, i");
    turns.update(5, "u=6");
    for number in [1, 3, 5] {
        turns.ask(number, Some("u=4"), None);
    }
    let told = [1, 3, 5].map(|number| {
        let id = turns.id(number);
        turns.caller.session.priority(id).unwrap()
    });
    assert_eq!(
        told,
        [priority(4, false), priority(1, true), priority(6, false)]
    );
    let ids = [3, 5].map(|number| turns.id(number));
    let said = [
        Told::Priority(ids[0], priority(1, true)),
        Told::Priority(ids[1], priority(6, false)),
    ];
    let told = turns.caller.told.iter();
    let told: Vec<_> = told
        .filter(|told| matches!(told, Told::Priority(..)))
        .collect();
    assert_eq!(told, said.each_ref(), "after their requests");
}

/// A request without a field is as good.
#[test]
fn the_first_signal_may_be_an_update() {
    let mut turns = turns();
    turns.update(1, "u=5");
    let ids = [1, 3].map(|number| turns.ask(number, None, None));
    assert_eq!(
        turns.caller.session.priority(ids[0]),
        Some(priority(5, false))
    );
    assert_eq!(
        turns.caller.session.priority(ids[1]),
        Some(priority(3, false))
    );
}

/// "The number of streams that have been prioritized but remain in the "idle" state plus the number of active streams
/// MUST NOT exceed the value of the SETTINGS_MAX_CONCURRENT_STREAMS parameter. Servers that receive such a
/// PRIORITY_UPDATE MUST respond with a connection error of type PROTOCOL_ERROR."
#[test]
fn more_of_them_than_there_may_be_streams_end_the_connection() {
    let limits = Limits {
        streams: 4,
        ..Limits::default()
    };
    let mut turns = Turns::new(Config::default(), limits, &[]);
    turns.ask(1, None, None);
    for number in [3, 5, 7, 3, 5, 7, 1] {
        turns.update(number, "u=1");
    }
    assert_eq!(turns.caller.failure(), None);
    // What was left out never begins, and makes room.
    turns.ask(9, None, None);
    for number in [11, 13] {
        turns.update(number, "u=1");
    }
    assert_eq!(turns.caller.failure(), None);
    turns.update(15, "u=1");
    assert_failed(&turns.caller, Violation::PriorityUpdate, Code::Protocol);
}

/// Before its SETTINGS are acknowledged the server bounds what it keeps without a word.
#[test]
fn a_client_that_does_not_know_the_limit_yet_does_no_wrong() {
    let now = Instant::now();
    let limits = Limits {
        streams: 4,
        ..Limits::default()
    };
    let mut server = Caller::new(Session::server(limits, now));
    let mut octets = PREFACE.to_vec();
    Frame::Settings(Settings::new(&[])).write(0, &mut octets);
    for number in 0..2000 {
        let (prioritized, value) = (2 * number + 1, &b"u=1"[..]);
        Frame::PriorityUpdate { prioritized, value }.write(0, &mut octets);
    }
    server.feed(now, &octets);
    assert_eq!(server.failure(), None);
}

#[test]
fn one_for_a_stream_that_is_over_is_discarded() {
    let mut turns = turns();
    let id = turns.ask(1, None, None);
    turns.caller.session.reset(id, Code::Cancel);
    turns.update(1, "u=1");
    assert_eq!(turns.caller.failure(), None);
}

/// RFC 9113, section 10.5: churn is counted.
#[test]
fn a_client_that_does_nothing_else_is_sent_away() {
    let mut turns = turns();
    turns.ask(1, None, None);
    for round in 0..=Limits::default().glitches.burst {
        turns.update(1, if round % 2 == 0 { "u=1" } else { "u=2" });
    }
    assert_failed(
        &turns.caller,
        Violation::TooManyGlitches,
        Code::EnhanceYourCalm,
    );
}

#[test]
fn a_client_sends_them_on_the_connection() {
    for (server, expected) in [(None, 1), (Some(1), 1), (Some(0), 0)] {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        client.flush(now);
        if let Some(value) = server {
            let mut octets = Vec::new();
            Frame::Settings(Settings::new(&[0, 9, 0, 0, 0, value])).write(0, &mut octets);
            client.feed(now, &octets);
        }
        let id = client.session.open(a_request(), true).unwrap();
        client.session.set_priority(id, priority(1, true));
        let sent = client.flush(now);
        let updates = updates(&sent);
        assert_eq!(
            updates.len(),
            expected,
            "the server's setting is {server:?}"
        );
        for (stream, prioritized, value) in updates {
            assert_eq!((stream, prioritized, &value[..]), (0, 1, &b"u=1, i"[..]));
        }
    }
}

/// A stream that is over needs none.
#[test]
fn a_client_says_nothing_about_a_stream_that_it_has_given_up() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let id = client.session.open(a_request(), true).unwrap();
    client.session.set_priority(id, priority(1, true));
    client.session.reset(id, Code::Cancel);
    client.session.set_priority(id, priority(2, true));
    assert_eq!(updates(&client.flush(now)), []);
}

fn updates(octets: &[u8]) -> Vec<(u32, u32, Vec<u8>)> {
    let mut rest = octets.strip_prefix(&PREFACE[..]).unwrap_or(octets);
    let mut updates = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_LEN>() {
        let header = Header::parse(*header);
        let (payload, after) = after.split_at(header.length as usize);
        if let Ok(Frame::PriorityUpdate { prioritized, value }) = Frame::parse(header, payload) {
            updates.push((header.stream, prioritized, value.to_vec()));
        }
        rest = after;
    }
    updates
}

fn a_request() -> Request {
    Request::new(b"GET")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

#[track_caller]
fn assert_failed(caller: &Caller<Session>, why: Violation, code: Code) {
    let failure = caller.failure().map(|error| (error.why, error.code));
    assert_eq!(failure, Some((why, code)));
}
