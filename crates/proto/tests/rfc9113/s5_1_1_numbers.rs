//! Section 5.1.1: numbers of streams that the caller leaves out.

use crate::wire::{a_request, open_requests};
use std::time::Instant;
use thalweg_proto::error::UsageError;
use thalweg_proto::h2::{Config, Session};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::pair::Pair;

/// "The identifier of a newly established stream MUST be numerically greater than all streams that the initiating endpoint
/// has opened or reserved": it may be much greater.
#[test]
fn numbers_may_be_left_out_and_never_come_back() {
    let now = Instant::now();
    let config = Config {
        push: true,
        ..Config::default()
    };
    let client = Session::client(Limits::default(), now).configured(config);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    let get = || a_request("GET");
    let session = &mut pair.client.session;
    assert_eq!(
        (session.next_stream(), session.last_stream_of_peer()),
        (1, 0)
    );
    session.open(get(), true).unwrap();
    session.skip_to(101).unwrap();
    assert_eq!(session.open(get(), true).map(StreamId::number), Ok(101));
    for wrong in [0, 1, 101, 102, 104, 1 << 31, (1 << 32) + 201] {
        assert_eq!(session.skip_to(wrong), Err(UsageError::NoSuchStream));
    }
    pair.settle();
    let session = &mut pair.server.session;
    assert_eq!(session.last_stream_of_peer(), 101);
    assert_eq!(session.next_stream(), 2);
    session.skip_to(50).unwrap();
    let on = open_requests(&pair.server)[1];
    let promised = pair.server.session.push(on, get()).map(StreamId::number);
    assert_eq!(promised, Ok(50));
    pair.settle();
    assert_eq!(pair.client.session.last_stream_of_peer(), 50);
    assert_eq!([pair.client.failure(), pair.server.failure()], [None; 2]);
}

/// "Stream identifiers cannot be reused": after the last one no stream can be opened.
#[test]
fn there_is_no_stream_after_the_last_number() {
    let mut client = Session::client(Limits::default(), Instant::now());
    client.skip_to(0x7fff_ffff).unwrap();
    assert_eq!(client.capacity(), 100);
    client.open(a_request("GET"), true).unwrap();
    assert_eq!(client.capacity(), 0);
    let another = client.open(a_request("GET"), true);
    assert_eq!(another, Err(UsageError::NoCapacity));
}
