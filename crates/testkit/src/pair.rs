//! A client and a server joined by two wires, on a clock that only the test moves.

use crate::caller::Caller;
use crate::splits::cut;
use std::time::{Duration, Instant};
use thalweg_proto::session::Session;

/// Two sessions. Octets cross when [`Pair::settle`] says so, cut as the pair was told to.
pub struct Pair<C, S> {
    /// The client.
    pub client: Caller<C>,
    /// The server.
    pub server: Caller<S>,
    /// The time for both.
    pub now: Instant,
    seed: Option<u64>,
}

/// Rounds after which a pair that still talks is taken to talk for ever.
const ROUNDS: usize = 100_000;

impl<C: Session, S: Session> Pair<C, S> {
    /// Joins two sessions at a time that both were made with.
    pub fn new(client: C, server: S, now: Instant) -> Self {
        Self {
            client: Caller::new(client),
            server: Caller::new(server),
            now,
            seed: None,
        }
    }

    /// Cuts what crosses the wires at random places.
    #[must_use]
    pub fn cut_at_random(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets octets cross until neither side has any.
    ///
    /// # Panics
    /// When they never stop.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let there = self.client.flush(self.now);
            deliver(&mut self.server, self.now, &there, &mut self.seed);
            let back = self.server.flush(self.now);
            deliver(&mut self.client, self.now, &back, &mut self.seed);
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
        panic!("the pair still talks after {ROUNDS} rounds");
    }

    /// Moves the clock, lets time-outs run, and settles.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        self.client.expire(self.now);
        self.server.expire(self.now);
        self.settle();
    }
}

fn deliver<S: Session>(to: &mut Caller<S>, now: Instant, octets: &[u8], seed: &mut Option<u64>) {
    match seed {
        None => to.feed(now, octets),
        Some(seed) => {
            for piece in cut(octets, *seed) {
                to.feed(now, piece);
            }
            *seed = seed.wrapping_add(1);
            to.step(now);
        }
    }
}
