//! Section 6.5.3: settings that change while the connection lives, each in force from its acknowledgement on.

use crate::wire::{GET, POST, Script, block, established, frames, octets, open_requests};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Shutdown, StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

fn ack() -> Vec<u8> {
    Script::default().ack().0
}

/// The entries of the SETTINGS frames that a session sends now.
fn announced(caller: &mut Caller<Session>, now: Instant) -> Vec<Vec<(u16, u32)>> {
    let sent = frames(&caller.flush(now));
    let settings = |sent: &crate::wire::Sent| match sent.frame() {
        Frame::Settings(entries) => Some(entries.iter().collect()),
        _ => None,
    };
    sent.iter().filter_map(settings).collect()
}

/// "The values in the SETTINGS frame MUST be processed in the order they appear", so each frame is one step; several
/// may wait, and each acknowledgement is for the oldest.
#[test]
fn several_announcements_are_agreed_to_one_by_one() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    let all = [vec![(3, 10), (0xf00d, 1)], vec![(3, 20)], vec![]];
    for entries in &all {
        server.session.announce(entries).unwrap();
    }
    assert_eq!(announced(&mut server, now), all);
    let streams = |server: &Caller<Session>| server.session.setting(3).unwrap();
    assert_eq!(streams(&server), 256);
    server.feed(now, &ack());
    assert_eq!(streams(&server), 10);
    assert_eq!(server.session.setting(0xf00d), Some(1));
    server.feed(now, &ack());
    assert_eq!(streams(&server), 20);
    server.feed(now, &ack());
    assert_eq!(streams(&server), 20);
    // One more than was sent: it is counted, and nothing else.
    server.feed(now, &ack());
    assert_eq!(server.failure(), None);
}

/// Before the peer has agreed to anything it counts with the initial values.
#[test]
fn the_first_settings_are_the_first_to_be_agreed_to() {
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    let values = |server: &Caller<Session>| {
        [1, 2, 3, 4, 5, 6, 8].map(|identifier| server.session.setting(identifier).unwrap())
    };
    let initial = [4096, 1, u32::MAX, 65_535, 16_384, u32::MAX, 0];
    assert_eq!(values(&server), initial);
    server.session.announce(&[(3, 1)]).unwrap();
    server.feed(now, &Script::client().0);
    assert_eq!(announced(&mut server, now).len(), 2);
    server.feed(now, &ack());
    let ours = [4096, 1, 256, 256 << 10, 16_384, 64 << 10, 0];
    assert_eq!(values(&server), ours);
    server.feed(now, &ack());
    assert_eq!(server.session.setting(3), Some(1));
}

/// "If the sender of a SETTINGS frame does not receive an acknowledgment within a reasonable amount of time", later ones
/// as the first.
#[test]
fn each_announcement_is_waited_for() {
    let limits = Limits::default();
    let (mut server, now) = established(limits.clone(), &Script::default());
    for _ in 0..2 {
        server.session.announce(&[(3, 10)]).unwrap();
    }
    server.flush(now);
    let later = now + limits.head_time - Duration::from_secs(1);
    server.feed(later, &ack());
    server.expire(now + limits.head_time);
    assert_eq!(server.failure(), None, "the second has time of its own");
    server.expire(later + limits.head_time);
    assert_eq!(server.failure().unwrap().why, Violation::SettingsTimeout);
}

/// Section 6.9.2: what the peer may send on a stream moves with SETTINGS_INITIAL_WINDOW_SIZE.
#[test]
fn another_initial_window_moves_the_windows_of_open_streams() {
    let limits = Limits {
        stream_window: 1000,
        ..Limits::default()
    };
    let script = Script::default().head(1, POST, false);
    let (mut server, now) = established(limits, &script);
    server.takes = false;
    let id = open_requests(&server)[0];
    server.feed(now, &Script::default().data(1, &[0; 600], false).0);
    server.session.announce(&[(4, 1500)]).unwrap();
    server.flush(now);
    server.feed(now, &ack());
    server.feed(now, &Script::default().data(1, &[0; 900], false).0);
    assert_eq!(server.data_of(id).len(), 1500);
    // Smaller than what has come: nothing more, until enough is taken.
    server.session.announce(&[(4, 100)]).unwrap();
    server.flush(now);
    server.feed(now, &ack());
    server.session.taken(id, 1500);
    let sent = frames(&server.flush(now));
    let credit: u32 = sent
        .iter()
        .filter(|sent| sent.header.stream == 1)
        .map(|sent| match sent.frame() {
            Frame::WindowUpdate(credit) => credit,
            _ => 0,
        })
        .sum();
    assert_eq!(credit, 1500, "of which 1400 make good what was taken back");
    server.feed(now, &Script::default().data(1, &[0; 100], false).0);
    assert_eq!(server.data_of(id).len(), 1600);
    server.feed(now, &Script::default().data(1, &[0; 1], false).0);
    let reset = Told::Reset(id, Code::FlowControl, Some(Violation::WindowOverrun));
    assert_eq!(server.told.last(), Some(&reset));
}

