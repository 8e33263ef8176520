//! A server of HTTP/2 whose bodies have no end and whose client has windows that never shut: who gets how much of the
//! connection is then decided by priorities alone.

use crate::caller::Caller;
use crate::caller::Told;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use thalweg_proto::fields::Field;
use thalweg_proto::h2::frame::{Dependency, Frame, HEADER_LEN, Header, Settings};
use thalweg_proto::h2::{Config, PREFACE, Session};
use thalweg_proto::head::Response;
use thalweg_proto::hpack::Encoder;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{End, Gather, Output, Session as _, StreamId, Streams, Supply};

/// The largest window, as INITIAL_WINDOW_SIZE and as what it takes for the connection to have it.
const WINDOW: u32 = 0x7fff_ffff;
const INITIAL_WINDOW_SIZE: u16 = 4;
const FIRST_WINDOW: u32 = 65_535;

/// See the module.
pub struct Turns {
    /// The session and what it told: command it between any two calls.
    pub caller: Caller<Session>,
    /// The time, which stands still.
    pub now: Instant,
    /// Streams whose bodies pause.
    pub paused: BTreeSet<u64>,
    encoder: Encoder,
}

impl Turns {
    /// A server with these choices and bounds, whose client has sent these settings beside its window.
    pub fn new(config: Config, limits: Limits, settings: &[(u16, u32)]) -> Self {
        let now = Instant::now();
        let session = Session::server(limits, now).configured(config);
        let mut turns = Self {
            caller: Caller::new(session),
            now,
            paused: BTreeSet::new(),
            encoder: Encoder::new(0),
        };
        let mut entries = Vec::new();
        for (identifier, value) in [(INITIAL_WINDOW_SIZE, WINDOW)].iter().chain(settings) {
            entries.extend(identifier.to_be_bytes());
            entries.extend(value.to_be_bytes());
        }
        turns.caller.feed(now, PREFACE);
        turns.feed(0, Frame::Settings(Settings::new(&entries)));
        turns.feed(0, Frame::WindowUpdate(WINDOW - FIRST_WINDOW));
        turns.caller.flush(now);
        turns.feed(0, Frame::SettingsAck);
        turns
    }

    /// The client sends a frame.
    pub fn feed(&mut self, stream: u32, frame: Frame<'_>) {
        let mut octets = Vec::new();
        frame.write(stream, &mut octets);
        self.caller.feed(self.now, &octets);
    }

    /// The client sends PRIORITY_UPDATE.
    pub fn update(&mut self, prioritized: u32, value: &str) {
        let value = value.as_bytes();
        self.feed(0, Frame::PriorityUpdate { prioritized, value });
    }

    /// The client sends PRIORITY.
    pub fn depend(&mut self, stream: u32, dependency: Dependency) {
        self.feed(stream, Frame::Priority(dependency));
    }

