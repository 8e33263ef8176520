//! Section 8.4, and sections 5.1.2 and 6.8 for it: how many responses are pushed at once, and until when.

use crate::s8_4_push::{finished, order, pair, sent, server, server_with, style};
use crate::wire::{GET, Script, a_request, octets, open_requests};
use std::time::Duration;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Session as _, Shutdown, Streams};
use thalweg_testkit::caller::Told;

/// Section 5.1.2: "Streams in either of the "reserved" states do not count toward the stream limit"; the open ones do,
/// so that the rest waits.
#[test]
fn pushed_responses_wait_for_the_clients_limit_of_streams() {
    let (mut server, now, on) =
        server_with(Limits::default(), Script::default().settings(&[(3, 1)]));
    let [first, second, third] = [(); 3].map(|()| server.session.push(on, style()).unwrap());
    for id in [first, second, third] {
        let early = Response::new(103);
        server.session.respond(id, early, false).unwrap();
        let head = Response::new(200);
        server.session.respond(id, head, false).unwrap();
        server.say(id, octets(10), false);
    }
    server.session.reset(second, Code::Cancel);
    let promises = [(Kind::PushPromise, 1); 3];
    let mut expected = vec![(Kind::Settings, 0)];
    expected.extend([promises[0], promises[2]]);
    expected.extend([(Kind::Headers, 2), (Kind::Headers, 2), (Kind::Data, 2)]);
    assert_eq!(order(&sent(&mut server, now)), expected);
    assert!(!server.session.wants().write, "the third waits");
    server.say(first, octets(1), true);
    assert_eq!(
        order(&sent(&mut server, now)),
        [
            (Kind::Data, 2),
            (Kind::Headers, 6),
            (Kind::Headers, 6),
            (Kind::Data, 6)
        ]
    );
    // A request of the client's own does not count among them.
    server.feed(now, &Script::default().head(3, GET, true).0);
    let on = open_requests(&server)[1];
    server
        .session
        .respond(on, Response::new(204), true)
        .unwrap();
    assert_eq!(order(&sent(&mut server, now)), [(Kind::Headers, 3)]);
}

/// Section 6.5.2: a limit of 0 holds all back, and a new one lets them go.
#[test]
fn a_new_limit_of_streams_lets_pushed_responses_go() {
    let (mut server, now, on) =
        server_with(Limits::default(), Script::default().settings(&[(3, 0)]));
    let promised = server.session.push(on, style()).unwrap();
    server
        .session
        .respond(promised, Response::new(200), true)
        .unwrap();
    assert_eq!(
        order(&sent(&mut server, now)),
        [(Kind::Settings, 0), (Kind::PushPromise, 1)]
    );
    server.feed(now, &Script::default().settings(&[(3, 1)]).0);
    let sent = sent(&mut server, now);
    assert!(order(&sent).contains(&(Kind::Headers, 2)));
    assert_eq!(finished(&server.told), [2]);
}

/// A client that never lets a push begin is not waited for longer than one that opens no window.
#[test]
fn a_pushed_response_that_may_not_begin_is_given_up() {
    let limits = Limits::default();
    let before = Script::default().settings(&[(3, 0)]);
    let (mut server, now, on) = server_with(limits.clone(), before);
    let promised = server.session.push(on, style()).unwrap();
    server
        .session
        .respond(promised, Response::new(204), true)
        .unwrap();
    sent(&mut server, now);
    let mut at = now;
    while at < now + limits.write_time + Duration::from_secs(3) {
        at += Duration::from_secs(1);
        server.expire(at);
    }
    let why = Some(Violation::CreditTimeout);
    assert_eq!(
        server.told.last(),
        Some(&Told::Reset(promised, Code::EnhanceYourCalm, why))
    );
    assert_eq!(order(&sent(&mut server, at)), [(Kind::RstStream, 2)]);
}

/// [`Limits::promises`] and [`Limits::streams`]: promises that wait are bounded here, too; and what is pushed takes
/// nothing from the requests that the client may have open.
#[test]
fn promises_and_requests_have_bounds_of_their_own() {
    let limits = Limits {
        promises: 2,
        streams: 2,
        ..Limits::default()
    };
    let (mut server, now, on) = server_with(limits, Script::default());
    let first = server.session.push(on, style()).unwrap();
    server.session.push(on, style()).unwrap();
    assert_eq!(
        server.session.push(on, style()),
        Err(UsageError::NoCapacity)
    );
    server
        .session
        .respond(first, Response::new(200), false)
        .unwrap();
    sent(&mut server, now);
    server.session.push(on, style()).unwrap();
    server.feed(now, &Script::default().head(3, GET, true).0);
    assert_eq!(open_requests(&server).len(), 2);
    assert_eq!(server.session.open_streams(), 5);
    server.feed(now, &Script::default().head(5, GET, true).0);
    assert_eq!(open_requests(&server).len(), 2, "one too many");
}

/// A client may open as many streams as the server allows, whatever is pushed to it.
#[test]
fn pushed_streams_take_nothing_from_a_clients_capacity() {
    let few = Limits {
        streams: 2,
        ..Limits::default()
    };
    let mut pair = pair(Limits::default(), few);
    pair.client.session.open(a_request("GET"), true).unwrap();
    pair.settle();
    let on = open_requests(&pair.server)[0];
    pair.server.session.push(on, style()).unwrap();
    pair.settle();
    assert_eq!(pair.client.session.open_streams(), 2);
    assert_eq!(pair.client.session.capacity(), 1);
}

/// Section 6.8: a client that has sent GOAWAY is promised nothing more, and what is above its last stream is void.
#[test]
fn nothing_is_promised_after_the_clients_goaway() {
    let (mut server, now, on) = server();
    let first = server.session.push(on, style()).unwrap();
    let second = server.session.push(on, style()).unwrap();
    sent(&mut server, now);
    let goaway = Frame::GoAway {
        last: 2,
        code: Code::NoError,
        debug: b"",
    };
    server.feed(now, &Script::default().frame(0, goaway).0);
    assert_eq!(
        server.told.last(),
        Some(&Told::Reset(second, Code::Refused, None))
    );
    assert_eq!(
        server.session.push(on, style()),
        Err(UsageError::ShuttingDown)
    );
    for id in [first, on] {
        server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
    }
    assert_eq!(
        order(&sent(&mut server, now)),
        [(Kind::Headers, 2), (Kind::Headers, 1)]
    );
}

/// A connection that drains makes no promises, and keeps those that were made.
#[test]
fn promises_are_kept_while_the_connection_drains() {
    let (mut server, now, on) = server();
    let promised = server.session.push(on, style()).unwrap();
    sent(&mut server, now);
    server.session.shutdown(now, Shutdown::Graceful);
    assert_eq!(
        server.session.push(on, style()),
        Err(UsageError::ShuttingDown)
    );
    for id in [on, promised] {
        server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
    }
    sent(&mut server, now);
    assert_eq!(finished(&server.told), [1, 2]);
}

/// After the client's octets have ended what is promised still leaves, as any answer does.
#[test]
fn promises_are_kept_after_the_clients_last_octet() {
    let (mut server, now, on) = server();
    let promised = server.session.push(on, style()).unwrap();
    sent(&mut server, now);
    server.eof(now, Eof::Clean);
    for id in [on, promised] {
        server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
    }
    sent(&mut server, now);
    assert_eq!(finished(&server.told), [1, 2]);
    assert_eq!(server.failure(), None);
}
