//! RFC 9112, section 9: connections that persist, pipelining, and how they close.

use crate::parties::{client, receive, request, serve, server, server_with};
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, Shutdown, StreamId, Streams as _};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn first() -> StreamId {
    StreamId::new(1, 0)
}

//= rfc9112#section-9.3
//# HTTP implementations SHOULD support persistent connections.
#[test]
fn the_version_and_connection_decide_whether_a_connection_persists() {
    for (head, says, end) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None, Finish::No),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            Some("close"),
            Finish::Linger,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE , y\r\n\r\n",
            Some("close"),
            Finish::Linger,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            Some("close"),
            Finish::Linger,
        ),
        ("GET / HTTP/1.0\r\n\r\n", Some("close"), Finish::Linger),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            Some("keep-alive"),
            Finish::No,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            Some("close"),
            Finish::Linger,
        ),
    ] {
        let outcome = serve(head.as_bytes());
        let said = outcome.written.split("connection: ").nth(1);
        assert_eq!(
            said.and_then(|rest| rest.split("\r\n").next()),
            says,
            "{head:?}"
        );
        assert_eq!(outcome.end, end, "{head:?}");
    }
}

//= rfc9112#section-9.3
//# A server that does not support persistent connections MUST send the "close" connection option
#[test]
fn a_caller_closes_by_saying_so() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, &GET.repeat(2));
    let head = Response::new(204).with_field(b"connection", b"close");
    caller.session.respond(first(), head, true).unwrap();
    let written = String::from_utf8(caller.flush(now)).unwrap();
    assert_eq!(
        written,
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    );
    caller.step(now);
    assert_eq!(caller.session.wants().end, Finish::Linger);
    assert_eq!(
        caller.told.len(),
        2,
        "the second request is not run: {:?}",
        caller.told
    );
}

//= rfc9112#section-9.3.2
//# A server MAY process a sequence of pipelined requests in parallel if they all have safe methods [...] but it MUST
//# send the corresponding responses in the same order that the requests were received.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let outcome = serve(
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let expected = ["GET /1", "POST /2 hi", "GET /3"].map(|body| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    assert_eq!(outcome.written, expected.concat());
}

//= rfc9112#section-9.3.2
#[test]
fn the_next_request_waits_outside_until_the_response_is_over() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, GET);
    assert!(
        caller.session.wants().read,
        "so that a client that vanishes is noticed"
    );
    caller.feed(now, GET);
    assert!(!caller.session.wants().read, "octets wait");
    assert_eq!(caller.session.open_streams(), 1);
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    caller.flush(now);
    assert!(caller.session.wants().read);
    caller.step(now);
    assert!(matches!(caller.told.last(), Some(Told::Request(id, _, true)) if id.number() == 2));
}

//= rfc9112#section-9.3
#[test]
fn content_that_nobody_wants_is_read_up_to_a_bound() {
    let now = Instant::now();
    for (length, kept) in [(1000, true), (64 << 10, true), ((64 << 10) + 1, false)] {
        let mut caller = server(now);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        caller.feed(now, head.as_bytes());
        caller.session.discard(first());
        caller
            .session
            .respond(first(), Response::new(204), true)
            .unwrap();
        let written = String::from_utf8(caller.flush(now)).unwrap();
        assert_eq!(written.contains("connection: close"), !kept, "{length}");
        assert!(caller.told.contains(&Told::Finished(first())), "{length}");
        caller.feed(now, &vec![b'x'; length]);
        caller.feed(now, GET);
        assert_eq!(caller.session.open_streams() == 1, kept, "{length}");
        assert_eq!(
            caller.session.wants().end == Finish::Linger,
            !kept,
            "{length}"
        );
        assert!(
            !caller
                .told
                .iter()
                .any(|told| matches!(told, Told::Data(..) | Told::End(..)))
        );
    }
}

