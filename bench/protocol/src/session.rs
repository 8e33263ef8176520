//! A server's session without sockets: what it pays for a request of eight lines that its table knows, and for the
//! response to it.
//!
//! Counted is all that happens in [`serve_all`]: the turns of a client go in, one request each, the application answers
//! with three lines and a body, what leaves is counted and forgotten. What the client sends is made before.

use crate::nghttp2;
use bytes::Bytes;
use h2::server::Connection;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Event, Gather, Session as _, Source, StreamId, Streams, Supply, fill,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The lines of every response, beside its status.
const LINES: [(&str, &str); 2] = [
    ("content-type", "text/html; charset=utf-8"),
    ("date", "Fri, 20 Nov 2026 22:00:00 GMT"),
];

/// The first turns fill tables and take memory: they are not counted.
const WARM: usize = 100;

/// A server's end of one connection.
trait Server {
    /// Takes a turn of the client, answers its request, and says how many octets leave.
    fn turn(&mut self, input: &[u8]) -> usize;
}

/// Lets a server answer so many requests with a body of so many octets each.
pub(crate) fn run(server: &str, exchanges: usize, octets: usize) {
    let turns = turns(WARM + exchanges);
    let (warm, turns) = turns.split_at(WARM);
    let body = Bytes::from(vec![b'x'; octets]);
    let mut server: Box<dyn Server> = match server {
        "thalweg" => Box::new(Thalweg::new(body)),
        "libnghttp2" => Box::new(nghttp2::Session::new(&LINES, body)),
        "h2" => Box::new(H2::new(body)),
        other => panic!("{other}: thalweg, libnghttp2 or h2"),
    };
    for turn in warm {
        server.turn(turn);
    }
    let sent = serve_all(&mut *server, turns);
    // Frames have nine octets more, and a head that is in the table takes three: nothing was left out.
    let (least, most) = (octets + 2 * 9, octets + octets / 1000 + 3 * 9 + 64);
    assert!(
        (least..most).contains(&(sent / exchanges.max(1))),
        "{sent} octets were sent"
    );
}

/// What is counted.
#[inline(never)]
fn serve_all(server: &mut dyn Server, turns: &[Vec<u8>]) -> usize {
    turns.iter().map(|turn| server.turn(turn)).sum()
}

/// What a client sends: a request with a browser's fields a turn, the first one behind its preface, its settings and
/// credit for all.
fn turns(exchanges: usize) -> Vec<Vec<u8>> {
    let now = Instant::now();
    let limits = Limits {
        connection_window: 1 << 30,
        stream_window: 1 << 24,
        ..Limits::default()
    };
    let mut client = Session::client(limits, now);
    let mut out = Gather::contiguous(1 << 20);
    let request = Request::new(b"GET")
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
    (0..exchanges)
        .map(|_| {
            let id = client.open(request.clone(), true).expect("a good request");
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

struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: StreamId, _: usize) -> Supply {
        Supply::Deferred
    }
}

struct Thalweg {
    session: Session,
    now: Instant,
    head: Response,
    body: Whole,
    out: Gather,
}

/// One body for every stream, of which `left` is to be supplied still: there is one at a time.
struct Whole {
    body: Bytes,
    left: Bytes,
}

impl Source for Whole {
    fn read(&mut self, _: StreamId, max: usize) -> Supply {
        let some = self.left.split_to(self.left.len().min(max));
        let end = if self.left.is_empty() {
            End::Last
        } else {
            End::More
        };
        Supply::Chunk(some, end)
    }
}

impl Thalweg {
    fn new(body: Bytes) -> Self {
        let now = Instant::now();
        let lines: Fields = LINES
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        Self {
            session: Session::server(Limits::default(), now),
            now,
            head: Response::over(lines, 200),
            body: Whole {
                left: body.clone(),
                body,
            },
            out: Gather::new(256 << 10),
        }
    }
}

impl Server for Thalweg {
    fn turn(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        loop {
            let received = self.session.recv(self.now, rest).expect("a good client");
            rest = &rest[received.consumed..];
            let Some(event) = received.event else { break };
            if let Event::Request { id, .. } = event {
                let answered = self.session.respond(id, self.head.clone(), false);
                answered.expect("a good response");
            }
        }
        self.out.clear();
        self.body.left = self.body.body.clone();
        fill(&mut self.session, self.now, &mut self.body, &mut self.out);
        while self.session.poll().is_some() {}
        self.out.len()
    }
}

impl Server for nghttp2::Session {
    fn turn(&mut self, input: &[u8]) -> usize {
        Self::turn(self, input)
    }
}

/// The crate `h2`, on a transport in memory.
struct H2 {
    wire: Wire,
    handshake: h2::server::Handshake<Wire, Bytes>,
    connection: Option<Connection<Wire, Bytes>>,
    head: http::Response<()>,
    body: Bytes,
}

impl H2 {
    fn new(body: Bytes) -> Self {
        let wire = Wire::default();
        let mut head = http::Response::new(());
        for (name, value) in LINES {
            head.headers_mut()
                .insert(name, http::HeaderValue::from_static(value));
        }
        Self {
            handshake: h2::server::handshake(wire.clone()),
            connection: None,
            wire,
            head,
            body,
        }
    }
}

impl Server for H2 {
    fn turn(&mut self, input: &[u8]) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut buffers = self.wire.0.borrow_mut();
            buffers.input.clear();
            buffers.input.extend_from_slice(input);
            buffers.read = 0;
            buffers.sent = 0;
        }
        if self.connection.is_none()
            && let Poll::Ready(connection) = Pin::new(&mut self.handshake).poll(&mut context)
        {
            self.connection = Some(connection.expect("a good preface"));
        }
        let connection = self.connection.as_mut().expect("the preface has come");
        while let Poll::Ready(accepted) = connection.poll_accept(&mut context) {
            let (request, mut respond) = accepted.expect("an open connection").expect("a request");
            drop(request);
            let sent = respond.send_response(self.head.clone(), false);
            let data = sent.and_then(|mut stream| stream.send_data(self.body.clone(), true));
            data.expect("a good response");
        }
        self.wire.0.borrow().sent
    }
}

/// A transport in memory. What leaves is only counted.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Buffers>>);

#[derive(Default)]
struct Buffers {
    input: Vec<u8>,
    read: usize,
    sent: usize,
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut buffers = self.0.borrow_mut();
        let rest = &buffers.input[buffers.read..];
        if rest.is_empty() {
            return Poll::Pending;
        }
        let some = &rest[..rest.len().min(into.remaining())];
        into.put_slice(some);
        buffers.read += some.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().sent += octets.len();
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let octets = slices.iter().map(|slice| slice.len()).sum();
        self.0.borrow_mut().sent += octets;
        Poll::Ready(Ok(octets))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
