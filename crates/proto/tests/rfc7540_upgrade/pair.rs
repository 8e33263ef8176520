//! A client and a server of ours, from the offer on.

use crate::parties::{client_within, first, request, server};
use std::time::{Duration, Instant};
use thalweg_proto::h2c::Session;
use thalweg_proto::head::{Response, Version};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams as _;
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

fn pair(limits: Limits, seed: u64) -> Pair<Session, Session> {
    let now = Instant::now();
    let (client, server) = (client_within(limits, now).session, server(now).session);
    Pair::new(client, server, now).cut_at_random(seed)
}

/// Bodies of both kinds cross in any cut, through small windows, after an offer that was taken.
#[test]
fn both_ends_go_on_in_http_2() {
    for seed in 0..8 {
        let limits = Limits {
            stream_window: 1000,
            table: 1000 * seed as u32,
            ..Limits::default()
        };
        let mut pair = pair(limits, seed);
        let id = pair.client.session.open(request("GET"), true).unwrap();
        pair.settle();
        let head = Response::new(200).with_field(b"x-any", b"value");
        pair.server.session.respond(first(), head, false).unwrap();
        pair.server.say(first(), vec![b'x'; 100_000], true);
        let post = pair.client.session.open(request("POST"), false).unwrap();
        pair.client.say(post, vec![b'y'; 100_000], true);
        pair.settle();
        assert_eq!(pair.client.data_of(id), vec![b'x'; 100_000]);
        assert_eq!(pair.server.data_of(post), vec![b'y'; 100_000]);
        assert!(pair.client.told.contains(&Told::Finished(id)));
        assert!(pair.server.told.contains(&Told::Finished(first())));
        let versions = (pair.client.session.version(), pair.server.session.version());
        assert_eq!(versions, (Version::Http2, Version::Http2));
        assert_eq!((pair.client.failure(), pair.server.failure()), (None, None));
    }
}

/// Frames are traced from the first one on, on both sides.
#[test]
fn a_trace_begins_with_the_frames() {
    let now = Instant::now();
    let client = client_within(Limits::default(), now).session.traced();
    let mut pair = Pair::new(client, server(now).session.traced(), now);
    pair.client.session.open(request("GET"), true).unwrap();
    pair.settle();
    for caller in [&mut pair.client, &mut pair.server] {
        let session = &mut caller.session;
        let first = std::iter::from_fn(|| session.next_trace()).find_map(|entry| {
            let at = Duration::ZERO;
            let text = entry.text(at).to_string();
            text.contains("SETTINGS").then_some(text)
        });
        assert!(first.is_some());
    }
}

/// A request with content, and the next one, stay in HTTP/1.1 on both sides.
#[test]
fn both_ends_stay_in_http_1_1_where_there_is_no_offer() {
    let mut pair = pair(Limits::default(), 1);
    for body in ["one", "two"] {
        let id = pair.client.session.open(request("POST"), false).unwrap();
        pair.client.say(id, body, true);
        pair.settle();
        pair.server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
        pair.settle();
        assert_eq!(pair.server.data_of(id), body.as_bytes());
        assert!(pair.client.told.contains(&Told::Finished(id)));
    }
    assert_eq!(pair.server.session.version(), Version::Http11);
}
