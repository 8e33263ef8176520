//! The chunked coding, decoded (RFC 9112, section 7.1).
//!
//! ```text
//!            ┌──────────────────────────── CR LF ◄──────────────────────────┐
//!            ▼                                                              │
//!  ──► Size ─hex digit─► Size ─CR─► SizeEnd ─LF─► Data (size > 0) ─► DataCr ─► DataLf
//!                         └─ SP HTAB ; ─► Extension ─CR─► SizeEnd ─LF─► last chunk (size 0) ─► trailers
//! ```
//!
//! Strict: no sign, no white space but before an extension, no size beyond 16 digits, no line end but CR LF.

use crate::error::Violation;

/// Octets of chunk extensions that one message may bring. They are ignored (RFC 9112, section 7.1.1), so that they
/// serve no one who sends many.
const EXTENSIONS: usize = 16 << 10;
/// Digits of a size: as many as 64 bits need.
const DIGITS: u8 = 16;

/// Where in the coding the next octet stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    state: State,
    /// What remains of the chunk, or what is known of its size.
    left: u64,
    digits: u8,
    extensions: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// White space after the size, which only an extension may follow.
    Blank,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    Over,
}

/// What comes after some octets of the coding itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The input is used up.
    More,
    /// Content: this many octets remain of the chunk. [`Chunked::take`] those that are there.
    Data(u64),
    /// The last chunk's line is over: trailers follow.
    Last,
}

impl Chunked {
    /// Before the first chunk.
    pub(super) fn new() -> Self {
        Self {
            state: State::Size,
            left: 0,
            digits: 0,
            extensions: 0,
        }
    }

    /// Passes over the coding's own octets, and answers how many and what follows them.
    pub(super) fn step(&mut self, input: &[u8]) -> Result<(usize, Step), Violation> {
        for (at, octet) in input.iter().enumerate() {
            match self.state {
                State::Data => return Ok((at, Step::Data(self.left))),
                State::Over => return Ok((at, Step::Last)),
                _ => self.state = self.next(*octet)?,
            }
        }
        let step = if self.state == State::Over {
            Step::Last
        } else {
            Step::More
        };
        Ok((input.len(), step))
    }

    /// Content was taken, not more than [`Step::Data`] told.
    pub(super) fn take(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(octets as u64);
        if self.left == 0 {
            self.state = State::DataCr;
        }
    }

    fn next(&mut self, octet: u8) -> Result<State, Violation> {
        match (self.state, octet) {
            (State::Size, b'\r') if self.digits > 0 => Ok(State::SizeEnd),
            (State::Size, b' ' | b'\t') if self.digits > 0 => self.extend(State::Blank),
            (State::Size, b';') if self.digits > 0 => self.extend(State::Extension),
            (State::Size, _) => self.digit(octet),
            (State::Blank, b' ' | b'\t') => self.extend(State::Blank),
            (State::Blank, b';') => self.extend(State::Extension),
            (State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::Extension, b'\t' | b' '..=0x7e | 0x80..) => self.extend(State::Extension),
            (State::SizeEnd, b'\n') => {
                self.digits = 0;
                Ok(if self.left == 0 {
                    State::Over
                } else {
                    State::Data
                })
            }
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            _ => Err(Violation::Chunk),
        }
    }

    fn digit(&mut self, octet: u8) -> Result<State, Violation> {
        let digit = (octet as char).to_digit(16).ok_or(Violation::Chunk)?;
        if self.digits == DIGITS {
            return Err(Violation::Chunk);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn extend(&mut self, state: State) -> Result<State, Violation> {
        self.extensions += 1;
        if self.extensions > EXTENSIONS {
            return Err(Violation::Chunk);
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a complete coding, and what follows the last chunk's line.
    fn decode(mut input: &[u8]) -> Result<(Vec<u8>, &[u8]), Violation> {
        let (mut chunked, mut content) = (Chunked::new(), Vec::new());
        loop {
            let (passed, step) = chunked.step(input)?;
            input = &input[passed..];
            match step {
                Step::More => return Ok((content, b"(more)")),
                Step::Last => return Ok((content, input)),
                Step::Data(left) => {
                    let n = input.len().min(left as usize);
                    content.extend_from_slice(&input[..n]);
                    input = &input[n..];
                    chunked.take(n);
                }
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_extensions_ignored() {
        let coding = b"5\r\nhello\r\n00A ; a=\"b;c\";d\r\n, world!!!\r\n0;x\r\n\r\n";
        assert_eq!(
            decode(coding),
            Ok((b"hello, world!!!".to_vec(), &b"\r\n"[..]))
        );
    }

    #[test]
    fn the_largest_size_is_64_bits() {
        assert!(decode(b"ffffffffffffffff\r\na").is_ok());
        assert_eq!(decode(b"10000000000000000\r\na"), Err(Violation::Chunk));
        assert_eq!(decode(b"00000000000000001\r\na"), Err(Violation::Chunk));
    }

    #[test]
    fn anything_else_is_refused() {
        for coding in [
            &b"\r\n"[..],
            b"+5\r\n",
            b"-5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5\t\r\n",
            b"0x5\r\n",
            b"5\n",
            b"5\rh",
            b"5;a\nb",
            b"5;a\rb",
            b"5;\0\r\n",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\r\r",
            b";a\r\n",
        ] {
            assert_eq!(
                decode(coding),
                Err(Violation::Chunk),
                "{}",
                coding.escape_ascii()
            );
        }
    }

    #[test]
    fn extensions_are_bounded() {
        let long = [b"1;".as_slice(), &[b'a'; EXTENSIONS]].concat();
        assert_eq!(decode(&long), Err(Violation::Chunk));
    }
}
