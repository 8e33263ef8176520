//! Sections 8.1 to 8.5: what makes a message.

use crate::wire::{
    GET, POST, Script, a_request, frames, octets, open_requests, post_with, request, serve,
    serve_between, server_after,
};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::hpack::Decoder;
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

fn pair() -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    Pair::new(client, Session::server(Limits::default(), now), now)
}

/// Section 8.1: trailers follow the content and end the message.
#[test]
fn trailers_end_a_message_both_ways() {
    let mut pair = pair();
    let trailers: Fields = [(&b"x-sum"[..], &b"1"[..])].into_iter().collect();
    let id = pair.client.session.open(a_request("POST"), false).unwrap();
    pair.client.say(id, octets(100_000), false);
    pair.client.say_trailers(id, trailers.clone());
    pair.settle();
    assert_eq!(pair.server.data_of(id), octets(100_000));
    assert_eq!(
        pair.server.told.last(),
        Some(&Told::End(id, Some(trailers.clone())))
    );
    let at_server = open_requests(&pair.server)[0];
    pair.server
        .session
        .respond(at_server, Response::new(200), false)
        .unwrap();
    pair.server.say_trailers(at_server, trailers.clone());
    pair.settle();
    assert_eq!(
        pair.client.told[1..],
        [Told::End(id, Some(trailers)), Told::Finished(id)]
    );
}

/// RFC 9110, section 6.5.1: what frames or routes a message is no trailer: it is dropped where it comes, and not sent.
#[test]
fn trailers_that_would_frame_or_route_the_message_are_dropped() {
    for name in ["content-length", "host", "expect", "trailer"] {
        let script = Script::client()
            .head(1, POST, false)
            .data(1, b"body", false);
        let outcome = serve(&script.head(1, &[(name, "1"), ("x-sum", "2")], true));
        let Some(Told::End(_, Some(trailers))) = outcome.told.last() else {
            panic!("{name}: {outcome:?}");
        };
        let kept: Fields = [(&b"x-sum"[..], &b"2"[..])].into_iter().collect();
        assert_eq!(*trailers, kept);

        let mut pair = pair();
        let id = pair.client.session.open(a_request("POST"), false).unwrap();
        let refused = [(name.as_bytes(), &b"1"[..])].into_iter().collect();
        pair.client.say_trailers(id, refused);
        pair.settle();
        assert_eq!(pair.client.session.open_streams(), 0, "{name}");
        assert!(matches!(pair.server.told.last(), Some(Told::Reset(..))));
    }
}

/// Trailers that come after all content has left go out in the same turn.
#[test]
fn trailers_without_content_before_them_leave_at_once() {
    use thalweg_proto::session::{End, Gather, Output, Session as _, Supply};
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let id = open_requests(&server)[0];
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    let mut out = Gather::new(1 << 20);
    let trailers: Fields = [(&b"x-sum"[..], &b"1"[..])].into_iter().collect();
    let supply = Supply::Chunk(octets(0), End::Trailers(trailers));
    while !matches!(server.session.send(now, &mut out), Output::Need { .. }) {}
    server.session.supply(id, supply).unwrap();
    assert_eq!(server.session.send(now, &mut out), Output::Frame);
    let sent = frames(&out.to_vec());
    let last = sent.last().unwrap();
    assert_eq!(
        (last.header.kind, last.ends_stream()),
        (Kind::Headers, true)
    );
    assert_eq!(server.session.open_streams(), 0);
}

/// Section 8.1: a field block in mid-message that does not end it is malformed.
#[test]
fn a_second_head_that_does_not_end_the_stream_is_malformed() {
    serve(
        &Script::client()
            .head(1, POST, false)
            .head(1, &[("x", "1")], false),
    )
    .assert_reset(1, Violation::StreamState, Code::Protocol);
}

/// Section 8.3: "Pseudo-header fields MUST NOT appear in a trailer section."
#[test]
fn pseudo_fields_in_trailers_are_malformed() {
    for name in [":status", ":path", ":x"] {
        serve(
            &Script::client()
                .head(1, POST, false)
                .head(1, &[(name, "1")], true),
        )
        .assert_reset(1, Violation::PseudoField, Code::Protocol);
    }
}

