//! What names a request in the log, on error pages and to the application.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A request's name: 13 characters of digits and small letters, without `i`, `l`, `o` and `u`.
///
/// It is unique among the requests of a process, and among those of several with all likelihood. It is no
/// secret, and tells nothing of how many requests there were.
///
/// ```
/// use thalweg_gateway::RequestId;
///
/// assert_eq!(RequestId::from(0).to_string(), "0000000000000");
/// assert_eq!(RequestId::from(u64::MAX).to_string(), "fzzzzzzzzzzzz");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 13;

impl RequestId {
    /// Its characters.
    pub(crate) fn digits(self) -> [u8; LENGTH] {
        let mut digits = [0; LENGTH];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(rest % 32) as usize];
            rest /= 32;
        }
        digits
    }
}

impl From<u64> for RequestId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.digits().map(char::from).iter().collect::<String>())
    }
}

/// Names one worker's requests: from a random start, by steps that visit every number before one comes again.
#[derive(Debug)]
pub(crate) struct RequestIds {
    next: Cell<u64>,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            next: Cell::new(RandomState::new().build_hasher().finish()),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        /// Odd, so that the steps visit every number; near 2^64 divided by the golden ratio, so that neighbours
        /// look nothing like each other.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let id = self.next.get();
        self.next.set(id.wrapping_add(STEP));
        RequestId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_requests_of_a_worker_have_the_same_name() {
        let ids = RequestIds::new();
        let names: HashSet<String> = (0..10_000).map(|_| ids.next().to_string()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == LENGTH));
    }
}
