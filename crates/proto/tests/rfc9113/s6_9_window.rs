//! Sections 5.2 and 6.9: flow control.

use crate::wire::{
    GET, POST, Script, established, frames, octets, open_requests, post_with, serve, serve_between,
    server_after,
};
use std::time::Instant;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

/// "A receiver MUST treat the receipt of a WINDOW_UPDATE frame with a flow-control window increment of 0 as a stream
/// error of type PROTOCOL_ERROR; errors on the connection flow-control window MUST be treated as a connection error."
#[test]
fn an_increment_of_nothing_is_an_error_of_its_level() {
    serve(&Script::client().head(1, POST, false).credit(1, 0)).assert_reset(
        1,
        Violation::WindowIncrement,
        Code::Protocol,
    );
    serve(&Script::client().credit(0, 0)).assert_failed(Violation::WindowIncrement, Code::Protocol);
}

/// "A WINDOW_UPDATE frame with a length other than 4 octets MUST be treated as a connection error of type
/// FRAME_SIZE_ERROR."
#[test]
fn a_window_update_of_another_size_ends_the_connection() {
    for size in [0, 3, 5] {
        serve(&Script::client().raw(Kind::WindowUpdate, 0, 0, &vec![1; size]))
            .assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Section 6.9.1: a window above 2^31-1 ends the stream, or the connection, with FLOW_CONTROL_ERROR.
#[test]
fn a_window_above_31_bits_is_an_error_of_its_level() {
    serve(&Script::client().head(1, POST, false).credit(1, 0x7fff_ffff)).assert_reset(
        1,
        Violation::WindowOverflow,
        Code::FlowControl,
    );
    serve(&Script::client().credit(0, 0x7fff_ffff))
        .assert_failed(Violation::WindowOverflow, Code::FlowControl);
}

/// Answers each request with so many octets, and says how many were sent on each stream.
fn answer(scripts: &[&Script], len: usize) -> Vec<(u32, usize)> {
    let outcome = serve_between(scripts, |caller, _| {
        for id in open_requests(caller) {
            if caller
                .session
                .respond(id, Response::new(200), false)
                .is_ok()
            {
                caller.say(id, octets(len), true);
            }
        }
    });
    assert_eq!(outcome.failure(), None);
    let data = outcome.of_kind(Kind::Data);
    data.iter()
        .map(|sent| (sent.header.stream, sent.payload.len()))
        .collect()
}

fn of_stream(sent: &[(u32, usize)], stream: u32) -> usize {
    sent.iter()
        .filter(|(on, _)| *on == stream)
        .map(|(_, len)| len)
        .sum()
}

/// Section 6.9.1: "A sender MUST NOT send a flow-controlled frame with a length that exceeds the space available in
/// either of the flow-control windows."
#[test]
fn no_more_is_sent_than_both_windows_allow() {
    let gets = Script::client()
        .settings(&[(4, 40_000)])
        .head(1, GET, true)
        .head(3, GET, true);
    let sent = answer(&[&gets], 100_000);
    assert_eq!(of_stream(&sent, 1) + of_stream(&sent, 3), 65_535);
    // With credit for the connection the streams' windows are what binds.
    let credit = Script::default().credit(0, 1 << 20);
    let sent = answer(&[&gets, &credit], 100_000);
    assert_eq!((of_stream(&sent, 1), of_stream(&sent, 3)), (40_000, 40_000));
    let credit = credit.credit(3, 100_000);
    let sent = answer(&[&gets, &credit], 100_000);
    assert_eq!(
        (of_stream(&sent, 1), of_stream(&sent, 3)),
        (40_000, 100_000)
    );
}

/// A message that just fits ends with its last octet; nothing waits for a window that is not needed.
#[test]
fn a_body_as_large_as_the_window_is_complete() {
    let sent = answer(&[&Script::client().head(1, GET, true)], 65_535);
    assert_eq!(of_stream(&sent, 1), 65_535);
}

/// DATA of several streams leaves in turns.
#[test]
fn streams_take_turns() {
    let script = Script::client()
        .credit(0, 1 << 20)
        .head(1, GET, true)
        .head(3, GET, true)
        .head(5, GET, true);
    let sent = answer(&[&script], 60_000);
    let order: Vec<_> = sent.iter().map(|(stream, _)| *stream).collect();
    assert_eq!(order, [1, 3, 5, 1, 3, 5, 1, 3, 5, 1, 3, 5]);
}

/// Section 6.9: "A receiver that receives more than it has allowed MAY respond with a stream error or connection
/// error of type FLOW_CONTROL_ERROR."
#[test]
fn more_than_the_window_allows_is_an_error_of_its_level() {
    let limits = Limits {
        stream_window: 70_000,
        connection_window: 100_000,
        ..Limits::default()
    };
    let fill = |mut script: Script, stream, mut len: usize| {
        while len > 0 {
            let piece = len.min(16_384);
            script = script.data(stream, &vec![0; piece], false);
            len -= piece;
        }
        script
    };
    let start = Script::default().head(1, POST, false).head(3, POST, false);
    let full = fill(fill(start, 1, 70_000), 3, 30_000);
    let untaken = |script: &Script| {
        let (mut server, now) = established(limits.clone(), &Script::default());
        server.takes = false;
        server.feed(now, &script.0);
        let failure = server.failure().map(|error| error.why);
        let sent = frames(&server.flush(now));
        (failure, sent)
    };
    assert_eq!(untaken(&full).0, None);
    let over = full.clone().data(3, b"x", false);
    assert_eq!(
        untaken(&over).0,
        Some(Violation::WindowOverrun),
        "the connection's"
    );
    let wide = Limits {
        connection_window: 1 << 20,
        ..limits.clone()
    };
    let (mut server, now) = established(wide, &Script::default());
    server.takes = false;
    server.feed(now, &full.data(1, b"x", false).0);
    assert_eq!(server.failure(), None);
    let sent = frames(&server.flush(now));
    let reset = sent
        .iter()
        .find(|sent| sent.header.kind == Kind::RstStream)
        .unwrap();
    assert_eq!(
        (reset.header.stream, reset.frame()),
        (1, Frame::RstStream(Code::FlowControl))
    );
}

/// Credit comes back in few frames, about a quarter of a window each, and as much as was taken.
#[test]
fn credit_is_given_back_in_quarters_of_the_window() {
    let script = Script::default().head(1, POST, false);
    let (mut server, now) = established(Limits::default(), &script);
    let mut credit = (Vec::new(), Vec::new());
    let mut allowed = 256 << 10;
    for _ in 0..100 {
        server.feed(now, &Script::default().data(1, &[0; 16_384], false).0);
        allowed -= 16_384;
        for sent in frames(&server.flush(now)) {
            match (sent.frame(), sent.header.stream) {
                (Frame::WindowUpdate(octets), 0) => credit.0.push(octets),
                (Frame::WindowUpdate(octets), 1) => {
                    credit.1.push(octets);
                    allowed += octets;
                }
                // It would like to know whether the window is too small.
                (Frame::Ping(_), 0) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(
            allowed >= 16_384,
            "the peer is never stopped by a consumer that takes"
        );
    }
    assert!(credit.1.iter().all(|octets| *octets == 64 << 10));
    assert_eq!(credit.1.len(), 25);
    assert!(credit.0.is_empty(), "of 8 MiB only 1.6 are used");
}

/// An upload that nobody takes stops itself and no other; what it holds comes back when it ends.
#[test]
fn an_untaken_body_holds_up_no_other_stream() {
    let now = Instant::now();
    let limits = Limits {
        stream_window: 100_000,
        connection_window: 400_000,
        ..Limits::default()
    };
    let client = Session::client(limits.clone(), now);
    let mut pair = Pair::new(client, Session::server(limits, now), now);
    pair.server.takes = false;
    let post = || crate::wire::a_request("POST");
    let stuck = pair.client.session.open(post(), false).unwrap();
    pair.client.say(stuck, octets(1 << 20), true);
    pair.settle();
    assert_eq!(pair.server.data_of(stuck).len(), 100_000);
    pair.server.takes = true;
    let other = pair.client.session.open(post(), false).unwrap();
    pair.client.say(other, octets(1 << 20), true);
    pair.settle();
    assert_eq!(pair.server.data_of(other), octets(1 << 20));
    assert_eq!(pair.server.data_of(stuck).len(), 100_000);
    // The consumer comes back to it.
    let at_server = open_requests(&pair.server)[0];
    pair.server.session.taken(at_server, 100_000);
    pair.settle();
    assert_eq!(pair.server.data_of(stuck), octets(1 << 20));
}

/// What streams hold untaken is bounded for all of them together.
#[test]
fn all_streams_together_hold_no_more_than_the_connections_window() {
    let now = Instant::now();
    let limits = Limits {
        stream_window: 100_000,
        connection_window: 250_000,
        ..Limits::default()
    };
    let client = Session::client(limits.clone(), now);
    let mut pair = Pair::new(client, Session::server(limits, now), now);
    pair.server.takes = false;
    for _ in 0..5 {
        let id = pair
            .client
            .session
            .open(crate::wire::a_request("POST"), false)
            .unwrap();
        pair.client.say(id, octets(1 << 20), true);
    }
    pair.settle();
    let held = |pair: &Pair<Session, Session>| -> usize {
        let ids = open_requests(&pair.server);
        ids.iter().map(|id| pair.server.data_of(*id).len()).sum()
    };
    assert_eq!(held(&pair), 250_000);
    // A stream that ends gives back what it held.
    let first = open_requests(&pair.server)[0];
    pair.server.session.reset(first, Code::Cancel);
    pair.server.session.taken(first, 100_000);
    pair.settle();
    assert!(held(&pair) > 250_000 && held(&pair) <= 350_000);
}

/// The octets of a frame whose stream is reset while it comes are credited once: the connection's window is not
/// made larger than it is.
#[test]
fn octets_of_a_stream_that_is_reset_within_a_frame_are_credited_once() {
    let limits = Limits {
        stream_window: 100_000,
        connection_window: 100_000,
        ..Limits::default()
    };
    let (mut server, now) = established(limits, &Script::default().head(1, POST, false));
    server.takes = false;
    let mut allowed = 100_000;
    let credit = |server: &mut Caller<Session>| {
        let sent = frames(&server.flush(now));
        let of_connection = sent.iter().filter(|sent| sent.header.stream == 0);
        let credits = of_connection.filter_map(|sent| match sent.frame() {
            Frame::WindowUpdate(octets) => Some(octets as i32),
            _ => None,
        });
        credits.sum::<i32>()
    };
    // One stream holds 50 000 octets for its consumer.
    for _ in 0..5 {
        server.feed(now, &Script::default().data(1, &[0; 10_000], false).0);
        allowed += credit(&mut server) - 10_000;
    }
    for stream in [3, 5, 7, 9, 11, 13] {
        let cut = Script::default()
            .head(stream, POST, false)
            .data(stream, &[0; 16_384], false)
            .0;
        server.feed(now, &cut[..cut.len() - 16_000]);
        let id = *open_requests(&server).last().unwrap();
        server.session.reset(id, Code::Cancel);
        server.feed(now, &cut[cut.len() - 16_000..]);
        allowed += credit(&mut server) - 16_384;
    }
    assert!(
        allowed <= 50_000,
        "{allowed} octets more, beside 50 000 that are held"
    );
    assert_eq!(server.failure(), None);
}

/// A body that the caller does not want costs nothing, neither its stream nor the connection.
#[test]
fn a_discarded_body_runs_through() {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    pair.server.takes = false;
    let id = pair
        .client
        .session
        .open(crate::wire::a_request("POST"), false)
        .unwrap();
    pair.settle();
    pair.server.session.discard(open_requests(&pair.server)[0]);
    pair.client.say(id, octets(20 << 20), true);
    pair.settle();
    assert_eq!(pair.server.data_of(id).len(), 0);
    let at_server = open_requests(&pair.server)[0];
    pair.server
        .session
        .respond(at_server, Response::new(204), true)
        .unwrap();
    pair.settle();
    assert_eq!(pair.server.told.last(), Some(&Told::Finished(id)));
    assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
}

/// A window that shrinks between the question and its answer's frame is kept to.
#[test]
fn a_piece_that_was_asked_for_before_the_window_shrank_waits() {
    use thalweg_proto::session::{End, Gather, Output, Session as _, Supply};
    let (mut server, now) = server_after(
        Limits::default(),
        &Script::client().head(1, GET, true).head(3, GET, true),
    );
    server.flush(now);
    for id in open_requests(&server) {
        server
            .session
            .respond(id, Response::new(200), false)
            .unwrap();
    }
    let mut out = Gather::new(1 << 20);
    let (id, max) = loop {
        if let Output::Need { id, max } = server.session.send(now, &mut out) {
            break (id, max);
        }
    };
    assert_eq!(max, 16_384);
    let chunk = Supply::Chunk(octets(16_384), End::Last);
    server.session.supply(id, chunk).unwrap();
    server.feed(now, &Script::default().settings(&[(4, 100)]).0);
    out.clear();
    server.say(open_requests(&server)[1], octets(10), true);
    let sent = frames(&server.flush(now));
    let data: Vec<_> = sent
        .iter()
        .filter(|sent| sent.header.kind == Kind::Data)
        .collect();
    assert_eq!((data[0].header.stream, data[0].payload.len()), (1, 100));
    assert!(!data[0].ends_stream());
    assert_eq!((data[1].header.stream, data[1].ends_stream()), (3, true));
    server.feed(now, &Script::default().credit(1, 1 << 20).0);
    let sent = frames(&server.flush(now));
    assert_eq!(
        sent.iter().map(|sent| sent.payload.len()).sum::<usize>(),
        16_284
    );
    assert!(sent.last().unwrap().ends_stream());
    assert_eq!(server.session.open_streams(), 0);
    let _: &Caller<Session> = &server;
}

/// Nothing is asked for after trailers that had to wait, though the caller resumes before they leave.
#[test]
fn a_message_that_was_held_up_before_its_trailers_ends_with_them() {
    use thalweg_proto::session::{End, Gather, Output, Session as _, Supply};
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, POST, false));
    server.flush(now);
    let id = open_requests(&server)[0];
    let answer = server.session.respond(id, Response::new(200), false);
    answer.unwrap();
    let mut out = Gather::new(1 << 20);
    while !matches!(server.session.send(now, &mut out), Output::Need { .. }) {}
    let trailers = [(&b"x-sum"[..], &b"1"[..])].into_iter().collect();
    let supply = Supply::Chunk(octets(16_384), End::Trailers(trailers));
    server.session.supply(id, supply).unwrap();
    server.feed(now, &Script::default().settings(&[(4, 100)]).0);
    server.flush(now);
    server.feed(now, &Script::default().credit(1, 1 << 20).0);
    out.clear();
    assert_eq!(server.session.send(now, &mut out), Output::Frame);
    assert_eq!(frames(&out.to_vec())[0].payload.len(), 16_284);
    server.session.resume(id);
    out.clear();
    assert_eq!(server.session.send(now, &mut out), Output::Frame);
    assert!(frames(&out.to_vec())[0].ends_stream());
    assert_eq!(server.session.send(now, &mut out), Output::Idle);
}

/// The connection's window as its peer counts it.
struct Ledger {
    server: Caller<Session>,
    now: Instant,
    window: i64,
}

impl Ledger {
    fn feed(&mut self, script: &Script) {
        for sent in frames(&script.0) {
            if sent.header.kind == Kind::Data {
                self.window -= i64::from(sent.header.length);
            }
        }
        self.feed_raw(&script.0);
    }

    fn feed_raw(&mut self, octets: &[u8]) {
        self.server.feed(self.now, octets);
        self.flush();
    }

    fn flush(&mut self) {
        for sent in frames(&self.server.flush(self.now)) {
            if let (Frame::WindowUpdate(octets), 0) = (sent.frame(), sent.header.stream) {
                self.window += i64::from(octets);
            }
        }
        assert_eq!(self.server.failure(), None);
    }

    /// Answers this stream, and says that its body is not wanted.
    fn answer(&mut self, id: StreamId) {
        let session = &mut self.server.session;
        session.respond(id, Response::new(204), true).unwrap();
        session.discard(id);
        self.flush();
    }
}

/// Whatever becomes of a stream, the connection gets back what it took, no less and no more: thousands of streams
/// that end in every way leave a whole window behind, and what one of them holds meanwhile stays held.
#[test]
fn no_end_of_a_stream_costs_the_connection_any_credit() {
    const SIZE: i64 = 65_535;
    const HELD: usize = 20_000;
    let many = Rate {
        burst: 1_000_000,
        per_second: 0,
    };
    let limits = Limits {
        stream_window: SIZE as u32,
        connection_window: SIZE as u32,
        resets: many,
        glitches: many,
        ..Limits::default()
    };
    let (mut server, now) = established(limits, &Script::default());
    server.takes = false;
    let mut ledger = Ledger {
        server,
        now,
        window: SIZE,
    };
    let holding = Script::default().head(1, POST, false);
    ledger.feed(
        &holding
            .data(1, &[0; 10_000], false)
            .data(1, &[0; HELD - 10_000], false),
    );
    let held = open_requests(&ledger.server)[0];
    let [short, longer] = ["3", "3000"].map(|length| post_with(&[("content-length", length)]));
    for round in 0..10_000_u32 {
        let stream = 3 + 2 * round;
        let open = |lines: &[(&str, &str)]| {
            let script = Script::default().head(stream, lines, false);
            script.padded_data(stream, &[1; 500], 7, false)
        };
        let more = Script::default().data(stream, &[2; 900], false);
        let last = more.clone().padded_data(stream, &[3; 70], 255, true);
        let id = |ledger: &Ledger| *open_requests(&ledger.server).last().unwrap();
        ledger.server.told.truncate(1);
        let kind = round % 11;
        match kind {
            // Malformed in its head, and in its length: short, long.
            0 => ledger.feed(&open(&POST[1..])),
            1 => ledger.feed(&open(&short)),
            2 => ledger.feed(&open(&longer)),
            _ => ledger.feed(&open(POST)),
        }
        match kind {
            3 => {
                ledger.feed(&more.reset(stream, Code::Cancel));
                // It knew: this is an error of the stream.
                ledger.feed(&last);
            }
            4 => {
                let id = id(&ledger);
                ledger.server.session.reset(id, Code::Cancel);
                ledger.feed(&last);
            }
            5 => {
                let id = id(&ledger);
                ledger.server.session.discard(id);
                ledger.feed(&last);
                ledger.answer(id);
            }
            6 => {
                let id = id(&ledger);
                ledger.answer(id);
                ledger.feed(&last);
            }
            7 => {
                ledger.feed(&more.head(stream, &[("a", "trailer")], true));
                let id = id(&ledger);
                ledger.server.session.taken(id, 1000);
                ledger.answer(id);
            }
            8 => {
                // The stream goes while a frame of it is coming.
                let (one, two) = last.0.split_at(400);
                ledger.window -= 900 + 1 + 70 + 255;
                ledger.feed_raw(one);
                let id = id(&ledger);
                ledger.server.session.reset(id, Code::Cancel);
                ledger.feed_raw(two);
            }
            9 => {
                let (one, two) = last.0.split_at(400);
                ledger.window -= 900 + 1 + 70 + 255;
                ledger.feed_raw(one);
                let id = id(&ledger);
                ledger.server.session.discard(id);
                ledger.server.session.taken(id, 500);
                ledger.feed_raw(two);
                ledger.answer(id);
            }
            _ => {
                ledger.feed(&last);
                if kind == 10 {
                    let id = id(&ledger);
                    ledger.server.session.taken(id, usize::MAX);
                    ledger.answer(id);
                }
            }
        }
        assert_eq!(ledger.server.session.open_streams(), 1, "kind {kind}");
        let most = SIZE - HELD as i64;
        assert!(ledger.window <= most, "kind {kind} gives credit twice");
    }
    // What is owed goes back at once when the peer has used all that it has.
    let use_up = |ledger: &mut Ledger, stream: u32| {
        let mut fill = Script::default().head(stream, POST, false);
        let mut left = ledger.window as usize;
        while left > 0 {
            let piece = left.min(16_384);
            fill = fill.data(stream, &vec![0; piece], false);
            left -= piece;
        }
        ledger.feed(&fill.reset(stream, Code::Cancel));
    };
    let next = 3 + 2 * 10_000;
    use_up(&mut ledger, next);
    assert_eq!(ledger.window, SIZE - HELD as i64);
    ledger.server.session.taken(held, HELD);
    use_up(&mut ledger, next + 2);
    assert_eq!(ledger.window, SIZE);
}

/// A client goes on giving credit to streams whose last octets it has not seen yet (RFC 9113, section 5.1): that is
/// no abuse, however long it does.
#[test]
fn credit_for_streams_that_have_ended_is_free() {
    let limits = Limits {
        glitches: Rate {
            burst: 10,
            per_second: 0,
        },
        ..Limits::default()
    };
    let (mut server, now) = established(limits, &Script::default());
    for round in 0..100 {
        let stream = 1 + 2 * round;
        server.feed(now, &Script::default().head(stream, GET, true).0);
        let id = *open_requests(&server).last().unwrap();
        let answer = server.session.respond(id, Response::new(204), true);
        answer.unwrap();
        server.flush(now);
        server.feed(now, &Script::default().credit(stream, 40_000).0);
        assert_eq!(server.failure(), None, "round {round}");
    }
}

/// What the caller drops costs nothing from then on, though the peer has said all and the answer takes its time.
#[test]
fn a_complete_body_that_is_discarded_holds_nothing() {
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 65_535,
        ..Limits::default()
    };
    let mut upload = Script::default().head(1, POST, false);
    for piece in [16_384, 16_384, 16_384, 16_383] {
        upload = upload.data(1, &vec![0; piece], piece == 16_383);
    }
    let (mut server, now) = established(limits, &Script::default());
    server.takes = false;
    server.feed(now, &upload.0);
    assert_eq!(server.flush(now), b"");
    server.session.discard(open_requests(&server)[0]);
    let sent = frames(&server.flush(now));
    let whole = Frame::WindowUpdate(65_535);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].header.stream, sent[0].frame()), (0, whole));
    assert_eq!(server.session.open_streams(), 1);
}

/// However large the frames that a peer takes: streams have their turns, and a turn is what this side holds.
#[test]
fn a_peer_that_takes_large_frames_does_not_get_them() {
    let script = Script::client()
        .settings(&[(4, 1 << 30), (5, (1 << 24) - 1)])
        .credit(0, 1 << 30)
        .head(1, GET, true)
        .head(3, GET, true);
    let sent = answer(&[&script], 1 << 20);
    assert!(sent.iter().all(|(_, len)| *len <= 64 << 10));
    let turns: Vec<_> = sent.iter().map(|(stream, _)| *stream).take(4).collect();
    assert_eq!(turns, [1, 3, 1, 3]);
}
