//! Sections 5.3.1, 5.3.3 and 5.3.4: how the tree changes.

use crate::{alone_on, on, text, turns};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::{Config, State};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::turns::Turns;

/// Section 5.3.5: "All streams are initially assigned a non-exclusive dependency on stream 0x0. … streams are assigned
/// a default weight of 16."
#[test]
fn streams_of_which_nothing_is_said_depend_on_the_root() {
    let mut turns = turns();
    turns.ask(1, None, None);
    assert!(
        turns.caller.session.tree().is_none(),
        "nobody has planted one"
    );
    turns.ask(3, None, Some(on(1, 5)));
    turns.ask(5, None, None);
    assert_eq!(text(&turns.caller.session), "(1:16(3:5) 5:16)");
}

/// Section 5.3.1, figure 4.
#[test]
fn an_exclusive_dependency_adopts_its_siblings() {
    let mut turns = turns();
    for number in [1, 3, 5] {
        turns.ask(number, None, Some(on(0, number as u16)));
    }
    turns.ask(7, None, Some(alone_on(0, 7)));
    assert_eq!(text(&turns.caller.session), "(7:7(1:1 3:3 5:5))");
    turns.depend(1, alone_on(7, 9));
    assert_eq!(text(&turns.caller.session), "(7:7(1:9(3:3 5:5)))");
}

/// Section 5.3.3: "Dependent streams move with their parent stream if the parent is reprioritized."
#[test]
fn what_depends_on_a_stream_moves_with_it() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 16)));
    turns.ask(3, None, Some(on(1, 16)));
    turns.ask(5, None, Some(on(0, 16)));
    turns.depend(1, on(5, 4));
    assert_eq!(text(&turns.caller.session), "(5:16(1:4(3:16)))");
}

/// Section 5.3.3, figure 5: "If a stream is made dependent on one of its own dependencies, the formerly dependent stream
/// is first moved to be dependent on the reprioritized stream's previous parent. The moved dependency retains its
/// weight."
#[test]
fn a_stream_may_be_moved_below_what_depended_on_it() {
    for (exclusive, expected) in [
        (false, "(7:4(1:1(3:2 5:3(9:5)) 11:6))"),
        (true, "(7:4(1:1(3:2 5:3(9:5) 11:6)))"),
    ] {
        let mut turns = turns();
        turns.ask(1, None, Some(on(0, 1)));
        turns.ask(3, None, Some(on(1, 2)));
        turns.ask(5, None, Some(on(1, 3)));
        turns.ask(7, None, Some(on(5, 4)));
        turns.ask(9, None, Some(on(5, 5)));
        turns.ask(11, None, Some(on(7, 6)));
        let mut dependency = on(7, 1);
        dependency.exclusive = exclusive;
        turns.depend(1, dependency);
        assert_eq!(text(&turns.caller.session), expected);
    }
}

/// Section 5.3.1: "A stream cannot depend on itself. An endpoint MUST treat this as a stream error of type
/// PROTOCOL_ERROR."
#[test]
fn a_stream_that_depends_on_itself_ends() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 16)));
    turns.ask(3, None, Some(on(1, 16)));
    turns.depend(1, on(1, 16));
    assert_eq!(turns.caller.session.open_streams(), 1);
    assert_eq!(turns.caller.failure(), None);
}

/// Section 5.3.1: "A dependency on a stream that is not currently in the tree … results in that stream being given a
/// default priority." One that may still come gets a place first.
#[test]
fn a_dependency_on_what_is_not_there_gets_the_default() {
    let limits = Limits {
        placeholders: 1,
        ..Limits::default()
    };
    let mut turns = Turns::new(Config::default(), limits, &[]);
    turns.ask(5, None, Some(on(0, 16)));
    // 3 was left out, and never comes.
    turns.ask(7, None, Some(alone_on(3, 200)));
    assert_eq!(text(&turns.caller.session), "(5:16 7:16)");
    turns.depend(7, on(99, 200));
    assert_eq!(text(&turns.caller.session), "(5:16 99:16(7:200))");
    turns.depend(3, on(0, 1));
    assert_eq!(text(&turns.caller.session), "(5:16 99:16(7:200))");
}

/// Section 5.3.4: "an endpoint SHOULD retain stream prioritization state for a period after streams become closed", and
/// when it goes, weights are "recalculated by distributing the weight of the dependency of the closed stream
/// proportionally based on the weights of its dependencies."
#[test]
fn a_closed_stream_keeps_its_place_for_a_while_and_leaves_its_weight() {
    let limits = Limits {
        placeholders: 2,
        ..Limits::default()
    };
    let mut turns = Turns::new(Config::default(), limits, &[]);
    turns.ask(1, None, Some(on(0, 100)));
    turns.ask(3, None, Some(on(1, 30)));
    turns.ask(5, None, Some(on(1, 10)));
    for number in [7, 9] {
        turns.ask(number, None, Some(on(0, 16)));
    }
    let close = |turns: &mut Turns, number| {
        let id = turns.id(number);
        turns.caller.session.reset(id, Code::Cancel);
    };
    close(&mut turns, 1);
    assert_eq!(text(&turns.caller.session), "(1:100(3:30 5:10) 7:16 9:16)");
    let place = turns.caller.session.place(1).unwrap();
    assert_eq!((place.state(), place.stream()), (State::Closed, None));
    close(&mut turns, 7);
    close(&mut turns, 9);
    assert_eq!(text(&turns.caller.session), "(3:75 5:25 7:16 9:16)");
}

