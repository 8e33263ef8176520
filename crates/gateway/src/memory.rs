//! What all requests of the process hold together: their heads, bodies that no handler has read, replies that no
//! client has taken.
//!
//! A session bounds what each connection holds. Many connections that each hold as much as they may would still be
//! too much, and a client needs little to have much held: heads come compressed, and replies are larger than requests.
//!
//! Below the limit nobody is asked. Above it a connection may have its share, which is the limit over the number of
//! connections; above twice the limit the smallest share, which is what one reply needs. A stream that would take its
//! connection further is given up. So those who hold the most lose, and others are served.

use crate::outgoing::HIGH_WATER;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

/// The default limit.
const LIMIT: usize = 512 << 20;

/// No connection's share is less: a reply as far as a handler may run ahead, and a head.
const SMALLEST_SHARE: usize = HIGH_WATER + (64 << 10);

/// What an exchange takes beside its head and its bodies.
const EXCHANGE: usize = 1 << 10;

/// A worker tells of changes in portions of this many octets: requests that come and go cost no shared counter.
const PORTION: isize = 64 << 10;

/// The memory of a process' requests. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Memory {
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    limit: usize,
    held: AtomicIsize,
    connections: AtomicUsize,
}

impl Memory {
    /// With this limit, in octets. Default 512 MiB.
    pub fn new(limit: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                limit,
                held: AtomicIsize::new(0),
                connections: AtomicUsize::new(0),
            }),
        }
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.pool.limit
    }

    /// What requests hold now, to within 64 KiB a worker.
    pub fn held(&self) -> usize {
        self.pool.held.load(Ordering::Relaxed).max(0) as usize
    }

    /// Whether a connection that holds this much has more than its share, and that matters.
    fn is_too_much(&self, own: usize) -> bool {
        let (held, limit) = (self.held(), self.pool.limit);
        if own <= SMALLEST_SHARE || held <= limit {
            return false;
        }
        let connections = self.pool.connections.load(Ordering::Relaxed);
        held / 2 > limit || own > limit / connections.max(1)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(LIMIT)
    }
}

/// A worker's account of it.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Memory,
    /// What the pool has not been told.
    untold: Cell<isize>,
}

impl Account {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            memory,
            untold: Cell::new(0),
        }
    }

    fn change(&self, by: isize) {
        let untold = self.untold.get() + by;
        if untold.abs() < PORTION {
            self.untold.set(untold);
        } else {
            self.untold.set(0);
            self.memory.pool.held.fetch_add(untold, Ordering::Relaxed);
        }
    }
}

/// What one connection holds.
#[derive(Debug)]
pub(crate) struct Share(usize);

impl Share {
    /// A connection has begun.
    pub(crate) fn begin(account: &Account) -> Self {
        let connections = &account.memory.pool.connections;
        connections.fetch_add(1, Ordering::Relaxed);
        Self(0)
    }

    /// The connection has ended, and holds nothing any more.
    pub(crate) fn end(&mut self, account: &Account) {
        self.change(account, self.0, 0);
        let connections = &account.memory.pool.connections;
        connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// A part of what it holds was of one size, and is of another.
    pub(crate) fn change(&mut self, account: &Account, from: usize, to: usize) {
        self.0 = self.0 + to - from;
        account.change(to as isize - from as isize);
    }

    /// The same, where the size is kept beside the part.
    pub(crate) fn resize(&mut self, account: &Account, part: &mut usize, to: usize) {
        self.change(account, std::mem::replace(part, to), to);
    }

    /// Whether that is more than it may have now.
    pub(crate) fn is_too_much(&self, account: &Account) -> bool {
        account.memory.is_too_much(self.0)
    }
}

/// What an exchange with a head of this section size takes.
pub(crate) fn of_head(section_size: usize) -> usize {
    EXCHANGE + section_size
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn above_the_limit_a_connection_has_its_share_and_no_more() {
        let account = Account::new(Memory::new(8 * MIB));
        let (mut greedy, mut modest) = (Share::begin(&account), Share::begin(&account));
        greedy.change(&account, 0, 7 * MIB);
        assert!(!greedy.is_too_much(&account), "nobody is in want");
        modest.change(&account, 0, 3 * MIB);
        assert!(greedy.is_too_much(&account));
        assert!(
            !modest.is_too_much(&account),
            "the half of 8 MiB is its own"
        );
        greedy.change(&account, 7 * MIB, 0);
        assert!(!greedy.is_too_much(&account));
        assert_eq!(account.memory.held(), 3 * MIB);
        greedy.change(&account, 0, 14 * MIB);
        assert!(modest.is_too_much(&account), "twice the limit is too much");
    }

    #[test]
    fn a_reply_fits_into_the_smallest_share() {
        let account = Account::new(Memory::new(1));
        let mut shares: Vec<_> = (0..1000).map(|_| Share::begin(&account)).collect();
        for share in &mut shares {
            share.change(&account, 0, HIGH_WATER);
        }
        assert!(!shares[0].is_too_much(&account));
        shares[0].change(&account, HIGH_WATER, 2 * HIGH_WATER);
        assert!(shares[0].is_too_much(&account));
    }

    #[test]
    fn a_connection_that_ends_holds_nothing() {
        let account = Account::new(Memory::default());
        let mut share = Share::begin(&account);
        share.change(&account, 0, MIB);
        share.end(&account);
        assert_eq!(account.memory.held(), 0);
        assert_eq!(account.memory.pool.connections.load(Ordering::Relaxed), 0);
    }
}
