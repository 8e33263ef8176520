//! Section 10.5: what a peer can make a session do is bounded.

use crate::wire::{
    GET, POST, Script, block, established, frames, open_requests, post_with, request, serve,
    serve_within, server_after,
};
use std::time::{Duration, Instant, SystemTime};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::hpack::Decoder;
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{Eof, Epoch, Finish, Session as _, Streams};
use thalweg_testkit::caller::{Caller, Told};

fn few(burst: u32) -> Rate {
    Rate {
        burst,
        per_second: 0,
    }
}

/// Section 10.5.1: "A server that receives a larger field block than it is willing to handle can send an HTTP 431".
#[test]
fn a_head_beyond_the_limits_is_answered_and_the_connection_goes_on() {
    let limits = Limits {
        head: 1000,
        fields: 5,
        target: 50,
        ..Limits::default()
    };
    let long = "x".repeat(1000);
    let path = format!("/{}", "x".repeat(50));
    let large = post_with(&[("x", &long)]);
    let many = post_with(&[("a", "1"); 6]);
    let target = [GET[0], GET[1], (":path", &*path), GET[3]];
    for (lines, why, status) in [
        (&large[..], Violation::HeadTooLarge, "431"),
        (&many, Violation::TooManyFields, "431"),
        (&target, Violation::TargetTooLong, "414"),
    ] {
        for end in [true, false] {
            let mut script = Script::client().head(1, lines, end);
            if !end {
                script = script.data(1, b"body", true);
            }
            let outcome = serve_within(limits.clone(), &script.head(3, GET, true));
            assert_eq!(outcome.failure(), None, "{why}");
            assert_eq!(outcome.faults(), [(1, why)]);
            assert_eq!(outcome.requests(), [3]);
            let heads = outcome.of_kind(Kind::Headers);
            assert!(heads[0].ends_stream());
            let Frame::Headers { block, .. } = heads[0].frame() else {
                panic!("{heads:?}");
            };
            let mut told = Vec::new();
            let collect = |field: thalweg_proto::fields::Field<'_>| {
                told.push((field.name.to_vec(), field.value.to_vec()));
            };
            Decoder::new(4096).decode(block, 1000, collect).unwrap();
            assert_eq!(told, [(b":status".to_vec(), status.into())]);
            let resets = if end {
                vec![]
            } else {
                vec![(1, Code::NoError)]
            };
            assert_eq!(outcome.resets(), resets);
        }
    }
}

#[test]
fn a_response_or_trailers_beyond_the_limits_end_their_stream() {
    let large = "x".repeat(70_000);
    let (one, two) = large.split_at(40_000);
    let lines = [(":status", "200"), ("a", one), ("b", two)];
    let whole = block(&lines);
    let mut script = Script::server().begin_block(1, &whole[..16_000], true);
    for piece in whole[16_000..].chunks(16_000) {
        script = script.continuation(1, piece, false);
    }
    let script = script.continuation(1, b"", true);
    request(&["GET"], &script).assert_reset(1, Violation::HeadTooLarge, Code::EnhanceYourCalm);
    let many = vec![("a", "1"); 101];
    serve(&Script::client().head(1, POST, false).head(1, &many, true)).assert_reset(
        1,
        Violation::TooManyFields,
        Code::EnhanceYourCalm,
    );
}

/// CVE-2023-44487: streams opened and reset as fast as they can be.
#[test]
fn rapid_resets_end_the_connection() {
    let limits = Limits {
        resets: few(10),
        ..Limits::default()
    };
    let mut script = Script::client();
    for number in 0..11 {
        script = script
            .head(1 + 2 * number, GET, true)
            .reset(1 + 2 * number, Code::Cancel);
    }
    serve_within(limits, &script).assert_failed(Violation::TooManyResets, Code::EnhanceYourCalm);
}