//= rfc9112#section-9.3
#[test]
fn chunks_that_nobody_wants_are_read_up_to_a_bound() {
    let now = Instant::now();
    for (chunks, kept) in [(10, true), (100, false)] {
        let mut caller = server(now);
        caller.feed(
            now,
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        caller
            .session
            .respond(first(), Response::new(204), true)
            .unwrap();
        caller.flush(now);
        assert!(
            !caller.told.contains(&Told::Finished(first())),
            "the body is still wanted"
        );
        caller.session.discard(first());
        for _ in 0..chunks {
            caller.feed(
                now,
                &[b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat(),
            );
        }
        caller.feed(now, b"0\r\n\r\n");
        assert!(caller.told.contains(&Told::Finished(first())));
        assert_eq!(caller.session.wants().end == Finish::No, kept);
    }
}

//= rfc9112#section-9.6
//# a server [...] performs a lingering close
#[test]
fn the_answer_to_a_large_upload_leaves_before_the_connection() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(
        now,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nabc",
    );
    caller
        .session
        .respond(first(), Response::new(413), true)
        .unwrap();
    caller.session.discard(first());
    caller.feed(now, b"more of it");
    let written = String::from_utf8(caller.flush(now)).unwrap();
    assert!(written.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
    assert!(written.contains("connection: close"));
    assert_eq!(caller.session.wants().end, Finish::Linger);
}

//= rfc9112#section-9.6
#[test]
fn an_answer_that_is_ready_leaves_even_when_the_rest_of_its_request_is_malformed() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(
        now,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    caller
        .session
        .respond(first(), Response::new(413), true)
        .unwrap();
    caller.feed(now, b"no chunk");
    assert_eq!(
        caller.failure().map(|error| error.why),
        Some(Violation::Chunk)
    );
    let written = String::from_utf8(caller.flush(now)).unwrap();
    assert!(written.starts_with("HTTP/1.1 413 ") && written.contains("connection: close"));
    assert_eq!(written.matches("HTTP/1.1").count(), 1, "{written}");

    let mut begun = server(now);
    begun.feed(
        now,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    begun
        .session
        .respond(first(), Response::new(200), false)
        .unwrap();
    begun.say(first(), "some", false);
    begun.flush(now);
    begun.feed(now, b"no chunk");
    assert_eq!(
        begun.flush(now),
        b"",
        "a response that has begun is cut, not followed by another"
    );
}

//= rfc9112#section-9.6
#[test]
fn a_graceful_stop_lets_the_open_exchange_finish() {
    let now = Instant::now();
    let mut idle = server(now);
    idle.session.shutdown(now, Shutdown::Graceful);
    assert_eq!(idle.session.wants().end, Finish::Linger);

    let mut busy = server(now);
    busy.feed(now, GET);
    busy.session.shutdown(now, Shutdown::Graceful);
    assert_eq!(busy.session.wants().end, Finish::No);
    busy.session
        .respond(first(), Response::new(204), true)
        .unwrap();
    let written = String::from_utf8(busy.flush(now)).unwrap();
    assert!(written.contains("connection: close"));
    assert_eq!(busy.session.wants().end, Finish::Linger);

    let mut begun = server(now);
    begun.feed(now, b"GET / HTTP/1.1\r\n");
    begun.session.shutdown(now, Shutdown::Graceful);
    begun.feed(now, b"Host: a\r\n\r\n");
    begun
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    begun.flush(now);
    assert_eq!(begun.session.wants().end, Finish::Linger);
}

//= rfc9112#section-9.6
#[test]
fn a_stop_at_once_cuts_what_is_open() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, GET);
    caller.session.shutdown(now, Shutdown::Now(Code::NoError));
    assert_eq!(caller.session.open_streams(), 0);
    assert_ne!(caller.session.wants().end, Finish::No);
    assert!(!caller.session.wants().write);
}

//= rfc9112#section-8
#[test]
fn an_exchange_that_is_reset_never_looks_complete() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, GET);
    caller
        .session
        .respond(first(), Response::new(200), false)
        .unwrap();
    caller.say(first(), "some", false);
    caller.flush(now);
    caller.session.reset(first(), Code::Internal);
    assert_eq!(caller.flush(now), b"");
    assert_eq!(caller.session.wants().end, Finish::Now);
    assert_eq!(
        caller.session.respond(first(), Response::new(200), true),
        Err(UsageError::NoSuchStream)
    );
}