/// Section 5.3.4: "state for … idle streams … could create large amounts of state": it is bounded, and what was in use
/// goes before what was made to group others.
#[test]
fn places_without_a_stream_are_bounded() {
    let limits = Limits {
        placeholders: 3,
        ..Limits::default()
    };
    let mut turns = Turns::new(Config::default(), limits, &[]);
    turns.depend(3, on(0, 1));
    turns.depend(5, on(0, 2));
    turns.ask(21, None, Some(on(3, 16)));
    turns.ask(23, None, Some(on(3, 16)));
    for number in [21, 23] {
        let id = turns.id(number);
        turns.caller.session.reset(id, Code::Cancel);
    }
    assert_eq!(text(&turns.caller.session), "(3:1(23:16) 5:2)");
    for number in (101..4001).step_by(2) {
        turns.depend(number, on(number - 2, 1));
    }
    let root = turns.caller.session.tree().unwrap();
    assert_eq!(root.children().count(), 1);
    assert_eq!(text(&turns.caller.session), "(3995:16(3997:1(3999:1)))");
}

/// An idle stream that opens keeps the place that was made for it, unless its head names another.
#[test]
fn a_stream_opens_in_the_place_that_was_kept_for_it() {
    let mut turns = turns();
    turns.depend(1, on(0, 7));
    turns.depend(3, on(1, 8));
    assert_eq!(turns.caller.session.place(1).unwrap().state(), State::Idle);
    let ids = [1, 3].map(|number| turns.ask(number, None, None));
    assert_eq!(text(&turns.caller.session), "(1:7(3:8))");
    let place = turns.caller.session.place(3).unwrap();
    assert_eq!(
        (place.stream(), place.state()),
        (Some(ids[1]), State::HalfClosedRemote)
    );
    turns.depend(5, on(3, 1));
    turns.ask(5, None, Some(on(0, 2)));
    assert_eq!(text(&turns.caller.session), "(1:7(3:8) 5:2)");
}

/// Section 6.2: HEADERS may bring a place at any time; also those of trailers.
#[test]
fn trailers_may_bring_another_place() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 16)));
    let lines = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "example.org"),
    ];
    turns.begin(3, &lines, Some(on(0, 16)));
    assert_eq!(text(&turns.caller.session), "(1:16 3:16)");
    turns.ask_for(3, &[("x-sum", "1")], Some(on(1, 9)));
    assert_eq!(text(&turns.caller.session), "(1:16(3:9))");
}

/// Section 5.3.5: "Pushed streams initially depend on their associated stream."
#[test]
fn a_promised_stream_depends_on_its_parent() {
    let mut turns = turns();
    let id = turns.ask(1, None, Some(on(0, 32)));
    let head = thalweg_proto::head::Request::new(b"GET")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/style.css");
    turns.caller.session.push(id, head).unwrap();
    assert_eq!(text(&turns.caller.session), "(1:32(2:16))");
    turns.one(|_| 1);
    turns.depend(2, on(0, 5));
    assert_eq!(text(&turns.caller.session), "(1:32 2:5)");
}

/// RFC 9113, section 10.5: churn is counted.
#[test]
fn a_client_that_does_nothing_but_move_streams_is_sent_away() {
    let mut turns = turns();
    turns.ask(1, None, None);
    for round in 0..=Limits::default().glitches.burst {
        turns.depend(1, on(0, (1 + round % 256) as u16));
    }
    let failure = turns.caller.failure().map(|error| error.why);
    assert_eq!(failure, Some(Violation::TooManyGlitches));
}

#[test]
fn the_caller_may_move_streams_and_make_places_too() {
    let mut turns = turns();
    turns.ask(1, None, None);
    turns.ask(3, None, None);
    let session = &mut turns.caller.session;
    session.depend(9, on(0, 100)).unwrap();
    session.depend(3, on(9, 4)).unwrap();
    assert_eq!(text(session), "(1:16 9:100(3:4))");
    for (number, dependency) in [(0, on(1, 1)), (1, on(1, 1)), (1, on(3, 0)), (1, on(3, 257))] {
        assert_eq!(
            session.depend(number, dependency),
            Err(UsageError::Dependency)
        );
    }
    let id = turns.id(1);
    let session = &mut turns.caller.session;
    session.reset(id, Code::Cancel);
    assert_eq!(session.depend(2, on(0, 1)), Err(UsageError::NoSuchStream));
    assert_eq!(session.advise(3, on(0, 1)), Err(UsageError::WrongRole));
    assert_eq!(text(session), "(1:16 9:100(3:4))");
}

/// The tree outlives its streams.
#[test]
fn an_idle_connection_keeps_its_groups() {
    let mut turns = turns();
    turns.depend(3, on(0, 200));
    let id = turns.ask(13, None, Some(on(3, 16)));
    turns.caller.session.reset(id, Code::Cancel);
    turns.caller.flush(turns.now);
    turns.ask(15, None, Some(on(3, 16)));
    assert_eq!(text(&turns.caller.session), "(3:200(13:16 15:16))");
}