/// The same where the peer makes this side reset them (CVE-2025-8671), or refuse them.
#[test]
fn provoked_resets_count_as_resets() {
    let limits = Limits {
        resets: few(10),
        ..Limits::default()
    };
    let mut provoked = Script::client();
    let mut malformed = Script::client();
    for number in 0..11 {
        let stream = 1 + 2 * number;
        provoked = provoked.head(stream, POST, false).credit(stream, 0);
        malformed = malformed.head(stream, &GET[1..], true);
    }
    for script in [provoked, malformed] {
        serve_within(limits.clone(), &script)
            .assert_failed(Violation::TooManyResets, Code::EnhanceYourCalm);
    }
}

#[test]
fn frames_that_serve_nobody_end_the_connection_in_the_end() {
    let limits = Limits {
        glitches: few(10),
        ..Limits::default()
    };
    let (mut priority, mut settings, mut unknown) =
        (Script::client(), Script::client(), Script::client());
    for _ in 0..11 {
        priority = priority.priority(1, 3);
        settings = settings.settings(&[(4, 1)]);
        unknown = unknown.raw(Kind::Unknown(77), 0, 0, b"");
    }
    let entries = Script::client().settings(&[(77, 0); 30]);
    for script in [priority, settings, unknown, entries] {
        serve_within(limits.clone(), &script)
            .assert_failed(Violation::TooManyGlitches, Code::EnhanceYourCalm);
    }
}

/// A frame or a block that has begun must be complete in time.
#[test]
fn an_unfinished_head_ends_the_connection_in_time() {
    let limits = Limits::default();
    let begun = Script::default().begin_block(1, &block(GET), true);
    let mut cut = Script::default().head(1, GET, true);
    cut.0.truncate(cut.0.len() - 1);
    for script in [begun, cut] {
        let (mut server, now) = established(limits.clone(), &script);
        server.feed(now + Duration::from_secs(29), b"");
        assert_eq!(server.session.deadline(), Some(now + limits.head_time));
        server.expire(now + limits.head_time);
        assert_eq!(server.failure().unwrap().why, Violation::HeadTimeout);
    }
}

/// Frames that are cut by every read are not late as long as each is completed.
#[test]
fn a_busy_connection_whose_reads_end_within_frames_is_not_late() {
    let limits = Limits::default();
    let (mut server, start) = established(limits, &Script::default().head(1, POST, false));
    let data = Script::default().data(1, &[0; 16_000], false);
    let mut octets = data.0.repeat(200);
    octets.drain(..5);
    server.feed(start, &data.0[..5]);
    for (second, piece) in octets.chunks(data.0.len()).enumerate() {
        let now = start + Duration::from_secs(second as u64);
        server.feed(now, piece);
        server.flush(now);
        server.expire(now);
        assert_eq!(server.failure(), None, "after {second} s");
    }
}

/// The time for a head is not that of a body whose frame's header was cut by a read.
#[test]
fn a_large_frame_of_a_body_may_take_longer_than_a_head() {
    let (mut server, start) =
        established(Limits::default(), &Script::default().head(1, POST, false));
    // The consumer holds things up: the pace is not what is asked here.
    server.takes = false;
    server.feed(start, &Script::default().data(1, b"held", false).0);
    let data = Script::default().data(1, &[0; 16_384], true);
    server.feed(start, &data.0[..5]);
    for (second, piece) in data.0[5..].chunks(400).enumerate() {
        let now = start + Duration::from_secs(second as u64);
        server.feed(now, piece);
        server.expire(now);
        assert_eq!(server.failure(), None, "after {second} s");
    }
    assert!(matches!(server.told.last(), Some(Told::End(..))));
}

/// Slow bodies: a minimum rate from the end of the grace on.
#[test]
fn a_body_that_comes_too_slowly_ends_its_stream() {
    let limits = Limits::default();
    let script = Script::default().head(1, POST, false).head(3, GET, true);
    let (mut server, start) = established(limits.clone(), &script);
    for second in 1..=13 {
        let now = start + Duration::from_secs(second);
        server.feed(now, &Script::default().data(1, b"x", false).0);
        server.expire(now);
    }
    assert_eq!(server.failure(), None);
    let resets: Vec<_> = server
        .told
        .iter()
        .filter(|told| matches!(told, Told::Reset(..)))
        .collect();
    let id = open_requests(&server)[0];
    let expected = Told::Reset(id, Code::EnhanceYourCalm, Some(Violation::BodyTooSlow));
    assert_eq!(resets, [&expected]);
    assert_eq!(server.session.open_streams(), 1);
}

