//! What a library needs that calls its users back: each frame when it begins and when it is complete, one at a time.

use crate::{a_request, entries, traced_pair, units};
use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::Code;
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header, Kind};
use thalweg_proto::h2::trace::{Begins, Direction, Entry};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Event, Session as _, Streams};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

/// No two frames of one read are dealt with in one step: between any two of them commands can be given.
#[test]
fn a_step_goes_no_further_than_one_frame() {
    let now = Instant::now();
    let (mut client, mut server) = traced_pair(now);
    client.open(a_request(b"GET"), true).unwrap();
    client.open(a_request(b"GET"), true).unwrap();
    let mut out = thalweg_proto::session::Gather::new(1 << 16);
    while client.send(now, &mut out) == thalweg_proto::session::Output::Frame {}
    let octets = out.to_vec();
    let (mut rest, mut seen) = (&octets[..], Vec::new());
    loop {
        let received = server.recv(now, rest).unwrap();
        rest = &rest[received.consumed..];
        let mut begun = 0;
        while let Some(entry) = server.next_trace() {
            match entry {
                Entry::Begun { .. } => begun += 1,
                Entry::Unit(unit) => seen.push(format!("{:?}", unit.header.kind)),
                other => panic!("{other:?}"),
            }
        }
        assert!(begun <= 1, "two frames began in one step");
        match received.event {
            None => break,
            Some(Event::Traced) => {}
            Some(Event::Request { id, .. }) => seen.push(format!("request {id}")),
            Some(other) => panic!("{other:?}"),
        }
    }
    let expected = [
        "Settings",
        "WindowUpdate",
        "Headers",
        "request 1",
        "Headers",
        "request 3",
    ];
    assert_eq!(seen, expected);
}

/// Both ends see the same frames, with the octets of DATA and the mark of lines that must not be indexed.
#[test]
fn both_ends_see_the_same_frames() {
    let now = Instant::now();
    let (client, server) = traced_pair(now);
    let mut pair = Pair::new(client, server, now);
    pair.settle();
    entries(&mut pair.client);
    entries(&mut pair.server);
    let request = a_request(b"POST").with_field(b"authorization", b"Basic c2VjcmV0");
    let id = pair.client.session.open(request, false).unwrap();
    pair.client.say(id, vec![7; 40_000], true);
    pair.settle();
    let (sent, came) = (entries(&mut pair.client), entries(&mut pair.server));
    let data = |entries: &[Entry]| {
        let octets = |entry: &Entry| match entry {
            Entry::Data {
                octets, stream: 1, ..
            } => Some(octets.clone()),
            _ => None,
        };
        entries
            .iter()
            .filter_map(octets)
            .collect::<Vec<Bytes>>()
            .concat()
    };
    assert_eq!(data(&sent), vec![7; 40_000]);
    assert_eq!(data(&came), data(&sent));
    let begun = |entries: &[Entry], way: Direction| {
        let header = |entry: &Entry| match entry {
            Entry::Begun { direction, header } if *direction == way => Some(*header),
            _ => None,
        };
        entries.iter().filter_map(header).collect::<Vec<_>>()
    };
    assert_eq!(
        begun(&sent, Direction::Sent),
        begun(&came, Direction::Received)
    );
    assert_eq!(
        begun(&sent, Direction::Received),
        begun(&came, Direction::Sent)
    );
    let heads = [sent, came].map(|entries| units(entries).remove(0));
    for head in &heads {
        assert_eq!(head.begins, Some(Begins::Request));
        let line = head.lines.last().unwrap();
        assert_eq!(
            (&line.name[..], line.never_index),
            (&b"authorization"[..], true)
        );
    }
    assert_eq!(heads[0].lines, heads[1].lines);
    assert_eq!(heads[0].payload, heads[1].payload);
}

/// A head of several frames is one unit: the sum of their lengths, and all lines.
#[test]
fn a_head_in_several_frames_is_one_unit() {
    let now = Instant::now();
    let (client, server) = traced_pair(now);
    let mut pair = Pair::new(client, server, now);
    let request = a_request(b"GET").with_field(b"x-long", &[b'~'; 30_000]);
    pair.client.session.open(request, true).unwrap();
    pair.settle();
    for end in [&mut pair.client, &mut pair.server] {
        let entries = entries(end);
        let lengths: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Begun { header, .. }
                    if matches!(header.kind, Kind::Headers | Kind::Continuation) =>
                {
                    Some(header.length)
                }
                _ => None,
            })
            .collect();
        assert!(lengths.len() > 1);
        let unit = units(entries)
            .into_iter()
            .find(|unit| unit.header.kind == Kind::Headers)
            .unwrap();
        assert_eq!(unit.header.length, lengths.iter().sum::<u32>());
        assert!(
            unit.header
                .has(thalweg_proto::h2::frame::flags::END_HEADERS)
        );
        assert_eq!(unit.lines.last().unwrap().value.len(), 30_000);
        assert_eq!(unit.payload.len(), 16_384);
    }
}

