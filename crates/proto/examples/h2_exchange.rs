//! One server session, many exchanges of a given size, no sockets: what a profiler looks at.
//!
//! ```sh
//! cargo build --release -p thalweg-proto --example h2_exchange
//! valgrind --tool=callgrind --toggle-collect='*serve_all*' target/release/examples/h2_exchange 1000 1024
//! ```
//!
//! Instructions collected, divided by the exchanges, are what one costs the server's session: `recv` of a request whose
//! eight lines are in the table, `respond` with a copy of a prepared head, `supply` of the body, `send`, and the events
//! between them. What the client sends is made before, with all the credit that it gives in its first turn.

use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Event, Gather, Session as _, Source, StreamId, Streams, Supply, fill,
};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| {
        number
            .parse()
            .expect("a number: exchanges, then octets of a body")
    });
    let exchanges: usize = numbers.next().unwrap_or(1000);
    let octets: usize = numbers.next().unwrap_or(1024);
    let now = Instant::now();
    let mut server = Session::server(Limits::default(), now);
    let turns = requests(exchanges, now);
    let body = Bytes::from(vec![b'x'; octets]);
    let sent = serve_all(&mut server, &turns, &body, now);
    assert!(sent > exchanges * octets, "every exchange was answered");
}

/// What a client sends: a request with a browser's fields a turn, the first one behind its preface.
fn requests(exchanges: usize, now: Instant) -> Vec<Vec<u8>> {
    let limits = Limits {
        connection_window: 1 << 30,
        stream_window: 1 << 24,
        ..Limits::default()
    };
    let mut client = Session::client(limits, now);
    let mut out = Gather::contiguous(1 << 20);
    (0..exchanges)
        .map(|_| {
            let head = Request::new(b"GET")
                .with_scheme(b"https")
                .with_authority(b"www.example.org")
                .with_path(b"/index.html")
                .with_field(b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0)")
                .with_field(
                    b"accept",
                    b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                )
                .with_field(b"accept-language", b"en-US,en;q=0.5")
                .with_field(b"accept-encoding", b"gzip, deflate, br, zstd");
            let id = client.open(head, true).expect("a good request");
            out.clear();
            fill(&mut client, now, &mut Nothing, &mut out);
            // Forgotten here: only its octets are wanted.
            client.reset(id, thalweg_proto::error::Code::Cancel);
            let turn = out.to_vec();
            out.clear();
            fill(&mut client, now, &mut Nothing, &mut out);
            turn
        })
        .collect()
}

#[inline(never)]
fn serve_all(server: &mut Session, turns: &[Vec<u8>], body: &Bytes, now: Instant) -> usize {
    let mut out = Gather::new(256 << 10);
    let head = Response::over(Fields::with_capacity(4, 128), 200)
        .with_field(b"content-type", b"text/html; charset=utf-8")
        .with_field(b"date", b"Fri, 20 Nov 2026 22:00:00 GMT");
    let mut sent = 0;
    for turn in turns {
        let mut rest = &turn[..];
        loop {
            let received = server.recv(now, rest).expect("a good client");
            rest = &rest[received.consumed..];
            let Some(event) = received.event else { break };
            if let Event::Request { id, .. } = event {
                let answered = server.respond(id, head.clone(), false);
                answered.expect("a good response");
            }
        }
        fill(server, now, &mut Rest(body.clone()), &mut out);
        while server.poll().is_some() {}
        sent += out.len();
        out.clear();
    }
    sent
}

/// The rest of the one body that is on its way, in pieces as they are asked for.
struct Rest(Bytes);

impl Source for Rest {
    fn read(&mut self, _: StreamId, max: usize) -> Supply {
        let piece = self.0.split_to(self.0.len().min(max));
        let end = if self.0.is_empty() {
            End::Last
        } else {
            End::More
        };
        Supply::Chunk(piece, end)
    }
}

struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: StreamId, _: usize) -> Supply {
        Supply::Deferred
    }
}
