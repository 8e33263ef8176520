//! Finding the end of a head, or of trailers, in octets that come in pieces (RFC 9112, section 2.1).
//!
//! Each octet is looked at once, however the peer cuts them, and what no later octet could mend is refused where it
//! stands: a CR or LF alone, a folded line, too many octets or lines. So the parser sees complete sections only, in
//! which every line ends in CR LF, and the answer does not depend on the cuts.

use crate::error::Violation;
use crate::limits::Limits;
use crate::syntax;
use memchr::memchr2;

/// What a start line may have beside its target: method, version, spaces.
const BESIDE_TARGET: usize = 64;

/// How far a section has been looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    section: Section,
    /// Octets of the section so far.
    octets: usize,
    /// Field lines that are complete.
    fields: usize,
    /// Octets of the line that has begun.
    line: usize,
    /// Whether the last octet was a CR.
    cr: bool,
    /// Whether the start line that has begun has come to its first space.
    spaced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// In the start line of a request, or before it.
    RequestLine,
    /// In the start line of a response.
    StatusLine,
    /// In the field lines.
    Fields,
}

/// What a piece of input brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All of it belongs to the section, and more is to come.
    More,
    /// An empty line before a request line; it and all before it is to be forgotten (RFC 9112, section 2.2).
    EmptyLine(usize),
    /// The section ends after this many octets of the piece.
    End(usize),
}

impl Scan {
    /// A scan that waits for the head of a request.
    pub(super) fn request() -> Self {
        Self::of(Section::RequestLine)
    }

    /// A scan that waits for the head of a response.
    pub(super) fn response() -> Self {
        Self::of(Section::StatusLine)
    }

    /// A scan that waits for the field lines after the last chunk.
    pub(super) fn trailers() -> Self {
        Self::of(Section::Fields)
    }

    fn of(section: Section) -> Self {
        Self {
            section,
            octets: 0,
            fields: 0,
            line: 0,
            cr: false,
            spaced: false,
        }
    }

    /// Whether anything of the section has come.
    pub(super) fn has_begun(&self) -> bool {
        self.octets > 0
    }

    /// Field lines so far.
    pub(super) fn fields(&self) -> usize {
        self.fields
    }