/// The first head of an answer is told from those after it, for as many streams as there are.
#[test]
fn the_head_that_begins_an_answer_is_told_from_those_after_it() {
    let now = Instant::now();
    let (client, server) = traced_pair(now);
    let mut pair = Pair::new(client, server, now);
    for _ in 0..3 {
        pair.client.session.open(a_request(b"GET"), true).unwrap();
    }
    pair.settle();
    let requests: Vec<_> = pair
        .server
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Request(id, ..) => Some(*id),
            _ => None,
        })
        .collect();
    for id in &requests {
        let session = &mut pair.server.session;
        session.respond(*id, Response::new(103), false).unwrap();
    }
    for id in &requests {
        let session = &mut pair.server.session;
        session.respond(*id, Response::new(204), true).unwrap();
    }
    pair.settle();
    let begins = |units: Vec<thalweg_proto::h2::trace::Unit>| {
        units
            .into_iter()
            .filter(|unit| unit.header.kind == Kind::Headers)
            .map(|unit| unit.begins)
            .collect::<Vec<_>>()
    };
    let request = [Some(Begins::Request); 3];
    let first = [Some(Begins::Response); 3];
    let expected = [&request[..], &first[..], &[None; 3]].concat();
    assert_eq!(begins(units(entries(&mut pair.client))), expected);
    assert_eq!(begins(units(entries(&mut pair.server))), expected);
}

/// What the units hold is what stands on the wire.
#[test]
fn the_payloads_are_those_of_the_wire() {
    let now = Instant::now();
    let (_, server) = traced_pair(now);
    let mut caller = thalweg_testkit::caller::Caller::new(server);
    let octets = caller.flush(now);
    let mut rest = &octets[..];
    for unit in units(entries(&mut caller)) {
        let (header, after) = rest.split_first_chunk::<HEADER_LEN>().unwrap();
        assert_eq!(Header::parse(*header), unit.header);
        let (payload, after) = after.split_at(unit.header.length as usize);
        assert_eq!(payload, unit.payload);
        assert_eq!(unit.frame(), Frame::parse(unit.header, payload).ok());
        rest = after;
    }
    assert!(rest.is_empty());
}

/// A session that is not traced makes nothing.
#[test]
fn there_is_no_trace_unless_it_is_asked_for() {
    let now = Instant::now();
    let limits = Limits::default();
    let session = |server| {
        if server {
            Session::server(limits.clone(), now)
        } else {
            Session::client(limits.clone(), now)
        }
    };
    let mut pair = Pair::new(session(false), session(true), now);
    pair.client.session.open(a_request(b"GET"), true).unwrap();
    pair.settle();
    assert_eq!(entries(&mut pair.server), []);
    assert_eq!(entries(&mut pair.client), []);
}

/// A head whose stream has ended before it left is told as one that never will.
#[test]
fn heads_that_never_leave_are_told() {
    let now = Instant::now();
    let (client, server) = traced_pair(now);
    let mut pair = Pair::new(client, server, now);
    let id = pair.client.session.open(a_request(b"GET"), true).unwrap();
    pair.client.session.reset(id, Code::Cancel);
    pair.settle();
    let unsent = |entries: Vec<Entry>| {
        let told = |entry| match entry {
            Entry::Unsent { kind, stream } => Some((kind, stream)),
            _ => None,
        };
        entries.into_iter().filter_map(told).collect::<Vec<_>>()
    };
    assert_eq!(unsent(entries(&mut pair.client)), [(Kind::Headers, 1)]);
    let id = pair.client.session.open(a_request(b"GET"), true).unwrap();
    pair.settle();
    assert_eq!(unsent(entries(&mut pair.client)), []);
    let session = &mut pair.server.session;
    session.respond(id, Response::new(204), true).unwrap();
    session.reset(id, Code::Cancel);
    pair.settle();
    assert_eq!(unsent(entries(&mut pair.server)), [(Kind::Headers, 3)]);
}

/// The peer may use a larger table than at first, once that was announced and agreed to: blocks are readable still.
#[test]
fn a_table_that_was_announced_later_is_read_too() {
    let now = Instant::now();
    let table = 1 << 16;
    let limits = Limits {
        table,
        ..Limits::default()
    };
    let server = Session::server(Limits::default(), now).traced();
    let mut pair = Pair::new(Session::client(limits, now), server, now);
    pair.settle();
    pair.server.session.announce(&[(1, table)]).unwrap();
    pair.settle();
    entries(&mut pair.server);
    for _ in 0..2 {
        let get = a_request(b"GET").with_field(b"x-again", b"and again");
        pair.client.session.open(get, true).unwrap();
        pair.settle();
        let units = units(entries(&mut pair.server));
        let head = units.iter().find(|unit| unit.header.kind == Kind::Headers);
        let names = head.unwrap().lines.iter().map(|line| line.name.clone());
        let last = names.last();
        assert_eq!(last.as_deref(), Some(&b"x-again"[..]));
    }
}
