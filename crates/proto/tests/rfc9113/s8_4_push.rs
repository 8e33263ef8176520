//! Section 8.4: server push, with a server of ours at one end and a script or a client of ours at the other.

use crate::wire::{
    GET, POST, Script, Sent, a_request, block, established, frames, octets, open_requests,
};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

pub(crate) fn style() -> Request {
    Request::new(b"GET")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/style.css")
}

/// A server with a GET on stream 1, and what came before it.
pub(crate) fn server_with(limits: Limits, before: Script) -> (Caller<Session>, Instant, StreamId) {
    let script = before.head(1, GET, true);
    let (server, now) = established(limits, &script);
    let on = open_requests(&server)[0];
    (server, now, on)
}

pub(crate) fn server() -> (Caller<Session>, Instant, StreamId) {
    server_with(Limits::default(), Script::default())
}

/// The types of frames and their streams.
pub(crate) fn order(sent: &[Sent]) -> Vec<(Kind, u32)> {
    sent.iter()
        .map(|sent| (sent.header.kind, sent.header.stream))
        .collect()
}

pub(crate) fn sent(server: &mut Caller<Session>, now: Instant) -> Vec<Sent> {
    frames(&server.flush(now))
}

pub(crate) fn pair(client: Limits, server: Limits) -> Pair<Session, Session> {
    let now = Instant::now();
    let config = Config {
        push: true,
        ..Config::default()
    };
    let client = Session::client(client, now).configured(config);
    let mut pair = Pair::new(client, Session::server(server, now), now);
    pair.settle();
    pair
}

/// The promised streams that a client was told of.
fn pushes(told: &[Told]) -> Vec<StreamId> {
    let push = |told: &Told| match told {
        Told::Push(id, ..) => Some(*id),
        _ => None,
    };
    told.iter().filter_map(push).collect()
}

pub(crate) fn finished(told: &[Told]) -> Vec<u64> {
    let finished = |told: &Told| match told {
        Told::Finished(id) => Some(id.number()),
        _ => None,
    };
    told.iter().filter_map(finished).collect()
}

/// Sections 8.4.1 and 8.4.2: a request is promised, and its response is pushed, beside the one that was asked for.
#[test]
fn what_a_server_pushes_arrives() {
    for seed in 0..8 {
        let mut pair = pair(Limits::default(), Limits::default()).cut_at_random(seed);
        let asked = pair.client.session.open(a_request("GET"), true).unwrap();
        pair.settle();
        let on = open_requests(&pair.server)[0];
        let server = &mut pair.server;
        let promised = server.session.push(on, style()).unwrap();
        server
            .session
            .respond(on, Response::new(200), false)
            .unwrap();
        server.say(on, octets(70_000), true);
        let head = Response::new(200).with_field(b"content-length", b"300000");
        server.session.respond(promised, head, false).unwrap();
        server.say(promised, octets(300_000), true);
        pair.settle();
        assert_eq!(promised.number(), 2);
        let client = &pair.client;
        assert_eq!(pushes(&client.told), [promised]);
        assert_eq!(client.data_of(asked), octets(70_000));
        assert_eq!(client.data_of(pushes(&client.told)[0]), octets(300_000));
        for told in [&client.told, &pair.server.told] {
            let mut numbers = finished(told);
            numbers.sort_unstable();
            assert_eq!(numbers, [1, 2]);
        }
        let open = [
            pair.client.session.open_streams(),
            pair.server.session.open_streams(),
        ];
        assert_eq!(open, [0, 0]);
    }
}

/// Section 8.4.1: "The server SHOULD send PUSH_PROMISE (Section 6.6) frames prior to sending any frames that reference
/// the promised responses."
#[test]
fn a_promise_leaves_before_the_data_that_may_refer_to_it() {
    let (mut server, now, on) = server();
    server
        .session
        .respond(on, Response::new(200), false)
        .unwrap();
    server.say(on, octets(10), false);
    server.session.push(on, style()).unwrap();
    assert_eq!(
        order(&sent(&mut server, now)),
        [(Kind::Headers, 1), (Kind::PushPromise, 1), (Kind::Data, 1)]
    );
    // In the middle of the body as well.
    server.session.push(on, style()).unwrap();
    server.say(on, octets(10), true);
    let sent = sent(&mut server, now);
    assert_eq!(order(&sent), [(Kind::PushPromise, 1), (Kind::Data, 1)]);
    let Frame::PushPromise { promised, .. } = sent[0].frame() else {
        panic!("{sent:?}");
    };
    assert_eq!(promised, 4);
}

