//! One step at a time: between any two events, heads, pieces and questions the caller may give any command, and
//! nothing panics, nothing grows without bound, and nothing is told about an exchange that is over.

use std::sync::Arc;
use std::time::{Duration, Instant};
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Eof, Event, Finish, Gather, Output, Session as _, Shutdown, StreamId, Streams as _, Supply,
};
use thalweg_testkit::splits::Random;

/// Pieces of input that are likely to lead somewhere.
const SAID: [&[u8]; 16] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"content",
    b"7\r\ncontent\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Fine\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
];

struct Party {
    session: Session,
    random: Random,
    now: Instant,
    held: Vec<u8>,
    open: Option<StreamId>,
    asked: Option<usize>,
    failed: bool,
    ended: bool,
}

impl Party {
    fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Request { id, .. } => {
                assert_eq!(self.open, None, "one exchange at a time");
                self.open = Some(id);
            }
            Event::Response { id, .. } | Event::Data { id, .. } | Event::End { id, .. } => {
                assert_eq!(self.open, Some(id), "an exchange that is open");
            }
            Event::Finished { id } => {
                assert_eq!(self.open.take(), Some(id));
                self.asked = None;
            }
            Event::GoAway { .. } => {}
            other => panic!("h1 does not say {other:?}"),
        }
    }

    fn poll(&mut self) {
        while let Some(event) = self.session.poll() {
            self.hear(event);
        }
    }

    fn command(&mut self) {
        let id = self.open.unwrap_or(StreamId::new(7, 0));
        let end = self.random.below(2) == 0;
        match self.random.below(18) {
            0..=2 => {
                let status = [100, 101, 103, 200, 204, 304, 404][self.random.below(7)];
                let mut head = Response::new(status);
                if status == 101 {
                    head = head.with_field(b"upgrade", b"x");
                } else if self.random.below(2) == 0 {
                    head = head.with_field(b"content-length", b"5");
                }
                let _refused = self.session.respond(id, head, end);
            }
            3..=5 => {
                let method = [&b"GET"[..], b"POST", b"CONNECT", b"HEAD"][self.random.below(4)];
                let mut head = Request::new(method).with_authority(b"a:1").with_path(b"/");
                if self.random.below(3) == 0 {
                    head = head
                        .with_field(b"connection", b"upgrade")
                        .with_field(b"upgrade", b"x");
                }
                if let Ok(id) = self.session.open(head, end) {
                    assert_eq!(self.open.replace(id), None);
                }
            }
            6..=9 => self.answer(id),
            10 => self.session.resume(id),
            11 | 12 => {
                let credit = self.random.below(1 << 20);
                self.session.taken(id, credit);
            }
            13 if self.random.below(4) == 0 => self.session.discard(id),
            14 if self.random.below(16) == 0 => {
                self.session.reset(id, Code::Cancel);
                self.open = None;
                self.asked = None;
            }
            15 if self.random.below(32) == 0 => self.session.shutdown(self.now, Shutdown::Graceful),
            16 if self.random.below(64) == 0 => {
                self.session
                    .shutdown(self.now, Shutdown::Now(Code::NoError));
                self.open = None;
                self.asked = None;
            }
            _ => {}
        }
    }

    fn answer(&mut self, id: StreamId) {
        let len = self.random.below(20);
        let end = match self.random.below(3) {
            0 => End::More,
            1 => End::Last,
            _ => End::Trailers(Fields::new()),
        };
        let supply = match self.random.below(8) {
            0 => Supply::Deferred,
            1 if self.random.below(8) == 0 => Supply::Fail(Code::Internal),
            _ => Supply::Chunk(vec![b'x'; len].into(), end),
        };
        let fails = matches!(supply, Supply::Fail(_));
        let taken = self.session.supply(id, supply);
        assert!(
            self.asked.is_some() || taken.is_err(),
            "an answer without a question"
        );
        if taken.is_ok() {
            self.asked = None;
            if fails {
                self.open = None;
            }
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.random.below(50) as u64);
        match self.random.below(5) {
            0 | 1 => self.read(),
            2 => {
                let limit = [1, 64, 1 << 16][self.random.below(3)];
                let mut out = Gather::new(limit);
                match self.session.send(self.now, &mut out) {
                    Output::Need { id, max } => {
                        assert!(max > 0);
                        assert_eq!(self.open, Some(id));
                        self.asked = Some(max);
                    }
                    Output::Idle => assert!(out.is_empty()),
                    Output::Full | Output::Frame => {}
                }
                self.poll();
            }
            3 if self.random.below(200) == 0 => {
                self.now += Duration::from_secs(self.random.below(100) as u64);
                if self.session.expire(self.now).is_err() {
                    self.fail();
                }
                self.poll();
            }
            4 if self.random.below(200) == 0 && !self.ended => {
                self.ended = true;
                let how = if self.random.below(2) == 0 {
                    Eof::Clean
                } else {
                    Eof::Truncated
                };
                if self.session.eof(self.now, how).is_err() {
                    self.fail();
                }
                self.poll();
            }
            _ => {}
        }
        self.command();
        self.poll();
        assert_eq!(
            self.session.open_streams(),
            usize::from(self.open.is_some())
        );
    }

    fn read(&mut self) {
        if !self.ended && self.held.len() < 1000 {
            let said = SAID[self.random.below(SAID.len())];
            let cut = self.random.below(said.len()) + 1;
            self.held.extend_from_slice(if self.random.below(4) == 0 {
                &said[..cut]
            } else {
                said
            });
        }
        let held = std::mem::take(&mut self.held);
        let offered = self.random.below(held.len() + 1);
        match self.session.recv(self.now, &held[..offered]) {
            Ok(received) => {
                let consumed = received.consumed;
                assert!(consumed <= offered);
                let had_event = received.event.is_some();
                if let Some(event) = received.event {
                    self.hear(event);
                }
                assert!(
                    had_event || consumed == offered || !self.session.wants().read,
                    "all input is taken, unless there is something to tell or to wait for"
                );
                self.held = held[consumed..].to_vec();
            }
            Err(_) => self.fail(),
        }
    }

    fn fail(&mut self) {
        assert!(!self.failed, "a connection fails once");
        self.failed = true;
        self.open = None;
        self.asked = None;
        assert_ne!(self.session.wants().end, Finish::No);
    }
}

