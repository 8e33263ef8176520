//! Whole exchanges as people read them, the way `nghttp -v` prints them.

use crate::{a_request, text, traced_pair};
use std::time::Instant;
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Header, Kind, Settings, flags};
use thalweg_proto::h2::{Config, PREFACE};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Shutdown, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;
use thalweg_testkit::splits::every_split;

/// Lines of a field block stand before the frame that brought them, and after the frame that takes them.
#[test]
fn a_post_and_its_answer_read_the_same_at_both_ends() {
    for seed in 0..8 {
        let now = Instant::now();
        let (client, server) = traced_pair(now);
        let mut pair = Pair::new(client, server, now).cut_at_random(seed);
        pair.settle();
        text(&mut pair.client);
        text(&mut pair.server);
        let id = pair.client.session.open(a_request(b"POST"), false).unwrap();
        pair.client.say(id, &b"hello"[..], true);
        pair.settle();
        let Some(Told::Request(id, ..)) = pair.server.told.first().cloned() else {
            panic!("no request came");
        };
        let head = Response::new(200).with_field(b"x-a", b"b");
        pair.server.session.respond(id, head, false).unwrap();
        pair.server.say(id, &b"bye"[..], false);
        let mut trailers = Fields::default();
        trailers.push(b"x-t", b"1");
        pair.server.say_trailers(id, trailers);
        pair.settle();
        assert_eq!(
            text(&mut pair.client),
            "\
[  0.000] send HEADERS frame <length=13, flags=0x04, stream_id=1>
          ; END_HEADERS
          (padlen=0)
          ; Open new stream
          :method: POST
          :scheme: https
          :authority: example.org
          :path: /
[  0.000] send DATA frame <length=5, flags=0x01, stream_id=1>
          ; END_STREAM
[  0.000] recv (stream_id=1) :status: 200
[  0.000] recv (stream_id=1) x-a: b
[  0.000] recv HEADERS frame <length=8, flags=0x04, stream_id=1>
          ; END_HEADERS
          (padlen=0)
          ; First response header
[  0.000] recv DATA frame <length=3, flags=0x00, stream_id=1>
[  0.000] recv (stream_id=1) x-t: 1
[  0.000] recv HEADERS frame <length=7, flags=0x05, stream_id=1>
          ; END_STREAM | END_HEADERS
          (padlen=0)
"
        );
        assert_eq!(
            text(&mut pair.server),
            "\
[  0.000] recv (stream_id=1) :method: POST
[  0.000] recv (stream_id=1) :scheme: https
[  0.000] recv (stream_id=1) :authority: example.org
[  0.000] recv (stream_id=1) :path: /
[  0.000] recv HEADERS frame <length=13, flags=0x04, stream_id=1>
          ; END_HEADERS
          (padlen=0)
          ; Open new stream
[  0.000] recv DATA frame <length=5, flags=0x01, stream_id=1>
          ; END_STREAM
[  0.000] send HEADERS frame <length=8, flags=0x04, stream_id=1>
          ; END_HEADERS
          (padlen=0)
          ; First response header
          :status: 200
          x-a: b
[  0.000] send DATA frame <length=3, flags=0x00, stream_id=1>
[  0.000] send HEADERS frame <length=7, flags=0x05, stream_id=1>
          ; END_STREAM | END_HEADERS
          (padlen=0)
          x-t: 1
"
        );
    }
}

