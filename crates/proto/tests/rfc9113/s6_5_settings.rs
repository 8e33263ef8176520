//! Section 6.5: SETTINGS.

use crate::wire::{
    GET, POST, Script, a_request, frames, octets, open_requests, request, serve, serve_between,
    server_after,
};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind, flags};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Caller;

/// "SETTINGS frames always apply to a connection, never a single stream."
#[test]
fn settings_on_a_stream_end_the_connection() {
    serve(&Script::client().raw(Kind::Settings, 0, 1, b""))
        .assert_failed(Violation::FrameStream, Code::Protocol);
}

/// "Receipt of a SETTINGS frame with the ACK flag set and a length field value other than 0 MUST be treated as a
/// connection error of type FRAME_SIZE_ERROR"; so a length that is no multiple of 6.
#[test]
fn settings_of_a_wrong_size_end_the_connection() {
    for (flags, size) in [(flags::ACK, 6), (flags::ACK, 1), (0, 1), (0, 7)] {
        let script = Script::client().raw(Kind::Settings, flags, 0, &vec![0; size]);
        serve(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Section 6.5.2: the values that are out of range, and what each is.
#[test]
fn values_out_of_range_end_the_connection() {
    for (identifier, value, why, code) in [
        (2, 2, Violation::Setting, Code::Protocol),
        (4, 0x8000_0000, Violation::SettingWindow, Code::FlowControl),
        (5, 16_383, Violation::Setting, Code::Protocol),
        (5, 16_777_216, Violation::Setting, Code::Protocol),
    ] {
        let script = Script::client().settings(&[(identifier, value)]);
        serve(&script).assert_failed(why, code);
    }
    // A server that says it takes pushes.
    request(&["GET"], &Script::default().settings(&[(2, 1)]))
        .assert_failed(Violation::Setting, Code::Protocol);
}

#[test]
fn values_at_the_ends_of_their_ranges_are_taken() {
    let script = Script::client().settings(&[
        (1, 0),
        (1, u32::MAX),
        (2, 0),
        (2, 1),
        (3, 0),
        (4, 0x7fff_ffff),
        (5, 16_384),
        (5, 16_777_215),
        (6, 0),
    ]);
    assert_eq!(serve(&script).failure(), None);
}

/// "An endpoint that receives a SETTINGS frame with any unknown or unsupported identifier MUST ignore that setting."
#[test]
fn unknown_settings_are_ignored() {
    let script = Script::client().settings(&[(0, 1), (7, 2), (0xffff, u32::MAX)]);
    assert_eq!(serve(&script).failure(), None);
}

/// Section 6.5.3: each SETTINGS is acknowledged, an acknowledgement is not.
#[test]
fn every_settings_frame_is_acknowledged_once() {
    let outcome = serve(
        &Script::client()
            .settings(&[(3, 9)])
            .ack()
            .head(1, GET, true),
    );
    let acks = outcome
        .of_kind(Kind::Settings)
        .iter()
        .filter(|sent| sent.header.has(flags::ACK))
        .count();
    assert_eq!(acks, 2);
}

/// Section 6.5.3: "If the sender of a SETTINGS frame does not receive an acknowledgment within a reasonable amount of
/// time, it MAY issue a connection error of type SETTINGS_TIMEOUT."
#[test]
fn settings_that_are_not_acknowledged_in_time_end_the_connection() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client());
    server.flush(now);
    server.expire(now + limits.head_time - Duration::from_millis(1));
    assert_eq!(server.failure(), None);
    server.expire(now + limits.head_time);
    let failure = server.failure().unwrap();
    assert_eq!(failure.why, Violation::SettingsTimeout);
    assert_eq!(failure.code, Code::SettingsTimeout);

    let (mut server, now) = server_after(limits.clone(), &Script::client());
    server.flush(now);
    server.feed(now, &Script::default().ack().0);
    server.expire(now + limits.head_time);
    assert_eq!(server.failure(), None);
}

/// A response of many octets, its DATA frames as sent so far.
fn answer(script: &Script, more: &[&Script]) -> Vec<(u32, usize)> {
    let mut scripts = vec![script];
    scripts.extend(more);
    let outcome = serve_between(&scripts, |caller, _| {
        for id in open_requests(caller) {
            if caller
                .session
                .respond(id, Response::new(200), false)
                .is_ok()
            {
                caller.say(id, octets(200_000), true);
            }
        }
    });
    assert_eq!(outcome.failure(), None);
    outcome
        .of_kind(Kind::Data)
        .iter()
        .map(|sent| (sent.header.stream, sent.payload.len()))
        .collect()
}

fn sum(frames: &[(u32, usize)]) -> usize {
    frames.iter().map(|(_, len)| len).sum()
}

/// Section 6.9.2: SETTINGS_INITIAL_WINDOW_SIZE is what new streams start with.
#[test]
fn streams_start_with_the_peers_initial_window() {
    let script = Script::client().settings(&[(4, 1000)]).head(1, GET, true);
    assert_eq!(sum(&answer(&script, &[])), 1000);
    let script = Script::client().head(1, GET, true);
    assert_eq!(sum(&answer(&script, &[])), 65_535);
}

/// Section 6.9.2: "a receiver MUST adjust the size of all stream flow-control windows that it maintains by the
/// difference between the new value and the old value", which may leave them negative.
#[test]
fn a_change_of_the_initial_window_moves_the_windows_of_open_streams() {
    let script = Script::client().settings(&[(4, 1000)]).head(1, GET, true);
    let wider = Script::default().settings(&[(4, 1500)]);
    assert_eq!(sum(&answer(&script, &[&wider])), 1500);
    // 1000 are used: a window of 10 leaves minus 990, which 1000 of credit make 10.
    let narrower = Script::default().settings(&[(4, 10)]).credit(1, 980);
    assert_eq!(sum(&answer(&script, &[&narrower])), 1000);
    let credit = Script::default().credit(1, 20);
    assert_eq!(sum(&answer(&script, &[&narrower, &credit])), 1010);
}

/// Section 6.9.2: "An endpoint MUST treat a change to SETTINGS_INITIAL_WINDOW_SIZE that causes any flow-control window
/// to exceed the maximum size as a connection error of type FLOW_CONTROL_ERROR."
#[test]
fn an_initial_window_that_makes_a_stream_overflow_ends_the_connection() {
    let script = Script::client()
        .head(1, POST, false)
        .credit(1, 0x7fff_ffff - 65_535)
        .settings(&[(4, 65_536)]);
    serve(&script).assert_failed(Violation::WindowOverflow, Code::FlowControl);
}

/// Section 4.2: the peer's SETTINGS_MAX_FRAME_SIZE bounds what is sent.
#[test]
fn frames_are_as_large_as_the_peer_allows() {
    let script = Script::client().head(1, GET, true);
    assert!(answer(&script, &[]).iter().all(|(_, len)| *len <= 16_384));
    let script = Script::client().settings(&[(5, 40_000)]).head(1, GET, true);
    assert_eq!(answer(&script, &[])[0], (1, 40_000));
}

/// RFC 7541, section 4.2, and 6.5.2 here: a peer that allows no table gets no entries in it.
#[test]
fn the_peers_table_size_is_kept_to() {
    let script = Script::client()
        .settings(&[(1, 0)])
        .head(1, GET, true)
        .head(3, GET, true);
    let outcome = serve_between(&[&script], |caller, _| {
        for id in open_requests(caller) {
            let head = Response::new(200).with_field(b"x-any", b"value");
            caller.session.respond(id, head, true).unwrap();
        }
    });
    let mut decoder = thalweg_proto::hpack::Decoder::new(4096);
    for sent in outcome.of_kind(Kind::Headers) {
        let Frame::Headers { block, .. } = sent.frame() else {
            panic!("{sent:?}");
        };
        decoder.decode(block, 1 << 16, |_| ()).unwrap();
    }
    assert_eq!(decoder.table_limit(), 0, "a size update was sent");
}

/// RFC 7541, section 4.2: a larger table "follows a settings acknowledgment": a head that waits before the
/// acknowledgement does not use it yet, the next one announces it.
#[test]
fn the_peers_larger_table_is_used_behind_the_acknowledgement() {
    let limits = Limits {
        table: 8192,
        ..Limits::default()
    };
    let script = Script::default().head(1, GET, true).head(3, GET, true);
    let (mut server, now) = crate::wire::established(limits, &script);
    let answer = |server: &mut Caller<Session>, at: usize| {
        let id = open_requests(server)[at];
        server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
    };
    answer(&mut server, 0);
    server.feed(now, &Script::default().settings(&[(1, 8192)]).0);
    answer(&mut server, 1);
    let sent = frames(&server.flush(now));
    let blocks: Vec<_> = sent
        .iter()
        .map(|sent| (sent.header.kind, sent.payload.first().copied()))
        .collect();
    let size_update = 0x3f;
    assert_eq!(
        blocks,
        [
            (Kind::Headers, Some(0x89)),
            (Kind::Settings, None),
            (Kind::Headers, Some(size_update)),
        ]
    );
}

/// Section 6.5.3: ours hold once they are acknowledged: until then the peer may use a table of 4 096 octets, and
/// windows of 65 535.
#[test]
fn our_settings_hold_from_their_acknowledgement_on() {
    let limits = Limits {
        stream_window: 1000,
        ..Limits::default()
    };
    let before = Script::client()
        .head(1, POST, false)
        .data(1, &[0; 16_000], false);
    let (mut server, now) = server_after(limits.clone(), &before);
    server.takes = false;
    assert_eq!(server.data_of(open_requests(&server)[0]).len(), 16_000);
    server.flush(now);
    let after = Script::default()
        .ack()
        .head(3, POST, false)
        .data(3, &[0; 1000], false)
        .data(3, &[0; 1], false);
    server.feed(now, &after.0);
    let sent = frames(&server.flush(now));
    let reset = sent
        .iter()
        .find(|sent| sent.header.kind == Kind::RstStream)
        .unwrap();
    assert_eq!(
        (reset.header.stream, reset.frame()),
        (3, Frame::RstStream(Code::FlowControl))
    );
}

/// The same of our table: a size update above 4 096 is wrong before the acknowledgement, and right after it.
#[test]
fn our_table_size_holds_from_its_acknowledgement_on() {
    let limits = Limits {
        table: 8192,
        ..Limits::default()
    };
    let mut grown = b"\x3f\xe1\x3f".to_vec();
    grown.extend(crate::wire::block(GET));
    let script = Script::default().block(1, &grown, true);
    let early = Script([Script::client().0, script.0.clone()].concat());
    let (early, _) = server_after(limits.clone(), &early);
    assert_eq!(early.failure().unwrap().why, Violation::Compression);
    let (server, _) = crate::wire::established(limits, &script);
    assert_eq!(server.failure(), None);
    assert_eq!(open_requests(&server).len(), 1);
}

/// Section 6.5.2: a client counts with what the server has said last.
#[test]
fn a_client_follows_the_servers_limit_of_streams() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    assert_eq!(
        client.session.capacity(),
        100,
        "until the server has spoken"
    );
    client.feed(now, &Script::server().0);
    assert!(
        client.session.capacity() > 1 << 20,
        "no limit was announced"
    );
    client.feed(now, &Script::default().settings(&[(3, 5)]).0);
    assert_eq!(client.session.capacity(), 5);
    client.session.open(a_request("GET"), true).unwrap();
    client.feed(now, &Script::default().settings(&[(3, 0)]).0);
    assert_eq!(client.session.capacity(), 0);
}