/// Section 8.1: any number of 1xx heads come before the final one, and none of them ends the stream.
#[test]
fn informational_heads_come_before_the_final_one() {
    let mut pair = pair();
    let id = pair.client.session.open(a_request("GET"), true).unwrap();
    pair.settle();
    let at_server = open_requests(&pair.server)[0];
    for status in [100, 103] {
        let server = &mut pair.server.session;
        server
            .respond(at_server, Response::new(status), false)
            .unwrap();
        let ending = server.respond(at_server, Response::new(status), true);
        assert_eq!(ending, Err(UsageError::HeadNotExpected));
    }
    pair.server
        .session
        .respond(at_server, Response::new(200), true)
        .unwrap();
    pair.settle();
    let statuses: Vec<_> = pair
        .client
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Response(_, head, end) => Some((head.status, *end)),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [(100, false), (103, false), (200, true)]);
    assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
}

#[test]
fn an_informational_head_that_ends_the_stream_is_malformed() {
    request(
        &["GET"],
        &Script::server().head(1, &[(":status", "103")], true),
    )
    .assert_reset(1, Violation::StreamState, Code::Protocol);
}

#[test]
fn data_before_the_final_head_is_malformed() {
    let script = Script::server()
        .head(1, &[(":status", "100")], false)
        .data(1, b"x", true);
    request(&["GET"], &script).assert_reset(1, Violation::StreamState, Code::Protocol);
}

/// Section 8.1.1: "A request or response is also malformed if the value of a Content-Length header field does not
/// equal the sum of the DATA frame payload lengths that form the content."
#[test]
fn content_of_another_length_than_announced_is_malformed() {
    let post = post_with(&[("content-length", "3")]);
    let start = Script::client().head(1, &post, false);
    for wrong in [
        start.clone().data(1, b"abcd", true),
        start.clone().data(1, b"ab", true),
        start.clone().data(1, b"ab", false).data(1, b"cd", false),
        start
            .clone()
            .data(1, b"ab", false)
            .head(1, &[("x", "1")], true),
        Script::client().head(1, &post, true),
    ] {
        let outcome = serve(&wrong);
        outcome.assert_reset(1, Violation::ContentLengthMismatch, Code::Protocol);
        assert!(
            !outcome
                .told
                .iter()
                .any(|told| matches!(told, Told::End(..)))
        );
    }
    let right = start.data(1, b"ab", false).data(1, b"c", true);
    assert_eq!(serve(&right).faults(), []);
}

#[test]
fn a_length_that_is_no_number_or_repeated_is_malformed() {
    for lengths in [&["x"][..], &["-1"], &["1, 1"], &["1", "1"], &[""]] {
        let lines: Vec<_> = lengths
            .iter()
            .map(|length| ("content-length", *length))
            .collect();
        serve(&Script::client().head(1, &post_with(&lines), false)).assert_reset(
            1,
            Violation::ContentLength,
            Code::Protocol,
        );
    }
}

/// Section 8.1.1: answers to HEAD, 204 and 304 have no content, whatever content-length says.
#[test]
fn answers_without_content_may_announce_a_length() {
    let head = &[(":status", "200"), ("content-length", "100")];
    let not_modified = &[(":status", "304"), ("content-length", "100")];
    for (method, head) in [("HEAD", head), ("GET", not_modified)] {
        let ends_with_head = request(&[method], &Script::server().head(1, head, true));
        assert_eq!(ends_with_head.faults(), []);
        let ends_with_data = Script::server().head(1, head, false).data(1, b"", true);
        assert_eq!(request(&[method], &ends_with_data).faults(), []);
        let with_content = Script::server().head(1, head, false).data(1, b"x", true);
        request(&[method], &with_content).assert_reset(
            1,
            Violation::ContentLengthMismatch,
            Code::Protocol,
        );
    }
}

/// Section 8.1: a server may answer before the request is complete, and then ask the client to stop, "without
/// error, with an error code of NO_ERROR after sending a complete response".
#[test]
fn an_early_answer_stops_an_unwanted_upload() {
    let script = Script::client()
        .head(1, POST, false)
        .data(1, b"some", false);
    let outcome = serve_between(&[&script], |caller, _| {
        let id = open_requests(caller)[0];
        caller
            .session
            .respond(id, Response::new(413), true)
            .unwrap();
        caller.session.discard(id);
    });
    let kinds: Vec<_> = outcome.sent.iter().map(|sent| sent.header.kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], [Kind::Headers, Kind::RstStream]);
    assert_eq!(outcome.resets(), [(1, Code::NoError)]);
    assert!(matches!(outcome.told.last(), Some(Told::Finished(_))));
}

