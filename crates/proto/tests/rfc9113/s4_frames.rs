//! Sections 4 and 5.5: the format of frames, their sizes, field blocks, and what is unknown.

use crate::wire::{
    GET, POST, Script, a_request, block, octets, open_requests, request, serve, serve_within,
};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Kind, flags};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::{Caller, Told};

/// Section 4.1: "Unused flags MUST be ignored on receipt", and the reserved bit "MUST be ignored when receiving".
#[test]
fn unused_flags_and_the_reserved_bit_are_ignored() {
    let script = Script::client().raw(Kind::Ping, 0xfe, 0, b"12345678").raw(
        Kind::Headers,
        0xc0 | flags::END_HEADERS | flags::END_STREAM | 0x02,
        0x8000_0001,
        &block(GET),
    );
    let outcome = serve(&script);
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.requests(), [1]);
    assert_eq!(outcome.of_kind(Kind::Ping).len(), 1);
}

/// Section 5.5: "Implementations MUST discard frames that have unknown or unsupported types."
#[test]
fn frames_of_unknown_types_are_discarded_on_any_stream() {
    let script = Script::client()
        .raw(Kind::Unknown(0xbe), 0xff, 0, &[1; 100])
        .raw(Kind::Unknown(0x0a), 0, 7, b"")
        .head(1, GET, true);
    assert_eq!(serve(&script).requests(), [1]);
}

/// Section 5.5: "extension frames that appear in the middle of a field block MUST be treated as a connection error
/// of type PROTOCOL_ERROR."
#[test]
fn a_frame_of_an_unknown_type_within_a_field_block_ends_the_connection() {
    let script =
        Script::client()
            .begin_block(1, &block(GET), true)
            .raw(Kind::Unknown(0xbe), 0, 0, b"");
    serve(&script).assert_failed(Violation::BlockInterrupted, Code::Protocol);
}