/// Section 6.5.3: "The values in the SETTINGS frame MUST be processed in the order they appear": the last one of a kind
/// holds, and a table that was smaller in between has lost its entries.
#[test]
fn values_are_taken_in_their_order() {
    let script = Script::client()
        .settings(&[(4, 5000), (5, 20_000), (4, 1000), (5, 16_384)])
        .head(1, GET, true);
    assert_eq!(sum(&answer(&script, &[])), 1000);
    let script = Script::client().head(1, GET, true).head(3, GET, true);
    let (mut server, now) = server_after(Limits::default(), &script);
    let respond = |server: &mut Caller<Session>, at: usize| {
        let head = Response::new(200).with_field(b"x-any", b"value");
        let id = open_requests(server)[at];
        server.session.respond(id, head, true).unwrap();
        let sent = frames(&server.flush(now));
        let is_head = |sent: &&crate::wire::Sent| sent.header.kind == Kind::Headers;
        sent.iter().find(is_head).unwrap().payload.clone()
    };
    respond(&mut server, 0);
    let settings = Script::default().settings(&[(1, 0), (1, 4096)]);
    server.feed(now, &settings.0);
    let block = respond(&mut server, 1);
    assert_eq!(
        block[..4],
        *b"\x20\x3f\xe1\x1f",
        "to nothing, then to 4 096"
    );
}

