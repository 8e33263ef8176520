//! Who takes part in these tests, and what they say.

use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header};
use thalweg_proto::h2c::Session;
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::StreamId;
use thalweg_testkit::caller::Caller;

/// Stream 1.
pub(crate) fn first() -> StreamId {
    StreamId::new(1, 0)
}

/// A server's caller.
pub(crate) fn server(now: Instant) -> Caller<Session> {
    Caller::new(Session::server(Arc::new(Limits::default()), now))
}

/// A client's caller.
pub(crate) fn client(now: Instant) -> Caller<Session> {
    client_within(Limits::default(), now)
}

/// A client's caller with these limits.
pub(crate) fn client_within(limits: Limits, now: Instant) -> Caller<Session> {
    Caller::new(Session::client(Arc::new(limits), now))
}

/// A request to `http://a/`.
pub(crate) fn request(method: &str) -> Request {
    Request::new(method.as_bytes())
        .with_scheme(b"http")
        .with_authority(b"a")
        .with_path(b"/")
}

/// The frames in these octets, each with its stream.
pub(crate) fn frames(mut octets: &[u8]) -> Vec<(Header, &[u8])> {
    let mut frames = Vec::new();
    while let Some((header, after)) = octets.split_first_chunk::<HEADER_LEN>() {
        let header = Header::parse(*header);
        let (payload, after) = after.split_at(header.length as usize);
        assert!(Frame::parse(header, payload).is_ok(), "{header:?}");
        frames.push((header, payload));
        octets = after;
    }
    assert!(octets.is_empty(), "a frame was cut: {octets:?}");
    frames
}