/// Section 4.3: what is beyond the client's largest frame goes on in CONTINUATION, and nothing comes between.
#[test]
fn a_long_promise_is_continued() {
    let (mut server, now, on) = server();
    let long = style().with_field(b"x-long", &[b'~'; 40_000]);
    let promised = server.session.push(on, long).unwrap();
    server
        .session
        .respond(promised, Response::new(204), true)
        .unwrap();
    assert_eq!(
        order(&sent(&mut server, now)),
        [
            (Kind::PushPromise, 1),
            (Kind::Continuation, 1),
            (Kind::Continuation, 1),
            (Kind::Headers, 2)
        ]
    );
}

/// Section 8.4: "promised requests MUST be safe and cacheable; MUST NOT include any content or trailers", and name an
/// authority.
#[test]
fn only_what_can_be_pushed_is_promised() {
    let (mut server, now, on) = server();
    let nameless = Request::new(b"GET")
        .with_scheme(b"https")
        .with_path(b"/")
        .with_field(b"host", b"example.org");
    for (head, why) in [
        (a_request("POST"), UsageError::NotPushable),
        (a_request("OPTIONS"), UsageError::NotPushable),
        (
            style().with_field(b"content-length", b"3"),
            UsageError::NotPushable,
        ),
        (nameless, UsageError::Incomplete),
        (Request::new(b"GET"), UsageError::Incomplete),
        (
            style().with_field(b"connection", b"x"),
            UsageError::BadField,
        ),
    ] {
        assert_eq!(server.session.push(on, head), Err(why));
    }
    assert!(sent(&mut server, now).is_empty());
    assert_eq!(server.session.open_streams(), 1);
}

/// Section 6.6: "PUSH_PROMISE frames MUST only be sent on a peer-initiated stream that is in either the "open" or
/// "half-closed (remote)" state."
#[test]
fn promises_are_made_only_where_the_server_has_more_to_say() {
    let (mut server, now, on) = server();
    let promised = server.session.push(on, style()).unwrap();
    assert_eq!(
        server.session.push(promised, style()),
        Err(UsageError::NoPush)
    );
    let nowhere = StreamId::new(9, 0);
    assert_eq!(
        server.session.push(nowhere, style()),
        Err(UsageError::NoSuchStream)
    );
    server
        .session
        .respond(on, Response::new(204), true)
        .unwrap();
    assert_eq!(
        server.session.push(on, style()),
        Err(UsageError::HeadNotExpected)
    );
    sent(&mut server, now);
    assert_eq!(
        server.session.push(on, style()),
        Err(UsageError::NoSuchStream)
    );
    // An open stream is as good as one that is half closed.
    let script = Script::default().head(3, POST, false);
    server.feed(now, &script.0);
    let on = open_requests(&server)[1];
    assert_eq!(server.session.push(on, style()).unwrap().number(), 4);
    assert_eq!(order(&sent(&mut server, now)), [(Kind::PushPromise, 3)]);
    // And a client promises nothing.
    let mut client = Session::client(Limits::default(), now);
    let id = client.open(a_request("GET"), true).unwrap();
    assert_eq!(client.push(id, style()), Err(UsageError::WrongRole));
}

/// Section 8.5: a tunnel carries nothing but DATA and what manages its stream.
#[test]
fn nothing_is_promised_on_a_tunnel() {
    let connect = [(":method", "CONNECT"), (":authority", "example.org:1")];
    let script = Script::default().head(1, &connect, false);
    let (mut server, _) = established(Limits::default(), &script);
    let on = open_requests(&server)[0];
    assert_eq!(server.session.push(on, style()), Err(UsageError::NoPush));

    let now = Instant::now();
    let config = Config {
        push: true,
        ..Config::default()
    };
    let mut client = Caller::new(Session::client(Limits::default(), now).configured(config));
    let connect = Request::new(b"CONNECT").with_authority(b"example.org:1");
    let id = client.session.open(connect, false).unwrap();
    client.flush(now);
    let promise = Frame::PushPromise {
        promised: 2,
        block: &block(GET),
        end_headers: true,
    };
    let script = Script::server()
        .ack()
        .head(1, &[(":status", "200")], false)
        .frame(1, promise);
    client.feed(now, &script.0);
    assert_eq!(
        client.told.last(),
        Some(&Told::Reset(
            id,
            Code::Protocol,
            Some(Violation::PushPromise)
        ))
    );
    let resets: Vec<_> = sent(&mut client, now)
        .iter()
        .filter(|sent| sent.header.kind == Kind::RstStream)
        .map(|sent| sent.header.stream)
        .collect();
    assert_eq!(resets, [2, 1]);
}

