//! Section 6.6, and what section 5.1 says of reserved streams: PUSH_PROMISE as a client reads it.

use crate::wire::{GET, Outcome, POST, Script, a_request, block, play_to, request, serve};
use std::time::Instant;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, Kind, flags};
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};

/// The lines of a promised GET.
const PUSHED: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/style.css"),
    (":authority", "example.org"),
];

const OK: &[(&str, &str)] = &[(":status", "200")];

impl Script {
    /// A server's SETTINGS, and its word on ours.
    fn agreed() -> Self {
        Self::server().ack()
    }

    /// PUSH_PROMISE with the whole block.
    fn promise(self, on: u32, promised: u32) -> Self {
        self.promise_of(on, promised, &block(PUSHED))
    }

    fn promise_of(self, on: u32, promised: u32, block: &[u8]) -> Self {
        let frame = Frame::PushPromise {
            promised,
            block,
            end_headers: true,
        };
        self.frame(on, frame)
    }
}

/// A client that takes pushes, after it has sent a GET on stream 1 and a POST on stream 3 whose body goes on.
fn client(limits: &Limits, now: Instant) -> Session {
    let config = Config {
        push: true,
        ..Config::default()
    };
    let mut client = Caller::new(Session::client(limits.clone(), now).configured(config));
    client.session.open(a_request("GET"), true).unwrap();
    client.session.open(a_request("POST"), false).unwrap();
    client.flush(now);
    client.session
}

/// What it makes of a script.
fn hear(script: &Script) -> Outcome {
    play_to(|now| client(&Limits::default(), now), |_, _| (), &[script])
}

/// What it makes of several, between which it resets a stream.
fn hear_resetting(number: u64, scripts: &[&Script]) -> Outcome {
    play_to(
        |now| client(&Limits::default(), now),
        |caller, _| {
            // The GET has the first slot, the POST the second, what is pushed the third.
            let slot = [1, 3, 2].iter().position(|of| *of == number).unwrap();
            let id = StreamId::new(number, slot as u32);
            caller.session.reset(id, Code::Cancel);
        },
        scripts,
    )
}

/// The numbers of promised streams and those that they were promised on.
fn pushes(outcome: &Outcome) -> Vec<(u64, u64)> {
    let push = |told: &Told| match told {
        Told::Push(id, on, _) => Some((id.number(), on.number())),
        _ => None,
    };
    outcome.told.iter().filter_map(push).collect()
}

/// Section 8.4.2: the response comes on the promised stream, as any other does.
#[test]
fn a_promise_is_told_and_then_its_response() {
    let outcome = hear(
        &Script::agreed()
            .promise(1, 2)
            .head(2, OK, false)
            .data(2, b"body", true)
            .head(1, OK, true),
    );
    let [
        Told::Push(id, on, head),
        Told::Response(first, response, false),
        Told::Data(_, octets),
        Told::End(_, None),
        Told::Finished(last),
        Told::Response(..),
        Told::Finished(_),
    ] = &outcome.told[..]
    else {
        panic!("{:?}", outcome.told);
    };
    assert_eq!((id.number(), on.number()), (2, 1));
    assert_eq!((first, last), (id, id));
    assert_eq!(head.method(), b"GET");
    assert_eq!(head.path(), Some(&b"/style.css"[..]));
    assert_eq!(head.authority(), Some(&b"example.org"[..]));
    assert_eq!((response.status, &octets[..]), (200, &b"body"[..]));
    assert!(outcome.resets().is_empty());
}