/// How a connection begins, and how it ends by agreement.
#[test]
fn settings_pings_and_goaway_are_shown_with_what_they_say() {
    let now = Instant::now();
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 100_000,
        ..Limits::default()
    };
    let client = Session::client(limits.clone(), now);
    let config = Config {
        connect_protocol: true,
        ..Config::default()
    };
    let server = Session::server(limits, now).configured(config).traced();
    let mut pair = Pair::new(client, server, now);
    pair.settle();
    pair.server.session.shutdown(now, Shutdown::Graceful);
    pair.settle();
    assert_eq!(
        text(&mut pair.server),
        "\
[  0.000] recv SETTINGS frame <length=12, flags=0x00, stream_id=0>
          (niv=2)
          [SETTINGS_ENABLE_PUSH(0x02):0]
          [SETTINGS_MAX_HEADER_LIST_SIZE(0x06):65536]
[  0.000] recv WINDOW_UPDATE frame <length=4, flags=0x00, stream_id=0>
          (window_size_increment=34465)
[  0.000] send SETTINGS frame <length=24, flags=0x00, stream_id=0>
          (niv=4)
          [SETTINGS_MAX_CONCURRENT_STREAMS(0x03):256]
          [SETTINGS_MAX_HEADER_LIST_SIZE(0x06):65536]
          [SETTINGS_ENABLE_CONNECT_PROTOCOL(0x08):1]
          [SETTINGS_NO_RFC7540_PRIORITIES(0x09):1]
[  0.000] send WINDOW_UPDATE frame <length=4, flags=0x00, stream_id=0>
          (window_size_increment=34465)
[  0.000] send SETTINGS frame <length=0, flags=0x01, stream_id=0>
          ; ACK
          (niv=0)
[  0.000] recv SETTINGS frame <length=0, flags=0x01, stream_id=0>
          ; ACK
          (niv=0)
[  0.000] send GOAWAY frame <length=8, flags=0x00, stream_id=0>
          (last_stream_id=2147483647, error_code=NO_ERROR(0x00), opaque_data(0)=[])
[  0.000] send PING frame <length=8, flags=0x00, stream_id=0>
          (opaque_data=647261696e696e67)
[  0.000] recv PING frame <length=8, flags=0x01, stream_id=0>
          ; ACK
          (opaque_data=647261696e696e67)
[  0.000] recv GOAWAY frame <length=8, flags=0x00, stream_id=0>
          (last_stream_id=0, error_code=NO_ERROR(0x00), opaque_data(0)=[])
[  0.000] send GOAWAY frame <length=8, flags=0x00, stream_id=0>
          (last_stream_id=0, error_code=NO_ERROR(0x00), opaque_data(0)=[])
"
    );
}

