//! The numbers of streams (RFC 9113, section 5.1.1), for a caller who has to know them ahead.

use super::Session;
use super::frame::MAX_STREAM;
use super::store;
use crate::error::UsageError;

impl Session {
    /// The number of the next stream that this side opens or, a server, promises; above 2^31-1 there is none.
    pub fn next_stream(&self) -> u64 {
        self.next.into()
    }

    /// Leaves out all numbers below this one.
    ///
    /// # Errors
    /// [`UsageError::NoSuchStream`] for one below [`Session::next_stream`], above 2^31-1, or of the other side.
    pub fn skip_to(&mut self, number: u64) -> Result<(), UsageError> {
        let fits = |number: &u32| {
            (self.next..=MAX_STREAM).contains(number)
                && store::is_pushed(*number) == store::is_pushed(self.next)
        };
        let number = u32::try_from(number).ok().filter(fits);
        self.next = number.ok_or(UsageError::NoSuchStream)?;
        Ok(())
    }

    /// The highest stream that the peer has opened or promised; 0 while there was none.
    pub fn last_stream_of_peer(&self) -> u64 {
        self.last_peer.into()
    }
}
