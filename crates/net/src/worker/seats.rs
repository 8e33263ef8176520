//! How many connections each address may have: an address that opens one after the other leaves room for others.
//!
//! Clients of one network share an IPv4 address as a rule, and a /64 of IPv6 is one client's.

use crate::listen::SocketAddress;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of all workers, by address.
#[derive(Debug)]
pub(crate) struct Seats {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place in its address' count, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Option<Box<(Arc<Seats>, IpAddr)>>);

impl Seats {
    /// At most so many for each address; `usize::MAX` counts none.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// A place for one more connection of this address, if there is one. Unix sockets have no bound.
    pub(crate) fn take(self: &Arc<Self>, address: &SocketAddress) -> Option<Seat> {
        let address = match address {
            SocketAddress::Ip(address) if self.most < usize::MAX => network(address.ip()),
            _ => return Some(Seat(None)),
        };
        let mut taken = self.lock();
        let count = taken.get(&address).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Seat(Some(Box::new((Arc::clone(self), address)))))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(place) = self.0.take() else {
            return;
        };
        let (seats, address) = *place;
        let mut taken = seats.lock();
        if let Some(count) = taken.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&address);
            }
        }
    }
}

/// What is counted as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn at(address: &str) -> SocketAddress {
        SocketAddress::Ip(SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn each_address_has_so_many_and_gets_back_what_it_leaves() {
        let seats = Seats::new(2);
        let one = at("192.0.2.1");
        let first = seats.take(&one);
        let second = seats.take(&at("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(seats.take(&one).is_none());
        let other = seats.take(&at("192.0.2.2"));
        assert!(other.is_some());
        drop(first);
        assert!(seats.take(&one).is_some());
        drop((second, other));
        assert!(seats.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let seats = Seats::new(1);
        let first = seats.take(&at("2001:db8::1"));
        assert!(first.is_some());
        assert!(seats.take(&at("2001:db8::ffff:2")).is_none());
        assert!(seats.take(&at("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn who_is_turned_away_leaves_nothing_behind() {
        let seats = Seats::new(0);
        assert!(seats.take(&at("192.0.2.1")).is_none());
        assert!(seats.lock().is_empty());
    }
}
