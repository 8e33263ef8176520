//! Sections 4 and 5.5: the format of frames, their sizes, field blocks, and what is unknown.

use crate::wire::{GET, POST, Script, block, request, serve, serve_within};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Kind, flags};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::Told;

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
