//! Section 6.7: PING.

use crate::wire::{
    GET, Script, established, frames, open_requests, request, serve, serve_within, server_after,
};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;

/// "Receivers of a PING frame that does not include an ACK flag MUST send a PING frame with the ACK flag set in
/// response, with an identical frame payload."
#[test]
fn a_ping_comes_back_with_its_octets() {
    let outcome = serve(&Script::client().ping());
    let pings = outcome.of_kind(Kind::Ping);
    assert_eq!(pings.len(), 1);
    assert_eq!(pings[0].frame(), Frame::PingAck(*b"12345678"));
}

/// "An endpoint MUST NOT respond to PING frames containing this flag."
#[test]
fn the_answer_to_a_ping_is_not_answered() {
    let outcome = serve(&Script::client().frame(0, Frame::PingAck([0; 8])));
    assert!(outcome.of_kind(Kind::Ping).is_empty());
}

#[test]
fn pings_on_a_stream_or_of_another_size_end_the_connection() {
    serve(&Script::client().raw(Kind::Ping, 0, 1, &[0; 8]))
        .assert_failed(Violation::FrameStream, Code::Protocol);
    for size in [0, 7, 9] {
        serve(&Script::client().raw(Kind::Ping, 0, 0, &vec![0; size]))
            .assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Not in the RFC: a peer that asks without reading the answers (CVE-2019-9512 and its kin).
#[test]
fn answers_do_not_pile_up() {
    let limits = Limits {
        acknowledgements: 10,
        ..Limits::default()
    };
    let mut script = Script::client();
    for _ in 0..20 {
        script = script.ping();
    }
    serve_within(limits, &script)
        .assert_failed(Violation::TooManyAcknowledgements, Code::EnhanceYourCalm);
}

/// "PING responses SHOULD be given higher priority than any other frame": the answer overtakes what waits, in the order
/// of the questions, and neither parts a field block nor comes before our SETTINGS.
#[test]
fn the_answer_to_a_ping_overtakes_what_waits() {
    let (mut server, now) = established(Limits::default(), &Script::default().head(1, GET, true));
    let long = vec![b'v'; 40_000];
    let head = Response::new(200).with_field(b"x-long", &long);
    let id = open_requests(&server)[0];
    server.session.respond(id, head, true).unwrap();
    let pings = [*b"question", *b"and more"];
    for octets in pings {
        let script = Script::default().frame(0, Frame::Ping(octets));
        server.feed(now, &script.0);
    }
    let sent = frames(&server.flush(now));
    let kinds: Vec<_> = sent.iter().map(|sent| sent.header.kind).collect();
    let (ping, head, more) = (Kind::Ping, Kind::Headers, Kind::Continuation);
    assert_eq!(kinds, [ping, ping, head, more, more]);
    assert_eq!(sent[0].frame(), Frame::PingAck(pings[0]));
    assert_eq!(sent[1].frame(), Frame::PingAck(pings[1]));

    let (mut server, now) = server_after(Limits::default(), &Script::client().ping());
    let sent = frames(&server.flush(now));
    assert_eq!(
        (sent[0].header.kind, sent[1].header.kind),
        (Kind::Settings, ping)
    );
}

/// A client answers as well.
#[test]
fn a_client_answers_a_ping() {
    let outcome = request(&["GET"], &Script::server().ping());
    assert_eq!(
        outcome.of_kind(Kind::Ping)[0].frame(),
        Frame::PingAck(*b"12345678")
    );
}
