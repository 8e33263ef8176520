//! Sections 6.2, 6.3, 6.6 and 6.10: HEADERS, PRIORITY, PUSH_PROMISE and CONTINUATION.

use crate::wire::{
    GET, POST, Script, a_request, block, frames, open_requests, request, serve, serve_between,
    serve_within,
};
use std::time::Instant;
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Dependency, Frame, Kind, flags};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

#[test]
fn padding_and_priority_around_a_block_are_taken_away() {
    let mut payload = vec![3];
    payload.extend([0x80, 0, 0, 9, 15]);
    payload.extend(block(GET));
    payload.extend([0; 3]);
    let all = flags::PADDED | flags::PRIORITY | flags::END_HEADERS | flags::END_STREAM;
    let outcome = serve(&Script::client().raw(Kind::Headers, all, 1, &payload));
    assert!(matches!(&outcome.told[..], [Told::Request(_, head, true)] if head.method() == b"GET"));
}

#[test]
fn padding_longer_than_the_payload_ends_the_connection() {
    for payload in [&[4, 0, 0][..], &[1]] {
        let script = Script::client().raw(
            Kind::Headers,
            flags::PADDED | flags::END_HEADERS,
            1,
            payload,
        );
        serve(&script).assert_failed(Violation::Padding, Code::Protocol);
    }
}