    /// Looks at the next piece.
    pub(super) fn look(&mut self, piece: &[u8], limits: &Limits) -> Result<Found, Violation> {
        let mut at = 0;
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            let Some(first) = rest.first() else {
                return Ok(Found::More);
            };
            if self.cr {
                if *first != b'\n' {
                    return Err(Violation::BareLineEnd);
                }
                if self.octets >= limits.head {
                    return Err(Violation::HeadTooLarge);
                }
                at += 1;
                match self.line_end() {
                    None => {}
                    Some(Found::EmptyLine(_)) => return Ok(Found::EmptyLine(at)),
                    Some(_) => return Ok(Found::End(at)),
                }
                continue;
            }
            if self.line == 0 {
                self.line_start(*first, limits)?;
            }
            let room = self.room(limits);
            let window = rest.get(..room).unwrap_or(rest);
            match memchr2(b'\r', b'\n', window) {
                Some(end) if window.get(end) == Some(&b'\r') => {
                    self.pass(window.get(..end).unwrap_or_default());
                    self.octets += 1;
                    self.cr = true;
                    at += end + 1;
                }
                Some(_) => return Err(Violation::BareLineEnd),
                None if window.len() < rest.len() => {
                    self.pass(window);
                    return Err(self.overflow(limits));
                }
                None => {
                    self.pass(window);
                    return Ok(Found::More);
                }
            }
        }
    }

    /// Checks how a line begins. An empty one is no matter of this check.
    fn line_start(&self, first: u8, limits: &Limits) -> Result<(), Violation> {
        if matches!(first, b'\r' | b'\n') {
            return Ok(());
        }
        match self.section {
            // What is no HTTP at all (a TLS hello on a plain port) is not waited for.
            Section::RequestLine | Section::StatusLine if !syntax::is_token(&[first]) => {
                Err(Violation::StartLine)
            }
            Section::RequestLine | Section::StatusLine => Ok(()),
            Section::Fields if matches!(first, b' ' | b'\t') => Err(Violation::ObsFold),
            Section::Fields if self.fields >= limits.fields => Err(Violation::TooManyFields),
            Section::Fields => Ok(()),
        }
    }

    /// CR LF has come. Answers what is over with it.
    fn line_end(&mut self) -> Option<Found> {
        self.octets += 1;
        self.cr = false;
        let empty = self.line == 0;
        self.line = 0;
        match self.section {
            Section::RequestLine if empty => {
                self.octets = 0;
                Some(Found::EmptyLine(0))
            }
            // An empty status line is for the parser to refuse.
            Section::StatusLine if empty => Some(Found::End(0)),
            Section::RequestLine | Section::StatusLine => {
                self.section = Section::Fields;
                None
            }
            Section::Fields if empty => Some(Found::End(0)),
            Section::Fields => {
                self.fields += 1;
                None
            }
        }
    }

    /// How many octets may come before the line has to end.
    fn room(&self, limits: &Limits) -> usize {
        let head = limits.head.saturating_sub(self.octets);
        match self.section {
            Section::RequestLine => {
                let line = limits.target.saturating_add(BESIDE_TARGET);
                head.min(line.saturating_sub(self.line))
            }
            Section::StatusLine | Section::Fields => head,
        }
    }

    fn overflow(&self, limits: &Limits) -> Violation {
        match self.section {
            Section::RequestLine if !self.spaced => Violation::StartLine,
            Section::RequestLine if self.line >= limits.target => Violation::TargetTooLong,
            _ => Violation::HeadTooLarge,
        }
    }

    fn pass(&mut self, octets: &[u8]) {
        self.octets += octets.len();
        self.line += octets.len();
        if self.section == Section::RequestLine && !self.spaced {
            self.spaced = memchr::memchr(b' ', octets).is_some();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(mut scan: Scan, pieces: &[&[u8]]) -> Result<Vec<Found>, Violation> {
        let limits = Limits {
            head: 200,
            fields: 2,
            target: 20,
            ..Limits::default()
        };
        pieces
            .iter()
            .map(|piece| scan.look(piece, &limits))
            .collect()
    }

    #[test]
    fn the_end_is_found_across_any_cut() {
        let head = b"GET / HTTP/1.1\r\na: b\r\n\r\nrest";
        for cut in 1..24 {
            let (one, two) = head.split_at(cut);
            assert_eq!(
                look(Scan::request(), &[one, two]),
                Ok(vec![Found::More, Found::End(24 - cut)]),
                "cut at {cut}"
            );
        }
        assert_eq!(look(Scan::request(), &[head]), Ok(vec![Found::End(24)]));
    }

    #[test]
    fn trailers_may_be_none() {
        assert_eq!(
            look(Scan::trailers(), &[b"\r", b"\n"]),
            Ok(vec![Found::More, Found::End(1)])
        );
    }

    #[test]
    fn an_empty_line_before_a_request_is_told_apart() {
        assert_eq!(
            look(Scan::request(), &[b"\r\nGET"]),
            Ok(vec![Found::EmptyLine(2)])
        );
    }

    #[test]
    fn what_cannot_be_mended_is_refused_at_once() {
        for (head, why) in [
            (&b"GET / HTTP/1.1\n"[..], Violation::BareLineEnd),
            (b"GET / HTTP/1.1\rX", Violation::BareLineEnd),
            (b"GET / HTTP/1.1\r\na: b\r\n c", Violation::ObsFold),
            (b"GET / HTTP/1.1\r\n\ta: b", Violation::ObsFold),
            (b"\x16\x03\x01", Violation::StartLine),
            (b"GET / HTTP/1.1\r\na:\r\nb:\r\nc", Violation::TooManyFields),
        ] {
            assert_eq!(look(Scan::request(), &[head]), Err(why));
        }
        let long = [b"GET /".as_slice(), &[b'a'; 100]].concat();
        assert_eq!(
            look(Scan::request(), &[&long]),
            Err(Violation::TargetTooLong)
        );
        assert_eq!(
            look(Scan::request(), &[&[b'A'; 100]]),
            Err(Violation::StartLine)
        );
        let large = [b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'a'; 200]].concat();
        assert_eq!(
            look(Scan::request(), &[&large]),
            Err(Violation::HeadTooLarge)
        );
    }
}