#[test]
fn a_caller_cannot_send_what_a_peer_must_refuse() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let mut open = |head| client.session.open(head, true);
    for head in [
        a_request("GE T"),
        a_request("GET").with_path(b"/a b"),
        a_request("GET").with_authority(b"a/b"),
        a_request("GET").with_field(b"a b", b"1"),
        a_request("GET").with_field(b"a", b"1\r\n2"),
        a_request("GET").with_field(b":path", b"/"),
        a_request("GET").with_field(b"content-length", b"x"),
        a_request("GET").with_protocol(b"websocket"),
    ] {
        assert_eq!(open(head.clone()), Err(UsageError::BadField), "{head:?}");
    }
    assert_eq!(open(Request::new(b"GET")), Err(UsageError::Incomplete));
    let head = a_request("POST").with_field(b"content-length", b"1");
    assert_eq!(open(head), Err(UsageError::LengthMismatch));
    let refused = client.session.respond(
        thalweg_proto::session::StreamId::new(1, 0),
        Response::new(200),
        true,
    );
    assert_eq!(refused, Err(UsageError::WrongRole));
    assert_eq!(
        frames_of(&mut client, now),
        [Kind::Settings, Kind::WindowUpdate]
    );

    let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let id = open_requests(&server)[0];
    let mut respond = |head, end| server.session.respond(id, head, end);
    assert_eq!(
        respond(Response::new(101), false),
        Err(UsageError::NoUpgrade)
    );
    assert_eq!(respond(Response::new(99), true), Err(UsageError::BadField));
    assert_eq!(
        respond(Response::new(1000), true),
        Err(UsageError::BadField)
    );
    let head = Response::new(200).with_field(b"content-length", b"1");
    assert_eq!(respond(head, true), Err(UsageError::LengthMismatch));
    assert_eq!(respond(Response::new(200), true), Ok(()));
    assert_eq!(
        respond(Response::new(200), true),
        Err(UsageError::HeadNotExpected)
    );
}

fn frames_of(caller: &mut Caller<Session>, now: Instant) -> Vec<Kind> {
    let sent = frames(&caller.flush(now));
    sent.iter().map(|sent| sent.header.kind).collect()
}

/// Our own bodies keep to the length that their head announces.
#[test]
fn a_supplied_body_has_its_announced_length() {
    use thalweg_proto::session::{End, Gather, Output, Session as _, Supply};
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    server.flush(now);
    let id = open_requests(&server)[0];
    let head = Response::new(200).with_field(b"content-length", b"3");
    server.session.respond(id, head, false).unwrap();
    let mut out = Gather::new(1 << 20);
    let mut supply = |what: Supply| {
        while server.session.send(now, &mut out) == Output::Frame {}
        server.session.supply(id, what)
    };
    assert_eq!(
        supply(Supply::Chunk(octets(4), End::More)),
        Err(UsageError::LengthMismatch)
    );
    assert_eq!(
        supply(Supply::Chunk(octets(2), End::Last)),
        Err(UsageError::LengthMismatch)
    );
    assert_eq!(
        supply(Supply::Chunk(octets(20_000), End::More)),
        Err(UsageError::TooMuch)
    );
    assert_eq!(supply(Supply::Chunk(octets(2), End::More)), Ok(()));
    assert_eq!(supply(Supply::Chunk(octets(1), End::Last)), Ok(()));
    while server.session.send(now, &mut out) == Output::Frame {}
    assert_eq!(server.session.open_streams(), 0);
    let late = server.session.supply(id, Supply::Deferred);
    assert_eq!(late, Err(UsageError::NoSuchStream));
}

/// RFC 9110, section 8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of
/// 1xx (Informational) or 204 (No Content)", nor in a 2xx to CONNECT.
#[test]
fn no_length_is_announced_where_there_is_no_content() {
    let connect = [(":method", "CONNECT"), (":authority", "a.org:443")];
    for (lines, status, announced) in [
        (GET, 204, false),
        (GET, 103, false),
        (GET, 200, true),
        (GET, 304, true),
        (&connect, 200, false),
        (&connect, 400, true),
    ] {
        let script = Script::client().head(1, lines, status != 103);
        let (mut server, now) = server_after(Limits::default(), &script);
        let head = Response::new(status).with_field(b"content-length", b"0");
        let id = open_requests(&server)[0];
        server.session.respond(id, head, status != 103).unwrap();
        let sent = frames(&server.flush(now));
        let head = sent
            .iter()
            .find(|sent| sent.header.kind == Kind::Headers)
            .unwrap();
        let Frame::Headers { block, .. } = head.frame() else {
            panic!("{head:?}");
        };
        let mut found = false;
        Decoder::new(4096)
            .decode(block, 1000, |field| {
                found |= field.name == b"content-length"
            })
            .unwrap();
        assert_eq!(found, announced, "{status}");
    }
}

