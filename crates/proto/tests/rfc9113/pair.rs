//! A client and a server of ours, with whole exchanges between them. Each end judges the other: a window overrun,
//! a cut frame or a frame out of place would end the connection.

use crate::wire::{a_request, octets, open_requests};
use std::time::Instant;
use thalweg_proto::h2::Session;
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Finish, Session as _, Shutdown, StreamId, Streams};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

fn pair(limits: &Limits) -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(limits.clone(), now);
    let mut pair = Pair::new(client, Session::server(limits.clone(), now), now);
    pair.settle();
    pair
}

#[test]
fn a_get_is_answered_with_a_body() {
    for seed in 0..8 {
        let mut pair = pair(&Limits::default()).cut_at_random(seed);
        let id = pair.client.session.open(a_request("GET"), true).unwrap();
        pair.settle();
        let [Told::Request(at_server, head, true)] = &pair.server.told[..] else {
            panic!("{:?}", pair.server.told);
        };
        assert_eq!(head.authority(), Some(&b"example.org"[..]));
        let at_server = *at_server;
        let head = Response::new(200).with_field(b"content-length", b"1024");
        pair.server.session.respond(at_server, head, false).unwrap();
        pair.server.say(at_server, vec![b'x'; 1024], true);
        pair.settle();
        assert_eq!(pair.client.data_of(id), vec![b'x'; 1024]);
        assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
        assert_eq!(pair.server.told.last(), Some(&Told::Finished(at_server)));
        assert_eq!(pair.server.session.open_streams(), 0);
    }
}

/// Ten streams, each 1 MiB up and 2 MiB down at once, through windows and frames of several sizes.
#[test]
fn mebibytes_cross_both_ways_on_many_streams() {
    for (seed, limits) in [
        Limits::default(),
        Limits {
            stream_window: 1000,
            connection_window: 65_535,
            ..Limits::default()
        },
        Limits {
            frame: 100_000,
            table: 0,
            ..Limits::default()
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mut pair = pair(&limits).cut_at_random(seed as u64);
        let up: Vec<StreamId> = (0..10)
            .map(|_| pair.client.session.open(a_request("POST"), false).unwrap())
            .collect();
        pair.settle();
        for id in open_requests(&pair.server) {
            let server = &mut pair.server.session;
            server.respond(id, Response::new(200), false).unwrap();
            pair.server.say(id, octets(2 << 20), true);
        }
        for id in &up {
            pair.client.say(*id, octets(1 << 20), true);
        }
        pair.settle();
        for id in &up {
            assert_eq!(pair.client.data_of(*id), octets(2 << 20));
            assert!(pair.client.told.contains(&Told::Finished(*id)));
        }
        for id in open_requests(&pair.server) {
            assert_eq!(pair.server.data_of(id), octets(1 << 20));
            assert!(pair.server.told.contains(&Told::Finished(id)));
        }
        assert_eq!((pair.client.failure(), pair.server.failure()), (None, None));
    }
}

/// A thousand requests after each other: numbers rise, slots are used again, tables fill.
#[test]
fn many_exchanges_follow_each_other() {
    let mut pair = pair(&Limits::default());
    for round in 0..1000_u32 {
        let field = format!("value-{}", round % 70);
        let head = a_request("GET").with_field(b"x-any", field.as_bytes());
        let id = pair.client.session.open(head, true).unwrap();
        assert_eq!(id.number(), u64::from(2 * round + 1));
        pair.settle();
        let Some(Told::Request(at_server, head, true)) = pair.server.told.last() else {
            panic!("{:?}", pair.server.told.last());
        };
        assert_eq!(head.fields.first(b"x-any"), Some(field.as_bytes()));
        let answer = Response::new(200).with_field(b"x-any", field.as_bytes());
        let at_server = *at_server;
        pair.server
            .session
            .respond(at_server, answer, true)
            .unwrap();
        pair.settle();
        assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
    }
}

/// Both ends stop gracefully at once, with streams open.
#[test]
fn both_ends_stop_when_their_streams_have_finished() {
    let mut pair = pair(&Limits::default());
    let id = pair.client.session.open(a_request("GET"), true).unwrap();
    pair.settle();
    let now = pair.now;
    pair.client.session.shutdown(now, Shutdown::Graceful);
    pair.server.session.shutdown(now, Shutdown::Graceful);
    pair.settle();
    assert_eq!(pair.client.session.wants().end, Finish::No);
    let at_server = open_requests(&pair.server)[0];
    pair.server
        .session
        .respond(at_server, Response::new(204), true)
        .unwrap();
    pair.settle();
    assert!(pair.client.told.contains(&Told::Finished(id)));
    let ends = [
        pair.client.session.wants().end,
        pair.server.session.wants().end,
    ];
    assert_eq!(ends, [Finish::Linger, Finish::Linger]);
}

/// An idle connection is to cost 2 KiB in the whole process: the session has no more than its own size.
#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 1400, "{}", size_of::<Session>());
}