/// Section 5.1.2: a lower limit of streams holds from its acknowledgement on.
#[test]
fn another_limit_of_streams_holds_once_it_is_agreed_to() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.session.announce(&[(3, 1)]).unwrap();
    server.flush(now);
    let two = Script::default().head(1, GET, true).head(3, GET, true);
    server.feed(now, &two.0);
    assert_eq!(open_requests(&server).len(), 2);
    server.feed(now, &ack());
    server.feed(now, &Script::default().head(5, GET, true).0);
    assert_eq!(open_requests(&server).len(), 2);
    assert!(matches!(
        server.told.last(),
        Some(Told::Reset(id, Code::Refused, Some(Violation::TooManyStreams))) if id.number() == 5
    ));
}

/// Section 4.2: a larger frame is taken once it is agreed to.
#[test]
fn another_largest_frame_holds_once_it_is_agreed_to() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.session.announce(&[(5, 20_000)]).unwrap();
    server.flush(now);
    let large = Script::default()
        .head(1, POST, false)
        .data(1, &octets(20_000), true);
    server.feed(now, &ack());
    server.feed(now, &large.0);
    assert_eq!(server.failure(), None);
    let id = open_requests(&server)[0];
    assert_eq!(server.data_of(id), octets(20_000));
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.session.announce(&[(5, 20_000)]).unwrap();
    server.flush(now);
    server.feed(now, &large.0);
    assert_eq!(server.failure().unwrap().why, Violation::FrameSize);
}

/// RFC 7541, section 4.2: the peer's encoder keeps to a smaller table, and says so first.
#[test]
fn another_table_size_holds_once_it_is_agreed_to() {
    let smaller = |update: &[u8]| {
        let (mut server, now) = established(Limits::default(), &Script::default());
        server.session.announce(&[(1, 100)]).unwrap();
        server.flush(now);
        server.feed(now, &ack());
        let head = [update, &block(GET)].concat();
        server.feed(now, &Script::default().block(1, &head, true).0);
        server.failure().map(|error| error.why)
    };
    assert_eq!(smaller(b"\x3f\x45"), None, "100");
    assert_eq!(smaller(b"\x3f\x46"), Some(Violation::Compression), "101");
    assert_eq!(smaller(b""), Some(Violation::Compression), "none");
}

/// Section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE: the limit of heads follows.
#[test]
fn another_limit_of_heads_holds_once_it_is_agreed_to() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.session.announce(&[(6, 100)]).unwrap();
    server.flush(now);
    server.feed(now, &ack());
    server.feed(now, &Script::default().head(1, GET, true).0);
    assert!(matches!(
        server.told.last(),
        Some(Told::Reset(_, _, Some(Violation::HeadTooLarge)))
    ));
}

