//! The program that docs/tutorial-client.md builds: its pieces of code, in their order.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError};
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Eof, Event, Gather, Session as _, Shutdown, Source, StreamId, Streams, Supply, fill,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let authority = arguments
        .next()
        .ok_or("usage: h2_client HOST:PORT [PATH]...")?;
    let mut client = Client::connect(&authority)?;
    let asked = arguments
        .map(|path| client.request("GET", &path, Bytes::new()))
        .collect::<Result<Vec<_>, _>>()?;
    for id in asked {
        let answer = client.wait(id)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{} ({} octets)", answer.status, answer.body.len())?;
        out.write_all(&answer.body)?;
    }
    Ok(client.close()?)
}

/// One connection to a server.
pub struct Client {
    socket: TcpStream,
    session: Session,
    authority: String,
    out: Gather,
    exchanges: Exchanges,
}

/// What is still to be sent, and what has come, by stream.
#[derive(Default)]
struct Exchanges {
    uploads: BTreeMap<StreamId, Bytes>,
    answers: BTreeMap<StreamId, Answer>,
}

/// What has come in answer to one request.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status; 0 until the head has come.
    pub status: u16,
    /// The fields of its head.
    pub fields: Fields,
    /// What has come of its body.
    pub body: Vec<u8>,
    /// The fields behind the body, where there were any.
    pub trailers: Option<Fields>,
    /// Nothing more comes: the answer is whole, unless it was broken off.
    pub over: bool,
    /// Why it was broken off.
    pub broken: Option<Code>,
}

impl Client {
    /// Connects to a server that speaks HTTP/2 without TLS and without being asked.
    pub fn connect(authority: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(authority)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            session: Session::client(Limits::default(), Instant::now()),
            authority: authority.to_owned(),
            out: Gather::new(64 << 10),
            exchanges: Exchanges::default(),
        })
    }

    /// Opens a stream with a request, which leaves with the next octets that are written.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<StreamId, UsageError> {
        let head = Request::new(method.as_bytes())
            .with_scheme(b"http")
            .with_authority(self.authority.as_bytes())
            .with_path(path.as_bytes())
            .with_field(b"accept", b"*/*");
        let end = body.is_empty();
        let id = self.session.open(head, end)?;
        self.exchanges.answers.insert(id, Answer::default());
        if !end {
            self.exchanges.uploads.insert(id, body);
        }
        Ok(id)
    }

    /// Waits until nothing more comes on this stream.
    pub fn wait(&mut self, id: StreamId) -> Result<Answer, Box<dyn Error>> {
        while !self.exchanges.is_over(id) {
            self.send()?;
            if let Err(error) = self.receive() {
                self.send()?;
                return Err(error);
            }
        }
        self.exchanges
            .answers
            .remove(&id)
            .ok_or_else(|| "no such request".into())
    }

    /// Writes all that may be sent now.
    fn send(&mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            let more = fill(&mut self.session, now, &mut self.exchanges, &mut self.out);
            for segment in self.out.segments() {
                self.socket.write_all(segment.octets())?;
            }
            self.out.clear();
            self.listen();
            if !more {
                return Ok(());
            }
        }
    }

    /// Hears what commands, writing and time have caused.
    fn listen(&mut self) {
        while let Some(event) = self.session.poll() {
            self.exchanges.hear(&mut self.session, event);
        }
    }

    /// Waits for octets, or for the session's deadline.
    fn receive(&mut self) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let patience = self.session.deadline().map(|at| {
            let left = at.saturating_duration_since(now);
            left.max(Duration::from_millis(1))
        });
        self.socket.set_read_timeout(patience)?;
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.session.eof(Instant::now(), Eof::Clean)?,
            Ok(read) => self.take(&buffer[..read])?,
            Err(error) if is_timeout(&error) => self.session.expire(Instant::now())?,
            Err(error) => return Err(error.into()),
        }
        self.listen();
        Ok(())
    }

    /// Gives the session what was read.
    fn take(&mut self, mut input: &[u8]) -> Result<(), Box<dyn Error>> {
        while !input.is_empty() {
            let received = self.session.recv(Instant::now(), input)?;
            input = &input[received.consumed..];
            if let Some(event) = received.event {
                self.exchanges.hear(&mut self.session, event);
            }
        }
        Ok(())
    }

    /// Ends the connection in order.
    pub fn close(mut self) -> io::Result<()> {
        self.session.shutdown(Instant::now(), Shutdown::Graceful);
        self.send()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Exchanges {
    fn hear(&mut self, session: &mut impl Streams, event: Event<'_>) {
        match event {
            // 1xx come before the final head: 103 with hints, for one.
            Event::Response { head, .. } if head.is_informational() => {}
            Event::Response { id, head, end } => {
                if let Some(answer) = self.answers.get_mut(&id) {
                    answer.status = head.status;
                    answer.fields = head.fields;
                    answer.over = end;
                }
            }
            Event::Data { id, bytes, credit } => {
                if let Some(answer) = self.answers.get_mut(&id) {
                    answer.body.extend_from_slice(bytes);
                }
                session.taken(id, credit);
            }
            Event::End { id, trailers } => {
                if let Some(answer) = self.answers.get_mut(&id) {
                    answer.trailers = trailers;
                    answer.over = true;
                }
            }
            Event::Reset { id, code, .. } => {
                if let Some(answer) = self.answers.get_mut(&id) {
                    answer.broken = Some(code);
                    answer.over = true;
                }
                self.uploads.remove(&id);
            }
            Event::Finished { id } => {
                self.uploads.remove(&id);
            }
            // GOAWAY: what the server will not process gets its own Reset, with Code::Refused: safe to ask elsewhere.
            _ => {}
        }
    }

    fn is_over(&self, id: StreamId) -> bool {
        self.answers.get(&id).is_none_or(|answer| answer.over)
    }
}

impl Source for Exchanges {
    fn read(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(rest) = self.uploads.get_mut(&id) else {
            return Supply::Fail(Code::Internal);
        };
        let piece = rest.split_to(max.min(rest.len()));
        let end = if rest.is_empty() {
            End::Last
        } else {
            End::More
        };
        Supply::Chunk(piece, end)
    }
}
