//! Sections 6.1, 6.2 and 6.6: padding of what leaves, by a rule or by the caller's own choice. What comes with padding is
//! in the sections' other tests.

use crate::wire::{GET, Script, Sent, a_request, frames, octets, open_requests};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::frame::{Frame, Header, Kind, flags};
use thalweg_proto::h2::{Config, Padding, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

fn padding(padding: Padding) -> Config {
    Config {
        padding,
        push: true,
        ..Config::default()
    }
}

/// A server that pads, with a GET on stream 1 and what came before it.
fn server(config: Config, before: Script) -> (Caller<Session>, Instant) {
    let now = Instant::now();
    let session = Session::server(Limits::default(), now).configured(config);
    let mut server = Caller::new(session);
    let mut script = Script::client();
    script.0.extend(before.0);
    server.feed(now, &script.ack().head(1, GET, true).0);
    (server, now)
}

/// What it sends for a promise and a response of so many octets with trailers.
fn answer(config: Config, before: Script, len: usize) -> Vec<Sent> {
    let (mut server, now) = server(config, before);
    let id = open_requests(&server)[0];
    let pushed = server.session.push(id, a_request("GET")).unwrap();
    server
        .session
        .reset(pushed, thalweg_proto::error::Code::Cancel);
    server.session.push(id, a_request("GET")).unwrap();
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    server.say(id, octets(len), false);
    let trailers: Fields = [(&b"t"[..], &b"v"[..])].into_iter().collect();
    server.say_trailers(id, trailers);
    frames(&server.flush(now))
}

/// The payload's length, how much of it is padding, and whether the padding is zeros.
fn padded(sent: &Sent) -> Option<u8> {
    if !sent.header.has(flags::PADDED) {
        return None;
    }
    let pad = sent.payload[0];
    let (content, zeros) = sent.payload.split_at(sent.payload.len() - usize::from(pad));
    assert!(!content.is_empty() && zeros.iter().all(|zero| *zero == 0));
    Some(pad)
}

fn of_kinds(sent: &[Sent]) -> Vec<&Sent> {
    let can = |sent: &&Sent| {
        matches!(
            sent.header.kind,
            Kind::Data | Kind::Headers | Kind::PushPromise
        )
    };
    sent.iter().filter(can).collect()
}

/// "Padding octets MUST be set to zero when sending"; DATA, HEADERS (trailers, too) and PUSH_PROMISE have it.
#[test]
fn frames_are_padded_with_zeros_as_the_rule_says() {
    let sent = answer(padding(Padding::Multiple(64)), Script::default(), 100);
    let frames = of_kinds(&sent);
    let shape: Vec<_> = frames
        .iter()
        .map(|sent| (sent.header.kind, sent.header.length))
        .collect();
    assert_eq!(
        shape,
        [
            (Kind::PushPromise, 64),
            (Kind::Headers, 64),
            (Kind::Data, 128),
            (Kind::Headers, 64)
        ]
    );
    assert!(frames.iter().all(|sent| padded(sent).is_some()));
    let Frame::Data { data, .. } = frames[2].frame() else {
        panic!("{frames:?}");
    };
    assert_eq!(data, &octets(100)[..]);
    let Frame::PushPromise { promised, .. } = frames[0].frame() else {
        panic!("{frames:?}");
    };
    assert_eq!(promised, 4);
    let others = sent.len() - frames.len();
    assert!(others >= 1, "SETTINGS among them, without");
}

#[test]
fn nothing_is_padded_unless_a_rule_says_so() {
    let sent = answer(Config::default(), Script::default(), 100);
    assert!(sent.iter().all(|sent| padded(sent).is_none()));
}

/// Section 6.1: "The entire DATA frame payload is included in flow control, including the Pad Length and Padding fields":
/// padding fills a window no further than it goes, and content goes before it.
#[test]
fn padding_keeps_to_the_windows() {
    let window = Script::default().settings(&[(4, 120)]);
    let data = |len, before: &Script| {
        let sent = answer(padding(Padding::Octets(50)), before.clone(), len);
        sent.iter()
            .filter(|sent| sent.header.kind == Kind::Data)
            .map(|sent| (sent.header.length, padded(sent)))
            .collect::<Vec<_>>()
    };
    assert_eq!(data(60, &window), [(110, Some(49))]);
    assert_eq!(data(100, &window), [(120, Some(19))]);
    assert_eq!(data(119, &window), [(120, Some(0))]);
    assert_eq!(data(200, &window), [(120, None)]);
    // What was spent on padding is missed.
    let (mut server, now) = server(padding(Padding::Octets(50)), window);
    let id = open_requests(&server)[0];
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    server.say(id, octets(60), false);
    server.flush(now);
    server.say(id, octets(60), true);
    let more = frames(&server.flush(now));
    assert_eq!((more.len(), more[0].header.length), (1, 10));
}

/// Section 4.2: padding makes no frame larger than the peer takes, and a head that is cut has none.
#[test]
fn padding_keeps_to_the_largest_frame() {
    let sent = answer(padding(Padding::Octets(256)), Script::default(), 40_000);
    let data: Vec<_> = sent
        .iter()
        .filter(|sent| sent.header.kind == Kind::Data)
        .map(|sent| (sent.header.length, padded(sent)))
        .collect();
    let last = (40_000 - 2 * 16_384 + 256, Some(255));
    assert_eq!(data, [(16_384, None), (16_384, None), last]);

    let (mut server, now) = server(padding(Padding::Octets(256)), Script::default());
    let id = open_requests(&server)[0];
    for (len, shape) in [
        (16_000, vec![(Kind::Headers, true)]),
        (
            17_000,
            vec![(Kind::Headers, false), (Kind::Continuation, false)],
        ),
    ] {
        // Octets that Huffman codes make longer are sent as they are.
        let early = Response::new(103).with_field(b"x-long", &vec![b'~'; len]);
        server.session.respond(id, early, false).unwrap();
        let sent: Vec<_> = frames(&server.flush(now))
            .into_iter()
            .filter(|sent| matches!(sent.header.kind, Kind::Headers | Kind::Continuation))
            .collect();
        assert!(sent.iter().all(|sent| sent.header.length <= 16_384));
        let padding = |sent: &Sent| (sent.header.kind, sent.header.has(flags::PADDED));
        assert_eq!(sent.iter().map(padding).collect::<Vec<_>>(), shape);
    }
}

/// The caller's own rule is asked with each frame and what is possible, and kept to within that.
#[test]
fn the_caller_chooses_the_padding_of_each_frame() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let rule = move |header: Header, most: usize| {
        questions
            .lock()
            .unwrap()
            .push((header.kind, header.stream, header.length, most));
        match header.kind {
            Kind::Headers => usize::MAX,
            Kind::PushPromise => 0,
            _ => header.length as usize + 1,
        }
    };
    let now = Instant::now();
    let session = Session::server(Limits::default(), now).padded_by(rule);
    let mut server = Caller::new(session);
    server.feed(now, &Script::client().ack().head(1, GET, true).0);
    let id = open_requests(&server)[0];
    server.session.push(id, a_request("GET")).unwrap();
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    server.say(id, octets(300), true);
    let sent = frames(&server.flush(now));
    let paddings: Vec<_> = of_kinds(&sent).into_iter().map(padded).collect();
    assert_eq!(paddings, [None, Some(255), Some(0)]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1], (Kind::Headers, 1, 1, 257));
    assert_eq!(asked[2], (Kind::Data, 1, 300, 556));
}

