//! Section 10.5: small frames for which there is no reason are counted, and those that have one are free.

use crate::wire::{GET, POST, Script, established, open_requests, serve_within, server_after};
use std::time::Duration;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::Frame;
use thalweg_proto::head::Response;
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{Session as _, Streams};

fn patient(burst: u32) -> Limits {
    let rate = |burst| Rate {
        burst,
        per_second: 0,
    };
    Limits {
        glitches: rate(burst),
        ..Limits::default()
    }
}

#[test]
fn credit_that_nothing_was_sent_for_pings_and_crumbs_of_data_end_the_connection_in_the_end() {
    let (mut connection, mut pings) = (Script::client(), Script::client());
    let mut stream = Script::client().head(1, POST, false);
    let mut crumbs = Script::client().head(1, POST, false);
    let mut over = Script::client().head(1, GET, true).reset(1, Code::Cancel);
    // A request is a reason for four frames.
    for _ in 0..15 {
        connection = connection.credit(0, 1);
        stream = stream.credit(1, 1);
        over = over.credit(1, 1);
        pings = pings.ping();
        crumbs = crumbs.data(1, b"1234567", false);
    }
    for script in [connection, stream, over, pings, crumbs] {
        serve_within(patient(10), &script)
            .assert_failed(Violation::TooManyGlitches, Code::EnhanceYourCalm);
    }
}

/// What the PING of a graceful shutdown holds is no secret: without that PING its answer is one to nothing.
#[test]
fn answers_to_no_ping_end_the_connection_in_the_end_whatever_they_hold() {
    for octets in [*b"draining", *b"anything"] {
        let script = (0..15).fold(Script::client(), |script, _| {
            script.frame(0, Frame::PingAck(octets))
        });
        serve_within(patient(10), &script)
            .assert_failed(Violation::TooManyGlitches, Code::EnhanceYourCalm);
    }
}

#[test]
fn data_that_is_worth_its_header_and_the_end_of_a_body_are_free() {
    let mut script = Script::client();
    for number in 0..30 {
        let stream = 1 + 2 * number;
        script = script
            .head(stream, POST, false)
            .data(stream, b"12345678", false)
            .data(stream, b"1", true);
    }
    assert_eq!(serve_within(patient(0), &script).failure(), None);
}

/// A window for each response, and credit in steps of 1 KiB for its stream and for the connection.
#[test]
fn credit_for_what_was_sent_is_free() {
    let script = Script::client().head(1, GET, true).credit(1, 1 << 20);
    let script = script.credit(0, 1 << 20);
    let (mut server, now) = server_after(patient(0), &script);
    let id = open_requests(&server)[0];
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    server.say(id, vec![0; 1 << 20], false);
    server.flush(now);
    let mut credit = Script::default();
    for _ in 0..1024 {
        credit = credit.credit(1, 1024).credit(0, 1024);
    }
    server.feed(now, &credit.0);
    assert_eq!(server.failure(), None);
}

#[test]
fn a_ping_a_second_is_free_for_ever() {
    let limits = Limits {
        idle_time: Duration::MAX,
        ..Limits::default()
    };
    let (mut server, start) = established(limits, &Script::default());
    for second in 0..20_000 {
        let now = start + Duration::from_secs(second);
        server.feed(now, &Script::default().ping().0);
        server.flush(now);
    }
    assert_eq!(server.failure(), None);
    assert!(server.session.wants().read);
}
