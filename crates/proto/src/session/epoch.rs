//! The wall clock, for sessions that have none.

use std::time::{Instant, SystemTime};

/// The seconds from 1970 to the first year that has five digits.
const YEAR_10000: u64 = 253_402_300_800;

/// What the wall clock showed at one moment, so that a session can put a Date into the answers that it gives by
/// itself (RFC 9110, section 6.6.1).
///
/// ```
/// use std::time::{Duration, Instant, SystemTime};
/// use thalweg_proto::session::Epoch;
///
/// let start = Instant::now();
/// let epoch = Epoch::new(start, SystemTime::UNIX_EPOCH);
/// let later = start + Duration::from_secs(784_111_777);
/// assert_eq!(epoch.date(later).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    at: Instant,
    showed: SystemTime,
}

impl Epoch {
    /// At this moment the wall clock showed this time.
    pub fn new(at: Instant, showed: SystemTime) -> Self {
        Self { at, showed }
    }

    /// The value of a Date field (RFC 9110, section 5.6.7); none for a year that the format cannot show.
    pub fn date(&self, now: Instant) -> Option<String> {
        let since = now.saturating_duration_since(self.at);
        let shows = self.showed.checked_add(since)?;
        let seconds = shows.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        (seconds < YEAR_10000).then(|| httpdate::fmt_http_date(shows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_wall_clock_that_shows_no_date_gives_none() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        for showed in [
            SystemTime::UNIX_EPOCH - second,
            SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_10000),
        ] {
            assert_eq!(Epoch::new(now, showed).date(now), None);
        }
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_10000) - second;
        let last = Epoch::new(now, last).date(now);
        assert_eq!(last.as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
    }
}
