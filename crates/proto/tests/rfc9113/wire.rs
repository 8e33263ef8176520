//! Scripts of frames, and what a session makes of them in every split.

use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Dependency, Frame, HEADER_LEN, Header, Kind, Settings, flags};
use thalweg_proto::h2::{PREFACE, Session};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::splits::every_split;

/// The lines of a GET that nothing is wrong with.
pub(crate) const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "example.org"),
];

/// The lines of a POST that nothing is wrong with.
pub(crate) const POST: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "example.org"),
];

/// [`POST`] and more lines.
pub(crate) fn post_with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [POST, more].concat()
}

/// A field block of literals that touch no table.
pub(crate) fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    let octets: Vec<_> = lines
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    raw_block(&octets)
}

/// The same of any octets.
pub(crate) fn raw_block(lines: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in lines {
        block.push(0);
        string(name, &mut block);
        string(value, &mut block);
    }
    block
}

fn string(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets.len();
    if rest < 127 {
        out.push(rest as u8);
    } else {
        out.push(127);
        rest -= 127;
        while rest >= 128 {
            out.push(0x80 | (rest % 128) as u8);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(octets);
}

/// What a peer sends.
#[derive(Clone, Default)]
pub(crate) struct Script(pub(crate) Vec<u8>);

impl Script {
    /// A client's preface and its SETTINGS, which change nothing.
    pub(crate) fn client() -> Self {
        Self(PREFACE.to_vec()).settings(&[])
    }

    /// A server's SETTINGS, which change nothing.
    pub(crate) fn server() -> Self {
        Self::default().settings(&[])
    }

    pub(crate) fn frame(mut self, stream: u32, frame: Frame<'_>) -> Self {
        frame.write(stream, &mut self.0);
        self
    }

    /// A frame of any type, flags and payload.
    pub(crate) fn raw(mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let header = Header {
            length: payload.len() as u32,
            kind,
            flags,
            stream,
        };
        self.0.extend(header.octets());
        self.0.extend_from_slice(payload);
        self
    }

    pub(crate) fn settings(self, entries: &[(u16, u32)]) -> Self {
        let mut payload = Vec::new();
        for (identifier, value) in entries {
            payload.extend(identifier.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        self.frame(0, Frame::Settings(Settings::new(&payload)))
    }

    pub(crate) fn ack(self) -> Self {
        self.frame(0, Frame::SettingsAck)
    }

    /// HEADERS with the whole block.
    pub(crate) fn head(self, stream: u32, lines: &[(&str, &str)], end_stream: bool) -> Self {
        self.block(stream, &block(lines), end_stream)
    }

    /// HEADERS with a block of any octets.
    pub(crate) fn block(self, stream: u32, block: &[u8], end_stream: bool) -> Self {
        let frame = Frame::Headers {
            block,
            priority: None,
            end_headers: true,
            end_stream,
        };
        self.frame(stream, frame)
    }

    /// The first part of a block.
    pub(crate) fn begin_block(self, stream: u32, block: &[u8], end_stream: bool) -> Self {
        let frame = Frame::Headers {
            block,
            priority: None,
            end_headers: false,
            end_stream,
        };
        self.frame(stream, frame)
    }

    pub(crate) fn continuation(self, stream: u32, block: &[u8], end_headers: bool) -> Self {
        self.frame(stream, Frame::Continuation { block, end_headers })
    }

    pub(crate) fn data(self, stream: u32, data: &[u8], end_stream: bool) -> Self {
        self.frame(stream, Frame::Data { data, end_stream })
    }

    pub(crate) fn padded_data(
        self,
        stream: u32,
        data: &[u8],
        padding: u8,
        end_stream: bool,
    ) -> Self {
        let mut payload = vec![padding];
        payload.extend_from_slice(data);
        payload.resize(payload.len() + usize::from(padding), 0);
        let end = if end_stream { flags::END_STREAM } else { 0 };
        self.raw(Kind::Data, flags::PADDED | end, stream, &payload)
    }

    pub(crate) fn reset(self, stream: u32, code: Code) -> Self {
        self.frame(stream, Frame::RstStream(code))
    }

    pub(crate) fn credit(self, stream: u32, octets: u32) -> Self {
        self.frame(stream, Frame::WindowUpdate(octets))
    }

    pub(crate) fn ping(self) -> Self {
        self.frame(0, Frame::Ping(*b"12345678"))
    }

    pub(crate) fn priority(self, stream: u32, on: u32) -> Self {
        let dependency = Dependency {
            on,
            exclusive: false,
            weight: 16,
        };
        self.frame(stream, Frame::Priority(dependency))
    }
}

/// A frame that a session sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Sent {
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame::parse(self.header, &self.payload).unwrap()
    }

    pub(crate) fn ends_stream(&self) -> bool {
        self.header.has(flags::END_STREAM)
    }
}

/// The frames in octets that hold whole ones; a client's preface is left out.
pub(crate) fn frames(octets: &[u8]) -> Vec<Sent> {
    let mut rest = octets.strip_prefix(&PREFACE[..]).unwrap_or(octets);
    let mut frames = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_LEN>() {
        let header = Header::parse(*header);
        assert_eq!(header.check(1 << 24), Ok(()), "{header:?}");
        let (payload, after) = after.split_at(header.length as usize);
        frames.push(Sent {
            header,
            payload: payload.to_vec(),
        });
        rest = after;
    }
    assert!(rest.is_empty(), "a frame was cut: {rest:?}");
    frames
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) told: Vec<Told>,
    pub(crate) sent: Vec<Sent>,
}

impl Outcome {
    /// The code and the last stream of the last GOAWAY.
    pub(crate) fn goaway(&self) -> Option<(u32, Code)> {
        self.sent.iter().rev().find_map(|sent| match sent.frame() {
            Frame::GoAway { last, code, .. } => Some((last, code)),
            _ => None,
        })
    }

    /// Streams that were reset, and the codes.
    pub(crate) fn resets(&self) -> Vec<(u32, Code)> {
        let reset = |sent: &Sent| match sent.frame() {
            Frame::RstStream(code) => Some((sent.header.stream, code)),
            _ => None,
        };
        self.sent.iter().filter_map(reset).collect()
    }

    pub(crate) fn failure(&self) -> Option<Violation> {
        self.told.iter().find_map(|told| match told {
            Told::Failed(error) => Some(error.why),
            _ => None,
        })
    }

    /// Why streams ended for the peer's fault.
    pub(crate) fn faults(&self) -> Vec<(u64, Violation)> {
        let fault = |told: &Told| match told {
            Told::Reset(id, _, Some(why)) => Some((id.number(), *why)),
            _ => None,
        };
        self.told.iter().filter_map(fault).collect()
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> Vec<&Sent> {
        let is = |sent: &&Sent| sent.header.kind == kind;
        self.sent.iter().filter(is).collect()
    }

    /// The numbers of the streams whose requests were told.
    pub(crate) fn requests(&self) -> Vec<u64> {
        let request = |told: &Told| match told {
            Told::Request(id, ..) => Some(id.number()),
            _ => None,
        };
        self.told.iter().filter_map(request).collect()
    }

    /// The connection failed for this, the peer was told this, and nothing came after.
    #[track_caller]
    pub(crate) fn assert_failed(&self, why: Violation, code: Code) {
        assert_eq!(self.failure(), Some(why), "{self:?}");
        assert_eq!(self.goaway().map(|(_, code)| code), Some(code), "{self:?}");
        assert_eq!(self.sent.last().unwrap().header.kind, Kind::GoAway);
    }

    /// Only this stream was reset, for this, and the connection goes on.
    #[track_caller]
    pub(crate) fn assert_reset(&self, stream: u32, why: Violation, code: Code) {
        assert_eq!(self.failure(), None, "{self:?}");
        assert_eq!(self.faults(), [(u64::from(stream), why)], "{self:?}");
        assert_eq!(self.resets(), [(stream, code)], "{self:?}");
        assert_eq!(self.goaway(), None);
    }
}

/// Feeds a session in every split, and checks that the split makes no difference.
pub(crate) fn play_to(
    session: impl Fn(Instant) -> Session,
    between: impl Fn(&mut Caller<Session>, Instant),
    scripts: &[&Script],
) -> Outcome {
    let mut first: Option<Outcome> = None;
    let whole: Vec<u8> = scripts.iter().flat_map(|script| script.0.clone()).collect();
    let now = Instant::now();
    every_split(&whole, |cut, _| {
        let mut caller = Caller::new(session(now));
        let mut octets = Vec::new();
        for script in scripts {
            // The same kind of cut for each part, with the caller's commands between them.
            every_split(&script.0, |this, pieces| {
                if this == cut {
                    for piece in pieces {
                        caller.feed(now, piece);
                    }
                }
            });
            between(&mut caller, now);
            octets.extend(caller.flush(now));
        }
        let outcome = Outcome {
            told: caller.told,
            sent: frames(&octets),
        };
        match &first {
            None => first = Some(outcome),
            Some(first) => assert_eq!(*first, outcome, "{cut}"),
        }
    });
    first.unwrap()
}

/// What a server makes of a script.
pub(crate) fn serve(script: &Script) -> Outcome {
    serve_within(Limits::default(), script)
}

/// The same with other limits.
pub(crate) fn serve_within(limits: Limits, script: &Script) -> Outcome {
    play_to(
        |now| Session::server(limits.clone(), now),
        |_, _| (),
        &[script],
    )
}

/// What a server makes of several scripts, between which it answers every request with 204 and no more.
pub(crate) fn serve_answering(scripts: &[&Script]) -> Outcome {
    serve_between(scripts, |caller, _| {
        for id in open_requests(caller) {
            let _ = caller.session.respond(id, Response::new(204), true);
        }
    })
}

/// What a server makes of several scripts, with commands between them.
pub(crate) fn serve_between(
    scripts: &[&Script],
    between: impl Fn(&mut Caller<Session>, Instant),
) -> Outcome {
    play_to(
        |now| Session::server(Limits::default(), now),
        between,
        scripts,
    )
}

/// What a client makes of a script, after it has sent these requests without bodies.
pub(crate) fn request(methods: &[&str], script: &Script) -> Outcome {
    let session = |now| {
        let mut session = Session::client(Limits::default(), now);
        for method in methods {
            session.open(a_request(method), true).unwrap();
        }
        // The requests have left before the answers come.
        Caller::new(session)
    };
    play_to(
        |now| {
            let mut caller = session(now);
            caller.flush(now);
            caller.session
        },
        |_, _| (),
        &[script],
    )
}

/// A request that nothing is wrong with.
pub(crate) fn a_request(method: &str) -> thalweg_proto::head::Request {
    thalweg_proto::head::Request::new(method.as_bytes())
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

/// The streams of all requests that were told so far.
pub(crate) fn open_requests(caller: &Caller<Session>) -> Vec<StreamId> {
    let request = |told: &Told| match told {
        Told::Request(id, ..) => Some(*id),
        _ => None,
    };
    caller.told.iter().filter_map(request).collect()
}

/// A server that has got these octets, and the time for it.
pub(crate) fn server_after(limits: Limits, script: &Script) -> (Caller<Session>, Instant) {
    let now = Instant::now();
    let mut caller = Caller::new(Session::server(limits, now));
    caller.feed(now, &script.0);
    (caller, now)
}

/// A server whose preface has gone both ways, and that has then got these octets.
pub(crate) fn established(limits: Limits, script: &Script) -> (Caller<Session>, Instant) {
    let (mut caller, now) = server_after(limits, &Script::client());
    caller.flush(now);
    caller.feed(now, &Script::default().ack().0);
    caller.feed(now, &script.0);
    (caller, now)
}

/// Octets for a body.
pub(crate) fn octets(len: usize) -> Bytes {
    (0..len)
        .map(|at| (at % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}
