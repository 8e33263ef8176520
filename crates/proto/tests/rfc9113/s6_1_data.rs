//! Section 6.1: DATA.

use crate::wire::{POST, Script, serve, serve_within};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, Kind, flags};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::Told;

#[test]
fn a_body_is_told_in_order_and_ends_once() {
    let script = Script::client()
        .head(1, POST, false)
        .data(1, b"hello ", false)
        .data(1, b"", false)
        .data(1, b"world", true);
    let outcome = serve(&script);
    assert!(matches!(&outcome.told[1], Told::Data(_, octets) if octets == b"hello world"));
    assert!(matches!(&outcome.told[2..], [Told::End(_, None)]));
}

#[test]
fn an_empty_last_frame_ends_the_body() {
    let script = Script::client().head(1, POST, false).data(1, b"", true);
    assert!(matches!(&serve(&script).told[1..], [Told::End(_, None)]));
}

/// "DATA frames MUST be associated with a stream."
#[test]
fn data_on_stream_0_ends_the_connection() {
    serve(&Script::client().data(0, b"x", true))
        .assert_failed(Violation::FrameStream, Code::Protocol);
}

#[test]
fn padding_is_taken_away() {
    for padding in [0, 1, 255] {
        let script = Script::client()
            .head(1, POST, false)
            .padded_data(1, b"hello", padding, true);
        let outcome = serve(&script);
        assert!(matches!(&outcome.told[1], Told::Data(_, octets) if octets == b"hello"));
        assert!(matches!(&outcome.told[2], Told::End(..)));
    }
}

/// "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as a
/// connection error of type PROTOCOL_ERROR."
#[test]
fn padding_longer_than_the_payload_ends_the_connection() {
    let script = Script::client().head(1, POST, false);
    let padded = |payload: &[u8]| script.clone().raw(Kind::Data, flags::PADDED, 1, payload);
    serve(&padded(&[4, 0, 0, 0])).assert_failed(Violation::Padding, Code::Protocol);
    serve(&padded(&[1])).assert_failed(Violation::Padding, Code::Protocol);
    serve(&padded(&[])).assert_failed(Violation::FrameSize, Code::FrameSize);
    assert_eq!(serve(&padded(&[3, 0, 0, 0])).failure(), None);
}

/// "The entire DATA frame payload is included in flow control, including the Pad Length and Padding fields".
#[test]
fn padding_counts_against_the_window() {
    let limits = Limits {
        stream_window: 65_535,
        ..Limits::default()
    };
    let mut script = Script::default().head(1, POST, false);
    for _ in 0..3 {
        script = script.data(1, &[0; 16_384], false);
    }
    let left = 65_535 - 3 * 16_384 - 256;
    let fits = script.clone().data(1, &vec![0; left], false);
    let mut taken = serve_without_taking(&limits, &fits.clone().padded_data(1, b"", 255, false));
    assert_eq!(taken.faults(), []);
    taken = serve_without_taking(&limits, &fits.padded_data(1, b"x", 255, false));
    assert_eq!(taken.faults(), [(1, Violation::WindowOverrun)]);
    assert_eq!(taken.resets(), [(1, Code::FlowControl)]);
}

/// Nobody consumes padding: its credit comes back without the consumer.
#[test]
fn padding_is_credited_at_once() {
    let mut script = Script::default().head(1, POST, false);
    for _ in 0..600 {
        script = script.padded_data(1, b"", 255, false);
    }
    let outcome = serve_without_taking(&Limits::default(), &script);
    let credit: u32 = outcome
        .sent
        .iter()
        .filter(|sent| sent.header.stream == 1)
        .filter_map(|sent| match sent.frame() {
            Frame::WindowUpdate(octets) => Some(octets),
            _ => None,
        })
        .sum();
    assert_eq!(credit, 600 * 256);
    assert_eq!(outcome.failure(), None);
}

fn serve_without_taking(limits: &Limits, script: &Script) -> crate::wire::Outcome {
    let (mut caller, now) = crate::wire::established(limits.clone(), &Script::default());
    caller.takes = false;
    caller.feed(now, &script.0);
    let octets = caller.flush(now);
    crate::wire::Outcome {
        told: caller.told,
        sent: crate::wire::frames(&octets),
    }
}

#[test]
fn frames_without_content_may_not_come_for_ever() {
    let limits = Limits {
        glitches: thalweg_proto::limits::Rate {
            burst: 10,
            per_second: 0,
        },
        ..Limits::default()
    };
    let mut script = Script::client().head(1, POST, false);
    for _ in 0..11 {
        script = script.data(1, b"", false);
    }
    serve_within(limits, &script).assert_failed(Violation::TooManyGlitches, Code::EnhanceYourCalm);
}
