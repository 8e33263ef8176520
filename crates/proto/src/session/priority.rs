//! How urgent a stream is, and how HTTP says it: the Priority field of requests and responses (RFC 9218).

mod dictionary;

use crate::fields::Fields;
use dictionary::{Value, read};
use std::fmt;

/// The name of the field.
const NAME: &[u8] = b"priority";

/// The urgency of who says nothing.
const USUAL: u8 = 3;

/// The urgency of what nobody waits for.
const LEAST: u8 = 7;

/// How urgent a stream is (RFC 9218, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Priority {
    /// 0 is the most urgent, 7 the least.
    pub urgency: u8,
    /// Whether its octets are useful in pieces, so that it may share the connection with its equals.
    pub incremental: bool,
}

impl Priority {
    /// Reads the value of a Priority field of a request, or of a PRIORITY_UPDATE frame: what it leaves out has its
    /// default (section 4). None where it is no dictionary of structured fields.
    ///
    /// ```
    /// use thalweg_proto::session::Priority;
    ///
    /// assert_eq!(Priority::parse(b"u=1, i"), Some(Priority { urgency: 1, incremental: true }));
    /// assert_eq!(Priority::parse(b"u=9, novel=(1 2);q=1"), Some(Priority::default()));
    /// assert_eq!(Priority::parse(b"u=1,"), None);
    /// ```
    pub fn parse(value: &[u8]) -> Option<Self> {
        Said::by([value].into_iter()).map(|said| said.over(Self::default()))
    }

    /// What the fields of a request say. None where they say nothing, or nothing that can be read.
    pub fn of(request: &Fields) -> Option<Self> {
        let said = Said::by_fields(request)?;
        Some(said.over(Self::default()))
    }

    /// What becomes of it by the fields of the response: what those leave out stays as it is (section 8).
    ///
    /// ```
    /// use thalweg_proto::fields::Fields;
    /// use thalweg_proto::session::Priority;
    ///
    /// let mut response = Fields::new();
    /// response.push(b"priority", b"u=1");
    /// let asked = Priority { urgency: 5, incremental: true };
    /// assert_eq!(asked.refined(&response), Priority { urgency: 1, incremental: true });
    /// ```
    #[must_use]
    pub fn refined(self, response: &Fields) -> Self {
        Said::by_fields(response).map_or(self, |said| said.over(self))
    }

    /// The same, with an urgency that there is.
    pub(crate) fn clamped(self) -> Self {
        Self {
            urgency: self.urgency.min(LEAST),
            ..self
        }
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self {
            urgency: USUAL,
            incremental: false,
        }
    }
}

/// As the value of a Priority field.
impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incremental = if self.incremental { ", i" } else { "" };
        write!(f, "u={}{incremental}", self.urgency.min(LEAST))
    }
}

/// The parameters that a field gives.
#[derive(Clone, Copy, Default)]
struct Said {
    urgency: Option<u8>,
    incremental: Option<bool>,
}

impl Said {
    fn by_fields(fields: &Fields) -> Option<Self> {
        let mut lines = fields.all(NAME).peekable();
        lines.peek()?;
        Self::by(lines)
    }

    /// Several lines are one list (RFC 8941, section 3.2). Of a key that is repeated the last one counts, even where
    /// its value means nothing (section 4.2.2).
    fn by<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut said = Self::default();
        for line in lines {
            read(line, |key, value| match (key, value) {
                (b"u", Value::Integer(urgency)) => {
                    let urgency = u8::try_from(urgency).ok();
                    said.urgency = urgency.filter(|urgency| *urgency <= LEAST);
                }
                (b"u", _) => said.urgency = None,
                (b"i", Value::Boolean(incremental)) => said.incremental = Some(incremental),
                (b"i", _) => said.incremental = None,
                _ => {}
            })?;
        }
        Some(said)
    }

    fn over(self, before: Priority) -> Priority {
        Priority {
            urgency: self.urgency.unwrap_or(before.urgency),
            incremental: self.incremental.unwrap_or(before.incremental),
        }
    }
}