/// A script of a client, and what a server's trace says of its frames.
fn received(script: &[u8]) -> String {
    let mut wire = PREFACE.to_vec();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    Frame::SettingsAck.write(0, &mut wire);
    wire.extend_from_slice(script);
    let mut first = None;
    every_split(&wire, |cut, pieces| {
        let now = Instant::now();
        let mut caller = Caller::new(Session::server(Limits::default(), now).traced());
        caller.flush(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        let text = text(&mut caller);
        let (_, script) = text.split_once("; ACK\n          (niv=0)\n").unwrap();
        match &first {
            None => first = Some(script.to_owned()),
            Some(first) => assert_eq!(first, script, "{cut}"),
        }
    });
    first.unwrap()
}

fn raw(kind: Kind, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let header = Header {
        length: payload.len() as u32,
        kind,
        flags,
        stream,
    };
    out.extend(header.octets());
    out.extend_from_slice(payload);
}

/// The lines of a GET, without a table.
const GET: &[u8] = b"\x82\x87\x84\x01\x01a";

/// Padding, priority, CONTINUATION, and frames of types that nobody knows.
#[test]
fn frames_of_every_form_are_shown() {
    let mut script = Vec::new();
    let mut payload = vec![3, 0x80, 0, 0, 11, 200];
    payload.extend_from_slice(&GET[..2]);
    payload.extend_from_slice(&[0; 3]);
    let flags = flags::PADDED | flags::PRIORITY;
    raw(Kind::Headers, flags, 1, &payload, &mut script);
    raw(Kind::Continuation, 0, 1, &GET[2..4], &mut script);
    raw(Kind::Continuation, 4, 1, &GET[4..], &mut script);
    raw(Kind::Data, 8, 1, b"\x02ab\0\0", &mut script);
    raw(Kind::Priority, 0, 5, b"\0\0\0\x01\x0f", &mut script);
    raw(Kind::Unknown(0xbe), 0x41, 3, b"anything", &mut script);
    raw(Kind::Data, 1, 1, b"", &mut script);
    raw(
        Kind::GoAway,
        0,
        0,
        b"\0\0\0\0\0\0\0\x0bslow\x1b[2J",
        &mut script,
    );
    assert_eq!(
        received(&script),
        "\
[  0.000] recv (stream_id=1) :method: GET
[  0.000] recv (stream_id=1) :scheme: https
[  0.000] recv (stream_id=1) :path: /
[  0.000] recv (stream_id=1) :authority: a
[  0.000] recv HEADERS frame <length=15, flags=0x2c, stream_id=1>
          ; END_HEADERS | PADDED | PRIORITY
          (padlen=4, dep_stream_id=11, weight=201, exclusive=1)
          ; Open new stream
[  0.000] recv DATA frame <length=5, flags=0x08, stream_id=1>
          ; PADDED
          (padlen=3)
[  0.000] recv PRIORITY frame <length=5, flags=0x00, stream_id=5>
          (dep_stream_id=1, weight=16, exclusive=0)
[  0.000] recv extension(0xbe) frame <length=8, flags=0x41, stream_id=3>
[  0.000] recv DATA frame <length=0, flags=0x01, stream_id=1>
          ; END_STREAM
[  0.000] recv GOAWAY frame <length=16, flags=0x00, stream_id=0>
          (last_stream_id=0, error_code=ENHANCE_YOUR_CALM(0x0b), opaque_data(8)=[slow\\u{1b}[2J])
"
    );
}

/// What is wrong with a frame stands before it, whether its stream ends or the connection.
#[test]
fn frames_that_break_a_rule_are_shown_with_what_they_broke() {
    let mut script = Vec::new();
    raw(Kind::Headers, 5, 1, b"\x82\x87\x84", &mut script);
    raw(Kind::Headers, 4, 3, GET, &mut script);
    raw(Kind::WindowUpdate, 0, 3, &[0; 4], &mut script);
    raw(Kind::RstStream, 0, 9, &[0, 0, 0, 8], &mut script);
    assert_eq!(
        received(&script),
        "\
[  0.000] recv (stream_id=1) :method: GET
[  0.000] recv (stream_id=1) :scheme: https
[  0.000] recv (stream_id=1) :path: /
[  0.000] [INVALID; error=the request names no host, or more than one] recv HEADERS frame <length=3, flags=0x05, stream_id=1>
          ; END_STREAM | END_HEADERS
          (padlen=0)
[  0.000] recv (stream_id=3) :method: GET
[  0.000] recv (stream_id=3) :scheme: https
[  0.000] recv (stream_id=3) :path: /
[  0.000] recv (stream_id=3) :authority: a
[  0.000] recv HEADERS frame <length=6, flags=0x04, stream_id=3>
          ; END_HEADERS
          (padlen=0)
          ; Open new stream
[  0.000] [INVALID; error=a WINDOW_UPDATE of 0 came] recv WINDOW_UPDATE frame <length=4, flags=0x00, stream_id=3>
[  0.000] [INVALID; error=a frame came that the state of its stream does not allow] recv RST_STREAM frame <length=4, flags=0x00, stream_id=9>
          (error_code=CANCEL(0x08))
"
    );
}

/// Each connection's lines can be told apart where several are logged.
#[test]
fn a_label_stands_before_each_time() {
    let now = Instant::now();
    let (client, server) = traced_pair(now);
    let mut pair = Pair::new(client, server, now);
    let id = pair.client.session.open(a_request(b"GET"), true).unwrap();
    pair.settle();
    pair.client.session.reset(id, Code::Cancel);
    pair.settle();
    let last = crate::entries(&mut pair.server).pop().unwrap();
    let at = std::time::Duration::from_millis(61_007);
    let expected = "\
[id=2] [ 61.007] recv RST_STREAM frame <length=4, flags=0x00, stream_id=1>
          (error_code=CANCEL(0x08))
";
    assert_eq!(last.text(at).labelled("[id=2] ").to_string(), expected);
}
