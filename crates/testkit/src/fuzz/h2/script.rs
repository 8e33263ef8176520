//! Any interleaving of a peer's frames, a caller's commands and the clock.

use super::{opening, powerful, request, tight};
use crate::fuzz::Script;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header, Kind, Settings, flags};
use thalweg_proto::h2::{PREFACE, Session};
use thalweg_proto::head::Response;
use thalweg_proto::hpack::Decoder;
use thalweg_proto::session::{
    End, Eof, Event, Gather, Output, Role, Session as _, Shutdown, StreamId, Streams as _, Supply,
};

/// Any interleaving of frames, commands, outputs and time, one step at a time. What must hold:
///
/// - nothing panics, and input is left only behind an event;
/// - what is sent is whole frames, blocks without anything between, nothing for a stream after its end, and
///   never more than the peer's windows and largest frame allow;
/// - what is told of a stream begins with its head, and nothing follows its end;
/// - no more streams are open than the limits say, and no more octets untaken.
///
/// Script: the role, and whether extensions are chosen; then a decision an octet (see `Play::step`).
pub fn h2_script(octets: &[u8]) {
    let mut script = Script::new(octets);
    let start = script.octet().unwrap_or_default();
    let role = match start % 2 {
        1 => Role::Client,
        _ => Role::Server,
    };
    let mut play = Play::new(role, start & 2 != 0);
    while let Some(decision) = script.octet() {
        play.step(decision, &mut script);
    }
    // Whatever happened, what is on its way leaves, and the end of the octets ends everything.
    play.feed(usize::MAX);
    play.finish();
}

/// DATA of the peer is shorter than this.
const LARGEST_DATA: usize = 1200;

pub(super) struct Play {
    pub(super) role: Role,
    pub(super) session: Session,
    now: Instant,
    /// The peer's octets that the session has not got.
    pub(super) wire: Vec<u8>,
    /// How many it has got.
    pub(super) fed: usize,
    /// What frames of the peer change for its own windows, once they have been fed to their ends.
    effects: Vec<(usize, Effect)>,
    /// The peer sent octets that are no frames of ours: what it thinks of windows is void.
    garbled: bool,
    failed: bool,
    next_peer: u32,
    /// The next stream that the peer promises.
    pub(super) next_promise: u32,
    /// How many streams the caller has promised.
    pub(super) pushed: usize,
    /// Streams that the peer has ended, by its own account.
    peer_ended: BTreeSet<u32>,
    pub(super) streams: BTreeMap<u64, Heard>,
    out: Gather,
    sent: Sent,
    peer: Peer,
}

#[derive(Clone, Copy)]
enum Effect {
    Credit(u32, i64),
    /// So many octets of DATA, which the session's window for the connection counts.
    Spent(i64),
    Window(i64),
    Frame(u32),
}

/// What the caller was told of a stream.
pub(super) struct Heard {
    pub(super) id: StreamId,
    untaken: usize,
    ended: bool,
    over: bool,
}

impl Heard {
    /// A stream begins.
    pub(super) fn new(id: StreamId, ended: bool) -> Self {
        Self {
            id,
            untaken: 0,
            ended,
            over: false,
        }
    }
}

/// What the peer allows.
struct Peer {
    connection: i64,
    initial: i64,
    frame: u32,
    /// What streams were given, or have used, beside the initial window.
    streams: BTreeMap<u32, i64>,
    /// What it may itself send on the connection.
    allowed: i64,
}

/// What the session has sent.
#[derive(Default)]
struct Sent {
    first: bool,
    preface: bool,
    block: Option<(u32, Vec<u8>, bool)>,
    begun: BTreeSet<u32>,
    ended: BTreeSet<u32>,
    promised: u32,
    decoder: Option<Decoder>,
}

impl Play {
    fn new(role: Role, chosen: bool) -> Self {
        let now = Instant::now();
        let (session, wire) = match role {
            Role::Server => (Session::server(tight(), now), opening(PREFACE)),
            Role::Client => (Session::client(tight(), now), opening(&[])),
        };
        let session = session.configured(powerful(chosen));
        Self {
            role,
            session,
            now,
            wire,
            fed: 0,
            effects: Vec::new(),
            garbled: false,
            failed: false,
            next_peer: 1,
            next_promise: 2,
            pushed: 0,
            peer_ended: BTreeSet::new(),
            streams: BTreeMap::new(),
            out: Gather::new(8 << 10),
            sent: Sent::default(),
            peer: Peer {
                connection: 65_535,
                initial: 65_535,
                frame: 16_384,
                streams: BTreeMap::new(),
                allowed: 65_535,
            },
        }
    }

