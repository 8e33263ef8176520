//! Any changes, beside a model that is as simple as can be: the tree has the same shape, and who sends is never below
//! somebody who could.

use crate::text;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use thalweg_proto::error::Code;
use thalweg_proto::h2::Config;
use thalweg_proto::h2::frame::Dependency;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::turns::Turns;

const PLACEHOLDERS: usize = 4;

/// Parents and weights by number, and the lists of what is kept.
#[derive(Default)]
struct Model {
    places: BTreeMap<u32, (u32, u32)>,
    open: Vec<u32>,
    closed: VecDeque<u32>,
    idle: VecDeque<u32>,
    last: u32,
}

impl Model {
    fn children(&self, of: u32) -> Vec<u32> {
        let is_child = |(_, (parent, _)): &(&u32, &(u32, u32))| *parent == of;
        self.places
            .iter()
            .filter(is_child)
            .map(|(number, _)| *number)
            .collect()
    }

    fn is_below(&self, mut number: u32, other: u32) -> bool {
        while number != 0 {
            number = self.places[&number].0;
            if number == other {
                return true;
            }
        }
        false
    }

    fn open(&mut self, number: u32) {
        self.last = number;
        self.idle.retain(|idle| *idle != number);
        self.places.entry(number).or_insert((0, 16));
        self.open.push(number);
    }

    fn depend(&mut self, number: u32, dependency: Dependency) {
        let Dependency {
            mut on,
            mut exclusive,
            weight,
        } = dependency;
        let mut weight = u32::from(weight);
        if !self.places.contains_key(&number) {
            if number <= self.last {
                return;
            }
            self.idle.push_back(number);
            self.places.insert(number, (0, 16));
        }
        if on != 0 && !self.places.contains_key(&on) {
            if on > self.last {
                self.idle.push_back(on);
                self.places.insert(on, (0, 16));
            } else {
                (on, exclusive, weight) = (0, false, 16);
            }
        }
        if self.is_below(on, number) {
            self.places.get_mut(&on).unwrap().0 = self.places[&number].0;
        }
        if exclusive {
            for child in self.children(on) {
                self.places.get_mut(&child).unwrap().0 = number;
            }
        }
        self.places.insert(number, (on, weight));
        self.trim();
    }

    fn close(&mut self, number: u32) {
        self.open.retain(|open| *open != number);
        self.closed.push_back(number);
        self.trim();
    }

    fn trim(&mut self) {
        while self.closed.len() + self.idle.len() > PLACEHOLDERS {
            let gone = self
                .closed
                .pop_front()
                .or_else(|| self.idle.pop_front())
                .unwrap();
            let children = self.children(gone);
            let (parent, weight) = self.places.remove(&gone).unwrap();
            let all: u32 = children.iter().map(|child| self.places[child].1).sum();
            for child in children {
                let part = self.places[&child].1;
                self.places
                    .insert(child, (parent, (part * weight / all).clamp(1, 256)));
            }
        }
    }

    fn text(&self, of: u32) -> String {
        let below: Vec<_> = self
            .children(of)
            .into_iter()
            .map(|child| {
                let weight = self.places[&child].1;
                format!("{child}:{weight}{}", self.text(child))
            })
            .collect();
        match below.is_empty() {
            true => String::new(),
            false => format!("({})", below.join(" ")),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Option<(u8, bool, u16)>),
    Depend(u8, u8, bool, u16),
    Close(usize),
    Pause(usize),
    Resume(usize),
    Send(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let weight = 1..=256_u16;
    let step = prop_oneof![
        prop::option::of((0..40_u8, any::<bool>(), weight.clone())).prop_map(Step::Ask),
        (0..40_u8, 0..40_u8, any::<bool>(), weight).prop_map(|(number, on, exclusive, weight)| {
            Step::Depend(number, on, exclusive, weight)
        }),
        any::<usize>().prop_map(Step::Close),
        any::<usize>().prop_map(Step::Pause),
        any::<usize>().prop_map(Step::Resume),
        (1..20_u8).prop_map(Step::Send),
    ];
    prop::collection::vec(step, 0..150)
}

/// Of 0 to 39: the root, and odd numbers.
fn number(small: u8) -> u32 {
    if small == 0 {
        0
    } else {
        u32::from(small) * 2 - 1
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_is_that_of_the_model_after_any_changes(steps in steps()) {
        let limits = Limits { placeholders: PLACEHOLDERS, ..Limits::default() };
        let mut turns = Turns::new(Config::default(), limits, &[]);
        let mut model = Model::default();
        let first = Dependency { on: 0, exclusive: false, weight: 16 };
        turns.ask(1, None, Some(first));
        model.open(1);
        for step in steps {
            let at = |at: usize| at.checked_rem(model.open.len()).map(|at| model.open[at]);
            match step {
                Step::Ask(place) => {
                    let next = model.last + 2;
                    let place = place.map(|(on, exclusive, weight)| Dependency { on: number(on), exclusive, weight });
                    let place = place.filter(|place| place.on != next);
                    turns.ask(next, None, place);
                    model.open(next);
                    if let Some(place) = place {
                        model.depend(next, place);
                    }
                }
                Step::Depend(of, on, exclusive, weight) => {
                    let (of, on) = (number(of), number(on));
                    if of != 0 && of != on {
                        let dependency = Dependency { on, exclusive, weight };
                        turns.depend(of, dependency);
                        model.depend(of, dependency);
                    }
                }
                Step::Close(which) => if let Some(open) = at(which) {
                    let id = turns.id(open.into());
                    turns.caller.session.reset(id, Code::Cancel);
                    model.close(open);
                },
                Step::Pause(which) => if let Some(open) = at(which) {
                    turns.paused.insert(open.into());
                },
                Step::Resume(which) => if let Some(open) = at(which)
                    && turns.paused.remove(&open.into()) {
                    let id = turns.id(open.into());
                    turns.caller.session.resume(id);
                },
                Step::Send(times) => for _ in 0..times {
                    let can = |open: &&u32| !turns.paused.contains(&u64::from(**open));
                    let can: Vec<_> = model.open.iter().filter(can).copied().collect();
                    let sent = turns.one(|_| usize::MAX).map(|(sent, _)| sent as u32);
                    prop_assert_eq!(sent.is_some(), !can.is_empty());
                    if let Some(sent) = sent {
                        prop_assert!(can.contains(&sent));
                        prop_assert!(!can.iter().any(|other| model.is_below(sent, *other)));
                    }
                },
            }
            prop_assert_eq!(text(&turns.caller.session), model.text(0));
            check_links(&turns)?;
        }
    }
}

/// The view's own consistency: sums, parents and neighbours.
fn check_links(turns: &Turns) -> Result<(), TestCaseError> {
    let mut todo: Vec<_> = turns.caller.session.tree().into_iter().collect();
    while let Some(place) = todo.pop() {
        let sum: u32 = place
            .children()
            .map(|child| u32::from(child.weight()))
            .sum();
        prop_assert_eq!(place.weight_of_children(), sum);
        let mut before = None;
        for child in place.children() {
            prop_assert_eq!(
                child.parent().map(|parent| parent.number()),
                Some(place.number())
            );
            prop_assert_eq!(child.previous_sibling().map(|other| other.number()), before);
            before = Some(child.number());
            todo.push(child);
        }
    }
    Ok(())
}