    /// The client asks for something, with a Priority field, a dependency, or neither, and the server begins a response
    /// without end.
    ///
    /// # Panics
    /// When the server does not take it.
    pub fn ask(
        &mut self,
        number: u32,
        field: Option<&str>,
        dependency: Option<Dependency>,
    ) -> StreamId {
        let mut lines = vec![
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "example.org"),
        ];
        lines.extend(field.map(|value| ("priority", value)));
        self.ask_for(number, &lines, dependency);
        self.answer(number)
    }

    /// The stream with this number.
    ///
    /// # Panics
    /// When no request of it was told.
    pub fn id(&self, number: u64) -> StreamId {
        let asked = self.caller.told.iter().rev().find_map(|told| match told {
            Told::Request(id, ..) if id.number() == number => Some(*id),
            _ => None,
        });
        asked.unwrap_or_else(|| panic!("{number} is no request: {:?}", self.caller.told))
    }

    /// The server begins a response without end.
    ///
    /// # Panics
    /// When there is no such request.
    pub fn answer(&mut self, number: u32) -> StreamId {
        let id = self.id(number.into());
        let head = Response::new(200);
        let answered = self.caller.session.respond(id, head, false);
        answered.expect("a response");
        id
    }

    /// The client sends these lines as a head, or as trailers, and nothing after them. They are not answered.
    pub fn ask_for(&mut self, number: u32, lines: &[(&str, &str)], priority: Option<Dependency>) {
        self.head(number, lines, priority, true);
    }

    /// The client sends these lines as a head that something follows.
    pub fn begin(&mut self, number: u32, lines: &[(&str, &str)], priority: Option<Dependency>) {
        self.head(number, lines, priority, false);
    }

    fn head(
        &mut self,
        number: u32,
        lines: &[(&str, &str)],
        priority: Option<Dependency>,
        end_stream: bool,
    ) {
        let mut block = Vec::new();
        self.encoder.begin(&mut block);
        for (name, value) in lines {
            let field = Field {
                name: name.as_bytes(),
                value: value.as_bytes(),
                never_index: false,
            };
            self.encoder.field(field, &mut block);
        }
        let frame = Frame::Headers {
            block: &block,
            priority,
            end_headers: true,
            end_stream,
        };
        self.feed(number, frame);
    }

    /// The DATA frames that leave next, up to at least so many octets of them: their streams and lengths.
    pub fn next(&mut self, octets: usize) -> Vec<(u64, usize)> {
        let mut frames = Vec::new();
        let mut left = octets;
        while let (1.., Some((number, len))) = (left, self.one(|_| usize::MAX)) {
            left = left.saturating_sub(len);
            frames.push((number, len));
        }
        frames
    }

    /// The DATA frame that leaves next, where `most` bounds what a stream has for one frame.
    ///
    /// # Panics
    /// When the session refuses what it asked for.
    pub fn one(&mut self, most: impl Fn(u64) -> usize) -> Option<(u64, usize)> {
        loop {
            let mut out = Gather::new(usize::MAX);
            match self.caller.session.send(self.now, &mut out) {
                Output::Idle | Output::Full => return None,
                Output::Frame => {}
                Output::Need { id, max } => {
                    let len = most(id.number()).min(max);
                    let supply = match self.paused.contains(&id.number()) {
                        true => Supply::Deferred,
                        false => Supply::Chunk(Bytes::from(vec![0; len]), End::More),
                    };
                    let supplied = self.caller.session.supply(id, supply);
                    supplied.expect("what was asked for");
                }
            }
            if let Some(frame) = data(&out.to_vec()) {
                return Some(frame);
            }
        }
    }

    /// The streams whose DATA leaves next, without those that repeat the one before.
    pub fn order(&mut self, octets: usize) -> Vec<u64> {
        let mut order: Vec<_> = self
            .next(octets)
            .iter()
            .map(|(number, _)| *number)
            .collect();
        order.dedup();
        order
    }

    /// What part of the next octets belongs to each stream.
    pub fn shares(&mut self, octets: usize) -> BTreeMap<u64, f64> {
        let mut sums: BTreeMap<u64, usize> = BTreeMap::new();
        for (number, len) in self.next(octets) {
            *sums.entry(number).or_default() += len;
        }
        let all = sums.values().sum::<usize>().max(1) as f64;
        sums.into_iter()
            .map(|(number, sum)| (number, sum as f64 / all))
            .collect()
    }

    /// Checks that the next octets are shared like this, within 5 % of each share.
    ///
    /// # Panics
    /// When they are not.
    #[track_caller]
    pub fn assert_shares(&mut self, expected: &[(u64, f64)]) {
        let shares = self.shares(8 << 20);
        let whole: f64 = expected.iter().map(|(_, part)| part).sum();
        assert_eq!(shares.len(), expected.len(), "{shares:?}");
        for (number, part) in expected {
            let share = shares.get(number).copied().unwrap_or_default();
            let wanted = part / whole;
            assert!(
                (share / wanted - 1.0).abs() < 0.05,
                "{number}: {wanted} of {shares:?}"
            );
        }
    }
}

/// What the first frame is, if it is DATA.
fn data(octets: &[u8]) -> Option<(u64, usize)> {
    let (header, payload) = octets.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::parse(*header);
    match Frame::parse(header, payload) {
        Ok(Frame::Data { data, .. }) => Some((u64::from(header.stream), data.len())),
        _ => None,
    }
}
