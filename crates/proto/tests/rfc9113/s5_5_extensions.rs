//! Section 5.5: frames and settings that the session does not know, and those that are the caller's own.

use crate::wire::{GET, Outcome, Script, block, established, frames, play_to, serve, serve_within};
use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{Kind, flags};
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{Shutdown, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

/// A type that no RFC uses.
const OWN: u8 = 0xf0;

fn config() -> Config {
    Config {
        frames: vec![OWN, 10],
        settings: vec![(0xf00d, 7), (4, 1)],
        ..Config::default()
    }
}

fn server_of_own(script: &Script) -> Outcome {
    play_to(
        |now| Session::server(Limits::default(), now).configured(config()),
        |_, _| (),
        &[script],
    )
}

/// "Implementations MUST ignore unknown or unsupported values in all extensible protocol elements. Implementations MUST
/// discard frames that have unknown or unsupported types."
#[test]
fn unknown_frames_are_discarded_on_any_stream() {
    let mut script = Script::client();
    for stream in [0, 1, 2, 3, 0x7fff_ffff] {
        script = script.raw(Kind::Unknown(OWN), 0xff, stream, b"anything");
    }
    let outcome = serve(&script.head(1, GET, true));
    assert_eq!((outcome.failure(), outcome.requests()), (None, vec![1]));
    assert!(outcome.resets().is_empty());
}

/// "However, extension frames that appear in the middle of a field block (Section 4.3) are not permitted; these MUST be
/// treated as a connection error of type PROTOCOL_ERROR." The caller's own as well.
#[test]
fn no_extension_interrupts_a_field_block() {
    for stream in [0, 1] {
        let script = Script::client().begin_block(1, &block(GET), true).raw(
            Kind::Unknown(OWN),
            0,
            stream,
            b"x",
        );
        serve(&script).assert_failed(Violation::BlockInterrupted, Code::Protocol);
        server_of_own(&script).assert_failed(Violation::BlockInterrupted, Code::Protocol);
    }
}

/// Not in the RFC: frames that serve nobody are counted.
#[test]
fn a_flood_of_unknown_frames_ends_the_connection() {
    let limits = Limits {
        glitches: Rate {
            burst: 10,
            per_second: 1,
        },
        ..Limits::default()
    };
    let mut script = Script::client();
    for _ in 0..12 {
        script = script.raw(Kind::Unknown(OWN), 0, 0, b"");
    }
    serve_within(limits, &script).assert_failed(Violation::TooManyGlitches, Code::EnhanceYourCalm);
}

/// [`Config::frames`]: types of the caller's arrive whole, with all that their header says; ALTSVC may be one.
#[test]
fn own_frames_are_told_whole() {
    let outcome = server_of_own(
        &Script::client()
            .raw(Kind::Unknown(OWN), 0x5a, 7, b"first")
            .raw(Kind::Unknown(OWN), 0, 0, b"")
            .raw(Kind::AltSvc, 1, 3, b"no such thing")
            .raw(Kind::Unknown(OWN + 1), 0, 0, b"another's"),
    );
    assert_eq!(
        outcome.told,
        [
            Told::Frame(7, OWN, 0x5a, Bytes::from("first")),
            Told::Frame(0, OWN, 0, Bytes::new()),
            Told::Frame(3, 10, 1, Bytes::from("no such thing")),
        ]
    );
}

/// Section 4.2: the largest frame bounds the caller's own, too.
#[test]
fn own_frames_are_bounded() {
    let largest = vec![7; 16_384];
    let script = Script::client().raw(Kind::Unknown(OWN), 0, 0, &largest);
    assert_eq!(
        server_of_own(&script).told,
        [Told::Frame(0, OWN, 0, Bytes::from(largest))]
    );
    let script = Script::client().raw(Kind::Unknown(OWN), 0, 0, &vec![7; 16_385]);
    server_of_own(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
}

#[test]
fn own_frames_are_sent_as_they_are() {
    for seed in 0..4 {
        let now = Instant::now();
        let client = Session::client(Limits::default(), now).configured(config());
        let server = Session::server(Limits::default(), now).configured(config());
        let mut pair = Pair::new(client, server, now).cut_at_random(seed);
        let session = &mut pair.client.session;
        session.send_frame(5, OWN, 9, &b"there"[..]).unwrap();
        let session = &mut pair.server.session;
        session.send_frame(0, OWN, 0, vec![1; 16_384]).unwrap();
        pair.settle();
        let there = Told::Frame(5, OWN, 9, Bytes::from("there"));
        assert_eq!(pair.server.told, [there]);
        let back = Told::Frame(0, OWN, 0, Bytes::from(vec![1; 16_384]));
        assert_eq!(pair.client.told, [back]);
    }
}

#[test]
fn only_frames_that_the_session_does_not_send_itself_are_sent() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    let session = &mut server.session;
    for kind in 0..=9 {
        assert_eq!(
            session.send_frame(0, kind, 0, Bytes::new()),
            Err(UsageError::Reserved)
        );
    }
    let refused = session.send_frame(1 << 31, OWN, 0, Bytes::new());
    assert_eq!(refused, Err(UsageError::NoSuchStream));
    let refused = session.send_frame(0, OWN, 0, vec![0; 16_385]);
    assert_eq!(refused, Err(UsageError::TooLarge));
    // A peer that takes less than it did: what does not fit any more stays behind.
    server.feed(now, &Script::default().settings(&[(5, 20_000)]).0);
    server
        .session
        .send_frame(0, OWN, 0, vec![0; 20_000])
        .unwrap();
    server.feed(now, &Script::default().settings(&[(5, 16_384)]).0);
    let sent = frames(&server.flush(now));
    assert!(sent.iter().all(|sent| sent.header.kind == Kind::Settings));
    server.session.shutdown(now, Shutdown::Now(Code::NoError));
    let refused = server.session.send_frame(0, OWN, 0, Bytes::new());
    assert_eq!(refused, Err(UsageError::ShuttingDown));
}

/// Section 6.5.2: settings that nobody knows are ignored by the session, and can be read by its caller.
#[test]
fn settings_of_the_peers_own_can_be_read() {
    let script = Script::client()
        .settings(&[(0xf00d, 1), (7, 2), (0xf00d, 3), (6, 1000), (3, 9)])
        .settings(&[(7, 4)]);
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    assert_eq!(server.session.peer_setting(6), Some(u32::MAX));
    server.feed(now, &script.0);
    let known = [0xf00d, 7, 6, 3, 1, 2, 4, 5, 0xbeef];
    assert_eq!(
        known.map(|identifier| server.session.peer_setting(identifier)),
        [
            Some(3),
            Some(4),
            Some(1000),
            Some(9),
            Some(4096),
            Some(1),
            Some(65_535),
            Some(16_384),
            None
        ]
    );
    assert_eq!(server.session.unknown_settings(), [(0xf00d, 3), (7, 4)]);
}

/// However many there are, only so many are kept, and each entry beyond a few counts as a glitch.
#[test]
fn settings_that_nobody_knows_are_kept_within_a_bound() {
    let many: Vec<_> = (0..100).map(|at| (0x100 + at, u32::from(at))).collect();
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    server.feed(now, &Script::client().settings(&many).0);
    let kept = many
        .iter()
        .filter(|(identifier, _)| server.session.peer_setting(*identifier).is_some());
    assert_eq!(kept.count(), 32);
    assert_eq!(server.session.unknown_settings(), &many[..32]);
    assert_eq!(server.failure(), None);
}

/// [`Config::settings`]: the caller's own are announced, and do not touch those of the session.
#[test]
fn own_settings_are_announced() {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now).configured(config());
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    pair.settle();
    let server = &pair.server.session;
    assert_eq!(server.peer_setting(0xf00d), Some(7));
    assert_eq!(
        server.peer_setting(4),
        Some(Limits::default().stream_window)
    );
    assert_eq!(pair.client.session.setting(0xf00d), Some(7));
}

/// Flags without a meaning are ignored (section 4.1): the session's own frames take no notice.
#[test]
fn unknown_flags_are_ignored() {
    let script = Script::client().raw(Kind::Ping, !flags::ACK, 0, &[3; 8]);
    let outcome = serve(&script);
    assert_eq!(outcome.of_kind(Kind::Ping).len(), 1);
}