/// The same where the octets of one large frame dribble in.
#[test]
fn a_frame_that_dribbles_in_is_too_slow() {
    let (mut server, start) =
        established(Limits::default(), &Script::default().head(1, POST, false));
    let data = Script::default().data(1, &[0; 16_384], true);
    server.feed(start, &data.0[..100]);
    for second in 1..=13 {
        let now = start + Duration::from_secs(second);
        server.feed(now, &data.0[100 + second as usize..][..1]);
        server.expire(now);
    }
    let id = open_requests(&server)[0];
    let expected = Told::Reset(id, Code::EnhanceYourCalm, Some(Violation::BodyTooSlow));
    assert_eq!(server.told.last(), Some(&expected));
    // The rest of the frame belongs to nobody, and the connection goes on.
    let rest = Script(data.0[113..].to_vec()).head(3, GET, true);
    server.feed(start + Duration::from_secs(14), &rest.0);
    assert_eq!(server.failure(), None);
    assert_eq!(open_requests(&server).len(), 2);
}

/// While the consumer holds things up, the peer is not to blame.
#[test]
fn a_body_that_waits_for_its_consumer_is_not_slow() {
    let script = Script::default().head(1, POST, false);
    let (mut server, start) = established(Limits::default(), &script);
    server.takes = false;
    let now = start + Duration::from_secs(1);
    server.feed(now, &Script::default().data(1, b"x", false).0);
    for second in 2..100 {
        server.expire(start + Duration::from_secs(second));
    }
    assert_eq!(server.session.open_streams(), 1);
    // A client that waits for 100 Continue is not slow either.
    let expecting = post_with(&[("expect", "100-continue")]);
    let script = Script::default().head(1, &expecting, false);
    let (mut server, start) = established(Limits::default(), &script);
    for second in 2..100 {
        server.expire(start + Duration::from_secs(second));
    }
    assert_eq!(server.session.open_streams(), 1);
}

/// A body that is complete is not slow, however long its answer takes.
#[test]
fn a_complete_body_is_not_slow() {
    let script = Script::default().head(1, POST, false).data(1, b"x", true);
    let (mut server, start) = established(Limits::default(), &script);
    for second in 1..100 {
        server.expire(start + Duration::from_secs(second));
    }
    assert_eq!((server.failure(), server.session.open_streams()), (None, 1));
}

#[test]
fn the_end_of_the_octets_ends_what_is_incomplete_and_nothing_else() {
    let script = Script::client().head(1, GET, true).head(3, POST, false);
    let (mut server, now) = server_after(Limits::default(), &script);
    server.eof(now, Eof::Clean);
    assert_eq!(server.failure(), None);
    let ids = open_requests(&server);
    let lost = Told::Reset(ids[1], Code::Cancel, Some(Violation::Truncated));
    assert_eq!(server.told.last(), Some(&lost));
    assert_eq!(server.session.wants().end, Finish::No);
    let head = thalweg_proto::head::Response::new(204);
    server.session.respond(ids[0], head, true).unwrap();
    assert!(frames(&server.flush(now)).last().unwrap().ends_stream());
    assert_eq!(server.session.wants().end, Finish::Now);
}

#[test]
fn octets_that_end_within_a_frame_or_are_cut_off_are_an_error() {
    let mut cut = Script::client();
    cut.0.pop();
    let unfinished = Script::client().begin_block(1, &block(GET), true);
    for script in [cut, unfinished] {
        let (mut server, now) = server_after(Limits::default(), &script);
        server.eof(now, Eof::Clean);
        assert_eq!(server.failure().unwrap().why, Violation::Truncated);
    }
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    server.eof(now, Eof::Truncated);
    assert_eq!(server.failure().unwrap().why, Violation::Truncated);
    let (mut server, now) = server_after(Limits::default(), &Script::client());
    server.eof(now, Eof::Truncated);
    assert_eq!(server.failure(), None, "nothing was lost");
}