/// "The PUSH_PROMISE frame includes a field block fragment": it may be padded, and go on in CONTINUATION.
#[test]
fn a_promise_may_be_padded_and_continued() {
    let block = block(PUSHED);
    for cut in [0, 1, block.len() / 2, block.len()] {
        let (one, two) = block.split_at(cut);
        let payload = [&[3, 0, 0, 0, 2], one, &[0; 3]].concat();
        let script = Script::agreed()
            .raw(Kind::PushPromise, flags::PADDED, 1, &payload)
            .continuation(1, two, true);
        assert_eq!(pushes(&hear(&script)), [(2, 1)]);
    }
    let script = Script::agreed().raw(
        Kind::PushPromise,
        flags::PADDED | flags::END_HEADERS,
        1,
        &[7, 0, 0, 0, 2, 0, 0],
    );
    hear(&script).assert_failed(Violation::Padding, Code::Protocol);
    let script = Script::agreed()
        .raw(Kind::PushPromise, 0, 1, &[0, 0, 0, 2])
        .ping();
    hear(&script).assert_failed(Violation::BlockInterrupted, Code::Protocol);
}

/// "If the Stream Identifier field specifies the value 0x00, a recipient MUST respond with a connection error of type
/// PROTOCOL_ERROR." And it has four octets at least (section 4.2).
#[test]
fn a_promise_on_no_stream_or_of_no_stream_ends_the_connection() {
    hear(&Script::agreed().promise(0, 2)).assert_failed(Violation::FrameStream, Code::Protocol);
    for (flags, size) in [(0, 3), (flags::PADDED, 4)] {
        let script = Script::agreed().raw(Kind::PushPromise, flags, 1, &vec![0; size]);
        hear(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// "A receiver MUST treat the receipt of a PUSH_PROMISE that promises an illegal stream identifier (Section 5.1.1) as
/// a connection error of type PROTOCOL_ERROR." Illegal is what is not the server's, or not idle any more.
#[test]
fn a_promise_of_a_number_that_is_not_idle_ends_the_connection() {
    for promised in [0, 1, 3, 5, 7] {
        hear(&Script::agreed().promise(1, promised))
            .assert_failed(Violation::StreamIdentifier, Code::Protocol);
    }
    for promised in [2, 4] {
        let script = Script::agreed().promise(1, 4).promise(1, promised);
        hear(&script).assert_failed(Violation::StreamIdentifier, Code::Protocol);
    }
    let after = Script::agreed()
        .promise(1, 2)
        .head(2, OK, true)
        .promise(1, 2);
    hear(&after).assert_failed(Violation::StreamIdentifier, Code::Protocol);
}

/// "A receiver MUST treat the receipt of a PUSH_PROMISE on a stream that is neither "open" nor "half-closed (local)"
/// as a connection error of type PROTOCOL_ERROR."
#[test]
fn a_promise_on_a_stream_on_which_the_server_has_nothing_to_say_ends_the_connection() {
    let open = Script::agreed().promise(3, 2).promise(1, 4);
    assert_eq!(pushes(&hear(&open)), [(2, 3), (4, 1)]);
    for script in [
        // Idle.
        Script::agreed().promise(5, 2),
        // Half closed (remote).
        Script::agreed().head(3, OK, true).promise(3, 2),
        // Closed.
        Script::agreed().head(1, OK, true).promise(1, 2),
        Script::agreed().reset(1, Code::Cancel).promise(1, 2),
        // "PUSH_PROMISE frames MUST only be sent on a peer-initiated stream".
        Script::agreed().promise(1, 2).promise(2, 4),
        Script::agreed()
            .promise(1, 2)
            .head(2, OK, false)
            .promise(2, 4),
        Script::agreed().promise(2, 4),
    ] {
        hear(&script).assert_failed(Violation::PushPromise, Code::Protocol);
    }
}

/// "A client cannot push. Thus, servers MUST treat the receipt of a PUSH_PROMISE frame as a connection error of type
/// PROTOCOL_ERROR" (section 8.4).
#[test]
fn a_promise_from_a_client_ends_the_connection() {
    let script = Script::client().head(1, POST, false).promise(1, 2);
    serve(&script).assert_failed(Violation::PushPromise, Code::Protocol);
}

/// "PUSH_PROMISE MUST NOT be sent if the SETTINGS_ENABLE_PUSH setting of the peer endpoint is set to 0. An endpoint
/// that has set this setting and has received acknowledgment MUST treat the receipt of a PUSH_PROMISE frame as a
/// connection error of type PROTOCOL_ERROR." Before that the server may not know: the promise is refused.
#[test]
fn a_client_that_takes_no_pushes_refuses_them_until_the_server_knows() {
    let outcome = request(
        &["GET"],
        &Script::server()
            .promise(1, 2)
            .head(2, OK, false)
            .data(2, b"late", true)
            .head(1, OK, true),
    );
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.resets(), [(2, Code::Refused)]);
    assert!(pushes(&outcome).is_empty());
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 1));
    request(&["GET"], &Script::agreed().promise(1, 2))
        .assert_failed(Violation::PushPromise, Code::Protocol);
}