    fn step(&mut self, decision: u8, script: &mut Script<'_>) {
        match decision % 32 {
            0..=8 => self.peer_frame(decision % 9, script),
            9 if script.octet().unwrap_or_default() < 16 => {
                self.garbled = true;
                let len = script.octet().unwrap_or_default();
                self.wire.extend_from_slice(script.octets(len.into()));
            }
            10..=12 => self.feed(script.number().into()),
            13 => self.feed(usize::MAX),
            14..=19 => {
                self.send(script);
            }
            20 | 21 => self.speak(script),
            22 => self.discard(script),
            23 => {
                let code = Code::from_number(script.octet().unwrap_or_default().into());
                if let Some(number) = self.pick(script) {
                    self.give_up(self.streams[&number].id, code);
                }
            }
            24 => self.command(script, |session, id| session.resume(id)),
            25 | 26 => self.take(script),
            27 => {
                self.now += Duration::from_millis(u64::from(script.number() % 2000));
                if self.session.deadline().is_some_and(|at| at <= self.now) {
                    let failed = self.session.expire(self.now).is_err();
                    self.failed |= failed;
                }
                self.poll();
            }
            28 => {
                let now = self.now;
                self.session.shutdown(now, Shutdown::Graceful);
            }
            31 => self.power(script),
            29 if script.octet() == Some(0) => {
                let now = self.now;
                self.session.shutdown(now, Shutdown::Now(Code::Cancel));
                self.failed = true;
            }
            30 if script.octet() == Some(0) => {
                let eof = self.session.eof(self.now, Eof::Clean);
                self.failed |= eof.is_err();
                self.poll();
            }
            _ => {
                let id = StreamId::new(script.number().into(), script.octet().unwrap_or(0).into());
                self.session.resume(id);
                self.session.taken(id, usize::MAX);
                // A guess may be right: then everything was taken.
                let known = self.streams.get_mut(&id.number());
                if let Some(heard) = known.filter(|heard| heard.id.slot() == id.slot()) {
                    heard.untaken = 0;
                }
                self.poll();
            }
        }
        self.check();
    }

    /// A number of a stream, mostly one that is known.
    pub(super) fn pick(&self, script: &mut Script<'_>) -> Option<u64> {
        let at = usize::from(script.octet()?);
        self.streams
            .keys()
            .nth(at % (self.streams.len() + 1))
            .copied()
    }

    fn peer_frame(&mut self, which: u8, script: &mut Script<'_>) {
        let stream = self.pick(script).unwrap_or(1) as u32;
        let number = u32::from(script.number());
        let mut effect = None;
        // A stream that the peer has ended takes nothing more, or the connection would mostly end here.
        let ended = self.peer_ended.contains(&stream) && !number.is_multiple_of(64);
        match which {
            0 | 1 => self.peer_head(stream, number, ended),
            2 if ended => {}
            2 => {
                let end_stream = number.is_multiple_of(3);
                let data = &vec![b'd'; number as usize % LARGEST_DATA];
                effect = Some(Effect::Spent(data.len() as i64));
                self.frame(stream, Frame::Data { data, end_stream });
                if end_stream {
                    self.peer_ended.insert(stream);
                }
            }
            3 => {
                let stream = if number.is_multiple_of(2) { 0 } else { stream };
                let number = number.clamp(1, 5000);
                effect = Some(Effect::Credit(stream, i64::from(number)));
                self.frame(stream, Frame::WindowUpdate(number));
            }
            4 => {
                let number = number % 3000;
                let mut entry = 4_u16.to_be_bytes().to_vec();
                entry.extend(number.to_be_bytes());
                self.frame(0, Frame::Settings(Settings::new(&entry)));
                effect = Some(Effect::Window(i64::from(number)));
            }
            5 => {
                let largest = 16_384 + number % 5000;
                let mut entries = 5_u16.to_be_bytes().to_vec();
                entries.extend(largest.to_be_bytes());
                entries.extend(1_u16.to_be_bytes());
                entries.extend((number % 300).to_be_bytes());
                self.frame(0, Frame::Settings(Settings::new(&entries)));
                effect = Some(Effect::Frame(largest));
            }
            6 if ended => {}
            6 => {
                self.frame(stream, Frame::RstStream(Code::from_number(number)));
                self.peer_ended.insert(stream);
            }
            7 => self.frame(0, Frame::SettingsAck),
            _ => self.frame(0, Frame::Ping(*b"anything")),
        }
        if let Some(effect) = effect {
            self.effects.push((self.fed + self.wire.len(), effect));
        }
    }

