//! What a guest has used: computing ticks since the last boundary, calls of the host and log lines in this second, and
//! the time that its people took to answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::{Bucket, Token};
use super::limits::{Limits, TICK, Weight};

/// Ticks of computing and tokens of the store's guest.
pub(super) struct Meter {
    limits: Limits,
    /// Ticks since the last boundary.
    spent: u32,
    heavy_calls: usize,
    host_calls: Bucket,
    log_lines: Bucket,
}

/// What a line of the log may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogToken {
    /// It is written.
    Write,
    /// It is the first that is left out.
    FirstLeftOut,
    /// It is left out.
    LeftOut,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            spent: 0,
            heavy_calls: 0,
            host_calls: Bucket::new(limits.host_calls),
            log_lines: Bucket::new(limits.log_lines),
        }
    }

    /// A call begins: a boundary.
    pub(super) fn begin(&mut self, weight: Weight) {
        self.spent = 0;
        self.heavy_calls += usize::from(weight == Weight::Heavy);
    }

    /// A call ended: a boundary.
    pub(super) fn end(&mut self, weight: Weight) {
        self.spent = 0;
        self.heavy_calls = self.heavy_calls.saturating_sub(usize::from(weight == Weight::Heavy));
    }

    /// An answer of the host was awaited: a boundary.
    pub(super) fn resumed(&mut self) {
        self.spent = 0;
    }

    /// The guest was seen computing; answers the limit when it is used up. While a heavy call is in flight nobody knows
    /// whose computing it is, so that call's limit holds.
    pub(super) fn tick(&mut self) -> Option<Duration> {
        self.spent = self.spent.saturating_add(1);
        let limit =
            if self.heavy_calls > 0 { self.limits.heavy_computing } else { self.limits.light_computing };
        (TICK * self.spent > limit).then_some(limit)
    }

    /// Whether a call of the host may go on.
    pub(super) fn host_call(&mut self) -> Token {
        self.host_calls.take(1)
    }

    /// Whether a line of the log is written.
    pub(super) fn log_line(&mut self) -> LogToken {
        match self.log_lines.take(1) {
            Token::Granted => LogToken::Write,
            Token::FirstRefused => LogToken::FirstLeftOut,
            Token::Refused => LogToken::LeftOut,
        }
    }
}

/// The time of a guest's calls without that in which it waited for people.
#[derive(Debug, Default)]
pub(super) struct Patience {
    state: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    questions: usize,
    since: Option<Instant>,
    total: Duration,
}

impl Patience {
    /// A question is asked until the answer is dropped.
    pub(super) fn ask(self: &std::sync::Arc<Self>) -> Asking {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.questions == 0 {
            state.since = Some(Instant::now());
        }
        state.questions += 1;
        Asking(std::sync::Arc::clone(self))
    }

    /// How long people have been waited for, since the guest was started.
    pub(super) fn waited(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total + state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether a question is open.
    pub(super) fn is_asking(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).questions > 0
    }
}

/// An open question.
pub(super) struct Asking(std::sync::Arc<Patience>);

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.questions = state.questions.saturating_sub(1);
        if state.questions == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_begin_the_computing_time_again_and_heavy_calls_have_more_of_it() {
        let mut meter = Meter::new(Limits::default());
        let used_up = |meter: &mut Meter, ticks: u32| (0..ticks).find_map(|_| meter.tick());
        meter.begin(Weight::Light);
        assert_eq!(used_up(&mut meter, 20), None);
        assert_eq!(used_up(&mut meter, 1), Some(Duration::from_millis(200)));
        meter.resumed();
        assert_eq!(used_up(&mut meter, 20), None);
        meter.begin(Weight::Heavy);
        assert_eq!(used_up(&mut meter, 200), None);
        assert_eq!(used_up(&mut meter, 1), Some(Duration::from_secs(2)));
        meter.end(Weight::Heavy);
        assert_eq!(used_up(&mut meter, 21), Some(Duration::from_millis(200)));
    }

    #[test]
    fn a_flood_is_refused_and_told_once() {
        let mut meter = Meter::new(Limits { log_lines: 3, ..Limits::default() });
        let tokens: Vec<LogToken> = (0..5).map(|_| meter.log_line()).collect();
        let write = LogToken::Write;
        assert_eq!(tokens, [write, write, write, LogToken::FirstLeftOut, LogToken::LeftOut]);
    }

    #[test]
    fn time_of_people_is_counted_once_for_questions_beside_each_other() {
        let patience = std::sync::Arc::new(Patience::default());
        assert_eq!((patience.waited(), patience.is_asking()), (Duration::ZERO, false));
        let first = patience.ask();
        let second = patience.ask();
        drop(first);
        assert!(patience.is_asking());
        drop(second);
        let waited = patience.waited();
        assert!(!patience.is_asking());
        assert_eq!(patience.waited(), waited);
    }
}
