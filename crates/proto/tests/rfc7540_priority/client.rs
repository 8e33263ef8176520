//! What a client says: PRIORITY, and the priority part of HEADERS.

use crate::{alone_on, on, text};
use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::UsageError;
use thalweg_proto::h2::frame::{Dependency, Frame, HEADER_LEN, Header, Settings};
use thalweg_proto::h2::{Config, PREFACE, Rfc7540Priorities, Session};
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::Caller;

fn client(choice: Rfc7540Priorities) -> (Caller<Session>, Instant) {
    let now = Instant::now();
    let config = Config {
        rfc7540_priorities: choice,
        ..Config::default()
    };
    let session = Session::client(Limits::default(), now).configured(config);
    (Caller::new(session), now)
}

fn request(method: &[u8]) -> Request {
    Request::new(method)
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

/// What was said of places, and of which streams, in order.
fn said(octets: &[u8]) -> Vec<(u32, &'static str, Dependency)> {
    let mut rest = octets.strip_prefix(&PREFACE[..]).unwrap_or(octets);
    let mut said = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_LEN>() {
        let header = Header::parse(*header);
        let (payload, after) = after.split_at(header.length as usize);
        match Frame::parse(header, payload).unwrap() {
            Frame::Priority(dependency) => said.push((header.stream, "PRIORITY", dependency)),
            Frame::Headers {
                priority: Some(dependency),
                ..
            } => said.push((header.stream, "HEADERS", dependency)),
            _ => {}
        }
        rest = after;
    }
    said
}

#[test]
fn places_are_told_in_priority_and_in_headers() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    client.session.advise(3, on(0, 201)).unwrap();
    client.session.advise(5, on(3, 1)).unwrap();
    let head = request(b"GET");
    let id = client.session.open_at(head, true, alone_on(5, 42)).unwrap();
    assert_eq!(id.number(), 1);
    assert_eq!(
        said(&client.flush(now)),
        [
            (3, "PRIORITY", on(0, 201)),
            (5, "PRIORITY", on(3, 1)),
            (1, "HEADERS", alone_on(5, 42)),
        ]
    );
    assert_eq!(text(&client.session), "(3:201(5:1(1:42)))");
    client.session.advise(1, on(0, 7)).unwrap();
    assert_eq!(said(&client.flush(now)), [(1, "PRIORITY", on(0, 7))]);
}

/// RFC 9218, section 2.1.1: "Once the client receives the first SETTINGS frame that contains the
/// SETTINGS_NO_RFC7540_PRIORITIES parameter with a value of 1, it SHOULD stop sending the HTTP/2 priority signals."
#[test]
fn a_server_that_does_not_listen_is_told_nothing() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    let mut octets = Vec::new();
    Frame::Settings(Settings::new(&[0, 9, 0, 0, 0, 1])).write(0, &mut octets);
    client.feed(now, &octets);
    client.session.advise(3, on(0, 201)).unwrap();
    let head = request(b"GET");
    client.session.open_at(head, true, on(3, 42)).unwrap();
    assert_eq!(said(&client.flush(now)), []);
    assert_eq!(text(&client.session), "(3:201(1:42))", "it holds here");
}

#[test]
fn a_client_that_has_given_them_up_says_nothing() {
    let (mut client, now) = client(Rfc7540Priorities::Ignored);
    assert_eq!(client.session.advise(3, on(0, 1)), Err(UsageError::NoTree));
    let refused = client.session.open_at(request(b"GET"), true, on(0, 1));
    assert_eq!(refused, Err(UsageError::NoTree));
    assert_eq!(said(&client.flush(now)), []);
}

#[test]
fn a_place_that_cannot_be_opens_nothing() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    let refused = client.session.open_at(request(b"GET"), true, on(1, 1));
    assert_eq!(refused, Err(UsageError::Dependency));
    assert!(client.session.tree().is_none());
    assert_eq!(said(&client.flush(now)), []);
}

/// What a client uploads follows its own tree.
#[test]
fn uploads_follow_the_tree() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    let first = client
        .session
        .open_at(request(b"POST"), false, on(0, 16))
        .unwrap();
    let second = client
        .session
        .open_at(request(b"POST"), false, alone_on(0, 16))
        .unwrap();
    for id in [first, second] {
        client.say(id, Bytes::from(vec![0; 30_000]), true);
    }
    let octets = client.flush(now);
    let data = frames_of_data(&octets);
    assert_eq!(data, [3, 3, 1, 1]);
}

/// The server's word on dependencies means nothing to a client.
#[test]
fn priority_frames_of_a_server_are_ignored() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    client.session.advise(3, on(0, 201)).unwrap();
    client.flush(now);
    let mut octets = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut octets);
    Frame::Priority(on(0, 1)).write(3, &mut octets);
    client.feed(now, &octets);
    assert_eq!(client.failure(), None);
    assert_eq!(text(&client.session), "(3:201)");
}

fn frames_of_data(octets: &[u8]) -> Vec<u32> {
    let mut rest = octets.strip_prefix(&PREFACE[..]).unwrap_or(octets);
    let mut streams = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_LEN>() {
        let header = Header::parse(*header);
        let (payload, after) = after.split_at(header.length as usize);
        if let Ok(Frame::Data { .. }) = Frame::parse(header, payload) {
            streams.push(header.stream);
        }
        rest = after;
    }
    streams
}

/// Section 5.1.1 of RFC 9113: numbers have 31 bits, and the one beside them would be the exclusive flag.
#[test]
fn no_stream_above_the_largest_number_has_a_place() {
    let (mut client, now) = client(Rfc7540Priorities::default());
    for (number, other) in [(0x8000_0001, 0), (1, 0x8000_0003)] {
        let place = client.session.advise(number, on(other, 16));
        assert_eq!(place, Err(UsageError::Dependency));
    }
    assert_eq!(said(&client.flush(now)), []);
}
