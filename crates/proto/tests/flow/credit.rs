//! Credit by hand ([`Window::Manual`]), windows that the caller sizes, and what can be asked about them.

use crate::a_request;
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{HEADER_LEN, Header, Kind, flags};
use thalweg_proto::h2::{Config, Session, Window};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Session as _, StreamId, Streams};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

/// Streams of 100 000 octets in a connection of 150 000; the client sends what it may.
fn limits() -> Limits {
    Limits {
        stream_window: 100_000,
        connection_window: 150_000,
        largest_window: 400_000,
        ..Limits::default()
    }
}

/// A pair whose client has a body of 300 000 octets to send, and the stream as the server knows it.
fn upload(window: Window) -> (Pair<Session, Session>, StreamId) {
    let now = Instant::now();
    let config = Config {
        window,
        ..Config::default()
    };
    let server = Session::server(limits(), now).configured(config);
    let mut pair = Pair::new(Session::client(Limits::default(), now), server, now);
    pair.settle();
    let id = pair.client.session.open(a_request(b"POST"), false).unwrap();
    pair.client.say(id, vec![0; 300_000], false);
    pair.settle();
    let Some(Told::Request(id, ..)) = pair.server.told.first() else {
        panic!("no request came");
    };
    let id = *id;
    (pair, id)
}

fn heard(pair: &mut Pair<Session, Session>, id: StreamId) -> u64 {
    pair.settle();
    pair.server.heard_of(id)
}

/// Nothing that the session does by itself opens a window, whatever is taken.
#[test]
fn only_the_caller_gives_credit() {
    let (mut pair, id) = upload(Window::Manual);
    assert_eq!(heard(&mut pair, id), 100_000);
    pair.server.session.taken(id, 100_000);
    assert_eq!(heard(&mut pair, id), 100_000);
    pair.server.session.credit(Some(id), 70_000).unwrap();
    assert_eq!(heard(&mut pair, id), 150_000, "the connection is full");
    pair.server.session.credit(None, 10_000).unwrap();
    assert_eq!(heard(&mut pair, id), 160_000);
    pair.server.session.credit(None, 100_000).unwrap();
    assert_eq!(heard(&mut pair, id), 170_000, "the stream is full");
}

/// What came, what is owed and what may be sent, as the caller's own accounts need it.
#[test]
fn the_windows_can_be_asked_for() {
    let (mut pair, id) = upload(Window::Manual);
    let stream = pair.server.session.windows(Some(id)).unwrap();
    assert_eq!(
        (stream.size, stream.left, stream.untaken),
        (100_000, 0, 100_000)
    );
    assert_eq!((stream.owed, stream.send), (0, 262_144));
    let connection = pair.server.session.windows(None).unwrap();
    assert_eq!((connection.size, connection.left), (150_000, 50_000));
    assert_eq!(connection.untaken, 100_000);
    pair.server.session.credit(Some(id), 30_000).unwrap();
    let stream = pair.server.session.windows(Some(id)).unwrap();
    assert_eq!((stream.untaken, stream.owed), (70_000, 30_000));
    let client = pair.client.session.windows(Some(id)).unwrap();
    assert_eq!(client.send, 0);
    assert_eq!(heard(&mut pair, id), 130_000);
    let gone = StreamId::new(99, 0);
    assert_eq!(pair.server.session.windows(Some(gone)), None);
    let refused = pair.server.session.credit(Some(gone), 1);
    assert_eq!(refused, Err(UsageError::NoSuchStream));
}

/// Credit beyond what has come makes the window larger, up to the limit.
#[test]
fn credit_in_advance_makes_a_window_larger_up_to_its_limit() {
    let (mut pair, id) = upload(Window::Manual);
    let session = &mut pair.server.session;
    assert_eq!(session.credit(Some(id), 200_000), Ok(()));
    assert_eq!(session.windows(Some(id)).unwrap().size, 200_000);
    let before = session.windows(Some(id));
    let refused = session.credit(Some(id), 200_001);
    assert_eq!(refused, Err(UsageError::WindowTooLarge));
    assert_eq!(session.windows(Some(id)), before, "nothing has changed");
    let refused = session.set_window(None, 400_001);
    assert_eq!(refused, Err(UsageError::WindowTooLarge));
    session.set_window(None, 400_000).unwrap();
    assert_eq!(heard(&mut pair, id), 300_000);
}