/// Section 4.2: "An endpoint MUST send an error code of FRAME_SIZE_ERROR if a frame exceeds the size defined in
/// SETTINGS_MAX_FRAME_SIZE".
#[test]
fn a_frame_above_the_announced_size_ends_the_connection() {
    for kind in [Kind::Data, Kind::Headers, Kind::Settings, Kind::Unknown(99)] {
        let stream = u32::from(kind != Kind::Settings);
        let script = Script::client().head(1, POST, false).raw(
            kind,
            flags::END_HEADERS,
            stream,
            &vec![0; (1 << 14) + 1],
        );
        serve(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Section 4.2: all sizes up to the announced one are taken.
#[test]
fn a_frame_of_the_announced_size_is_taken() {
    let limits = Limits {
        frame: 20_000,
        ..Limits::default()
    };
    let script = Script::client()
        .head(1, POST, false)
        .data(1, &[7; 20_000], true);
    let outcome = serve_within(limits, &script);
    assert!(matches!(&outcome.told[1], Told::Data(_, octets) if octets.len() == 20_000));
}

/// Section 4.3: "A receiver MUST terminate the connection with a connection error of type COMPRESSION_ERROR if it
/// does not decompress a field block."
#[test]
fn a_block_that_cannot_be_decoded_ends_the_connection() {
    for wrong in [&b"\x80"[..], b"\xff\xff\xff\xff\xff\xff", b"\x00\x05ab"] {
        let script = Script::client().block(1, wrong, true);
        serve(&script).assert_failed(Violation::Compression, Code::Compression);
        let script = Script::server().block(1, wrong, true);
        request(&["GET"], &script).assert_failed(Violation::Compression, Code::Compression);
    }
}

/// Section 4.3: the compression state is the connection's: the block of a stream that is refused counts as well.
#[test]
fn the_block_of_a_refused_request_still_fills_the_table() {
    // Literal with incremental indexing: x: y. Later 0xbe means that entry.
    let mut first = block(&[("Bad", "1")]);
    first.extend(b"\x40\x01x\x01y");
    let mut second = block(GET);
    second.push(0xbe);
    let script = Script::client()
        .block(1, &first, true)
        .block(3, &second, true);
    let outcome = serve(&script);
    assert_eq!(outcome.faults(), [(1, Violation::FieldName)]);
    let Some(Told::Request(_, head, _)) = outcome.told.last() else {
        panic!("{outcome:?}");
    };
    assert_eq!(head.fields.first(b"x"), Some(&b"y"[..]));
}

/// Section 4.1: "Unused flags ... MUST be left unset when sending", and the reserved bit "MUST remain unset": in all that
/// a busy pair says.
#[test]
fn nothing_leaves_with_an_unused_flag_or_the_reserved_bit() {
    use thalweg_proto::h2::{PREFACE, Session};
    use thalweg_proto::head::Response;
    use thalweg_proto::session::{Shutdown, Streams};
    let now = std::time::Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let mut server = Caller::new(Session::server(Limits::default(), now));
    let long = vec![b'v'; 40_000];
    let head = a_request("POST").with_field(b"x-long", &long);
    let id = client.session.open(head, false).unwrap();
    client.say(id, octets(300_000), true);
    let mut both = [Vec::new(), Vec::new()];
    for turn in 0..20 {
        let one = client.flush(now);
        server.feed(now, &one);
        for id in open_requests(&server) {
            let answer = Response::new(200).with_field(b"x-long", &long);
            if turn == 3 && server.session.respond(id, answer, false).is_ok() {
                server.say(id, octets(300_000), true);
            }
        }
        if turn == 5 {
            let ping = Script::default().ping().settings(&[]);
            server.feed(now, &ping.0);
            client.feed(now, &ping.0);
        }
        if turn == 8 {
            server.session.shutdown(now, Shutdown::Graceful);
        }
        let other = server.flush(now);
        client.feed(now, &other);
        both[0].extend(one);
        both[1].extend(other);
    }
    let mut kinds = std::collections::BTreeSet::new();
    for octets in both {
        let mut rest = octets.strip_prefix(&PREFACE[..]).unwrap_or(&octets);
        while let Some((header, after)) = rest.split_first_chunk::<9>() {
            let [a, b, c, kind, flags, reserved, ..] = *header;
            let defined = match Kind::from_number(kind) {
                Kind::Data => flags::END_STREAM | flags::PADDED,
                Kind::Headers => {
                    flags::END_STREAM | flags::END_HEADERS | flags::PADDED | flags::PRIORITY
                }
                Kind::Settings | Kind::Ping => flags::ACK,
                Kind::Continuation => flags::END_HEADERS,
                _ => 0,
            };
            assert_eq!((flags & !defined, reserved & 0x80), (0, 0), "{header:?}");
            kinds.insert(kind);
            rest = &after[u32::from_be_bytes([0, a, b, c]) as usize..];
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [0, 1, 4, 6, 7, 8, 9]);
}

/// Section 4.2: "All implementations MUST be capable of receiving and minimally processing frames up to 2^14 octets in
/// length."
#[test]
fn frames_of_16384_octets_are_taken() {
    let value = "v".repeat(16_300);
    let mut large = block(&[GET, &[("x", &value)]].concat());
    // Another line, up to the size: four octets and its value.
    large.extend(block(&[("y", &"w".repeat(16_384 - large.len() - 4))]));
    assert_eq!(large.len(), 16_384);
    let goaway = [&[0; 8][..], &[b'w'; 16_376]].concat();
    let script = Script::client()
        .raw(Kind::Unknown(0xbe), 0, 0, &[0; 16_384])
        .raw(Kind::GoAway, 0, 0, &goaway)
        .block(1, &large, false)
        .data(1, &[0; 16_384], true);
    let outcome = serve(&script);
    assert_eq!(outcome.failure(), None);
    assert!(matches!(outcome.told.last(), Some(Told::End(..))));
}

/// Section 4.2: a frame "too small to contain mandatory frame data" is a FRAME_SIZE_ERROR, of the connection wherever it
/// could alter its state.
#[test]
fn a_frame_too_small_for_its_type_is_an_error_of_its_level() {
    for (kind, flag, size) in [
        (Kind::Headers, flags::PADDED, 0),
        (Kind::Headers, flags::PRIORITY, 4),
        (Kind::Data, flags::PADDED, 0),
        (Kind::RstStream, 0, 3),
        (Kind::Settings, 0, 5),
        (Kind::Ping, 0, 7),
        (Kind::GoAway, 0, 7),
        (Kind::WindowUpdate, 0, 3),
    ] {
        let on_stream = !matches!(kind, Kind::Settings | Kind::Ping | Kind::GoAway);
        let script = Script::client().head(1, POST, false).raw(
            kind,
            flag,
            u32::from(on_stream),
            &vec![0; size],
        );
        serve(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
    let script = Script::client().head(1, POST, false);
    serve(&script.raw(Kind::Priority, 0, 1, &[0; 4])).assert_reset(
        1,
        Violation::FrameSize,
        Code::FrameSize,
    );
}

/// Section 4.3.1: "An endpoint MUST treat a field block that follows an acknowledgment of the reduction to the maximum
/// dynamic table size as a connection error of type COMPRESSION_ERROR if it does not start with a conformant Dynamic
/// Table Size Update instruction."
#[test]
fn a_block_without_the_size_update_that_is_owed_ends_the_connection() {
    let limits = Limits {
        table: 100,
        ..Limits::default()
    };
    let after = |update: &[u8]| {
        let head = [update, &block(GET)].concat();
        let script = Script::default().block(1, &head, true);
        let (server, _) = crate::wire::established(limits.clone(), &script);
        server.failure().map(|error| (error.why, error.code))
    };
    let failed = Some((Violation::Compression, Code::Compression));
    assert_eq!(after(b""), failed);
    assert_eq!(after(b"\x3f\x46"), failed, "101 octets");
    assert_eq!(after(b"\x3f\x45"), None, "100 octets");
    assert_eq!(after(b"\x20"), None, "none");
}