#[test]
fn any_command_may_come_between_any_two_steps() {
    for seed in 0..600 {
        let now = Instant::now();
        let limits = Arc::new(Limits {
            stream_window: 64,
            ..Limits::default()
        });
        let session = if seed % 2 == 0 {
            Session::server(limits, Scheme::Https, now)
        } else {
            Session::client(limits, now)
        };
        let mut party = Party {
            session,
            random: Random::new(seed),
            now,
            held: Vec::new(),
            open: None,
            asked: None,
            failed: false,
            ended: false,
        };
        for _ in 0..400 {
            party.step();
        }
    }
}

#[test]
fn no_octets_make_a_session_panic() {
    for seed in 0..2000 {
        let now = Instant::now();
        let limits = Arc::new(Limits::default());
        let mut random = Random::new(seed);
        let mut server = Session::server(limits.clone(), Scheme::Http, now);
        let mut client = Session::client(limits, now);
        let head = Request::new(b"GET").with_authority(b"a").with_path(b"/");
        client.open(head, true).unwrap();
        let len = random.below(200);
        let noise = random.octets(len);
        for session in [&mut server, &mut client] {
            let mut rest = [SAID[random.below(SAID.len())], &noise].concat();
            while !rest.is_empty() && session.wants().read {
                match session.recv(now, &rest) {
                    Ok(received) if received.consumed == 0 && received.event.is_none() => break,
                    Ok(received) => {
                        let consumed = received.consumed;
                        rest.drain(..consumed);
                    }
                    Err(_) => break,
                }
            }
        }
    }
}
