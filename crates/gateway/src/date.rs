//! The current date as responses and the access log write it, looked up once a turn and formatted once a second.

use std::time::{Duration, SystemTime};

/// A worker's calendar.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// Whether the date was looked up in this turn.
    current: bool,
    renewed: SystemTime,
    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
    field: String,
    /// `06/Nov/1994:08:49:37 +0000`.
    log: String,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        Self {
            current: false,
            renewed: SystemTime::UNIX_EPOCH,
            field: String::new(),
            log: String::new(),
        }
    }

    /// Another turn of the worker begins: the date may be another one.
    pub(crate) fn turn(&mut self) {
        self.current = false;
    }

    /// The value of a Date field.
    pub(crate) fn field(&mut self) -> &[u8] {
        self.look_up();
        self.field.as_bytes()
    }

    /// The date as the common log format has it, without brackets.
    pub(crate) fn log(&mut self) -> &[u8] {
        self.look_up();
        self.log.as_bytes()
    }

    fn look_up(&mut self) {
        if !self.current {
            self.current = true;
            self.renew(SystemTime::now());
        }
    }

    fn renew(&mut self, now: SystemTime) {
        // A clock that was set back is an error here, and renews.
        let fresh = now
            .duration_since(self.renewed)
            .is_ok_and(|age| age < Duration::from_secs(1));
        if fresh {
            return;
        }
        let since_epoch = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        self.renewed = SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs());
        self.field = httpdate::fmt_http_date(self.renewed);
        let part = |range: std::ops::Range<usize>| self.field.get(range).unwrap_or_default();
        self.log = format!(
            "{}/{}/{}:{} +0000",
            part(5..7),
            part(8..11),
            part(12..16),
            part(17..25)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(calendar: &mut Calendar, milliseconds: u64) -> (String, String) {
        calendar.renew(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds));
        (calendar.field.clone(), calendar.log.clone())
    }

    #[test]
    fn both_forms_are_renewed_with_the_second() {
        let mut calendar = Calendar::new();
        let (field, log) = at(&mut calendar, 784_111_777_000);
        assert_eq!(field, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(log, "06/Nov/1994:08:49:37 +0000");
        assert_eq!(at(&mut calendar, 784_111_777_999).0, field);
        assert_eq!(
            at(&mut calendar, 784_111_778_000).0,
            "Sun, 06 Nov 1994 08:49:38 GMT"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let mut calendar = Calendar::new();
        let (later, _) = at(&mut calendar, 784_111_777_000);
        assert_ne!(at(&mut calendar, 784_111_770_000).0, later);
    }
}
