//! Which length a message has, and whether the connection lives on after it (RFC 9112, sections 6 and 9.3).
//!
//! ```text
//!  the head says                                    request             response
//!  HEAD, 1xx, 204, 304                              —                   no content
//!  CONNECT, 101                                     a tunnel, once it is granted
//!  transfer-encoding and content-length             refused             refused
//!  transfer-encoding: chunked                       chunks              chunks
//!  any other transfer-encoding, or in HTTP/1.0      refused             refused
//!  one content-length, a number                     so many octets      so many octets
//!  any other content-length                         refused             refused
//!  none of them                                     no content          until the connection ends
//! ```
//!
//! What two readers could understand in two ways is refused, even where the RFC lets one of the ways pass: that is
//! what requests are smuggled with.

use crate::error::Violation;
use crate::head::Version;
use crate::syntax::{self, list};

/// What the fields of a head say about the message's end and the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) version: Version,
    content_length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade: bool,
    expects_continue: bool,
}

/// Where the content of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// After so many octets; 0 is no content.
    Exact(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilEof,
}

impl Facts {
    /// The facts of a head of this version that has no fields yet.
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            content_length: None,
            chunked: false,
            close: false,
            keep_alive: false,
            upgrade_option: false,
            upgrade: false,
            expects_continue: false,
        }
    }

    /// Takes note of one field line, its name in any letter case.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        // The length alone rules out most names.
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection(value);
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    /// The length of a request with these facts (RFC 9112, section 6.3).
    pub(super) fn request_length(&self) -> Result<Length, Violation> {
        Ok(self.length()?.unwrap_or(Length::Exact(0)))
    }

    /// The length of a response with these facts. It has content unless `bodiless` (RFC 9112, section 6.3).
    pub(super) fn response_length(&self, bodiless: bool) -> Result<Length, Violation> {
        let length = self.length()?;
        Ok(match length {
            _ if bodiless => Length::Exact(0),
            Some(length) => length,
            None => Length::UntilEof,
        })
    }

    /// Whether the connection may be used again after this message (RFC 9112, section 9.3).
    pub(super) fn persists(&self) -> bool {
        !self.close && (self.version != Version::Http10 || self.keep_alive)
    }

    /// Whether the message offers, or agrees to, another protocol (RFC 9110, section 7.8).
    pub(super) fn upgrades(&self) -> bool {
        self.upgrade && self.upgrade_option && self.version != Version::Http10
    }

    /// Whether the client waits for a 100 before it sends the body. HTTP/1.0 knows none (RFC 9110, section 10.1.1).
    pub(super) fn expects_continue(&self) -> bool {
        self.expects_continue && self.version != Version::Http10
    }

    fn length(&self) -> Result<Option<Length>, Violation> {
        match (self.chunked, self.content_length) {
            (true, Some(_)) => Err(Violation::LengthAndEncoding),
            (true, None) if self.version == Version::Http10 => Err(Violation::Framing),
            (true, None) => Ok(Some(Length::Chunked)),
            (false, length) => Ok(length.map(Length::Exact)),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.content_length.is_some() {
            return Err(Violation::ContentLength);
        }
        self.content_length = Some(syntax::number(value).ok_or(Violation::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.chunked {
            return Err(Violation::Framing);
        }
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let chunked = list(value).filter(|coding| is_chunked(coding)).count();
        if chunked != 1 || !list(value).last().is_some_and(is_chunked) {
            return Err(Violation::Framing);
        }
        if list(value).count() > 1 {
            return Err(Violation::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.version != Version::Http10 && !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Violation::Expectation);
        }
        self.expects_continue = true;
        Ok(())
    }
}

impl Length {
    /// Whether there is no content.
    pub(super) fn is_none(self) -> bool {
        self == Length::Exact(0)
    }
}
