//! Section 4.3: the block of a head that is the last one again is not made anew, and stays in step with the client's
//! table all the same.

use crate::wire::{GET, Script, frames, open_requests, server_after};
use std::time::{Duration, Instant};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::hpack::Decoder;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Caller;

/// A server and what its client has of it.
struct Exchange {
    server: Caller<Session>,
    now: Instant,
    decoder: Decoder,
    number: u32,
}

impl Exchange {
    fn new() -> Self {
        let (mut server, now) = server_after(Limits::default(), &Script::client());
        server.flush(now);
        Self {
            server,
            now,
            decoder: Decoder::new(4096),
            number: 1,
        }
    }

    /// Answers a request with this head: it comes as it is. Says how long its block was.
    fn answer(&mut self, head: &Response) -> usize {
        let request = Script::default().head(self.number, GET, true);
        self.number += 2;
        self.server.feed(self.now, &request.0);
        let id = *open_requests(&self.server).last().unwrap();
        self.server.session.respond(id, head.clone(), true).unwrap();
        let sent = frames(&self.server.flush(self.now));
        let sent = sent.iter().find(|sent| sent.header.kind == Kind::Headers);
        let Frame::Headers { block, .. } = sent.unwrap().frame() else {
            panic!("a head");
        };
        let mut lines = vec![(b":status".to_vec(), head.status.to_string().into_bytes())];
        let pair = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
        lines.extend(
            head.fields
                .iter()
                .map(|field| pair(field.name, field.value)),
        );
        let mut told = Vec::new();
        let tell =
            |field: thalweg_proto::fields::Field<'_>| told.push(pair(field.name, field.value));
        self.decoder.decode(block, 1 << 16, tell).unwrap();
        assert_eq!(told, lines);
        block.len()
    }

    /// The client changes the size of its table, in several steps.
    fn resize(&mut self, sizes: &[u32]) {
        for size in sizes {
            let settings = Script::default().settings(&[(1, *size)]);
            self.server.feed(self.now, &settings.0);
            self.decoder.set_table_limit(*size);
        }
    }
}

fn head(date: &str) -> Response {
    Response::new(200)
        .with_field(b"content-type", b"text/html; charset=utf-8")
        .with_field(b"date", date.as_bytes())
}

#[test]
fn a_head_that_comes_again_is_as_short_as_its_indices() {
    let mut exchange = Exchange::new();
    assert!(exchange.answer(&head("now")) > 10);
    assert_eq!([(); 3].map(|()| exchange.answer(&head("now"))), [3; 3]);
}

#[test]
fn heads_that_take_turns_come_as_they_are() {
    let mut exchange = Exchange::new();
    let heads = [
        head("now"),
        head("then"),
        Response::new(404).with_field(b"date", b"now"),
        Response::new(200),
        head("now").with_field(b"set-cookie", b"a=1"),
        // The same octets, in other lines.
        Response::new(200).with_field(b"ab", b"c"),
        Response::new(200).with_field(b"a", b"bc"),
    ];
    for round in 0..300_usize {
        exchange.answer(&heads[round * round / 3 % heads.len()]);
    }
}

/// RFC 7541, section 4.2: a size update goes first, and what it evicts is written out again.
#[test]
fn a_head_that_comes_again_after_a_change_of_the_table_is_made_anew() {
    let mut exchange = Exchange::new();
    for sizes in [
        &[0][..],
        &[4096],
        &[100],
        &[0, 4096],
        &[4096],
        &[60, 4096, 200],
    ] {
        for _ in 0..3 {
            exchange.answer(&head("now"));
        }
        exchange.resize(sizes);
    }
}

/// Entries that were pushed out of the table by others are not taken for what they were.
#[test]
fn a_head_that_comes_again_after_many_others_is_made_anew() {
    let mut exchange = Exchange::new();
    for number in 0..200 {
        exchange.answer(&head("now"));
        exchange.answer(&head("now"));
        exchange.answer(&head(&format!("{number}{}", "x".repeat(number * 5))));
    }
}

/// What is remembered of a head is given back after a while without streams.
#[test]
fn a_head_that_comes_again_after_a_rest_is_made_anew() {
    let mut exchange = Exchange::new();
    for _ in 0..3 {
        assert!(exchange.answer(&head("now")) > 2);
        assert_eq!([(); 2].map(|()| exchange.answer(&head("now"))), [3; 2]);
        exchange.now += Duration::from_secs(2);
        exchange.server.expire(exchange.now);
    }
}