/// Section 6.5.2: "an endpoint that takes no pushes says so", and one that takes them bounds them by
/// SETTINGS_MAX_CONCURRENT_STREAMS.
#[test]
fn a_client_announces_whether_it_takes_pushes() {
    let entries = |push| {
        let now = Instant::now();
        let config = Config {
            push,
            ..Config::default()
        };
        let mut client = Caller::new(Session::client(Limits::default(), now).configured(config));
        let sent = crate::wire::frames(&client.flush(now));
        let Frame::Settings(entries) = sent[0].frame() else {
            panic!("{sent:?}");
        };
        entries.iter().collect::<Vec<_>>()
    };
    assert!(entries(false).contains(&(2, 0)));
    assert!(entries(true).contains(&(3, 256)));
    assert!(entries(true).iter().all(|(identifier, _)| *identifier != 2));
}

/// "an endpoint that has sent RST_STREAM on the associated stream MUST handle PUSH_PROMISE frames that might have been
/// created before the RST_STREAM frame is received and processed": it is decoded, and nobody wants its stream.
#[test]
fn a_promise_on_a_stream_that_was_reset_is_read_and_refused() {
    // Literal with indexing, so that the next head has to know it.
    let mut indexing = b"\x82\x87\x84\x41\x0bexample.org\x40\x05x-new".to_vec();
    indexing.extend(b"\x05value");
    let late = Script::default()
        .promise_of(1, 2, &indexing)
        .head(2, OK, true)
        .block(3, b"\x88\xbe", true);
    let outcome = hear_resetting(1, &[&Script::agreed(), &late]);
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.resets(), [(1, Code::Cancel), (2, Code::Refused)]);
    assert!(pushes(&outcome).is_empty());
    let heads: Vec<_> = outcome
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Response(id, head, _) => Some((id.number(), head.fields.first(b"x-new"))),
            _ => None,
        })
        .collect();
    assert_eq!(heads, [(3, Some(&b"value"[..]))]);
}

/// Section 4.3: a block that cannot be decoded ends the connection, wanted or not.
#[test]
fn a_promise_that_cannot_be_decoded_ends_the_connection() {
    let broken = Script::agreed().promise_of(1, 2, b"\xff\xff\xff\xff\xff\xff");
    hear(&broken).assert_failed(Violation::Compression, Code::Compression);
    request(&["GET"], &Script::server().promise_of(1, 2, b"\xc0"))
        .assert_failed(Violation::Compression, Code::Compression);
}

/// Section 5.1, reserved (remote): "Receiving any type of frame other than HEADERS, RST_STREAM, or PRIORITY on a
/// stream in this state MUST be treated as a connection error of type PROTOCOL_ERROR."
#[test]
fn a_promised_stream_takes_headers_resets_and_priority_only() {
    let promised = Script::agreed().promise(1, 2);
    hear(&promised.clone().data(2, b"x", false))
        .assert_failed(Violation::StreamState, Code::Protocol);
    hear(&promised.clone().credit(2, 1)).assert_failed(Violation::StreamState, Code::Protocol);
    let outcome = hear(&promised.clone().priority(2, 1).head(2, OK, true));
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 2));
    let outcome = hear(&promised.reset(2, Code::Internal));
    assert!(matches!(
        outcome.told.last(),
        Some(Told::Reset(id, Code::Internal, None)) if id.number() == 2
    ));
    assert!(outcome.resets().is_empty());
}