#[test]
fn an_answer_that_waits_for_a_window_after_the_end_is_given_up() {
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let id = open_requests(&server)[0];
    let head = thalweg_proto::head::Response::new(200);
    server.session.respond(id, head, false).unwrap();
    server.say(id, vec![0; 100_000], true);
    server.eof(now, Eof::Clean);
    server.flush(now);
    let lost = Told::Reset(id, Code::Cancel, Some(Violation::Truncated));
    assert_eq!(server.told.last(), Some(&lost));
    assert_eq!(server.session.wants().end, Finish::Now);
}

/// A peer that may not send, since others' consumers hold all that the connection may hold, is not slow.
#[test]
fn a_body_that_waits_for_the_connections_window_is_not_slow() {
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 65_535,
        ..Limits::default()
    };
    let mut script = Script::default().head(1, POST, false).head(3, POST, false);
    for len in [16_384, 16_384, 16_384, 16_383] {
        script = script.data(1, &vec![0; len], false);
    }
    let (mut server, start) = established(limits, &Script::default());
    server.takes = false;
    server.feed(start, &script.0);
    let at = |second| start + Duration::from_secs(second);
    for second in 1..100 {
        server.expire(at(second));
        server.flush(at(second));
    }
    assert_eq!(server.session.open_streams(), 2);
    // From here on it may: the time that it has begins now.
    let id = open_requests(&server)[0];
    server.session.taken(id, 65_535);
    server.session.reset(id, Code::Cancel);
    server.flush(at(100));
    for second in 100..108 {
        server.expire(at(second));
    }
    assert_eq!(server.session.open_streams(), 1);
    for second in 108..115 {
        server.expire(at(second));
    }
    assert_eq!(server.session.open_streams(), 0);
}

/// A client that waits for 100 Continue is measured from when it waits no longer: it was told to go on, or it has.
#[test]
fn a_body_that_was_waited_for_has_its_pace_too() {
    let expecting = post_with(&[("expect", "100-Continue")]);
    for begins in ["told", "by itself", "answered"] {
        let script = Script::default().head(1, &expecting, false);
        let (mut server, start) = established(Limits::default(), &script);
        let at = |second| start + Duration::from_secs(second);
        for second in 1..50 {
            server.expire(at(second));
        }
        let id = open_requests(&server)[0];
        let respond = |server: &mut Caller<Session>, status| {
            let end = status == 204;
            let head = thalweg_proto::head::Response::new(status);
            server.session.respond(id, head, end).unwrap();
            server.flush(at(50));
        };
        server.expire(at(50));
        match begins {
            "told" => respond(&mut server, 100),
            "answered" => respond(&mut server, 204),
            _ => server.feed(at(50), &Script::default().data(1, b"x", false).0),
        }
        for second in 50..58 {
            server.expire(at(second));
        }
        assert_eq!(server.session.open_streams(), 1, "{begins}");
        for second in 58..65 {
            server.expire(at(second));
        }
        assert_eq!(server.session.open_streams(), 0, "{begins}");
    }
}

/// When the connection is over nothing is waited for, whatever had been sent before.
#[test]
fn a_connection_that_is_over_has_no_deadline() {
    let (mut server, now) = server_after(Limits::default(), &Script(b"GET / HTTP/1.1\r\n".into()));
    assert_eq!(server.failure().unwrap().why, Violation::Preface);
    let sent = frames(&server.flush(now));
    assert_eq!(sent.last().unwrap().header.kind, Kind::GoAway);
    assert_eq!(server.session.deadline(), None);
}

