//! Flow control (RFC 9113, section 5.2): what may be sent, and what the peer may send. One of each for the
//! connection and for every stream.
//!
//! ```text
//!  SendWindow   ── WINDOW_UPDATE ──► grows      ── DATA leaves ──► shrinks      (SETTINGS may take it below 0)
//!
//!  RecvWindow   left ── DATA comes ──► untaken ── taken ──► owed ── WINDOW_UPDATE ──► left
//!               left + untaken + owed is always its size
//! ```

use crate::error::{UsageError, Violation};
use crate::h2::settings::{FIRST_FRAME, MAX_WINDOW};
use crate::h2::window::Windows;

/// What this side may still send.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow(i32);

impl SendWindow {
    /// A window of this many octets, at most [`MAX_WINDOW`].
    pub(super) fn new(octets: u32) -> Self {
        Self(octets.min(MAX_WINDOW) as i32)
    }

    /// How many octets may leave now.
    pub(super) fn room(self) -> usize {
        self.0.max(0) as usize
    }

    /// Octets leave: no more than [`SendWindow::room`].
    pub(super) fn spend(&mut self, octets: usize) {
        debug_assert!(octets <= self.room(), "never more than the peer allows");
        self.0 = self.0.saturating_sub_unsigned(octets as u32);
    }

    /// The peer gives credit (RFC 9113, section 6.9.1).
    pub(super) fn grow(&mut self, octets: u32) -> Result<(), Violation> {
        self.0 = self
            .0
            .checked_add_unsigned(octets)
            .ok_or(Violation::WindowOverflow)?;
        Ok(())
    }

    /// The peer has changed its initial window: what streams have left moves with it (RFC 9113, section 6.9.2).
    pub(super) fn shift(&mut self, from: u32, to: u32) -> Result<(), Violation> {
        let moved = i64::from(self.0) + i64::from(to) - i64::from(from);
        self.0 = i32::try_from(moved).map_err(|_| Violation::WindowOverflow)?;
        Ok(())
    }
}

/// What the peer may still send, and what has come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecvWindow {
    size: u32,
    untaken: u32,
    /// Below 0: so much of what is taken is withheld.
    owed: i32,
}

impl RecvWindow {
    /// A window of this many octets, all of which the peer may send.
    pub(super) fn new(size: u32) -> Self {
        Self {
            size: size.min(MAX_WINDOW),
            untaken: 0,
            owed: 0,
        }
    }

    /// A window of this many octets, of which the peer knows `known` so far, and is owed the rest.
    pub(super) fn growing(size: u32, known: u32) -> Self {
        let mut window = Self::new(known);
        window.set_size(size.max(known));
        window
    }

    /// How large it is.
    pub(super) fn size(self) -> u32 {
        self.size
    }

    /// How many octets the peer may send now.
    pub(super) fn left(self) -> u32 {
        self.room().max(0) as u32
    }

    /// How many octets the peer may send now. Below nothing when the window was made smaller under it.
    fn room(self) -> i64 {
        i64::from(self.size) - i64::from(self.untaken) - i64::from(self.owed)
    }

    /// The peer has sent octets.
    pub(super) fn receive(&mut self, octets: u32) -> Result<(), Violation> {
        if i64::from(octets) > self.room() {
            return Err(Violation::WindowOverrun);
        }
        self.untaken += octets;
        Ok(())
    }

    /// Octets have been taken, and the peer is owed as many. Answers whether that is worth a WINDOW_UPDATE: a quarter
    /// of the window, since what is owed and not told is missing while the peer waits; or less, where it doubles what
    /// the peer may send; and a frame's worth at least, so that no consumer makes the peer send crumbs.
    pub(super) fn take(&mut self, octets: u32) -> bool {
        let taken = octets.min(self.untaken);
        self.untaken -= taken;
        self.owed = self.owed.saturating_add_unsigned(taken);
        let owed = self.owed.max(0).unsigned_abs();
        owed > 0
            && (owed >= self.size / 4 || i64::from(owed) >= self.room())
            && owed >= FIRST_FRAME.min(self.size / 2)
    }

    /// Credit by hand: for what has come, and beyond that a larger window, up to `most`.
    pub(super) fn credit(&mut self, octets: u32, most: u32) -> Result<(), UsageError> {
        let returned = octets.min(self.untaken);
        let more = octets - returned;
        let size = self.size.saturating_add(more);
        if more > 0 && size > most {
            return Err(UsageError::WindowTooLarge);
        }
        self.untaken -= returned;
        self.size = size;
        self.owed = self.owed.saturating_add_unsigned(octets);
        Ok(())
    }