/// Section 5.1.1: the server opens its streams by promises only.
#[test]
fn a_head_on_a_stream_that_was_not_promised_ends_the_connection() {
    for script in [
        Script::agreed().head(2, OK, true),
        Script::agreed().promise(1, 4).head(6, OK, true),
        // Left out, so closed.
        Script::agreed().promise(1, 4).head(2, OK, true),
    ] {
        let failure = hear(&script).failure();
        assert!(
            matches!(
                failure,
                Some(Violation::StreamIdentifier | Violation::StreamClosed)
            ),
            "{failure:?}"
        );
    }
}

/// Section 5.1, closed: what comes after the client's RST_STREAM was on its way.
#[test]
fn what_comes_for_a_push_that_was_refused_is_ignored() {
    let promise = Script::agreed().promise(1, 2);
    let late = Script::default()
        .head(2, OK, false)
        .data(2, b"late", true)
        .head(1, OK, true);
    let outcome = hear_resetting(2, &[&promise, &late]);
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.resets(), [(2, Code::Cancel)]);
    assert!(
        !outcome
            .told
            .iter()
            .any(|told| matches!(told, Told::Data(..)))
    );
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 1));
    // And after its head.
    let begun = Script::agreed().promise(1, 2).head(2, OK, false);
    let late = Script::default().data(2, b"late", true);
    let outcome = hear_resetting(2, &[&begun, &late]);
    assert_eq!((outcome.failure(), outcome.resets().len()), (None, 1));
}

/// Section 8.4.1: "If a client receives a promised request that is not cacheable, that is not known to be safe, or
/// that indicates the presence of request content, the client MUST reset the promised stream with a stream error of
/// type PROTOCOL_ERROR." It must name its authority, too.
#[test]
fn a_promise_of_what_cannot_be_pushed_is_refused() {
    let with = |more: &[(&'static str, &'static str)]| [PUSHED, more].concat();
    let mut nameless = PUSHED.to_vec();
    nameless.pop();
    for (lines, why) in [
        (POST.to_vec(), Violation::PromisedRequest),
        (
            vec![(":method", "CONNECT"), (":authority", "example.org:1")],
            Violation::PromisedRequest,
        ),
        (with(&[("content-length", "1")]), Violation::PromisedRequest),
        (with(&[("content-length", "x")]), Violation::PromisedRequest),
        (with(&[("connection", "close")]), Violation::ConnectionField),
        (with(&[("X", "y")]), Violation::FieldName),
        (nameless, Violation::Authority),
        (OK.to_vec(), Violation::PseudoField),
        (vec![], Violation::PseudoField),
    ] {
        let script = Script::agreed()
            .promise_of(1, 2, &block(&lines))
            .head(1, OK, true);
        hear(&script).assert_reset(2, why, Code::Protocol);
    }
    for fits in [&[("content-length", "0")][..], &[("x", "y")]] {
        let script = Script::agreed().promise_of(1, 2, &block(&with(fits)));
        assert_eq!(pushes(&hear(&script)), [(2, 1)]);
    }
}

/// A promise that is too large for us is refused, and no response is made up for it as for a request.
#[test]
fn a_promise_with_too_large_a_head_is_refused() {
    let limits = Limits {
        fields: 2,
        ..Limits::default()
    };
    let lines = [PUSHED, &[("a", "1"), ("b", "2"), ("c", "3")]].concat();
    let script = Script::agreed().promise_of(1, 2, &block(&lines));
    let outcome = play_to(|now| client(&limits, now), |_, _| (), &[&script]);
    outcome.assert_reset(2, Violation::TooManyFields, Violation::TooManyFields.code());
    assert!(outcome.of_kind(Kind::Headers).is_empty());
}