/// A larger window is told at once; a smaller one by less credit for what is taken.
#[test]
fn a_window_can_be_made_larger_and_smaller() {
    let (mut pair, id) = upload(Window::Fixed);
    assert_eq!(
        heard(&mut pair, id),
        300_000,
        "all of it is taken and credited"
    );
    let left = |pair: &Pair<Session, Session>, on| pair.server.session.windows(on).unwrap().left;
    let before = left(&pair, Some(id));
    pair.server.session.set_window(Some(id), 150_000).unwrap();
    pair.settle();
    assert_eq!(left(&pair, Some(id)), before + 50_000);
    pair.server.session.set_window(Some(id), 40_000).unwrap();
    pair.settle();
    assert_eq!(
        left(&pair, Some(id)),
        before + 50_000,
        "what was given stays"
    );
    pair.client.say(id, vec![0; 300_000], false);
    pair.settle();
    let windows = pair.server.session.windows(Some(id)).unwrap();
    assert_eq!(windows.size, 40_000);
    assert!((0..=40_000).contains(&windows.left), "{windows:?}");
    assert_eq!(pair.server.heard_of(id), 600_000);
}

/// The peer is held to a window that the caller sizes as to any other.
#[test]
fn more_than_a_manual_window_allows_is_an_error() {
    let (mut pair, id) = upload(Window::Manual);
    let header = Header {
        length: 1,
        kind: Kind::Data,
        flags: 0,
        stream: id.number() as u32,
    };
    let mut wire = header.octets().to_vec();
    wire.push(0);
    let now = pair.now;
    pair.server.feed(now, &wire);
    let reset = pair.server.told.iter().any(
        |told| matches!(told, Told::Reset(on, _, Some(Violation::WindowOverrun)) if *on == id),
    );
    assert!(reset, "{:?}", pair.server.told.last());
}

/// Nobody sees padding, so nobody could give credit for it.
#[test]
fn padding_is_credited_in_every_mode() {
    let (mut pair, id) = upload(Window::Manual);
    pair.server.session.credit(Some(id), 100_000).unwrap();
    pair.server.session.credit(None, 100_000).unwrap();
    pair.server.flush(pair.now);
    let header = Header {
        length: 201,
        kind: Kind::Data,
        flags: flags::PADDED,
        stream: id.number() as u32,
    };
    let mut wire = header.octets().to_vec();
    wire.push(200);
    wire.resize(HEADER_LEN + 201, 0);
    // The client does not know of it, so that the server alone is asked.
    let now = pair.now;
    let octets = 201 * 100;
    for _ in 0..100 {
        pair.server.feed(now, &wire);
        let windows = pair.server.session.windows(Some(id)).unwrap();
        assert_eq!(windows.untaken, 0);
    }
    let windows = pair.server.session.windows(Some(id)).unwrap();
    assert_eq!(windows.left + i64::from(windows.owed), 100_000);
    assert!(octets < 100_000 && pair.server.session.wants().read);
}

/// What comes of a frame after its stream has ended is seen by nobody either.
#[test]
fn the_rest_of_a_frame_whose_stream_ended_is_credited_in_every_mode() {
    let (mut pair, id) = upload(Window::Manual);
    pair.server.session.credit(Some(id), 100_000).unwrap();
    pair.server.session.credit(None, 100_000).unwrap();
    pair.server.flush(pair.now);
    let header = Header {
        length: 1000,
        kind: Kind::Data,
        flags: 0,
        stream: id.number() as u32,
    };
    let mut wire = header.octets().to_vec();
    wire.resize(HEADER_LEN + 1000, 0);
    let (seen, unseen) = wire.split_at(HEADER_LEN + 400);
    let now = pair.now;
    pair.server.feed(now, seen);
    pair.server.session.reset(id, Code::Cancel);
    pair.server.feed(now, unseen);
    let windows = pair.server.session.windows(None).unwrap();
    assert_eq!(windows.left + i64::from(windows.owed), 150_000 - 400);
    pair.server.session.credit(None, 400).unwrap();
    pair.server.flush(now);
    let windows = pair.server.session.windows(None).unwrap();
    assert_eq!((windows.left, windows.untaken), (150_000, 0));
}