    /// A request or response, or trailers for a stream that is known.
    fn peer_head(&mut self, known: u32, choice: u32, ended: bool) {
        let (stream, block): (u32, &[u8]) = match self.role {
            // :method GET, :scheme https, :path /, :authority a; indexed with incremental indexing.
            Role::Server if !choice.is_multiple_of(4) => {
                self.next_peer += 2;
                (self.next_peer - 2, b"\x82\x87\x84\x41\x01a")
            }
            _ if ended => return,
            Role::Client if !choice.is_multiple_of(4) => (known, b"\x88\x40\x01x\x01y"),
            _ => (known, b"\x00\x01t\x01v"),
        };
        let end_stream = choice.is_multiple_of(2);
        if end_stream {
            self.peer_ended.insert(stream);
        }
        let (one, two) = block.split_at(choice as usize % block.len());
        let whole = choice.is_multiple_of(3);
        let frame = Frame::Headers {
            block: if whole { block } else { one },
            priority: None,
            end_headers: whole,
            end_stream,
        };
        self.frame(stream, frame);
        if !whole {
            let rest = Frame::Continuation {
                block: two,
                end_headers: true,
            };
            self.frame(stream, rest);
        }
    }

    pub(super) fn frame(&mut self, stream: u32, frame: Frame<'_>) {
        frame.write(stream, &mut self.wire);
    }

    /// Gives the session up to so many octets, one event at a time.
    fn feed(&mut self, most: usize) {
        let some: Vec<_> = self.wire.drain(..most.min(self.wire.len())).collect();
        let mut rest = &some[..];
        loop {
            let received = self.session.recv(self.now, rest);
            let Ok(received) = received else {
                assert!(!self.failed, "a session fails once");
                self.failed = true;
                break;
            };
            assert!(received.event.is_some() || received.consumed == rest.len());
            rest = &rest[received.consumed..];
            let Some(event) = received.event else { break };
            hear(&mut self.streams, event);
        }
        self.fed += some.len();
        while let Some((_, effect)) = self.effects.first().filter(|(at, _)| *at <= self.fed) {
            self.peer.apply(*effect);
            self.effects.remove(0);
        }
        self.poll();
    }

    pub(super) fn poll(&mut self) {
        while let Some(event) = self.session.poll() {
            hear(&mut self.streams, event);
        }
    }

    /// Commands a stream that is known, which may be over.
    fn command(&mut self, script: &mut Script<'_>, command: impl Fn(&mut Session, StreamId)) {
        if let Some(number) = self.pick(script) {
            command(&mut self.session, self.streams[&number].id);
        }
        self.poll();
    }

    /// The caller gives a stream up: nothing more is told of it.
    fn give_up(&mut self, id: StreamId, code: Code) {
        self.session.reset(id, code);
        self.forget(id);
    }

    fn forget(&mut self, id: StreamId) {
        if let Some(heard) = self.streams.get_mut(&id.number()) {
            heard.over = true;
        }
    }

    /// The caller begins a message.
    fn speak(&mut self, script: &mut Script<'_>) {
        let choice = script.octet().unwrap_or_default();
        let end = choice.is_multiple_of(3);
        if self.role == Role::Client {
            if let Ok(id) = self.session.open(request(b"POST"), end) {
                self.streams.insert(id.number(), Heard::new(id, false));
            }
            return;
        }
        let Some(id) = self.pick(script).map(|number| self.streams[&number].id) else {
            return;
        };
        let head = match choice % 4 {
            0 => Response::new(103),
            1 => Response::new(200).with_field(b"content-length", b"700"),
            2 => Response::new(200).with_field(b"x-long", &[b'v'; 20_000]),
            _ => Response::new(200).with_field(b"date", b"today"),
        };
        // A refusal is an answer, too.
        let _ = self.session.respond(id, head, end);
    }

    fn take(&mut self, script: &mut Script<'_>) {
        let Some(number) = self.pick(script) else {
            return;
        };
        let most = usize::from(script.number());
        if let Some(heard) = self.streams.get_mut(&number) {
            let taken = heard.untaken.min(most);
            heard.untaken -= taken;
            self.session.taken(heard.id, taken);
        }
    }

