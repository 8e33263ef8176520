//! Windows that grow with the link, on links that take no real time ([`thalweg_testkit::link`]).

use crate::{Uploads, gigabit, link, pings, traced_gigabit, upload};
use std::time::Duration;
use thalweg_proto::error::Violation;
use thalweg_proto::h2::Window;
use thalweg_proto::h2::frame::Frame;
use thalweg_proto::head::Response;
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{StreamId, Streams};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// How much of the link's rate went into octets of these streams, over a time: 1 is all of it.
fn share(link: &mut Uploads, ids: &[StreamId], bits: u64, time: Duration) -> f64 {
    let heard = |link: &Uploads| ids.iter().map(|id| link.server.heard_of(*id)).sum::<u64>();
    let before = heard(link);
    link.run(time);
    let octets = heard(link) - before;
    octets as f64 * 8.0 / (bits as f64 * time.as_secs_f64())
}

fn sizes(link: &Uploads, id: StreamId) -> (u64, u64) {
    let size = |on| u64::from(link.server.session.windows(on).unwrap().size);
    (size(Some(id)), size(None))
}

/// 1 Gbit/s and a round trip of 50 ms hold 6 MB.
#[test]
fn one_upload_fills_a_long_fast_link_within_16_mib() {
    let mut link = gigabit(Window::Automatic);
    let id = upload(&mut link);
    let in_all = share(&mut link, &[id], 1_000_000_000, 10 * SECOND);
    assert!(in_all >= 0.9, "{in_all}");
    let at_last = share(&mut link, &[id], 1_000_000_000, SECOND);
    assert!(at_last >= 0.98, "{at_last}");
    let (stream, connection) = sizes(&link, id);
    assert!(stream <= 12 * MIB, "{stream}");
    assert!(connection <= 16 * MIB, "{connection}");
}

/// A client's windows grow as well.
#[test]
fn one_download_fills_a_long_fast_link() {
    let mut link = gigabit(Window::Automatic);
    link.client.keeps = false;
    let id = link.client.session.open(crate::a_request(b"GET"), true);
    let id = id.unwrap();
    link.run(SECOND / 10);
    let session = &mut link.server.session;
    session.respond(id, Response::new(200), false).unwrap();
    for _ in 0..1000 {
        let piece = bytes::Bytes::from_static(&[0; 1 << 20]);
        link.server.say(id, piece, false);
    }
    link.run(SECOND);
    let before = link.client.heard_of(id);
    link.run(2 * SECOND);
    let share = (link.client.heard_of(id) - before) as f64 / 250e6;
    assert!(share >= 0.9, "{share}");
}

/// What the windows are for: with those that stay as they are the same link is nearly empty.
#[test]
fn one_upload_in_a_fixed_window_does_not() {
    let mut link = gigabit(Window::Fixed);
    let id = upload(&mut link);
    let in_all = share(&mut link, &[id], 1_000_000_000, 2 * SECOND);
    assert!(in_all <= 0.05, "{in_all}");
    assert_eq!(sizes(&link, id), (256 * KIB, 8 * MIB));
}

#[test]
fn ten_uploads_share_a_long_fast_link_within_16_mib() {
    let mut link = gigabit(Window::Automatic);
    let ids: Vec<_> = (0..10).map(|_| upload(&mut link)).collect();
    link.run(SECOND);
    let before: Vec<_> = ids.iter().map(|id| link.server.heard_of(*id)).collect();
    let in_all = share(&mut link, &ids, 1_000_000_000, 5 * SECOND);
    assert!(in_all >= 0.95, "{in_all}");
    let mut extra = 0;
    for (id, before) in ids.iter().zip(before) {
        let part = (link.server.heard_of(*id) - before) as f64 / (5.0 * 125e6);
        assert!((0.05..0.2).contains(&part), "{id}: {part}");
        extra += sizes(&link, *id).0 - 256 * KIB;
    }
    assert!(extra <= 12 * MIB, "{extra}");
    assert!(sizes(&link, ids[0]).1 <= 16 * MIB);
}

/// The link, and not the window, is what slows the peer down; a deep queue before it changes nothing.
#[test]
fn the_windows_of_a_slow_link_stay_as_they_are() {
    for queue in [64 * KIB, 4 * MIB] {
        let limits = Limits::default();
        let round_trip = Duration::from_millis(50);
        let mut link = link(limits, 10_000_000, round_trip, queue, Window::Automatic);
        let id = upload(&mut link);
        let in_all = share(&mut link, &[id], 10_000_000, 20 * SECOND);
        assert!(in_all >= 0.95, "{in_all}");
        assert_eq!(sizes(&link, id), (256 * KIB, 8 * MIB));
    }
}

/// Credit returns only when octets are taken: a stream that nobody reads holds its window and no more.
#[test]
fn a_stream_that_nobody_reads_keeps_its_window() {
    let mut link = traced_gigabit(Window::Automatic);
    link.server.takes = false;
    let id = upload(&mut link);
    assert_eq!(pings(&mut link, 50), 0);
    assert_eq!(link.server.heard_of(id), 256 * KIB);
    assert_eq!(sizes(&link, id), (256 * KIB, 8 * MIB));
}

