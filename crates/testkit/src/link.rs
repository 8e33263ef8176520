//! A client and a server over a link that takes its time: a rate, a delay and a queue each way, on a clock that only
//! the test moves. Nothing is lost and nothing waits in reality.
//!
//! ```text
//!  session ─► queue ─ rate ─► on its way ─ delay ─► session
//! ```

use crate::caller::Caller;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use thalweg_proto::session::Session;

/// What one direction of a link does to octets.
#[derive(Clone, Copy, Debug)]
pub struct Carries {
    /// Octets a second.
    pub rate: u64,
    /// From when an octet has left one end until it reaches the other.
    pub delay: Duration,
    /// Octets that wait at the sender's end, as in the kernel's buffers and in those of a modem. While there are as
    /// many the session is not asked for more.
    pub queue: usize,
}

/// Two sessions and the link between them.
pub struct Link<C, S> {
    /// The client.
    pub client: Caller<C>,
    /// The server.
    pub server: Caller<S>,
    /// The time for both.
    pub now: Instant,
    there: Wire,
    back: Wire,
}

/// One direction.
struct Wire {
    carries: Carries,
    /// When all that was sent will have left.
    free: Instant,
    /// When it arrives, and what.
    flight: VecDeque<(Instant, Vec<u8>)>,
}

/// The most that crosses in one piece: some frames.
const PIECE: usize = 64 << 10;

impl<C: Session, S: Session> Link<C, S> {
    /// Joins two sessions, at a time that both were made with, by a link that is the same both ways.
    pub fn new(client: C, server: S, now: Instant, carries: Carries) -> Self {
        let wire = || Wire {
            carries,
            free: now,
            flight: VecDeque::new(),
        };
        Self {
            client: Caller::new(client),
            server: Caller::new(server),
            now,
            there: wire(),
            back: wire(),
        }
    }

    /// Lets so much time pass, and all that happens in it happen.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        self.run_until(until, |_| false);
    }

    /// Lets time pass until `over` answers true, at the latest until `until`. Answers whether it did.
    pub fn run_until(&mut self, until: Instant, mut over: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            self.there.load(&mut self.client, self.now);
            self.back.load(&mut self.server, self.now);
            if over(self) {
                return true;
            }
            let next = [
                self.there.next(self.client.session.wants().write, self.now),
                self.back.next(self.server.session.wants().write, self.now),
                self.client.session.deadline(),
                self.server.session.deadline(),
            ];
            // Sessions may be late; they must not stop the clock.
            let soonest = self.now + Duration::from_nanos(1);
            let next = next.into_iter().flatten().min();
            match next.map(|at| at.max(soonest)) {
                Some(at) if at <= until => self.now = at,
                _ => {
                    self.now = until;
                    return over(self);
                }
            }
            self.there.deliver(&mut self.server, self.now);
            self.back.deliver(&mut self.client, self.now);
            self.client.expire(self.now);
            self.server.expire(self.now);
        }
    }
}

impl Wire {
    /// Takes what the sender has, as long as there is room in the queue.
    fn load<T: Session>(&mut self, from: &mut Caller<T>, now: Instant) {
        while self.waiting(now) < self.carries.queue {
            let octets = from.write(now, PIECE);
            if octets.is_empty() {
                return;
            }
            self.free = self.free.max(now) + self.time_for(octets.len());
            self.flight
                .push_back((self.free + self.carries.delay, octets));
        }
    }

    /// Hands over what has arrived.
    fn deliver<T: Session>(&mut self, to: &mut Caller<T>, now: Instant) {
        while self.flight.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, octets)) = self.flight.pop_front() {
                to.feed(now, &octets);
            }
        }
    }

    /// When something happens next: octets arrive, or there is room for more.
    fn next(&self, more: bool, now: Instant) -> Option<Instant> {
        let arrival = self.flight.front().map(|(at, _)| *at);
        let over = self.waiting(now).saturating_sub(self.carries.queue) + 1;
        let room =
            (more && self.waiting(now) >= self.carries.queue).then(|| now + self.time_for(over));
        [arrival, room].into_iter().flatten().min()
    }

    fn waiting(&self, now: Instant) -> usize {
        let left = self.free.saturating_duration_since(now);
        (left.as_secs_f64() * self.carries.rate as f64) as usize
    }

    fn time_for(&self, octets: usize) -> Duration {
        Duration::from_secs_f64(octets as f64 / self.carries.rate as f64)
    }
}