    /// The caller drops what it holds of a body, and wants no more of it.
    fn discard(&mut self, script: &mut Script<'_>) {
        if let Some(number) = self.pick(script)
            && let Some(heard) = self.streams.get_mut(&number)
        {
            heard.untaken = 0;
            self.session.discard(heard.id);
        }
        self.poll();
    }

    /// One step of output. Answers whether there may be more.
    fn send(&mut self, script: &mut Script<'_>) -> bool {
        let output = self.session.send(self.now, &mut self.out);
        match output {
            Output::Need { id, max } => {
                let shut = self.peer.is_shut(id.number() as u32);
                assert!(
                    max > 0 || shut || self.garbled || self.failed,
                    "there is room"
                );
                let choice = script.octet().unwrap_or_default();
                let len = usize::from(script.number()) % (max + 1);
                let bytes = vec![b's'; len].into();
                let supply = match choice % 8 {
                    0 => Supply::Deferred,
                    1 => Supply::Fail(Code::Internal),
                    2 => {
                        let trailers: Fields = [(&b"t"[..], &b"v"[..])].into_iter().collect();
                        Supply::Chunk(bytes, End::Trailers(trailers))
                    }
                    3 => Supply::Chunk(bytes, End::Last),
                    _ => Supply::Chunk(bytes, End::More),
                };
                let fails = matches!(supply, Supply::Fail(_));
                if self.session.supply(id, supply).is_err() {
                    self.give_up(id, Code::Internal);
                } else if fails {
                    self.forget(id);
                }
            }
            Output::Frame | Output::Full | Output::Idle => self.carry(),
        }
        self.poll();
        output != Output::Idle
    }

    /// Takes what was sent, frame by frame.
    fn carry(&mut self) {
        let octets = self.out.to_vec();
        self.out.clear();
        let mut rest = &octets[..];
        if self.role == Role::Client && !self.sent.preface && !rest.is_empty() {
            rest = rest.strip_prefix(&PREFACE[..]).expect("the preface first");
            self.sent.preface = true;
        }
        while let Some((header, after)) = rest.split_first_chunk::<HEADER_LEN>() {
            let header = Header::parse(*header);
            let (payload, after) = after
                .split_at_checked(header.length as usize)
                .expect("whole frames");
            rest = after;
            self.sent_frame(header, payload);
        }
        assert!(rest.is_empty(), "whole frames");
    }

    fn sent_frame(&mut self, header: Header, payload: &[u8]) {
        assert_eq!(header.check(1 << 24), Ok(()));
        let frame = Frame::parse(header, payload).expect("a good frame");
        let stream = header.stream;
        if !self.garbled {
            let largest = self.peer.frame.max(16_384 + 5000);
            assert!(header.length <= largest);
        }
        assert!(self.sent.first || header.kind == Kind::Settings);
        self.sent.first = true;
        let within = self.sent.block.as_ref().map(|(stream, ..)| *stream);
        if let Some(within) = within {
            assert_eq!((header.kind, stream), (Kind::Continuation, within));
        }
        let ends = header.has(flags::END_STREAM);
        match frame {
            Frame::Data { end_stream, .. } => {
                assert!(self.sent.begun.contains(&stream), "nothing before a head");
                assert!(!self.sent.ended.contains(&stream), "nothing after the end");
                // Padding counts (RFC 9113, section 6.1).
                let octets = header.length as usize;
                self.peer.spend(stream, octets, self.garbled || self.failed);
                if end_stream {
                    self.sent.ended.insert(stream);
                }
            }
            Frame::Headers {
                block, end_headers, ..
            } => {
                assert!(!self.sent.ended.contains(&stream), "nothing after the end");
                if ends {
                    self.sent.ended.insert(stream);
                }
                self.sent.begun.insert(stream);
                self.sent.block = Some((stream, block.to_vec(), end_headers));
            }
            Frame::PushPromise {
                promised,
                block,
                end_headers,
            } => {
                assert!(!self.sent.ended.contains(&stream), "nothing after the end");
                assert!(promised.is_multiple_of(2) && promised > self.sent.promised);
                self.sent.promised = promised;
                self.sent.block = Some((stream, block.to_vec(), end_headers));
            }
            Frame::Continuation { block, end_headers } => {
                let (_, octets, whole) = self.sent.block.as_mut().expect("a block to continue");
                octets.extend_from_slice(block);
                *whole = end_headers;
            }
            Frame::RstStream(_) => {
                self.sent.ended.insert(stream);
            }
            Frame::WindowUpdate(octets) if stream == 0 => self.peer.allowed += i64::from(octets),
            _ => {}
        }
        if let Some((_, block, true)) = &self.sent.block {
            // The largest table that a script's SETTINGS allow is the first one.
            let decoder = self.sent.decoder.get_or_insert_with(|| Decoder::new(4096));
            decoder
                .decode(block, 1 << 20, |_| ())
                .expect("a good block");
            self.sent.block = None;
        }
    }

