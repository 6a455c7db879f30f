//! Times as the session file and the events have them. The clock is read in one place, so that everything else gets
//! its time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Millis(pub(crate) i64);

impl Millis {
    /// The current time.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Reads an RFC 3339 time.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }

    /// RFC 3339 in UTC.
    pub(crate) fn to_rfc3339(self) -> String {
        format!("{:.3}", self.timestamp())
    }

    /// The time in a file's name: `2026-11-21T09-29-05-123Z`.
    pub(crate) fn to_file_name(self) -> String {
        self.to_rfc3339().replace([':', '.'], "-")
    }

    /// The calendar day where the user is: `2026-11-21`.
    pub(crate) fn local_day(self) -> String {
        self.timestamp().to_zoned(TimeZone::system()).date().to_string()
    }

    /// The time that passed since `earlier`, never negative.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_through_text() {
        let time = Millis(1_763_717_345_123);
        assert_eq!(time.to_rfc3339(), "2025-11-21T09:29:05.123Z");
        assert_eq!(time.to_file_name(), "2025-11-21T09-29-05-123Z");
        assert_eq!(Millis::parse(&time.to_rfc3339()), Some(time));
        assert_eq!(Millis::parse("2025-11-21T10:29:05.123456789+01:00"), Some(time));
        assert_eq!(Millis::parse("yesterday"), None);
    }
}
