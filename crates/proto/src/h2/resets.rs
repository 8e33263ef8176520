//! The streams that ended before their time: frames for them may still be on their way (RFC 9113, section 5.1).
//!
//! Numbers of one side rise, so that two bits for each of the latest are enough, in a ring that goes up with them.

/// How many numbers of a side are remembered, up to the highest that was reset.
const SPAN: u32 = 1024;
const WORDS: usize = SPAN as usize / 64;

/// Who reset a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// This side: the peer did not know when it sent what comes now.
    Us,
    /// The peer: it knew.
    Peer,
}

/// A ring for the numbers of each side. It exists only where a stream of that side was reset.
#[derive(Debug, Default)]
pub(super) struct Resets {
    odd: Option<Box<Ring>>,
    even: Option<Box<Ring>>,
}

/// Places are numbers without their last bit.
#[derive(Debug)]
struct Ring {
    top: u32,
    by_us: [u64; WORDS],
    by_peer: [u64; WORDS],
}

impl Resets {
    /// Remembers a stream, unless it is far below one that was reset already.
    pub(super) fn insert(&mut self, number: u32, by: By) {
        let place = number / 2;
        let ring = match number % 2 {
            0 => &mut self.even,
            _ => &mut self.odd,
        };
        ring.get_or_insert_with(|| Box::new(Ring::up_to(place)))
            .set(place, by);
    }

    /// Who reset this stream, where it is remembered.
    pub(super) fn find(&self, number: u32) -> Option<By> {
        let ring = match number % 2 {
            0 => &self.even,
            _ => &self.odd,
        };
        ring.as_ref()?.get(number / 2)
    }
}

impl Ring {
    fn up_to(top: u32) -> Self {
        Self {
            top,
            by_us: [0; WORDS],
            by_peer: [0; WORDS],
        }
    }

    fn set(&mut self, place: u32, by: By) {
        // What comes in between was not reset.
        for passed in (self.top..place).take(SPAN as usize) {
            self.put(passed.wrapping_add(1), None);
        }
        if place.saturating_add(SPAN) > self.top {
            self.top = self.top.max(place);
            self.put(place, Some(by));
        }
    }

    fn put(&mut self, place: u32, by: Option<By>) {
        let (word, bit) = position(place);
        for (ring, whose) in [(&mut self.by_us, By::Us), (&mut self.by_peer, By::Peer)] {
            if let Some(word) = ring.get_mut(word) {
                *word = if by == Some(whose) {
                    *word | bit
                } else {
                    *word & !bit
                };
            }
        }
    }

    fn get(&self, place: u32) -> Option<By> {
        if place > self.top || place.saturating_add(SPAN) <= self.top {
            return None;
        }
        let (word, bit) = position(place);
        let is_in = |ring: &[u64; WORDS]| ring.get(word).is_some_and(|word| word & bit != 0);
        if is_in(&self.by_us) {
            Some(By::Us)
        } else {
            is_in(&self.by_peer).then_some(By::Peer)
        }
    }
}

fn position(place: u32) -> (usize, u64) {
    let at = place % SPAN;
    (at as usize / 64, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_numbers_of_each_side_are_remembered_and_older_ones_forgotten() {
        let mut resets = Resets::default();
        assert_eq!((resets.find(0), resets.find(1)), (None, None));
        resets.insert(1, By::Us);
        resets.insert(7, By::Peer);
        resets.insert(2, By::Us);
        assert_eq!(resets.find(1), Some(By::Us));
        assert_eq!([3, 5, 9, 4].map(|number| resets.find(number)), [None; 4]);
        assert_eq!(
            (resets.find(7), resets.find(2)),
            (Some(By::Peer), Some(By::Us))
        );
        // The peer's first word is not its last: what we answer counts from then on.
        resets.insert(7, By::Us);
        assert_eq!(resets.find(7), Some(By::Us));
        let last = 7 + 2 * (SPAN - 1);
        resets.insert(last, By::Us);
        assert_eq!((resets.find(1), resets.find(7)), (None, Some(By::Us)));
        resets.insert(last + 2, By::Peer);
        assert_eq!((resets.find(7), resets.find(last)), (None, Some(By::Us)));
        resets.insert(7, By::Us);
        assert_eq!(resets.find(7), None, "it is too far below");
    }

    #[test]
    fn a_leap_forgets_all_that_it_passes() {
        let mut resets = Resets::default();
        (0..SPAN).for_each(|place| resets.insert(2 * place + 1, By::Us));
        assert_eq!(resets.find(1), Some(By::Us));
        resets.insert(0x7fff_ffff, By::Peer);
        assert!((0..SPAN).all(|place| resets.find(2 * place + 1).is_none()));
        assert_eq!(resets.find(0x7fff_ffff), Some(By::Peer));
        assert_eq!(resets.find(0x7fff_fffd), None);
    }
}
