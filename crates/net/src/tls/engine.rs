//! The seam between the driver and a TLS library: octets in, octets out, all buffers the worker's.
//!
//! ```text
//!  ciphertext in ─► turn ─► plaintext in (appended)      Handshaking ─► Open ─► PeerClosed
//!                    │
//!  plaintext out ────┴───► ciphertext out (appended)     what is appended is sent in that order, all of it
//! ```
//!
//! rustls stands behind it now; OpenSSL with memory BIOs fits the same four verbs.

use super::TlsInfo;
use crate::worker::buffer::Buffer;

/// One connection's TLS state.
pub(crate) trait Engine {
    /// Takes ciphertext (decrypting in place), appends plaintext to `plain` and, to `out`, what must be sent:
    /// handshake messages, tickets, key updates, alerts; then does what is wished, if it may already.
    ///
    /// `input` is everything that no earlier turn consumed. What this one leaves (an incomplete record) must
    /// stand at the front of the next one's.
    ///
    /// # Errors
    /// The connection cannot go on; the alert that says so is in `out`.
    fn turn(
        &mut self,
        input: &mut [u8],
        wish: Wish<'_>,
        plain: &mut Buffer,
        out: &mut Buffer,
    ) -> Result<Turn, rustls::Error>;

    /// What was negotiated, once the state is no longer [`State::Handshaking`].
    fn info(&mut self) -> TlsInfo;
}

/// What to do once the turn's input is dealt with. Not done while [`State::Handshaking`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish<'a> {
    Nothing,
    Send(&'a [u8]),
    /// Send close_notify (RFC 8446, section 6.1).
    Close,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) consumed: usize,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Handshaking,
    Open,
    /// The peer sent close_notify: no more plaintext comes; ours may still go.
    PeerClosed,
}