/// Section 6.5.2, SETTINGS_ENABLE_PUSH: "A server MUST NOT send a PUSH_PROMISE frame if it receives this parameter set
/// to a value of 0."
#[test]
fn a_client_that_takes_no_pushes_gets_no_promise() {
    let (mut server, now, on) =
        server_with(Limits::default(), Script::default().settings(&[(2, 0)]));
    assert_eq!(server.session.push(on, style()), Err(UsageError::NoPush));
    // It may change its mind, and change it back before the promise has left: then the caller is told.
    server.feed(now, &Script::default().settings(&[(2, 1)]).0);
    let promised = server.session.push(on, style()).unwrap();
    server.feed(now, &Script::default().settings(&[(2, 0)]).0);
    server
        .session
        .respond(promised, Response::new(200), false)
        .unwrap();
    let sent = sent(&mut server, now);
    assert!(sent.iter().all(|sent| sent.header.kind == Kind::Settings));
    assert_eq!(
        server.told.last(),
        Some(&Told::Reset(promised, Code::Cancel, None))
    );
    assert_eq!(server.session.open_streams(), 1);
}

/// A stream that ends before the promise on it has left takes the promise with it.
#[test]
fn a_promise_that_has_lost_its_stream_does_not_leave() {
    let (mut server, now, on) = server();
    let promised = server.session.push(on, style()).unwrap();
    server.session.reset(on, Code::Cancel);
    assert_eq!(order(&sent(&mut server, now)), [(Kind::RstStream, 1)]);
    assert_eq!(
        server.told.last(),
        Some(&Told::Reset(promised, Code::Cancel, None))
    );
    assert_eq!(server.session.open_streams(), 0);
}

/// The caller takes a promise back: without a word where it has not left, with RST_STREAM where it has.
#[test]
fn a_promise_can_be_taken_back() {
    let (mut server, now, on) = server();
    let promised = server.session.push(on, style()).unwrap();
    server.session.reset(promised, Code::Cancel);
    assert!(sent(&mut server, now).is_empty());
    let promised = server.session.push(on, style()).unwrap();
    assert_eq!(promised.number(), 4);
    sent(&mut server, now);
    server.session.reset(promised, Code::Internal);
    assert_eq!(order(&sent(&mut server, now)), [(Kind::RstStream, 4)]);
    assert_eq!(server.told.len(), 1, "nothing was told of either");
    assert_eq!(
        server.session.respond(promised, Response::new(204), true),
        Err(UsageError::NoSuchStream)
    );
}

/// Section 8.4.2: a client that does not want a push resets it, before or after it has begun; the stream that it was
/// promised on goes on.
#[test]
fn a_client_refuses_a_push_at_any_time() {
    for begun in [false, true] {
        let mut pair = pair(Limits::default(), Limits::default());
        let asked = pair.client.session.open(a_request("GET"), true).unwrap();
        pair.settle();
        let on = open_requests(&pair.server)[0];
        let promised = pair.server.session.push(on, style()).unwrap();
        if begun {
            let head = Response::new(200);
            pair.server.session.respond(promised, head, false).unwrap();
        }
        pair.settle();
        let id = pushes(&pair.client.told)[0];
        pair.client.session.reset(id, Code::Refused);
        pair.settle();
        assert_eq!(
            pair.server.told.last(),
            Some(&Told::Reset(promised, Code::Refused, None))
        );
        let head = Response::new(204);
        pair.server.session.respond(on, head, true).unwrap();
        pair.settle();
        assert_eq!(pair.client.told.last(), Some(&Told::Finished(asked)));
        assert_eq!(pair.server.session.open_streams(), 0);
    }
}