    fn check(&self) {
        let limits = tight();
        if self.role == Role::Server {
            let most = limits.streams as usize + self.pushed;
            assert!(self.session.open_streams() <= most);
        }
        let untaken: usize = self
            .streams
            .values()
            .filter(|heard| !heard.over)
            .map(|heard| heard.untaken)
            .sum();
        assert!(untaken <= limits.connection_window as usize, "{untaken}");
        if !self.garbled {
            // A frame that has begun is counted here only when it is complete.
            let most = i64::from(limits.connection_window) + LARGEST_DATA as i64;
            assert!(
                self.peer.allowed + untaken as i64 <= most,
                "credit is given once"
            );
        }
        let _ = (
            self.session.wants(),
            self.session.deadline(),
            self.session.capacity(),
        );
    }

    fn finish(&mut self) {
        let mut none = Script::new(&[]);
        for _ in 0..10_000 {
            if !self.send(&mut none) {
                break;
            }
        }
        assert!(
            !self.session.wants().write,
            "idle means that nothing is left"
        );
        assert!(self.sent.block.is_none());
        if self.session.eof(self.now, Eof::Truncated).is_err() {
            assert_eq!(self.session.open_streams(), 0);
        }
    }
}

impl Peer {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Credit(0, octets) => self.connection += octets,
            Effect::Credit(stream, octets) => *self.streams.entry(stream).or_default() += octets,
            Effect::Spent(octets) => self.allowed -= octets,
            Effect::Window(octets) => self.initial = octets,
            Effect::Frame(octets) => self.frame = octets,
        }
    }

    /// Whether a window has no room for the stream.
    fn is_shut(&self, stream: u32) -> bool {
        let given = self.streams.get(&stream).copied().unwrap_or_default();
        self.connection <= 0 || self.initial + given <= 0
    }

    fn spend(&mut self, stream: u32, octets: usize, void: bool) {
        let octets = octets as i64;
        self.connection -= octets;
        let given = self.streams.entry(stream).or_default();
        *given -= octets;
        if octets > 0 && !void {
            assert!(self.connection >= 0, "beyond the connection's window");
            assert!(self.initial + *given >= 0, "beyond the window of {stream}");
        }
    }
}

/// Takes note of an event, and checks that it may come now.
fn hear(streams: &mut BTreeMap<u64, Heard>, event: Event<'_>) {
    let (id, untaken, ended) = match event {
        Event::Request { id, end, .. } => {
            let before = streams.insert(id.number(), Heard::new(id, end));
            assert!(before.is_none(), "{id} begins once");
            return;
        }
        Event::Push { id, on, .. } => {
            assert!(streams.contains_key(&on.number()), "{on} has begun");
            let before = streams.insert(id.number(), Heard::new(id, false));
            assert!(before.is_none(), "{id} is promised once");
            return;
        }
        Event::Response { id, end, .. } => (id, 0, end),
        Event::Data { id, bytes, credit } => {
            assert!(!bytes.is_empty() && credit >= bytes.len());
            (id, credit, false)
        }
        Event::End { id, .. } => (id, 0, true),
        // A stream that was refused was never told of.
        Event::Reset { id, .. } if !streams.contains_key(&id.number()) => return,
        Event::Reset { id, .. } | Event::Finished { id } => {
            let heard = streams.get_mut(&id.number()).expect("it has begun");
            assert!(!heard.over, "{id} ends once");
            heard.over = true;
            return;
        }
        _ => return,
    };
    let heard = streams.get_mut(&id.number()).expect("it has begun");
    assert!(!heard.over && !heard.ended, "nothing of {id} after its end");
    heard.untaken += untaken;
    heard.ended = ended;
}
