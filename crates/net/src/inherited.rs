//! Descriptors that this process was born with, known by number only.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Why an inherited descriptor is not owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The number names no open descriptor.
    Closed,
    /// It names something else, which stays as it is.
    Other,
}

/// Owns the descriptor `number`, if it is open and is what it is said to be: a number that is wrong by a slip must
/// not close what belongs to somebody else.
pub(crate) fn own(
    number: RawFd,
    is_it: impl FnOnce(BorrowedFd<'_>) -> bool,
) -> Result<OwnedFd, Unfit> {
    // SAFETY: it only looks whether the number is open; any number is allowed.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(Unfit::Closed);
    }
    // SAFETY: it is open, and the borrow ends in this call.
    if !is_it(unsafe { BorrowedFd::borrow_raw(number) }) {
        return Err(Unfit::Other);
    }
    // SAFETY: it is open, and was given to this process by that number for this purpose: nobody else in it owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