/// Browsers send every cookie in a line of its own (RFC 9113, section 8.2.3): many are still one field.
#[test]
fn cookies_in_many_lines_are_one_field() {
    let mut lines = GET.to_vec();
    lines.extend([("cookie", "name=value"); 150]);
    lines.extend([("a", "1"); 99]);
    let outcome = serve(&Script::client().head(1, &lines, true));
    assert_eq!(outcome.requests(), [1]);
    lines.push(("a", "1"));
    let outcome = serve(&Script::client().head(1, &lines, true));
    assert_eq!(outcome.faults(), [(1, Violation::TooManyFields)]);
}

/// A client that asks and does not take: what waits for its credit is given up in the end, on its stream alone, and
/// octets that leave give time back.
#[test]
fn a_body_that_no_window_opens_for_is_given_up_in_time() {
    let limits = Limits::default();
    for shut in ["stream", "connection"] {
        let small = if shut == "stream" { 10 } else { 1 << 20 };
        let script = Script::default().settings(&[(4, small)]);
        let (mut server, start) = established(limits.clone(), &script.head(1, GET, true));
        let at = |second| start + Duration::from_secs(second);
        let id = open_requests(&server)[0];
        let head = thalweg_proto::head::Response::new(200);
        server.session.respond(id, head, false).unwrap();
        server.say(id, vec![0; 100_000], true);
        server.flush(start);
        let pass = |server: &mut Caller<Session>, seconds: std::ops::Range<u64>| {
            for second in seconds {
                server.expire(at(second));
                server.flush(at(second));
            }
            server.session.open_streams()
        };
        assert_eq!(pass(&mut server, 1..50), 1, "{shut}");
        let minute = 60 * limits.take_rate;
        let credit = Script::default().credit(if shut == "stream" { 1 } else { 0 }, minute);
        server.feed(at(50), &credit.0);
        assert_eq!(pass(&mut server, 50..110), 1, "{shut}");
        assert_eq!(pass(&mut server, 110..113), 0, "{shut}");
        let given_up = Told::Reset(id, Code::EnhanceYourCalm, Some(Violation::CreditTimeout));
        assert_eq!(server.told.last(), Some(&given_up));
        assert_eq!(server.failure(), None);
    }
}

/// A response that has nothing to say for the moment waits for its application, not for its client.
#[test]
fn a_body_that_waits_for_its_application_is_not_given_up() {
    let script = Script::default().head(1, GET, true);
    let (mut server, start) = established(Limits::default(), &script);
    let id = open_requests(&server)[0];
    let head = thalweg_proto::head::Response::new(200);
    server.session.respond(id, head, false).unwrap();
    for second in 1..200 {
        let now = start + Duration::from_secs(second);
        server.flush(now);
        server.expire(now);
    }
    assert_eq!(server.session.open_streams(), 1);
}

/// RFC 9110, section 6.6.1: "An origin server with a clock MUST generate a Date header field in all ... 4xx (Client
/// Error) responses".
#[test]
fn a_session_that_knows_the_date_tells_it_in_its_own_answers() {
    let now = Instant::now();
    let epoch = Epoch::new(
        now,
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
    );
    let mut caller = Caller::new(Session::server(Limits::default(), now).dated(epoch));
    let path = format!("/{}", "x".repeat(9000));
    let target = [GET[0], GET[1], (":path", &*path), GET[3]];
    caller.feed(now, &Script::client().head(1, &target, true).0);
    let written = frames(&caller.flush(now));
    let block = written.iter().find_map(|sent| match sent.frame() {
        Frame::Headers { block, .. } => Some(block.to_vec()),
        _ => None,
    });
    let mut date = None;
    let find = |field: thalweg_proto::fields::Field<'_>| {
        date = date
            .take()
            .or((field.name == b"date").then(|| field.value.to_vec()));
    };
    Decoder::new(4096)
        .decode(&block.unwrap(), 1000, find)
        .unwrap();
    assert_eq!(date.as_deref(), Some(&b"Sun, 06 Nov 1994 08:49:37 GMT"[..]));
}
