//! What a provider says about the limits of an account: how much of each is left and when it is full again.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;

/// The limits of an account as the last response of its provider had them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Option<Allowance>,
    /// Tokens of all kinds.
    pub tokens: Option<Allowance>,
    /// Input tokens, where they have a limit of their own.
    pub input_tokens: Option<Allowance>,
    /// Output tokens, where they have a limit of their own.
    pub output_tokens: Option<Allowance>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How much the account has in a period.
    pub limit: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// When it is full again.
    pub reset: Option<Timestamp>,
}

impl RateLimits {
    /// The limits in the headers of a response, if there are any.
    pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let allowance = |kind: &str| {
            let text = |field: &str| {
                let anthropic = format!("anthropic-ratelimit-{kind}-{field}");
                let common = format!("x-ratelimit-{field}-{kind}");
                let value = headers.get(anthropic).or_else(|| headers.get(common))?;
                value.to_str().ok().map(str::trim)
            };
            Some(Allowance {
                limit: text("limit")?.parse().ok()?,
                remaining: text("remaining")?.parse().ok()?,
                reset: text("reset").and_then(|text| reset(text, now)),
            })
        };
        let limits = Self {
            requests: allowance("requests"),
            tokens: allowance("tokens"),
            input_tokens: allowance("input-tokens"),
            output_tokens: allowance("output-tokens"),
        };
        (limits != Self::default()).then_some(limits)
    }
}

/// A time, or the time that passes until then, such as `6m0s`, `12ms` or `1.5`.
fn reset(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    now.checked_add(jiff::SignedDuration::try_from(span(text)?).ok()?).ok()
}

fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Option<RateLimits> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        RateLimits::read(&headers.collect(), "2026-11-21T10:00:00Z".parse().unwrap())
    }

    fn allowance(limit: u64, remaining: u64, reset: &str) -> Option<Allowance> {
        Some(Allowance { limit, remaining, reset: Some(reset.parse().unwrap()) })
    }

    #[test]
    fn reads_what_each_provider_sends() {
        let anthropic = read(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T10:01:00Z"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "10"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-21T10:00:30Z"),
        ]);
        let expected = RateLimits {
            requests: allowance(50, 49, "2026-11-21T10:01:00Z"),
            output_tokens: allowance(8000, 10, "2026-11-21T10:00:30Z"),
            ..RateLimits::default()
        };
        assert_eq!(anthropic, Some(expected));
        let openai = read(&[
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "29000"),
            ("x-ratelimit-reset-tokens", "1m2.5s"),
            ("x-ratelimit-limit-requests", "9"),
            ("x-ratelimit-remaining-requests", "8"),
            ("x-ratelimit-reset-requests", "20ms"),
        ]);
        let expected = RateLimits {
            requests: allowance(9, 8, "2026-11-21T10:00:00.02Z"),
            tokens: allowance(30_000, 29_000, "2026-11-21T10:01:02.5Z"),
            ..RateLimits::default()
        };
        assert_eq!(openai, Some(expected));
    }

    #[test]
    fn other_headers_are_no_limits() {
        assert_eq!(read(&[("x-ratelimit-limit-tokens", "many"), ("date", "today")]), None);
        let odd = read(&[
            ("x-ratelimit-limit-tokens", "1"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "soon"),
        ]);
        let expected = Allowance { limit: 1, remaining: 0, reset: None };
        assert_eq!(odd, Some(RateLimits { tokens: Some(expected), ..RateLimits::default() }));
    }
}
