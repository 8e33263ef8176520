//! Section 2.1: SETTINGS_NO_RFC7540_PRIORITIES.

use crate::priority;
use thalweg_proto::error::Violation;
use thalweg_proto::h2::frame::{Frame, Settings};
use thalweg_proto::h2::{Config, Rfc7540Priorities, Session};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Role;
use thalweg_testkit::caller::Caller;
use thalweg_testkit::turns::Turns;

const NO_RFC7540_PRIORITIES: u16 = 9;

/// "The value of SETTINGS_NO_RFC7540_PRIORITIES MUST be 0 or 1. Any value other than 0 or 1 MUST be treated as a
/// connection error of type PROTOCOL_ERROR."
#[test]
fn other_values_than_0_and_1_end_the_connection() {
    for (value, fails) in [(0, false), (1, false), (2, true), (u32::MAX, true)] {
        let settings = [(NO_RFC7540_PRIORITIES, value)];
        let turns = Turns::new(Config::default(), Limits::default(), &settings);
        let failure = turns.caller.failure().map(|error| error.why);
        assert_eq!(failure, fails.then_some(Violation::Setting), "{value}");
    }
}

/// "Senders MUST NOT change the SETTINGS_NO_RFC7540_PRIORITIES value after the first SETTINGS frame. Receivers that
/// detect a change MAY treat it as a connection error of type PROTOCOL_ERROR."
#[test]
fn a_change_after_the_first_settings_ends_the_connection() {
    for (first, then, fails) in [(0, 0, false), (1, 1, false), (0, 1, true), (1, 0, true)] {
        let settings = [(NO_RFC7540_PRIORITIES, first)];
        let mut turns = Turns::new(Config::default(), Limits::default(), &settings);
        turns.feed(0, Frame::Settings(Settings::new(&[])));
        turns.feed(0, Frame::Settings(Settings::new(&[0, 9, 0, 0, 0, then])));
        let failure = turns.caller.failure().map(|error| error.why);
        assert_eq!(
            failure,
            fails.then_some(Violation::Setting),
            "{first} {then}"
        );
    }
}

/// A client that gives the old priorities up is taken to know the new ones.
#[test]
fn who_sends_1_is_served_by_the_defaults_of_the_new_scheme() {
    for (value, incremental) in [(0, true), (1, false)] {
        let settings = [(NO_RFC7540_PRIORITIES, value)];
        let mut turns = Turns::new(Config::default(), Limits::default(), &settings);
        let id = turns.ask(1, None, None);
        let told = turns.caller.session.priority(id);
        assert_eq!(told, Some(priority(3, incremental)));
    }
}

/// What is announced follows from what is done.
#[test]
fn each_end_announces_what_it_was_told_to_do() {
    use Rfc7540Priorities::{Fallback, Honoured, Ignored};
    use Role::{Client, Server};
    for (role, choice, announced) in [
        (Server, Honoured, false),
        (Server, Fallback, true),
        (Server, Ignored, true),
        (Client, Honoured, false),
        (Client, Fallback, false),
        (Client, Ignored, true),
    ] {
        let now = std::time::Instant::now();
        let limits = Limits::default();
        let session = match role {
            Server => Session::server(limits, now),
            Client => Session::client(limits, now),
        };
        let config = Config {
            rfc7540_priorities: choice,
            ..Config::default()
        };
        let sent = Caller::new(session.configured(config)).flush(now);
        let entry = [0, 9, 0, 0, 0, 1];
        let found = sent.windows(entry.len()).any(|octets| octets == entry);
        assert_eq!(found, announced, "{role:?} {choice:?}");
    }
}