/// A consumer that takes one MiB a second.
#[test]
fn a_stream_that_is_read_slowly_keeps_its_window() {
    let mut link = gigabit(Window::Automatic);
    link.server.takes = false;
    let id = upload(&mut link);
    let (mut may, mut taken) = (0, 0);
    for _ in 0..1000 {
        link.run(SECOND / 100);
        may += MIB / 100;
        let more = may.min(link.server.heard_of(id) - taken);
        link.server.session.taken(id, more as usize);
        (may, taken) = (may - more, taken + more);
    }
    assert!(taken >= 9 * MIB, "{taken}");
    assert_eq!(sizes(&link, id), (256 * KIB, 8 * MIB));
}

/// One whose window has grown and that nobody reads any more leaves a quarter of the memory to the others.
#[test]
fn a_large_window_that_fills_up_leaves_room_for_other_streams() {
    let mut link = gigabit(Window::Automatic);
    let stopped = upload(&mut link);
    link.run(3 * SECOND);
    let (window, _) = sizes(&link, stopped);
    assert!(window > 8 * MIB, "{window}");
    link.server.takes = false;
    let (before, now) = (link.server.heard_of(stopped), link.now);
    let other = upload(&mut link);
    let mut taken = 0;
    link.run_until(now + 5 * SECOND, |link| {
        let heard = link.server.heard_of(other);
        link.server.session.taken(other, (heard - taken) as usize);
        taken = heard;
        false
    });
    let held = link.server.heard_of(stopped) - before;
    assert!(
        held <= window,
        "{held} octets are held in a window of {window}"
    );
    assert!(
        taken >= 20 * MIB,
        "the other one got {taken} octets through"
    );
}

/// PINGs are a question that costs the peer something.
#[test]
fn few_pings_are_sent_while_windows_grow_and_hardly_any_after() {
    let mut link = traced_gigabit(Window::Automatic);
    assert_eq!(pings(&mut link, 50), 0, "without a stream");
    let short = link.client.session.open(crate::a_request(b"POST"), false);
    link.client.say(short.unwrap(), vec![0; 200 << 10], true);
    assert_eq!(pings(&mut link, 10), 0, "a body that fits into its window");
    upload(&mut link);
    let growing = pings(&mut link, 20);
    assert!((1..=25).contains(&growing), "{growing}");
    let after = pings(&mut link, 70);
    assert!(after <= 3, "{after}");
}

/// Where the round trip is short nothing is gained by larger windows.
#[test]
fn the_windows_of_a_near_peer_stay_small() {
    let limits = Limits::default();
    let round_trip = Duration::from_millis(1);
    let mut link = link(
        limits,
        1_000_000_000,
        round_trip,
        256 * KIB,
        Window::Automatic,
    );
    let id = upload(&mut link);
    let in_all = share(&mut link, &[id], 1_000_000_000, 2 * SECOND);
    assert!(in_all >= 0.95, "{in_all}");
    let (stream, connection) = sizes(&link, id);
    assert!(stream <= 512 * KIB, "{stream}");
    assert_eq!(connection, 8 * MIB);
}

/// The bound is the caller's: where it leaves nothing to grow, nothing grows.
#[test]
fn no_window_grows_beyond_its_limit() {
    let limits = Limits {
        connection_window: 1 << 20,
        largest_window: 2 << 20,
        ..Limits::default()
    };
    let round_trip = Duration::from_millis(50);
    let mut link = link(
        limits,
        1_000_000_000,
        round_trip,
        256 * KIB,
        Window::Automatic,
    );
    let ids: Vec<_> = (0..3).map(|_| upload(&mut link)).collect();
    let in_all = share(&mut link, &ids, 1_000_000_000, 5 * SECOND);
    let most = 2.0 * MIB as f64 / (125e6 * 0.05);
    assert!(in_all <= most, "{in_all} of {most}");
    assert!(sizes(&link, ids[0]).1 <= 2 * MIB);
    let extra: u64 = ids.iter().map(|id| sizes(&link, *id).0 - 256 * KIB).sum();
    assert!(extra <= 2 * MIB * 3 / 4, "{extra}");
}

/// Nobody but the peer knows when it has got our PING: an answer to none is counted against it.
#[test]
fn answers_to_pings_that_were_not_sent_are_glitches() {
    let limits = Limits {
        glitches: Rate {
            burst: 10,
            per_second: 0,
        },
        ..Limits::default()
    };
    let round_trip = Duration::from_millis(50);
    let mut link = link(
        limits,
        1_000_000_000,
        round_trip,
        256 * KIB,
        Window::Automatic,
    );
    upload(&mut link);
    link.run(2 * SECOND);
    assert_eq!(
        link.server.failure(),
        None,
        "answers to its own PINGs are none"
    );
    let mut forged = Vec::new();
    Frame::PingAck(*b"grow\0\0\0\x01").write(0, &mut forged);
    let mut fed = 0;
    while link.server.failure().is_none() {
        link.server.feed(link.now, &forged);
        fed += 1;
    }
    let failure = link.server.failure().map(|error| error.why);
    assert_eq!(failure, Some(Violation::TooManyGlitches));
    assert!((8..=11).contains(&fed), "each one counts: {fed}");
}
