//! When a token ends. Providers say it in several ways, and by clocks that need not be ours.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How long before its end a token is renewed.
pub(super) const EARLY: SignedDuration = SignedDuration::from_secs(300);
/// How long a token is taken to be good when its provider does not say.
pub(super) const UNTOLD: SignedDuration = SignedDuration::from_mins(20);

/// A number of seconds: a number, or a text with one.
pub(super) fn seconds(value: &Value) -> Option<SignedDuration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    SignedDuration::try_from_secs_f64(seconds.filter(|seconds| *seconds >= 0.0)?).ok()
}

/// A moment by the provider's clock: seconds since 1970 as a number or as a text, or a date of RFC 3339.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let date = || value.as_str()?.trim().parse::<Timestamp>().ok();
    let since = || Timestamp::UNIX_EPOCH.checked_add(seconds(value)?).ok();
    date().or_else(since).filter(|moment| *moment > Timestamp::UNIX_EPOCH)
}

/// That moment by our clock, when the provider took the time for `theirs` at `ours`.
pub(super) fn by_our_clock(moment: Timestamp, theirs: Option<Timestamp>, ours: Timestamp) -> Timestamp {
    let Some(theirs) = theirs else { return moment };
    let skew = ours.duration_since(theirs);
    // Dates of headers are whole seconds and some time on the way: a small difference says nothing.
    if skew.abs() < SignedDuration::from_secs(30) {
        moment
    } else {
        moment.checked_add(skew).unwrap_or(moment)
    }
}

/// Whether a token that ends then has to be renewed by now; one without an end never.
pub(super) fn is_due(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_some_and(|expires| now.duration_since(expires) >= -EARLY)
}

/// Whether a token that ends then can still be used.
pub(super) fn is_valid(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_moment_is_a_number_a_text_with_one_or_a_date() {
        let expected = Some(at(1_795_255_200));
        for value in [
            json!(1_795_255_200),
            json!(1_795_255_200.0),
            json!("1795255200"),
            json!(" 1795255200 "),
            json!("2026-11-21T10:00:00Z"),
            json!("2026-11-21T11:00:00+01:00"),
        ] {
            assert_eq!(moment(&value), expected, "{value}");
        }
        for value in [json!(null), json!(0), json!(-1), json!("soon"), json!(""), json!({}), json!(1e300)] {
            assert_eq!(moment(&value), None, "{value}");
        }
    }

    #[test]
    fn a_clock_that_differs_shifts_the_end_and_a_slow_answer_does_not() {
        let check = |theirs: Option<i64>, ours: i64, expected: i64| {
            assert_eq!(by_our_clock(at(2000), theirs.map(at), at(ours)), at(expected));
        };
        check(None, 1000, 2000);
        check(Some(1000), 1020, 2000);
        check(Some(1000), 5000, 6000);
        check(Some(5000), 1000, -2000);
    }

    #[test]
    fn a_token_is_renewed_five_minutes_early() {
        let check = |expires: Option<i64>, due: bool, valid: bool| {
            let expires = expires.map(at);
            assert_eq!((is_due(expires, at(1000)), is_valid(expires, at(1000))), (due, valid));
        };
        check(None, false, true);
        check(Some(1301), false, true);
        check(Some(1300), true, true);
        check(Some(1001), true, true);
        check(Some(1000), true, false);
        check(Some(1), true, false);
    }
}