//= rfc9110#section-10.1.1
//# Upon receiving an HTTP/1.1 (or later) request that has a method, target URI, and complete header section that
//# contains a 100-continue expectation [...], an origin server MUST send either: an immediate response with a final
//# status code [...] or an immediate 100 (Continue) response
#[test]
fn an_expected_100_is_the_callers_to_give() {
    let now = Instant::now();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    let mut caller = server(now);
    caller.feed(now, head);
    assert_eq!(caller.flush(now), b"");
    caller
        .session
        .respond(first(), Response::new(100), false)
        .unwrap();
    caller
        .session
        .respond(first(), Response::new(100), false)
        .unwrap();
    assert_eq!(caller.flush(now), b"HTTP/1.1 100 Continue\r\n\r\n", "once");
    caller.feed(now, b"hi");
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    assert_eq!(caller.flush(now), b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(caller.session.wants().end, Finish::No);

    //= rfc9110#section-10.1.1
    //# A server that responds with a final status code instead of reading the entire request content SHOULD indicate
    //# whether it intends to close the connection
    let mut caller = server(now);
    caller.feed(now, head);
    caller
        .session
        .respond(first(), Response::new(413), true)
        .unwrap();
    let written = String::from_utf8(caller.flush(now)).unwrap();
    assert!(written.contains("connection: close"), "{written}");
    assert!(caller.told.contains(&Told::Finished(first())));
    assert_eq!(caller.session.wants().end, Finish::Linger);

    //= rfc9110#section-10.1.1
    //# A server MAY omit sending a 100 (Continue) response if it has already received some or all of the content
    let mut caller = server(now);
    caller.feed(now, head);
    caller.feed(now, b"h");
    caller
        .session
        .respond(first(), Response::new(100), false)
        .unwrap();
    assert_eq!(caller.flush(now), b"");
}

//= rfc9110#section-10.1.1
//# A server that receives an Expect field value containing a member other than 100-continue MAY respond with a 417
#[test]
fn an_unknown_expectation_is_answered_with_417() {
    crate::parties::assert_refused(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n",
        Violation::Expectation,
    );
    //# A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that expectation.
    let old = serve(b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    assert_eq!(old.statuses(), ["200"]);
}

//= rfc9110#section-15.2
//# A server MUST NOT send a 1xx response to an HTTP/1.0 client.
#[test]
fn interim_responses_precede_the_final_one_and_spare_http_1_0() {
    let now = Instant::now();
    for (start, expected) in [
        (
            "GET / HTTP/1.1",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "GET / HTTP/1.0",
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        ),
    ] {
        let mut caller = server(now);
        caller.feed(now, format!("{start}\r\nHost: a\r\n\r\n").as_bytes());
        let hints = Response::new(103).with_field(b"link", b"</a>");
        let ended = caller.session.respond(first(), hints.clone(), true);
        assert_eq!(ended, Err(UsageError::HeadNotExpected));
        caller
            .session
            .respond(first(), hints.clone(), false)
            .unwrap();
        caller
            .session
            .respond(first(), Response::new(204), true)
            .unwrap();
        let late = caller.session.respond(first(), hints, false);
        assert_eq!(late, Err(UsageError::HeadNotExpected));
        assert_eq!(String::from_utf8(caller.flush(now)).unwrap(), expected);
    }
}

//= rfc9110#section-10.1.1
#[test]
fn a_client_holds_its_body_back_until_100() {
    let now = Instant::now();
    let post = || {
        request("POST")
            .with_field(b"content-length", b"2")
            .with_field(b"expect", b"100-continue")
    };
    let mut caller = client(now);
    let id = caller.session.open(post(), false).unwrap();
    let head = caller.flush(now);
    assert!(head.ends_with(b"\r\n\r\n") && !caller.session.wants().write);
    caller.feed(now, b"HTTP/1.1 100 Continue\r\n\r\n");
    caller.say(id, "hi", true);
    assert_eq!(caller.flush(now), b"hi");
    caller.feed(now, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(caller.told.contains(&Told::Finished(id)));
    assert_eq!(caller.session.capacity(), 1);

    let mut patient = client(now);
    let id = patient.session.open(post(), false).unwrap();
    patient.flush(now);
    patient.feed(now, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    assert!(
        patient.told.contains(&Told::Finished(id)),
        "the body is not due any more"
    );
    assert_eq!(
        patient.session.capacity(),
        0,
        "nor would the server know where it ends"
    );

    let mut explained = client(now);
    let id = explained.session.open(post(), false).unwrap();
    explained.flush(now);
    explained.feed(
        now,
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
    );
    assert_eq!(explained.data_of(id), b"no");
    assert!(explained.told.contains(&Told::Finished(id)));

    let mut impatient = client(now);
    let id = impatient.session.open(post(), false).unwrap();
    impatient.flush(now);
    impatient.say(id, "hi", true);
    assert_eq!(impatient.flush(now), b"hi");
    assert!(!impatient.told.contains(&Told::Finished(id)));
    impatient.feed(now, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(impatient.told.contains(&Told::Finished(id)));
    assert_eq!(impatient.session.capacity(), 1);
}

//= rfc9112#section-9.3
#[test]
fn a_client_opens_one_exchange_after_the_other() {
    let now = Instant::now();
    let mut caller = client(now);
    assert_eq!(caller.session.capacity(), 1);
    let id = caller.session.open(request("GET"), true).unwrap();
    assert_eq!(caller.session.capacity(), 0);
    assert_eq!(
        caller.session.open(request("GET"), true),
        Err(UsageError::NoCapacity)
    );
    caller.flush(now);
    caller.feed(now, b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert!(matches!(&caller.told[0], Told::Response(_, head, false) if head.status == 103));
    assert!(caller.told.contains(&Told::Finished(id)));
    assert_eq!(caller.session.capacity(), 1);
    let id = caller.session.open(request("GET"), true).unwrap();
    assert_eq!(id.number(), 2);
}

//= rfc9112#section-9.3
#[test]
fn a_client_may_discard_a_response_before_it_comes_and_while_it_comes() {
    let now = Instant::now();
    for early in [true, false] {
        for (length, kept) in [(1000, true), (1_000_000, false)] {
            let mut caller = client(now);
            let id = caller.session.open(request("GET"), true).unwrap();
            caller.flush(now);
            if early {
                caller.session.discard(id);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            caller.feed(now, head.as_bytes());
            assert!(
                matches!(caller.told[0], Told::Response(..)),
                "{:?}",
                caller.told
            );
            if !early {
                caller.session.discard(id);
            }
            caller.feed(now, &vec![b'x'; length]);
            assert!(caller.told.contains(&Told::Finished(id)));
            assert!(
                !caller
                    .told
                    .iter()
                    .any(|told| matches!(told, Told::Data(..) | Told::End(..)))
            );
            assert_eq!(caller.session.capacity() == 1, kept);
            assert_eq!(caller.session.wants().end == Finish::No, kept);
        }
    }
}

//= rfc9112#section-9.6
#[test]
fn a_server_that_closes_takes_no_further_request() {
    let outcome = receive(
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        None,
    );
    assert!(
        outcome.told.contains(&Told::GoAway(1, Code::NoError)),
        "{outcome:?}"
    );
    assert_eq!(outcome.end, Finish::Now);
}

//= rfc9112#section-9.2
//# If a client receives data on a connection that doesn't have outstanding requests, the client MUST NOT consider that
//# data to be a valid response
#[test]
fn octets_that_nobody_asked_for_end_the_connection() {
    let now = Instant::now();
    let mut caller = client(now);
    caller.feed(now, b"HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert_eq!(
        caller.failure().map(|error| error.why),
        Some(Violation::UnexpectedOctets)
    );
    assert_eq!(caller.session.capacity(), 0);
    let more = receive(
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!",
        None,
    );
    assert!(more.finished(1));
    assert_eq!(more.failure(), Some(Violation::UnexpectedOctets));
}

//= rfc9112#section-9.5
#[test]
fn a_client_that_gave_up_before_it_sent_anything_keeps_its_connection() {
    let now = Instant::now();
    let mut caller = client(now);
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.session.reset(id, Code::Cancel);
    assert_eq!(caller.flush(now), b"");
    assert_eq!(caller.session.capacity(), 1);
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.session.reset(id, Code::Cancel);
    assert_eq!(
        (caller.session.capacity(), caller.session.wants().end),
        (0, Finish::Now)
    );
}

//= rfc9112#section-9.5
#[test]
fn an_idle_connection_that_the_server_closes_is_no_failure() {
    let now = Instant::now();
    let mut caller = client(now);
    caller.eof(now, Eof::Clean);
    assert_eq!(caller.failure(), None);
    assert_eq!(
        (caller.session.capacity(), caller.session.wants().end),
        (0, Finish::Now)
    );
}

/// What is told and not taken is bounded, and reading goes on as it is taken.
#[test]
fn a_body_that_nobody_takes_stops_itself() {
    let now = Instant::now();
    let limits = Limits {
        stream_window: 1000,
        ..Limits::default()
    };
    let mut caller = server_with(limits, now);
    caller.takes = false;
    caller.feed(
        now,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n",
    );
    caller.feed(now, &[b'x'; 3000]);
    assert_eq!(caller.data_of(first()).len(), 1000);
    assert!(!caller.session.wants().read);
    caller.session.taken(first(), 400);
    assert!(caller.session.wants().read);
    caller.step(now);
    assert_eq!(caller.data_of(first()).len(), 1400);
    caller.takes = true;
    caller.session.taken(first(), 1000);
    caller.step(now);
    assert_eq!(caller.data_of(first()).len(), 3000);
    assert_eq!(caller.told.last(), Some(&Told::End(first(), None)));
}

#[test]
fn a_client_and_a_server_understand_each_other() {
    for seed in [None, Some(1), Some(2), Some(3)] {
        let now = Instant::now();
        let limits = Arc::new(Limits::default());
        let mut pair = Pair::new(
            Session::client(limits.clone(), now),
            Session::server(limits, Scheme::Http, now),
            now,
        );
        if let Some(seed) = seed {
            pair = pair.cut_at_random(seed);
        }
        for number in 1..=10_u64 {
            let id = pair.client.session.open(request("POST"), false).unwrap();
            let body = vec![b'a'; 7000 * number as usize];
            pair.client.say(id, body.clone(), false);
            pair.client
                .say_trailers(id, [(&b"x"[..], &b"y"[..])].into_iter().collect());
            pair.settle();
            let there = StreamId::new(number, 0);
            assert_eq!(pair.server.data_of(there), body);
            pair.server
                .session
                .respond(there, Response::new(200), false)
                .unwrap();
            pair.server.say(there, body.clone(), true);
            pair.settle();
            assert_eq!(pair.client.data_of(id), body);
            assert!(pair.client.told.contains(&Told::Finished(id)));
            assert!(pair.server.told.contains(&Told::Finished(there)));
        }
        assert!(pair.client.failure().is_none() && pair.server.failure().is_none());
    }
}