/// Sections 6.5.2 and 8.4: a client that wants pushes no more refuses those that come until the server knows, and takes
/// none after; it may want them again.
#[test]
fn a_client_may_stop_taking_pushes_and_begin_again() {
    let now = Instant::now();
    let config = Config {
        push: true,
        ..Config::default()
    };
    let mut client = Caller::new(Session::client(Limits::default(), now).configured(config));
    let get = crate::wire::a_request("GET");
    client.session.open(get, true).unwrap();
    client.flush(now);
    client.feed(now, &Script::server().ack().0);
    let promise = |promised| {
        let frame = Frame::PushPromise {
            promised,
            block: &block(GET),
            end_headers: true,
        };
        Script::default().frame(1, frame).0
    };
    client.feed(now, &promise(2));
    assert!(matches!(client.told[..], [Told::Push(..)]));
    client.session.announce(&[(2, 0)]).unwrap();
    client.feed(now, &promise(4));
    assert_eq!(client.told.len(), 1);
    let resets = frames(&client.flush(now))
        .iter()
        .filter(|sent| sent.header.kind == Kind::RstStream)
        .map(|sent| sent.header.stream)
        .collect::<Vec<_>>();
    assert_eq!(resets, [4]);
    client.feed(now, &ack());
    client.session.announce(&[(2, 1)]).unwrap();
    client.flush(now);
    client.feed(now, &ack());
    client.feed(now, &promise(6));
    assert!(matches!(client.told[..], [Told::Push(..), Told::Push(..)]));
    client.session.announce(&[(2, 0)]).unwrap();
    client.flush(now);
    client.feed(now, &ack());
    client.feed(now, &promise(8));
    assert_eq!(client.failure().unwrap().why, Violation::PushPromise);
}

/// Both ends follow each other's changes, whatever is on its way.
#[test]
fn two_sessions_change_their_settings_while_bodies_cross() {
    for seed in 0..8 {
        let now = Instant::now();
        let client = Session::client(Limits::default(), now);
        let server = Session::server(Limits::default(), now);
        let mut pair = Pair::new(client, server, now).cut_at_random(seed);
        let post = crate::wire::a_request("POST");
        let id = pair.client.session.open(post, false).unwrap();
        pair.client.say(id, octets(2_000_000), true);
        for (window, frame, table) in [
            (70_000, 16_384, 0),
            (10, 50_000, 8192),
            (900_000, 17_000, 64),
        ] {
            let entries = [(4, window), (5, frame), (1, table)];
            pair.server.session.announce(&entries).unwrap();
            pair.client.session.announce(&entries).unwrap();
            let there = pair.client.flush(now);
            pair.server.feed(now, &there);
            let back = pair.server.flush(now);
            pair.client.feed(now, &back);
        }
        pair.settle();
        let at_server = open_requests(&pair.server)[0];
        assert!(pair.server.data_of(at_server) == octets(2_000_000));
        assert_eq!(pair.server.session.setting(5), Some(17_000));
        assert_eq!(pair.client.session.peer_setting(5), Some(17_000));
        let failures = [pair.client.failure(), pair.server.failure()];
        assert_eq!(failures, [None, None]);
    }
}

#[test]
fn only_what_may_be_announced_is() {
    let now = Instant::now();
    let bad = Err(UsageError::BadSetting);
    let mut server = Session::server(Limits::default(), now);
    for entry in [
        (2, 0),
        (2, 1),
        (4, 1 << 31),
        (5, 16_383),
        (5, 1 << 24),
        (8, 2),
        (9, 1),
    ] {
        assert_eq!(server.announce(&[(3, 1), entry]), bad, "{entry:?}");
    }
    server.announce(&[(8, 1)]).unwrap();
    assert_eq!(server.announce(&[(8, 0)]), bad, "it is not taken back");
    let mut client = Session::client(Limits::default(), now);
    assert_eq!(client.announce(&[(8, 1)]), bad);
    assert_eq!(client.announce(&[(2, 2)]), bad);
    let many = vec![(3, 1); 16_384 / 6 + 1];
    assert_eq!(client.announce(&many), Err(UsageError::TooLarge));
    for _ in 0..64 {
        client.announce(&[]).unwrap();
    }
    assert_eq!(client.announce(&[]), Err(UsageError::NoCapacity));
    client.shutdown(now, Shutdown::Now(Code::NoError));
    assert_eq!(client.announce(&[]), Err(UsageError::ShuttingDown));
}

/// A stream that was opened before the change and one that was opened after it have the same window.
#[test]
fn new_streams_have_the_window_that_was_agreed_to() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.takes = false;
    server.session.announce(&[(4, 50)]).unwrap();
    server.flush(now);
    server.feed(now, &ack());
    let script = Script::default()
        .head(1, POST, false)
        .data(1, &[0; 50], false)
        .head(3, POST, false)
        .data(3, &[0; 51], false);
    server.feed(now, &script.0);
    assert_eq!(server.data_of(StreamId::new(1, 0)).len(), 50);
    assert!(matches!(
        server.told.last(),
        Some(Told::Reset(id, Code::FlowControl, _)) if id.number() == 3
    ));
}