/// A client that wants the head of a response and nothing else gets it, and stops the rest.
#[test]
fn a_client_may_discard_a_response_before_it_comes() {
    for end in [false, true] {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        let id = client.session.open(a_request("GET"), true).unwrap();
        client.flush(now);
        client.session.discard(id);
        let status = [(":status", "200")];
        client.feed(now, &Script::server().head(1, &status, end).0);
        assert!(matches!(client.told[0], Told::Response(of, _, ended) if of == id && ended == end));
        assert_eq!(client.told[1..], [Told::Finished(id)]);
        let resets = frames(&client.flush(now))
            .into_iter()
            .filter_map(|sent| match sent.frame() {
                Frame::RstStream(code) => Some(code),
                _ => None,
            });
        let cut = (!end).then_some(Code::Cancel);
        assert_eq!(
            resets.collect::<Vec<_>>(),
            cut.into_iter().collect::<Vec<_>>()
        );
        let rest = Script::default().data(1, b"late", true);
        client.feed(now, if end { b"" } else { &rest.0 });
        assert_eq!((client.told.len(), client.failure()), (2, None));
    }
}

/// Not in the RFC: informational heads are free to send, so a server may not send them for ever.
#[test]
fn endless_informational_heads_end_the_connection() {
    let limits = Limits {
        glitches: Rate {
            burst: 10,
            per_second: 1,
        },
        ..Limits::default()
    };
    let now = Instant::now();
    let mut client = Caller::new(Session::client(limits, now));
    client.session.open(a_request("GET"), true).unwrap();
    client.flush(now);
    let interim = Script::default().head(1, &[(":status", "103")], false);
    client.feed(now, &Script::server().0);
    for second in 0..100 {
        client.feed(now + Duration::from_secs(second), &interim.0);
        assert_eq!(
            client.failure(),
            None,
            "progress may be told as slowly as one likes"
        );
    }
    client.feed(now + Duration::from_secs(100), &interim.0.repeat(12));
    let failure = client.failure().map(|error| error.why);
    assert_eq!(failure, Some(Violation::TooManyGlitches));
}

/// Section 8.1: "Clients MUST NOT discard responses as a result of receiving such a RST_STREAM" (NO_ERROR behind a complete
/// response): all of the response is told, then that the upload is over.
#[test]
fn a_complete_response_survives_the_reset_that_follows_it() {
    for content in [false, true] {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        let id = client.session.open(a_request("POST"), false).unwrap();
        client.say(id, octets(1 << 20), true);
        client.flush(now);
        let mut script = Script::server().head(1, &[(":status", "413")], !content);
        if content {
            script = script.data(1, b"too large", true);
        }
        client.feed(now, &script.reset(1, Code::NoError).0);
        let told: Vec<_> = client.told.iter().collect();
        let (last, before) = told.split_last().unwrap();
        assert_eq!(**last, Told::Reset(id, Code::NoError, None));
        assert!(matches!(before[0], Told::Response(_, head, _) if head.status == 413));
        if content {
            assert_eq!(client.data_of(id), b"too large");
            assert_eq!(*before[2], Told::End(id, None));
        }
        client.feed(now, &Script::default().credit(0, 1 << 20).0);
        let sent = frames(&client.flush(now));
        assert!(
            sent.iter().all(|sent| sent.header.stream == 0),
            "the upload has stopped"
        );
    }
}

/// Section 8.1: a HEADERS frame without END_STREAM behind the final head is malformed in a response, too.
#[test]
fn a_second_final_head_is_malformed() {
    let ok = &[(":status", "200")];
    let script = Script::server().head(1, ok, false).head(1, ok, false);
    request(&["GET"], &script).assert_reset(1, Violation::StreamState, Code::Protocol);
    let script = Script::server().head(1, ok, false).head(1, ok, true);
    request(&["GET"], &script).assert_reset(1, Violation::PseudoField, Code::Protocol);
}

/// Section 8.6: "HTTP/2 removes support for the 101 (Switching Protocols) informational status code".
#[test]
fn there_is_no_101_either_way() {
    let script = Script::server().head(1, &[(":status", "101")], false);
    request(&["GET"], &script).assert_reset(1, Violation::Status, Code::Protocol);
    let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let id = open_requests(&server)[0];
    let refused = server.session.respond(id, Response::new(101), false);
    assert_eq!(refused, Err(UsageError::NoUpgrade));
}
