//! Flow control beyond its rules: windows that grow with the link, credit by hand, and clients that hardly read. The
//! rules themselves are in `rfc9113/s6_9_window.rs`.

mod credit;
mod growth;
mod patience;

use bytes::Bytes;
use std::time::{Duration, Instant};
use thalweg_proto::h2::frame::Kind;
use thalweg_proto::h2::trace::{Direction, Entry};
use thalweg_proto::h2::{Config, Session, Window};
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::link::{Carries, Link};

/// A client that uploads to a server that takes all at once.
type Uploads = Link<Session, Session>;

/// A request that nothing is wrong with.
fn a_request(method: &[u8]) -> Request {
    Request::new(method)
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

/// A link of so many bits a second, so long a round trip and so many octets of queue, after the first SETTINGS.
fn link(limits: Limits, bits: u64, round_trip: Duration, queue: u64, window: Window) -> Uploads {
    let now = Instant::now();
    let carries = Carries {
        rate: bits / 8,
        delay: round_trip / 2,
        queue: queue as usize,
    };
    let config = Config {
        window,
        ..Config::default()
    };
    let client = Session::client(Limits::default(), now);
    let server = Session::server(limits, now).configured(config);
    let mut link = Link::new(client, server, now, carries);
    link.server.keeps = false;
    link.run(4 * round_trip);
    link
}

/// 1 Gbit/s and 50 ms.
fn gigabit(window: Window) -> Uploads {
    let round_trip = Duration::from_millis(50);
    link(
        Limits::default(),
        1_000_000_000,
        round_trip,
        256 << 10,
        window,
    )
}

/// The same, with a trace of what the server sends.
fn traced_gigabit(window: Window) -> Uploads {
    let mut link = gigabit(window);
    link.server.session = link.server.session.traced();
    link
}

/// Begins an upload that is too long to end in the test.
fn upload(link: &mut Uploads) -> StreamId {
    let id = link.client.session.open(a_request(b"POST"), false).unwrap();
    let piece = Bytes::from_static(&[0; 1 << 20]);
    for _ in 0..2000 {
        link.client.say(id, piece.clone(), false);
    }
    id
}

/// How many PINGs the server sends in so many tenths of a second.
fn pings(link: &mut Uploads, tenths: u32) -> usize {
    let mut pings = 0;
    for _ in 0..tenths {
        link.run(Duration::from_millis(100));
        pings += pings_so_far(link);
    }
    pings
}

fn pings_so_far(link: &mut Uploads) -> usize {
    std::iter::from_fn(|| link.server.session.next_trace())
        .filter(|entry| {
            matches!(entry, Entry::Unit(unit)
                if unit.header.kind == Kind::Ping && unit.direction == Direction::Sent)
        })
        .count()
}