/// Section 6.5.2: "A value of 0 for SETTINGS_MAX_CONCURRENT_STREAMS SHOULD NOT be treated as special by endpoints": it
/// ends no stream, and a later value lets more be opened.
#[test]
fn a_limit_of_no_streams_is_a_limit_like_others() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.feed(now, &Script::server().0);
    client.session.open(a_request("GET"), true).unwrap();
    client.flush(now);
    client.feed(now, &Script::default().settings(&[(3, 0)]).0);
    assert_eq!(
        (client.session.capacity(), client.session.open_streams()),
        (0, 1)
    );
    let refused = client.session.open(a_request("GET"), true);
    assert_eq!(refused, Err(thalweg_proto::error::UsageError::NoCapacity));
    let answer = Script::default().head(1, &[(":status", "204")], true);
    client.feed(now, &answer.settings(&[(3, 1)]).0);
    assert_eq!(client.session.capacity(), 1);
}

/// "A badly formed or incomplete SETTINGS frame MUST be treated as a connection error": one value that is out of range
/// is enough, wherever it stands, and nothing of the frame is taken.
#[test]
fn one_wrong_value_spoils_the_frame() {
    for entries in [
        &[(5, 16_384), (2, 7), (4, 10)][..],
        &[(4, 10), (4, 0x8000_0000)],
        &[(99, 1), (5, 1)],
    ] {
        let script = Script::client().settings(entries).head(1, GET, true);
        let outcome = serve(&script);
        assert!(outcome.failure().is_some() && outcome.requests().is_empty());
        let acks = outcome.of_kind(Kind::Settings);
        assert!(
            acks.iter().all(|sent| !sent.header.has(flags::ACK)),
            "{entries:?}"
        );
    }
}

/// Section 6.5.2: the values that we announce are in their ranges, whatever the limits say.
#[test]
fn what_we_announce_is_within_its_range() {
    let announced = |limits: Limits| {
        let (mut server, now) = server_after(limits, &Script::client());
        let sent = frames(&server.flush(now));
        let Frame::Settings(entries) = sent[0].frame() else {
            panic!("{sent:?}");
        };
        let of = |identifier| entries.iter().find(|(of, _)| *of == identifier);
        [of(4), of(5)].map(|entry| entry.map(|(_, value)| value))
    };
    let limits = |frame, stream_window| Limits {
        frame,
        stream_window,
        ..Limits::default()
    };
    assert_eq!(
        announced(limits(0, 0)),
        [Some(0), None],
        "16 384 is assumed"
    );
    let most = [Some(0x7fff_ffff), Some(16_777_215)];
    assert_eq!(announced(limits(u32::MAX, u32::MAX)), most);
}
