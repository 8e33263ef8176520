//! Which scheme decides: the tree, for those clients that know nothing better (RFC 9218, section 2.1).

use crate::{on, text, turns};
use std::time::Instant;
use thalweg_proto::error::UsageError;
use thalweg_proto::h2::frame::{Frame, Settings};
use thalweg_proto::h2::{Config, PREFACE, Rfc7540Priorities, Session};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Priority, Session as _, Streams};
use thalweg_testkit::caller::Caller;
use thalweg_testkit::turns::Turns;

const NO_RFC7540_PRIORITIES: u16 = 9;

/// RFC 9218, section 2.1: "A server that receives SETTINGS_NO_RFC7540_PRIORITIES with a value of 1 MUST ignore HTTP/2
/// priority signals."
#[test]
fn signals_of_a_client_that_has_given_them_up_are_ignored() {
    let settings = [(NO_RFC7540_PRIORITIES, 1)];
    let mut turns = Turns::new(Config::default(), Limits::default(), &settings);
    turns.ask(1, None, Some(on(0, 1)));
    turns.depend(3, on(1, 16));
    assert!(turns.caller.session.tree().is_none());
    let refused = turns.caller.session.depend(3, on(1, 16));
    assert_eq!(refused, Err(UsageError::NoTree));
}

/// A tree that the caller has planted before the client said that it knows better decides nothing from then on.
#[test]
fn a_tree_is_given_up_with_the_settings_that_make_it_pointless() {
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    server.session.depend(3, on(0, 1)).unwrap();
    assert_eq!(text(&server.session), "(3:1)");
    let mut octets = PREFACE.to_vec();
    Frame::Settings(Settings::new(&[0, 9, 0, 0, 0, 1])).write(0, &mut octets);
    server.feed(now, &octets);
    assert!(server.session.tree().is_none());
}

#[test]
fn signals_are_ignored_where_the_server_was_told_to() {
    let config = Config {
        rfc7540_priorities: Rfc7540Priorities::Ignored,
        ..Config::default()
    };
    let mut turns = Turns::new(config, Limits::default(), &[]);
    turns.ask(1, None, Some(on(0, 1)));
    turns.ask(3, None, Some(on(1, 16)));
    assert!(turns.caller.session.tree().is_none());
    turns.assert_shares(&[(1, 1.0), (3, 1.0)]);
}

/// Browsers of the time of change send both, in one frame.
#[test]
fn who_says_both_is_served_by_the_new_one() {
    let mut turns = turns();
    turns.ask(1, Some("u=5"), Some(on(0, 256)));
    turns.ask(3, Some("u=1"), Some(on(1, 1)));
    assert!(turns.caller.session.tree().is_none());
    assert_eq!(turns.order(1 << 20), [3]);
}

#[test]
fn a_tree_falls_when_the_client_turns_out_to_know_the_new_scheme() {
    for by_update in [false, true] {
        let mut turns = turns();
        turns.ask(1, None, Some(on(0, 16)));
        turns.ask(3, None, Some(on(1, 16)));
        assert_eq!(text(&turns.caller.session), "(1:16(3:16))");
        assert_eq!(turns.order(1 << 20), [1]);
        if by_update {
            turns.update(3, "u=0");
            assert_eq!(turns.order(1 << 20), [3]);
        } else {
            turns.ask(5, Some("u=0"), None);
            assert_eq!(turns.order(1 << 20), [5]);
        }
        assert!(turns.caller.session.tree().is_none());
        turns.depend(1, on(0, 256));
        assert!(turns.caller.session.tree().is_none(), "for good");
    }
}

/// Streams that wait when the scheme changes go on waiting.
#[test]
fn nobody_is_lost_when_a_tree_is_planted_or_felled() {
    let mut turns = turns();
    for number in [1, 3] {
        turns.ask(number, None, None);
    }
    turns.ask(5, None, Some(on(0, 16)));
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
    turns.paused.insert(1);
    turns.next(1 << 20);
    turns.update(5, "u=3, i");
    turns.assert_shares(&[(3, 1.0), (5, 1.0)]);
    turns.paused.clear();
    let id = turns.id(1);
    turns.caller.session.resume(id);
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
}

/// The server's own word has a meaning there too: an urgency is a weight.
#[test]
fn an_urgency_from_the_server_becomes_a_weight() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 64)));
    let lines = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "example.org"),
    ];
    turns.ask_for(3, &lines, Some(on(0, 1)));
    let id = turns.id(3);
    let head = Response::new(200).with_field(b"priority", b"u=1");
    turns.caller.session.respond(id, head, false).unwrap();
    assert_eq!(text(&turns.caller.session), "(1:64 3:128)");
    turns.assert_shares(&[(1, 1.0), (3, 2.0)]);
    let usual = Priority::default();
    turns.caller.session.set_priority(id, usual);
    assert_eq!(text(&turns.caller.session), "(1:64 3:16)");
}

/// What the driver asks, to know how much it may hand on ahead.
#[test]
fn streams_are_mixed_where_one_could_be_in_the_way_of_another() {
    let mut turns = turns();
    turns.ask(1, None, None);
    turns.ask(3, None, None);
    assert!(!turns.caller.session.is_mixed(), "equals");
    turns.ask(5, None, Some(on(0, 16)));
    assert!(turns.caller.session.is_mixed(), "any two in a tree");
    turns.update(1, "u=3");
    assert!(!turns.caller.session.is_mixed());
    turns.update(1, "u=1");
    assert!(turns.caller.session.is_mixed());
}
