//! A blocking client over any stream: one of our own client sessions, HTTP/2 if no other is given, one step after
//! another.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::Instant;
use thalweg_proto::h2;
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Event, Gather, Session, Source, StreamId, Supply, fill};

pub struct H2Client<T, S = h2::Session> {
    pub stream: T,
    pub session: S,
    /// What came on each stream: status, body, whether it is complete.
    pub answers: HashMap<StreamId, Answer>,
    pub goaways: usize,
    pub ended: bool,
    /// Octets that were read.
    pub read: u64,
}

#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub complete: bool,
    pub reset: bool,
}

/// The requests of these tests have no body.
struct NoBody;

impl Source for NoBody {
    fn read(&mut self, _id: StreamId, _max: usize) -> Supply {
        Supply::Deferred
    }
}

impl<T: Read + Write> H2Client<T> {
    pub fn new(stream: T) -> Self {
        Self::over(
            stream,
            h2::Session::client(Limits::default(), Instant::now()),
        )
    }
}

impl<T: Read + Write, S: Session> H2Client<T, S> {
    pub fn over(stream: T, session: S) -> Self {
        Self {
            stream,
            session,
            answers: HashMap::new(),
            goaways: 0,
            ended: false,
            read: 0,
        }
    }

    pub fn get(&mut self, path: &str) -> StreamId {
        self.ask(get(path))
    }

    /// The same with a Priority field.
    pub fn get_with(&mut self, path: &str, priority: &str) -> StreamId {
        self.ask(get(path).with_field(b"priority", priority.as_bytes()))
    }

    fn ask(&mut self, request: Request) -> StreamId {
        let id = self.session.open(request, true).unwrap();
        self.answers.insert(id, Answer::default());
        self.flush();
        id
    }

    /// A request whose body is announced and never sent.
    pub fn post(&mut self, path: &str) -> StreamId {
        let request = Request::new(b"POST")
            .with_scheme(b"http")
            .with_authority(b"localhost")
            .with_path(path.as_bytes());
        let id = self.session.open(request, false).unwrap();
        self.answers.insert(id, Answer::default());
        self.flush();
        id
    }

    /// Steps until `done` says so or the server has closed.
    pub fn run(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) && !self.ended {
            self.read_some(64 << 10);
        }
    }

    /// Reads once, so many octets at most, and takes what they say.
    pub fn read_some(&mut self, most: usize) {
        let mut chunk = vec![0; most];
        let read = self.stream.read(&mut chunk).unwrap();
        self.read += read as u64;
        if read == 0 {
            self.ended = true;
            self.session.eof(Instant::now(), Eof::Clean).unwrap();
            return;
        }
        let mut input = &chunk[..read];
        while !input.is_empty() {
            let received = self.session.recv(Instant::now(), input).unwrap();
            input = &input[received.consumed..];
            if let Some(event) = received.event {
                note(
                    &mut self.session,
                    &mut self.answers,
                    &mut self.goaways,
                    event,
                );
            }
        }
        while let Some(event) = self.session.poll() {
            note(
                &mut self.session,
                &mut self.answers,
                &mut self.goaways,
                event,
            );
        }
        self.flush();
    }

    /// The whole answer to one request.
    pub fn fetch(&mut self, path: &str) -> String {
        let id = self.get(path);
        self.run(|client| client.answers[&id].complete);
        let answer = &self.answers[&id];
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body.clone()).unwrap()
    }

    fn flush(&mut self) {
        let mut out = Gather::new(64 << 10);
        fill(&mut self.session, Instant::now(), &mut NoBody, &mut out);
        // A server that closes does not wait for our last acknowledgement.
        let written = self
            .stream
            .write_all(&out.to_vec())
            .and_then(|()| self.stream.flush());
        if written.is_err() {
            assert!(self.goaways > 0, "{written:?}");
        }
    }
}

fn note(
    session: &mut impl Session,
    answers: &mut HashMap<StreamId, Answer>,
    goaways: &mut usize,
    event: Event<'_>,
) {
    match event {
        Event::Response { id, head, end } => {
            let answer = answers.get_mut(&id).unwrap();
            answer.status = head.status;
            answer.complete = end;
        }
        Event::Data { id, bytes, credit } => {
            answers.get_mut(&id).unwrap().body.extend_from_slice(bytes);
            session.taken(id, credit);
        }
        Event::End { id, .. } => answers.get_mut(&id).unwrap().complete = true,
        Event::Reset { id, .. } => answers.get_mut(&id).unwrap().reset = true,
        Event::GoAway { .. } => *goaways += 1,
        _ => {}
    }
}

fn get(path: &str) -> Request {
    Request::new(b"GET")
        .with_scheme(b"http")
        .with_authority(b"localhost")
        .with_path(path.as_bytes())
}
