//! What takes too long, on a clock of the tests' own.

use crate::parties::{client, request, run_application, server};
use std::time::{Duration, Instant};
use thalweg_proto::error::Violation;
use thalweg_proto::h1::Session;
use thalweg_proto::head::Response;
use thalweg_proto::session::{Finish, Session as _, Shutdown, StreamId, Streams as _};
use thalweg_testkit::caller::Caller;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

/// Moves the clock to the session's next deadline, as far as one is due within `within`; answers the time.
fn wait(caller: &mut Caller<Session>, mut now: Instant, within: Duration) -> Instant {
    let until = now + within;
    while caller.failure().is_none()
        && let Some(at) = caller.session.deadline()
        && at <= until
    {
        now = now.max(at);
        caller.expire(now);
    }
    until
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failure(caller: &Caller<Session>) -> Option<Violation> {
    caller.failure().map(|error| error.why)
}

//= rfc9110#section-15.5.9
#[test]
fn a_head_that_does_not_come_to_its_end_is_answered_with_408() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start + seconds(20), b"GET / HTTP/1.1\r\n");
    wait(&mut caller, start + seconds(20), seconds(9));
    assert_eq!(failure(&caller), None);
    let now = wait(&mut caller, start + seconds(29), seconds(2));
    assert_eq!(
        failure(&caller),
        Some(Violation::HeadTimeout),
        "counted from the connection's start"
    );
    assert!(caller.flush(now).starts_with(b"HTTP/1.1 408 "));
    assert_eq!(caller.session.wants().end, Finish::Linger);
}

//= rfc9112#section-9.6
#[test]
fn a_head_that_was_coming_when_the_server_leaves_is_not_waited_for_long() {
    let start = Instant::now();
    for (more, failed) in [
        (&b"Host: a\r\n\r\n"[..], None),
        (b"Host", Some(Violation::HeadTimeout)),
    ] {
        let mut caller = server(start);
        caller.feed(start, b"GET / HTTP/1.1\r\n");
        caller
            .session
            .shutdown(start + seconds(5), Shutdown::Graceful);
        caller.feed(start + seconds(5), more);
        let now = wait(&mut caller, start + seconds(5), seconds(2));
        assert_eq!(failure(&caller), failed);
        if failed.is_some() {
            assert!(caller.flush(now).starts_with(b"HTTP/1.1 408 "));
            assert_eq!(caller.session.wants().end, Finish::Linger);
        }
    }
}

//= rfc9112#section-9.5
#[test]
fn a_connection_on_which_nothing_comes_is_closed_silently() {
    let start = Instant::now();
    let mut caller = server(start);
    let now = wait(&mut caller, start, seconds(31));
    assert_eq!(failure(&caller), Some(Violation::IdleTimeout));
    assert_eq!(caller.flush(now), b"");
    assert_eq!(caller.session.wants().end, Finish::Now);
}

//= rfc9112#section-9.5
#[test]
fn between_requests_it_may_be_idle_for_longer() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start, GET);
    run_application(&mut caller, start, &mut Vec::new());
    let now = wait(&mut caller, start, seconds(74));
    assert_eq!(failure(&caller), None);
    caller.feed(now, b"GET");
    let now = wait(&mut caller, now, seconds(29));
    assert_eq!(
        failure(&caller),
        None,
        "the head has its own time from its first octet"
    );
    wait(&mut caller, now, seconds(2));
    assert_eq!(failure(&caller), Some(Violation::HeadTimeout));

    let mut idle = server(start);
    idle.feed(start, GET);
    run_application(&mut idle, start, &mut Vec::new());
    wait(&mut idle, start, seconds(76));
    assert_eq!(failure(&idle), Some(Violation::IdleTimeout));
}

//= rfc9110#section-15.5.9
#[test]
fn a_head_that_drips_gains_no_time() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start, GET);
    run_application(&mut caller, start, &mut Vec::new());
    let mut now = start;
    for octet in GET.iter().cycle().take(25).chain(b"XXXXXXXX") {
        now = wait(&mut caller, now, seconds(1));
        caller.feed(now, &[*octet]);
    }
    assert_eq!(failure(&caller), Some(Violation::HeadTimeout));
}

#[test]
fn the_applications_time_is_not_limited_here() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start, GET);
    assert_eq!(caller.session.deadline(), None);
}

#[test]
fn a_body_that_drips_is_answered_with_408() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start, POST);
    let mut now = start;
    for _ in 0..60 {
        now = wait(&mut caller, now, seconds(1));
        caller.feed(now, b"x");
    }
    assert_eq!(failure(&caller), Some(Violation::BodyTooSlow));
    assert!(caller.flush(now).starts_with(b"HTTP/1.1 408 "));
}

#[test]
fn a_body_that_comes_at_the_rate_is_let_through() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(start, POST);
    let mut now = start;
    for _ in 0..90 {
        now = wait(&mut caller, now, seconds(1));
        caller.feed(now, &[b'x'; 1024]);
    }
    assert_eq!(failure(&caller), None);
}

#[test]
fn time_in_which_nobody_takes_the_body_is_not_the_clients() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.takes = false;
    caller.feed(
        start,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    );
    caller.feed(start, &[b'x'; 300_000]);
    assert!(!caller.session.wants().read);
    let now = wait(&mut caller, start, seconds(1000));
    assert_eq!(failure(&caller), None);
    let id = StreamId::new(1, 0);
    caller.session.taken(id, 300_000);
    caller.step(now);
    wait(&mut caller, now, seconds(5));
    assert_eq!(failure(&caller), None);
}

//= rfc9110#section-10.1.1
#[test]
fn time_in_which_the_client_waits_for_100_is_not_the_clients() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(
        start,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    let now = wait(&mut caller, start, seconds(1000));
    assert_eq!(failure(&caller), None);
    let id = StreamId::new(1, 0);
    caller
        .session
        .respond(id, Response::new(100), false)
        .unwrap();
    caller.flush(now);
    wait(&mut caller, now, seconds(12));
    assert_eq!(failure(&caller), Some(Violation::BodyTooSlow));
}

#[test]
fn a_body_that_is_thrown_away_has_to_come_in_time_too() {
    let start = Instant::now();
    let mut caller = server(start);
    caller.feed(
        start,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
    );
    let id = StreamId::new(1, 0);
    caller.session.discard(id);
    caller
        .session
        .respond(id, Response::new(204), true)
        .unwrap();
    caller.flush(start);
    let now = wait(&mut caller, start, seconds(12));
    assert_eq!(failure(&caller), Some(Violation::BodyTooSlow));
    assert_eq!(caller.flush(now), b"", "the answer is out already");
}

#[test]
fn a_client_waits_for_a_response_as_long_as_its_caller_does() {
    let start = Instant::now();
    let mut caller = client(start);
    caller.session.open(request("GET"), true).unwrap();
    caller.flush(start);
    assert_eq!(caller.session.deadline(), None);
    caller.feed(start, b"HTTP/1.1 200");
    wait(&mut caller, start, seconds(31));
    assert_eq!(failure(&caller), Some(Violation::HeadTimeout));
}

#[test]
fn an_idle_client_closes_its_connection() {
    let start = Instant::now();
    let mut caller = client(start);
    wait(&mut caller, start, seconds(76));
    assert_eq!(failure(&caller), Some(Violation::IdleTimeout));
    assert_eq!(caller.session.capacity(), 0);
}
