//! Section 10: the order in which a server sends what was asked for at the same time.

use crate::{priority, turns};
use proptest::prelude::*;
use thalweg_proto::error::Code;
use thalweg_proto::h2::frame::{Frame, Settings};
use thalweg_proto::session::Streams;
use thalweg_testkit::turns::Turns;

/// "It is RECOMMENDED that, when possible, servers respect the urgency parameter, sending higher-urgency responses
/// before lower-urgency responses."
#[test]
fn what_is_more_urgent_leaves_first_and_alone() {
    let mut turns = turns();
    for (number, field) in [(1, "u=7"), (3, "u=3, i"), (5, "u=0, i"), (7, "u=3, i")] {
        turns.ask(number, Some(field), None);
    }
    assert_eq!(turns.order(1 << 20), [5]);
    turns.paused.insert(5);
    turns.assert_shares(&[(3, 1.0), (7, 1.0)]);
    turns.paused.extend([3, 7]);
    assert_eq!(turns.order(1 << 20), [1]);
    // The one that goes on again is at the head of all at once.
    turns.paused.clear();
    resume(&mut turns, 5);
    assert_eq!(turns.order(1 << 20), [5]);
}

/// "Non-incremental responses of the same urgency SHOULD be served by prioritizing bandwidth allocation in ascending
/// order of the stream ID".
#[test]
fn equals_that_are_not_incremental_leave_one_by_one_in_the_order_of_their_streams() {
    let mut turns = turns();
    let ids = [1, 3, 5].map(|number| turns.ask(number, Some("u=2"), None));
    assert_eq!(turns.order(1 << 20), [1]);
    // An earlier one that paused goes on before those that came later.
    turns.paused.insert(1);
    assert_eq!(turns.order(1 << 20), [3]);
    turns.paused.clear();
    turns.caller.session.resume(ids[0]);
    assert_eq!(turns.order(1 << 20), [1]);
    turns.caller.session.reset(ids[0], Code::Cancel);
    turns.caller.session.reset(ids[1], Code::Cancel);
    assert_eq!(turns.order(1 << 20), [5]);
}

/// "Incremental responses of the same urgency SHOULD be served by sharing bandwidth among them."
#[test]
fn equals_that_are_incremental_take_turns() {
    let mut turns = turns();
    for number in [1, 3, 5, 7] {
        turns.ask(number, Some("i"), None);
    }
    let order = turns.order(1 << 20);
    for (at, number) in order.iter().enumerate() {
        assert_eq!(*number, [1, 3, 5, 7][at % 4], "{order:?}");
    }
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0), (7, 1.0)]);
}

/// Turns are counted in octets: who sends small frames has more of them.
#[test]
fn shares_are_of_octets_and_not_of_frames() {
    let mut turns = turns();
    for number in [1, 3] {
        turns.ask(number, Some("i"), None);
    }
    let mut sums = [0_usize; 2];
    let mut frames = [0_usize; 2];
    for _ in 0..2000 {
        let most = |number: u64| if number == 1 { 1000 } else { usize::MAX };
        let (number, len) = turns.one(most).unwrap();
        let at = usize::from(number == 3);
        sums[at] += len;
        frames[at] += 1;
    }
    assert!(sums[0].abs_diff(sums[1]) < 40_000, "{sums:?}");
    assert!(frames[0] > 10 * frames[1], "{frames:?}");
}

/// "It is RECOMMENDED that servers avoid such starvation where possible": of equals, those that are not incremental
/// have one share between them.
#[test]
fn incremental_equals_and_others_do_not_starve_each_other() {
    let mut turns = turns();
    for (number, field) in [(1, "u=3"), (3, "u=3, i"), (5, "u=3"), (7, "u=3, i")] {
        turns.ask(number, Some(field), None);
    }
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (7, 1.0)]);
    turns.paused.insert(1);
    turns.assert_shares(&[(5, 1.0), (3, 1.0), (7, 1.0)]);
    turns.paused.extend([3, 7]);
    assert_eq!(turns.order(1 << 20), [5]);
}

/// A client that does not know of priorities gets shares, as servers have always given them.
#[test]
fn streams_of_a_client_that_never_speaks_of_priorities_share() {
    let mut turns = turns();
    for number in [1, 3, 5] {
        turns.ask(number, None, None);
    }
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
}

/// Section 4: "When receiving an HTTP request that does not carry these priority parameters, a server SHOULD act as if
/// their default values were specified."
#[test]
fn what_a_client_of_priorities_leaves_out_has_its_default() {
    let mut turns = turns();
    let first = turns.ask(1, Some("u=0"), None);
    let ids = [3, 5].map(|number| turns.ask(number, None, None));
    for id in ids {
        assert_eq!(turns.caller.session.priority(id), Some(priority(3, false)));
    }
    turns.caller.session.reset(first, Code::Cancel);
    assert_eq!(turns.order(1 << 20), [3]);
}

