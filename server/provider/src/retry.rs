//! When to try again: a pure schedule without clock or randomness of its own.
//!
//! A delay named by the provider is honored up to `LONGEST_WAIT`; otherwise the delay doubles from `FIRST_DELAY` to
//! `LONGEST_DELAY`, shortened by up to a quarter so that many clients do not return together.

use std::time::Duration;

use crate::error::{ModelError, Retry};

/// The delay before the first retry.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The cap of the growing delay.
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// The longest delay that a provider may ask for; beyond it the user should decide.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The share of a delay that chance may take away.
const JITTER: f64 = 0.25;

/// The retries of one model call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Retries granted so far: after `next` returned a delay, the number of the attempt that follows it, counted
    /// from 1 for the first retry.
    pub attempt: u32,
    /// The most retries that are granted.
    pub maximum: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::with_maximum(4)
    }
}

impl Schedule {
    /// A schedule of at most `maximum` retries.
    pub fn with_maximum(maximum: u32) -> Self {
        Self { attempt: 0, maximum }
    }

    /// How long to wait before the next attempt, or `None` when the failure is final. `random` is from `0.0..1.0`.
    pub fn next(&mut self, error: &ModelError, random: f64) -> Option<Duration> {
        if self.attempt >= self.maximum {
            return None;
        }
        let delay = match error.retry {
            Retry::Never => return None,
            Retry::After(delay) if delay > LONGEST_WAIT => return None,
            Retry::After(delay) => delay,
            Retry::Backoff => {
                let grown = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(self.attempt)).min(LONGEST_DELAY);
                grown.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
            }
        };
        self.attempt += 1;
        Some(delay)
    }

    /// The sentence for the user after `next` returned `None`.
    pub fn failure(&self, error: &ModelError) -> String {
        match error.retry {
            Retry::After(delay) if delay > LONGEST_WAIT => format!(
                "{}; the provider asks to wait {} seconds, which is longer than Kit waits by itself: send the prompt again later",
                error.message,
                delay.as_secs()
            ),
            Retry::After(_) | Retry::Backoff if self.attempt > 0 => {
                format!(
                    "{} (gave up after {} attempts; try again later, or choose another model)",
                    error.message,
                    self.attempt + 1
                )
            }
            Retry::Never | Retry::After(_) | Retry::Backoff => error.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use kit_protocol::ErrorKind;

    use super::*;

    fn error(retry: Retry) -> ModelError {
        ModelError { retry, ..ModelError::new(ErrorKind::RateLimit, "too many requests") }
    }

    fn delays(retry: Retry, random: f64) -> Vec<u128> {
        let mut schedule = Schedule::with_maximum(6);
        std::iter::from_fn(|| schedule.next(&error(retry), random)).map(|delay| delay.as_millis()).collect()
    }

    #[test]
    fn delays_double_up_to_the_cap() {
        assert_eq!(delays(Retry::Backoff, 0.0), [500, 1000, 2000, 4000, 8000, 8000]);
    }

    #[test]
    fn chance_shortens_a_delay_by_up_to_a_quarter() {
        assert_eq!(delays(Retry::Backoff, 1.0), [375, 750, 1500, 3000, 6000, 6000]);
    }

    #[test]
    fn a_delay_of_the_provider_is_taken_as_it_is() {
        assert_eq!(delays(Retry::After(Duration::from_secs(60)), 0.7), [60_000; 6]);
    }

    #[test]
    fn neither_a_final_failure_nor_a_long_wait_is_retried() {
        assert_eq!(delays(Retry::Never, 0.0), [0_u128; 0]);
        assert_eq!(delays(Retry::After(Duration::from_secs(61)), 0.0), [0_u128; 0]);
    }

    #[test]
    fn the_attempt_grows_with_every_retry() {
        let mut schedule = Schedule::with_maximum(2);
        let mut attempts = Vec::new();
        while schedule.next(&error(Retry::Backoff), 0.5).is_some() {
            attempts.push(schedule.attempt);
        }
        assert_eq!(attempts, [1, 2]);
    }

    #[test]
    fn the_failure_says_why_nothing_more_is_tried() {
        let mut schedule = Schedule::with_maximum(1);
        assert_eq!(schedule.failure(&error(Retry::Never)), "too many requests");
        assert_eq!(
            schedule.failure(&error(Retry::After(Duration::from_secs(300)))),
            "too many requests; the provider asks to wait 300 seconds, which is longer than Kit waits by itself: send the prompt again later"
        );
        assert_eq!(schedule.next(&error(Retry::Backoff), 0.0), Some(Duration::from_millis(500)));
        assert_eq!(
            schedule.failure(&error(Retry::Backoff)),
            "too many requests (gave up after 2 attempts; try again later, or choose another model)"
        );
    }
}