    /// Makes it so large. What the peer may send changes by credit, given or withheld.
    pub(super) fn set_size(&mut self, size: u32) {
        let size = size.min(MAX_WINDOW);
        let more = i64::from(size) - i64::from(self.size);
        self.size = size;
        self.owed = (i64::from(self.owed) + more).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    }

    /// How large it should be where the link holds so many octets: twice that, if it is less than half as large
    /// again, and its consumer keeps up.
    pub(super) fn wanted(self, holds: u64) -> u32 {
        let slows = holds.saturating_mul(3) >= u64::from(self.size) * 2;
        if !slows || self.untaken > self.size / 2 {
            return self.size;
        }
        u32::try_from(holds.saturating_mul(2)).unwrap_or(MAX_WINDOW)
    }

    /// Whether all that is announced, if it is, may be sent without further credit.
    pub(super) fn is_room_for(self, announced: Option<u64>) -> bool {
        announced.is_some_and(|octets| octets <= u64::from(self.left()))
    }

    /// Whether something has come that is not taken, beside `coming` octets of a frame that are counted before
    /// they come.
    pub(super) fn holds(self, coming: usize) -> bool {
        self.untaken as usize > coming
    }

    /// Whether what has come and is not taken leaves no room for a frame.
    pub(super) fn is_held(self, coming: usize) -> bool {
        self.holds(coming) && self.room() + (coming as i64) < i64::from(FIRST_FRAME)
    }

    /// What has come and is not taken.
    pub(super) fn untaken(self) -> u32 {
        self.untaken
    }

    /// The credit that a WINDOW_UPDATE gives now: all that is owed.
    pub(super) fn settle(&mut self) -> u32 {
        let credit = self.owed.max(0);
        self.owed -= credit;
        credit.unsigned_abs()
    }

    /// The peer has agreed to another initial window: what it may send moves with it (RFC 9113, section 6.9.2).
    pub(super) fn shift(&mut self, from: u32, to: u32) {
        let moved = i64::from(self.size) + i64::from(to) - i64::from(from);
        self.size = moved.clamp(0, i64::from(MAX_WINDOW)) as u32;
    }

    /// For a caller who wants to see it, beside what may be sent.
    pub(super) fn shown(self, send: SendWindow) -> Windows {
        Windows {
            size: self.size,
            left: self.room(),
            untaken: self.untaken,
            owed: self.owed,
            send: send.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_window_may_be_shifted_below_nothing_and_comes_back() {
        let mut window = SendWindow::new(65_535);
        window.spend(60_000);
        assert_eq!(window.shift(65_535, 16_384), Ok(()));
        assert_eq!(window.room(), 0);
        assert_eq!(window.grow(43_617), Ok(()));
        assert_eq!(window.room(), 1);
    }

    #[test]
    fn a_send_window_never_exceeds_31_bits() {
        let mut window = SendWindow::new(1);
        assert_eq!(window.grow(MAX_WINDOW - 1), Ok(()));
        assert_eq!(window.grow(1), Err(Violation::WindowOverflow));
        assert_eq!(window.shift(0, 1), Err(Violation::WindowOverflow));
        assert_eq!(window.room(), MAX_WINDOW as usize);
    }

    #[test]
    fn a_receive_window_is_shared_by_what_is_left_untaken_and_owed() {
        let mut window = RecvWindow::new(100);
        assert_eq!(window.receive(100), Ok(()));
        assert_eq!(window.receive(1), Err(Violation::WindowOverrun));
        assert!(!window.take(49), "not worth an update yet");
        assert!(window.take(1), "half of the window");
        assert_eq!(window.settle(), 50);
        assert_eq!(window.receive(50), Ok(()));
        assert_eq!(window.untaken(), 100);
        assert!(window.take(u32::MAX), "no more is taken than came");
        assert_eq!(window.settle(), 100);
    }

    #[test]
    fn a_full_window_is_given_back_in_frames_and_not_in_crumbs() {
        let mut window = RecvWindow::new(200_000);
        assert_eq!(window.receive(200_000), Ok(()));
        assert!(!window.take(FIRST_FRAME - 1));
        assert!(window.take(1));
    }
}