#[test]
fn a_payload_too_short_for_what_its_flags_say_ends_the_connection() {
    for (flag, payload) in [
        (flags::PADDED, &[][..]),
        (flags::PRIORITY, &[0, 0, 0, 0][..]),
        (flags::PADDED | flags::PRIORITY, &[2, 0, 0, 0, 0, 0][..]),
    ] {
        let script = Script::client().raw(Kind::Headers, flag | flags::END_HEADERS, 1, payload);
        serve(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// "HEADERS frames MUST be associated with a stream."
#[test]
fn frames_that_need_a_stream_end_the_connection_on_stream_0() {
    for script in [
        Script::client().head(0, GET, true),
        Script::client().priority(0, 1),
        Script::client().reset(0, Code::Cancel),
    ] {
        serve(&script).assert_failed(Violation::FrameStream, Code::Protocol);
    }
    // Which comes first here is a block that is not there.
    serve(&Script::client().continuation(0, b"", true))
        .assert_failed(Violation::Continuation, Code::Protocol);
}

/// RFC 7540, section 5.3.1: "A stream cannot depend on itself."
#[test]
fn a_stream_that_depends_on_itself_ends() {
    let priority = Some(Dependency {
        on: 1,
        exclusive: false,
        weight: 1,
    });
    let frame = Frame::Headers {
        block: &block(GET),
        priority,
        end_headers: true,
        end_stream: true,
    };
    serve(&Script::client().frame(1, frame)).assert_reset(
        1,
        Violation::SelfDependency,
        Code::Protocol,
    );
    serve(&Script::client().head(1, POST, false).priority(1, 1)).assert_reset(
        1,
        Violation::SelfDependency,
        Code::Protocol,
    );
}

/// Section 6.3: "A PRIORITY frame with a length other than 5 octets MUST be treated as a stream error of type
/// FRAME_SIZE_ERROR."
#[test]
fn a_priority_frame_of_another_size_ends_its_stream() {
    let script = Script::client()
        .head(1, POST, false)
        .raw(Kind::Priority, 0, 1, &[0; 6]);
    serve(&script).assert_reset(1, Violation::FrameSize, Code::FrameSize);
}

/// Section 6.4: "A RST_STREAM frame with a length other than 4 octets MUST be treated as a connection error of
/// type FRAME_SIZE_ERROR."
#[test]
fn a_reset_of_another_size_ends_the_connection() {
    for size in [0, 3, 5] {
        let script =
            Script::client()
                .head(1, POST, false)
                .raw(Kind::RstStream, 0, 1, &vec![0; size]);
        serve(&script).assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Section 6.4: a reset is told with its code, whatever number it is, and not answered.
#[test]
fn a_reset_is_told_and_not_answered() {
    for number in [0, 8, 0xdead] {
        let code = Code::from_number(number);
        let outcome = serve(&Script::client().head(1, POST, false).reset(1, code));
        let told = outcome.told.last().unwrap();
        assert!(matches!(told, Told::Reset(_, with, None) if *with == code));
        assert!(outcome.resets().is_empty());
    }
}

/// Section 6.6: "A client cannot push", and a client that has said ENABLE_PUSH 0 takes none.
#[test]
fn a_push_promise_ends_the_connection_at_either_end() {
    let promise = |script: Script, promised| {
        let frame = Frame::PushPromise {
            promised,
            block: &block(GET),
            end_headers: true,
        };
        script.frame(1, frame)
    };
    serve(&promise(Script::client().head(1, POST, false), 2))
        .assert_failed(Violation::PushPromise, Code::Protocol);
    request(&["GET"], &promise(Script::server().ack(), 2))
        .assert_failed(Violation::PushPromise, Code::Protocol);
}

/// Section 6.10: a block may be cut anywhere, and HEADERS alone says whether the stream ends.
#[test]
fn continuations_complete_a_block() {
    let block = block(GET);
    for cut in 0..=block.len() {
        let (one, two) = block.split_at(cut);
        let script = Script::client()
            .begin_block(1, one, true)
            .continuation(1, b"", false)
            .continuation(1, two, true);
        let outcome = serve(&script);
        assert!(
            matches!(&outcome.told[..], [Told::Request(_, _, true)]),
            "{cut}"
        );
    }
}

/// Section 6.10: "A receiver MUST treat the receipt of any other type of frame or a frame on a different stream as
/// a connection error of type PROTOCOL_ERROR."
#[test]
fn nothing_may_come_between_the_frames_of_a_block() {
    let begun = Script::client().begin_block(1, &block(GET), true);
    for between in [
        begun.clone().ping(),
        begun.clone().settings(&[]),
        begun.clone().data(1, b"x", true),
        begun.clone().head(3, GET, true),
        begun.clone().continuation(3, b"", true),
        begun.clone().credit(0, 1),
    ] {
        serve(&between).assert_failed(Violation::BlockInterrupted, Code::Protocol);
    }
}

/// Section 6.10: "If the END_HEADERS flag is set, CONTINUATION must not follow."
#[test]
fn a_continuation_that_continues_nothing_ends_the_connection() {
    serve(
        &Script::client()
            .head(1, GET, true)
            .continuation(1, b"", true),
    )
    .assert_failed(Violation::Continuation, Code::Protocol);
}

/// Not in the RFC: CONTINUATION is bounded (CVE-2024-27316 and its kin).
#[test]
fn a_block_of_too_many_frames_ends_the_connection() {
    let limits = Limits::default();
    let mut script = Script::client().begin_block(1, &block(GET), true);
    for _ in 0..=limits.continuations {
        script = script.continuation(1, b"", false);
    }
    serve(&script).assert_failed(Violation::TooManyContinuations, Code::EnhanceYourCalm);
}

#[test]
fn a_block_far_beyond_the_limit_ends_the_connection_before_it_is_kept() {
    let limits = Limits {
        head: 16 << 10,
        continuations: 1000,
        ..Limits::default()
    };
    let mut script = Script::client().begin_block(1, &[0x82; 16_384], true);
    for _ in 0..4 {
        script = script.continuation(1, &[0x82; 16_384], false);
    }
    serve_within(limits, &script).assert_failed(Violation::HeadTooLarge, Code::EnhanceYourCalm);
}

/// Section 4.2 and 6.10, sending: a head that is larger than the peer's largest frame goes on in CONTINUATION, and
/// nothing comes between.
#[test]
fn a_large_head_leaves_in_several_frames() {
    let value = "v".repeat(20_000);
    let script = Script::client().head(1, GET, true).head(3, GET, true);
    let outcome = serve_between(&[&script], |caller, _| {
        for id in open_requests(caller) {
            let mut head = Response::new(200);
            for number in 0..3 {
                let name = format!("x-{number}");
                head = head.with_field(name.as_bytes(), value.as_bytes());
            }
            caller.session.respond(id, head, true).unwrap();
        }
    });
    let kinds: Vec<_> = outcome
        .sent
        .iter()
        .filter(|sent| sent.header.stream != 0)
        .map(|sent| (sent.header.kind, sent.header.stream, sent.header.flags))
        .collect();
    let ends = flags::END_STREAM;
    let end_headers = flags::END_HEADERS;
    assert_eq!(kinds[0], (Kind::Headers, 1, ends));
    assert!(
        kinds
            .iter()
            .all(|(kind, ..)| matches!(kind, Kind::Headers | Kind::Continuation))
    );
    let second = kinds
        .iter()
        .position(|(_, stream, _)| *stream == 3)
        .unwrap();
    assert_eq!(kinds[second - 1], (Kind::Continuation, 1, end_headers));
    assert_eq!(*kinds.last().unwrap(), (Kind::Continuation, 3, end_headers));
    assert!(
        outcome
            .sent
            .iter()
            .all(|sent| sent.header.length <= 1 << 14)
    );
}

#[test]
fn a_large_head_crosses_from_a_client_to_a_server() {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    let long = vec![b'v'; 50_000];
    let head = a_request("GET").with_field(b"x-long", &long);
    pair.client.session.open(head, true).unwrap();
    pair.settle();
    let [Told::Request(_, head, true)] = &pair.server.told[..] else {
        panic!("{:?}", pair.server.told);
    };
    assert_eq!(head.fields.first(b"x-long"), Some(&long[..]));
}

#[test]
fn one_call_of_send_adds_one_frame() {
    use thalweg_proto::session::{Gather, Output, Session as _};
    let now = Instant::now();
    let mut session = Session::client(Limits::default(), now);
    session.open(a_request("GET"), true).unwrap();
    let mut out = Gather::new(1 << 20);
    let mut count = 0;
    while session.send(now, &mut out) == Output::Frame {
        count += 1;
        assert_eq!(frames(&out.to_vec()).len(), count);
    }
}