/// Section 10.1: "servers SHOULD allocate some amount of bandwidths to streams acting as tunnels."
#[test]
fn a_tunnel_shares_whatever_was_said() {
    let mut turns = turns();
    turns.ask(1, Some("u=3"), None);
    let lines = [
        (":method", "CONNECT"),
        (":authority", "example.org:443"),
        ("priority", "u=3"),
    ];
    turns.ask_for(3, &lines, None);
    turns.answer(3);
    turns.assert_shares(&[(1, 1.0), (3, 1.0)]);
    turns.update(3, "u=3");
    turns.assert_shares(&[(1, 1.0), (3, 1.0)]);
}

#[test]
fn a_stream_without_a_window_passes_its_share_on() {
    let mut turns = turns();
    let shut = turns.ask(1, Some("u=0, i"), None);
    turns.ask(3, Some("u=0, i"), None);
    turns.ask(5, Some("u=5"), None);
    // Shut for all that has not been sent: the first takes what is left of its own.
    turns.feed(0, Frame::Settings(Settings::new(&[0, 4, 0, 0, 0, 0])));
    turns.feed(3, Frame::WindowUpdate(1 << 26));
    turns.feed(5, Frame::WindowUpdate(1 << 26));
    assert_eq!(turns.order(1 << 20), [3]);
    turns.paused.insert(3);
    assert_eq!(turns.order(1 << 20), [5]);
    turns.feed(shut.number() as u32, Frame::WindowUpdate(1 << 26));
    assert_eq!(turns.order(1 << 20), [1]);
}

#[test]
fn a_late_comer_begins_where_its_equals_stand() {
    let mut turns = turns();
    for number in [1, 3] {
        turns.ask(number, Some("i"), None);
    }
    turns.next(32 << 20);
    turns.ask(5, Some("i"), None);
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
    // So does one that has paused: what it did not ask for is not saved up for it.
    turns.paused.insert(3);
    turns.next(32 << 20);
    turns.paused.clear();
    resume(&mut turns, 3);
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
}

fn resume(turns: &mut Turns, number: u64) {
    let id = turns.id(number);
    turns.caller.session.resume(id);
}

/// One of the things that happen between two frames.
#[derive(Clone, Debug)]
enum Step {
    Ask(u8, bool),
    Update(usize, u8, bool),
    Pause(usize),
    Resume(usize),
    Reset(usize),
    Send,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..8_u8, any::<bool>()).prop_map(|(urgency, incremental)| Step::Ask(urgency, incremental)),
        (any::<usize>(), 0..8_u8, any::<bool>())
            .prop_map(|(at, urgency, incremental)| Step::Update(at, urgency, incremental)),
        any::<usize>().prop_map(Step::Pause),
        any::<usize>().prop_map(Step::Resume),
        any::<usize>().prop_map(Step::Reset),
        Just(Step::Send),
        Just(Step::Send),
        Just(Step::Send),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened before: nobody sends while somebody more urgent could, nor out of order among equals.
    #[test]
    fn the_order_holds_after_any_changes(steps in steps()) {
        let mut turns = turns();
        // Number, urgency, incremental, whether it can send.
        let mut streams: Vec<(u64, u8, bool, bool)> = Vec::new();
        let mut next = 1;
        for step in steps {
            let at = |at: usize| at.checked_rem(streams.len());
            match step {
                Step::Ask(urgency, incremental) if streams.len() < 100 => {
                    let number = next;
                    next += 2;
                    turns.ask(number, Some(&priority(urgency, incremental).to_string()), None);
                    streams.push((u64::from(number), urgency, incremental, true));
                }
                Step::Update(which, urgency, incremental) => if let Some(at) = at(which) {
                    turns.update(streams[at].0 as u32, &priority(urgency, incremental).to_string());
                    (streams[at].1, streams[at].2) = (urgency, incremental);
                },
                Step::Pause(which) => if let Some(at) = at(which) {
                    turns.paused.insert(streams[at].0);
                    streams[at].3 = false;
                },
                Step::Resume(which) => if let Some(at) = at(which)
                    && turns.paused.remove(&streams[at].0) {
                    streams[at].3 = true;
                    resume(&mut turns, streams[at].0);
                },
                Step::Reset(which) => {
                    if let Some(at) = at(which) {
                        let id = turns.id(streams.remove(at).0);
                        turns.caller.session.reset(id, Code::Cancel);
                    }
                }
                Step::Ask(..) => {}
                Step::Send => {
                    let sent = turns.next(1).first().map(|(number, _)| *number);
                    let can = streams.iter().filter(|stream| stream.3);
                    let best = can.clone().map(|stream| stream.1).min();
                    prop_assert_eq!(sent.is_some(), best.is_some());
                    if let Some(sent) = sent {
                        let of = streams.iter().find(|stream| stream.0 == sent).unwrap();
                        prop_assert!(of.3 && Some(of.1) == best);
                        let first = can.filter(|other| other.1 == of.1 && !other.2).map(|other| other.0).min();
                        prop_assert!(of.2 || first == Some(sent));
                    }
                }
            }
        }
    }
}