/// Section 5.1, reserved (local): "Receiving any type of frame other than RST_STREAM, PRIORITY, or WINDOW_UPDATE on a
/// stream in this state MUST be treated as a connection error of type PROTOCOL_ERROR."
#[test]
fn the_client_may_only_reset_prioritise_and_give_credit_to_a_promised_stream() {
    let promised = || {
        let (mut server, now, on) = server();
        server.session.push(on, style()).unwrap();
        server.flush(now);
        (server, now)
    };
    for wrong in [
        Script::default().head(2, GET, true),
        Script::default().data(2, b"x", true),
    ] {
        let (mut server, now) = promised();
        server.feed(now, &wrong.0);
        let failure = server.failure().unwrap();
        assert_eq!(
            (failure.why, failure.code),
            (Violation::StreamState, Code::Protocol)
        );
    }
    let (mut server, now) = promised();
    let right = Script::default()
        .priority(2, 1)
        .credit(2, 1)
        .reset(2, Code::Cancel);
    server.feed(now, &right.0);
    assert_eq!(server.failure(), None);
    assert!(matches!(
        server.told.last(),
        Some(Told::Reset(id, Code::Cancel, None)) if id.number() == 2
    ));
    // Numbers that nothing was promised on are idle (section 5.1).
    let (mut server, now) = promised();
    server.feed(now, &Script::default().credit(4, 1).0);
    assert_eq!(server.failure().unwrap().why, Violation::StreamState);
}

/// Section 5.1.1: a client has no even numbers to open.
#[test]
fn a_client_that_opens_a_pushed_stream_ends_the_connection() {
    let (mut server, now, on) = server();
    server.session.push(on, style()).unwrap();
    sent(&mut server, now);
    server.feed(now, &Script::default().head(4, GET, true).0);
    assert_eq!(server.failure().unwrap().why, Violation::StreamIdentifier);
}

/// Section 6.9: a pushed body keeps to its window, and credit for it is taken.
#[test]
fn a_pushed_body_keeps_to_its_window() {
    let before = Script::default().settings(&[(4, 100)]);
    let (mut server, now, on) = server_with(Limits::default(), before);
    let promised = server.session.push(on, style()).unwrap();
    server
        .session
        .respond(promised, Response::new(200), false)
        .unwrap();
    server.say(promised, octets(250), true);
    let data = |sent: &[Sent]| -> usize {
        let data = sent.iter().filter(|sent| sent.header.kind == Kind::Data);
        data.map(|sent| sent.payload.len()).sum()
    };
    assert_eq!(data(&sent(&mut server, now)), 100);
    server.feed(now, &Script::default().credit(2, 50).0);
    assert_eq!(data(&sent(&mut server, now)), 50);
    server.feed(now, &Script::default().settings(&[(4, 200)]).0);
    assert_eq!(data(&sent(&mut server, now)), 100);
    assert_eq!(finished(&server.told), [2]);
}

/// Section 8.1: HEAD is answered with the length of a body that does not come, pushed or not; and trailers may follow
/// a pushed body.
#[test]
fn pushed_responses_have_all_that_others_have() {
    let mut pair = pair(Limits::default(), Limits::default());
    pair.client.session.open(a_request("GET"), true).unwrap();
    pair.settle();
    let on = open_requests(&pair.server)[0];
    let server = &mut pair.server;
    let headed = server.session.push(on, a_request("HEAD")).unwrap();
    let length = Response::new(200).with_field(b"content-length", b"9");
    server.session.respond(headed, length, true).unwrap();
    let trailed = server.session.push(on, style()).unwrap();
    let early = Response::new(103).with_field(b"link", b"</x>");
    server.session.respond(trailed, early, false).unwrap();
    server
        .session
        .respond(trailed, Response::new(200), false)
        .unwrap();
    server.say(trailed, octets(5), false);
    let trailers: Fields = [(&b"t"[..], &b"v"[..])].into_iter().collect();
    server.say_trailers(trailed, trailers.clone());
    pair.settle();
    assert_eq!(finished(&pair.client.told), [2, 4]);
    let statuses: Vec<_> = pair
        .client
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Response(id, head, end) => Some((id.number(), head.status, *end)),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [(2, 200, true), (4, 103, false), (4, 200, false)]);
    assert!(
        pair.client
            .told
            .contains(&Told::End(trailed, Some(trailers)))
    );
}