/// Section 8.1.1: padding does not count as content, and credit for it comes back, so that bodies of any size cross.
#[test]
fn padded_messages_arrive_whole() {
    for (seed, rule) in [
        Padding::Octets(256),
        Padding::Multiple(100),
        Padding::Octets(1),
    ]
    .into_iter()
    .enumerate()
    {
        let now = Instant::now();
        let limits = Limits {
            stream_window: 20_000,
            connection_window: 65_535,
            ..Limits::default()
        };
        let client = Session::client(limits.clone(), now).configured(padding(rule));
        let server = Session::server(limits, now).configured(padding(rule));
        let mut pair = Pair::new(client, server, now).cut_at_random(seed as u64);
        let post = Request::new(b"POST")
            .with_scheme(b"https")
            .with_authority(b"example.org")
            .with_path(b"/")
            .with_field(b"content-length", b"300000");
        let id = pair.client.session.open(post, false).unwrap();
        for piece in octets(300_000).chunks(700) {
            pair.client.say(id, piece.to_vec(), false);
        }
        pair.client.say(id, octets(0), true);
        pair.settle();
        let at_server = open_requests(&pair.server)[0];
        assert!(pair.server.data_of(at_server) == octets(300_000));
        let session = &mut pair.server.session;
        let pushed = session.push(at_server, a_request("GET")).unwrap();
        session.respond(pushed, Response::new(204), true).unwrap();
        session
            .respond(at_server, Response::new(200), false)
            .unwrap();
        pair.server.say(at_server, octets(100_000), true);
        pair.settle();
        assert!(pair.client.data_of(id) == octets(100_000));
        let finished = |told: &&Told| matches!(told, Told::Finished(_));
        assert_eq!(pair.client.told.iter().filter(finished).count(), 2);
        let failures = [pair.client.failure(), pair.server.failure()];
        assert_eq!(failures, [None, None]);
    }
}