/// [`Limits::promises`]: more promises than that, without responses, are refused.
#[test]
fn promises_that_are_not_kept_are_bounded() {
    let limits = Limits {
        promises: 2,
        ..Limits::default()
    };
    let script = Script::agreed()
        .promise(1, 2)
        .promise(1, 4)
        .promise(1, 6)
        .head(2, OK, false)
        .promise(1, 8);
    let outcome = play_to(|now| client(&limits, now), |_, _| (), &[&script]);
    outcome.assert_reset(6, Violation::TooManyPromises, Code::Refused);
    assert_eq!(pushes(&outcome), [(2, 1), (4, 1), (8, 1)]);
}

/// [`Limits::idle_time`]: promises alone keep no connection; a response that has begun does.
#[test]
fn promises_do_not_keep_a_connection_from_being_idle() {
    for begun in [false, true] {
        let (limits, now) = (Limits::default(), Instant::now());
        let mut client = Caller::new(client(&limits, now));
        let answered = Script::agreed()
            .promise(1, 2)
            .promise(1, 4)
            .head(1, OK, true)
            .head(3, OK, true)
            .reset(3, Code::NoError)
            .reset(4, Code::Cancel);
        client.feed(now, &answered.0);
        assert_eq!(client.session.open_streams(), 1);
        let soon = now + limits.idle_time / 2;
        if begun {
            client.feed(soon, &Script::default().head(2, OK, false).0);
        }
        client.expire(now + limits.idle_time);
        let failure = client.failure().map(|error| error.why);
        assert_eq!(failure, (!begun).then_some(Violation::IdleTimeout));
    }
}

/// Section 5.1.2: pushed streams count when they open, and "An endpoint that receives a HEADERS frame that causes its
/// advertised concurrent stream limit to be exceeded MUST treat this as a stream error".
#[test]
fn pushed_streams_that_are_open_are_bounded() {
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    let script = Script::agreed()
        .promise(1, 2)
        .promise(1, 4)
        .head(2, OK, false)
        .head(4, OK, true)
        .data(2, b"", true)
        .promise(1, 6)
        .head(6, OK, true);
    let outcome = play_to(|now| client(&limits, now), |_, _| (), &[&script]);
    outcome.assert_reset(4, Violation::TooManyStreams, Code::Refused);
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 6));
}

/// Section 6.8: the server's GOAWAY is about the client's streams: what it pushes still comes.
#[test]
fn pushes_outlive_the_servers_goaway() {
    let goaway = Frame::GoAway {
        last: 1,
        code: Code::NoError,
        debug: b"bye",
    };
    let script = Script::agreed()
        .promise(1, 2)
        .promise(1, 4)
        .frame(0, goaway)
        .head(4, OK, true);
    let outcome = hear(&script);
    let lost: Vec<_> = outcome
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Reset(id, code, None) => Some((id.number(), *code)),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [(3, Code::Refused)]);
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 4));
}

/// Section 6.8: a client that has sent GOAWAY takes no promise above the last stream that it names.
#[test]
fn promises_after_our_goaway_are_refused() {
    let first = Script::agreed().promise(1, 2);
    let second = Script::default()
        .promise(1, 4)
        .head(2, OK, true)
        .head(1, OK, true);
    let outcome = play_to(
        |now| client(&Limits::default(), now),
        |caller, now| {
            let how = thalweg_proto::session::Shutdown::Graceful;
            caller.session.shutdown(now, how);
        },
        &[&first, &second],
    );
    assert_eq!(outcome.goaway(), Some((2, Code::NoError)));
    assert_eq!(outcome.resets(), [(4, Code::Refused)]);
    assert_eq!(pushes(&outcome), [(2, 1)]);
    assert_eq!(outcome.failure(), None);
}

/// The lines of [`GET`] can be promised: the script's own words are no reason for a refusal above.
#[test]
fn a_get_can_be_promised() {
    let script = Script::agreed().promise_of(1, 2, &block(GET));
    assert_eq!(pushes(&hear(&script)), [(2, 1)]);
}
